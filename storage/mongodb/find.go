package mongodb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// unlimited stands for no limit.
const unlimited = math.MaxInt32

// Find implements storage.Reader.
func (r *reader) Find(ctx context.Context, q search.Query) (rows []search.Row, err error) {
	if err := r.sent(ctx); err != nil {
		return nil, err
	}
	err = r.exactly(ctx, func() (err error) { rows, err = r.find(ctx, q); return err })
	return rows, err
}

func (r *reader) find(ctx context.Context, q search.Query) ([]search.Row, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = unlimited
	}
	sorts := sortsOf(q)
	types := slices.Clone(q.Types)
	if q.Reverse {
		slices.Reverse(types)
	}
	var out []search.Row
	for _, typ := range types {
		from, ok := startOf(q, sorts, typ)
		if !ok {
			continue
		}
		n := limit
		if len(sorts) == 0 {
			n = limit - len(out)
		}
		rows, err := r.findType(ctx, typ, q.Where, sorts, from, q.Reverse, n)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
		if len(sorts) == 0 && len(out) >= limit {
			break
		}
	}
	if len(sorts) > 0 && len(types) > 1 {
		slices.SortFunc(out, func(a, b search.Row) int { return inOrder(a.Position.Compare(b.Position, sorts), q.Reverse) })
		out = out[:min(len(out), limit)]
	}
	for i := range out { // what sortsOf left out
		for len(out[i].Sort) < len(q.Sort) {
			out[i].Sort = append(out[i].Sort, search.SortKey{Value: out[i].Key.ID})
		}
	}
	return out, nil
}

// sent makes the server know what this Update has put, before it is asked for more than resources by their keys.
func (r *reader) sent(ctx context.Context) error {
	if r.lost != nil {
		return r.lost
	}
	if r.tx == nil {
		return nil
	}
	return r.tx.send(ctx)
}

func inOrder(c int, reverse bool) int {
	if reverse {
		return -c
	}
	return c
}

// sortsOf returns the sorts of q that say something: where one type is searched an order by id at the end is that of every result.
func sortsOf(q search.Query) []search.Sort {
	sorts := q.Sort
	n := len(sorts) - 1
	if n < 0 || len(q.Types) > 1 || sorts[n].Param != search.SortByID || sorts[n].Chain != nil || sorts[n].Desc {
		return sorts
	}
	if a := q.After; a != nil && (len(a.Sort) <= n || a.Sort[n] != search.SortKey{Value: a.Key.ID}) {
		return sorts // a position that no row has
	}
	return sorts[:n]
}

// start is where a type's rows begin: behind a position, which need not be of the type.
type start struct {
	keys []search.SortKey
	// id is the row of this type behind which rows with equal keys begin, where here is set; equal tells whether it is one of them itself. Without
	// here all rows with equal keys follow or none does: equal says which.
	id    string
	here  bool
	equal bool
}

// startOf returns where the rows of typ begin; nil at the beginning. ok is false where no row of it can follow.
func startOf(q search.Query, sorts []search.Sort, typ string) (from *start, ok bool) {
	if q.After == nil {
		return nil, true
	}
	c := inOrder(fhir.Key{Type: typ}.Compare(fhir.Key{Type: q.After.Key.Type}), q.Reverse)
	s := &start{keys: q.After.Sort[:min(len(q.After.Sort), len(sorts))], id: q.After.Key.ID, here: c == 0, equal: c > 0}
	if len(sorts) < len(q.Sort) { // ids come before types in this order
		s.here = true
		return s, true
	}
	if len(sorts) == 0 {
		if c < 0 {
			return nil, false
		}
		if c > 0 {
			return nil, true
		}
	}
	return s, true
}

