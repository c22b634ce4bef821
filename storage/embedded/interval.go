package embedded

import (
	"github.com/fhirgate/fhirgate/fhir/search"
)

// box is the hull of what a condition on a range accepts.
type box struct{ lo, hi bounds }

// hull returns the box of an atom over ranges; ok is false where no range can satisfy it.
func hull(e search.Expr, part int) (b box, ok bool) {
	switch e := e.(type) {
	case search.Some:
		if !possible(e.Where, part, byLo) {
			return box{}, false
		}
		lo, _ := fieldBounds(e.Where, part, search.Lo)
		hi, _ := fieldBounds(e.Where, part, search.Hi)
		return box{lo, hi}, true
	case search.Or:
		for _, c := range e {
			o, can := hull(c, part)
			switch {
			case !can:
			case !ok:
				b, ok = o, true
			default:
				b = box{b.lo.or(o.lo), b.hi.or(o.hi)}
			}
		}
		return b, ok
	case search.And:
		for i, c := range e {
			o, can := hull(c, part)
			if !can {
				return box{}, false
			}
			if i == 0 {
				b = o
			} else {
				b = box{b.lo.and(o.lo), b.hi.and(o.hi)}
			}
		}
		return b, true
	}
	return box{}, false
}

// rangeChoices returns the choices for an atom over ranges. An atom that bounds Lo from below, or nothing from below, is one scan by Lo: Lo
// is never above Hi, so a bound of Hi from above bounds Lo too. One that bounds only Hi from below is a scan by Lo from where ranges that
// are not wide begin at the earliest, and one of the wide ranges that begin before and reach over that.
//
// Alternatives whose hull would lose the lower bound ("Lo from a, or Hi above b") keep it: each gives Lo a lower bound for ranges that are not
// wide.
func rangeChoices(e search.Expr, st shape) []choice {
	all, ok := hull(e, 0)
	if !ok || all.lo.empty() || all.hi.empty() {
		return nil
	}
	if all.hi.hasHigh && !all.hi.prefix {
		all.lo = all.lo.and(bounds{high: all.hi.high, hasHigh: true})
	}
	if all.lo.hasLow {
		return []choice{{letter: byLo, b: all.lo}}
	}
	start, ok := lowestStart(e, st)
	if !ok {
		return []choice{{letter: byLo, b: all.lo}}
	}
	b := all.lo
	b.low, b.hasLow = start, true
	out := []choice{{letter: byLo, b: b}}
	if st&shapeWide != 0 && start != "" {
		least := start
		if hi, ok := lowestEither(e); ok {
			least = max(least, hi)
		}
		out = append(out, choice{letter: byHi, reach: &reach{over: start, least: least}})
	}
	return out
}

// lowestStart returns the least Lo of a range that is not wide and can satisfy the atom; false where there is no bound.
func lowestStart(e search.Expr, st shape) (string, bool) {
	return lowest(e, func(lo, hi bounds) (string, bool) {
		low, ok := lo.low, lo.hasLow
		if hi.hasLow {
			if v := earliest(hi, st); !ok || v > low {
				low, ok = v, true
			}
		}
		return low, ok
	})
}

// lowestEither returns the least Hi of a range that can satisfy the atom: Hi is never below Lo.
func lowestEither(e search.Expr) (string, bool) {
	return lowest(e, func(lo, hi bounds) (string, bool) {
		low, ok := lo.low, lo.hasLow
		if hi.hasLow && (!ok || hi.low > low) {
			low, ok = hi.low, true
		}
		return low, ok
	})
}

// lowest combines the lower bounds of an atom's leaves: the least of alternatives, the greatest of what must hold together.
func lowest(e search.Expr, leaf func(lo, hi bounds) (string, bool)) (low string, ok bool) {
	switch e := e.(type) {
	case search.Some:
		lo, _ := fieldBounds(e.Where, 0, search.Lo)
		hi, _ := fieldBounds(e.Where, 0, search.Hi)
		return leaf(lo, hi)
	case search.Or:
		for i, c := range e {
			v, has := lowest(c, leaf)
			if !has {
				return "", false
			}
			if i == 0 || v < low {
				low, ok = v, true
			}
		}
	case search.And:
		for _, c := range e {
			if v, has := lowest(c, leaf); has && (!ok || v > low) {
				low, ok = v, true
			}
		}
	}
	return low, ok
}
