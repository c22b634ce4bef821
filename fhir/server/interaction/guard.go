package interaction

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Conditional writes (http://hl7.org/fhir/R4/http.html#cond-update) that each would find what the other writes must not both find nothing, where
// an engine runs Updates side by side. What two such writes have in common, both guard: a resource that a condition with an identifier finds has
// that identifier, so a write guards the identifiers that its condition asks for and those of the resource that it writes. A condition that asks
// for no identifier is guarded as a whole.

// identifierParam is the parameter of every type's identifiers.
const identifierParam = "identifier"

// guards returns the names that a write guards which depends on c and writes resources with these entries.
func (c *condition) guards(written []search.Entry) []string {
	codes, ok := identifiersOf(c.query.Where)
	var names []string
	if !ok {
		names = append(names, c.name)
	}
	for _, e := range written {
		if e.Param == identifierParam && e.Code != "" {
			codes = append(codes, e.Code)
		}
	}
	for _, code := range codes { // without the system, which a condition may leave out
		names = append(names, "identifier "+c.typ+" "+code)
	}
	return names
}

// identifiersOf returns identifiers of which all that e finds has one at least; false where there are none.
func identifiersOf(e search.Expr) (codes []string, ok bool) {
	switch e := e.(type) {
	case search.Some:
		if e.Param != identifierParam {
			return nil, false
		}
		for _, c := range e.Where {
			if c.Part == 0 && c.Field == search.Code && c.Op == search.Eq && c.Value != "" {
				return []string{c.Value}, true
			}
		}
	case search.And:
		for _, one := range e {
			if more, has := identifiersOf(one); has {
				codes, ok = append(codes, more...), true
			}
		}
		return codes, ok
	case search.Or:
		for _, one := range e {
			more, has := identifiersOf(one)
			if !has {
				return nil, false
			}
			codes, ok = append(codes, more...), true
		}
		return codes, ok
	}
	return nil, false
}

// guardConditions makes tx conflict with every concurrent Update that guards one of names.
func guardConditions(ctx context.Context, tx storage.Tx, names []string) error {
	slices.Sort(names)
	return tx.Guard(ctx, slices.Compact(names)...)
}

// nameOf tells conditions apart by what they ask for: it is the same however parameters and values are ordered and spelled.
func nameOf(e search.Expr) string {
	all := func(list []search.Expr) string {
		names := make([]string, len(list))
		for i, one := range list {
			names[i] = nameOf(one)
		}
		slices.Sort(names)
		return strings.Join(slices.Compact(names), " ")
	}
	switch e := e.(type) {
	case search.And:
		return "(and " + all(e) + ")"
	case search.Or:
		return "(or " + all(e) + ")"
	case search.Not:
		return "(not " + nameOf(e.Expr) + ")"
	case search.Some:
		where := make([]string, len(e.Where))
		for i, c := range e.Where {
			where[i] = fmt.Sprintf("%d.%d.%d.%q", c.Part, c.Field, c.Op, c.Value)
		}
		slices.Sort(where)
		return fmt.Sprintf("(%q %s)", e.Param, strings.Join(where, " "))
	case search.KeyIn:
		return fmt.Sprintf("(ids %q)", slices.Compact(slices.Sorted(slices.Values(e.IDs))))
	case search.Refers:
		return fmt.Sprintf("(%q to %q %s)", e.Param, e.Target, nameOf(e.Where))
	case search.Within:
		return fmt.Sprintf("(%q in %q %v %s)", e.Param, e.Target, e.InPlace, nameOf(e.Where))
	case search.Referred:
		return fmt.Sprintf("(from %q %q %s)", e.Source, e.Param, nameOf(e.Where))
	}
	return "()"
}
