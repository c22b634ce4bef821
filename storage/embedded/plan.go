package embedded

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// tuning are the planner's limits. They never change the result; tests make them small to reach everything with little data.
type tuning struct {
	pass    int                      // ids that one pass over an unsorted scan keeps
	streams int                      // scans that are merged with an iterator each; more share one
	inner   float64                  // inner results of a chain that are read before the outer ones; more are asked resource by resource
	grouped float64                  // rows from which on a range may be read from its groups
	pick    func(*planner) []*source // in place of choose
	walk    bool                     // orders are always read from an index where one has them
}

// tuned are the limits that the measurements in DECISIONS.md were made with.
var tuned = tuning{pass: 8192, streams: 16, inner: 2000, grouped: 512}

// planner makes the plan of a query on one type.
type planner struct {
	r   *reader
	typ string
	num uint32
	// documents has the records of matches kept as they are looked at.
	documents bool
	total     float64 // resources of the type
	conj      []search.Expr
	atoms     []*atom // by conjunct; nil where it is none
	per       []*source
	all       []*source // sources for one or more conjuncts
	fixed     []*source // what is read; nil where it is to be chosen from all
	exist     bool      // ids that the streams are sure of are those of resources that exist

	merged []mergedAtom

	expected float64 // what matches told; negative until it is asked
}

// plan collects the sources of a condition.
func (r *reader) plan(ctx context.Context, typ string, num uint32, where search.Expr) (*planner, error) {
	p, err := r.newPlanner(ctx, typ, num, where)
	if err != nil {
		return nil, err
	}
	return p, p.addSources(ctx, 0)
}

// newPlanner takes a condition apart. Its sources are not collected yet, which reads indexes for estimates.
func (r *reader) newPlanner(ctx context.Context, typ string, num uint32, where search.Expr) (*planner, error) {
	if err := ctx.Err(); err != nil {
		return nil, err // deep chains spend their time in plans
	}
	n, err := r.countType(typ)
	if err != nil {
		return nil, err
	}
	p := &planner{r: r, expected: -1, typ: typ, num: num, total: float64(n), conj: search.Conjuncts(where)}
	for i, e := range p.conj {
		if p.conj[i], err = r.reduced(typ, e); err != nil {
			return nil, err
		}
	}
	p.atoms = make([]*atom, len(p.conj))
	p.per = make([]*source, len(p.conj))
	for i, e := range p.conj {
		if a, ok := atomOf(e); ok {
			p.atoms[i] = &a
		}
	}
	p.merged = p.mergeRanges()
	return p, nil
}

// obvious fixes a query by id whose only condition is read from few streams in the order of ids, as a token is: whatever they hold, all
// ids of the type are more, so no index is read to find that out. It reports whether the query is such.
func (p *planner) obvious() bool {
	if len(p.conj) != 1 || p.atoms[0] == nil || p.r.s.tune.pick != nil {
		return false
	}
	scans, ok := p.r.scans(p.typ, *p.atoms[0])
	if !ok || len(scans) == 0 || len(scans) > fewStreams {
		return false
	}
	for _, s := range scans {
		if !s.sorted() {
			return false
		}
	}
	s := p.streams(scans, p.typ+": "+p.atoms[0].param)
	s.conj = []int{0}
	p.all, p.per[0], p.fixed = []*source{s}, s, []*source{s}
	return true
}

const (
	// fewStreams is how many streams are merged without a look at what else there is.
	fewStreams = 8
	// fewRows is how many rows of a compound are read without a look at what else there is. An estimate below it is a count.
	fewRows = 48
)

// addSources collects the sources of the conditions, for the first want matches or for all of them.
func (p *planner) addSources(ctx context.Context, want int) error {
	if len(p.conj) > 1 {
		// A compound that has few rows for all conditions leaves nothing to look for.
		if err := p.addCompounds(p.merged); err != nil {
			return err
		}
		for _, s := range p.all {
			if len(s.conj) == len(p.conj) && s.est < fewRows && p.r.s.tune.pick == nil {
				p.fixed = []*source{s}
				for i := range p.per {
					p.per[i] = s
				}
				return nil
			}
		}
	}
	for _, m := range p.merged {
		s, err := p.atomSource(m.atom)
		if err != nil {
			return err
		}
		if s != nil {
			s.conj = m.conj
			p.all = append(p.all, s)
			for _, i := range m.conj {
				p.per[i] = s
			}
		}
	}
	for i, e := range p.conj {
		if p.per[i] != nil {
			continue
		}
		s, err := p.sourceOf(ctx, e)
		if err != nil {
			return err
		}
		if s != nil {
			s.conj = []int{i}
			p.per[i] = s
			p.all = append(p.all, s)
		}
	}
	if want > 0 && p.r.s.tune.pick == nil {
		least := p.costOf(nil, want)
		for _, s := range p.all {
			least = min(least, p.costOf(s, want))
		}
		if least <= cheap*costProbe {
			return nil
		}
	}
	return p.addGroups()
}

