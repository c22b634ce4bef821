package search

import (
	"iter"
	"slices"
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Terminology answers what the modifiers :in, :not-in, :above and :below of tokens ask. A server that stores ValueSets and CodeSystems puts
// its own before the one of the definitions.
type Terminology interface {
	// Expand yields system and code of every member of a value set, named by its canonical or, where the terminology stores resources, by
	// "ValueSet/id". ok is false where it is not known or can't be enumerated.
	Expand(valueSet string) (codes iter.Seq2[string, string], ok bool)
	// Descendants yields the codes below code in the hierarchy of system, code itself left out. ok is false where that is not known.
	Descendants(system, code string) (codes iter.Seq[string], ok bool)
	// Ancestors yields the codes above code, code itself left out. ok is false where that is not known.
	Ancestors(system, code string) (codes iter.Seq[string], ok bool)
}

// NewTerminology returns the Terminology of the definitions alone.
func NewTerminology(reg *definition.Registry) Terminology { return reg }

// valueSetConditions compares a token with the members of a value set.
func (q *reading) valueSetConditions(p *Parameter, valueSet string) ([]condition, error) {
	codes, ok := q.terminology().Expand(valueSet)
	if !ok {
		return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnknownValueSet,
			"the value set is not known here, or its members can't be enumerated")
	}
	var out []condition
	for system, code := range codes {
		if len(out) >= q.limits.Values {
			return nil, tooCostly("the value set has more codes than the " + strconv.Itoa(q.limits.Values) + " that one search may name")
		}
		out = append(out, q.codingCondition(p, system, code)...)
	}
	return out, nil
}

// subsumption compares a token with "system|code" and the codes below (or above) it in the system's hierarchy. The system may be left out where
// the required value sets of the parameter's elements say which it is.
func (q *reading) subsumption(p *Parameter, m modifier, raw string) ([]condition, error) {
	if p.readsMimeTypes() {
		return mimeTypes(m, raw)
	}
	parts := splitEscaped(raw, '|')
	if len(parts) == 1 && parts[0] != "" {
		code := unescape(parts[0])
		if system := q.system(p, code); system != "" {
			return q.hierarchy(p, m, system, code)
		}
	}
	if len(parts) != 2 || parts[0] == "" || parts[1] == "" {
		return nil, badValue(fhir.IDBadToken, `with :above and :below a token is "system|code"; the system may be left out where a required binding of the element tells it`)
	}
	return q.hierarchy(p, m, unescape(parts[0]), unescape(parts[1]))
}

// system returns the one system that code is of by the required value sets of p's elements on the types that are asked for; "" where an element
// has no such value set, and where they leave more than one.
func (q *reading) system(p *Parameter, code string) string {
	e := p.elements()
	if e.unknown {
		return ""
	}
	var found []string
	for _, typ := range q.types {
		sets := e.required[typ]
		if len(sets) == 0 {
			return ""
		}
		for _, set := range sets {
			codes, ok := q.params.registry.Expand(set)
			if set == "" || !ok {
				return ""
			}
			for system, c := range codes {
				if foldCode(c) == foldCode(code) && !slices.Contains(found, system) {
					found = append(found, system)
				}
			}
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// hierarchy compares a token with a code and those below (or above) it.
func (q *reading) hierarchy(p *Parameter, m modifier, system, code string) ([]condition, error) {
	find := q.terminology().Descendants
	if m == modifierAbove {
		find = q.terminology().Ancestors
	}
	codes, ok := find(system, code)
	if !ok {
		return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnknownHierarchy,
			"the hierarchy of the code system is not known here, or it has no such code")
	}
	out := q.codingCondition(p, system, code)
	for c := range codes {
		if len(out) >= q.limits.Values {
			return nil, tooCostly("the hierarchy has more codes than the " + strconv.Itoa(q.limits.Values) + " that one search may name")
		}
		out = append(out, q.codingCondition(p, system, c)...)
	}
	return out, nil
}

// terminology returns the one of this search.
func (q *reading) terminology() Terminology {
	if q.opt.Terminology != nil {
		return q.opt.Terminology
	}
	return q.params.terminology
}
