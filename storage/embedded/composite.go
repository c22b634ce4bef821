package embedded

import (
	"github.com/fhirgate/fhirgate/fhir/search"
)

// compositeScans returns the scans for an atom on a composite: one for each alternative.
func compositeScans(num uint32, st shapeState, a atom) ([]*scan, bool) {
	if st.shape&shapeMixed != 0 {
		return nil, false
	}
	var out []*scan
	ok := true
	eachSome(a.expr, func(sm search.Some) {
		if len(out) > maxChoices {
			ok = false
			return
		}
		none := search.Entry{}
		for i := range sm.Where {
			c := sm.Where[i]
			if c.Part > len(st.parts) || c.Part == 0 && !none.Satisfies([]search.Comparison{c}) {
				return
			}
		}
		for i := range len(st.parts) {
			if !possible(sm.Where, i+1, st.parts[i]) {
				return
			}
		}
		variant, parts := byParts, []byte(st.parts)
		last := len(parts) - 1
		var start bounds
		hiOnly := false
		var over *reach
		if parts[last] == byLo {
			lo, _ := fieldBounds(sm.Where, last+1, search.Lo)
			hi, _ := fieldBounds(sm.Where, last+1, search.Hi)
			if hiOnly = hi.hasLow && !lo.hasLow; hiOnly {
				start = bounds{low: earliest(hi, st.shape), hasLow: true}
				over = &reach{over: start.low, least: hi.low}
			}
		}
		add := func(variant byte, parts []byte, over *reach) {
			s := newScan(num, variant, string(parts))
			s.composite, s.params = true, []string{a.param}
			s.filter = []search.Expr{sm}
			for i, p := range parts {
				if p == byNothing {
					s.verify = true
					continue
				}
				if p == byFolded {
					for _, c := range sm.Where {
						if c.Part == i+1 && c.Field == search.Exact {
							s.verify = true
						}
					}
				}
				if i == last && over != nil {
					s.narrowBy(choice{letter: byHi, reach: over})
					break
				}
				b, _ := fieldBounds(sm.Where, i+1, column(p))
				if p == byLo {
					if hi, _ := fieldBounds(sm.Where, i+1, search.Hi); hi.hasHigh && !hi.prefix {
						b = b.and(bounds{high: hi.high, hasHigh: true})
					}
					if i == last && hiOnly {
						b = b.and(start)
					}
				}
				if b.empty() {
					return
				}
				s.narrowTo(b)
				if !b.equal() {
					break
				}
			}
			out = append(out, s)
		}
		add(variant, parts, nil)
		if hiOnly && st.shape&shapeWide != 0 && over.over != "" {
			high := append([]byte(nil), parts...)
			high[last] = byHi
			add(byPartsHigh, high, over)
		}
	})
	return out, ok
}

// compoundScans returns the scans of a compound for atoms on all of its parameters: equality on all but the last. sorted tells that the
// last may be nil, to read all rows in its order. ok is false where the compound can't serve them.
func (r *reader) compoundScans(typ string, params []string, atoms []*atom) (out []*scan, ok bool) {
	num, found := r.s.dict.find(typ, compoundName(params))
	if !found {
		return nil, false
	}
	if r.s.dict.shapeOf(num).shape&shapeOverflow != 0 {
		return nil, false
	}
	per := make([][]choice, len(params))
	total := 1
	for i, p := range params {
		pn, found := r.s.dict.find(typ, p)
		if !found {
			return nil, true
		}
		st := r.s.dict.shapeOf(pn)
		if atoms[i] == nil {
			if st.shape&(shapeComposite|shapeOther) != 0 {
				return nil, false
			}
			for _, l := range letters {
				if st.shape&l.form != 0 {
					per[i] = append(per[i], choice{letter: l.letter, exact: true})
				}
			}
		} else if per[i], found = choices(st, atoms[i].expr); !found {
			return nil, false
		}
		if i < len(params)-1 {
			for _, c := range per[i] {
				if !c.b.equal() || c.letter == byHi || c.letter == byExact {
					return nil, false
				}
			}
		}
		if total *= len(per[i]); total > maxCombinations {
			return nil, false
		}
	}
	for n := range total {
		ls := make([]byte, len(params))
		picked := make([]choice, len(params))
		for i, cs := range per {
			picked[i] = cs[n%len(cs)]
			ls[i] = picked[i].letter
			n /= len(cs)
		}
		last := picked[len(picked)-1]
		variant := byParts
		switch last.letter {
		case byHi:
			variant = byPartsHigh
		case byExact:
			return nil, false
		}
		s := newScan(num, variant, string(ls))
		s.params = params
		filter := make([]search.Expr, len(params))
		looked := make([]search.Expr, len(params))
		need := false
		for i, c := range picked {
			if atoms[i] != nil {
				looked[i] = atoms[i].expr
				if !c.exact {
					filter[i], need = atoms[i].expr, true
				}
			}
		}
		if need {
			s.setFilter(filter, looked)
		} else {
			s.setFilter(nil, looked)
		}
		for _, c := range picked {
			s.narrowBy(c)
			if !c.b.equal() {
				break
			}
		}
		out = append(out, s)
	}
	return out, true
}
