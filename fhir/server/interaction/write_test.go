package interaction

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestCreateReadUpdateDelete(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	made, err := s.Create(ctx, "Patient", resource(t, `{"resourceType":"Patient","id":"mine","active":true}`), "")
	if err != nil || made.Action != Created || made.Record.Version != 1 || made.Record.Key.ID == "mine" {
		t.Fatalf("%+v, %v", made, err)
	}
	k := made.Record.Key
	if got := string(made.Record.Body); !strings.Contains(got, `"id":"`+k.ID+`"`) || !strings.Contains(got, `"versionId":"1"`) {
		t.Errorf("created %s", got)
	}
	read, err := s.Read(ctx, k)
	if err != nil || string(read.Body) != string(made.Record.Body) {
		t.Fatalf("read %s, %v", read.Body, err)
	}
	up, err := s.Update(ctx, k, resource(t, `{"resourceType":"Patient","id":"%s","active":false}`, k.ID), Conditions{})
	if err != nil || up.Action != Updated || up.Record.Version != 2 {
		t.Fatalf("%+v, %v", up, err)
	}
	if old, err := s.VRead(ctx, k, "1"); err != nil || string(old.Body) != string(made.Record.Body) {
		t.Errorf("vread %s, %v", old.Body, err)
	}
	gone, err := s.Delete(ctx, k, Conditions{})
	if err != nil || gone.Action != Deleted || gone.Record.Version != 3 {
		t.Fatalf("%+v, %v", gone, err)
	}
	tomb, err := s.Read(ctx, k)
	check(t, err, fhir.KindGone, "deleted")
	if tomb.Version != 3 {
		t.Errorf("the deletion's record has version %d", tomb.Version)
	}
	_, err = s.VRead(ctx, k, "3")
	check(t, err, fhir.KindGone, "deleted")
	if again, err := s.Delete(ctx, k, Conditions{}); err != nil || again.Action != Unchanged || again.Record.Version != 3 {
		t.Errorf("%+v, %v", again, err)
	}
	back := put(t, s, `{"resourceType":"Patient","id":"%s"}`, k.ID)
	if back.Action != Created || back.Record.Version != 4 {
		t.Errorf("%+v", back)
	}
}

