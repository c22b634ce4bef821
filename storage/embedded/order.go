package embedded

import (
	"math"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// Which index an ordered query is walked in.

// walkFor returns the cheapest walk for a query; nil where there is none.
func (p *planner) walkFor(q search.Query) (*walk, error) {
	walks, err := p.walks(q)
	if err != nil {
		return nil, err
	}
	var best *walk
	for _, w := range walks {
		est, err := p.r.estimateScan(w.s)
		if err != nil {
			return nil, err
		}
		read := est
		if m := p.matches(); m > float64(q.Limit) {
			read = math.Min(est, math.Max(float64(q.Limit), est*float64(q.Limit)/m))
		}
		// What the rows decide is not fetched.
		if len(w.conj) == len(p.conj) {
			read = math.Min(read, float64(q.Limit))
		}
		wide, err := w.estimateWide()
		if err != nil {
			return nil, err
		}
		w.cost = costSeek + read*costProbe + wide*costProbe + costSeek*float64(len(w.wide))
		if best == nil || w.cost < best.cost {
			best = w
		}
	}
	return best, nil
}

// fewWide is how many wide ranges a walk may read on the side and still be taken without a look at other plans.
const fewWide = 64

// decided returns a walk whose rows decide all conditions, so that it reads about the rows of a page and no plan reads less: there is nothing
// to compare it with, and no index is read to find that out. It is nil where there is none; then the sources are worth collecting.
func (p *planner) decided(q search.Query) (*walk, error) {
	if p.r.s.tune.pick != nil {
		return nil, nil
	}
	walks, err := p.walks(q)
	if err != nil {
		return nil, err
	}
	for _, w := range walks {
		if !w.need || len(w.conj) != len(p.conj) {
			continue
		}
		if n, err := w.estimateWide(); err != nil || n <= fewWide {
			return w, err
		}
	}
	return nil, nil
}

// estimateWide returns about how many wide ranges the walk reads on the side.
func (w *walk) estimateWide() (sum float64, err error) {
	for _, s := range w.wide {
		n, err := w.p.r.estimateScan(s)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// walks returns the walks for a query: of the index of the parameter that it sorts by first, and of compounds that end in it.
func (p *planner) walks(q search.Query) ([]*walk, error) {
	first := q.Sort[0]
	if q.Limit == 0 || first.Chain != nil || first.Param == search.SortByID {
		return nil, nil
	}
	num, ok := p.r.s.dict.find(p.typ, first.Param)
	if !ok {
		return nil, nil
	}
	st := p.r.s.dict.shapeOf(num)
	var letter byte
	for _, l := range letters {
		if st.shape&shapeForms == l.form {
			letter = l.letter
		}
	}
	if letter == 0 || st.shape&shapeOddSort != 0 {
		return nil, nil
	}
	base := walk{p: p, q: q, single: st.shape&shapeMany == 0}
	var err error
	if base.need, err = p.r.complete(p.typ, first.Param); err != nil {
		return nil, err
	}
	if !base.need {
		base.need = slices.ContainsFunc(p.atoms, func(a *atom) bool { return a != nil && a.param == first.Param })
	}
	plain := base
	plain.index = p.typ + ": " + first.Param
	plain.s = newScan(num, letter, string(letter))
	plain.s.params = []string{first.Param}
	for i, a := range p.atoms {
		if a == nil || a.param != first.Param {
			continue
		}
		if scans, ok := p.r.scans(p.typ, *a); ok && base.single {
			plain.bound(scans, letter, byHi, 0, []int{i})
		}
	}
	for _, m := range p.merged {
		if m.param != first.Param {
			continue
		}
		if scans, ok := p.r.scans(p.typ, m.atom); ok {
			plain.bound(scans, letter, byHi, 0, m.conj)
		}
	}
	out := []*walk{&plain}
	for _, c := range search.Compounds(p.typ) {
		if c.Params[len(c.Params)-1] != first.Param {
			continue
		}
		atoms, conj, ok := p.compoundAtoms(c.Params, p.merged, true)
		if !ok {
			continue
		}
		last := len(atoms) - 1
		scans, ok := p.r.compoundScans(p.typ, c.Params, atoms)
		w := base
		w.index = p.typ + ": " + strings.Join(c.Params, "+")
		if ok = ok && (base.single || atoms[last] == nil) && w.bound(scans, byParts, byPartsHigh, last, conj); !ok && atoms[last] != nil {
			// The order wants all rows of the other parameters; the last condition is tried on each.
			atoms[last], conj = nil, conj[:last]
			scans, ok = p.r.compoundScans(p.typ, c.Params, atoms)
			ok = ok && w.bound(scans, byParts, byPartsHigh, last, conj)
		}
		if ok {
			out = append(out, &w)
		}
	}
	return out, nil
}

// bound makes w a walk of scans that together have all matches of the conditions conj: one in the order of the result, of the variant main
// with its first columns fixed, and beside it only ones of the wide ranges, of the variant high. It reports whether they are that.
func (w *walk) bound(scans []*scan, main, high byte, fixed int, conj []int) bool {
	var ordered *scan
	var wide []*scan
	for _, s := range scans {
		switch {
		case s.variant == main && ordered == nil && s.fixed == fixed && s.columns == fixed+1:
			ordered = s
		case s.variant == high:
			wide = append(wide, s)
		default:
			return false
		}
	}
	if ordered == nil {
		return false
	}
	w.s, w.wide, w.conj = ordered, wide, conj
	return true
}
