package interaction

import "strings"

// nearest returns the name that differs least from s, "" where none is near: at most a third of its letters, case aside, may differ.
func nearest(s string, names []string) string {
	const longest = 64
	if len(s) == 0 || len(s) > longest {
		return ""
	}
	s = strings.ToLower(s)
	best, bestDistance := "", len(s)/3+1
	for _, n := range names {
		if d := distance(s, strings.ToLower(n), bestDistance); d < bestDistance {
			best, bestDistance = n, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete or replace to make b of a; limit or more where it is not below limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
