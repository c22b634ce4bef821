package storagetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

func getTellsNeverFromDeleted(t *testing.T, b *bench) {
	k := key("a")
	b.view(func(r storage.Reader) error {
		_, err := r.Get(b.ctx, k)
		is(t, "Get of what never existed", err, storage.ErrNotFound)
		return nil
	})
	want := b.put(k, 0)
	b.view(func(r storage.Reader) error {
		got, err := r.Get(b.ctx, k)
		is(t, "Get", err, nil)
		same(t, "Get", got, want)
		_, err = r.Get(b.ctx, key("A"))
		is(t, "Get of another id", err, storage.ErrNotFound)
		_, err = r.Get(b.ctx, fhir.Key{Type: types()[1], ID: "a"})
		is(t, "Get of another type", err, storage.ErrNotFound)
		return nil
	})
	gone := b.remove(k, 1)
	b.view(func(r storage.Reader) error {
		got, err := r.Get(b.ctx, k)
		is(t, "Get of a deleted one", err, storage.ErrDeleted)
		same(t, "the deletion", got, gone)
		return nil
	})
}

func versionsAreAllReadable(t *testing.T, b *bench) {
	k := key("a")
	var want []storage.Record
	for v := range int64(12) {
		want = append(want, b.put(k, v))
	}
	want = append(want, b.remove(k, 12), b.put(k, 13))
	b.view(func(r storage.Reader) error {
		for _, w := range want {
			got, err := r.GetVersion(b.ctx, k, w.Version)
			is(t, "GetVersion", err, nil)
			same(t, "GetVersion", got, w)
		}
		for _, v := range []int64{-1, 0, int64(len(want)) + 1, 1 << 40} {
			_, err := r.GetVersion(b.ctx, k, v)
			is(t, "GetVersion of no version", err, storage.ErrNotFound)
		}
		_, err := r.GetVersion(b.ctx, key("b"), 1)
		is(t, "GetVersion of no resource", err, storage.ErrNotFound)
		return nil
	})
}

func getManyKeepsTheOrderOfKeys(t *testing.T, b *bench) {
	a, c := b.put(key("a"), 0), b.put(key("c"), 0)
	b.put(key("b"), 0)
	b.remove(key("b"), 1)
	b.view(func(r storage.Reader) error {
		got, err := r.GetMany(b.ctx, []fhir.Key{key("c"), key("b"), key("never"), key("a"), key("c")})
		is(t, "GetMany", err, nil)
		if len(got) != 5 || got[1].Version != 0 || got[2].Version != 0 {
			t.Fatalf("GetMany returned %d records, or versions for what is not there", len(got))
		}
		same(t, "GetMany", []storage.Record{got[0], got[3], got[4]}, []storage.Record{c, a, c})
		none, err := r.GetMany(b.ctx, nil)
		is(t, "GetMany of nothing", err, nil)
		same(t, "GetMany of nothing", len(none), 0)
		return nil
	})
}

func putWantsTheExpectedVersion(t *testing.T, b *bench) {
	k := key("a")
	try := func(expect int64, want error) {
		t.Helper()
		is(t, "Update", b.s.Update(b.ctx, func(tx storage.Tx) error { return tx.Put(b.ctx, record(tx, k, expect), expect) }), want)
	}
	try(1, storage.ErrConflict)
	b.put(k, 0)
	try(0, storage.ErrConflict)
	try(2, storage.ErrConflict)
	b.put(k, 1)
	try(1, storage.ErrConflict)
	b.remove(k, 2)
	try(0, storage.ErrConflict)
	try(2, storage.ErrConflict)
	b.view(func(r storage.Reader) error {
		got, err := r.Get(b.ctx, k)
		is(t, "Get", err, storage.ErrDeleted)
		same(t, "version", got.Version, int64(3))
		return nil
	})
}