// cheap is how many resources a plan may try and still be taken without a look at groups, whose enumeration costs as much.
const cheap = 64

// mergedAtom is several conditions on one parameter that a single entry has to satisfy.
type mergedAtom struct {
	atom
	conj []int
}

// mergeRanges joins conditions on the same single-valued parameter, as "date from" and "date to" are.
func (p *planner) mergeRanges() []mergedAtom {
	var out []mergedAtom
	for i, a := range p.atoms {
		if a == nil || slices.ContainsFunc(out, func(m mergedAtom) bool { return m.param == a.param }) {
			continue
		}
		m := mergedAtom{conj: []int{i}}
		and := search.And{a.expr}
		for j := i + 1; j < len(p.atoms); j++ {
			if b := p.atoms[j]; b != nil && b.param == a.param {
				and = append(and, b.expr)
				m.conj = append(m.conj, j)
			}
		}
		if len(and) < 2 {
			continue
		}
		num, ok := p.r.s.dict.find(p.typ, a.param)
		if st := p.r.s.dict.shapeOf(num); ok && st.shape&shapeForms == shapeRange && st.shape&shapeMany == 0 {
			m.atom = atom{a.param, and}
			out = append(out, m)
		}
	}
	return out
}

// addGroups adds sources that read large ranges from their groups, unless something else reads little anyway.
func (p *planner) addGroups() error {
	for _, s := range p.all {
		if s.est+s.whole < p.r.s.tune.grouped {
			return nil
		}
	}
	add := func(a atom, of *source) error {
		if of == nil || of.whole < p.r.s.tune.grouped {
			return nil
		}
		scans, ok, err := p.r.groupScans(p.typ, a)
		if err != nil || !ok {
			return err
		}
		s, err := p.scanSource(scans, of.index)
		if err != nil {
			return err
		}
		s.rows, s.est, s.conj, s.kind = s.est, math.Min(of.est, s.est), of.conj, "range"
		p.all = append(p.all, s)
		return nil
	}
	for _, of := range slices.Clone(p.all) {
		if of.whole < p.r.s.tune.grouped || !slices.ContainsFunc(of.scans, func(s *scan) bool { return s.variant == byParts }) {
			continue
		}
		scans, ok, err := p.r.jointGroups(of.scans)
		if err != nil {
			return err
		}
		if ok {
			p.all = append(p.all, p.groupSource(scans, of))
		}
	}
	for _, m := range p.merged {
		if err := add(m.atom, p.per[m.conj[0]]); err != nil {
			return err
		}
	}
	for i, a := range p.atoms {
		if s := p.per[i]; a != nil && s != nil && len(s.conj) == 1 {
			if err := add(*a, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// groupSource returns the source that reads in groups what another reads whole: about as many rows, and those that it still reads whole.
func (p *planner) groupSource(scans []*scan, of *source) *source {
	s := *of
	s.scans, s.parts, s.kind, s.sorted = scans, len(scans), "range", true
	s.rows, s.whole = 1.5*of.est, 0
	for _, sc := range scans {
		if !sc.sorted() {
			s.sorted = false
			s.whole += sc.few
		}
	}
	s.open = func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
		return p.r.openScans(ctx, scans, reverse, x.stats)
	}
	return &s
}

// addCompounds adds the sources that compounds give.
func (p *planner) addCompounds(merged []mergedAtom) error {
	for _, c := range search.Compounds(p.typ) {
		atoms, conj, ok := p.compoundAtoms(c.Params, merged, true)
		if !ok || len(conj) < 2 {
			continue
		}
		if last := len(atoms) - 1; atoms[last] == nil {
			// Without a condition on the last parameter the compound has all, if all resources have it.
			if all, err := p.r.complete(p.typ, c.Params[last]); err != nil {
				return err
			} else if !all {
				continue
			}
		}
		scans, ok := p.r.compoundScans(p.typ, c.Params, atoms)
		if !ok {
			continue
		}
		s, err := p.scanSource(scans, p.typ+": "+strings.Join(c.Params, "+"))
		if err != nil {
			return err
		}
		s.conj = conj
		p.all = append(p.all, s)
	}
	return nil
}

// compoundAtoms returns the query's conditions on a compound's parameters. With order the last parameter need not have one.
func (p *planner) compoundAtoms(params []string, merged []mergedAtom, order bool) (atoms []*atom, conj []int, ok bool) {
	atoms = make([]*atom, len(params))
	for i, param := range params {
		for j, a := range p.atoms {
			if a != nil && a.param == param {
				atoms[i] = a
				conj = append(conj, j)
				break
			}
		}
		if i == len(params)-1 {
			for _, m := range merged {
				if m.param == param {
					conj = append(conj[:len(conj)-1], m.conj...)
					atoms[i] = &m.atom
				}
			}
		}
		if atoms[i] == nil && !(order && i == len(params)-1) {
			return nil, nil, false
		}
	}
	return atoms, conj, true
}
