package mongodb

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// Which plan is best depends on how many resources a condition finds, which costs about as much to count as a page costs to find. So a page in
// the order of ids that is asked for while that is not known is looked for in a way that can't cost much, and nearly always ends there.

// page is the part of an order by id that is asked for.
type page struct {
	from    *start
	reverse bool
	limit   int
}

// behind is the condition on the ids of the page's rows.
func (g page) behind() bson.D {
	if g.from == nil || !g.from.here {
		return nil
	}
	return idBehind(g.from, g.reverse)
}

// maxPage is up to what limit a page is looked for before its plan is made.
const maxPage = 100

// attempt returns the page where it is among the first resources with one of values, which are terms, times as many as the page has rows; ok is
// false where it is not full with them. The whole condition is tried on what the terms find; tests are those parts of it that they do not tell.
func (pl *planner) attempt(ctx context.Context, values []string, tests []test, times int, g page) (rows []search.Row, ok bool, err error) {
	if len(values) > maxJoined {
		return nil, false, nil
	}
	r, typ := pl.r, pl.typ
	lead := plan{typ: typ, index: indexTerms, lead: in(pathTerms, values)}
	rest := plan{typ: typ, tests: pl.tests(candidate{about: noConjunct})}
	f := lead.filter(g.behind())
	by := bson.D{{Key: fieldID, Value: direction(g.reverse)}}
	pipeline := bson.A{
		bson.D{{Key: "$match", Value: f}},
		bson.D{{Key: "$sort", Value: by}},
		bson.D{{Key: "$limit", Value: times * g.limit}},
		bson.D{{Key: "$match", Value: rest.filter()}},
		bson.D{{Key: "$limit", Value: g.limit}},
		bson.D{{Key: "$project", Value: bson.D{{Key: fieldVersion, Value: 1}, {Key: fieldUpdated, Value: 1}}}},
	}
	err = r.read(ctx, typ, "find", func(ctx context.Context) error {
		rows = rows[:0]
		cur, err := r.s.current(typ).Aggregate(ctx, pipeline, options.Aggregate().SetHint(indexTerms).SetBatchSize(int32(g.limit)+1))
		if err != nil && noSuchIndex(err) {
			return nil // it is being built
		}
		if err != nil {
			return err
		}
		for cur.Next(ctx) {
			rows = append(rows, rowOf(typ, "", false, cur.Current))
		}
		return errors.Join(cur.Err(), cur.Close(ctx))
	})
	if ok = err == nil && len(rows) == g.limit; ok && r.told != nil {
		lead.tests = tests
		err = r.told.explain(ctx, r, lead, bson.D{{Key: "aggregate", Value: typ}, {Key: "pipeline", Value: pipeline}, {Key: "cursor", Value: bson.D{}}, {Key: "hint", Value: indexTerms}}, "", len(rows))
	}
	return rows, ok, err
}

// gathered returns the page out of all resources that an index finds and that satisfy the whole condition; ok is false where they are more than
// few.
func (pl *planner) gathered(ctx context.Context, c candidate, few int, g page) (out []search.Row, ok bool, err error) {
	r, typ := pl.r, pl.typ
	p := plan{typ: typ, index: c.reads[0].index, lead: c.reads[0].filter, tests: pl.tests(c)}
	opts := options.Find().SetProjection(bson.D{{Key: fieldVersion, Value: 1}, {Key: fieldUpdated, Value: 1}}).SetLimit(int64(few) + 1).SetBatchSize(int32(few) + 2)
	var rows []search.Row
	where := p.filter()
	if err := r.query(ctx, typ, where, p.hint(), opts, func(raw bson.Raw) error {
		rows = append(rows, rowOf(typ, "", false, raw))
		return nil
	}); err != nil || len(rows) > few {
		return nil, false, err
	}
	if r.told != nil {
		if err := r.told.find(ctx, r, p, where, nil, few+1, len(rows)); err != nil {
			return nil, false, err
		}
	}
	slices.SortFunc(rows, func(a, b search.Row) int { return inOrder(cmp.Compare(a.Key.ID, b.Key.ID), g.reverse) })
	if g.behind() != nil {
		rows = slices.DeleteFunc(rows, func(row search.Row) bool { return inOrder(cmp.Compare(row.Key.ID, g.from.id), g.reverse) <= 0 })
	}
	return rows[:min(len(rows), g.limit)], true, nil
}

