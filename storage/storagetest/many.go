package storagetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

func nothingIsVisibleBeforeCommit(t *testing.T, b *bench) {
	b.put(key("a"), 0, token("code", "x"))
	done := make(chan struct{})
	inside, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		defer close(done)
		b.update(func(tx storage.Tx) error {
			is(t, "Put", tx.Put(b.ctx, record(tx, key("a"), 1, token("code", "y")), 1), nil)
			is(t, "Put", tx.Put(b.ctx, record(tx, key("b"), 0, token("code", "y")), 0), nil)
			once.Do(func() { close(inside); <-leave })
			return nil
		})
	}()
	<-inside
	b.view(func(r storage.Reader) error {
		same(t, "found by the new code", find(b.ctx, t, r, has("code", "y")), []string{})
		same(t, "found by the old code", find(b.ctx, t, r, has("code", "x")), []string{"a"})
		return nil
	})
	close(leave)
	<-done
	b.view(func(r storage.Reader) error {
		same(t, "found after the commit", find(b.ctx, t, r, has("code", "y")), []string{"a", "b"})
		return nil
	})
}

func viewIsOneMoment(t *testing.T, b *bench) {
	b.put(key("a"), 0, token("code", "x"))
	b.view(func(r storage.Reader) error {
		before := r.Moment()
		other := &bench{t: t, s: b.s, ctx: b.ctx}
		other.put(key("a"), 1, token("code", "y"))
		other.put(key("b"), 0, token("code", "x"))
		got, err := r.Get(b.ctx, key("a"))
		is(t, "Get", err, nil)
		same(t, "version", got.Version, int64(1))
		same(t, "found", find(b.ctx, t, r, has("code", "x")), []string{"a"})
		same(t, "all", find(b.ctx, t, r, nil), []string{"a"})
		_, err = r.GetVersion(b.ctx, key("a"), 2)
		is(t, "GetVersion of a later one", err, storage.ErrNotFound)
		h, err := r.History(b.ctx, storage.HistoryQuery{})
		is(t, "History", err, nil)
		same(t, "versions", len(h), 1)
		n, err := r.Counts(b.ctx)
		is(t, "Counts", err, nil)
		same(t, "Counts", n, map[string]int64{types()[0]: 1})
		c, err := r.Count(b.ctx, search.Query{Types: []string{types()[0]}, Where: has("code", "x")})
		is(t, "Count", err, nil)
		same(t, "Count", c, int64(1))
		same(t, "Moment", r.Moment(), before)
		return nil
	})
	b.view(func(r storage.Reader) error {
		same(t, "found by a View after", find(b.ctx, t, r, nil), []string{"a", "b"})
		return nil
	})
}

func momentsOrderVersions(t *testing.T, b *bench) {
	var last time.Time
	for i := range 50 {
		var now time.Time
		b.update(func(tx storage.Tx) error {
			now = tx.Now()
			if !now.After(tx.Moment()) {
				t.Fatalf("Now %v is not after Moment %v", now, tx.Moment())
			}
			if now.Location() != time.UTC || now.Nanosecond()%1000 != 0 {
				t.Fatalf("Now %v is not in UTC to the microsecond", now)
			}
			return tx.Put(b.ctx, record(tx, key(fmt.Sprint("m", i)), 0), 0)
		})
		if !now.After(last) {
			t.Fatalf("Now %v does not follow %v", now, last)
		}
		last = now
		b.view(func(r storage.Reader) error {
			if r.Moment().Before(now) {
				t.Fatalf("Moment %v is before the acknowledged %v", r.Moment(), now)
			}
			rec, err := r.Get(b.ctx, key(fmt.Sprint("m", i)))
			is(t, "Get", err, nil)
			same(t, "Updated", rec.Updated, now)
			return nil
		})
	}
}

func historyOfAResource(t *testing.T, b *bench) {
	k := key("a")
	b.put(key("a-"), 0)
	var all []storage.Record // newest first
	for v := range int64(6) {
		all = append([]storage.Record{b.put(k, v)}, all...)
	}
	all = append([]storage.Record{b.remove(k, 6)}, all...)
	all = append([]storage.Record{b.put(k, 7)}, all...)
	history := func(what string, q storage.HistoryQuery, want []storage.Record) {
		t.Helper()
		q.Key = k
		b.view(func(r storage.Reader) error {
			got, err := r.History(b.ctx, q)
			is(t, what, err, nil)
			same(t, what, got, want)
			return nil
		})
	}
	history("all", storage.HistoryQuery{}, all)
	history("limited", storage.HistoryQuery{Limit: 3}, all[:3])
	history("since", storage.HistoryQuery{Since: all[2].Updated}, all[:3])
	history("since a little later", storage.HistoryQuery{Since: all[2].Updated.Add(time.Nanosecond)}, all[:2])
	history("until", storage.HistoryQuery{Until: all[2].Updated}, all[2:])
	history("since and until", storage.HistoryQuery{Since: all[5].Updated, Until: all[2].Updated}, all[2:6])
	for i := range all {
		history("after", storage.HistoryQuery{After: &storage.HistoryPosition{Updated: all[i].Updated, Key: k, Version: all[i].Version}, Limit: 2}, all[i+1:min(i+3, len(all))])
	}
	b.view(func(r storage.Reader) error {
		got, err := r.History(b.ctx, storage.HistoryQuery{Key: key("never")})
		is(t, "History of what never existed", err, nil)
		same(t, "History of what never existed", len(got), 0)
		return nil
	})
}

