package main

import (
	"slices"
	"strings"
)

// suggest names the valid word nearest to a wrong one, or all of them where none is near. The prefix is put before each.
func suggest(wrong, prefix string, valid []string) string {
	if n := nearest(wrong, valid); n != "" {
		return "did you mean " + prefix + n + "?"
	}
	sorted := slices.Sorted(slices.Values(valid))
	for i := range sorted {
		sorted[i] = prefix + sorted[i]
	}
	return "available: " + strings.Join(sorted, ", ")
}

// nearest returns the candidate that the fewest edits make out of word, and "" where that takes more than one for every three of its letters.
func nearest(word string, candidates []string) string {
	best, at := "", 1+max(1, len(word)/3)
	for _, c := range candidates {
		d := edits(strings.ToLower(word), strings.ToLower(c))
		if d < at || d == at && best != "" && c < best {
			best, at = c, d
		}
	}
	return best
}

// edits counts the letters to insert, delete, replace or swap with their neighbour to make b out of a (optimal string alignment).
func edits(a, b string) int {
	two, one, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(one[j]+1, cur[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], two[j-2]+1)
			}
		}
		two, one, cur = one, cur, two
	}
	return one[len(b)]
}
