package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// maxCached bounds the writer's cache of counters.
const maxCached = 50_000

// countCache keeps counters that the writer used last, as they are in the database. It belongs to the holder of the writer's token.
type countCache struct{ counts map[string]int64 }

// apply takes over the counters of a commit.
func (c *countCache) apply(totals map[string]int64) {
	if c.counts == nil || len(c.counts)+len(totals) > maxCached {
		c.counts = make(map[string]int64, len(totals))
	}
	for k, n := range totals {
		c.counts[k] = n
	}
}

// readCount reads a counter; 0 where there is none.
func readCount(src pebble.Reader, name string) (int64, error) {
	v, closer, err := src.Get(append([]byte{tableCount}, name...))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n := countOf(v)
	return n, closer.Close()
}

// count returns a counter at the reader's moment.
func (r *reader) count(name string) (int64, error) {
	if r.tx != nil {
		n, err := readCount(r.s.db, name)
		return n + r.tx.deltas[name], err
	}
	return r.known.get(name, func() (int64, error) { return readCount(r.src, name) })
}

// maxKnown bounds the counters that a moment remembers.
const maxKnown = 4096

// known remembers what counters say at one moment, for all Views of it. It is safe for concurrent use; nil remembers nothing.
type known struct {
	mu     sync.Mutex
	counts map[string]int64
}

// get returns what is known under a name, or else what read returns.
func (k *known) get(name string, read func() (int64, error)) (int64, error) {
	if k == nil {
		return read()
	}
	k.mu.Lock()
	n, ok := k.counts[name]
	k.mu.Unlock()
	if ok {
		return n, nil
	}
	n, err := read()
	if err != nil {
		return 0, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.counts == nil {
		k.counts = map[string]int64{}
	}
	if len(k.counts) < maxKnown {
		k.counts[name] = n
	}
	return n, nil
}

// Counts returns the number of current resources of each type that has any.
func (r *reader) Counts(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	for _, typ := range r.s.dict.types() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := r.countType(typ)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			out[typ] = n
		}
	}
	return out, nil
}

// countType returns the number of current resources of a type.
func (r *reader) countType(typ string) (int64, error) {
	num, ok := r.s.dict.find(typ, "")
	if !ok {
		return 0, nil
	}
	return r.count(string(appendNumber(nil, num)))
}

// Count returns how many rows q has.
func (r *reader) Count(ctx context.Context, q search.Query) (int64, error) {
	return r.countAll(ctx, q, &explainer{stats: &stats{}})
}