// findType returns up to limit rows of one type in order.
func (r *reader) findType(ctx context.Context, typ string, where search.Expr, sorts []search.Sort, from *start, reverse bool, limit int) ([]search.Row, error) {
	if !fhir.ValidTypeName(typ) {
		return nil, nil
	}
	far := 1
	sorted := len(sorts) > 1 || len(sorts) == 1 && (sorts[0].Chain != nil || sorts[0].Param == search.SortByID)
	if sorted || limit >= unlimited && !keyed(where) { // all rows are read
		far = farthest
	}
	w, err := r.resolve(ctx, typ, where, far)
	if err != nil {
		return nil, err
	}
	if sorted {
		return r.findSorted(ctx, typ, w, sorts, from, reverse, limit)
	}
	if !w.chained {
		return r.walk(ctx, typ, w.expr, sorts, from, reverse, limit)
	}
	// The chains are looked up for the rows that the other conditions leave, a batch at a time.
	var out []search.Row
	batch, told := min(max(2*limit, 64), loadChunk), 0
	for len(out) < limit {
		if told >= toldEach*r.s.limits.far*far && far < farthest {
			far *= farther
			if w, err = r.resolve(ctx, typ, where, far); err != nil {
				return nil, err
			}
			if !w.chained {
				rows, err := r.walk(ctx, typ, w.expr, sorts, from, reverse, limit-len(out))
				return append(out, rows...), err
			}
		}
		rows, err := r.walk(ctx, typ, w.without, sorts, from, reverse, batch)
		if err != nil {
			return nil, err
		}
		kept, err := r.accepted(ctx, typ, w, rows)
		if err != nil {
			return nil, err
		}
		out = append(out, kept...)
		if len(rows) < batch {
			break
		}
		last := rows[len(rows)-1]
		from = &start{keys: last.Sort, id: last.Key.ID, here: true}
		batch = min(2*batch, loadChunk)
		told += len(rows)
	}
	return out[:min(len(out), limit)], nil
}

// keyed reports whether a condition is about resources that are named, of which there are no more than a batch.
func keyed(where search.Expr) bool {
	return slices.ContainsFunc(search.Conjuncts(where), func(c search.Expr) bool {
		k, ok := c.(search.KeyIn)
		return ok && len(k.IDs) <= loadChunk
	})
}

// walk returns up to limit rows in the order of at most one parameter; where must have no chains.
func (r *reader) walk(ctx context.Context, typ string, where search.Expr, sorts []search.Sort, from *start, reverse bool, limit int) ([]search.Row, error) {
	by, desc := "", false
	if len(sorts) == 1 {
		by, desc = sorts[0].Param, sorts[0].Desc
	}
	pl := r.planner(typ, where, by)
	if pl == nil {
		return nil, nil
	}
	if by != "" {
		o, err := pl.order(ctx, desc, reverse)
		if err != nil {
			return nil, err
		}
		return o.page(ctx, from, limit)
	}
	g := page{from, reverse, limit}
	if rows, ok, err := pl.unplanned(ctx, g); ok || err != nil {
		return rows, err
	}
	pages, err := pl.pages(ctx, fmt.Sprint("\x00", reverse))
	if err != nil {
		return nil, err
	}
	return pages.page(ctx, from, limit, func(p plan) ([]search.Row, error) {
		return r.rows(ctx, p, []bson.D{p.scan(g.behind())}, bson.D{{Key: fieldID, Value: direction(reverse)}}, limit, false)
	})
}

func direction(down bool) int {
	if down {
		return -1
	}
	return 1
}

// idBehind returns the condition that the id of a row comes after that of from, which is here.
func idBehind(from *start, reverse bool) bson.D {
	op := "$gt"
	if reverse {
		op = "$lt"
	}
	if from.equal {
		op += "e"
	}
	return bson.D{{Key: fieldID, Value: bson.D{{Key: op, Value: from.id}}}}
}

