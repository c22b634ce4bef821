package search

// prefix is a comparison prefix of dates, numbers and quantities (https://hl7.org/fhir/R4/search.html#prefix).
type prefix uint8

const (
	prefixEq prefix = iota
	prefixNe
	prefixGt
	prefixLt
	prefixGe
	prefixLe
	prefixSa
	prefixEb
	prefixAp
)

// prefixNames are the prefixes as they are written, in the order of the constants.
var prefixNames = [...]string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

// cutPrefix takes the prefix off a value; eq where the value begins with a digit or sign. ok is false where it begins with letters that are
// no prefix.
func cutPrefix(s string) (p prefix, rest string, ok bool) {
	if len(s) < 2 || !isLetter(s[0]) {
		return prefixEq, s, true
	}
	for i, name := range prefixNames {
		if s[:2] == name {
			return prefix(i), s[2:], true
		}
	}
	return prefixEq, s, false
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// compare returns what an entry must satisfy to stand in the relation p to q: one of the alternatives. The stored range is [Lo, Hi). R4's
// table, in its words, with the search value's range q and the target's range t:
//
//	eq  q fully contains t
//	ne  q does not fully contain t
//	gt  the range above q intersects t
//	lt  the range below q intersects t
//	ge  the range above q intersects t, or q fully contains t
//	le  the range below q intersects t, or q fully contains t
//	sa  q does not overlap t, and the range above q contains t
//	eb  q does not overlap t, and the range below q contains t
//	ap  q, widened by a tenth, overlaps t
//
// So ge2014 and le2014 find what lies in 2014. For ge "above or contained" comes down to "Hi above q, or Lo in or above q": a t that starts
// in or above q is contained or reaches above it. Where q is a point, as numbers are, the range above it "includes any value greater or equal":
// ge and le find a Range that begins or ends with it. ne is asked of each value on its own, and a resource without any has none that differs.
func (p prefix) compare(q interval) [][]Comparison {
	switch p {
	case prefixNe:
		return [][]Comparison{{{Field: Lo, Op: Lt, Value: q.lo}}, {{Field: Hi, Op: Gt, Value: q.hi}}}
	case prefixGt:
		return [][]Comparison{{{Field: Hi, Op: Gt, Value: q.hi}}}
	case prefixLt:
		return [][]Comparison{{{Field: Lo, Op: Lt, Value: q.lo}}}
	case prefixGe:
		if q.isPoint() {
			return [][]Comparison{{{Field: Hi, Op: Gt, Value: q.lo}}}
		}
		return [][]Comparison{{{Field: Lo, Op: Ge, Value: q.lo}}, {{Field: Hi, Op: Gt, Value: q.hi}}}
	case prefixLe:
		if q.isPoint() {
			return [][]Comparison{{{Field: Lo, Op: Lt, Value: q.hi}}}
		}
		return [][]Comparison{{{Field: Hi, Op: Le, Value: q.hi}}, {{Field: Lo, Op: Lt, Value: q.lo}}}
	case prefixSa:
		return [][]Comparison{{{Field: Lo, Op: Ge, Value: q.hi}}}
	case prefixEb:
		return [][]Comparison{{{Field: Hi, Op: Le, Value: q.lo}}}
	case prefixAp:
		return [][]Comparison{{{Field: Lo, Op: Lt, Value: q.hi}, {Field: Hi, Op: Gt, Value: q.lo}}}
	}
	return [][]Comparison{{{Field: Lo, Op: Ge, Value: q.lo}, {Field: Hi, Op: Le, Value: q.hi}}}
}