func putRefusesDefects(t *testing.T, b *bench) {
	k := key("a")
	for name, change := range map[string]func(tx storage.Tx, r *storage.Record){
		"a version that does not follow": func(_ storage.Tx, r *storage.Record) { r.Version = 5 },
		"another instant than Now":       func(tx storage.Tx, r *storage.Record) { r.Updated = tx.Now().Add(-tick) },
		"no instant":                     func(_ storage.Tx, r *storage.Record) { r.Updated = time.Time{} },
	} {
		err := b.s.Update(b.ctx, func(tx storage.Tx) error {
			rec := record(tx, k, 0)
			change(tx, &rec)
			return tx.Put(b.ctx, rec, 0)
		})
		if err == nil {
			t.Errorf("Put takes a record with %s", name)
		}
	}
	if err := b.s.Update(b.ctx, func(tx storage.Tx) error {
		if err := tx.Put(b.ctx, record(tx, k, 0), 0); err != nil {
			return err
		}
		return tx.Put(b.ctx, record(tx, k, 1), 1)
	}); err == nil {
		t.Error("Put takes one key twice in an Update")
	}
	b.view(func(r storage.Reader) error {
		_, err := r.Get(b.ctx, k)
		is(t, "Get after refused puts", err, storage.ErrNotFound)
		return nil
	})
}

func deletedResourcesComeBack(t *testing.T, b *bench) {
	k := key("a")
	b.put(k, 0, token("code", "x"))
	b.remove(k, 1)
	b.view(func(r storage.Reader) error {
		same(t, "found while deleted", find(b.ctx, t, r, nil), []string{})
		same(t, "found by code while deleted", find(b.ctx, t, r, has("code", "x")), []string{})
		return nil
	})
	var want storage.Record
	b.update(func(tx storage.Tx) error {
		want = record(tx, k, 2, token("code", "y"))
		want.Revived = true
		return tx.Put(b.ctx, want, 2)
	})
	want.Entries = nil
	b.view(func(r storage.Reader) error {
		got, err := r.Get(b.ctx, k)
		is(t, "Get", err, nil)
		same(t, "Get", got, want)
		same(t, "found by the new code", find(b.ctx, t, r, has("code", "y")), []string{"a"})
		same(t, "found by the old code", find(b.ctx, t, r, has("code", "x")), []string{})
		return nil
	})
	last := b.put(k, 3, token("code", "y"))
	b.view(func(r storage.Reader) error {
		got, err := r.GetVersion(b.ctx, k, 3)
		is(t, "GetVersion", err, nil)
		same(t, "GetVersion of what was superseded", got, want)
		history, err := r.History(b.ctx, storage.HistoryQuery{Key: k, Limit: 2})
		is(t, "History", err, nil)
		same(t, "History", history, []storage.Record{last, want})
		return nil
	})
}

// errAbort is an error of the caller's own.
var errAbort = errors.New("the caller gives up")

func updateIsAllOrNothing(t *testing.T, b *bench) {
	b.put(key("a"), 0, token("code", "x"))
	err := b.s.Update(b.ctx, func(tx storage.Tx) error {
		is(t, "Put", tx.Put(b.ctx, record(tx, key("a"), 1, token("code", "y")), 1), nil)
		is(t, "Put", tx.Put(b.ctx, record(tx, key("b"), 0, token("code", "y")), 0), nil)
		is(t, "SetMeta", tx.SetMeta(b.ctx, "m", []byte("v")), nil)
		return errAbort
	})
	if err != errAbort {
		t.Fatalf("Update returned %v, not f's error as it is", err)
	}
	err = b.s.Update(b.ctx, func(tx storage.Tx) error {
		is(t, "Put", tx.Put(b.ctx, record(tx, key("b"), 0), 0), nil)
		return tx.Put(b.ctx, record(tx, key("a"), 0), 0)
	})
	is(t, "an Update whose last put conflicts", err, storage.ErrConflict)
	b.view(func(r storage.Reader) error {
		same(t, "found", find(b.ctx, t, r, nil), []string{"a"})
		same(t, "found by code", find(b.ctx, t, r, has("code", "x")), []string{"a"})
		_, err := r.Meta(b.ctx, "m")
		is(t, "Meta", err, storage.ErrNotFound)
		h, err := r.History(b.ctx, storage.HistoryQuery{})
		is(t, "History", err, nil)
		same(t, "versions", len(h), 1)
		n, err := r.Counts(b.ctx)
		is(t, "Counts", err, nil)
		same(t, "Counts", n, map[string]int64{types()[0]: 1})
		return nil
	})
}