// rows runs a find that is the union of scans of a plan, which must not overlap, and returns its rows.
func (r *reader) rows(ctx context.Context, p plan, scans []bson.D, sort bson.D, limit int, desc bool) ([]search.Row, error) {
	if len(scans) == 0 {
		return nil, nil
	}
	if p.bound != nil {
		return r.bounded(ctx, p, anyOf(scans), sort, limit, desc)
	}
	branches := make([]bson.D, len(scans))
	for i, s := range scans {
		branches[i] = p.whole(s)
	}
	f := anyOf(branches)
	opts := options.Find().SetProjection(p.projection())
	if sort != nil {
		opts.SetSort(sort)
	}
	if limit < unlimited {
		opts.SetLimit(int64(limit))
		if limit <= loadChunk {
			opts.SetBatchSize(int32(limit) + 1) // one answer, and the cursor is done
		}
	}
	var out []search.Row
	err := r.query(ctx, p.typ, f, p.hint(), opts, func(raw bson.Raw) error {
		out = append(out, rowOf(p.typ, p.by, desc, raw))
		return nil
	})
	if err == nil && r.told != nil {
		err = r.told.find(ctx, r, p, f, sort, limit, len(out))
	}
	return out, err
}

// anyOf returns the filter that one of list holds.
func anyOf(list []bson.D) bson.D {
	if len(list) == 1 {
		return list[0]
	}
	return bson.D{{Key: "$or", Value: list}}
}

// rowOf reads a row from what a find projected. by is the parameter it was sorted by, "" for none.
func rowOf(typ, by string, desc bool, raw bson.Raw) search.Row {
	var row search.Row
	row.Key.Type = typ
	for rest := body(raw); ; {
		name, v, tail, ok := nextElement(rest)
		if !ok {
			break
		}
		rest = tail
		switch name {
		case fieldID:
			row.Key.ID, _ = v.StringValueOK()
		case fieldVersion:
			row.Version, _ = v.Int64OK()
		case fieldUpdated:
			us, _ := v.Int64OK()
			row.Updated = time.UnixMicro(us).UTC()
		case fieldIndex:
			if by != "" {
				d, _ := v.DocumentOK()
				row.Sort = []search.SortKey{sortKey(bson.Raw(d), by, desc)}
			}
		}
	}
	if by != "" && row.Sort == nil {
		row.Sort = []search.SortKey{{Missing: true}}
	}
	return row
}

// sortKey reads the value of one parameter from an index document.
func sortKey(index bson.Raw, by string, desc bool) search.SortKey {
	k := search.SortKey{Missing: true}
	d, ok := index.Lookup(partSort, keyName(by)).DocumentOK()
	if !ok {
		return k
	}
	for rest := body(d); ; {
		name, v, tail, ok := nextElement(rest)
		if !ok {
			return k
		}
		rest = tail
		if name == memberLeast || name == memberMost && desc {
			k.Value, _ = v.StringValueOK()
			k.Missing = false
		}
	}
}

// query runs a find on the current versions of a type, in the reader's moment. Where the index it is told to use is still being built the
// server chooses.
func (r *reader) query(ctx context.Context, typ string, f bson.D, hint any, opts *options.FindOptionsBuilder, each func(bson.Raw) error) error {
	return r.read(ctx, typ, "find", func(ctx context.Context) error {
		if hint != nil {
			opts.SetHint(hint)
		}
		if r.sending != nil {
			r.sending(typ, f, opts)
		}
		cur, err := r.s.current(typ).Find(ctx, f, opts)
		if err != nil && hint != nil && noSuchIndex(err) && r.tx == nil {
			cur, err = r.s.current(typ).Find(ctx, f, opts.SetHint(bson.D{}))
		}
		if err != nil {
			return err
		}
		for cur.Next(ctx) {
			if err := each(cur.Current); err != nil {
				cur.Close(ctx)
				return err
			}
		}
		return errors.Join(cur.Err(), cur.Close(ctx))
	})
}

// noSuchIndex reports whether the server does not have the index of a hint (yet).
func noSuchIndex(err error) bool {
	var c mongo.CommandError
	return errors.As(err, &c) && c.Code == codeBadValue
}
