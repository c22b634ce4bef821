package interaction

import (
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

func FuzzIfMatch(f *testing.F) {
	for _, s := range []string{`W/"1"`, `"1"`, `*`, `W/"1", W/"2"`, `1`, `W/1`, `1,2`, `W/`, `W/"`, `""`, `W/"9999999999999999999"`, `W/"01"`, `,W/"1",`} {
		f.Add(s)
	}
	s := open(f, Options{})
	f.Fuzz(func(t *testing.T, text string) {
		q := Request{Code: CodeUpdate, Key: key("Patient/a")}
		if err := s.ReadConditions(&q, &Stated{IfMatch: []string{text}}); err != nil {
			if fhir.KindOf(err) != fhir.KindInvalid {
				t.Error(err)
			}
			return
		}
		// A condition that was stated must not get lost.
		if !q.Conditions.AnyMatch && len(q.Conditions.IfMatch) == 0 {
			t.Errorf("%q states no condition", text)
		}
		for _, v := range q.Conditions.IfMatch {
			if v < 1 && v != noVersion {
				t.Errorf("%q: version %d", text, v)
			}
		}
	})
}

func FuzzIfNoneExist(f *testing.F) {
	for _, s := range []string{"identifier=a|1", "?identifier=a", "Patient?identifier=a", base + "/Patient?identifier=a", "Observation?x", "url=http://a?b", "%", "a=%00", "?", "a=\xff"} {
		f.Add(s)
	}
	s := open(f, Options{})
	f.Fuzz(func(t *testing.T, text string) {
		q := Request{Code: CodeCreate, Key: fhir.Key{Type: "Patient"}, Base: base}
		if err := s.ReadConditions(&q, &Stated{IfNoneExist: []string{text}}); err != nil {
			if fhir.KindOf(err) != fhir.KindInvalid {
				t.Error(err)
			}
			return
		}
		if q.Conditions.NoneExist == "" {
			t.Errorf("%q states no condition", text)
		}
		if _, err := search.ReadQuery(q.Conditions.NoneExist); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// FuzzLocate reads paths and queries as both edges do: what is accepted names an interaction, and a type and an id that can be.
func FuzzLocate(f *testing.F) {
	for _, s := range []string{"", "metadata", "Patient", "Patient/1", "Patient/1/_history/2", "Patient/a%2Fb", "_search", "Patient/_search", "Patient/1/*", "Patient/1/$everything", "$", "//", "%zz", "Patient//_history"} {
		for _, query := range []string{"", "_format=json&_pretty=true&a=b", "_summary=text&_elements=a,b", "&&&=", "_format=%6Ason", "%5fformat=json", "a=%e4", "_pretty=1", "_format=a&_format=b"} {
			f.Add("GET", s, query)
			f.Add("POST", s, query)
		}
	}
	s := open(f, Options{})
	f.Fuzz(func(t *testing.T, method, path, query string) {
		var q Request
		parts, err := SplitPath(nil, path)
		if err == nil {
			err = s.Locate(&q, method, parts)
		}
		if err == nil {
			err = q.ReadQuery(query)
		}
		if err != nil {
			if k := fhir.KindOf(err); k != fhir.KindInvalid && k != fhir.KindNotFound && k != fhir.KindNotAllowed {
				t.Errorf("%s %q %q: %v", method, path, query, err)
			}
			return
		}
		if q.Code == "" || q.Key.ID != "" && !fhir.ValidID(q.Key.ID) || q.Key.Type != "" && s.knownType(q.Key.Type) != nil || q.Key.ID != "" && q.Key.Type == "" {
			t.Errorf("%s %q: %+v", method, path, q)
		}
		for _, p := range q.Parameters {
			if strings.ContainsRune(p.Name+p.Value, 0) {
				t.Errorf("%q holds NUL", query)
			}
		}
	})
}