func updateReadsItsOwnWrites(t *testing.T, b *bench) {
	b.put(key("a"), 0, token("code", "x"))
	b.put(key("b"), 0, token("code", "x"))
	b.put(key("c"), 0, token("code", "x"))
	b.update(func(tx storage.Tx) error {
		one := record(tx, key("a"), 1, token("code", "y"))
		is(t, "Put", tx.Put(b.ctx, one, 1), nil)
		one.Entries = nil
		first, err := tx.GetVersion(b.ctx, key("a"), 1)
		is(t, "GetVersion of what the last Put superseded", err, nil)
		same(t, "version", first.Version, int64(1))
		got, err := tx.Get(b.ctx, key("a"))
		is(t, "Get", err, nil)
		same(t, "Get", got, one)
		same(t, "found by the new code", find(b.ctx, t, tx, has("code", "y")), []string{"a"})
		// Writes go on after reads.
		is(t, "Put", tx.Put(b.ctx, record(tx, key("d"), 0, token("code", "x")), 0), nil)
		is(t, "Put", tx.Put(b.ctx, storage.Record{Key: key("b"), Version: 2, Updated: tx.Now(), Method: "DELETE", Deleted: true}, 1), nil)
		same(t, "found by the old code", find(b.ctx, t, tx, has("code", "x")), []string{"c", "d"})
		same(t, "all", find(b.ctx, t, tx, nil), []string{"a", "c", "d"})
		_, err = tx.Get(b.ctx, key("b"))
		is(t, "Get of what this Update deleted", err, storage.ErrDeleted)
		old, err := tx.GetVersion(b.ctx, key("a"), 1)
		is(t, "GetVersion of what this Update superseded", err, nil)
		same(t, "version", old.Version, int64(1))
		n, err := tx.Count(b.ctx, search.Query{Types: []string{types()[0]}, Where: has("code", "x")})
		is(t, "Count", err, nil)
		same(t, "Count", n, int64(2))
		all, err := tx.Count(b.ctx, search.Query{Types: []string{types()[0]}})
		is(t, "Count", err, nil)
		same(t, "Count of all", all, int64(3))
		h, err := tx.History(b.ctx, storage.HistoryQuery{Key: key("a")})
		is(t, "History", err, nil)
		same(t, "versions of a", len(h), 2)
		is(t, "SetMeta", tx.SetMeta(b.ctx, "m", []byte("v")), nil)
		v, err := tx.Meta(b.ctx, "m")
		is(t, "Meta", err, nil)
		same(t, "Meta", v, []byte("v"))
		same(t, "Now", tx.Now(), one.Updated)
		return nil
	})
	b.view(func(r storage.Reader) error {
		same(t, "all after the Update", find(b.ctx, t, r, nil), []string{"a", "c", "d"})
		return nil
	})
}

func reindexReplacesEntries(t *testing.T, b *bench) {
	k := key("a")
	b.put(k, 0, token("code", "x"))
	b.put(k, 1, token("code", "x"), token("status", "s"))
	b.put(key("gone"), 0, token("code", "x"))
	b.remove(key("gone"), 1)
	want, _ := b.get(k)
	reindex := func(k fhir.Key, version int64, entries ...search.Entry) {
		t.Helper()
		b.update(func(tx storage.Tx) error { return tx.Reindex(b.ctx, k, version, entries) })
	}
	reindex(k, 1, token("code", "superseded"))
	reindex(k, 3, token("code", "future"))
	reindex(key("never"), 1, token("code", "never"))
	reindex(key("gone"), 1, token("code", "gone"))
	reindex(key("gone"), 2, token("code", "gone"))
	reindex(k, 2, token("code", "y"))
	b.view(func(r storage.Reader) error {
		for code, ids := range map[string][]string{"x": {}, "superseded": {}, "future": {}, "never": {}, "gone": {}, "y": {"a"}} {
			same(t, "found by "+code, find(b.ctx, t, r, has("code", code)), ids)
		}
		same(t, "found by the entry that is gone", find(b.ctx, t, r, has("status", "s")), []string{})
		return nil
	})
	got, _ := b.get(k)
	same(t, "the record", got, want)
	// In one Update with the version itself.
	b.update(func(tx storage.Tx) error {
		is(t, "Put", tx.Put(b.ctx, record(tx, k, 2, token("code", "p")), 2), nil)
		return tx.Reindex(b.ctx, k, 3, []search.Entry{token("code", "q")})
	})
	b.view(func(r storage.Reader) error {
		same(t, "found by what Put brought", find(b.ctx, t, r, has("code", "p")), []string{})
		same(t, "found by what Reindex brought", find(b.ctx, t, r, has("code", "q")), []string{"a"})
		return nil
	})
}

