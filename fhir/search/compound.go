package search

import (
	"slices"
	"strings"
	"sync"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Compound is a combination of parameters of one resource type that clients ask for together so often that engines keep one key for it. The
// order is that of the key: what is asked for by equality stands first, a range or an order last.
type Compound struct{ Params []string }

// Roles by which compounds are found: the SearchParameters that R4 shares between clinical resources, told by their canonical URLs.
const (
	rolePatient = "http://hl7.org/fhir/SearchParameter/clinical-patient"
	roleCode    = "http://hl7.org/fhir/SearchParameter/clinical-code"
	roleDate    = "http://hl7.org/fhir/SearchParameter/clinical-date"
)

var compounds = sync.OnceValue(func() map[string][]Compound {
	r := definition.R4()
	all := make(map[string][]Compound)
	for _, typ := range r.ResourceTypes() {
		t, _ := r.Resource(typ)
		if c := compoundsOf(t, r.SearchParameters(typ)); len(c) > 0 {
			all[typ] = c
		}
	}
	return all
})

// Compounds returns the combinations of typ, nil where it has none. They follow from the definitions by role, not from the type's name: who
// it is about (a reference to Patient), what it is (its code), when it was (its date), and for codes with a measured value the quantity.
// The slice must not be changed.
func Compounds(typ string) []Compound { return compounds()[typ] }

func compoundsOf(t *definition.Type, params []*definition.SearchParameter) []Compound {
	earliest := len(t.Elements)
	var about []string // references to the patient that the resource is about
	var code, date, quantity string
	for _, p := range params {
		switch p.Type {
		case "reference":
			if p.URL == rolePatient || p.Code == "patient" || p.Code == "subject" && slices.Contains(p.Target, "Patient") {
				about = append(about, p.Code)
			}
		case "token":
			if p.URL == roleCode || p.Code == "code" {
				code = p.Code
			}
		case "date":
			at := elementIndex(t, p.Expression)
			if p.URL == roleDate {
				at = -1
			}
			if at < earliest {
				date, earliest = p.Code, at
			}
		case "quantity":
			if p.Code == "value-"+p.Type {
				quantity = p.Code
			}
		}
	}
	if len(about) == 0 {
		return nil
	}
	var out []Compound
	add := func(params ...string) {
		if !slices.Contains(params, "") {
			out = append(out, Compound{params})
		}
	}
	add(code, date)
	add(code, quantity)
	for _, a := range about {
		add(a, code, date)
		add(a, date)
	}
	if date == "" {
		for _, a := range about {
			add(a, code)
		}
	}
	return out
}

// elementIndex returns the position in t of the element that an expression over all bases reads first; len(t.Elements) where it reads none.
func elementIndex(t *definition.Type, expression string) int {
	_, path, _ := strings.Cut(expression, t.Name+".")
	for i, e := range t.Elements {
		if rest, ok := strings.CutPrefix(path, e.Name); ok && (rest == "" || rest[0] < 'A') {
			return i
		}
	}
	return len(t.Elements)
}
