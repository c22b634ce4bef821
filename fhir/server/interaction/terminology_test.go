package interaction

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// TestExpansionsAreThoseOfTheStoreInEveryProcess drives two gateways on one store: each sees what the other has written, deletions too.
func TestExpansionsAreThoseOfTheStoreInEveryProcess(t *testing.T) {
	store := openStore(t)
	gateways := []*Service{openOn(t, store, Options{Shared: true}), openOn(t, store, Options{Shared: true})}
	clinic(t, gateways[0])
	set := func(s *Service, id, code string) {
		put(t, s, `{"resourceType":"ValueSet","id":"%s","url":"http://example.org/vs","version":"%s","status":"active","compose":{"include":[{"system":"http://loinc.org","concept":[{"code":"%s"}]}]}}`, id, id, code)
	}
	see := func(step, want string) {
		t.Helper()
		for range 2 {
			for i, s := range gateways {
				b, err := try(t, s, "Observation?code:in=http://example.org/vs&_summary=count")
				got := fmt.Sprint(err)
				if err == nil {
					got = fmt.Sprint(*b.Total)
				}
				if !strings.Contains(got, want) {
					t.Fatalf("%s: gateway %d finds %s, want %s", step, i, got, want)
				}
			}
		}
	}
	see("nothing is stored", "not known")
	set(gateways[0], "1", "c1")
	see("stored", "2")
	set(gateways[1], "2", "c0")
	see("a later version", "3")
	if _, err := gateways[0].Delete(t.Context(), key("ValueSet/2"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	see("deleted", "2")
	set(gateways[1], "1", "c7")
	see("changed", "0")
	put(t, gateways[0], `{"resourceType":"ValueSet","id":"1","url":"http://example.org/vs","status":"active","compose":{"include":[{"system":"http://loinc.org"}]}}`)
	put(t, gateways[0], `{"resourceType":"CodeSystem","id":"cs","url":"http://loinc.org","status":"active","content":"fragment","concept":[{"code":"c0"}]}`)
	see("by a code system", "3")
	put(t, gateways[1], `{"resourceType":"CodeSystem","id":"cs","url":"http://loinc.org","status":"active","content":"fragment","concept":[{"code":"c0"},{"code":"c1"}]}`)
	see("the code system has changed", "5")
	// An Update that writes a value set reads it, and keeps nothing of it where it fails.
	const read = "Observation?code:in=http://example.org/vs&_summary=count"
	b := must(t, gateways[0], request("PUT", "ValueSet/1", "", `{"resourceType":"ValueSet","id":"1","url":"http://example.org/vs","status":"active","compose":{"include":[{"system":"http://loinc.org","concept":[{"code":"c1"}]}]}}`),
		request("GET", read, "", ""))
	if got := string(b.Entry[1].Resource); !strings.Contains(got, `"total":2`) {
		t.Errorf("a transaction does not read what it wrote: %s", got)
	}
	see("after the transaction", "2")
	_, err := transact(t, gateways[0], request("PUT", "ValueSet/1", "", `{"resourceType":"ValueSet","id":"1","url":"http://example.org/vs","status":"active","compose":{"include":[{"system":"http://loinc.org"}]}}`),
		request("GET", read, "", ""), request("GET", "Patient/none", "", ""))
	if err == nil {
		t.Fatal("the transaction was to fail")
	}
	see("after a transaction that failed", "2")
}

// coded is an Observation of a code that is its id, listing a ValueSet of one code, whole the ValueSet of a system's codes, and tree that system
// with a code below "top".
const (
	coded   = `{"resourceType":"Observation","id":"%s","status":"final","code":{"coding":[{"system":"http://example.org/cs","code":"%[1]s"}]}}`
	listing = `{"resourceType":"ValueSet","id":"%s","url":"http://example.org/vs","version":"%[1]s","status":"active","compose":{"include":[{"system":"http://example.org/cs","concept":[{"code":"%s"}]}]}}`
	whole   = `{"resourceType":"ValueSet","id":"all","url":"http://example.org/all","status":"active","compose":{"include":[{"system":"http://example.org/cs"}]}}`
	tree    = `{"resourceType":"CodeSystem","id":"cs","url":"http://example.org/cs","status":"active","content":"complete","concept":[{"code":"top","concept":[{"code":"%s"}]}]}`
)

// TestTerminologyCommittedOutOfItsOrderIsSeen has an Update of one gateway wait between its instant and its commit, while another gateway stores
// terminology of a later instant and works with it.
func TestTerminologyCommittedOutOfItsOrderIsSeen(t *testing.T) {
	a, b, h := openGateways(t)
	for _, code := range []string{"x", "y", "z"} {
		put(t, a, coded, code)
	}
	put(t, a, listing, "1", "x")
	put(t, a, whole)
	put(t, a, tree, "x")
	seen := func(s *Service, query, want string) {
		t.Helper()
		for range 2 {
			if got := find(t, s, query).names(); !slices.Equal(got, []string{want}) {
				t.Errorf("%s finds %v, want %s", query, got, want)
			}
		}
	}
	const in, all, below = "Observation?code:in=http://example.org/vs", "Observation?code:in=http://example.org/all", "Observation?code:below=http://example.org/cs|top"
	commit := h.hold(t, a, resource(t, tree, "y"))
	put(t, b, listing, "1", "z")
	seen(b, in, "Observation/z")
	seen(b, all, "Observation/x")
	seen(b, below, "Observation/x")
	commit()
	for _, s := range []*Service{b, a} {
		seen(s, all, "Observation/y")
		seen(s, below, "Observation/y")
		seen(s, in, "Observation/z")
	}
}

// TestTerminologyIsReadHoweverItWasWritten keeps the members of a value set, writes by each interaction, and asks again.
func TestTerminologyIsReadHoweverItWasWritten(t *testing.T) {
	to := func(code string) Patch {
		return func(fhir.Resource) ([]byte, error) { return fmt.Appendf(nil, listing, "1", code), nil }
	}
	s, ctx := open(t, Options{patch: func(document fhir.Resource) (Patch, error) { return to(document.Get("language").Text()), nil }}), t.Context()
	for _, code := range []string{"x", "y", "z"} {
		put(t, s, coded, code)
	}
	const condition = "url=http://example.org/vs"
	first, vs := key("ValueSet/1"), func(code string) fhir.Resource { return resource(t, listing, "1", code) }
	second := fmt.Sprintf(listing, "2", "x")
	bundled := func(kind, entry string) error {
		b, err := send(t, s, kind, "", entry)
		if err == nil && !strings.HasPrefix(b.Entry[0].Response.Status, "20") {
			err = fmt.Errorf("%s: %s", b.Entry[0].Response.Status, b.Entry[0].Response.Outcome)
		}
		return err
	}
	for _, c := range []struct {
		what string
		do   func() error
		want string // the member; "" for a value set that is not known
	}{
		{"update as create", func() error { _, err := s.Update(ctx, first, vs("x"), Conditions{}); return err }, "x"},
		{"update", func() error { _, err := s.Update(ctx, first, vs("y"), Conditions{}); return err }, "y"},
		{"patch", func() error { _, err := s.Patch(ctx, first, to("z"), Conditions{}); return err }, "z"},
		{"conditional update", func() error {
			_, err := s.UpdateConditional(ctx, "ValueSet", vs("x"), condition, Conditions{})
			return err
		}, "x"},
		{"conditional patch", func() error {
			_, err := s.PatchConditional(ctx, "ValueSet", to("y"), condition, Conditions{})
			return err
		}, "y"},
		{"update in a transaction", func() error { return bundled("transaction", request("PUT", "ValueSet/1", "", string(vs("z").Raw()))) }, "z"},
		{"update in a batch", func() error { return bundled("batch", request("PUT", "ValueSet/1", "", string(vs("x").Raw()))) }, "x"},
		{"patch in a transaction", func() error {
			return bundled("transaction", request("PATCH", "ValueSet/1", "", `{"resourceType":"Basic","language":"y"}`))
		}, "y"},
		{"delete", func() error { _, err := s.Delete(ctx, first, Conditions{}); return err }, ""},
		{"update of what was deleted", func() error { _, err := s.Update(ctx, first, vs("z"), Conditions{}); return err }, "z"},
		{"create of a later version", func() error { _, err := s.Create(ctx, "ValueSet", resource(t, "%s", second), ""); return err }, "x"},
		{"conditional delete", func() error {
			_, err := s.DeleteConditional(ctx, "ValueSet", condition+"&version=2", Conditions{})
			return err
		}, "z"},
		{"conditional create in a transaction", func() error {
			return bundled("transaction", request("POST", "ValueSet", "", second, `"ifNoneExist":"`+condition+`&version=2"`))
		}, "x"},
		{"conditional delete in a transaction", func() error {
			return bundled("transaction", request("DELETE", "ValueSet?"+condition+"&version=2", "", ""))
		}, "z"},
		{"delete in a batch", func() error { return bundled("batch", request("DELETE", "ValueSet/1", "", "")) }, ""},
		{"create in a batch", func() error { return bundled("batch", request("POST", "ValueSet", "", string(vs("y").Raw()))) }, "y"},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		for range 2 {
			b, err := try(t, s, "Observation?code:in=http://example.org/vs")
			if c.want == "" {
				check(t, err, fhir.KindInvalid, "unknown-value-set")
			} else if got := b.names(); err != nil || !slices.Equal(got, []string{"Observation/" + c.want}) {
				t.Fatalf("after %s: %v, %v; want %s", c.what, got, err, c.want)
			}
		}
	}
}

// asking is a Reader that counts what it is asked.
type asking struct {
	storage.Reader
	asked int
}

func (c *asking) Find(ctx context.Context, q search.Query) ([]search.Row, error) {
	c.asked++
	return c.Reader.Find(ctx, q)
}

func (c *asking) Get(ctx context.Context, key fhir.Key) (storage.Record, error) {
	c.asked++
	return c.Reader.Get(ctx, key)
}

// TestKeptMembersCostOneLookUpOfEachType reads a value set of many others.
func TestKeptMembersCostOneLookUpOfEachType(t *testing.T) {
	s := open(t, Options{})
	var parts []string
	for i := range 30 {
		id := fmt.Sprint("vs", i)
		put(t, s, `{"resourceType":"ValueSet","id":"%s","url":"http://example.org/%[1]s","status":"active","compose":{"include":[{"system":"http://example.org/cs","concept":[{"code":"%[1]s"}]}]}}`, id)
		parts = append(parts, `{"valueSet":["http://example.org/`+id+`"]}`)
	}
	put(t, s, tree, "x")
	put(t, s, `{"resourceType":"ValueSet","id":"sum","url":"http://example.org/sum","status":"active","compose":{"include":[{"system":"http://example.org/cs"},%s]}}`, strings.Join(parts, ","))
	expand := func() (asked int) {
		t.Helper()
		err := s.own.View(t.Context(), func(r storage.Reader) error {
			c := &asking{Reader: r}
			terms := s.terminologyOf(t.Context(), c)
			for range 3 {
				codes, ok := terms.Expand("http://example.org/sum")
				n := 0
				for range codes {
					n++
				}
				if !ok || n != 32 {
					t.Fatalf("%d members, %v", n, ok)
				}
			}
			asked = c.asked
			return terms.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		return asked
	}
	if n := expand(); n < 32 {
		t.Fatalf("%d look-ups make the members, so that the test tells nothing", n)
	}
	if n := expand(); n != 2 {
		t.Errorf("kept members cost %d look-ups", n)
	}
	put(t, s, `{"resourceType":"ValueSet","id":"other","url":"http://example.org/other","status":"active"}`)
	if n := expand(); n != 2 {
		t.Errorf("members cost %d look-ups once another value set was stored", n)
	}
}