// unplanned returns a page in the order of ids, while it is not known how many resources its conditions find; ok is false where a plan is to be
// made.
func (pl *planner) unplanned(ctx context.Context, g page) (rows []search.Row, ok bool, err error) {
	if _, ok := pl.byName(); ok || g.limit > maxPage {
		return nil, false, nil
	}
	switch {
	case len(pl.list) == 1:
		return pl.unplannedOne(ctx, g)
	case len(pl.terms) > 1 && !pl.remembersTerms():
		return pl.attempt(ctx, pl.terms[0].values, pl.tests(pl.terms[0]), 2, g)
	}
	return nil, false, nil
}

// unplannedOne returns a page of what satisfies one condition.
func (pl *planner) unplannedOne(ctx context.Context, g page) (rows []search.Row, ok bool, err error) {
	r, only := pl.r, pl.list[0]
	if params := presence(only); params != nil {
		return pl.present(ctx, params, g)
	}
	f, index := r.indexable(only)
	if f == nil {
		return nil, false, nil
	}
	first, few, tests := []string{termLive}, manyTerms, pl.tests(candidate{about: noConjunct})
	head, _, _, composite := compositeHead(only.(search.Some))
	if composite {
		first, few, tests = []string{head}, fewTerms, nil
	}
	key, err := filterKey(pl.typ, f, few)
	if err != nil || r.remembers(key) {
		return nil, false, err
	}
	found := candidate{kind: lookup, reads: []access{{index, f}}, about: noConjunct}
	if !composite {
		if rows, ok, err = pl.gathered(ctx, found, fewRows, g); ok || err != nil {
			return rows, ok, err
		}
	}
	if rows, ok, err = pl.attempt(ctx, first, tests, 4, g); ok || err != nil {
		r.remember(key, manyTerms)
		return rows, ok, err
	}
	rows, ok, err = pl.gathered(ctx, found, few, g)
	switch {
	case err != nil:
	case ok:
		r.remember(key, 0)
	default:
		r.remember(key, manyTerms)
	}
	return rows, ok, err
}

// presence returns the parameters of which a condition asks for any entry, as :missing=false does; nil for any other condition.
func presence(e search.Expr) []string {
	switch e := e.(type) {
	case search.Some:
		if len(e.Where) == 0 {
			return []string{e.Param}
		}
	case search.Or:
		var out []string
		for _, c := range e {
			s, ok := c.(search.Some)
			if !ok || len(s.Where) > 0 {
				return nil
			}
			out = append(out, s.Param)
		}
		return out
	}
	return nil
}

// present returns a page in the order of ids of the resources that have one of some parameters (:missing=false), where they are few: every entry
// has a term or a range that begins with its parameter.
func (pl *planner) present(ctx context.Context, params []string, g page) ([]search.Row, bool, error) {
	r, typ := pl.r, pl.typ
	key := typ + "\x00" + strings.Join(params, "\x00") + "\x00present"
	if r.remembers(key) {
		return nil, false, nil
	}
	var out []search.Row
	for _, param := range params {
		if _, some := r.s.spills.of(typ)[param]; some {
			return nil, false, nil
		}
		head := string(appendPart(nil, param))
		for _, by := range []access{
			{indexTerms, startsWithTerm(head)},
			{indexRanges, bson.D{{Key: pathRanges + "." + memberParam, Value: head}}},
		} {
			rows, ok, err := pl.gathered(ctx, candidate{kind: lookup, reads: []access{by}, served: []int{0}, about: noConjunct}, fewRows, g)
			if err != nil {
				return nil, false, err
			}
			if !ok {
				r.remember(key, manyTerms)
				return nil, false, nil
			}
			out = append(out, rows...)
		}
	}
	slices.SortFunc(out, func(a, b search.Row) int { return inOrder(cmp.Compare(a.Key.ID, b.Key.ID), g.reverse) })
	out = slices.CompactFunc(out, func(a, b search.Row) bool { return a.Key.ID == b.Key.ID })
	return out[:min(len(out), g.limit)], true, nil
}

// fewRows is up to how many matches of a prefix or a range are gathered before anything else is tried.
const fewRows = 100
