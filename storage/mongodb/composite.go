package mongodb

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// compositeTerms returns the terms under which all composites stand that satisfy s: those of the parts asked for by equality; nil where a part
// is not. A part of a resource that has a range beside what is asked for (a quantity has one beside its unit) is in no term, so that there is
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
