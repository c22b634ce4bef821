package mongodb

import (
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// A filter is a condition in MongoDB's words. It accepts exactly the documents whose entries search.Match accepts; which index finds them is
// plan.go's matter.

// never is a filter that accepts nothing.
var never = bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: bson.A{}}}}}

// live accepts what is not deleted.
var live = bson.D{{Key: fieldDeleted, Value: nil}}

// filter returns e as a filter. Chains must have been resolved (see chain.go).
func filter(e search.Expr) bson.D {
	switch e := e.(type) {
	case nil:
		return bson.D{}
	case search.And:
		return allOf(e)
	case search.Or:
		if len(e) == 0 {
			return never
		}
		var terms bson.A
		var rest bson.A
		found, others := textsOf(e)
		for _, t := range found {
			rest = append(rest, t.filters()...)
		}
		for _, c := range others {
			if s, ok := c.(search.Some); ok {
				if t, ok := termOf(s); ok {
					terms = append(terms, t)
					continue
				}
			}
			rest = append(rest, filter(c))
		}
		if len(terms) > 0 {
			in := bson.D{{Key: pathTerms, Value: bson.D{{Key: "$in", Value: terms}}}}
			if len(rest) == 0 {
				return in
			}
			rest = append(rest, in)
		}
		if len(rest) == 1 {
			return rest[0].(bson.D)
		}
		return bson.D{{Key: "$or", Value: rest}}
	case search.Not:
		return bson.D{{Key: "$nor", Value: bson.A{filter(e.Expr)}}}
	case search.Some:
		return filterSome(e)
	case search.KeyIn:
		if len(e.IDs) == 1 {
			return bson.D{{Key: fieldID, Value: e.IDs[0]}}
		}
		return bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: append([]string{}, e.IDs...)}}}}
	}
	return never
}

// allOf returns the conjunction of list.
func allOf(list []search.Expr) bson.D {
	out := make(bson.A, 0, len(list))
	for _, c := range list {
		if f := filter(c); len(f) > 0 {
			out = append(out, f)
		}
	}
	return and(out)
}

// and joins filters.
func and(list bson.A) bson.D {
	switch len(list) {
	case 0:
		return bson.D{}
	case 1:
		return list[0].(bson.D)
	}
	return bson.D{{Key: "$and", Value: list}}
}

// termOf returns the term that exactly the resources have that satisfy s.
func termOf(s search.Some) (string, bool) {
	kind, values, ok := formOf(s.Where, 0)
	if !ok {
		return "", false
	}
	return term(s.Param, kind, values...), true
}

// formOf returns kind and values of the term that comparisons by equality on one part ask for.
func formOf(where []search.Comparison, part int) (kind string, values []string, ok bool) {
	var f [10]string
	var set int
	for i := range where {
		c := &where[i]
		if c.Part != part {
			continue
		}
		if c.Op != search.Eq || set&(1<<c.Field) != 0 {
			return "", nil, false
		}
		set |= 1 << c.Field
		f[c.Field] = c.Value
	}
	only := func(fields ...search.Field) bool {
		want := 0
		for _, x := range fields {
			want |= 1 << x
		}
		return set == want
	}
	switch {
	case only(search.Code) && f[search.Code] != "":
		return kindCode, []string{f[search.Code]}, true
	case only(search.System, search.Code) && f[search.Code] != "":
		return kindToken, []string{f[search.System], f[search.Code]}, true
	case only(search.Folded) && f[search.Folded] != "":
		return kindFolded, []string{f[search.Folded]}, true
	case only(search.Exact) && f[search.Exact] != "":
		return kindExact, []string{f[search.Exact]}, true
	case only(search.Type, search.ID) && f[search.ID] != "":
		return kindReference, []string{f[search.Type], f[search.ID]}, true
	case only(search.URI) && f[search.URI] != "":
		return kindURI, []string{f[search.URI]}, true
	}
	return "", nil, false
}

// prefixOf returns the prefix that exactly the terms have whose resources satisfy s.
func prefixOf(s search.Some) (string, bool) {
	if len(s.Where) != 1 || s.Where[0].Part != 0 || s.Where[0].Value == "" {
		return "", false
	}
	c := s.Where[0]
	switch {
	case c.Op == search.Prefix && c.Field == search.Folded:
		return term(s.Param, kindFolded, c.Value), true
	case c.Op == search.Prefix && c.Field == search.Exact:
		return term(s.Param, kindExact, c.Value), true
	case c.Op == search.Prefix && c.Field == search.URI:
		return term(s.Param, kindURI, c.Value), true
	case c.Op == search.Prefix && c.Field == search.Code:
		return term(s.Param, kindCode, c.Value), true
	case c.Op == search.Eq && c.Field == search.Type:
		return term(s.Param, kindReference, c.Value, ""), true
	case c.Op == search.Eq && c.Field == search.System:
		return term(s.Param, kindToken, c.Value, ""), true
	}
	return "", false
}

