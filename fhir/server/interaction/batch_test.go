package interaction

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fhirgate/fhirgate/storage"
)

func TestBatchEntriesAreIndependent(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Patient","id":"old"}`)
	put(t, s, `{"resourceType":"Patient","id":"two","identifier":[{"system":"http://x","value":"1"}]}`)
	b, err := send(t, s, "batch", "",
		request("POST", "Patient", "urn:uuid:p", `{"resourceType":"Patient"}`),
		request("PUT", "Patient/a", "", `{"resourceType":"Patient","id":"b"}`),
		request("GET", "Patient/none", "", ""),
		request("GET", "Patient/new", "", ""),
		request("PUT", "Patient/new", "", `{"resourceType":"Patient","id":"new"}`),
		request("DELETE", "Patient/old", "", ""),
		request("GET", "Patient/old", "", ""),
		request("PUT", "Patient/new", "", `{"resourceType":"Patient","id":"new","active":true}`),
		request("PUT", "Patient/two", "", `{"resourceType":"Patient","id":"two"}`, `"ifMatch":"W/\"9\""`),
		request("POST", "Patient", "", `{"resourceType":"Patient","identifier":[{"system":"http://x","value":"1"}]}`, `"ifNoneExist":"identifier=http://x|1"`),
		`{"resource":{"resourceType":"Patient"}}`,
		request("DELETE", "Patient?identifier=http://x|none", "", ""),
		request("POST", "Observation", "", `{"resourceType":"Observation","subject":{"reference":"urn:uuid:p"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"201 Created", "400 Bad Request", "404 Not Found", "200 OK", "201 Created", "204 No Content", "410 Gone", "200 OK", "412 Precondition Failed",
		"200 OK", "400 Bad Request", "204 No Content", "422 Unprocessable Entity"} {
		if got := b.Entry[i].Response.Status; got != want {
			t.Errorf("entry %d: %s; want %s", i, got, want)
		}
		if failed := want[0] == '4'; failed != (b.Entry[i].Response.Outcome != nil) {
			t.Errorf("entry %d has the outcome %s", i, b.Entry[i].Response.Outcome)
		}
	}
	if got := string(b.Entry[1].Response.Outcome); !strings.Contains(got, "Bundle.entry[1].resource.id") {
		t.Errorf("%s", got)
	}
}

func TestBatchOfMoreWritesThanOneGroup(t *testing.T) {
	s := open(t, Options{})
	var entries []string
	for i := range 2*batchGroup + 7 {
		entries = append(entries, request("PUT", fmt.Sprintf("Patient/%d", i), "", fmt.Sprintf(`{"resourceType":"Patient","id":"%d"}`, i)))
	}
	b, err := send(t, s, "batch", "representation", entries...)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range b.Entry {
		var r struct{ ID string }
		if err := json.Unmarshal(e.Resource, &r); err != nil || e.Response.Status != "201 Created" || r.ID != fmt.Sprint(i) {
			t.Fatalf("entry %d: %+v, %v", i, e, err)
		}
	}
}

// unsure is a store that stores, and then does not know whether it did.
type unsure struct {
	storage.Store
	failing atomic.Bool
}

func (u *unsure) Update(ctx context.Context, f func(storage.Tx) error) error {
	err := u.Store.Update(ctx, f)
	if err == nil && u.failing.Load() {
		return storage.Unknown("update", errors.New("the connection is lost"))
	}
	return err
}

// A group of writes whose end is unknown is not written again one by one.
func TestABatchThatMayBeStoredIsNotStoredTwice(t *testing.T) {
	store := &unsure{Store: openStore(t)}
	s := openOn(t, store, Options{})
	store.failing.Store(true)
	for _, kind := range []string{"batch", "transaction"} {
		code := kind + "-test"
		entry := request("POST", "Basic", "", `{"resourceType":"Basic","code":{"coding":[{"code":"`+code+`"}]}}`)
		b, err := send(t, s, kind, "", entry, entry, entry)
		if kind == "transaction" && !storage.IsUnknown(err) || kind == "batch" && err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for i, e := range b.Entry {
			if !strings.HasPrefix(e.Response.Status, "503") || !strings.Contains(string(e.Response.Outcome), "storage-unknown") {
				t.Errorf("entry %d: %+v", i, e.Response)
			}
		}
		if found := find(t, s, "Basic?code="+code); len(found.Entry) != 3 {
			t.Errorf("%s: %d are stored", kind, len(found.Entry))
		}
	}
}

func TestPreferredReturnOfBundles(t *testing.T) {
	for prefer, want := range map[string][2]bool{"": {false, false}, "minimal": {false, false}, "representation": {true, false}, "OperationOutcome": {false, true}} {
		s := open(t, Options{})
		for _, kind := range []string{"batch", "transaction"} {
			b, err := send(t, s, kind, prefer, request("POST", "Patient", "", `{"resourceType":"Patient"}`))
			if err != nil {
				t.Fatal(err)
			}
			e := b.Entry[0]
			if (e.Resource != nil) != want[0] || (e.Response.Outcome != nil) != want[1] {
				t.Errorf("%s %s: %+v", kind, prefer, e)
			}
		}
	}
}
