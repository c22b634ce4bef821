package search

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// Composites (https://hl7.org/fhir/R4/search.html#combining): an entry has a part for each component, all of one and the same element.

// maxTuples bounds the entries that one element of a composite makes. An element with more combinations of values keeps the first ones, which
// is reported.
const maxTuples = 4096

// compositeCondition compares with "value$value": every component of one and the same element
// (https://hl7.org/fhir/R4/search.html#combining).
func (q *reading) compositeCondition(p *Parameter, raw string) ([]condition, error) {
	parts := splitEscaped(raw, '$')
	if len(parts) != len(p.components) {
		return nil, badValue(fhir.IDBadComposite, "a value has a part for each component, separated by $: "+componentNames(p))
	}
	if slices.Contains(parts, "") {
		return nil, badValue(fhir.IDEmptyValue, "a part is empty")
	}
	out, err := q.components(p, parts)
	if swapped[p.URL] {
		slices.Reverse(parts)
		if also, other := q.components(p, parts); other == nil {
			out, err = append(out, also...), nil
		}
	}
	return out, err
}

// components compares the i-th component with the i-th part.
func (q *reading) components(p *Parameter, parts []string) ([]condition, error) {
	out := []condition{{}}
	for i, part := range parts {
		c := p.components[i]
		alts, err := q.value(c, modifierNone, "", part)
		if err != nil {
			return nil, err
		}
		if len(out)*len(alts) > q.limits.Values {
			return nil, tooCostly("the composite has more than " + strconv.Itoa(q.limits.Values) + " alternatives")
		}
		var next []condition
		for _, have := range out {
			for _, alt := range alts {
				if have.suffix != "" && alt.suffix != "" && have.suffix != alt.suffix {
					continue
				}
				n := condition{suffix: have.suffix + alt.suffix, where: make([]Comparison, 0, len(have.where)+len(alt.where))}
				if have.suffix == alt.suffix {
					n.suffix = have.suffix
				}
				n.where = append(n.where, have.where...)
				for _, cmp := range alt.where {
					cmp.Part = i + 1
					n.where = append(n.where, cmp)
				}
				next = append(next, n)
			}
		}
		out = next
	}
	return out, nil
}

func componentNames(p *Parameter) string {
	var names []string
	for _, c := range p.components {
		names = append(names, c.Code)
	}
	return strings.Join(names, "$")
}

// composite appends the combinations of the components' values within one element: one entry where each has one value. Where a component
// has quantities, they are combined as given, under the text of their unit, and in canonical units, under the same suffixes as the
// component's own entries.
func (x *extraction) composite(it *fhirpath.Item) {
	r, start, element := x.rule, x.start, *it
	parts := r.partsFor(element.Type())
	base := len(x.entries)
	var few [8]int
	ends := append(few[:0], 0)
	for i := range parts {
		x.run(&parts[i], element)
		if len(x.entries)-base == ends[i] {
			break
		}
		ends = append(ends, len(x.entries)-base)
	}
	x.rule, x.start = r, start
	x.found = append(x.found[:0], x.entries[base:]...)
	x.entries = x.entries[:base]
	if len(parts) == 0 || len(ends) <= len(parts) {
		return
	}
	x.tuples(r.plain, "", ends)
	for _, d := range [...]struct{ suffix, name string }{{suffixUnit, r.names.unit}, {suffixUCUM, r.names.ucum}} {
		if slices.ContainsFunc(x.found, func(e Entry) bool { return e.Param == d.suffix }) {
			x.tuples(d.name, d.suffix, ends)
		}
	}
}

// tuples appends the combinations of found, whose i-th component stands from ends[i] to ends[i+1], under a name. Of each component the
// entries with the suffix count, or where it has none those without.
func (x *extraction) tuples(name, suffix string, ends []int) {
	n := len(ends) - 1
	var few [8]int
	from := append(few[:0], 0) // the choices of component i are x.choices[from[i]:from[i+1]]
	x.choices = x.choices[:0]
	for i := range n {
		for _, want := range [...]string{suffix, ""} {
			for j := ends[i]; j < ends[i+1]; j++ {
				if x.found[j].Param == want {
					x.choices = append(x.choices, j)
				}
			}
			if len(x.choices) > from[i] {
				break
			}
		}
		if len(x.choices) == from[i] {
			return
		}
		from = append(from, len(x.choices))
	}
	var here [8]int
	at := append(here[:0], from[:n]...)
	for range maxTuples {
		parts := x.newParts(n)
		for i := range parts {
			parts[i] = x.found[x.choices[at[i]]]
			parts[i].Param = ""
		}
		x.put(Entry{Param: name, Parts: parts})
		i := n - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < from[i+1] {
				break
			}
			at[i] = from[i]
		}
		if i < 0 {
			return
		}
	}
	x.skipped(x.rule.param.Code, tooCostly("an element has more than "+strconv.Itoa(maxTuples)+" combinations of the components' values"))
}

// newParts returns n entries to keep, cut from a larger piece.
func (x *extraction) newParts(n int) []Entry {
	if len(x.piece) < n {
		x.piece = make([]Entry, max(n, 8))
	}
	parts := x.piece[:n:n]
	x.piece = x.piece[n:]
	return parts
}
