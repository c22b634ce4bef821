package search

import (
	"fmt"
	"slices"
)

// ExpressionProblems returns the parameters whose expression can't be compiled for a type that has them.
func ExpressionProblems(s *Parameters) []string {
	var out []string
	for _, typ := range s.registry.ResourceTypes() {
		for _, p := range s.Of(typ) {
			if _, _, err := newRule(p, s.registry, typ); err != nil {
				out = append(out, fmt.Sprintf("%s of %s: %s: %v", p.Code, typ, p.Expression, err))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Unscoped reports whether the elements of a token parameter have no system that a search may name.
func Unscoped(p *Parameter) bool { return p.unscoped() }
