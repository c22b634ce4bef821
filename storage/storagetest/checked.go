package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Checked wraps a Store so that every promise of the contract that one call can show is checked: a broken one panics with what was
// promised. It is for tests, of engines and of what uses them: it checks the caller's side too (records that carry Now, versions that
// follow, keys put once, no use of a Reader after its function). It costs some time and allocates.
func Checked(s storage.Store) storage.Store {
	if c, ok := s.(*checked); ok {
		return c
	}
	return &checked{s}
}

type checked struct{ storage.Store }

// promise panics where the contract does not hold.
func promise(holds bool, format string, args ...any) {
	if !holds {
		panic("storage contract: " + fmt.Sprintf(format, args...))
	}
}

// View checks that f's Reader is used inside f only and that f's error comes back as it is.
func (c *checked) View(ctx context.Context, f func(storage.Reader) error) error {
	var inner error
	ran := 0
	err := c.Store.View(ctx, func(r storage.Reader) error {
		ran++
		cr := &checkedReader{r: r, moment: r.Moment()}
		defer func() { cr.over = true }()
		inner = f(cr)
		return inner
	})
	promise(ran <= 1, "View ran its function %d times", ran)
	promise(ran == 1 || err != nil, "View returned nil without running its function")
	promise(ran == 0 || err == inner, "View returned %v, its function %v", err, inner)
	return err
}

// ViewAt is checked as View is, and for showing the marked state.
func (c *checked) ViewAt(ctx context.Context, mark storage.Mark, f func(storage.Reader) error) error {
	at := &checked{marked{c.Store, mark}}
	err := at.View(ctx, func(r storage.Reader) error {
		promise(r.Mark() == mark, "ViewAt shows another state than the marked one")
		return f(r)
	})
	promise(mark != "" || err != nil, "ViewAt shows the state of no mark")
	return err
}

// marked is a Store whose Views show one state.
type marked struct {
	storage.Store
	mark storage.Mark
}

// View is ViewAt the mark.
func (m marked) View(ctx context.Context, f func(storage.Reader) error) error {
	return m.ViewAt(ctx, m.mark, f)
}

// Update checks its Tx, and that f's error comes back as it is.
func (c *checked) Update(ctx context.Context, f func(storage.Tx) error) error {
	var inner error
	ran := 0
	err := c.Store.Update(ctx, func(t storage.Tx) error {
		ran++
		ct := &checkedTx{checkedReader{r: t, moment: t.Moment(), writes: true}, t, t.Now(), map[fhir.Key]bool{}}
		promise(ct.now.After(ct.moment), "Now %v is not after Moment %v", ct.now, ct.moment)
		promise(ct.now.Equal(ct.now.Truncate(time.Microsecond)) && ct.now.Location() == time.UTC, "Now %v is not in UTC to the microsecond", ct.now)
		defer func() { ct.over = true }()
		inner = f(ct)
		return inner
	})
	promise(ran > 0 || err != nil, "Update returned nil without running its function")
	promise(err != nil || inner == nil, "Update returned nil, its function %v", inner)
	promise(inner == nil || err == inner || errors.Is(err, storage.ErrConflict), "Update returned %v, its function %v", err, inner)
	return err
}

type checkedReader struct {
	r      storage.Reader
	moment time.Time
	mark   storage.Mark
	writes bool // it is a Tx, which sees its own writes after its moment
	over   bool
}

func (c *checkedReader) use() { promise(!c.over, "a Reader is used after its function returned") }

// Moment checks that it does not change.
func (c *checkedReader) Moment() time.Time {
	c.use()
	m := c.r.Moment()
	promise(m.Equal(c.moment), "Moment moved from %v to %v", c.moment, m)
	return m
}

// Now checks that it is Moment in a View.
func (c *checkedReader) Now() time.Time {
	c.use()
	now := c.r.Now()
	promise(now.Equal(c.moment), "Now is %v in a View at %v", now, c.moment)
	return now
}

// Mark checks that a state is named once and for all, and that of a Tx never.
func (c *checkedReader) Mark() storage.Mark {
	c.use()
	mark := c.r.Mark()
	promise(mark == "" || !c.writes, "a Tx has a mark")
	promise(c.mark == "" || mark == c.mark, "Mark moved within a view")
	c.mark = mark
	return mark
}

// record checks one record that was read.
func (c *checkedReader) record(rec storage.Record) {
	promise(rec.Version > 0, "%s has version %d", rec.Key, rec.Version)
	promise(rec.Entries == nil, "%s came with entries", rec.Key)
	promise(!rec.Deleted || len(rec.Body) == 0, "the deletion %s has a body", rec.Key)
	promise(!rec.Revived || !rec.Deleted && rec.Version > 2, "version %d of %s follows no deletion", rec.Version, rec.Key)
	promise(rec.Updated.Location() == time.UTC, "%s has an instant that is not in UTC", rec.Key)
	promise(c.writes || !rec.Updated.After(c.moment), "%s of %v is visible at %v", rec.Key, rec.Updated, c.moment)
}

