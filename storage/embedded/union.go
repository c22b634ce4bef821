package embedded

import (
	"bytes"
	"container/heap"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// seekUnion merges many scans whose rows are in the order of ids, with one iterator: each move is a seek, or a step where the same scan
// goes on. It holds one id a scan.
type seekUnion struct {
	r       *reader
	scans   []*scan
	reverse bool
	stats   *stats

	it      *pebble.Iterator
	rr      *rowReader
	on      *head // the scan that the iterator is on
	heads   headHeap
	started bool
	id      []byte
	certain bool
	failed  error
	key     []byte
}

// head is the next row of one scan.
type head struct {
	s       *scan
	id      []byte
	certain bool
}

type headHeap struct {
	h       []*head
	reverse bool
}

func (h headHeap) Len() int           { return len(h.h) }
func (h headHeap) Less(i, j int) bool { return before(h.h[i].id, h.h[j].id, h.reverse) }
func (h headHeap) Swap(i, j int)      { h.h[i], h.h[j] = h.h[j], h.h[i] }

// Push adds a head.
func (h *headHeap) Push(x any) { h.h = append(h.h, x.(*head)) }

// Pop removes the last.
func (h *headHeap) Pop() any {
	x := h.h[len(h.h)-1]
	h.h = h.h[:len(h.h)-1]
	return x
}

// start seeks every scan to its beginning, or to id.
func (u *seekUnion) start(id []byte) bool {
	u.started = true
	u.heads.reverse = u.reverse
	slices.SortFunc(u.scans, func(a, b *scan) int { return bytes.Compare(a.lower, b.lower) })
	low, high := u.scans[0].lower, u.scans[0].upper
	for _, s := range u.scans {
		if bytes.Compare(s.upper, high) > 0 {
			high = s.upper
		}
	}
	if u.it, u.failed = u.r.iter(tableIndex, low, high); u.failed != nil {
		return false
	}
	for _, s := range u.scans {
		h := &head{s: s}
		if u.move(h, id, id != nil) {
			u.heads.h = append(u.heads.h, h)
		} else if u.failed != nil {
			return false
		}
	}
	heap.Init(&u.heads)
	return u.takeFirst()
}

// move puts a head on its first accepted row at id, or behind it where inclusive is not set; id nil for the beginning.
func (u *seekUnion) move(h *head, id []byte, inclusive bool) bool {
	u.rr = u.readerOf(h.s)
	ok := false
	if u.on == h && !inclusive && id != nil {
		ok = u.step()
	} else {
		k := append(append(u.key[:0], tableIndex), h.s.lower...)
		k = append(k, id...)
		switch {
		case u.reverse && id == nil:
			ok = u.it.SeekLT(append(append(u.key[:0], tableIndex), h.s.upper...))
		case u.reverse && inclusive:
			ok = u.it.SeekLT(append(k, 1))
		case u.reverse:
			ok = u.it.SeekLT(append(k, 0))
		case id == nil:
			ok = u.it.SeekGE(k)
		case inclusive:
			ok = u.it.SeekGE(append(k, 0))
		default:
			ok = u.it.SeekGE(append(k, 1))
		}
		u.key = k[:0]
	}
	u.on = h
	for ; ok; ok = u.step() {
		u.stats.examined++
		key := u.it.Key()[1:]
		if bytes.Compare(key, h.s.lower) < 0 || bytes.Compare(key, h.s.upper) >= 0 {
			u.on = nil
			return false
		}
		at, _, tail, good := u.rr.split(key)
		if !good {
			u.failed = errDamaged
			return false
		}
		if !inclusive && id != nil && bytes.Equal(at, id) {
			continue
		}
		yes, certain := u.rr.accepts(key, tail)
		if !yes {
			continue
		}
		h.id, h.certain = append(h.id[:0], at...), certain
		return true
	}
	u.failed = u.it.Error()
	u.on = nil
	return false
}

// readerOf returns the row reader for a scan, the one in use where it fits.
func (u *seekUnion) readerOf(s *scan) *rowReader {
	if u.rr == nil || len(u.rr.slots) != len(s.letters) {
		return newRowReader(u.r.s.dict, s)
	}
	u.rr.s = s
	return u.rr
}

func (u *seekUnion) step() bool {
	if u.reverse {
		return u.it.Prev()
	}
	return u.it.Next()
}

// takeFirst takes the first id and moves all heads on it behind it.
func (u *seekUnion) takeFirst() bool {
	if len(u.heads.h) == 0 || u.failed != nil {
		return false
	}
	u.id = append(u.id[:0], u.heads.h[0].id...)
	u.certain = false
	for len(u.heads.h) > 0 && bytes.Equal(u.heads.h[0].id, u.id) {
		u.certain = u.certain || u.heads.h[0].certain
		if !u.advance(u.id, false) {
			return false
		}
	}
	return true
}

// advance moves the first head; false after an error.
func (u *seekUnion) advance(id []byte, inclusive bool) bool {
	if u.move(u.heads.h[0], id, inclusive) {
		heap.Fix(&u.heads, 0)
	} else {
		heap.Pop(&u.heads)
	}
	return u.failed == nil
}

func (u *seekUnion) next() bool {
	if !u.started {
		return u.start(nil)
	}
	return u.takeFirst()
}

func (u *seekUnion) seek(id []byte) bool {
	if !u.started {
		return u.start(id)
	}
	if len(u.id) > 0 && !before(u.id, id, u.reverse) {
		return true
	}
	for len(u.heads.h) > 0 && before(u.heads.h[0].id, id, u.reverse) {
		if !u.advance(id, true) {
			return false
		}
	}
	return u.takeFirst()
}

func (u *seekUnion) at() []byte { return u.id }
func (u *seekUnion) sure() bool { return u.certain }
func (u *seekUnion) err() error { return u.failed }
func (u *seekUnion) close() {
	if u.it != nil {
		u.it.Close()
	}
}
