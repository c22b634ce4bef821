package embedded

import (
	"bytes"
	"container/heap"
	"context"
	"slices"
	"strings"
)

// idSort streams scans whose rows are not in the order of ids. A pass reads all rows and keeps the first ids behind the last
// pass's; so memory is bounded, and few ids are read once.
type idSort struct {
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

func (p *idSort) next() bool {
	if !p.started {
		p.started = true
		p.pass(nil, false)
		p.i = -1
	}
	p.i++
	return p.refill()
}

// refill begins the next pass where this one's list is used up.
func (p *idSort) refill() bool {
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

func (p *idSort) seek(id []byte) bool {
	if !p.started {
		p.started = true
		p.pass(id, true)
		p.i = 0
		return p.refill()
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
	return p.refill()
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
func (p *idSort) pass(from []byte, inclusive bool) {
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

func (p *idSort) at() []byte { return p.buf }
func (p *idSort) sure() bool { return p.list[p.i].sure }
func (p *idSort) err() error { return p.failed }
func (p *idSort) close()     {}

// eachRow calls f with the id of each accepted row of a scan until f returns false.
func (r *reader) eachRow(ctx context.Context, s *scan, st *stats, f func(id []byte, certain bool) bool) error {
	in, err := r.rows(tableIndex, s)
	if err != nil {
		return err
	}
	it := in.it
	defer it.Close()
	rr := newRowReader(r.s.dict, s)
	for ok := in.first(); ok; ok = in.next() {
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
