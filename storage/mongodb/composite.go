package mongodb

import (
	"cmp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// compositeTerms returns the terms under which all composites stand that satisfy s: those of the parts asked for by equality; nil where a part
// is not. A part of a resource that has a range beside what is asked for, as a quantity has one beside its unit, stands in no term, so that there is
// a term for every choice of parts.
func compositeTerms(s search.Some) []string {
	forms, _, open, ok := compositeForms(s)
	if !ok || open {
		return nil
	}
	var terms []string
	for choice := range 1 << len(forms) {
		head := appendPart(appendPart(nil, s.Param), kindComposite)
		for i, form := range forms {
			if choice&(1<<i) == 0 {
				head = append(head, form...)
			}
		}
		terms = append(terms, string(head))
	}
	return terms
}

// compositeHead returns the joined term of the parts of s that are asked for by equality, and the part of which a range is asked for; open where
// parts without a range satisfy that too.
func compositeHead(s search.Some) (head string, ranged int, open, ok bool) {
	forms, ranged, open, ok := compositeForms(s)
	b := appendPart(appendPart(nil, s.Param), kindComposite)
	for _, form := range forms {
		b = append(b, form...)
	}
	return string(b), ranged, open, ok
}

// maxForms bounds the parts of a composite that are asked for by equality: more are served by no term.
const maxForms = 4

// compositeForms returns what the parts of s that are asked for by equality add to a joined term, and the part of which a range is asked for;
// open where parts without a range satisfy that too.
func compositeForms(s search.Some) (forms [][]byte, ranged int, open, ok bool) {
	parts := 0
	for _, c := range s.Where {
		if c.Part == 0 {
			return nil, 0, false, false
		}
		parts = max(parts, c.Part)
	}
	for part := 1; part <= parts; part++ {
		bounded, bounds, asked := false, false, false
		for _, c := range s.Where {
			if c.Part == part {
				asked = true
				bound := c.Field == search.Lo || c.Field == search.Hi
				bounds, bounded = bounds || bound, bounded || bound && !holds(c, "")
			}
		}
		switch {
		case !asked:
			return nil, 0, false, false
		case bounds && ranged == 0:
			ranged, open = part, !bounded
			continue
		}
		kind, values, exact := formOf(s.Where, part)
		if !exact || len(forms) == maxForms {
			return nil, 0, false, false
		}
		form := appendPart(nil, kind)
		for _, v := range values {
			form = appendPart(form, v)
		}
		forms = append(forms, form)
	}
	return forms, ranged, open, parts > 1
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

// compositeRange returns the filter of the ranges under a head that one part of s asks for.
func compositeRange(s search.Some, head string, part int) bson.D {
	match := bson.D{{Key: memberParam, Value: head}}
	for _, c := range s.Where {
		if c.Part == part && (c.Field == search.Lo || c.Field == search.Hi) {
			if f, possible := compare(fieldNames[c.Field], c, false); possible && len(f) > 0 {
				match = append(match, f[0])
			}
		}
	}
	return bson.D{{Key: pathRanges, Value: bson.D{{Key: "$elemMatch", Value: match}}}}
}

// read is a filter that bounds the scan of an index.
type read struct {
	index  string
	filter bson.D
}

// readsOf returns reads that together find all resources of a type that satisfy c, few or many; nil where no index knows c.
func (r *reader) readsOf(typ string, c search.Expr) []read {
	switch c := c.(type) {
	case search.Some:
		return r.readsOfSome(typ, c)
	case search.Or:
		var out []read
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
			out = append(out, read{indexTerms, in(pathTerms, terms)})
		}
		return joinedReads(out)
	}
	return nil
}

// joinedReads makes one of the reads of each index.
func joinedReads(list []read) []read {
	slices.SortStableFunc(list, func(a, b read) int { return cmp.Compare(a.index, b.index) })
	var out []read
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j].index == list[i].index {
			j++
		}
		filters := make([]bson.D, 0, j-i)
		for _, one := range list[i:j] {
			filters = append(filters, one.filter)
		}
		out = append(out, read{list[i].index, anyOf(filters)})
		i = j
	}
	return out
}

// readsOfSome returns the reads of one condition.
func (r *reader) readsOfSome(typ string, s search.Some) []read {
	if t, ok := termOf(s); ok {
		return []read{{indexTerms, bson.D{{Key: pathTerms, Value: t}}}}
	}
	if terms := compositeTerms(s); terms != nil && !slices.ContainsFunc(s.Where, func(c search.Comparison) bool { return c.Field == search.Lo || c.Field == search.Hi }) {
		return []read{{indexTerms, in(pathTerms, terms)}}
	}
	if f, index := r.indexable(s); f != nil {
		return []read{{index, f}}
	}
	if head, part, open, ok := compositeHead(s); ok && open {
		// A part without a range stands in the term behind the head; one without anything leaves no more than that there is an entry.
		beyond := bson.D{{Key: "$gt", Value: head}, {Key: "$lt", Value: after(head)}}
		return []read{
			{indexRanges, compositeRange(s, head, part)},
			{indexTerms, anyOf([]bson.D{{{Key: pathTerms, Value: bson.D{{Key: "$elemMatch", Value: beyond}}}}, {{Key: pathTerms, Value: term(s.Param, kindPresent, "")}}})},
		}
	}
	head := string(appendPart(nil, s.Param))
	if len(s.Where) == 0 { // every entry has a term or a range that begins with its parameter
		if _, some := r.s.spills.of(typ)[s.Param]; some {
			return nil
		}
		return []read{{indexTerms, startsWithTerm(head)}, {indexRanges, bson.D{{Key: pathRanges + "." + memberParam, Value: head}}}}
	}
	if slices.ContainsFunc(s.Where, isBound) { // entries without a range satisfy it too
		if f, ok := boundedRange(s); ok {
			return []read{{indexRanges, f}, {indexTerms, startsWithTerm(head)}}
		}
	}
	return nil
}