// Get checks errors and the record.
func (c *checkedReader) Get(ctx context.Context, key fhir.Key) (storage.Record, error) {
	c.use()
	rec, err := c.r.Get(ctx, key)
	if err == nil || errors.Is(err, storage.ErrDeleted) {
		promise(rec.Key == key, "Get of %s returned %s", key, rec.Key)
		promise(rec.Deleted == (err != nil), "Get of %s: deleted %v with error %v", key, rec.Deleted, err)
		c.record(rec)
	}
	return rec, err
}

// GetVersion checks the record.
func (c *checkedReader) GetVersion(ctx context.Context, key fhir.Key, version int64) (storage.Record, error) {
	c.use()
	rec, err := c.r.GetVersion(ctx, key, version)
	promise(!errors.Is(err, storage.ErrDeleted), "GetVersion returned ErrDeleted")
	if err == nil {
		promise(rec.Key == key && rec.Version == version, "GetVersion of %s %d returned %s %d", key, version, rec.Key, rec.Version)
		c.record(rec)
	}
	return rec, err
}

// GetMany checks the order.
func (c *checkedReader) GetMany(ctx context.Context, keys []fhir.Key) ([]storage.Record, error) {
	c.use()
	recs, err := c.r.GetMany(ctx, keys)
	if err == nil {
		promise(len(recs) == len(keys), "GetMany of %d keys returned %d records", len(keys), len(recs))
		for i, rec := range recs {
			if rec.Version > 0 {
				promise(rec.Key == keys[i] && !rec.Deleted, "GetMany returned %s for %s", rec.Key, keys[i])
				c.record(rec)
			}
		}
	}
	return recs, err
}

// rows checks the order and the page of a result.
func (c *checkedReader) rows(q search.Query, rows []search.Row) {
	promise(q.Limit == 0 || len(rows) <= q.Limit, "%d rows for a limit of %d", len(rows), q.Limit)
	dir := 1
	if q.Reverse {
		dir = -1
	}
	prev := q.After
	for i := range rows {
		r := &rows[i]
		promise(slices.Contains(q.Types, r.Key.Type), "%s is not of the types asked for", r.Key)
		promise(len(r.Sort) == len(q.Sort), "%s has %d sort keys for %d sorts", r.Key, len(r.Sort), len(q.Sort))
		promise(r.Version > 0, "%s has version %d", r.Key, r.Version)
		promise(prev == nil || dir*prev.Compare(r.Position, q.Sort) < 0, "%s stands out of order", r.Key)
		prev = &r.Position
	}
}

// Find checks order and page.
func (c *checkedReader) Find(ctx context.Context, q search.Query) ([]search.Row, error) {
	c.use()
	rows, err := c.r.Find(ctx, q)
	if err == nil {
		c.rows(q, rows)
	}
	return rows, err
}

// Explain checks order and page, and that the plan counts the rows.
func (c *checkedReader) Explain(ctx context.Context, q search.Query) ([]search.Row, search.Plan, error) {
	c.use()
	rows, plan, err := c.r.Explain(ctx, q)
	if err == nil {
		c.rows(q, rows)
		promise(plan.Returned == len(rows), "the plan tells of %d rows, there are %d", plan.Returned, len(rows))
	}
	return rows, plan, err
}

// Count checks that the number is one.
func (c *checkedReader) Count(ctx context.Context, q search.Query) (int64, error) {
	c.use()
	n, err := c.r.Count(ctx, q)
	promise(n >= 0, "Count is %d", n)
	return n, err
}

// ExplainCount checks that the number is Count's.
func (c *checkedReader) ExplainCount(ctx context.Context, q search.Query) (int64, search.Plan, error) {
	n, err := c.Count(ctx, q)
	if err != nil {
		return n, search.Plan{}, err
	}
	m, plan, err := c.r.ExplainCount(ctx, q)
	promise(err != nil || m == n && plan.Returned == int(n), "ExplainCount is %d, its plan tells of %d, Count is %d", m, plan.Returned, n)
	return m, plan, err
}

// CountCheap checks that the number is one.
func (c *checkedReader) CountCheap(ctx context.Context, q search.Query) (int64, bool, error) {
	c.use()
	n, ok, err := c.r.CountCheap(ctx, q)
	promise(n >= 0 || !ok, "CountCheap is %d", n)
	promise(err == nil || !ok, "CountCheap knows in spite of %v", err)
	return n, ok, err
}

