package embedded

import (
	"github.com/fhirgate/fhirgate/fhir/search"
)

// atom is a condition on single entries of one parameter: it holds where one entry satisfies expr, which is a Some, an Or of them, or, for
// a parameter with one entry at most, an And of such.
type atom struct {
	param string
	expr  search.Expr
}

// atomOf returns e as an atom.
func atomOf(e search.Expr) (atom, bool) {
	switch e := e.(type) {
	case search.Some:
		return atom{e.Param, e}, true
	case search.Or:
		if len(e) == 0 {
			return atom{}, false
		}
		first, ok := atomOf(e[0])
		if !ok {
			return atom{}, false
		}
		for _, c := range e[1:] {
			if a, ok := atomOf(c); !ok || a.param != first.param {
				return atom{}, false
			}
		}
		return atom{first.param, e}, true
	case search.And:
		if len(e) == 1 {
			return atomOf(e[0])
		}
	}
	return atom{}, false
}

// eachSome calls f with every Some of an atom's expr.
func eachSome(e search.Expr, f func(search.Some)) {
	switch e := e.(type) {
	case search.Some:
		f(e)
	case search.Or:
		for _, c := range e {
			eachSome(c, f)
		}
	case search.And:
		for _, c := range e {
			eachSome(c, f)
		}
	}
}

// choice is one way to read the rows of a slot that can satisfy an atom: those of a form, within bounds. The choices of an atom together
// have all of them.
type choice struct {
	letter byte
	b      bounds
	exact  bool   // every row within the bounds satisfies the atom
	reach  *reach // in place of bounds, for byHi
}

// fieldsOf are the fields that the entries of a form may set.
func fieldsOf(letter byte) []search.Field {
	switch letter {
	case byCode:
		return []search.Field{search.System, search.Code}
	case byFolded, byExact:
		return []search.Field{search.Folded, search.Exact}
	case byLo, byHi:
		return []search.Field{search.Lo, search.Hi, search.System, search.Code}
	case byID:
		return []search.Field{search.Type, search.ID}
	case byURI:
		return []search.Field{search.URI}
	}
	return nil
}

// possible reports whether an entry of a form can satisfy the comparisons on a part, as far as the fields that it never sets tell.
func possible(where []search.Comparison, part int, letter byte) bool {
	if letter == byNothing {
		return true
	}
	none := search.Entry{}
	fields := fieldsOf(letter)
next:
	for i := range where {
		c := where[i]
		if c.Part != part {
			continue
		}
		for _, f := range fields {
			if f == c.Field {
				continue next
			}
		}
		c.Part = 0
		if !none.Satisfies([]search.Comparison{c}) {
			return false
		}
	}
	return true
}

// letters are the forms of simple entries by bit.
var letters = [...]struct {
	form   shape
	letter byte
}{
	{shapeToken, byCode}, {shapeString, byFolded}, {shapeRange, byLo}, {shapeReference, byID}, {shapeURI, byURI},
}

// maxChoices bounds the scans of one atom.
const maxChoices = 20_000

// choices returns how the rows of a simple parameter that can satisfy an atom are read; false where its entries have other forms than the
// simple ones. No choices mean that nothing satisfies it.
func choices(st shapeState, e search.Expr) ([]choice, bool) {
	if st.shape&(shapeComposite|shapeOther) != 0 {
		return nil, false
	}
	var out []choice
	for _, l := range letters {
		if st.shape&l.form == 0 {
			continue
		}
		if l.letter == byLo {
			out = append(out, rangeChoices(e, st.shape)...)
			continue
		}
		eachSome(e, func(s search.Some) {
			if len(out) <= maxChoices && possible(s.Where, 0, l.letter) {
				out = append(out, choiceOf(s.Where, 0, l.letter))
			}
		})
	}
	return out, len(out) <= maxChoices
}

// choiceOf returns the choice for comparisons on one part.
func choiceOf(where []search.Comparison, part int, letter byte) choice {
	if letter == byFolded {
		for i := range where {
			c := &where[i]
			if c.Part == part && c.Field == search.Exact && c.Value != "" && (c.Op == search.Eq || c.Op == search.Prefix) {
				letter = byExact
			}
		}
	}
	b, exact := fieldBounds(where, part, column(letter))
	return choice{letter: letter, b: b, exact: exact && len(b.low) < maxColumn && len(b.high) < maxColumn}
}

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

// scans returns the scans that together read every resource that satisfies an atom on a parameter of a type; false where no index of the
// parameter can tell.
func (r *reader) scans(typ string, a atom) ([]*scan, bool) {
	num, ok := r.s.names.find(typ, a.param)
	if !ok {
		return nil, true
	}
	st := r.s.names.shapeOf(num)
	switch {
	case st.shape&shapeForms == shapeComposite:
		return compositeScans(num, st, a)
	case st.shape&shapeComposite != 0:
		return nil, false
	case st.shape&shapeForms == shapeOther:
		s := newScan(num, byNothing, string(byNothing))
		s.verify = true
		return []*scan{s}, true
	}
	cs, ok := choices(st, a.expr)
	if !ok {
		return nil, false
	}
	out := make([]*scan, 0, len(cs))
	for _, c := range cs {
		s := newScan(num, c.letter, string(c.letter))
		s.params = []string{a.param}
		if !c.exact {
			s.setFilter([]search.Expr{a.expr}, []search.Expr{a.expr})
		}
		s.narrowBy(c)
		out = append(out, s)
	}
	return dedupe(out), true
}

// setFilter sets the filter of the slots, or has the entries asked where a slot's rows lack a field that its expr looks at.
func (s *scan) setFilter(filter, looked []search.Expr) {
	s.filter = filter
	for i, e := range looked {
		var other search.Field
		switch s.letters[min(i, len(s.letters)-1)] {
		case byFolded:
			other = search.Exact
		case byExact:
			other = search.Folded
		default:
			continue
		}
		eachSome(e, func(sm search.Some) {
			for _, c := range sm.Where {
				if c.Field == other {
					s.verify = true
				}
			}
		})
	}
}

// dedupe drops scans that read the same rows.
func dedupe(in []*scan) []*scan {
	if len(in) < 2 {
		return in
	}
	seen := make(map[string]bool, len(in))
	out := in[:0]
	for _, s := range in {
		k := string(s.lower) + "\x00\x00" + string(s.upper)
		if !seen[k] || s.filter != nil {
			out = append(out, s)
		}
		seen[k] = true
	}
	return out
}
