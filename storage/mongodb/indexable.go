package mongodb

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// compositeTerms returns the terms under which all composites stand that satisfy s: those of the parts asked for by equality; nil where a part
// is not. A part of a resource that has a range beside what is asked for, as a quantity has one beside its unit, stands in no term, so that there is
// a term for every choice of parts.
func compositeTerms(s search.Some) []string {
	forms, _, ok := compositeForms(s)
	if !ok {
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

// compositeHead returns the joined term of the parts of s that are asked for by equality, and the part of which a range is asked for.
func compositeHead(s search.Some) (head string, ranged int, ok bool) {
	forms, ranged, ok := compositeForms(s)
	b := appendPart(appendPart(nil, s.Param), kindComposite)
	for _, form := range forms {
		b = append(b, form...)
	}
	return string(b), ranged, ok
}

// maxForms bounds the parts of a composite that are asked for by equality: more are served by no term.
const maxForms = 4

// compositeForms returns what the parts of s that are asked for by equality add to a joined term, and the part of which a range is asked for.
func compositeForms(s search.Some) (forms [][]byte, ranged int, ok bool) {
	parts := 0
	for _, c := range s.Where {
		if c.Part == 0 {
			return nil, 0, false
		}
		parts = max(parts, c.Part)
	}
	for part := 1; part <= parts; part++ {
		bounded, asked := false, false
		for _, c := range s.Where {
			if c.Part == part {
				asked = true
				bounded = bounded || (c.Field == search.Lo || c.Field == search.Hi) && !holds(c, "")
			}
		}
		switch {
		case !asked:
			return nil, 0, false
		case bounded && ranged == 0:
			ranged = part
			continue
		}
		kind, values, exact := formOf(s.Where, part)
		if !exact || len(forms) == maxForms {
			return nil, 0, false
		}
		form := appendPart(nil, kind)
		for _, v := range values {
			form = appendPart(form, v)
		}
		forms = append(forms, form)
	}
	return forms, ranged, parts > 1
}

// indexable returns the filter of a prefix or a range in a form that bounds the scan of an index.
func (r *reader) indexable(c search.Expr) (bson.D, string) {
	s, ok := c.(search.Some)
	if !ok {
		return nil, ""
	}
	if prefix, ok := prefixOf(s); ok {
		return bson.D{{Key: pathTerms, Value: bson.D{{Key: "$elemMatch", Value: startsWith(prefix)}}}}, indexTerms
	}
	if head, part, ok := compositeHead(s); ok && part > 0 {
		match := bson.D{{Key: memberParam, Value: head}}
		for _, c := range s.Where {
			if c.Part == part && (c.Field == search.Lo || c.Field == search.Hi) {
				if f, possible := compare(fieldNames[c.Field], c, false); possible && len(f) > 0 {
					match = append(match, f[0])
				}
			}
		}
		return bson.D{{Key: pathRanges, Value: bson.D{{Key: "$elemMatch", Value: match}}}}, indexRanges
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

// indexableAny returns the filter of alternatives that are all served by one index.
func (r *reader) indexableAny(or search.Or) (bson.D, string) {
	var any bson.A
	index := ""
	for _, alt := range or {
		f, of := r.indexable(alt)
		if f == nil || index != "" && of != index {
			return nil, ""
		}
		any, index = append(any, f), of
	}
	return bson.D{{Key: "$or", Value: any}}, index
}