// countAll is Count; it tells x how.
func (r *reader) countAll(ctx context.Context, q search.Query, x *explainer) (int64, error) {
	if n, ok, err := r.CountCheap(ctx, q); ok || err != nil {
		if ok {
			x.step(search.Step{Kind: "count", Index: strings.Join(q.Types, ", ") + ": " + describe(search.And(search.Conjuncts(q.Where))),
				Detail: "counters know it", Rows: len(q.Types)})
		}
		return n, err
	}
	if err := r.ready(ctx); err != nil {
		return 0, err
	}
	var sum int64
	for _, typ := range q.Types {
		n, err := r.countMatches(ctx, typ, q.Where, x)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// countMatches counts the matches of one type; where an index is sure of a match, its resource is not looked at.
func (r *reader) countMatches(ctx context.Context, typ string, where search.Expr, x *explainer) (n int64, err error) {
	num, ok := r.s.dict.find(typ, "")
	if !ok {
		return 0, nil
	}
	p, err := r.plan(ctx, typ, num, where)
	if err != nil {
		return 0, err
	}
	chosen := p.choose(0)
	covered := p.covers(chosen)
	if !covered {
		chosen, covered = p.cover(chosen)
	}
	exist := existing(chosen)
	cond := prepare(search.And(p.conj))
	defer cond.close()
	in, err := p.stream(ctx, chosen, false, x, x.chosen(p, chosen, cond))
	if err != nil {
		return 0, err
	}
	defer in.close()
	var fd found
	m := match{found: &fd}
	for ok, i := in.next(), 1; ok; ok, i = in.next(), i+1 {
		if i&255 == 0 {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
		}
		sure := covered && in.sure()
		if sure && exist {
			n++
			continue
		}
		key := fhir.Key{Type: typ, ID: string(in.at())}
		if _, err := p.tryOne(ctx, cond, &m, key, sure, x, func(*match) (bool, error) { n++; return true, nil }); err != nil {
			return 0, err
		}
	}
	return n, in.err()
}

// cover adds to chosen sources those of the conditions left, if each has a sorted one: counting a merge of streams is cheaper than asking
// resources.
func (p *planner) cover(chosen []*source) ([]*source, bool) {
	served := map[int]bool{}
	for _, s := range chosen {
		for _, c := range s.conj {
			served[c] = true
		}
	}
	out := chosen
	for i, s := range p.per {
		if served[i] {
			continue
		}
		if s == nil || !s.sorted || s.kind == "keys" || s.parts > p.r.s.tune.streams {
			return chosen, false
		}
		out = append(out, s)
	}
	return out, true
}

// CountCheap returns the result of Count where counters know it: all resources of a type, those that have a parameter at all, and those with one
// token, reference or URI.
func (r *reader) CountCheap(ctx context.Context, q search.Query) (n int64, ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	conj := search.Conjuncts(q.Where)
	for _, typ := range q.Types {
		var one int64
		switch len(conj) {
		case 0:
			one, err = r.countType(typ)
		case 1:
			e, err := r.reduced(typ, conj[0])
			if err != nil {
				return 0, false, err
			}
			s, is := e.(search.Some)
			if !is {
				return 0, false, nil
			}
			if one, ok, err = r.countSome(typ, s); !ok {
				return 0, false, err
			}
		default:
			return 0, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		n += one
	}
	return n, true, nil
}

// countSome counts the resources with an entry of a parameter, or with one that equals one value, by its counter.
func (r *reader) countSome(typ string, s search.Some) (n int64, ok bool, err error) {
	num, found := r.s.dict.find(typ, s.Param)
	if !found {
		return 0, true, nil
	}
	if len(s.Where) == 0 {
		n, err = r.count(presence(num))
		return n, err == nil, err
	}
	st := r.s.dict.shapeOf(num)
	cs, ok := choices(st, s)
	if !ok || len(cs) != 1 || !cs[0].b.equal() || len(cs[0].b.low) >= maxColumn {
		return 0, ok && len(cs) == 0, nil
	}
	c := cs[0]
	prefix, _ := appendColumn(append(appendNumber(nil, num), c.letter), c.b.low)
	var qualifier string
	has := false
	for _, w := range s.Where {
		switch {
		case w.Field == column(c.letter) && w.Op == search.Eq && w.Value == c.b.low:
		case w.Op == search.Eq && !has && (c.letter == byCode && w.Field == search.System || c.letter == byID && w.Field == search.Type):
			qualifier, has = w.Value, true
		default:
			return 0, false, nil
		}
	}
	switch {
	case c.letter == byURI:
		n, err = r.count(string(append(prefix, byURI)))
		return n, err == nil, err
	case c.letter != byCode && c.letter != byID:
		return 0, false, nil
	case has:
		sys, found := r.s.dict.find("", qualifier)
		if !found {
			return 0, false, nil // never seen, or beyond maxSystems
		}
		n, err = r.count(string(binary.AppendUvarint(append(prefix, c.letter), uint64(sys))))
		return n, err == nil, err
	}
	return r.countOnly(prefix)
}

// countOnly returns the counter of a value that has had one system only; ok is false where it has had several, since a resource may have
// the value under each.
func (r *reader) countOnly(prefix []byte) (n int64, ok bool, err error) {
	if r.tx != nil && r.tx.batch != nil {
		return 0, false, nil
	}
	it, err := r.iter(tableCount, prefix, prefixEnd(prefix))
	if err != nil {
		return 0, false, err
	}
	defer it.Close()
	if !it.First() {
		return 0, it.Error() == nil, it.Error()
	}
	v, err := it.ValueAndErr()
	if err != nil {
		return 0, false, err
	}
	n = countOf(v)
	if it.Next() {
		return 0, false, nil
	}
	return n, it.Error() == nil, it.Error()
}

// reduced returns a condition without those of its alternatives that ask whether there is an entry of a parameter at all which no resource of
// the type has, or about contained resources where there are none: of what :missing and chains ask for, that is most.
func (r *reader) reduced(typ string, e search.Expr) (search.Expr, error) {
	if w, ok := e.(search.Within); ok {
		if vain, err := r.vain(typ, w); err != nil || vain {
			return search.Or{}, err
		}
		return e, nil
	}
	or, ok := e.(search.Or)
	if !ok || !slices.ContainsFunc(or, func(c search.Expr) bool { return asksPresence(c) || asksWithin(c) }) {
		return e, nil
	}
	var out search.Or
	for _, c := range or {
		vain, err := r.vain(typ, c)
		if err != nil {
			return nil, err
		}
		if !vain {
			out = append(out, c)
		}
	}
	switch len(out) {
	case 0:
		return or[0], nil // which nothing satisfies either
	case 1:
		return out[0], nil
	}
	return out, nil
}

// vain reports whether a condition asks for an entry of a parameter that no resource has, or for what no resource holds.
func (r *reader) vain(typ string, e search.Expr) (bool, error) {
	param := ""
	switch e := e.(type) {
	case search.Within:
		param = e.Holder()
	case search.Some:
		param = e.Param
	}
	if !asksPresence(e) && !asksWithin(e) {
		return false, nil
	}
	num, found := r.s.dict.find(typ, param)
	if !found {
		return true, nil
	}
	n, err := r.count(presence(num))
	return n == 0, err
}

// asksWithin reports whether a condition is on what resources hold.
func asksWithin(e search.Expr) bool {
	_, ok := e.(search.Within)
	return ok
}

// asksPresence reports whether a condition asks for any entry of a parameter.
func asksPresence(e search.Expr) bool {
	s, ok := e.(search.Some)
	return ok && len(s.Where) == 0
}

// complete reports whether every resource of a type has an entry of a parameter.
func (r *reader) complete(typ, param string) (bool, error) {
	num, ok := r.s.dict.find(typ, param)
	if !ok {
		return false, nil
	}
	have, err := r.count(presence(num))
	if err != nil {
		return false, err
	}
	all, err := r.countType(typ)
	return have == all, err
}
