package embedded

import (
	"context"
	"errors"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// condition is an Expr prepared to be tried on many resources of one query: what chains found is remembered, lists of ids are sets, and a
// large list of alternatives is looked up by what the entry says.
type condition struct {
	expr    search.Expr
	kids    []*condition
	ids     map[string]bool
	codes   map[string][]search.Some // alternatives of one parameter by the code, id or URI that they ask for
	param   string
	targets map[string]bool // Refers: what is known of targets by id; Referred: of resources by id
	found   found           // Refers: the target that is looked at
	// tried and passed count what a part of an And was asked of, for Explain.
	tried, passed int
}

// setSize is the number of alternatives from which on they are looked up.
const setSize = 8

// prepare makes a condition of e.
func prepare(e search.Expr) *condition {
	c := &condition{expr: e}
	kids := func(of []search.Expr) {
		for _, k := range of {
			c.kids = append(c.kids, prepare(k))
		}
	}
	switch e := e.(type) {
	case search.And:
		kids(e)
	case search.Or:
		if !c.alternatives(e) {
			kids(e)
		}
	case search.Not:
		kids([]search.Expr{e.Expr})
	case search.KeyIn:
		c.ids = make(map[string]bool, len(e.IDs))
		for _, id := range e.IDs {
			c.ids[id] = true
		}
	case search.Refers:
		kids([]search.Expr{e.Where})
		c.targets = map[string]bool{}
	case search.Referred:
		c.targets = map[string]bool{}
	}
	return c
}

// alternatives fills codes where e is a long list of equalities on one parameter.
func (c *condition) alternatives(e search.Or) bool {
	a, ok := atomOf(e)
	if !ok || len(e) < setSize {
		return false
	}
	codes := make(map[string][]search.Some, len(e))
	eachSome(a.expr, func(s search.Some) {
		for i := range s.Where {
			w := &s.Where[i]
			if w.Part == 0 && w.Op == search.Eq && w.Value != "" && (w.Field == search.Code || w.Field == search.ID || w.Field == search.URI) {
				codes[w.Value] = append(codes[w.Value], s)
				return
			}
		}
		ok = false
	})
	if ok {
		c.codes, c.param = codes, a.param
	}
	return ok
}

// holds reports whether a resource satisfies the condition: as search.Match would say it, but for what it remembers and how it looks up
// chains. The suite compares both.
func (r *reader) holds(ctx context.Context, c *condition, key fhir.Key, entries []search.Entry, st *stats) (bool, error) {
	switch e := c.expr.(type) {
	case search.And:
		for _, k := range c.kids {
			k.tried++
			if ok, err := r.holds(ctx, k, key, entries, st); !ok || err != nil {
				return false, err
			}
			k.passed++
		}
		return true, nil
	case search.Or:
		if c.codes != nil {
			return c.oneOf(entries), nil
		}
		for _, k := range c.kids {
			if ok, err := r.holds(ctx, k, key, entries, st); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case search.Not:
		ok, err := r.holds(ctx, c.kids[0], key, entries, st)
		return !ok, err
	case search.KeyIn:
		return c.ids[key.ID], nil
	case search.Refers:
		return r.holdsRefers(ctx, c, e, entries, st)
	case search.Referred:
		return r.holdsReferred(ctx, c, e, key, st)
	}
	return search.Match(c.expr, key, entries, nil), nil
}

// oneOf reports whether an entry satisfies one of the alternatives.
func (c *condition) oneOf(entries []search.Entry) bool {
	for i := range entries {
		e := &entries[i]
		if e.Param != c.param {
			continue
		}
		for _, v := range [...]string{e.Code, e.ID, e.URI} {
			if v == "" {
				continue
			}
			for _, s := range c.codes[v] {
				if e.Satisfies(s.Where) {
					return true
				}
			}
		}
	}
	return false
}

// holdsRefers follows the references of one resource.
func (r *reader) holdsRefers(ctx context.Context, c *condition, e search.Refers, entries []search.Entry, st *stats) (bool, error) {
	for i := range entries {
		if entries[i].Param != e.Param || entries[i].Type != e.Target || entries[i].ID == "" {
			continue
		}
		id := entries[i].ID
		known, ok := c.targets[id]
		if !ok {
			target := fhir.Key{Type: e.Target, ID: id}
			exists, err := r.entries(target, &c.found, st)
			if err != nil {
				return false, err
			}
			if exists {
				if known, err = r.holds(ctx, c.kids[0], target, c.found.entries, st); err != nil {
					return false, err
				}
			}
			c.targets[string([]byte(id))] = known
		}
		if known {
			return true, nil
		}
	}
	return false, nil
}

// holdsReferred asks for one resource that refers to key and satisfies the condition.
func (r *reader) holdsReferred(ctx context.Context, c *condition, e search.Referred, key fhir.Key, st *stats) (bool, error) {
	if known, ok := c.targets[key.ID]; ok {
		return known, nil
	}
	known, ok, err := r.referredAtOnce(ctx, e, key, st)
	if err != nil {
		return false, err
	}
	if !ok {
		rows, err := r.findType(ctx, e.Source, search.Query{Where: referredBy(e, key), Limit: 1}, &explainer{stats: st})
		if err != nil {
			return false, err
		}
		known = len(rows) > 0
	}
	c.targets[key.ID] = known
	return known, nil
}

// referredAtOnce answers holdsReferred from a compound that serves all of the conditions, without the cost of a plan; ok is false where
// there is none, or a row can't decide.
func (r *reader) referredAtOnce(ctx context.Context, e search.Referred, key fhir.Key, st *stats) (known, ok bool, err error) {
	conj := conjuncts(referredBy(e, key), nil)
	p := planner{r: r, typ: e.Source, conj: conj, atoms: make([]*atom, len(conj))}
	for i, c := range conj {
		a, is := atomOf(c)
		if !is {
			return false, false, nil
		}
		p.atoms[i] = &a
	}
	for _, c := range search.Compounds(e.Source) {
		atoms, served, fits := p.compoundAtoms(c.Params, nil, true)
		if !fits || len(served) != len(conj) {
			continue
		}
		if last := len(atoms) - 1; atoms[last] == nil {
			if all, err := r.complete(e.Source, c.Params[last]); err != nil || !all {
				return false, false, err
			}
		}
		scans, fits := r.compoundScans(e.Source, c.Params, atoms)
		if !fits {
			continue
		}
		unsure := false
		for _, s := range scans {
			if err := r.eachRow(ctx, s, st, func(_ []byte, certain bool) bool {
				known, unsure = known || certain, unsure || !certain
				return !known
			}); err != nil || known {
				return known, err == nil, err
			}
		}
		return false, !unsure, nil
	}
	return false, false, nil
}

// referredBy is the condition on the resources of e.Source that refer to key.
func referredBy(e search.Referred, key fhir.Key) search.Expr {
	to := search.Some{Param: e.Param, Where: []search.Comparison{
		{Field: search.Type, Op: search.Eq, Value: key.Type},
		{Field: search.ID, Op: search.Eq, Value: key.ID},
	}}
	return search.And{to, e.Where}
}

// entries reads the entries of a resource into f.
func (r *reader) entries(key fhir.Key, f *found, st *stats) (exists bool, err error) {
	typ, ok := r.s.names.find(key.Type, "")
	if !ok {
		return false, nil
	}
	st.fetched++
	v, err := r.entriesOf(typ, key.ID, f)
	if err != nil || v == nil {
		return false, err
	}
	return true, r.s.names.decodeEntries(v, f)
}

// refers returns the ids of the resources of typ that refer to what satisfies e, in their order.
func (r *reader) refers(ctx context.Context, typ string, e search.Refers, reverse bool, x *explainer) (ids, error) {
	rows, err := r.findType(ctx, e.Target, search.Query{Where: e.Where}, x)
	if err != nil {
		return nil, err
	}
	all := make(search.Or, 0, len(rows))
	for _, row := range rows {
		all = append(all, search.Some{Param: e.Param, Where: []search.Comparison{
			{Field: search.Type, Op: search.Eq, Value: e.Target},
			{Field: search.ID, Op: search.Eq, Value: row.Key.ID},
		}})
	}
	if len(all) == 0 {
		return newListIDs(nil, true, reverse), nil
	}
	scans, ok := r.scans(typ, atom{e.Param, all})
	if !ok {
		return nil, errNoStream
	}
	return r.openScans(ctx, scans, reverse, x.stats)
}

// errNoStream tells the planner that a source turned out to have no index.
var errNoStream = errors.New("embedded: no stream")

// referred returns the ids of the resources of typ that those of e.Source that satisfy e refer to, in their order.
func (r *reader) referred(ctx context.Context, typ string, e search.Referred, reverse bool, x *explainer) (ids, error) {
	seen := map[string]bool{}
	err := r.eachMatch(ctx, e.Source, e.Where, x, func(f *found) error {
		for i := range f.entries {
			if n := &f.entries[i]; n.Param == e.Param && n.Type == typ && n.ID != "" && !seen[n.ID] {
				seen[string([]byte(n.ID))] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]string, 0, len(seen))
	for id := range seen {
		list = append(list, id)
	}
	return newListIDs(sortedList(list), true, reverse), nil
}
