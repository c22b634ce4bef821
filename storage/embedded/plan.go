package embedded

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// tuning are the planner's limits. They never change what is answered; tests make them small to reach everything with little data.
type tuning struct {
	pass    int                      // ids that one pass over an unsorted scan keeps
	streams int                      // scans that are merged with an iterator each; more share one
	inner   float64                  // inner results of a chain that are read before the outer ones; more are asked resource by resource
	grouped float64                  // rows from which on a range may be read from its groups
	pick    func(*planner) []*source // in place of choose
	walk    bool                     // orders are always read from an index where one has them
}

// tuned are the limits that the measurements in doc.go were made with.
var tuned = tuning{pass: 8192, streams: 16, inner: 2000, grouped: 512}

// source is a way to get the ids that satisfy some of a query's conditions.
type source struct {
	kind   string // for Explain
	index  string
	conj   []int   // the conditions that it serves
	est    float64 // about how many ids
	rows   float64 // about how many rows it reads for all of them
	whole  float64 // rows that are read before the first id is given
	sorted bool    // in the order of ids without reading all of them
	parts  int     // streams that it merges
	full   bool    // it reads all rows of an index for a condition that does not bound them
	loose  bool    // it may give ids of resources that do not exist
	open   func(ctx context.Context, reverse bool, x *explainer) (ids, error)
	scans  []*scan // what it reads, if that is known
}

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

	merged []mergedAtom

	expected float64 // what matches told; negative until it is asked
}

// conjuncts flattens the Ands of a condition.
func conjuncts(e search.Expr, out []search.Expr) []search.Expr {
	switch e := e.(type) {
	case nil:
	case search.And:
		for _, c := range e {
			out = conjuncts(c, out)
		}
	default:
		out = append(out, e)
	}
	return out
}

// plan collects the sources of a condition.
func (r *reader) plan(ctx context.Context, typ string, num uint32, where search.Expr) (*planner, error) {
	p, err := r.newPlanner(ctx, typ, num, where)
	if err != nil {
		return nil, err
	}
	return p, p.addSources(ctx)
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
	p := &planner{r: r, expected: -1, typ: typ, num: num, total: float64(n), conj: conjuncts(where, nil)}
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

// addSources collects the sources of the conditions.
func (p *planner) addSources(ctx context.Context) error {
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
	if err := p.addCompounds(p.merged); err != nil {
		return err
	}
	return p.addGroups()
}

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
		num, ok := p.r.s.names.find(p.typ, a.param)
		if st := p.r.s.names.shapeOf(num); ok && st.shape&shapeForms == shapeRange && st.shape&shapeMany == 0 {
			m.atom = atom{a.param, and}
			out = append(out, m)
		}
	}
	return out
}

// sourceOf returns the source of one condition; nil where no index serves it.
func (p *planner) sourceOf(ctx context.Context, e search.Expr) (*source, error) {
	if a, ok := atomOf(e); ok {
		return p.atomSource(a)
	}
	switch e := e.(type) {
	case search.KeyIn:
		list := sortedList(slices.Clone(e.IDs))
		return &source{kind: "keys", index: p.typ + ": _id", est: float64(len(list)), sorted: true, parts: 1, loose: true,
			open: func(_ context.Context, reverse bool, _ *explainer) (ids, error) {
				return newListIDs(list, true, reverse), nil
			}}, nil
	case search.Or:
		return p.orSource(ctx, e)
	case search.And:
		q := p.sub(conjuncts(e, nil))
		var best *source
		for _, c := range q {
			s, err := p.sourceOf(ctx, c)
			if err != nil {
				return nil, err
			}
			if s != nil && (best == nil || s.est < best.est) {
				best = s
			}
		}
		if best == nil {
			return nil, nil
		}
		s := *best
		if len(q) > 1 {
			open := best.open
			s.open = func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
				in, err := open(ctx, reverse, x)
				return unsure{in}, err
			}
		}
		return &s, nil
	case search.Refers:
		return p.refersSource(ctx, e)
	case search.Referred:
		return p.referredSource(ctx, e)
	}
	return nil, nil
}

// sub is the conjuncts of a nested And.
func (p *planner) sub(c []search.Expr) []search.Expr { return c }

// unsure is a stream for more than the condition that it was made for.
type unsure struct{ ids }

func (unsure) sure() bool { return false }

