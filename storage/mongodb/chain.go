package mongodb

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// A chain asks about another resource type, so it is a join. Where few resources are on its far side they are read first, and the chain
// becomes a condition on their ids. Otherwise it is told for the rows that the other conditions leave, a batch at a time. Both cost memory
// by the batch. How few are few depends on how many rows have been told in vain: first a hundred, in the end ten thousand.

const (
	// maxReferred is how many resources that are pointed to become a condition.
	maxReferred = 10_000
	// maxReferring is how many referring resources of a _has are read to find the few that they point to.
	maxReferring = 500
	// farther is how many times as many resources on the far side are few where all rows are asked for, or many have been told in vain;
	// farthest is where that ends.
	farther, farthest = 10, 100
	// toldEach is after how many rows that were told, times those that are few, the far side is read farther.
	toldEach = 10
)

// resolved is a condition whose chains with few resources on the far side are conditions on ids.
type resolved struct {
	expr search.Expr
	// chained is set where chains are left; without is then what remains of expr without them: it accepts all that expr accepts.
	chained bool
	without search.Expr
}

// resolve reads the far sides of the chains of e, a condition on resources of typ. far says how many resources are few, as a multiple.
func (r *reader) resolve(ctx context.Context, typ string, e search.Expr, far int) (resolved, error) {
	out, chained, err := r.resolveExpr(ctx, typ, e, far)
	if err != nil {
		return resolved{}, err
	}
	w := resolved{expr: out, chained: chained}
	if chained {
		w.without = withoutChains(out)
	}
	return w, nil
}

func (r *reader) resolveExpr(ctx context.Context, typ string, e search.Expr, far int) (out search.Expr, chained bool, err error) {
	list := func(in []search.Expr) ([]search.Expr, error) {
		out := make([]search.Expr, len(in))
		for i, c := range in {
			var left bool
			if out[i], left, err = r.resolveExpr(ctx, typ, c, far); err != nil {
				return nil, err
			}
			chained = chained || left
		}
		return out, nil
	}
	switch e := e.(type) {
	case search.And:
		if !hasChain(e) && !r.spillsIn(typ, e) {
			return e, false, nil
		}
		l, err := list(e)
		return search.And(l), chained, err
	case search.Or:
		if any := r.spillable(typ, e); any != nil {
			return r.resolveSpilled(ctx, typ, any, far)
		}
		if !hasChain(e) && !r.spillsIn(typ, e) {
			return e, false, nil
		}
		l, err := list(e)
		return merged(l), chained, err
	case search.Within:
		return r.resolveWithin(ctx, typ, e, far)
	case search.Some:
		if any := r.spillable(typ, e); any != nil {
			return r.resolveSpilled(ctx, typ, any, far)
		}
	case search.Not:
		c, left, err := r.resolveExpr(ctx, typ, e.Expr, far)
		return search.Not{Expr: c}, left, err
	case search.Refers:
		few := r.s.limits.far * far
		rows, err := r.findType(ctx, e.Target, e.Where, nil, nil, false, few+1)
		if err != nil {
			return nil, false, err
		}
		if len(rows) > few {
			return e, true, nil
		}
		or := make(search.Or, len(rows))
		for i := range rows {
			or[i] = pointsTo(e.Param, rows[i].Key)
		}
		if any := r.spillable(typ, or); any != nil {
			return r.resolveSpilled(ctx, typ, any, far)
		}
		return or, false, nil
	case search.Referred:
		rows, err := r.findType(ctx, e.Source, e.Where, nil, nil, false, maxReferring*far+1)
		if err != nil {
			return nil, false, err
		}
		if len(rows) > maxReferring*far {
			return e, true, nil
		}
		refs, err := r.references(ctx, e.Source, idsOf(rows), e.Param, typ, nil)
		if err != nil {
			return nil, false, err
		}
		var ids []string
		for _, to := range refs {
			ids = append(ids, to...)
		}
		slices.Sort(ids)
		if ids = slices.Compact(ids); len(ids) > maxReferred {
			return e, true, nil
		}
		return search.KeyIn{IDs: ids}, false, nil
	}
	return e, false, nil
}

// merged returns the condition that one of list holds, in the simplest form: alternatives of alternatives, and none that nothing satisfies.
func merged(list []search.Expr) search.Expr {
	out := make(search.Or, 0, len(list))
	for _, c := range list {
		switch c := c.(type) {
		case search.Or:
			out = append(out, c...)
			continue
		case search.KeyIn:
			if len(c.IDs) == 0 {
				continue
			}
		}
		out = append(out, c)
	}
	if len(out) == 1 {
		return out[0]
	}
	return out
}

