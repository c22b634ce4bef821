package mongodb

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// What indexes find for one condition: filters that bound the scan of an index.

// access is a filter that bounds the scan of an index.
type access struct {
	index  string
	filter bson.D
}

// readsOf returns reads that together find all resources of a type that satisfy c, few or many; nil where no index knows c.
func (r *reader) readsOf(typ string, c search.Expr) []access {
	switch c := c.(type) {
	case search.Some:
		return r.readsOfSome(typ, c)
	case search.Or:
		var out []access
		var terms []string
		for _, alt := range c {
			if s, ok := alt.(search.Some); ok {
				if t, ok := termOf(s); ok {
					terms = append(terms, t)
					continue
				}
			}
			of := r.readsOf(typ, alt)
			if of == nil {
				return nil
			}
			out = append(out, of...)
		}
		if terms != nil {
			out = append(out, access{indexTerms, in(pathTerms, terms)})
		}
		return joinedAccess(out)
	}
	return nil
}

// joinedAccess makes one of those of each index.
func joinedAccess(list []access) []access {
	slices.SortStableFunc(list, func(a, b access) int { return cmp.Compare(a.index, b.index) })
	var out []access
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j].index == list[i].index {
			j++
		}
		filters := make([]bson.D, 0, j-i)
		for _, one := range list[i:j] {
			filters = append(filters, one.filter)
		}
		out = append(out, access{list[i].index, anyOf(filters)})
		i = j
	}
	return out
}

// readsOfSome returns the reads of one condition.
func (r *reader) readsOfSome(typ string, s search.Some) []access {
	if t, ok := termOf(s); ok {
		return []access{{indexTerms, bson.D{{Key: pathTerms, Value: t}}}}
	}
	if terms := compositeTerms(s); terms != nil && !slices.ContainsFunc(s.Where, func(c search.Comparison) bool { return c.Field == search.Lo || c.Field == search.Hi }) {
		return []access{{indexTerms, in(pathTerms, terms)}}
	}
	if f, index := r.indexable(s); f != nil {
		return []access{{index, f}}
	}
	if head, part, open, ok := compositeHead(s); ok && open {
		// A part without a range is in the term behind the head; one without anything leaves no more than that there is an entry.
		beyond := bson.D{{Key: "$gt", Value: head}, {Key: "$lt", Value: after(head)}}
		return []access{
			{indexRanges, compositeRange(s, head, part)},
			{indexTerms, anyOf([]bson.D{{{Key: pathTerms, Value: bson.D{{Key: "$elemMatch", Value: beyond}}}}, {{Key: pathTerms, Value: term(s.Param, kindPresent, "")}}})},
		}
	}
	head := string(appendPart(nil, s.Param))
	if len(s.Where) == 0 { // every entry has a term or a range that begins with its parameter
		if _, some := r.s.spills.of(typ)[s.Param]; some {
			return nil
		}
		return []access{{indexTerms, startsWithTerm(head)}, {indexRanges, bson.D{{Key: pathRanges + "." + memberParam, Value: head}}}}
	}
	if slices.ContainsFunc(s.Where, isBound) { // entries without a range satisfy it too
		if f, ok := boundedRange(s); ok {
			return []access{{indexRanges, f}, {indexTerms, startsWithTerm(head)}}
		}
	}
	return nil
}

// indexable returns the filter of a prefix or a range in a form that bounds the scan of an index.
func (r *reader) indexable(c search.Expr) (bson.D, string) {
	s, ok := c.(search.Some)
	if !ok {
		return nil, ""
	}
	if prefix, ok := prefixOf(s); ok {
		return startsWithTerm(prefix), indexTerms
	}
	if head, part, open, ok := compositeHead(s); ok && part > 0 && !open {
		return compositeRange(s, head, part), indexRanges
	}
	bounded := false // what satisfies s has a range
	for _, c := range s.Where {
		bounded = bounded || isBound(c) && !holds(c, "")
	}
	if !bounded {
		return nil, ""
	}
	f, ok := boundedRange(s)
	if !ok {
		return nil, ""
	}
	return f, indexRanges
}

// startsWithTerm returns the condition that one of the terms starts with prefix, in a form that the server tells by keys alone where there is
// one: it knows the bounds of a pattern that is no more than a beginning.
func startsWithTerm(prefix string) bson.D {
	if !utf8.ValidString(prefix) || strings.IndexByte(prefix, 0) >= 0 || len(prefix) > maxPattern {
		return bson.D{{Key: pathTerms, Value: bson.D{{Key: "$elemMatch", Value: startsWith(prefix)}}}}
	}
	return bson.D{{Key: pathTerms, Value: bson.Regex{Pattern: "^" + quoteRegex(prefix)}}}
}
