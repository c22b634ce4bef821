package terminology_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/terminology"
)

// memory is a Source of resources in memory. It counts how often content is read.
type memory struct {
	t          *testing.T
	parameters *search.Parameters
	resources  map[fhir.Key]fhir.Resource
	versions   map[fhir.Key]terminology.Version
	clock      int64
	reads      int
	unsaved    bool
	err        error
}

func newMemory(t *testing.T) *memory {
	return &memory{t: t, parameters: search.NewParameters(definition.R4(), search.Options{}), resources: map[fhir.Key]fhir.Resource{}, versions: map[fhir.Key]terminology.Version{}}
}

func (m *memory) put(format string, args ...any) {
	m.t.Helper()
	r, err := fhir.ParseResource(fmt.Appendf(nil, format, args...), fhir.Limits{})
	if err != nil {
		m.t.Fatal(err)
	}
	key := fhir.Key{Type: r.Type(), ID: r.Get("id").Text()}
	m.clock++
	m.resources[key], m.versions[key] = r, terminology.Version{Key: key, Version: m.versions[key].Version + 1, Updated: m.clock}
}

func (m *memory) Find(_ context.Context, q search.Query) ([]search.Row, error) {
	var rows []search.Row
	for key, r := range m.resources {
		entries, err := m.parameters.Extract(r)
		if err != nil {
			m.t.Fatal(err)
		}
		if slices.Contains(q.Types, key.Type) && (q.Where == nil || search.Match(q.Where, key, entries, nil)) {
			v := m.versions[key]
			row := search.Row{Version: v.Version, Updated: time.UnixMicro(v.Updated)}
			row.Key = key
			for _, by := range q.Sort {
				row.Sort = append(row.Sort, search.ChainSortValue(key, entries, by, nil))
			}
			rows = append(rows, row)
		}
	}
	return rows, m.err
}

func (m *memory) Current(_ context.Context, key fhir.Key) (terminology.Version, error) {
	return m.versions[key], m.err
}

func (m *memory) Read(_ context.Context, key fhir.Key) (fhir.Resource, error) {
	m.reads++
	return m.resources[key], m.err
}

func (m *memory) Unsaved(terminology.Version) bool { return m.unsaved }

func members(t *testing.T, s *terminology.Snapshot, valueSet string) []string {
	t.Helper()
	codes, ok := s.Expand(valueSet)
	if !ok || s.Err() != nil {
		t.Fatalf("%s can't be expanded: %v", valueSet, s.Err())
	}
	var out []string
	for _, code := range codes {
		out = append(out, code)
	}
	return out
}

const tree = `{"resourceType":"CodeSystem","id":"cs","url":"http://example.org/cs","status":"active","content":"complete","concept":[{"code":"a","concept":[{"code":"b","concept":[{"code":"c"}]}]},{"code":"%s"}]}`

// TestWhatIsKeptIsWorkedOutAgainWhenItsResourcesChange changes what an expansion was made of, and what it was not.
func TestWhatIsKeptIsWorkedOutAgainWhenItsResourcesChange(t *testing.T) {
	m, terms := newMemory(t), terminology.New(definition.R4())
	m.put(`{"resourceType":"ValueSet","id":"all","url":"http://example.org/all","status":"active","compose":{"include":[{"system":"http://example.org/cs"}]}}`)
	m.put(tree, "d")
	see := func(want string, reads int) {
		t.Helper()
		m.reads = 0
		for _, name := range []string{"http://example.org/all", "ValueSet/all"} {
			if got := members(t, terms.At(t.Context(), m), name); fmt.Sprint(got) != want {
				t.Errorf("%s has the members %v, want %s", name, got, want)
			}
		}
		if m.reads != reads {
			t.Errorf("%d resources were read, want %d", m.reads, reads)
		}
	}
	see("[a b c d]", 3) // the value set under each of its names, the code system once
	see("[a b c d]", 0)
	m.put(tree, "e")
	see("[a b c e]", 3)
	m.put(`{"resourceType":"ValueSet","id":"other","url":"http://example.org/other","status":"active"}`)
	see("[a b c e]", 0)
	m.unsaved = true
	m.put(tree, "f")
	see("[a b c f]", 4) // nothing is remembered
	see("[a b c f]", 4)
}

