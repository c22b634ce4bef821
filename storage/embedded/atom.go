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

// scans returns the scans that together read every resource that satisfies an atom on a parameter of a type; false where no index of the
// parameter can tell.
func (r *reader) scans(typ string, a atom) ([]*scan, bool) {
	num, ok := r.s.dict.find(typ, a.param)
	if !ok {
		return nil, true
	}
	st := r.s.dict.shapeOf(num)
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
