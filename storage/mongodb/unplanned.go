package mongodb

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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

// attempt returns the page where it is among the first resources with one of terms, times as many as the page has rows; ok is false where it
// is not full with them. All of list is tried on what the terms find; unserved are those of it that they do not tell.
func (r *reader) attempt(ctx context.Context, typ string, terms []string, list, unserved []search.Expr, times int, g page) (rows []search.Row, ok bool, err error) {
	if len(terms) > maxJoined {
		return nil, false, nil
	}
	lead := &plan{typ: typ, index: indexTerms, lead: in(pathTerms, terms)}
	rest := &plan{typ: typ, rest: list}
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
		lead.rest = unserved
		err = r.told.explain(ctx, r, lead, bson.D{{Key: "aggregate", Value: typ}, {Key: "pipeline", Value: pipeline}, {Key: "cursor", Value: bson.D{}}, {Key: "hint", Value: indexTerms}}, "", len(rows))
	}
	return rows, ok, err
}

// gathered returns the page out of all resources that satisfy a filter which bounds the scan of an index; ok is false where they are more than
// few.
func (r *reader) gathered(ctx context.Context, typ string, f bson.D, index string, list []search.Expr, few int, g page) (out []search.Row, ok bool, err error) {
	p := &plan{typ: typ, index: index, lead: f, rest: list}
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

// early returns a page in the order of ids of what satisfies one condition, while it is not known how many do; ok is false where its plan is to
// be made.
func (r *reader) early(ctx context.Context, typ string, list []search.Expr, g page) (rows []search.Row, ok bool, err error) {
	if len(list) != 1 || g.limit > maxPage {
		return nil, false, nil
	}
	if params := presence(list[0]); params != nil {
		return r.present(ctx, typ, params, g)
	}
	f, index := r.indexable(list[0])
	if f == nil {
		return nil, false, nil
	}
	first, few, unserved := []string{termLive}, manyTerms, list
	head, _, _, composite := compositeHead(list[0].(search.Some))
	if composite {
		first, few, unserved = []string{head}, fewTerms, nil
	}
	key, err := filterKey(typ, f, few)
	if err != nil || r.remembers(key) {
		return nil, false, err
	}
	if !composite {
		if rows, ok, err = r.gathered(ctx, typ, f, index, list, fewRows, g); ok || err != nil {
			return rows, ok, err
		}
	}
	if rows, ok, err = r.attempt(ctx, typ, first, list, unserved, 4, g); ok || err != nil {
		r.remember(key, manyTerms)
		return rows, ok, err
	}
	rows, ok, err = r.gathered(ctx, typ, f, index, list, few, g)
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
func (r *reader) present(ctx context.Context, typ string, params []string, g page) ([]search.Row, bool, error) {
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
		for _, by := range []struct {
			index string
			f     bson.D
		}{
			{indexTerms, startsWithTerm(head)},
			{indexRanges, bson.D{{Key: pathRanges + "." + memberParam, Value: head}}},
		} {
			rows, ok, err := r.gathered(ctx, typ, by.f, by.index, nil, fewRows, g)
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

// filterKey is what the frequency of a filter, counted up to a limit, is remembered by.
func filterKey(typ string, f bson.D, limit int) (string, error) {
	raw, err := bson.Marshal(f)
	sum := sha256.Sum256(raw)
	return fmt.Sprint(typ, "\x00", limit, "\x00") + string(sum[:]), err
}

// remembers reports whether a frequency is known.
func (r *reader) remembers(key string) bool {
	_, ok := r.recall(key)
	return ok
}

// recall returns a frequency, or what else was remembered; false where it is not known.
func (r *reader) recall(key string) (int, bool) {
	f := &r.s.frequencies
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.known[key]
	return known.n, ok && time.Since(known.at) < frequencyAge
}

// remembersAll reports whether the frequencies of all terms are known.
func (r *reader) remembersAll(typ string, candidates [][]string) bool {
	for _, terms := range candidates {
		if !r.remembers(frequencyKey(typ, terms)) {
			return false
		}
	}
	return true
}

// remember keeps a frequency.
func (r *reader) remember(key string, n int) {
	f := &r.s.frequencies
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil || len(f.known) >= maxFrequencies {
		f.known = map[string]frequency{}
	}
	f.known[key] = frequency{n, time.Now()}
}
