package main

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// suggest names the valid word nearest to a wrong one, or all of them where none is near. The prefix is put before each.
func suggest(wrong, prefix string, valid []string) string {
	if near := fhir.Nearest(wrong, slices.Values(valid)); len(near) > 0 {
		return "did you mean " + prefix + strings.Join(near, " or "+prefix) + "?"
	}
	sorted := slices.Sorted(slices.Values(valid))
	for i := range sorted {
		sorted[i] = prefix + sorted[i]
	}
	return "available: " + strings.Join(sorted, ", ")
}
