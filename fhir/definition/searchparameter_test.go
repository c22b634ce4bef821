package definition

import (
	"slices"
	"strings"
	"testing"
)

func TestSearchParametersAreFoundByTypeAndCode(t *testing.T) {
	for _, c := range []struct{ typ, code, url, kind string }{
		{"Patient", "birthdate", "http://hl7.org/fhir/SearchParameter/individual-birthdate", "date"},
		{"Patient", "active", "http://hl7.org/fhir/SearchParameter/Patient-active", "token"},
		{"Observation", "code", "http://hl7.org/fhir/SearchParameter/clinical-code", "token"},
		{"Observation", "code-value-quantity", "http://hl7.org/fhir/SearchParameter/Observation-code-value-quantity", "composite"},
		{"RiskAssessment", "probability", "http://hl7.org/fhir/SearchParameter/RiskAssessment-probability", "number"},
		{"Location", "near", "http://hl7.org/fhir/SearchParameter/Location-near", "special"},
		{"Bundle", "_id", "http://hl7.org/fhir/SearchParameter/Resource-id", "token"},
		{"Observation", "_lastUpdated", "http://hl7.org/fhir/SearchParameter/Resource-lastUpdated", "date"},
		{"Observation", "_text", "http://hl7.org/fhir/SearchParameter/DomainResource-text", "string"},
		{"Resource", "_profile", "http://hl7.org/fhir/SearchParameter/Resource-profile", "uri"},
	} {
		p, ok := R4().SearchParameter(c.typ, c.code)
		if !ok || p.URL != c.url || p.Type != c.kind || p.Code != c.code {
			t.Errorf("%s?%s: found %t: %+v", c.typ, c.code, ok, p)
			continue
		}
		if q, _ := R4().SearchParameterByURL(c.url); q != p {
			t.Errorf("%s is another parameter by its URL", c.url)
		}
	}
	for _, c := range [][2]string{{"Bundle", "_text"}, {"Patient", "code"}, {"Patient", "Birthdate"}, {"Patient", ""}, {"Nothing", "_id"}, {"", "_id"}} {
		if p, ok := R4().SearchParameter(c[0], c[1]); ok {
			t.Errorf("%s?%s is found: %s", c[0], c[1], p.URL)
		}
	}
}

func TestSearchParametersOfATypeAreComplete(t *testing.T) {
	all := R4().AllSearchParameters()
	if len(all) != 1375 {
		t.Errorf("%d parameters, want the 1,375 of search-parameters.json", len(all))
	}
	if !slices.IsSortedFunc(all, func(a, b *SearchParameter) int { return strings.Compare(a.URL, b.URL) }) {
		t.Error("the parameters are not sorted by URL")
	}
	for _, name := range R4().ResourceTypes() {
		typ, _ := R4().Resource(name)
		var want []*SearchParameter
		for _, p := range all {
			if slices.ContainsFunc(p.Base, typ.Is) {
				want = append(want, p)
			}
		}
		slices.SortFunc(want, func(a, b *SearchParameter) int { return strings.Compare(a.Code, b.Code) })
		if !slices.Equal(R4().SearchParameters(name), want) {
			t.Errorf("%s has %d parameters, want %d by their bases", name, len(R4().SearchParameters(name)), len(want))
		}
		for _, p := range want {
			if got, ok := R4().SearchParameter(name, p.Code); !ok || got != p {
				t.Errorf("%s?%s is not %s", name, p.Code, p.URL)
			}
		}
	}
	if len(R4().SearchParameters("Nothing")) > 0 {
		t.Error("an unknown type has parameters")
	}
}

func TestSearchParametersReferToWhatThereIs(t *testing.T) {
	composites := 0
	for _, p := range R4().AllSearchParameters() {
		for _, typ := range append(slices.Clone(p.Base), p.Target...) {
			if _, ok := R4().Type(typ); !ok {
				t.Errorf("%s names the unknown type %s", p.URL, typ)
			}
		}
		if (p.Type == "composite") != (len(p.Components) > 1) {
			t.Errorf("%s is a %s with %d components", p.URL, p.Type, len(p.Components))
		}
		if p.Type == "composite" {
			composites++
		}
		if p.MultipleOr != (p.Type != "composite") || !p.MultipleAnd {
			t.Errorf("%s (%s) may be repeated: or %t, and %t", p.URL, p.Type, p.MultipleOr, p.MultipleAnd)
		}
		for _, c := range p.Components {
			if _, ok := R4().SearchParameterByURL(c.Definition); !ok || c.Expression == "" {
				t.Errorf("%s has the component %+v, which is not defined", p.URL, c)
			}
		}
	}
	if composites != 46 {
		t.Errorf("%d composites, want 46", composites)
	}
}
