package embedded

import (
	"bytes"
	"context"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// How _has is asked: of one resource after another, or from the inner side.

// holdsReferred asks for one resource that refers to key and satisfies the condition.
func (r *reader) holdsReferred(ctx context.Context, c *condition, e search.Referred, key fhir.Key, st *stats) (bool, error) {
	if known, ok := c.targets[key.ID]; ok {
		return known, nil
	}
	if c.probe == nil {
		var err error
		if c.probe, err = r.newProbe(e, key); err != nil {
			return false, err
		}
	}
	known, ok, err := c.probe.ask(ctx, r, key, st)
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
	c.targets[strings.Clone(key.ID)] = known // the id may lie in a row that is read
	return known, nil
}

// referredBy is the condition on the resources of e.Source that refer to key.
func referredBy(e search.Referred, key fhir.Key) search.And {
	to := search.Some{Param: e.Param, Where: []search.Comparison{
		{Field: search.Type, Op: search.Eq, Value: key.Type},
		{Field: search.ID, Op: search.Eq, Value: key.ID},
	}}
	return search.And{to, e.Where}
}

// probe asks a compound that begins with a reference, and serves all conditions of a _has, for one resource after another: without a plan
// each time, and with one iterator. Without scans it can't tell.
type probe struct {
	scans []probedScan
	where []search.Comparison // of the reference: the second is for the id
	it    *pebble.Iterator
	key   []byte
}

// probedScan is a scan of which the id is replaced. lower, upper and prefix are what follows the id in the scan's.
type probedScan struct {
	rr           *rowReader
	lower, upper []byte
	prefix       int
}

// idStart is where the id of a reference begins in a compound's keys.
const idStart = numberSize + 1

// newProbe returns the probe for a condition, of which key is one resource that it is asked for.
func (r *reader) newProbe(e search.Referred, key fhir.Key) (*probe, error) {
	where := referredBy(e, key)
	conj := search.Conjuncts(where)
	p := planner{r: r, typ: e.Source, conj: conj, atoms: make([]*atom, len(conj))}
	for i, c := range conj {
		a, is := atomOf(c)
		if !is {
			return &probe{}, nil
		}
		p.atoms[i] = &a
	}
	for _, c := range search.Compounds(e.Source) {
		atoms, served, fits := p.compoundAtoms(c.Params, nil, true)
		if !fits || len(served) != len(conj) || c.Params[0] != e.Param {
			continue
		}
		if last := len(atoms) - 1; atoms[last] == nil {
			if all, err := r.complete(e.Source, c.Params[last]); err != nil || !all {
				return &probe{}, err
			}
		}
		scans, fits := r.compoundScans(e.Source, c.Params, atoms)
		if !fits || len(scans) == 0 {
			continue
		}
		return r.probeScans(scans, where[0].(search.Some).Where, key.ID)
	}
	return &probe{}, nil
}

// probeScans makes a probe of the scans for an id.
func (r *reader) probeScans(scans []*scan, where []search.Comparison, id string) (*probe, error) {
	out := &probe{where: where}
	begin := appendEscaped(bytes.Clone(scans[0].lower[:idStart]), id)
	for _, s := range scans {
		if s.reach != nil || s.verify || !bytes.HasPrefix(s.lower, begin) || !bytes.HasPrefix(s.upper, begin) {
			return &probe{}, nil
		}
		out.scans = append(out.scans, probedScan{newRowReader(r.s.dict, s), s.lower[len(begin):], s.upper[len(begin):], s.prefix - len(begin)})
	}
	it, err := r.iter(tableIndex, begin[:idStart], prefixEnd(begin[:idStart]))
	if err != nil {
		return nil, err
	}
	out.it = it
	return out, nil
}

// ask reports whether a resource that satisfies the condition refers to key; ok is false where the rows can't decide.
func (p *probe) ask(ctx context.Context, r *reader, key fhir.Key, st *stats) (known, ok bool, err error) {
	if len(p.scans) == 0 || len(key.ID) >= maxColumn {
		return false, false, nil
	}
	p.where[1].Value = key.ID
	unsure := false
	for i := range p.scans {
		ps := &p.scans[i]
		s := ps.rr.s
		p.key = append(append(p.key[:0], tableIndex), s.lower[:idStart]...)
		p.key = appendEscaped(p.key, key.ID)
		base := len(p.key)
		s.prefix = base - 1 + ps.prefix
		p.key = append(p.key, ps.lower...)
		good := p.it.SeekGE(p.key)
		p.key = append(p.key[:base], ps.upper...)
		for ; good && bytes.Compare(p.it.Key(), p.key) < 0; good = p.it.Next() {
			if st.examined++; st.examined&1023 == 0 {
				if err := ctx.Err(); err != nil {
					return false, false, err
				}
			}
			row := p.it.Key()[1:]
			_, _, tail, whole := ps.rr.split(row)
			if !whole {
				return false, false, errDamaged
			}
			yes, certain := ps.rr.accepts(row, tail)
			if yes && certain {
				return true, true, nil
			}
			unsure = unsure || yes
		}
		if err := p.it.Error(); err != nil {
			return false, false, err
		}
	}
	return false, !unsure, nil
}

// referred returns the ids of the resources of typ that the matches of the plan, which is for e, refer to, in their order.
func (p *planner) referred(ctx context.Context, typ string, e search.Referred, reverse bool, x *explainer) (ids, error) {
	seen := map[string]bool{}
	own := *x
	own.entries, own.keys = true, false
	err := p.each(ctx, search.Query{}, false, nil, false, &own, func(m *match) (bool, error) {
		for i := range m.found.entries {
			if n := &m.found.entries[i]; n.Param == e.Param && n.Type == typ && n.ID != "" && !seen[n.ID] {
				seen[string([]byte(n.ID))] = true
			}
		}
		return true, nil
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
