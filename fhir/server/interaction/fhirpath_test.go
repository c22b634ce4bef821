package interaction

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// TestKnowledgeInATransactionIsWhatTheTransactionSees asks within a transaction for what it writes and for what it deletes, and once more when it is
// rolled back and when it is stored.
func TestKnowledgeInATransactionIsWhatTheTransactionSees(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Patient","id":"gone"}`)
	var known string
	s.Serve(Served{Operations: []Operation{{Name: "know", Definition: "urn:x", System: true, Get: true, Run: func(ctx context.Context, _ *Request) (OperationResponse, error) {
		var err error
		known, err = whatIsKnown(ctx, s)
		return OperationResponse{Body: []byte(`{"resourceType":"Parameters"}`)}, err
	}}}})
	entries := []string{
		request("PUT", "Patient/come", "", `{"resourceType":"Patient","id":"come"}`),
		request("PUT", "CodeSystem/cs", "", `{"resourceType":"CodeSystem","id":"cs","url":"http://example.org/cs","status":"active","content":"complete",
			"hierarchyMeaning":"is-a","concept":[{"code":"a","concept":[{"code":"b"}]}]}`),
		request("PUT", "ValueSet/v", "", `{"resourceType":"ValueSet","id":"v","url":"http://example.org/v","status":"active","compose":{"include":[{"system":"http://example.org/cs"}]}}`),
		request("DELETE", "Patient/gone", "", ""),
		request("GET", "$know", "", ""),
	}
	const before, after = "come false, gone true, canonical false, member false, subsumes false", "come true, gone false, canonical true, member true, subsumes true"
	now := func(want string) {
		t.Helper()
		if got, err := whatIsKnown(t.Context(), s); err != nil || got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	now(before)
	if _, err := transact(t, s, append(slices.Clone(entries), request("GET", "Patient/nobody", "", ""))...); err == nil {
		t.Fatal("the transaction was not refused")
	}
	if known != after {
		t.Errorf("in a transaction that fails: %s", known)
	}
	now(before)
	known = ""
	must(t, s, entries...)
	if known != after {
		t.Errorf("in a transaction: %s", known)
	}
	now(after)
}

// whatIsKnown asks a Knowledge all it can be asked.
func whatIsKnown(ctx context.Context, s *Service) (string, error) {
	k := s.Knowledge()
	_, come, _ := k.Resolve(ctx, fhir.Resource{}, "Patient/come")
	_, gone, _ := k.Resolve(ctx, fhir.Resource{}, "Patient/gone")
	_, canonical, _ := k.Resolve(ctx, fhir.Resource{}, "http://example.org/v")
	a, b := fhirpath.Code{System: "http://example.org/cs", Code: "a"}, fhirpath.Code{System: "http://example.org/cs", Code: "b"}
	member, _, _ := k.MemberOf(ctx, slices.Values([]fhirpath.Code{b}), "http://example.org/v")
	subsumes, _, _ := k.Subsumes(ctx, a, b)
	return fmt.Sprintf("come %v, gone %v, canonical %v, member %v, subsumes %v", come, gone, canonical, member, subsumes), k.Err()
}

// hiding is a Store that hides terminology from those whose context says so.
type hiding struct{ storage.Store }

// blind is the key of a context from which terminology is hidden.
type blind struct{}

func (h hiding) View(ctx context.Context, f func(storage.Reader) error) error {
	return h.Store.View(ctx, func(r storage.Reader) error {
		if ctx.Value(blind{}) != nil {
			r = blinded{r}
		}
		return f(r)
	})
}

// blinded is a Reader without ValueSets and CodeSystems.
type blinded struct{ storage.Reader }

func isTerminology(typ string) bool { return typ == "ValueSet" || typ == "CodeSystem" }

func (b blinded) Find(ctx context.Context, q search.Query) ([]search.Row, error) {
	q.Types = slices.DeleteFunc(slices.Clone(q.Types), isTerminology)
	if len(q.Types) == 0 {
		return nil, nil
	}
	return b.Reader.Find(ctx, q)
}

func (b blinded) Get(ctx context.Context, key fhir.Key) (storage.Record, error) {
	if isTerminology(key.Type) {
		return storage.Record{}, storage.ErrNotFound
	}
	return b.Reader.Get(ctx, key)
}

// TestTerminologyThatIsHiddenFromAClientIsAsIfThereWereNone lets one client see stored terminology, so that the server keeps what it has worked out, and
// hides it from another.
func TestTerminologyThatIsHiddenFromAClientIsAsIfThereWereNone(t *testing.T) {
	const observation = `{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"http://example.org/cs","code":"b"}]}}`
	without := open(t, Options{})
	put(t, without, observation)
	s := open(t, Options{})
	s.clients = hiding{s.clients}
	put(t, s, observation)
	put(t, s, `{"resourceType":"CodeSystem","id":"cs","url":"http://example.org/cs","status":"active","content":"complete",
		"hierarchyMeaning":"is-a","concept":[{"code":"a","concept":[{"code":"b"}]}]}`)
	put(t, s, `{"resourceType":"ValueSet","id":"v","url":"http://example.org/v","status":"active","compose":{"include":[{"system":"http://example.org/cs"}]}}`)
	ask := func(ctx context.Context, s *Service) (all []string) {
		known, err := whatIsKnown(ctx, s)
		if all = append(all, known); err != nil {
			t.Error(err)
		}
		for _, query := range []string{"code:in=http://example.org/v", "code:in=ValueSet/v", "code:not-in=ValueSet/v", "code:below=http://example.org/cs|a", "code:above=http://example.org/cs|b"} {
			b, err := s.Search(ctx, SearchRequest{Base: base, Types: []string{"Observation"}, Path: "Observation", Parameters: pairs(query)})
			if err != nil {
				all = append(all, query+": "+err.Error())
			} else {
				all = append(all, fmt.Sprint(query, ": ", decode(t, b).names()))
			}
		}
		return all
	}
	seen, none := ask(t.Context(), s), ask(t.Context(), without)
	if slices.Equal(seen, none) {
		t.Fatalf("the terminology says nothing: %q", seen)
	}
	if hidden := ask(context.WithValue(t.Context(), blind{}, true), s); !slices.Equal(hidden, none) {
		t.Errorf("hidden: %q\nas if there were none: %q", hidden, none)
	}
	if again := ask(t.Context(), s); !slices.Equal(again, seen) {
		t.Errorf("seen again: %q\nwant %q", again, seen)
	}
}
