package search_test

import (
	"iter"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// memory is a Lookup over a map.
type memory map[fhir.Key][]search.Entry

func (m memory) Entries(key fhir.Key) ([]search.Entry, bool) {
	e, ok := m[key]
	return e, ok
}

func (m memory) Resources(typ string) iter.Seq2[fhir.Key, []search.Entry] {
	return func(yield func(fhir.Key, []search.Entry) bool) {
		for k, e := range m {
			if k.Type == typ && !yield(k, e) {
				return
			}
		}
	}
}

func TestMatchComparesOneEntryAtATime(t *testing.T) {
	entries := []search.Entry{
		{Param: "code", System: "a", Code: "1"},
		{Param: "code", System: "b", Code: "2"},
		{Param: "pair", Parts: []search.Entry{{Code: "x"}, {Lo: "1", Hi: "2"}}},
		{Param: "pair", Parts: []search.Entry{{Code: "y"}, {Lo: "5", Hi: "6"}}},
	}
	some := func(param string, where ...search.Comparison) search.Expr {
		return search.Some{Param: param, Where: where}
	}
	eq := func(part int, f search.Field, v string) search.Comparison {
		return search.Comparison{Part: part, Field: f, Op: search.Eq, Value: v}
	}
	for _, c := range []struct {
		name string
		e    search.Expr
		want bool
	}{
		{"nil accepts all", nil, true},
		{"empty And holds", search.And{}, true},
		{"empty Or never holds", search.Or{}, false},
		{"same entry", some("code", eq(0, search.System, "a"), eq(0, search.Code, "1")), true},
		{"fields of two entries", some("code", eq(0, search.System, "a"), eq(0, search.Code, "2")), false},
		{"present", some("code"), true},
		{"absent", search.Not{Expr: some("date")}, true},
		{"parts of one entry", some("pair", eq(1, search.Code, "y"), eq(2, search.Lo, "5")), true},
		{"parts of two entries", some("pair", eq(1, search.Code, "x"), eq(2, search.Lo, "5")), false},
		{"a part that is not there", some("code", eq(1, search.Code, "")), false},
		{"unset field is empty", some("code", eq(0, search.Folded, "")), true},
		{"key", search.KeyIn{IDs: []string{"z", "me"}}, true},
		{"other key", search.KeyIn{IDs: []string{"z"}}, false},
	} {
		if got := search.Match(c.e, fhir.Key{Type: "Observation", ID: "me"}, entries, nil); got != c.want {
			t.Errorf("%s: Match = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMatchOperators(t *testing.T) {
	for _, c := range []struct {
		op    search.Op
		value string
		want  bool
	}{
		{search.Eq, "mm", true}, {search.Eq, "m", false},
		{search.Lt, "mm", false}, {search.Lt, "mn", true},
		{search.Le, "mm", true}, {search.Le, "m", false},
		{search.Gt, "mm", false}, {search.Gt, "m", true},
		{search.Ge, "mm", true}, {search.Ge, "mn", false},
		{search.Prefix, "m", true}, {search.Prefix, "mmm", false},
		{search.Contains, "m", true}, {search.Contains, "n", false}, {search.Contains, "", true},
		{0, "mm", false},
	} {
		e := search.Some{Param: "p", Where: []search.Comparison{{Field: search.Folded, Op: c.op, Value: c.value}}}
		if got := search.Match(e, fhir.Key{}, []search.Entry{{Param: "p", Folded: "mm"}}, nil); got != c.want {
			t.Errorf("mm %d %q = %v, want %v", c.op, c.value, got, c.want)
		}
	}
}

func TestMatchFollowsReferencesBothWays(t *testing.T) {
	m := memory{
		{Type: "Patient", ID: "p"}:     {{Param: "family", Folded: "chalmers"}},
		{Type: "Observation", ID: "o"}: {{Param: "subject", Type: "Patient", ID: "p"}, {Param: "status", Code: "final"}},
		{Type: "Observation", ID: "d"}: {{Param: "subject", Type: "Patient", ID: "deleted"}},
	}
	family := search.Some{Param: "family", Where: []search.Comparison{{Field: search.Folded, Op: search.Prefix, Value: "chal"}}}
	chain := search.Refers{Param: "subject", Target: "Patient", Where: family}
	final := search.Some{Param: "status", Where: []search.Comparison{{Field: search.Code, Op: search.Eq, Value: "final"}}}
	for _, c := range []struct {
		key  fhir.Key
		e    search.Expr
		want bool
	}{
		{fhir.Key{Type: "Observation", ID: "o"}, chain, true},
		{fhir.Key{Type: "Observation", ID: "d"}, chain, false},
		{fhir.Key{Type: "Observation", ID: "o"}, search.Refers{Param: "subject", Target: "Group"}, false},
		{fhir.Key{Type: "Observation", ID: "d"}, search.Refers{Param: "subject", Target: "Patient"}, false},
		{fhir.Key{Type: "Patient", ID: "p"}, search.Referred{Source: "Observation", Param: "subject", Where: final}, true},
		{fhir.Key{Type: "Patient", ID: "p"}, search.Referred{Source: "Observation", Param: "subject", Where: search.And{final, chain}}, true},
		{fhir.Key{Type: "Patient", ID: "p"}, search.Referred{Source: "Observation", Param: "performer", Where: final}, false},
		{fhir.Key{Type: "Group", ID: "p"}, search.Referred{Source: "Observation", Param: "subject", Where: final}, false},
	} {
		if got := search.Match(c.e, c.key, m[c.key], m); got != c.want {
			t.Errorf("%s %#v = %v, want %v", c.key, c.e, got, c.want)
		}
	}
}

func TestSortPutsMissingLastBothWays(t *testing.T) {
	entries := []search.Entry{{Param: "date", Lo: "2014", Hi: "2015"}, {Param: "date", Lo: "2010", Hi: "2020"}}
	if got := search.SortValue(entries, search.Sort{Param: "date"}); got != (search.SortKey{Value: "2010"}) {
		t.Errorf("ascending: %+v", got)
	}
	if got := search.SortValue(entries, search.Sort{Param: "date", Desc: true}); got != (search.SortKey{Value: "2014"}) {
		t.Errorf("descending: %+v", got)
	}
	missing := search.SortValue(entries, search.Sort{Param: "code"})
	if !missing.Missing {
		t.Errorf("no entry: %+v", missing)
	}
	present := search.SortKey{Value: ""}
	for _, desc := range []bool{false, true} {
		if missing.Compare(present, desc) <= 0 || present.Compare(missing, desc) >= 0 || missing.Compare(missing, desc) != 0 {
			t.Errorf("missing is not last with desc=%v", desc)
		}
	}
}

func TestChainedSortTakesTheEarliestTarget(t *testing.T) {
	m := memory{
		{Type: "Patient", ID: "a"}: {{Param: "family", Folded: "adams"}},
		{Type: "Patient", ID: "b"}: {{Param: "family", Folded: "baker"}},
		{Type: "Patient", ID: "c"}: {},
	}
	of := func(ids ...string) (e []search.Entry) {
		for _, id := range ids {
			e = append(e, search.Entry{Param: "subject", Type: "Patient", ID: id})
		}
		return e
	}
	s := search.Sort{Param: "family", Chain: &search.SortChain{Param: "subject", Target: "Patient"}}
	for _, c := range []struct {
		ids  []string
		desc bool
		want search.SortKey
	}{
		{[]string{"b", "a", "c"}, false, search.SortKey{Value: "adams"}},
		{[]string{"a", "b"}, true, search.SortKey{Value: "baker"}},
		{[]string{"c", "gone"}, false, search.SortKey{Missing: true}},
	} {
		s.Desc = c.desc
		if got := search.ChainSortValue(fhir.Key{}, of(c.ids...), s, m); got != c.want {
			t.Errorf("%v desc=%v: %+v, want %+v", c.ids, c.desc, got, c.want)
		}
	}
	if got := search.ChainSortValue(fhir.Key{Type: "Patient", ID: "a"}, nil, search.Sort{Param: search.SortByID}, m); got.Value != "a" {
		t.Errorf("_id: %+v", got)
	}
}
