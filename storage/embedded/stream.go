package embedded

import (
	"bytes"
	"container/heap"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// ids is a stream of ids of one type, each once, in their order or in reverse. sure says of the current one that the condition the stream
// serves holds for it; else its entries must be asked.
type ids interface {
	// next moves on; false at the end and after an error.
	next() bool
	// seek moves to the first id at or behind id in the stream's direction, never back.
	seek(id []byte) bool
	// at returns the current id; valid until the stream moves.
	at() []byte
	sure() bool
	// err returns what ended the stream early.
	err() error
	close()
}

// before reports whether a comes before b in the direction.
func before(a, b []byte, reverse bool) bool {
	c := bytes.Compare(a, b)
	return c < 0 && !reverse || c > 0 && reverse
}

// beforeText is before for strings.
func beforeText(a, b string, reverse bool) bool { return a < b && !reverse || a > b && reverse }

// stats counts what a query read; Explain reports it.
type stats struct {
	examined, fetched int
	want              int // the rows that the streams opened next are for; 0 for all
}

// scanIDs streams a scan whose rows are in the order of ids.
type scanIDs struct {
	it      *pebble.Iterator
	rr      *rowReader
	reverse bool
	started bool
	base    []byte // table byte and prefix of the rows
	id      []byte
	certain bool
	failed  error
	stats   *stats
}

func (r *reader) scanIDs(s *scan, reverse bool, st *stats) (ids, error) {
	it, err := r.iter(tableIndex, s.lower, s.upper)
	if err != nil {
		return nil, err
	}
	return &scanIDs{it: it, rr: newRowReader(r.s.dict, s), reverse: reverse, base: tabled(tableIndex, s.lower), stats: st}, nil
}

func (s *scanIDs) step() bool {
	if s.started {
		if s.reverse {
			return s.it.Prev()
		}
		return s.it.Next()
	}
	s.started = true
	if s.reverse {
		return s.it.Last()
	}
	return s.it.First()
}

func (s *scanIDs) next() bool { return s.accept(s.step()) }

// accept moves from a row on to one that is accepted and not of the id before.
func (s *scanIDs) accept(ok bool) bool {
	for ; ok; ok = s.step() {
		s.stats.examined++
		key := s.it.Key()[1:]
		id, _, tail, good := s.rr.split(key)
		if !good {
			s.failed = errDamaged
			return false
		}
		if len(s.id) > 0 && bytes.Equal(id, s.id) {
			continue
		}
		yes, certain := s.rr.accepts(key, tail)
		if !yes {
			continue
		}
		s.id, s.certain = append(s.id[:0], id...), certain
		return true
	}
	s.failed = s.it.Error()
	return false
}

func (s *scanIDs) seek(id []byte) bool {
	if len(s.id) > 0 && !before(s.id, id, s.reverse) {
		return true
	}
	s.started = true
	k := append(append(make([]byte, 0, len(s.base)+len(id)+1), s.base...), id...)
	if s.reverse {
		return s.accept(s.it.SeekLT(append(k, 0x01))) // behind all rows of id itself
	}
	return s.accept(s.it.SeekGE(append(k, 0x00)))
}

func (s *scanIDs) at() []byte { return s.id }
func (s *scanIDs) sure() bool { return s.certain }
func (s *scanIDs) err() error { return s.failed }
func (s *scanIDs) close()     { s.it.Close() }

// listIDs streams a list.
type listIDs struct {
	list    []string
	certain bool
	reverse bool
	i       int // index of the current one, -1 before the first
	buf     []byte
}

// newListIDs streams list, which is sorted and unique.
func newListIDs(list []string, certain, reverse bool) *listIDs {
	if reverse {
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	return &listIDs{list: list, certain: certain, reverse: reverse, i: -1}
}

func (l *listIDs) next() bool {
	l.i = min(l.i+1, len(l.list))
	return l.take()
}

func (l *listIDs) take() bool {
	if l.i >= len(l.list) {
		return false
	}
	l.buf = append(l.buf[:0], l.list[l.i]...)
	return true
}

func (l *listIDs) seek(id []byte) bool {
	from := max(l.i, 0)
	n, _ := slices.BinarySearchFunc(l.list[from:], id, func(e string, t []byte) int {
		if beforeText(e, unsafeString(t), l.reverse) {
			return -1
		}
		return 1
	})
	l.i = from + n
	return l.take()
}

func (l *listIDs) at() []byte { return l.buf }
func (l *listIDs) sure() bool { return l.certain }
func (l *listIDs) err() error { return nil }
func (l *listIDs) close()     {}

// unionIDs merges streams.
type unionIDs struct {
	all     []ids
	h       unionHeap
	started bool
	id      []byte
	certain bool
	failed  error
}

type unionHeap struct {
	s       []ids
	reverse bool
}

func (h unionHeap) Len() int           { return len(h.s) }
func (h unionHeap) Less(i, j int) bool { return before(h.s[i].at(), h.s[j].at(), h.reverse) }
func (h unionHeap) Swap(i, j int)      { h.s[i], h.s[j] = h.s[j], h.s[i] }

// Push adds a stream.
func (h *unionHeap) Push(x any) { h.s = append(h.s, x.(ids)) }

// Pop removes the last.
func (h *unionHeap) Pop() any {
	x := h.s[len(h.s)-1]
	h.s = h.s[:len(h.s)-1]
	return x
}

func newUnion(all []ids, reverse bool) ids {
	if len(all) == 1 {
		return all[0]
	}
	return &unionIDs{all: all, h: unionHeap{reverse: reverse}}
}

// start moves all streams to their beginning, or to id.
func (u *unionIDs) start(id []byte) bool {
	u.started = true
	for _, s := range u.all {
		ok := false
		if id == nil {
			ok = s.next()
		} else {
			ok = s.seek(id)
		}
		if ok {
			u.h.s = append(u.h.s, s)
		} else if u.failed = s.err(); u.failed != nil {
			return false
		}
	}
	heap.Init(&u.h)
	return u.takeFirst()
}

func (u *unionIDs) takeFirst() bool {
	if len(u.h.s) == 0 || u.failed != nil {
		return false
	}
	u.id = append(u.id[:0], u.h.s[0].at()...)
	u.certain = false
	// Streams on the same id move together, so that one that is sure of it decides.
	for len(u.h.s) > 0 && bytes.Equal(u.h.s[0].at(), u.id) {
		u.certain = u.certain || u.h.s[0].sure()
		u.advance(u.h.s[0].next())
		if u.failed != nil {
			return false
		}
	}
	return true
}

// advance restores the heap after its first stream moved.
func (u *unionIDs) advance(ok bool) {
	if ok {
		heap.Fix(&u.h, 0)
		return
	}
	s := heap.Pop(&u.h).(ids)
	if err := s.err(); err != nil {
		u.failed = err
	}
}

func (u *unionIDs) next() bool {
	if !u.started {
		return u.start(nil)
	}
	return u.takeFirst()
}

func (u *unionIDs) seek(id []byte) bool {
	if !u.started {
		return u.start(id)
	}
	if len(u.id) > 0 && !before(u.id, id, u.h.reverse) {
		return true
	}
	for len(u.h.s) > 0 && before(u.h.s[0].at(), id, u.h.reverse) {
		u.advance(u.h.s[0].seek(id))
		if u.failed != nil {
			return false
		}
	}
	return u.takeFirst()
}

func (u *unionIDs) at() []byte { return u.id }
func (u *unionIDs) sure() bool { return u.certain }
func (u *unionIDs) err() error { return u.failed }
func (u *unionIDs) close() {
	for _, s := range u.all {
		s.close()
	}
}

// bothIDs intersects streams: they take turns seeking to the others' ids.
type bothIDs struct {
	all     []ids
	reverse bool
	done    bool
}

func newBoth(all []ids, reverse bool) ids {
	if len(all) == 1 {
		return all[0]
	}
	return &bothIDs{all: all, reverse: reverse}
}

func (b *bothIDs) next() bool { return !b.done && b.align(b.all[0].next()) }

func (b *bothIDs) seek(id []byte) bool { return !b.done && b.align(b.all[0].seek(id)) }

func (b *bothIDs) align(ok bool) bool {
	for i := 1; ok && i < len(b.all); {
		s := b.all[i]
		if ok = s.seek(b.all[0].at()); !ok {
			break
		}
		if bytes.Equal(s.at(), b.all[0].at()) {
			i++
			continue
		}
		ok, i = b.all[0].seek(s.at()), 1
	}
	b.done = !ok
	return ok
}

func (b *bothIDs) at() []byte { return b.all[0].at() }

func (b *bothIDs) sure() bool {
	for _, s := range b.all {
		if !s.sure() {
			return false
		}
	}
	return true
}

func (b *bothIDs) err() error {
	for _, s := range b.all {
		if err := s.err(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bothIDs) close() {
	for _, s := range b.all {
		s.close()
	}
}

// allIDs streams the ids of a type.
type allIDs struct {
	it      *pebble.Iterator
	reverse bool
	started bool
	base    []byte
	stats   *stats
}

func (r *reader) allIDs(typ uint32, reverse bool, st *stats) (ids, error) {
	base := typeKey(nil, tableEntries, typ, "")
	it, err := r.src.NewIter(within(base))
	if err != nil {
		return nil, err
	}
	return &allIDs{it: it, reverse: reverse, base: base, stats: st}, nil
}

func (a *allIDs) next() bool {
	a.stats.examined++
	if a.started {
		if a.reverse {
			return a.it.Prev()
		}
		return a.it.Next()
	}
	a.started = true
	if a.reverse {
		return a.it.Last()
	}
	return a.it.First()
}

func (a *allIDs) seek(id []byte) bool {
	if a.started && a.it.Valid() && !before(a.at(), id, a.reverse) {
		return true
	}
	a.started = true
	a.stats.examined++
	k := append(append(make([]byte, 0, len(a.base)+len(id)+1), a.base...), id...)
	if a.reverse {
		return a.it.SeekLT(append(k, 0))
	}
	return a.it.SeekGE(k)
}

func (a *allIDs) at() []byte { return a.it.Key()[1+numberSize:] }

// row returns the row of entries that the stream is on, valid until it moves.
func (a *allIDs) row() ([]byte, error) { return a.it.ValueAndErr() }

func (a *allIDs) sure() bool { return true }
func (a *allIDs) err() error { return a.it.Error() }
func (a *allIDs) close()     { a.it.Close() }
