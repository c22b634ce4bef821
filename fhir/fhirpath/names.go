package fhirpath

import "iter"

// elementNames yields the names of the elements that items of s may have.
func (s static) elementNames() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, t := range s.types {
			if t.fhir == nil {
				continue
			}
			for _, e := range t.fhir.Elements {
				if !yield(e.Name) {
					return
				}
			}
		}
	}
}

// functionNames yields the names of all functions.
func functionNames() iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range functions {
			if !yield(name) {
				return
			}
		}
	}
}