// Estimate checks that the number is one.
func (c *checkedReader) Estimate(ctx context.Context, q search.Query) (int64, error) {
	c.use()
	n, err := c.r.Estimate(ctx, q)
	promise(n >= 0, "Estimate is %d", n)
	return n, err
}

// History checks order, bounds and page.
func (c *checkedReader) History(ctx context.Context, q storage.HistoryQuery) ([]storage.Record, error) {
	c.use()
	recs, err := c.r.History(ctx, q)
	if err != nil {
		return recs, err
	}
	promise(q.Limit == 0 || len(recs) <= q.Limit, "%d versions for a limit of %d", len(recs), q.Limit)
	for i, rec := range recs {
		c.record(rec)
		promise(q.Key == (fhir.Key{}) || rec.Key == q.Key, "%s in the history of %s", rec.Key, q.Key)
		promise(q.Key != (fhir.Key{}) || len(q.Types) == 0 || slices.Contains(q.Types, rec.Key.Type), "%s in the history of %v", rec.Key, q.Types)
		promise(q.Since.IsZero() || !rec.Updated.Before(q.Since), "%s is of before Since", rec.Key)
		promise(q.Until.IsZero() || !rec.Updated.After(q.Until), "%s is of after Until", rec.Key)
		if i > 0 {
			promise(!rec.Updated.After(recs[i-1].Updated), "%s stands out of order", rec.Key)
		}
	}
	return recs, nil
}

// Counts checks that there are no empty types.
func (c *checkedReader) Counts(ctx context.Context) (map[string]int64, error) {
	c.use()
	n, err := c.r.Counts(ctx)
	for typ, k := range n {
		promise(k > 0, "Counts has %d of %s", k, typ)
	}
	return n, err
}

// Meta passes on.
func (c *checkedReader) Meta(ctx context.Context, name string) ([]byte, error) {
	c.use()
	v, err := c.r.Meta(ctx, name)
	promise(err != nil || v != nil, "Meta returned nil without an error")
	return v, err
}

// Metas checks that Meta knows each value.
func (c *checkedReader) Metas(ctx context.Context) (map[string][]byte, error) {
	c.use()
	all, err := c.r.Metas(ctx)
	for name, v := range all {
		got, gerr := c.r.Meta(ctx, name)
		promise(gerr != nil || bytes.Equal(got, v), "Metas and Meta have different values of one name")
		promise(!errors.Is(gerr, storage.ErrNotFound), "Metas has a name that Meta does not know")
	}
	return all, err
}

type checkedTx struct {
	checkedReader
	t   storage.Tx
	now time.Time
	put map[fhir.Key]bool
}

// Now checks that it does not change.
func (c *checkedTx) Now() time.Time {
	c.use()
	promise(c.t.Now().Equal(c.now), "Now moved within an Update")
	return c.now
}

// Put checks that what is put is read back.
func (c *checkedTx) Put(ctx context.Context, rec storage.Record, expect int64) error {
	c.use()
	err := c.t.Put(ctx, rec, expect)
	if err != nil {
		return err
	}
	promise(rec.Version == expect+1, "Put took version %d after %d", rec.Version, expect)
	promise(rec.Updated.Equal(c.now), "Put took an instant that is not Now")
	promise(!c.put[rec.Key], "Put took %s twice", rec.Key)
	c.put[rec.Key] = true
	got, gerr := c.t.Get(ctx, rec.Key)
	if gerr == nil || errors.Is(gerr, storage.ErrDeleted) {
		promise(got.Version == rec.Version && got.Deleted == rec.Deleted, "an Update does not read what it put to %s", rec.Key)
	}
	return nil
}

// Reindex passes on.
func (c *checkedTx) Reindex(ctx context.Context, key fhir.Key, version int64, entries []search.Entry) error {
	c.use()
	return c.t.Reindex(ctx, key, version, entries)
}

// Erase checks that what is erased is not read, and was not put.
func (c *checkedTx) Erase(ctx context.Context, keys []fhir.Key) (int64, error) {
	c.use()
	n, err := c.t.Erase(ctx, keys)
	if err != nil {
		return n, err
	}
	for _, key := range keys {
		promise(!c.put[key], "Erase took %s, which is put in the same Update", key)
		c.put[key] = true
		_, gerr := c.t.Get(ctx, key)
		promise(errors.Is(gerr, storage.ErrNotFound), "%s is erased, and Get returns %v", key, gerr)
	}
	return n, nil
}

// Guard passes on.
func (c *checkedTx) Guard(ctx context.Context, names ...string) error {
	c.use()
	return c.t.Guard(ctx, names...)
}

// SetMeta passes on.
func (c *checkedTx) SetMeta(ctx context.Context, name string, value []byte) error {
	c.use()
	return c.t.SetMeta(ctx, name, value)
}