// startsWith returns the condition on a string, or on one item of an array, that it starts with prefix.
func startsWith(prefix string) bson.D {
	return bson.D{{Key: "$gte", Value: prefix}, {Key: "$lt", Value: after(prefix)}}
}

// after returns the least string above all that start with prefix; "" where there is none.
func after(prefix string) string {
	b := []byte(prefix)
	for len(b) > 0 && b[len(b)-1] == 0xff {
		b = b[:len(b)-1]
	}
	if len(b) == 0 {
		return ""
	}
	b[len(b)-1]++
	return string(b)
}

// filterSome returns the filter of one condition.
func filterSome(s search.Some) bson.D {
	if t, ok := termOf(s); ok {
		return bson.D{{Key: pathTerms, Value: t}}
	}
	if p, ok := prefixOf(s); ok {
		return bson.D{{Key: pathTerms, Value: bson.D{{Key: "$elemMatch", Value: startsWith(p)}}}}
	}
	if len(s.Where) == 0 {
		return bson.D{{Key: pathSort + keyName(s.Param) + "." + memberWidth, Value: bson.D{{Key: "$exists", Value: true}}}}
	}
	if len(s.Where) == 1 && s.Where[0].Op == search.Contains && s.Where[0].Part == 0 && len(s.Where[0].Value) > maxPattern {
		return filterLong(s)
	}
	var or bson.A
	if f, ok := filterRange(s); ok {
		or = append(or, f)
	}
	if f, ok := filterEntry(s); ok {
		or = append(or, f)
	}
	switch len(or) {
	case 0:
		return never
	case 1:
		return or[0].(bson.D)
	}
	return bson.D{{Key: "$or", Value: or}}
}

// maxPattern is how long a text may be that is looked for by a pattern, of which the server takes 32 KB.
const maxPattern = 8 << 10

