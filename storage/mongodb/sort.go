package mongodb

import (
	"container/heap"
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// An order by several parameters, by a chain or by the id downwards is that of no index: all rows are read by id, in batches, and the first of
// the order are kept.

// findSorted returns up to limit rows of a type in such an order.
func (r *reader) findSorted(ctx context.Context, typ string, w resolved, sorts []search.Sort, from *start, reverse bool, limit int) ([]search.Row, error) {
	where := w.expr
	if w.chained {
		where = w.without
	}
	if !w.chained && limit <= maxPage {
		if rows, ok, err := r.firstOf(ctx, typ, where, sorts, from, reverse, limit); ok || err != nil {
			return rows, err
		}
	}
	pl := r.planner(typ, where, "")
	if pl == nil {
		return nil, nil
	}
	p, err := pl.planWhole(ctx)
	if err != nil {
		return nil, err
	}
	top := &topRows{sorts: sorts, reverse: reverse}
	take := func(rows []search.Row) error {
		if w.chained {
			if rows, err = r.accepted(ctx, typ, w, rows); err != nil {
				return err
			}
		}
		if err := r.chainKeys(ctx, rows, sorts); err != nil {
			return err
		}
		for _, row := range rows {
			if from == nil || follows(row, sorts, from, typ, reverse) {
				top.add(row, limit)
			}
		}
		return nil
	}
	projection := sortProjection(sorts)
	var batch []search.Row
	f := p.filter()
	err = r.query(ctx, typ, f, p.hint(), options.Find().SetProjection(projection), func(raw bson.Raw) error {
		batch = append(batch, sortedRow(typ, sorts, raw))
		if len(batch) < loadChunk || needsQueries(w, sorts) {
			return nil
		}
		defer func() { batch = batch[:0] }()
		return take(batch)
	})
	if err != nil {
		return nil, err
	}
	for chunk := range slices.Chunk(batch, loadChunk) {
		if err := take(slices.Clone(chunk)); err != nil {
			return nil, err
		}
	}
	if r.told != nil {
		if err := r.told.find(ctx, r, p, f, nil, unlimited, len(batch)); err != nil {
			return nil, err
		}
		r.told.steps = append(r.told.steps, search.Step{Kind: "sort", Index: typ, Detail: "the first of the order are kept", Rows: len(batch)})
	}
	return top.sorted(), nil
}

// maxGroups bounds the reads of rows in the order of the first of several parameters.
const maxGroups = 5

// firstOf returns the first rows of an order whose first parameter, or the id, has the order of an index: groups of equal values are read
// until they have as many rows as are asked for. ok is false where no index has the order, or where groups are large.
func (r *reader) firstOf(ctx context.Context, typ string, where search.Expr, sorts []search.Sort, from *start, reverse bool, limit int) (_ []search.Row, ok bool, err error) {
	if sorts[0].Chain != nil || from != nil && !from.here {
		return nil, false, nil
	}
	if sorts[0].Param == search.SortByID {
		return r.byID(ctx, typ, where, sorts, from, reverse, limit)
	}
	pl := r.planner(typ, where, sorts[0].Param)
	if pl == nil {
		return nil, true, nil
	}
	o, err := pl.order(ctx, sorts[0].Desc, reverse)
	if err != nil || o.pages.plan.blocks {
		return nil, false, err
	}
	var at *start
	if from != nil { // the rows of the same value may be on either side
		at = &start{keys: from.keys[:1], equal: true}
	}
	top := &topRows{sorts: sorts, reverse: reverse}
	var value search.SortKey // of the group that is being read
	taken, open := 0, 0      // open: of that group, which may go on in the next batch
	for batch, n := 2*limit+20, 0; n < maxGroups; batch, n = 2*batch, n+1 {
		rows, err := o.page(ctx, at, batch)
		if err != nil {
			return nil, false, err
		}
		read := len(rows)
		var last search.Row
		if read > 0 {
			last = rows[read-1]
		}
		if rows, err = r.withKeys(ctx, typ, rows, sorts); err != nil {
			return nil, false, err
		}
		for _, row := range rows {
			if row.Sort[0] != value {
				value, open = row.Sort[0], 0
			}
			if from == nil || follows(row, sorts, from, typ, reverse) {
				top.add(row, limit)
				taken++
				open++
			}
		}
		if read < batch || taken-open >= limit {
			return top.sorted(), true, nil
		}
		at = &start{keys: last.Sort, id: last.Key.ID, here: true}
	}
	return nil, false, nil
}

// byID returns rows in the order of ids, of which the first sort asks; it has no equal values.
func (r *reader) byID(ctx context.Context, typ string, where search.Expr, sorts []search.Sort, from *start, reverse bool, limit int) ([]search.Row, bool, error) {
	if from != nil && from.keys[0] != (search.SortKey{Value: from.id}) { // a position that no row has
		return nil, false, nil
	}
	if from != nil {
		from = &start{id: from.id, here: true, equal: from.equal}
	}
	rows, err := r.walk(ctx, typ, where, nil, from, reverse != sorts[0].Desc, limit)
	if err == nil {
		rows, err = r.withKeys(ctx, typ, rows, sorts)
	}
	return rows, err == nil, err
}

// withKeys returns rows, at most a few thousand, with the keys of all sorts.
func (r *reader) withKeys(ctx context.Context, typ string, rows []search.Row, sorts []search.Sort) ([]search.Row, error) {
	projection := sortProjection(sorts)
	for chunk := range slices.Chunk(rows, loadChunk) {
		if len(projection) == 2 { // no parameter
			for i := range chunk {
				chunk[i] = keyedByID(chunk[i], sorts)
			}
			continue
		}
		found := make(map[string]search.Row, len(chunk))
		f := bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: idsOf(chunk)}}}}
		if err := r.query(ctx, typ, f, nil, options.Find().SetProjection(projection), func(raw bson.Raw) error {
			row := sortedRow(typ, sorts, raw)
			found[row.Key.ID] = row
			return nil
		}); err != nil {
			return nil, err
		}
		for i := range chunk {
			chunk[i] = found[chunk[i].Key.ID]
		}
	}
	for chunk := range slices.Chunk(rows, loadChunk) {
		if err := r.chainKeys(ctx, chunk, sorts); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// keyedByID gives a row the keys of sorts by the id, and missing ones of chains.
func keyedByID(row search.Row, sorts []search.Sort) search.Row {
	row.Sort = make([]search.SortKey, len(sorts))
	for i, s := range sorts {
		row.Sort[i] = search.SortKey{Missing: true}
		if s.Chain == nil {
			row.Sort[i] = search.SortKey{Value: row.Key.ID}
		}
	}
	return row
}

// sortProjection is what a find returns for the keys of sorts.
func sortProjection(sorts []search.Sort) bson.D {
	projection := bson.D{{Key: fieldVersion, Value: 1}, {Key: fieldUpdated, Value: 1}}
	for i, s := range sorts {
		if s.Chain == nil && s.Param != search.SortByID && !slices.ContainsFunc(sorts[:i], func(o search.Sort) bool { return o.Chain == nil && o.Param == s.Param }) {
			projection = append(projection, bson.E{Key: pathSort + keyName(s.Param), Value: 1})
		}
	}
	return projection
}

// needsQueries reports whether rows can't be judged while their cursor is read: a session answers one command at a time.
func needsQueries(w resolved, sorts []search.Sort) bool {
	return w.chained || slices.ContainsFunc(sorts, func(s search.Sort) bool { return s.Chain != nil })
}

// sortedRow reads a row with the keys of all sorts but those of chains, which are missing.
func sortedRow(typ string, sorts []search.Sort, raw bson.Raw) search.Row {
	row := rowOf(typ, "", false, raw)
	row.Sort = make([]search.SortKey, len(sorts))
	index, _ := raw.Lookup(fieldIndex).DocumentOK()
	for i, s := range sorts {
		switch {
		case s.Chain != nil:
			row.Sort[i] = search.SortKey{Missing: true}
		case s.Param == search.SortByID:
			row.Sort[i] = search.SortKey{Value: row.Key.ID}
		default:
			row.Sort[i] = sortKey(index, s.Param, s.Desc)
		}
	}
	return row
}

// chainKeys looks up the keys of chained sorts.
func (r *reader) chainKeys(ctx context.Context, rows []search.Row, sorts []search.Sort) error {
	if len(rows) == 0 {
		return nil
	}
	for i, s := range sorts {
		if s.Chain == nil {
			continue
		}
		refs, err := r.references(ctx, rows[0].Key.Type, idsOf(rows), s.Chain.Param, s.Chain.Target, nil)
		if err != nil {
			return err
		}
		var targets []string
		for _, to := range refs {
			targets = append(targets, to...)
		}
		slices.Sort(targets)
		keys := map[string]search.SortKey{}
		for chunk := range slices.Chunk(slices.Compact(targets), loadChunk) {
			f := and(bson.A{bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: chunk}}}}, live})
			opts := options.Find().SetProjection(bson.D{{Key: pathSort + keyName(s.Param), Value: 1}})
			err := r.query(ctx, s.Chain.Target, f, nil, opts, func(raw bson.Raw) error {
				id, _ := raw.Lookup(fieldID).StringValueOK()
				index, _ := raw.Lookup(fieldIndex).DocumentOK()
				keys[id] = sortKey(index, s.Param, s.Desc)
				if s.Param == search.SortByID {
					keys[id] = search.SortKey{Value: id}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		for j := range rows {
			for _, to := range refs[rows[j].Key.ID] {
				if k, ok := keys[to]; ok && k.Compare(rows[j].Sort[i], s.Desc) < 0 {
					rows[j].Sort[i] = k
				}
			}
		}
		if s.Chain.Named == nil {
			continue
		}
		if refs, err = r.pointers(ctx, rows[0].Key.Type, idsOf(rows), s.Chain.Param, term(s.Chain.Param, kindURI, ""), nil); err != nil {
			return err
		}
		for j := range rows {
			for _, canonical := range refs[rows[j].Key.ID] {
				if k := s.Chain.Named.Key(canonical); k.Compare(rows[j].Sort[i], s.Desc) < 0 {
					rows[j].Sort[i] = k
				}
			}
		}
	}
	return nil
}

// follows reports whether a row comes after from.
func follows(row search.Row, sorts []search.Sort, from *start, typ string, reverse bool) bool {
	at := search.Position{Sort: from.keys, Key: fhir.Key{Type: typ, ID: from.id}}
	if !from.here {
		at.Key = row.Key
	}
	c := inOrder(row.Position.Compare(at, sorts), reverse)
	return c > 0 || c == 0 && from.equal
}

// topRows keeps the first rows of an order; the last of them is first in the heap.
type topRows struct {
	sorts   []search.Sort
	reverse bool
	rows    []search.Row
}

func (t *topRows) compare(a, b search.Row) int {
	return inOrder(a.Position.Compare(b.Position, t.sorts), t.reverse)
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (t *topRows) Len() int           { return len(t.rows) }
func (t *topRows) Less(i, j int) bool { return t.compare(t.rows[i], t.rows[j]) > 0 }
func (t *topRows) Swap(i, j int)      { t.rows[i], t.rows[j] = t.rows[j], t.rows[i] }
func (t *topRows) Push(x any)         { t.rows = append(t.rows, x.(search.Row)) }
func (t *topRows) Pop() any {
	last := t.rows[len(t.rows)-1]
	t.rows = t.rows[:len(t.rows)-1]
	return last
}

func (t *topRows) add(row search.Row, limit int) {
	if limit >= unlimited {
		t.rows = append(t.rows, row)
		return
	}
	if len(t.rows) < limit {
		heap.Push(t, row)
	} else if limit > 0 && t.compare(row, t.rows[0]) < 0 {
		t.rows[0] = row
		heap.Fix(t, 0)
	}
}

func (t *topRows) sorted() []search.Row {
	slices.SortFunc(t.rows, t.compare)
	return t.rows
}
