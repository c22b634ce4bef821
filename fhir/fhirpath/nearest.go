package fhirpath

import (
	"iter"
	"strings"
)

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

// didYouMean returns the end of a message that offers the name nearest to a wrong one; "" where none is near: at most one in three of its
// letters, case aside, may differ.
func didYouMean(name string, names iter.Seq[string]) string {
	const longest = 64
	if len(name) > longest {
		return ""
	}
	lower := strings.ToLower(name)
	best, least := "", 1+max(1, len(name)/3)
	for n := range names {
		if len(n) > longest {
			continue
		}
		if d := edits(lower, strings.ToLower(n)); d < least || d == least && best != "" && n < best {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// edits counts the letters to insert, delete, replace or swap with their neighbour to make b of a, of at most 64 letters each.
func edits(a, b string) int {
	var rows [3][65]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := range len(a) {
		two, one, row := &rows[(i+2)%3], &rows[i%3], &rows[(i+1)%3]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(one[j]+cost, row[j]+1, one[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], two[j-1]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
