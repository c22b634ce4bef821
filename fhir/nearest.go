package fhir

import (
	"iter"
	"slices"
	"strings"
)

const (
	// maxNearest is how many names a message offers.
	maxNearest = 3
	// maxCompared is how long the names are that are compared: longer ones are no slip of the pen.
	maxCompared = 64
)

// DidYouMean returns the end of a message about a name that does not exist, as "; did you mean family?"; "" where no name is near.
func DidYouMean(wrong string, names iter.Seq[string]) string {
	near := Nearest(wrong, names)
	if len(near) == 0 {
		return ""
	}
	last := near[len(near)-1]
	if before := near[:len(near)-1]; len(before) > 0 {
		last = strings.Join(before, ", ") + " or " + last
	}
	return "; did you mean " + last + "?"
}

// Nearest returns the names that were most likely meant by a wrong one, in alphabetical order: those that are fewest edits away, where that is no more
// than one for every three letters. Case does not count; a name that begins with the wrong one is one edit away. More than three are no help, and
// none is returned.
func Nearest(wrong string, names iter.Seq[string]) []string {
	lower := strings.ToLower(wrong)
	if lower == "" || len(lower) > maxCompared {
		return nil
	}
	var near []string
	least := max(1, len(lower)/3)
	for name := range names {
		candidate := strings.ToLower(name)
		if len(candidate) > maxCompared {
			continue
		}
		d := edits(lower, candidate)
		if d > 1 && len(lower) > 2 && strings.HasPrefix(candidate, lower) {
			d = 1
		}
		if d < least {
			near, least = near[:0], d
		}
		if d == least && !slices.Contains(near, name) {
			near = append(near, name)
		}
	}
	if len(near) > maxNearest {
		return nil
	}
	slices.Sort(near)
	return near
}

// edits counts the bytes to insert, delete, replace or swap with their neighbour to make b of a (optimal string alignment), of at most maxCompared each.
func edits(a, b string) int {
	var rows [3][maxCompared + 1]int
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
