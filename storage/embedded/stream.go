package embedded

import (
	"bytes"
	"container/heap"
	"context"
	"slices"
	"strings"

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

// before reports whether a stands before b in the direction.
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
	return &scanIDs{it: it, rr: newRowReader(r.s.names, s), reverse: reverse, base: tabled(tableIndex, s.lower), stats: st}, nil
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

func (s *scanIDs) next() bool { return s.settle(s.step()) }

// settle moves from a row on to one that is accepted and not of the id before.
func (s *scanIDs) settle(ok bool) bool {
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
		return s.settle(s.it.SeekLT(append(k, 0x01))) // behind all rows of id itself
	}
	return s.settle(s.it.SeekGE(append(k, 0x00)))
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
	return l.settle()
}

func (l *listIDs) settle() bool {
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
	return l.settle()
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
	return u.settle()
}

func (u *unionIDs) settle() bool {
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
	return u.settle()
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
	return u.settle()
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

func (b *bothIDs) next() bool { return !b.done && b.settle(b.all[0].next()) }

func (b *bothIDs) seek(id []byte) bool { return !b.done && b.settle(b.all[0].seek(id)) }

func (b *bothIDs) settle(ok bool) bool {
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
func (a *allIDs) sure() bool { return true }
func (a *allIDs) err() error { return a.it.Error() }
func (a *allIDs) close()     { a.it.Close() }

// sortedPasses streams scans whose rows are not in the order of ids. A pass reads all rows and keeps the first ids behind the last
// pass's; so memory is bounded, and few ids are read once.
type sortedPasses struct {
	ctx     context.Context
	r       *reader
	scans   []*scan
	reverse bool
	stats   *stats
	list    []passID // of this pass, in order
	i       int
	more    bool // there may be ids behind the list
	keep    int  // ids that the next pass keeps; it grows, for who comes back needs many
	started bool
	failed  error
	buf     []byte
}

// passID is an id that a pass keeps.
type passID struct {
	id   string
	sure bool
}

func (p *sortedPasses) next() bool {
	if !p.started {
		p.started = true
		p.pass(nil, false)
		p.i = -1
	}
	p.i++
	return p.settle()
}

// settle begins the next pass where this one's list is used up.
func (p *sortedPasses) settle() bool {
	if p.failed == nil && p.i >= len(p.list) && p.more {
		p.pass([]byte(p.list[len(p.list)-1].id), false)
		p.i = 0
	}
	if p.failed != nil || p.i >= len(p.list) {
		return false
	}
	p.buf = append(p.buf[:0], p.list[p.i].id...)
	return true
}

func (p *sortedPasses) seek(id []byte) bool {
	if !p.started {
		p.started = true
		p.pass(id, true)
		p.i = 0
		return p.settle()
	}
	for p.failed == nil {
		for p.i < len(p.list) && beforeText(p.list[p.i].id, unsafeString(id), p.reverse) {
			p.i++
		}
		if p.i < len(p.list) || !p.more {
			break
		}
		p.pass(id, true)
		p.i = 0
	}
	return p.settle()
}

// passHeap has the last id of a pass first.
type passHeap struct {
	s       []passID
	reverse bool
}

func (h passHeap) Len() int           { return len(h.s) }
func (h passHeap) Less(i, j int) bool { return h.s[i].id > h.s[j].id != h.reverse }
func (h passHeap) Swap(i, j int)      { h.s[i], h.s[j] = h.s[j], h.s[i] }

// Push adds an id.
func (h *passHeap) Push(x any) { h.s = append(h.s, x.(passID)) }

// Pop removes the last.
func (h *passHeap) Pop() any {
	x := h.s[len(h.s)-1]
	h.s = h.s[:len(h.s)-1]
	return x
}

// pass reads the scans for the first ids behind from, or at it where inclusive; from nil for the beginning.
func (p *sortedPasses) pass(from []byte, inclusive bool) {
	h := passHeap{reverse: p.reverse}
	seen := map[string]int{} // id -> 0 unsure, 1 sure
	p.more = false
	keep := min(p.keep, p.r.s.tune.pass)
	p.keep *= 8
	for _, s := range p.scans {
		if p.failed = p.r.eachRow(p.ctx, s, p.stats, func(id []byte, certain bool) bool {
			if from != nil && (before(id, from, p.reverse) || !inclusive && bytes.Equal(id, from)) {
				return true
			}
			if len(h.s) >= keep {
				p.more = true
				if c := strings.Compare(unsafeString(id), h.s[0].id); c > 0 != p.reverse && c != 0 {
					return true
				}
			}
			if was, ok := seen[string(id)]; ok {
				if certain && was == 0 {
					seen[string(id)] = 1
				}
				return true
			}
			if len(h.s) >= keep {
				delete(seen, heap.Pop(&h).(passID).id)
			}
			v := 0
			if certain {
				v = 1
			}
			str := string(id)
			seen[str] = v
			heap.Push(&h, passID{id: str})
			return true
		}); p.failed != nil {
			p.list = nil
			return
		}
	}
	for i := range h.s {
		h.s[i].sure = seen[h.s[i].id] == 1
	}
	p.list = h.s
	slices.SortFunc(p.list, func(a, b passID) int {
		c := strings.Compare(a.id, b.id)
		if p.reverse {
			c = -c
		}
		return c
	})
}

func (p *sortedPasses) at() []byte { return p.buf }
func (p *sortedPasses) sure() bool { return p.list[p.i].sure }
func (p *sortedPasses) err() error { return p.failed }
func (p *sortedPasses) close()     {}

// eachRow calls f with the id of each accepted row of a scan until f returns false.
func (r *reader) eachRow(ctx context.Context, s *scan, st *stats, f func(id []byte, certain bool) bool) error {
	it, err := r.iter(tableIndex, s.lower, s.upper)
	if err != nil {
		return err
	}
	defer it.Close()
	rr := newRowReader(r.s.names, s)
	for ok := it.First(); ok; ok = it.Next() {
		if st.examined++; st.examined&1023 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		key := it.Key()[1:]
		id, _, tail, good := rr.split(key)
		if !good {
			return errDamaged
		}
		if yes, certain := rr.accepts(key, tail); yes && !f(id, certain) {
			break
		}
	}
	return it.Error()
}