// get reads one record.
func (b *bench) get(k fhir.Key) (rec storage.Record, err error) {
	b.view(func(r storage.Reader) error { rec, err = r.Get(b.ctx, k); return nil })
	return rec, err
}

func supersededEntriesFindNothing(t *testing.T, b *bench) {
	k := key("a")
	codes := []string{"u", "v", "w", "x", "u", "y"}
	for v, c := range codes {
		b.put(k, int64(v), token("code", c), token("code", "always"), search.Entry{Param: "date", Lo: "2020" + c, Hi: "2021" + c})
	}
	b.view(func(r storage.Reader) error {
		for _, c := range codes[:5] {
			same(t, "found by "+c, find(b.ctx, t, r, has("code", c)), []string{})
			n, err := r.Count(b.ctx, search.Query{Types: []string{types()[0]}, Where: has("code", c)})
			is(t, "Count", err, nil)
			same(t, "Count of "+c, n, int64(0))
		}
		same(t, "found by y", find(b.ctx, t, r, has("code", "y")), []string{"a"})
		n, err := r.Count(b.ctx, search.Query{Types: []string{types()[0]}, Where: has("code", "always")})
		is(t, "Count", err, nil)
		same(t, "Count of always", n, int64(1))
		rows, err := r.Find(b.ctx, search.Query{Types: []string{types()[0]}, Sort: []search.Sort{{Param: "date"}}})
		is(t, "Find", err, nil)
		same(t, "rows in an order", len(rows), 1)
		same(t, "the sort key", rows[0].Sort[0], search.SortKey{Value: "2020y"})
		return nil
	})
}

// partsWithARange has composites of which a part has a code and a range, as a quantity has its unit, beside some that have no range.
func partsWithARange(t *testing.T, b *bench) {
	code := search.Entry{Code: "x"}
	unit := search.Entry{System: "http://a", Code: "mg", Lo: "P5", Hi: "P51"}
	bare := search.Entry{System: "http://a", Code: "mg"}
	for id, parts := range map[string][]search.Entry{"a": {code, unit}, "b": {code, bare}, "c": {unit, code}, "d": {unit, unit}, "e": {code}} {
		b.put(key(id), 0, search.Entry{Param: "code-value", Parts: parts})
	}
	eq := func(part int, field search.Field, value string) search.Comparison {
		return search.Comparison{Part: part, Field: field, Op: search.Eq, Value: value}
	}
	b.view(func(r storage.Reader) error {
		for want, where := range map[string][]search.Comparison{
			"a b": {eq(1, search.Code, "x"), eq(2, search.Code, "mg")},
			"c":   {eq(1, search.Code, "mg"), eq(2, search.Code, "x")},
			"d":   {eq(1, search.System, "http://a"), eq(1, search.Code, "mg"), eq(2, search.System, "http://a"), eq(2, search.Code, "mg")},
			"a":   {eq(1, search.Code, "x"), eq(2, search.Code, "mg"), {Part: 2, Field: search.Lo, Op: search.Ge, Value: "P5"}},
		} {
			same(t, "found by its parts", find(b.ctx, t, r, search.Some{Param: "code-value", Where: where}), strings.Fields(want))
		}
		return nil
	})
}

func metaIsKept(t *testing.T, b *bench) {
	set := func(name string, v []byte) {
		t.Helper()
		b.update(func(tx storage.Tx) error { return tx.SetMeta(b.ctx, name, v) })
	}
	get := func(name string) (v []byte, err error) {
		b.view(func(r storage.Reader) error { v, err = r.Meta(b.ctx, name); return nil })
		return v, err
	}
	_, err := get("a")
	is(t, "Meta", err, storage.ErrNotFound)
	set("a", []byte("one"))
	set("a\x00b", []byte{0, 255})
	set("", []byte("nameless"))
	set("empty", []byte{})
	for name, want := range map[string]string{"a": "one", "a\x00b": "\x00\xff", "": "nameless", "empty": ""} {
		v, err := get(name)
		is(t, "Meta", err, nil)
		same(t, "Meta", string(v), want)
	}
	set("a", []byte("two"))
	v, _ := get("a")
	same(t, "Meta", string(v), "two")
	set("a", nil)
	_, err = get("a")
	is(t, "Meta after its removal", err, storage.ErrNotFound)
	v, _ = get("a\x00b")
	same(t, "another Meta", v, []byte{0, 255})
	metas := func(r storage.Reader, want map[string][]byte) error {
		t.Helper()
		all, err := r.Metas(b.ctx)
		is(t, "Metas", err, nil)
		same(t, "Metas", all, want)
		return nil
	}
	want := map[string][]byte{"a\x00b": {0, 255}, "": []byte("nameless"), "empty": {}}
	b.view(func(r storage.Reader) error { return metas(r, want) })
	b.update(func(tx storage.Tx) error {
		is(t, "SetMeta", errors.Join(tx.SetMeta(b.ctx, "c", []byte("own")), tx.SetMeta(b.ctx, "", nil)), nil)
		return metas(tx, map[string][]byte{"a\x00b": {0, 255}, "c": []byte("own"), "empty": {}})
	})
}