func historyOfTypesPages(t *testing.T, b *bench) {
	w := newWorld(7)
	m := NewModel()
	for range 40 {
		var after *Model // rebuilt where the Update runs again
		b.update(func(tx storage.Tx) error {
			after = m.clone()
			for range w.IntN(4) + 1 {
				k := w.key()
				cur := after.Current(k)
				if cur.Updated.Equal(tx.Now()) {
					continue
				}
				rec := record(tx, k, cur.Version)
				if w.IntN(4) == 0 {
					rec.Body, rec.Deleted, rec.Method = nil, true, "DELETE"
				}
				if err := tx.Put(b.ctx, rec, cur.Version); err != nil {
					return err
				}
				after.Put(rec)
			}
			return nil
		})
		m = after
	}
	all := m.History(storage.HistoryQuery{})
	for _, q := range []storage.HistoryQuery{
		{}, {Types: w.types}, {Types: w.types[:1]}, {Types: w.types[1:]}, {Types: []string{"Nothing"}},
		{Since: all[len(all)/2].Updated}, {Until: all[len(all)/2].Updated}, {Types: w.types[:2], Since: all[30].Updated, Until: all[5].Updated},
	} {
		for _, size := range []int{0, 1, 2, 7, 1000} {
			want := m.History(q)
			var got []storage.Record
			page := q
			page.Limit = size
			for {
				var part []storage.Record
				b.view(func(r storage.Reader) (err error) { part, err = r.History(b.ctx, page); return err })
				got = append(got, part...)
				if size == 0 || len(part) < size {
					break
				}
				l := part[len(part)-1]
				page.After = &storage.HistoryPosition{Updated: l.Updated, Key: l.Key, Version: l.Version}
			}
			same(t, fmt.Sprintf("history in pages of %d", size), got, want)
		}
	}
}

func countsFollowWrites(t *testing.T, b *bench) {
	other := fhir.Key{Type: types()[1], ID: "o"}
	check := func(first, second int64) {
		t.Helper()
		want := map[string]int64{}
		if first > 0 {
			want[types()[0]] = first
		}
		if second > 0 {
			want[types()[1]] = second
		}
		b.view(func(r storage.Reader) error {
			n, err := r.Counts(b.ctx)
			is(t, "Counts", err, nil)
			same(t, "Counts", n, want)
			all, ok, err := r.CountCheap(b.ctx, search.Query{Types: types()})
			is(t, "CountCheap", err, nil)
			if ok {
				same(t, "CountCheap", all, first+second)
			}
			return nil
		})
	}
	check(0, 0)
	b.put(key("a"), 0)
	b.put(key("b"), 0)
	b.put(other, 0)
	check(2, 1)
	b.put(key("a"), 1)
	check(2, 1)
	b.remove(key("a"), 2)
	check(1, 1)
	b.remove(other, 1)
	check(1, 0)
	b.put(key("a"), 3)
	check(2, 0)
}