func TestMembershipAndSubsumptionOfStoredAndPublishedTerminology(t *testing.T) {
	m, terms := newMemory(t), terminology.New(definition.R4())
	m.put(tree, "d")
	m.put(`{"resourceType":"ValueSet","id":"b","url":"http://example.org/b","status":"active","compose":{"include":[{"system":"http://example.org/cs","filter":[{"property":"concept","op":"is-a","value":"b"}]}]}}`)
	m.put(`{"resourceType":"ValueSet","id":"odd","url":"http://example.org/odd","status":"active","compose":{"include":[{"system":"http://example.org/cs","filter":[{"property":"x","op":"regex","value":"b"}]}]}}`)
	s := terms.At(t.Context(), m)
	for _, c := range []struct {
		set, system, code string
		member, known     bool
	}{
		{"http://example.org/b", "http://example.org/cs", "c", true, true},
		{"http://example.org/b", "", "b", true, true},
		{"http://example.org/b", "http://example.org/cs", "a", false, true},
		{"http://example.org/b", "http://example.org/other", "c", false, true},
		{"http://example.org/odd", "http://example.org/cs", "b", false, false},
		{"http://example.org/none", "http://example.org/cs", "b", false, false},
		{"http://hl7.org/fhir/ValueSet/administrative-gender", "http://hl7.org/fhir/administrative-gender", "male", true, true},
		{"http://hl7.org/fhir/ValueSet/administrative-gender", "http://hl7.org/fhir/administrative-gender", "F", false, true},
	} {
		if member, known := s.Members(c.set).Contains(c.system, c.code); member != c.member || known != c.known {
			t.Errorf("%s|%s in %s: %v, known %v", c.system, c.code, c.set, member, known)
		}
	}
	for _, c := range []struct {
		system, a, b    string
		subsumes, known bool
	}{
		{"http://example.org/cs", "a", "c", true, true},
		{"http://example.org/cs", "c", "a", false, true},
		{"http://example.org/cs", "c", "c", true, true},
		{"http://example.org/cs", "a", "unknown", false, false},
		{"http://example.org/none", "a", "b", false, false},
	} {
		if subsumes, known := s.Subsumes(c.system, c.a, c.b); subsumes != c.subsumes || known != c.known {
			t.Errorf("%s subsumes %s: %v, known %v", c.a, c.b, subsumes, known)
		}
	}
	if s.Err() != nil {
		t.Error(s.Err())
	}
}

// TestASourceThatFailsIsNotTakenForOneWithoutResources lets the store fail, and then not.
func TestASourceThatFailsIsNotTakenForOneWithoutResources(t *testing.T) {
	m, terms := newMemory(t), terminology.New(definition.R4())
	m.put(`{"resourceType":"ValueSet","id":"all","url":"http://example.org/all","status":"active","compose":{"include":[{"system":"http://example.org/cs"}]}}`)
	m.put(tree, "d")
	m.err = errors.New("the store is gone")
	s := terms.At(t.Context(), m)
	if _, ok := s.Expand("http://example.org/all"); ok || !errors.Is(s.Err(), m.err) {
		t.Errorf("expanded: %v, %v", ok, s.Err())
	}
	m.err = nil
	if got := members(t, terms.At(t.Context(), m), "http://example.org/all"); len(got) != 4 {
		t.Errorf("the members are %v", got)
	}
}

// TestAnExcludedCodeIsNoMemberOfAnIntersection intersects a code system with a value set that excludes one of its codes.
func TestAnExcludedCodeIsNoMemberOfAnIntersection(t *testing.T) {
	m, terms := newMemory(t), terminology.New(definition.R4())
	m.put(tree, "d")
	m.put(`{"resourceType":"ValueSet","id":"most","url":"http://example.org/most","status":"active","compose":{"include":[{"system":"http://example.org/cs"}],"exclude":[{"system":"http://example.org/cs","concept":[{"code":"b"}]}]}}`)
	m.put(`{"resourceType":"ValueSet","id":"one","url":"http://example.org/one","status":"active","compose":{"include":[{"system":"http://example.org/cs","concept":[{"code":"a"},{"code":"b"}],"valueSet":["http://example.org/most"]}]}}`)
	m.put(`{"resourceType":"ValueSet","id":"two","url":"http://example.org/two","status":"active","compose":{"include":[{"valueSet":["http://example.org/all","http://example.org/most"]}]}}`)
	m.put(`{"resourceType":"ValueSet","id":"all","url":"http://example.org/all","status":"active","compose":{"include":[{"system":"http://example.org/cs"}]}}`)
	// What is excluded by one include's value set is a member by another's.
	m.put(`{"resourceType":"ValueSet","id":"sum","url":"http://example.org/sum","status":"active","compose":{"include":[{"valueSet":["http://example.org/most"]},{"system":"http://example.org/cs","concept":[{"code":"b"}]}]}}`)
	s := terms.At(t.Context(), m)
	for _, c := range []struct{ set, want string }{{"one", "[a]"}, {"two", "[a c d]"}, {"most", "[a c d]"}, {"all", "[a b c d]"}, {"sum", "[a c d b]"}} {
		if got := fmt.Sprint(members(t, s, "http://example.org/"+c.set)); got != c.want {
			t.Errorf("the members of %s are %s, want %s", c.set, got, c.want)
		}
	}
}