func anyBytesAreKept(t *testing.T, b *bench) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MB
	bodies := [][]byte{{}, []byte("{}"), {0, 1, 2, 255}, []byte(`{"text":"` + strings.Repeat("é😀", 1000) + `"}`), big}
	for i, body := range bodies {
		k := key("b" + string(rune('0'+i)))
		b.update(func(tx storage.Tx) error {
			rec := record(tx, k, 0, token("code", "x"))
			rec.Body, rec.Method = body, "PATCH"
			return tx.Put(b.ctx, rec, 0)
		})
		got, err := b.get(k)
		is(t, "Get", err, nil)
		if !bytes.Equal(got.Body, body) || got.Method != "PATCH" {
			t.Fatalf("body %d of %d bytes came back as %d bytes, method %q", i, len(body), len(got.Body), got.Method)
		}
	}
	long := strings.Repeat("v", 5000)
	for i, e := range []search.Entry{token("code", long), token("code", long+"w"), {Param: "code", Folded: long + "\x00", Exact: "\xff\xfe"}} {
		b.put(key("c"+string(rune('0'+i))), 0, e)
	}
	b.view(func(r storage.Reader) error {
		same(t, "found by a long code", find(b.ctx, t, r, has("code", long)), []string{"c0"})
		same(t, "found by another", find(b.ctx, t, r, has("code", long+"w")), []string{"c1"})
		return nil
	})
}

func cancelledContextsEnd(t *testing.T, b *bench) {
	b.put(key("a"), 0)
	ctx, cancel := context.WithCancel(b.ctx)
	err := b.s.Update(ctx, func(tx storage.Tx) error {
		is(t, "Put", tx.Put(ctx, record(tx, key("b"), 0), 0), nil)
		cancel()
		return nil
	})
	if err == nil {
		t.Error("an Update whose context ended before its commit returned nil")
	}
	called := false
	is(t, "View", b.s.View(ctx, func(storage.Reader) error { called = true; return nil }), context.Canceled)
	is(t, "Update", b.s.Update(ctx, func(storage.Tx) error { called = true; return nil }), context.Canceled)
	if called {
		t.Error("a function ran under a cancelled context")
	}
	b.view(func(r storage.Reader) error {
		_, err := r.Get(ctx, key("a"))
		is(t, "Get", err, context.Canceled)
		_, err = r.Find(ctx, search.Query{Types: types()})
		is(t, "Find", err, context.Canceled)
		_, err = r.History(ctx, storage.HistoryQuery{})
		is(t, "History", err, context.Canceled)
		same(t, "found", find(b.ctx, t, r, nil), []string{"a"})
		return nil
	})
}

func closedStoresFail(t *testing.T, b *bench) {
	b.put(key("a"), 0)
	ready := b.s.Ready(b.ctx)
	for end := time.Now().Add(patience); ready != nil && time.Now().Before(end); ready = b.s.Ready(b.ctx) {
		time.Sleep(50 * time.Millisecond) // a database that stands still for a while is not ready
	}
	is(t, "Ready", ready, nil)
	is(t, "Close", b.s.Close(), nil)
	b.closed = true
	if b.s.View(b.ctx, func(storage.Reader) error { return nil }) == nil {
		t.Error("View works after Close")
	}
	if b.s.Update(b.ctx, func(storage.Tx) error { return nil }) == nil {
		t.Error("Update works after Close")
	}
	if b.s.Ready(b.ctx) == nil {
		t.Error("Ready after Close")
	}
}
