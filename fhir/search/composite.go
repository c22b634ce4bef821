package search

import (
	"slices"

	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// Composites (https://hl7.org/fhir/R4/search.html#combining): an entry has a part for each component, all of one and the same element.

// maxTuples bounds the entries that one element of a composite makes. An element with more combinations of values keeps the first ones.
const maxTuples = 4096

// composite appends the combinations of the components' values within one element: one entry where each has one value. Where a component
// has quantities, they are combined as given, under the text of their unit, and in canonical units, under the same suffixes as the
// component's own entries.
func (x *extraction) composite(it *fhirpath.Item) {
	r, start, element := x.rule, x.start, *it
	base := len(x.entries)
	var few [4]int
	ends := append(few[:0], base)
	for i := range r.parts {
		x.run(&r.parts[i], element)
		ends = append(ends, len(x.entries))
		if ends[i+1] == ends[i] {
			break
		}
	}
	x.rule, x.start = r, start
	if len(ends) <= len(r.parts) || ends[len(ends)-1] == ends[len(ends)-2] {
		x.entries = x.entries[:base]
		return
	}
	found := slices.Clone(x.entries[base:])
	x.entries = x.entries[:base]
	for i := range ends {
		ends[i] -= base
	}
	x.tuples(r.plain, "", found, ends)
	for _, d := range [...]struct{ suffix, name string }{{suffixUnit, r.names.unit}, {suffixUCUM, r.names.ucum}} {
		if slices.ContainsFunc(found, func(e Entry) bool { return e.Param == d.suffix }) {
			x.tuples(d.name, d.suffix, found, ends)
		}
	}
}

// tuples appends the combinations of found, whose i-th component stands from ends[i] to ends[i+1], under a name. Of each component the
// entries with the suffix count, or where it has none those without.
func (x *extraction) tuples(name, suffix string, found []Entry, ends []int) {
	n := len(ends) - 1
	choices := make([][]*Entry, n)
	for i := range choices {
		for _, want := range []string{suffix, ""} {
			for j := ends[i]; j < ends[i+1]; j++ {
				if found[j].Param == want {
					choices[i] = append(choices[i], &found[j])
				}
			}
			if len(choices[i]) > 0 {
				break
			}
		}
		if len(choices[i]) == 0 {
			return
		}
	}
	at := make([]int, n)
	for range maxTuples {
		parts := make([]Entry, n)
		for i := range parts {
			parts[i] = *choices[i][at[i]]
			parts[i].Param = ""
		}
		x.put(Entry{Param: name, Parts: parts})
		i := n - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < len(choices[i]) {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			return
		}
	}
}