// orSource merges the sources of alternatives, where each has one.
func (p *planner) orSource(ctx context.Context, e search.Or) (*source, error) {
	out := &source{kind: "union", sorted: true}
	var parts []*source
	var names []string
	for _, c := range e {
		s, err := p.sourceOf(ctx, c)
		if err != nil || s == nil {
			return nil, err
		}
		parts = append(parts, s)
		out.est += s.est
		out.parts += s.parts
		out.sorted = out.sorted && s.sorted
		out.loose = out.loose || s.loose
		if !slices.Contains(names, s.index) {
			names = append(names, s.index)
		}
	}
	out.index = strings.Join(names, " | ")
	out.open = func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
		var in []ids
		for _, s := range parts {
			st, err := s.open(ctx, reverse, x)
			if err != nil {
				for _, i := range in {
					i.close()
				}
				return nil, err
			}
			in = append(in, st)
		}
		if len(in) == 0 {
			return newListIDs(nil, true, reverse), nil
		}
		return newUnion(in, reverse), nil
	}
	return out, nil
}

// estimated is how many scans of a source are estimated; the others are taken to be like them.
const estimated = 16

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

// atomSource returns the source of a condition on one parameter.
func (p *planner) atomSource(a atom) (*source, error) {
	scans, ok := p.r.scans(p.typ, a)
	if !ok {
		return nil, nil
	}
	return p.scanSource(scans, p.typ+": "+a.param)
}

// scanSource returns the source that reads scans.
func (p *planner) scanSource(scans []*scan, index string) (*source, error) {
	s := &source{index: index, sorted: true, parts: len(scans), kind: "range", scans: scans}
	for i, sc := range scans {
		s.sorted = s.sorted && sc.sorted()
		s.full = s.full || sc.full
		if i < estimated {
			est, err := p.r.estimateScan(sc)
			if err != nil {
				return nil, err
			}
			s.est += est
			if !sc.sorted() {
				s.whole += est
			}
		} else if i == estimated {
			s.est *= float64(len(scans)) / estimated
		}
	}
	switch {
	case s.sorted && len(scans) > 1:
		s.kind = "union"
	case s.sorted:
		s.kind = "merge"
	}
	s.open = func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
		return p.r.openScans(ctx, scans, reverse, x.stats)
	}
	return s, nil
}

// openScans streams the ids of scans in their order.
func (r *reader) openScans(ctx context.Context, scans []*scan, reverse bool, st *stats) (ids, error) {
	var in []ids
	var unsorted, sorted []*scan
	for _, s := range scans {
		if s.sorted() {
			sorted = append(sorted, s)
		} else {
			unsorted = append(unsorted, s)
		}
	}
	if len(sorted) > r.s.tune.streams {
		in = append(in, &seekUnion{r: r, scans: sorted, reverse: reverse, stats: st})
		sorted = nil
	}
	for _, s := range sorted {
		one, err := r.scanIDs(s, reverse, st)
		if err != nil {
			for _, i := range in {
				i.close()
			}
			return nil, err
		}
		in = append(in, one)
	}
	if len(unsorted) > 0 {
		in = append(in, &sortedPasses{ctx: ctx, r: r, scans: unsorted, reverse: reverse, stats: st, keep: keepFor(st.want)})
	}
	if len(in) == 0 {
		return newListIDs(nil, true, reverse), nil
	}
	return newUnion(in, reverse), nil
}

// keepFor is how many ids the first pass over an unsorted scan keeps for a number of rows asked for.
func keepFor(want int) int {
	if want == 0 {
		return tuned.pass
	}
	return max(64, 4*want)
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

// refersSource returns the source of a chain whose inner result is small.
func (p *planner) refersSource(ctx context.Context, e search.Refers) (*source, error) {
	inner, err := p.r.estimateType(ctx, e.Target, e.Where)
	if err != nil || inner > p.r.s.tune.inner {
		return nil, err
	}
	targets, err := p.r.countType(e.Target)
	if err != nil {
		return nil, err
	}
	fan := p.total / math.Max(1, float64(targets))
	return &source{kind: "chain", index: p.typ + ": " + e.Param + " -> " + e.Target, est: math.Max(inner, 1) * math.Max(1, fan), sorted: true, parts: int(inner) + 1,
		open: func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
			return p.r.refers(ctx, p.typ, e, reverse, x)
		}}, nil
}

// referredSource returns the source of a _has whose inner result is small.
func (p *planner) referredSource(ctx context.Context, e search.Referred) (*source, error) {
	inner, err := p.r.estimateType(ctx, e.Source, e.Where)
	if err != nil || inner > p.r.s.tune.inner {
		return nil, err
	}
	return &source{kind: "chain", index: p.typ + " <- " + e.Source + ": " + e.Param, est: math.Max(inner, 1), whole: inner, parts: int(inner) + 1, loose: true,
		open: func(ctx context.Context, reverse bool, x *explainer) (ids, error) {
			return p.r.referred(ctx, p.typ, e, reverse, x)
		}}, nil
}
