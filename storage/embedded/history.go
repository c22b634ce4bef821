package embedded

import (
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// historyKey is the key of a version in the history of its type: instant descending, id, version descending.
func historyKey(b []byte, typ uint32, micros int64, id string, version int64) []byte {
	b = appendDescending(appendNumber(append(b, tableHistory), typ), micros)
	b = append(append(b, id...), 0)
	return appendDescending(b, version)
}

// History returns versions, newest first.
func (r *reader) History(ctx context.Context, q storage.HistoryQuery) ([]storage.Record, error) {
	if err := r.ready(ctx); err != nil {
		return nil, err
	}
	since, until := int64(math.MinInt64), int64(math.MaxInt64)
	if !q.Since.IsZero() {
		since = ceilMicro(q.Since)
	}
	if !q.Until.IsZero() {
		until = q.Until.Truncate(time.Microsecond).UnixMicro()
	}
	if q.Key != (fhir.Key{}) {
		return r.historyOf(ctx, q, since, until)
	}
	types := q.Types
	if len(types) == 0 {
		types = r.s.dict.types()
	}
	return r.historyTypes(ctx, types, q, since, until)
}

// ceilMicro returns the first whole microsecond at or after t.
func ceilMicro(t time.Time) int64 {
	m := t.UnixMicro()
	if time.UnixMicro(m).Before(t) {
		m++
	}
	return m
}

// historyOf is the history of one resource: its versions in descending order, which is the order of their instants too.
func (r *reader) historyOf(ctx context.Context, q storage.HistoryQuery, since, until int64) ([]storage.Record, error) {
	rec, err := r.get(ctx, q.Key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []storage.Record
	add := func(rec storage.Record) (more bool) {
		at := rec.Updated.UnixMicro()
		if at < since {
			return false
		}
		if at <= until && behind(&rec, q.After) {
			out = append(out, rec)
		}
		return q.Limit == 0 || len(out) < q.Limit
	}
	if !add(rec) {
		return out, nil
	}
	typ, _ := r.s.dict.find(q.Key.Type, "")
	prefix := append(typeKey(nil, tableOld, typ, q.Key.ID), 0)
	it, err := r.src.NewIter(within(prefix))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	start := prefix
	if a := q.After; a != nil && a.Key == q.Key && a.Version > 0 {
		start = appendDescending(slices.Clip(prefix), a.Version)
	}
	for ok := it.SeekGE(start); ok; ok = it.Next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		rec, err := decodeRecord(q.Key, v, true)
		if err != nil {
			return nil, err
		}
		if !add(rec) {
			break
		}
	}
	return out, it.Error()
}

// behind reports whether a version comes after a position in a history's order.
func behind(rec *storage.Record, after *storage.HistoryPosition) bool {
	if after == nil {
		return true
	}
	return comparePlaces(place{rec.Updated.UnixMicro(), rec.Key, rec.Version}, place{after.Updated.UnixMicro(), after.Key, after.Version}) > 0
}

// place is a version's place in the order of histories.
type place struct {
	micros  int64
	key     fhir.Key
	version int64
}

func comparePlaces(a, b place) int {
	switch {
	case a.micros != b.micros:
		if a.micros > b.micros {
			return -1
		}
		return 1
	case a.key != b.key:
		return a.key.Compare(b.key)
	case a.version != b.version:
		if a.version > b.version {
			return -1
		}
		return 1
	}
	return 0
}

// cursor walks the history of one type.
type cursor struct {
	it   *pebble.Iterator
	typ  string
	head place
}

// load reads the version the iterator is at.
func (c *cursor) load() error {
	k := c.it.Key()[1+numberSize:]
	if len(k) < 18 {
		return errDamaged
	}
	c.head.micros = descending(k[:8])
	c.head.key = fhir.Key{Type: c.typ, ID: string(k[8 : len(k)-9])}
	c.head.version = descending(k[len(k)-8:])
	return nil
}

// cursors is a heap of the types' histories, the newest head first.
type cursors []*cursor

func (c cursors) Len() int           { return len(c) }
func (c cursors) Less(i, j int) bool { return comparePlaces(c[i].head, c[j].head) < 0 }
func (c cursors) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }

// Push adds a cursor.
func (c *cursors) Push(x any) { *c = append(*c, x.(*cursor)) }

// Pop removes the last.
func (c *cursors) Pop() any {
	x := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return x
}

// historyTypes merges the histories of types.
func (r *reader) historyTypes(ctx context.Context, types []string, q storage.HistoryQuery, since, until int64) (out []storage.Record, err error) {
	var all []*cursor
	defer func() {
		for _, c := range all {
			if cerr := c.it.Close(); err == nil {
				err = cerr
			}
		}
	}()
	var h cursors
	for _, t := range types {
		num, ok := r.s.dict.find(t, "")
		if !ok {
			continue
		}
		prefix := appendNumber([]byte{tableHistory}, num)
		it, err := r.src.NewIter(within(prefix))
		if err != nil {
			return nil, err
		}
		c := &cursor{it: it, typ: t}
		all = append(all, c)
		if it.SeekGE(startOf(num, t, q.After, until)) {
			if err := c.load(); err != nil {
				return nil, err
			}
			h = append(h, c)
		}
	}
	heap.Init(&h)
	for len(h) > 0 && (q.Limit == 0 || len(out) < q.Limit) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c := h[0]
		if c.head.micros < since {
			break
		}
		rec := storage.Record{Key: c.head.key, Version: c.head.version, Updated: time.UnixMicro(c.head.micros).UTC()}
		if behind(&rec, q.After) && c.head.micros <= until {
			if rec, err = r.GetVersion(ctx, c.head.key, c.head.version); err != nil {
				return nil, err
			}
			out = append(out, rec)
		}
		if c.it.Next() {
			if err := c.load(); err != nil {
				return nil, err
			}
			heap.Fix(&h, 0)
		} else if err := c.it.Error(); err != nil {
			return nil, err
		} else {
			heap.Pop(&h)
		}
	}
	return out, nil
}

// startOf returns the first key of a type's history that can come after the position after, and at or before until.
func startOf(num uint32, typ string, after *storage.HistoryPosition, until int64) []byte {
	k := appendNumber([]byte{tableHistory}, num)
	if after == nil || after.Updated.UnixMicro() > until {
		if until == math.MaxInt64 {
			return k
		}
		return binary.BigEndian.AppendUint64(k, ^uint64(until))
	}
	k = appendDescending(k, after.Updated.UnixMicro())
	if strings.Compare(typ, after.Key.Type) < 0 {
		return prefixEnd(k) // of this type all versions of that instant come before
	}
	if typ == after.Key.Type {
		k = append(append(k, after.Key.ID...), 0)
		k = appendDescending(k, after.Version)
	}
	return k
}
