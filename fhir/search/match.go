package search

import (
	"iter"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Lookup gives Match the resources that a chain or _has asks about: the current, not deleted ones of one moment.
type Lookup interface {
	// Entries returns the entries of the resource of key; false where it does not exist or is deleted.
	Entries(key fhir.Key) ([]Entry, bool)
	// Resources yields key and entries of every resource of a type, in any order.
	Resources(typ string) iter.Seq2[fhir.Key, []Entry]
}

// Match reports whether the resource of key, which is found by entries, satisfies e. It is the one definition of what a condition means:
// engines answer exactly what Match accepts. lookup is asked for Refers and Referred only, and may be nil where e has none; with a nil
// lookup they never hold. A nil e accepts everything. Expressions that Parse makes are bounded in depth; Match recurses as deep as e is.
func Match(e Expr, key fhir.Key, entries []Entry, lookup Lookup) bool {
	return match(e, key, entries, entries, lookup)
}

// match is Match for a resource that may be held by another, which has the entries outer.
func match(e Expr, key fhir.Key, entries, outer []Entry, lookup Lookup) bool {
	switch e := e.(type) {
	case nil:
		return true
	case And:
		for _, c := range e {
			if !match(c, key, entries, outer, lookup) {
				return false
			}
		}
		return true
	case Or:
		for _, c := range e {
			if match(c, key, entries, outer, lookup) {
				return true
			}
		}
		return false
	case Not:
		return !match(e.Expr, key, entries, outer, lookup)
	case Some:
		return matchSome(e, entries)
	case KeyIn:
		return slices.Contains(e.IDs, key.ID)
	case Refers:
		return matchRefers(e, entries, lookup)
	case Referred:
		return matchReferred(e, key, lookup)
	case Within:
		holds := false
		e.EachHeld(entries, outer, func(key fhir.Key, inner, outer []Entry) bool {
			holds = match(e.Where, key, inner, outer, lookup)
			return !holds
		})
		return holds
	}
	return false
}

func matchSome(s Some, entries []Entry) bool {
	for i := range entries {
		if entries[i].Param == s.Param && entries[i].Satisfies(s.Where) {
			return true
		}
	}
	return false
}

// Satisfies reports whether the entry stands in all the given relations. A Comparison with a Part that the entry does not have fails.
func (e *Entry) Satisfies(where []Comparison) bool {
	for i := range where {
		p := e.part(where[i].Part)
		if p == nil || !where[i].holds(p.Field(where[i].Field)) {
			return false
		}
	}
	return true
}

// holds reports whether a field's value stands in the relation.
func (c *Comparison) holds(value string) bool {
	switch c.Op {
	case Eq:
		return value == c.Value
	case Lt:
		return value < c.Value
	case Le:
		return value <= c.Value
	case Gt:
		return value > c.Value
	case Ge:
		return value >= c.Value
	case Prefix:
		return strings.HasPrefix(value, c.Value)
	case Contains:
		return strings.Contains(value, c.Value)
	case Suffix:
		return strings.HasSuffix(value, c.Value)
	}
	return false
}

func matchRefers(e Refers, entries []Entry, lookup Lookup) bool {
	if lookup == nil {
		return false
	}
	for i := range entries {
		if entries[i].Param != e.Param || entries[i].Type != e.Target || entries[i].ID == "" {
			continue
		}
		target := fhir.Key{Type: e.Target, ID: entries[i].ID}
		if found, ok := lookup.Entries(target); ok && Match(e.Where, target, found, lookup) {
			return true
		}
	}
	return false
}

func matchReferred(e Referred, key fhir.Key, lookup Lookup) bool {
	if lookup == nil {
		return false
	}
	for source, entries := range lookup.Resources(e.Source) {
		for i := range entries {
			if entries[i].Param == e.Param && entries[i].Type == key.Type && entries[i].ID == key.ID {
				if Match(e.Where, source, entries, lookup) {
					return true
				}
				break
			}
		}
	}
	return false
}