// pointsTo is the condition that a reference parameter points to key.
func pointsTo(param string, key fhir.Key) search.Some {
	return search.Some{Param: param, Where: []search.Comparison{
		{Field: search.Type, Op: search.Eq, Value: key.Type}, {Field: search.ID, Op: search.Eq, Value: key.ID}}}
}

func idsOf(rows []search.Row) []string {
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i].Key.ID
	}
	return ids
}

// hasChain reports whether e holds a chain.
func hasChain(e search.Expr) bool {
	switch e := e.(type) {
	case search.And:
		return slices.ContainsFunc(e, hasChain)
	case search.Or:
		return slices.ContainsFunc(e, hasChain)
	case search.Not:
		return hasChain(e.Expr)
	case search.Refers, search.Referred, search.Within, spilled:
		return true
	}
	return false
}

// withoutChains returns a condition that accepts all that e accepts and has no chains.
func withoutChains(e search.Expr) search.Expr {
	switch c := e.(type) {
	case search.And:
		var out search.And
		for _, x := range c {
			if x = withoutChains(x); x != nil {
				out = append(out, x)
			}
		}
		return out
	case search.Refers, search.Referred, search.Within, spilled:
		return nil
	}
	if hasChain(e) {
		return nil
	}
	return e
}

// accepted returns the rows that the whole condition accepts.
func (r *reader) accepted(ctx context.Context, typ string, w resolved, rows []search.Row) ([]search.Row, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids, err := r.holding(ctx, typ, idsOf(rows), w)
	if err != nil {
		return nil, err
	}
	kept := make([]search.Row, 0, len(ids))
	for _, row := range rows {
		if ids[row.Key.ID] {
			kept = append(kept, row)
		}
	}
	return kept, nil
}

// holding returns which of a batch of ids satisfy a condition with chains; all of them satisfy what it is without.
func (r *reader) holding(ctx context.Context, typ string, ids []string, w resolved) (map[string]bool, error) {
	chains := slices.DeleteFunc(search.Conjuncts(w.expr), func(c search.Expr) bool { return !hasChain(c) })
	told, err := r.tell(ctx, typ, ids, search.And(chains))
	if err != nil {
		return nil, err
	}
	if out, ok := among(ids, told); ok {
		return out, nil
	}
	out := make(map[string]bool, len(ids))
	rows, err := r.walk(ctx, typ, search.And{search.KeyIn{IDs: ids}, told}, nil, nil, false, unlimited)
	for i := range rows {
		out[rows[i].Key.ID] = true
	}
	return out, err
}

// among returns which of ids satisfy a condition that asks for nothing but ids; ok is false for others.
func among(ids []string, e search.Expr) (out map[string]bool, ok bool) {
	out = make(map[string]bool, len(ids))
	switch e := e.(type) {
	case search.KeyIn:
		of := make(map[string]bool, len(e.IDs))
		for _, id := range e.IDs {
			of[id] = true
		}
		for _, id := range ids {
			out[id] = of[id]
		}
		return out, true
	case search.Not:
		of, ok := among(ids, e.Expr)
		for _, id := range ids {
			out[id] = !of[id]
		}
		return out, ok
	case search.And, search.Or:
		list, any := []search.Expr(nil), false
		if and, ok := e.(search.And); ok {
			list = and
		} else {
			list, any = e.(search.Or), true
		}
		for _, id := range ids {
			out[id] = !any
		}
		for _, c := range list {
			of, ok := among(ids, c)
			if !ok {
				return nil, false
			}
			for _, id := range ids {
				out[id] = any && (out[id] || of[id]) || !any && out[id] && of[id]
			}
		}
		return out, true
	}
	return nil, false
}