// TestAValueSetThatIsNamedManyTimesIsReadOnce has eight value sets, each of which includes the next 50 times.
func TestAValueSetThatIsNamedManyTimesIsReadOnce(t *testing.T) {
	m, terms := newMemory(t), terminology.New(definition.R4())
	m.put(tree, "d")
	m.put(`{"resourceType":"ValueSet","id":"v8","url":"http://example.org/v8","status":"active","compose":{"include":[{"system":"http://example.org/cs"}]}}`)
	for i := range 8 {
		include := strings.Repeat(fmt.Sprintf(`{"valueSet":["http://example.org/v%d"]},`, i+1), 50)
		m.put(`{"resourceType":"ValueSet","id":"v%d","url":"http://example.org/v%[1]d","status":"active","compose":{"include":[%s]}}`, i, strings.TrimSuffix(include, ","))
	}
	if got := fmt.Sprint(members(t, terms.At(t.Context(), m), "http://example.org/v0")); got != "[a b c d]" {
		t.Errorf("the members are %s", got)
	}
	if m.reads != 10 { // nine value sets and the code system
		t.Errorf("%d resources were read, want 10", m.reads)
	}
}

// TestAnExpansionEnds has value sets whose expansion would not: that name themselves, more value sets than one may, or one that is large too often.
func TestAnExpansionEnds(t *testing.T) {
	const large, chain = 2_000, 5_000
	m, terms := newMemory(t), terminology.New(definition.R4())
	list := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format+",", i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	m.put(`{"resourceType":"ValueSet","id":"a","url":"http://example.org/a","status":"active","compose":{"include":[{"valueSet":["http://example.org/b"]}]}}`)
	m.put(`{"resourceType":"ValueSet","id":"b","url":"http://example.org/b","status":"active","compose":{"include":[{"valueSet":["ValueSet/a"]}]}}`)
	m.put(`{"resourceType":"ValueSet","id":"large","url":"http://example.org/large","status":"active","compose":{"include":[{"system":"http://example.org/x","concept":[%s]}]}}`, list(large, `{"code":"c%d"}`))
	m.put(`{"resourceType":"ValueSet","id":"often","url":"http://example.org/often","status":"active","compose":{"include":[%s]}}`,
		strings.TrimSuffix(strings.Repeat(`{"valueSet":["ValueSet/large"]},`, 2*4_000_000/large), ","))
	m.put(`{"resourceType":"CodeSystem","id":"big","url":"http://example.org/big","status":"active","content":"complete","concept":[%s]}`, list(large, `{"code":"c%d"}`))
	m.put(`{"resourceType":"ValueSet","id":"leaves","url":"http://example.org/leaves","status":"active","compose":{"include":[%s]}}`,
		strings.TrimSuffix(strings.Repeat(`{"system":"http://example.org/big","filter":[{"property":"concept","op":"descendent-of","value":"c1"}]},`, 2*4_000_000/large), ","))
	m.put(`{"resourceType":"ValueSet","id":"leaf","status":"active","compose":{"include":[{"system":"http://example.org/big","filter":[{"property":"concept","op":"descendent-of","value":"c1"}]}]}}`)
	for i := range chain {
		m.put(`{"resourceType":"ValueSet","id":"n%d","status":"active","compose":{"include":[{"system":"http://example.org/x","concept":[{"code":"c"}]},{"valueSet":["ValueSet/n%d"]}]}}`, i, i+1)
	}
	m.put(`{"resourceType":"ValueSet","id":"n%d","status":"active","compose":{"include":[{"system":"http://example.org/x","concept":[{"code":"c"}]}]}}`, chain)
	s := terms.At(t.Context(), m)
	for _, set := range []string{"a", "b", "often", "leaves", "n0"} {
		if _, ok := s.Expand("ValueSet/" + set); ok || s.Err() != nil {
			t.Errorf("%s is expanded, or %v", set, s.Err())
		}
	}
	for set, want := range map[string]int{"large": large, "n4900": 1, "leaf": 0} {
		if got := members(t, s, "ValueSet/"+set); len(got) != want {
			t.Errorf("%s has %d members, want %d", set, len(got), want)
		}
	}
}