func concurrentUpdatesOfOneResource(t *testing.T, b *bench) {
	k := key("a")
	b.put(k, 0, token("code", "c0"))
	const workers, each = 16, 10
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[int64]bool{}
	for range workers {
		wg.Go(func() {
			for range each {
				var version int64
				for {
					err := b.s.Update(b.ctx, func(tx storage.Tx) error {
						cur, err := tx.Get(b.ctx, k)
						if err != nil {
							return err
						}
						version = cur.Version + 1
						return tx.Put(b.ctx, record(tx, k, cur.Version, token("code", fmt.Sprint("c", cur.Version))), cur.Version)
					})
					if err == nil {
						break
					}
					if !errors.Is(err, storage.ErrConflict) {
						t.Errorf("Update: %v", err)
						return
					}
				}
				mu.Lock()
				if seen[version] {
					t.Errorf("version %d was acknowledged twice", version)
				}
				seen[version] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	b.view(func(r storage.Reader) error {
		rec, err := r.Get(b.ctx, k)
		is(t, "Get", err, nil)
		same(t, "the last version", rec.Version, int64(workers*each+1))
		h, err := r.History(b.ctx, storage.HistoryQuery{Key: k})
		is(t, "History", err, nil)
		for i, rec := range h {
			if rec.Version != int64(workers*each+1-i) || i > 0 && !rec.Updated.Before(h[i-1].Updated) {
				t.Fatalf("history has version %d at place %d", rec.Version, i)
			}
		}
		same(t, "found by the last code", find(b.ctx, t, r, has("code", fmt.Sprint("c", workers*each))), []string{"a"})
		same(t, "found by another code", find(b.ctx, t, r, has("code", "c7")), []string{})
		return nil
	})
}

func concurrentConditionalCreates(t *testing.T, b *bench) {
	const workers = 64
	var created atomic.Int64
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for {
				made := false
				err := b.s.Update(b.ctx, func(tx storage.Tx) error {
					made = false
					if err := tx.Guard(b.ctx, "identifier=x"); err != nil {
						return err
					}
					rows, err := tx.Find(b.ctx, search.Query{Types: []string{types()[0]}, Where: has("identifier", "x"), Limit: 2})
					if err != nil || len(rows) > 0 {
						return err
					}
					made = true
					return tx.Put(b.ctx, record(tx, key(fmt.Sprint("g", i)), 0, token("identifier", "x")), 0)
				})
				if errors.Is(err, storage.ErrConflict) {
					continue
				}
				if err != nil {
					t.Errorf("Update: %v", err)
				}
				if made {
					created.Add(1)
				}
				return
			}
		})
	}
	wg.Wait()
	same(t, "created", created.Load(), int64(1))
	b.view(func(r storage.Reader) error {
		same(t, "found", len(find(b.ctx, t, r, has("identifier", "x"))), 1)
		return nil
	})
}

// concurrentTransfers moves amounts between resources while readers add them up: the sum is the same at every moment.
func concurrentTransfers(t *testing.T, b *bench) {
	const accounts, sum = 6, 600
	amount := func(rec storage.Record) int { n, _ := strconv.Atoi(string(rec.Body)); return n }
	write := func(tx storage.Tx, k fhir.Key, expect int64, n int) error {
		rec := record(tx, k, expect, token("code", "account"))
		rec.Body = strconv.AppendInt(nil, int64(n), 10)
		return tx.Put(b.ctx, rec, expect)
	}
	b.update(func(tx storage.Tx) error {
		for i := range accounts {
			if err := write(tx, key(fmt.Sprint("t", i)), 0, sum/accounts); err != nil {
				return err
			}
		}
		return nil
	})
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				total := 0
				b.view(func(r storage.Reader) error {
					rows, err := r.Find(b.ctx, search.Query{Types: []string{types()[0]}, Where: has("code", "account")})
					if err != nil {
						return err
					}
					for _, row := range rows {
						rec, err := r.Get(b.ctx, row.Key)
						if err != nil {
							return err
						}
						if rec.Version != row.Version || !rec.Updated.Equal(row.Updated) {
							t.Errorf("Find and Get of one moment tell of versions %d and %d", row.Version, rec.Version)
						}
						total += amount(rec)
					}
					return nil
				})
				if total != sum {
					t.Errorf("a View saw a sum of %d", total)
					return
				}
			}
		})
	}
	for w := range 4 {
		writers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 1))
			for range 25 {
				from, to := rnd.IntN(accounts), rnd.IntN(accounts-1)
				if to >= from {
					to++
				}
				for {
					err := b.s.Update(b.ctx, func(tx storage.Tx) error {
						a, err := tx.Get(b.ctx, key(fmt.Sprint("t", from)))
						if err != nil {
							return err
						}
						c, err := tx.Get(b.ctx, key(fmt.Sprint("t", to)))
						if err != nil {
							return err
						}
						if err := write(tx, a.Key, a.Version, amount(a)-1); err != nil {
							return err
						}
						return write(tx, c.Key, c.Version, amount(c)+1)
					})
					if err == nil {
						break
					}
					if !errors.Is(err, storage.ErrConflict) {
						t.Errorf("Update: %v", err)
						return
					}
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

func updateMayHoldManyResources(t *testing.T, b *bench) {
	const n = 5000
	b.update(func(tx storage.Tx) error {
		for i := range n {
			if err := tx.Put(b.ctx, record(tx, key(fmt.Sprintf("n%04d", i)), 0, token("code", "x"), token("identifier", fmt.Sprint(i))), 0); err != nil {
				return err
			}
		}
		return nil
	})
	b.view(func(r storage.Reader) error {
		c, err := r.Count(b.ctx, search.Query{Types: []string{types()[0]}, Where: has("code", "x")})
		is(t, "Count", err, nil)
		same(t, "Count", c, int64(n))
		same(t, "found", find(b.ctx, t, r, has("identifier", "4711")), []string{"n4711"})
		return nil
	})
}