// tell replaces the chains of e by the ids of the batch for which they hold.
func (r *reader) tell(ctx context.Context, typ string, ids []string, e search.Expr) (search.Expr, error) {
	list := func(in []search.Expr) ([]search.Expr, error) {
		out := make([]search.Expr, len(in))
		for i, c := range in {
			var err error
			if out[i], err = r.tell(ctx, typ, ids, c); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	switch e := e.(type) {
	case search.And:
		l, err := list(e)
		return search.And(l), err
	case search.Or:
		l, err := list(e)
		return search.Or(l), err
	case search.Not:
		c, err := r.tell(ctx, typ, ids, e.Expr)
		return search.Not{Expr: c}, err
	case search.Refers:
		return r.tellRefers(ctx, typ, ids, e)
	case search.Referred:
		return r.tellReferred(ctx, typ, ids, e)
	case search.Within:
		return r.tellWithin(ctx, typ, ids, e)
	case spilled:
		owners, err := r.owners(ctx, typ, e.any, ids, len(ids))
		return append(slices.Clone(e.any), search.KeyIn{IDs: owners}), err
	}
	return e, nil
}

func (r *reader) tellRefers(ctx context.Context, typ string, ids []string, e search.Refers) (search.Expr, error) {
	refs, err := r.references(ctx, typ, ids, e.Param, e.Target, nil)
	if err != nil {
		return nil, err
	}
	var targets []string
	for _, to := range refs {
		targets = append(targets, to...)
	}
	slices.Sort(targets)
	targets = slices.Compact(targets)
	holds := map[string]bool{}
	for chunk := range slices.Chunk(targets, loadChunk) {
		rows, err := r.findType(ctx, e.Target, search.And{search.KeyIn{IDs: chunk}, orAll(e.Where)}, nil, nil, false, unlimited)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			holds[rows[i].Key.ID] = true
		}
	}
	var out []string
	for id, to := range refs {
		if slices.ContainsFunc(to, func(t string) bool { return holds[t] }) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return search.KeyIn{IDs: out}, nil
}

// orAll returns a condition that is not nil.
func orAll(e search.Expr) search.Expr {
	if e == nil {
		return search.And{}
	}
	return e
}

func (r *reader) tellReferred(ctx context.Context, typ string, ids []string, e search.Referred) (search.Expr, error) {
	var out []string
	for chunk := range slices.Chunk(ids, maxJoined) {
		left := slices.Clone(chunk)
		// Each pass reads a bounded number of referring resources, in the order of their ids, and asks on for the ids that it has not met.
		var from *start
		for len(left) > 0 {
			or := make(search.Or, len(left))
			for i, id := range left {
				or[i] = pointsTo(e.Param, fhir.Key{Type: typ, ID: id})
			}
			rows, err := r.findType(ctx, e.Source, search.And{or, orAll(e.Where)}, nil, from, false, maxReferring)
			if err != nil {
				return nil, err
			}
			refs, err := r.references(ctx, e.Source, idsOf(rows), e.Param, typ, left)
			if err != nil {
				return nil, err
			}
			met := map[string]bool{}
			for _, to := range refs {
				for _, id := range to {
					met[id] = true
				}
			}
			left = slices.DeleteFunc(left, func(id string) bool {
				if met[id] {
					out = append(out, id)
				}
				return met[id]
			})
			if len(rows) < maxReferring {
				break
			}
			from = &start{id: rows[len(rows)-1].Key.ID, here: true}
		}
	}
	slices.Sort(out)
	return search.KeyIn{IDs: out}, nil
}

// references returns for each of ids the ids of the resources of type target that its reference parameter points to; where only is not nil,
// those of them that are in it, which are few.
func (r *reader) references(ctx context.Context, typ string, ids []string, param, target string, only []string) (map[string][]string, error) {
	return r.pointers(ctx, typ, ids, param, term(param, kindReference, target, ""), only)
}

// pointers returns for each of ids what follows head in those of its terms of a parameter that begin with it; where only is not nil, what of it
// is in it, which is little.
func (r *reader) pointers(ctx context.Context, typ string, ids []string, param, head string, only []string) (map[string][]string, error) {
	out := make(map[string][]string, len(ids))
	// Only the terms of the parameter are sent.
	wanted := bson.D{{Key: "$filter", Value: bson.D{{Key: "input", Value: "$" + pathTerms}, {Key: "cond", Value: bson.D{{Key: "$and", Value: bson.A{
		bson.D{{Key: "$gte", Value: bson.A{"$$this", bson.D{{Key: "$literal", Value: head}}}}},
		bson.D{{Key: "$lt", Value: bson.A{"$$this", bson.D{{Key: "$literal", Value: after(head)}}}}}}}}}}}}
	if only != nil {
		terms := make([]string, len(only))
		for i, id := range only {
			terms[i] = head + id
		}
		wanted = bson.D{{Key: "$setIntersection", Value: bson.A{"$" + pathTerms, bson.D{{Key: "$literal", Value: terms}}}}}
	}
	opts := func() *options.FindOptionsBuilder {
		return options.Find().SetProjection(bson.D{{Key: "to", Value: wanted}})
	}
	for chunk := range slices.Chunk(ids, loadChunk) {
		f := bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: chunk}}}}
		err := r.query(ctx, typ, f, nil, opts(), func(raw bson.Raw) error {
			id, _ := raw.Lookup(fieldID).StringValueOK()
			return addReferences(raw, head, id, out)
		})
		if err != nil {
			return nil, err
		}
		if err := r.spilledReferences(ctx, typ, chunk, param, wanted, head, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}
