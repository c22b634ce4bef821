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
	needed        []uint32       // what needs told
	probe         *probe         // Referred: what asks for one resource after another
	outer         []search.Entry // Within inside of another: the entries of the container
}

// close ends what the condition reads.
func (c *condition) close() {
	if c.probe != nil && c.probe.it != nil {
		c.probe.it.Close()
		c.probe = nil
	}
	for _, k := range c.kids {
		k.close()
	}
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
	case search.Within:
		kids([]search.Expr{e.Where})
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
	case search.Within:
		return r.holdsWithin(ctx, c, e, entries, st)
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
			exists, err := r.entries(target, &c.found, c.kids[0].needs(r.s.dict, e.Target), st)
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

// holdsWithin asks for what one resource holds. What is inside asks on with the entries of the held resource, and of its container.
func (r *reader) holdsWithin(ctx context.Context, c *condition, e search.Within, entries []search.Entry, st *stats) (known bool, err error) {
	outer := c.outer
	if outer == nil {
		outer = entries
	}
	e.EachHeld(entries, outer, func(key fhir.Key, inner, outer []search.Entry) bool {
		c.kids[0].standIn(outer)
		known, err = r.holds(ctx, c.kids[0], key, inner, st)
		return !known && err == nil
	})
	return known, err
}

// standIn says which entries the container has of the resource that a condition is tried on next.
func (c *condition) standIn(outer []search.Entry) {
	switch c.expr.(type) {
	case search.Refers, search.Referred: // are about resources elsewhere
		return
	case search.Within:
		c.outer = outer
	}
	for _, k := range c.kids {
		k.standIn(outer)
	}
}

// entries reads the entries of a resource into f: those of the needed parameters, or all where that is nil.
func (r *reader) entries(key fhir.Key, f *found, needed []uint32, st *stats) (exists bool, err error) {
	typ, ok := r.s.dict.find(key.Type, "")
	if !ok {
		return false, nil
	}
	st.fetched++
	v, err := r.entriesOf(typ, key.ID, f)
	if err != nil || v == nil {
		return false, err
	}
	if needed == nil {
		return true, r.s.dict.decodeEntries(v, f)
	}
	return true, r.s.dict.decodeNeeded(v, f, needed)
}

// refers returns the ids of the resources of typ that refer to what satisfies e, in their order. inner is the plan for that.
func (r *reader) refers(ctx context.Context, typ string, e search.Refers, inner *planner, reverse bool, x *explainer) (ids, error) {
	var all search.Or
	own := *x
	own.keys, own.entries = true, false
	if err := inner.each(ctx, search.Query{}, false, nil, false, &own, func(m *match) (bool, error) {
		all = append(all, search.Some{Param: e.Param, Where: []search.Comparison{
			{Field: search.Type, Op: search.Eq, Value: e.Target},
			{Field: search.ID, Op: search.Eq, Value: m.key.ID},
		}})
		return true, nil
	}); err != nil {
		return nil, err
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
