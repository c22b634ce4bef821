package search_test

import (
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
)

func TestEveryParameterCompilesForItsTypes(t *testing.T) {
	for _, problem := range search.ExpressionProblems(newParameters()) {
		t.Error(problem)
	}
}

// TestEveryParameterFindsAnExample holds that each SearchParameter of R4 yields entries for at least one official example, and that the
// example is found by a query made from an entry. Where no example has a value, a resource made from the definitions stands in for it; what
// can't be made stands in withoutExample with the reason.
func TestEveryParameterFindsAnExample(t *testing.T) {
	s := newParameters()
	found := map[string]bool{}
	for _, r := range examples(t) {
		entries, err := s.Extract(r)
		if err != nil {
			t.Errorf("%s: %v", r.Key(), err)
			continue
		}
		for i := range entries {
			e := &entries[i]
			if p, ok := s.Lookup(r.Type(), e.Param); ok && !found[p.URL] {
				found[p.URL] = findsIt(t, s, r, p, e, entries)
			}
		}
	}
	examples, made := len(found), 0
	for _, def := range definition.R4().AllSearchParameters() {
		if found[def.URL] || def.Code == "_id" || def.Code == "_lastUpdated" {
			continue
		}
		p, ok := s.Lookup(def.Base[0], def.Code)
		if !ok {
			t.Errorf("%s is no parameter of %s", def.URL, def.Base[0])
			continue
		}
		if _, no := p.Unsupported(); no {
			continue
		}
		if _, listed := withoutExample[strings.TrimPrefix(def.URL, base)]; listed {
			continue
		}
		ok = false
		for _, src := range specimens(p) {
			r, err := fhir.ParseResource([]byte(src), fhir.Limits{})
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			entries, err := s.Extract(r)
			if err != nil {
				t.Fatalf("%s: %v", src, err)
			}
			for i := range entries {
				if entries[i].Param == p.Code {
					ok = findsIt(t, s, r, p, &entries[i], entries) || ok
				}
			}
		}
		if !ok {
			t.Errorf("nothing is found by %s (%s: %s)", def.URL, def.Type, def.Expression)
		}
		made++
	}
	t.Logf("%d parameters find an example, %d a made resource, %d are listed", examples, made, len(withoutExample))
}

// withoutExample are the SearchParameters that no resource can be made for, by the end of their URL, with the reason.
var withoutExample = map[string]string{
	"MolecularSequence-chromosome-variant-coordinate": "reads two elements of the resource; testdata/search/composite.txt has one",
}

// findsIt searches for what must find e.
func findsIt(t *testing.T, s *search.Parameters, r fhir.Resource, p *search.Parameter, e *search.Entry, entries []search.Entry) bool {
	value := queryFor(p, e)
	if p.Code == "phonetic" {
		for i := range entries {
			if entries[i].Param == "name" {
				value = escapeValue(entries[i].Exact)
			}
		}
	}
	if value == "" {
		return false
	}
	req, _, err := s.Parse([]string{r.Type()}, []search.Pair{{Name: p.Code, Value: value}}, search.ParseOptions{})
	if err != nil {
		t.Errorf("%s?%s=%s: %v", r.Type(), p.Code, value, err)
		return false
	}
	if !search.Match(req.Where, r.Key(), entries, nil) {
		t.Errorf("%s?%s=%s does not find %s with %+v", r.Type(), p.Code, value, r.Key(), *e)
		return false
	}
	return true
}

const base = "http://hl7.org/fhir/SearchParameter/"

// escapeValue escapes what separates values and their parts.
var escapeValue = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`).Replace

// queryFor returns a value that must find e.
func queryFor(p *search.Parameter, e *search.Entry) string {
	escape := escapeValue
	switch p.Type {
	case "token":
		if e.Code == "" {
			return escape(e.System) + "|"
		}
		if search.Unscoped(p) {
			return escape(e.Code)
		}
		return escape(e.System) + "|" + escape(e.Code)
	case "string":
		if e.Exact == "" {
			return e.Folded
		}
		return escape(e.Exact)
	case "reference":
		if e.ID != "" {
			return e.Type + "/" + e.ID
		}
		return escape(e.URI)
	case "uri":
		return escape(e.URI)
	case "date":
		if e.Lo == "-" {
			return "lt9999"
		}
		return "ge" + e.Lo[:4] + "-" + e.Lo[4:6] + "-" + e.Lo[6:8]
	case "number":
		return "ge-1e300"
	case "quantity":
		return "ge-1e300|" + escape(e.System) + "|" + escape(e.Code)
	case "composite":
		var parts []string
		for i := range e.Parts {
			part := queryFor(p.Component(i), &e.Parts[i])
			if part == "" {
				return ""
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, "$")
	case "special":
		if p.Code == "near" {
			return "0|0|30000|km"
		}
		return e.Folded
	}
	return ""
}