// filterLong returns the filter of one condition that a long text is in a field.
func filterLong(s search.Some) bson.D {
	literal := func(v string) bson.D { return bson.D{{Key: "$literal", Value: v}} }
	has := func(path, param string) bson.D {
		holds := bson.D{{Key: "$and", Value: bson.A{
			bson.D{{Key: "$eq", Value: bson.A{"$$this." + memberParam, literal(param)}}},
			bson.D{{Key: "$gte", Value: bson.A{bson.D{{Key: "$indexOfBytes", Value: bson.A{"$$this." + fieldNames[s.Where[0].Field], literal(s.Where[0].Value)}}}, 0}}},
		}}}
		found := bson.D{{Key: "$filter", Value: bson.D{{Key: "input", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$" + path, bson.A{}}}}}, {Key: "cond", Value: holds}}}}
		return bson.D{{Key: "$expr", Value: bson.D{{Key: "$gt", Value: bson.A{bson.D{{Key: "$size", Value: found}}, 0}}}}}
	}
	return bson.D{{Key: "$or", Value: bson.A{has(pathEntries, s.Param), has(pathRanges, string(appendPart(nil, s.Param)))}}}
}

// filterRange returns the filter on ranges, which have no parts; ok is false where none can satisfy s.
func filterRange(s search.Some) (bson.D, bool) {
	match := bson.D{{Key: memberParam, Value: string(appendPart(nil, s.Param))}}
	var and bson.A
	for _, c := range s.Where {
		if c.Part != 0 {
			return nil, false
		}
		f, possible := compare(fieldNames[c.Field], c, c.Field != search.Lo && c.Field != search.Hi)
		if !possible {
			return nil, false
		}
		and = append(and, f)
	}
	return elemMatch(pathRanges, match, and), true
}

// boundedRange is filterRange with a branch for each width of ranges that can satisfy s: "hi above A" says where lo begins only beside a width,
// and lo is what an index is ordered by.
func boundedRange(s search.Some) (bson.D, bool) {
	whole, ok := filterRange(s)
	if !ok {
		return nil, false
	}
	match := whole[0].Value.(bson.D)[0].Value.(bson.D)
	var branches bson.A
	for w := int32(widthSeveral); w < widthNone; w++ {
		branch := bson.D{match[0], {Key: memberWidth, Value: w}}
		if w != widthSeveral { // of which nothing is known: its bounds may stand the wrong way round
			lo := placeIn(s.Where, w)
			if lo.empty() {
				continue
			}
			branch = append(branch, bson.E{Key: memberLo, Value: lo.condition()})
		}
		if len(match) > 1 {
			branch = append(branch, bson.E{Key: "$and", Value: bson.A{match[1:]}})
		}
		branches = append(branches, bson.D{{Key: pathRanges, Value: bson.D{{Key: "$elemMatch", Value: branch}}}})
	}
	return bson.D{{Key: "$or", Value: branches}}, true
}

// filterEntry returns the filter on entries without a range.
func filterEntry(s search.Some) (bson.D, bool) {
	match := bson.D{{Key: memberParam, Value: s.Param}}
	var and bson.A
	for _, c := range s.Where {
		name := fieldNames[c.Field]
		if c.Part == 0 {
			// An entry with a bound is a range.
			if (c.Field == search.Lo || c.Field == search.Hi) && !holds(c, "") {
				return nil, false
			}
		} else {
			part := string(rune('0' + c.Part))
			if c.Part > 9 {
				return nil, false
			}
			and = append(and, bson.D{{Key: part, Value: bson.D{{Key: "$exists", Value: true}}}})
			name = part + "." + name
		}
		f, possible := compare(name, c, true)
		if !possible {
			return nil, false
		}
		and = append(and, f)
	}
	return elemMatch(pathEntries, match, and), true
}

// elemMatch returns the condition that one item of an array satisfies match and all conditions.
func elemMatch(path string, match bson.D, conditions bson.A) bson.D {
	seen := map[string]bool{}
	var rest bson.A
	for _, c := range conditions {
		d := c.(bson.D)
		if len(d) == 0 {
			continue
		}
		if len(d) == 1 && !seen[d[0].Key] && !strings.HasPrefix(d[0].Key, "$") {
			seen[d[0].Key] = true
			match = append(match, d[0])
			continue
		}
		rest = append(rest, d)
	}
	if len(rest) > 0 {
		match = append(match, bson.E{Key: "$and", Value: rest})
	}
	return bson.D{{Key: path, Value: bson.D{{Key: "$elemMatch", Value: match}}}}
}

// fieldNames are the members of entries.
var fieldNames = [...]string{
	search.System: memberSystem, search.Code: memberCode, search.Folded: memberFolded, search.Exact: memberExact, search.Lo: memberLo,
	search.Hi: memberHi, search.Type: memberType, search.ID: memberID, search.URI: memberURI,
}

// compare returns the condition on one member of an entry; an absent one is "" where optional. possible is false where nothing can satisfy
// it; an empty condition always holds.
func compare(name string, c search.Comparison, optional bool) (f bson.D, possible bool) {
	var op string
	var value any = c.Value
	switch c.Op {
	case search.Eq:
		op = "$eq"
		if optional && c.Value == "" {
			return bson.D{{Key: name, Value: nil}}, true
		}
	case search.Lt:
		op = "$lt"
		if c.Value == "" {
			return nil, false
		}
	case search.Le:
		op = "$lte"
	case search.Gt:
		op = "$gt"
	case search.Ge:
		op = "$gte"
		if c.Value == "" {
			return nil, true
		}
	case search.Prefix:
		if c.Value == "" {
			return nil, true
		}
		bounds := startsWith(c.Value)
		if bounds[1].Value == "" { // only bytes that no text has
			bounds = bounds[:1]
		}
		return bson.D{{Key: name, Value: bounds}}, true
	case search.Contains, search.Suffix:
		if c.Value == "" {
			return nil, true
		}
		if !utf8.ValidString(c.Value) {
			// No text that came from JSON holds it, but a store is not the one to judge; what is equal is found.
			return bson.D{{Key: name, Value: c.Value}}, true
		}
		pattern := quoteRegex(c.Value)
		if c.Op == search.Suffix {
			pattern += `\z`
		}
		return bson.D{{Key: name, Value: bson.Regex{Pattern: pattern}}}, true
	default:
		return nil, false
	}
	cond := bson.D{{Key: name, Value: bson.D{{Key: op, Value: value}}}}
	if optional && holds(c, "") {
		return bson.D{{Key: "$or", Value: bson.A{bson.D{{Key: name, Value: nil}}, cond}}}, true
	}
	return cond, true
}

// holds reports whether value is in c's relation, for the orders.
func holds(c search.Comparison, value string) bool {
	e := search.Entry{Code: value}
	c.Part, c.Field = 0, search.Code
	return e.Satisfies([]search.Comparison{c})
}

// quoteRegex returns a pattern that finds s itself.
func quoteRegex(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == 0:
			b.WriteString(`\x00`)
		case c < 0x80 && !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == ' '):
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