func TestReadOfWhatIsNotThere(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	_, err := s.Read(ctx, key("Patient/none"))
	check(t, err, fhir.KindNotFound, "not-found")
	_, err = s.Read(ctx, key("Patient/not_valid"))
	check(t, err, fhir.KindNotFound, "not-found")
	_, err = s.Read(ctx, key("Pateint/1"))
	check(t, err, fhir.KindNotFound, "unknown-type")
	put(t, s, `{"resourceType":"Patient","id":"a"}`)
	for _, v := range []string{"2", "0", "-1", "01", "x", "", "99999999999999999999"} {
		_, err = s.VRead(ctx, key("Patient/a"), v)
		check(t, err, fhir.KindNotFound, "not-found")
		if !strings.Contains(err.Error(), "Patient/a has no version") {
			t.Errorf("%s: %v", v, err)
		}
		if _, err = s.VRead(ctx, key("Patient/none"), v); err == nil || !strings.Contains(err.Error(), "Patient/none does not exist") {
			t.Errorf("%s: %v", v, err)
		}
	}
	if res, err := s.Delete(ctx, key("Patient/none"), Conditions{}); err != nil || res.Action != Unchanged || res.Record.Version != 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestUpdateRefusesAnotherIDOrType(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	for _, c := range []struct{ key, body, issue string }{
		{"Patient/a", `{"resourceType":"Patient","id":"b"}`, "id-mismatch"},
		{"Patient/a", `{"resourceType":"Patient","id":5}`, "id-mismatch"},
		{"Patient/a", `{"resourceType":"Patient"}`, "id-missing"},
		{"Patient/a", `{"resourceType":"Group","id":"a"}`, "resource-type"},
		{"Patient/a_b", `{"resourceType":"Patient","id":"a_b"}`, "invalid-id"},
	} {
		_, err := s.Update(ctx, key(c.key), resource(t, "%s", c.body), Conditions{})
		check(t, err, fhir.KindInvalid, fhir.IssueID(c.issue))
	}
}

func TestUpdateAcceptsAnyValidID(t *testing.T) {
	s := open(t, Options{})
	for _, id := range []string{"1", "00", "-", ".", "A.b-9", strings.Repeat("x", 64)} {
		if res := put(t, s, `{"resourceType":"Patient","id":"%s"}`, id); res.Action != Created {
			t.Errorf("%s: %+v", id, res)
		}
	}
}

func TestUpdateWithEqualContentMakesNoVersion(t *testing.T) {
	s := open(t, Options{})
	first := put(t, s, `{"resourceType":"Patient","id":"a","meta":{"tag":[{"code":"x"}]},"active":true}`)
	for _, same := range []string{
		`{"resourceType":"Patient","id":"a","meta":{"tag":[{"code":"x"}]},"active":true}`,
		`{"resourceType":"Patient","id":"a","meta":{"versionId":"7","lastUpdated":"2001-01-01T00:00:00Z","tag":[{"code":"x"}]}, "active": true}`,
		string(first.Record.Body),
		`{"active":true,"meta":{"tag":[{"code":"x"}]},"id":"a","resourceType":"Patient"}`,
	} {
		if res := put(t, s, "%s", same); res.Action != Unchanged || res.Record.Version != 1 {
			t.Errorf("%s: %+v", same, res)
		}
	}
	for i, other := range []string{
		`{"resourceType":"Patient","id":"a","meta":{"tag":[{"code":"y"}]},"active":true}`,
		`{"resourceType":"Patient","id":"a","active":true}`,
		`{"resourceType":"Patient","id":"a","gender":"male","active":true}`,
		`{"resourceType":"Patient","id":"a","active":true,"gender":"male"}`,
		`{"resourceType":"Patient","id":"a","active":true,"gender":"mola"}`,
	} {
		if res := put(t, s, "%s", other); res.Action != Updated || res.Record.Version != int64(i)+2 {
			t.Errorf("%s: %+v", other, res)
		}
	}
}

func TestUpdateWithWhatWasCreatedMakesNoVersion(t *testing.T) {
	s := open(t, Options{})
	created, err := s.Create(t.Context(), "Patient", resource(t, `{"resourceType":"Patient","active":true}`), "")
	if err != nil {
		t.Fatal(err)
	}
	if res := put(t, s, `{"active":true,"id":"%s","resourceType":"Patient"}`, created.Record.Key.ID); res.Action != Unchanged || res.Record.Version != 1 {
		t.Errorf("%+v", res)
	}
}

func TestPreconditionsOfWrites(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	put(t, s, `{"resourceType":"Patient","id":"a"}`)
	put(t, s, `{"resourceType":"Patient","id":"a","active":true}`)
	put(t, s, `{"resourceType":"Patient","id":"gone"}`)
	if _, err := s.Delete(ctx, key("Patient/gone"), Conditions{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id    string
		cond  Conditions
		issue string
	}{
		{"a", Conditions{IfMatch: []int64{1}}, "if-match"},
		{"a", Conditions{IfMatch: []int64{}}, "if-match"},
		{"gone", Conditions{IfMatch: []int64{1}}, "if-match"},
		{"gone", Conditions{IfMatch: []int64{2}}, "if-match"},
		{"gone", Conditions{AnyMatch: true}, "if-match"},
		{"none", Conditions{IfMatch: []int64{1}}, "if-match"},
		{"a", Conditions{NoneMatch: true}, "if-none-match"},
	} {
		_, err := s.Update(ctx, key("Patient/"+c.id), resource(t, `{"resourceType":"Patient","id":"%s"}`, c.id), c.cond)
		check(t, err, fhir.KindPrecondition, fhir.IssueID(c.issue))
		_, err = s.Delete(ctx, key("Patient/"+c.id), c.cond)
		check(t, err, fhir.KindPrecondition, fhir.IssueID(c.issue))
	}
	for _, c := range []struct {
		id   string
		cond Conditions
	}{{"a", Conditions{IfMatch: []int64{7, 2}}}, {"a", Conditions{AnyMatch: true}}, {"new", Conditions{NoneMatch: true}}, {"gone", Conditions{NoneMatch: true}}} {
		if _, err := s.Update(ctx, key("Patient/"+c.id), resource(t, `{"resourceType":"Patient","id":"%s","gender":"male"}`, c.id), c.cond); err != nil {
			t.Errorf("%s: %v", c.id, err)
		}
	}
}

func TestClientsThatUpdateOneResource(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	put(t, s, `{"resourceType":"Patient","id":"a"}`)
	const clients = 64
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			if _, err := s.Update(ctx, key("Patient/a"), resource(t, `{"resourceType":"Patient","id":"a","multipleBirthInteger":%d}`, i), Conditions{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if rec, err := s.Read(ctx, key("Patient/a")); err != nil || rec.Version != clients+1 {
		t.Fatalf("version %d, %v", rec.Version, err)
	}
	var winners atomic.Int32
	for i := range clients {
		all.Go(func() {
			r := resource(t, `{"resourceType":"Patient","id":"a","multipleBirthInteger":%d}`, -1-i)
			_, err := s.Update(ctx, key("Patient/a"), r, Conditions{IfMatch: []int64{clients + 1}})
			if err == nil {
				winners.Add(1)
			} else if fhir.KindOf(err) != fhir.KindPrecondition {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if winners.Load() != 1 {
		t.Errorf("%d updates with the same If-Match won", winners.Load())
	}
}

func TestPatchChangesTheCurrentVersion(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	put(t, s, `{"resourceType":"Patient","id":"a"}`)
	res, err := s.Patch(ctx, key("Patient/a"), func(r fhir.Resource) ([]byte, error) {
		return []byte(strings.Replace(string(r.Raw()), "}}", `},"active":true}`, 1)), nil
	}, Conditions{})
	if err != nil || res.Record.Version != 2 || res.Record.Method != "PATCH" || !strings.Contains(string(res.Record.Body), `"active":true`) {
		t.Fatalf("%s, %v", res.Record.Body, err)
	}
	_, err = s.Patch(ctx, key("Patient/a"), func(fhir.Resource) ([]byte, error) {
		return []byte(`{"resourceType":"Patient","id":"b"}`), nil
	}, Conditions{})
	check(t, err, fhir.KindUnprocessable, "patch-identity")
	_, err = s.Patch(ctx, key("Patient/none"), nil, Conditions{})
	check(t, err, fhir.KindNotFound, "not-found")
	broken := errors.New("broken")
	if _, err = s.Patch(ctx, key("Patient/a"), func(fhir.Resource) ([]byte, error) { return nil, broken }, Conditions{}); !errors.Is(err, broken) {
		t.Error(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			_, err := s.Patch(ctx, key("Patient/a"), func(r fhir.Resource) ([]byte, error) {
				n := r.Get("multipleBirthInteger").Text() + "1"
				return []byte(`{"resourceType":"Patient","id":"a","multipleBirthInteger":` + n + `}`), nil
			}, Conditions{})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if rec, _ := s.Read(ctx, key("Patient/a")); !strings.Contains(string(rec.Body), `"multipleBirthInteger":1111`) {
		t.Errorf("a patch was lost: %s", rec.Body)
	}
}

// TestCreateIgnoresAnIDOfAnyForm creates alone, in a batch and in a transaction with validation, which is at fault with such ids elsewhere.
func TestCreateIgnoresAnIDOfAnyForm(t *testing.T) {
	s, ctx := validating(t), t.Context()
	for _, id := range []string{`"a_b"`, `""`, `"` + strings.Repeat("x", 65) + `"`, `5`, `null`, `{}`, `["a"]`, `"kept"`} {
		body := `{"id":` + id + `,"resourceType":"Patient","active":true}`
		made, err := s.Create(ctx, "Patient", resource(t, "%s", body), "")
		if err != nil || made.Action != Created || !fhir.ValidID(made.Record.Key.ID) || made.Record.Key.ID == "kept" {
			t.Errorf("id %s: %+v, %v", id, made, err)
		}
		for _, typ := range []string{"batch", "transaction"} {
			res, err := s.Bundle(ctx, BundleRequest{Base: base, Bundle: resource(t, `{"resourceType":"Bundle","type":"%s","entry":[%s]}`, typ, request("POST", "Patient", "", body))})
			if err != nil || !strings.Contains(string(res.Body), `"201 Created"`) {
				t.Errorf("id %s in a %s: %s, %v", id, typ, res.Body, err)
			}
		}
	}
	_, err := transact(t, s, request("POST", "Patient", "", `{"resourceType":"Patient","id":"a_b","nonsense":1}`))
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("the other faults: %v", err)
	}
	if _, err := s.Update(ctx, key("Patient/a_b"), resource(t, `{"resourceType":"Patient","id":"a_b"}`), Conditions{}); err == nil {
		t.Error("an update takes the id")
	}
}
