package embedded

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// maxSystems bounds how many different code systems get numbers: beyond it their text is in the keys in full, so that a client that invents
// systems can't grow the memory.
const maxSystems = 4096

// maxNumber is the greatest number of a name.
const maxNumber = 1<<(8*numberSize) - 1

// name is what a number stands for: a resource type (param ""), a parameter or compound of a type, or a code system (typ "").
type name struct {
	typ, param string
}

// shape is a set of the forms that the entries of one parameter of one type have had. It only grows. The planner reads from it which
// variants of the index can hold a match.
type shape uint32

// The forms. They are bits of shape.
const (
	shapeToken shape = 1 << iota
	shapeString
	shapeRange
	shapeReference
	shapeURI
	shapeComposite
	shapeOther    // none of these alone: the index tells only that there is an entry
	shapeMany     // a resource has had several entries: conditions on one need not meet in the same
	shapeOddSort  // an entry sorts by something else than its first column
	shapeMixed    // entries of a composite differ in the forms of their parts
	shapeOverflow // a resource had too many combinations for a compound, which therefore misses some
	shapeSeconds  // a range has been inSecond
	shapeDays     // a range has been inDay
	shapeWide     // a range has been wide
)

// shapeForms masks the forms of entries in a shape.
const shapeForms = shapeToken | shapeString | shapeRange | shapeReference | shapeURI | shapeComposite | shapeOther

// dictionary numbers the types, parameters and code systems, to keep keys short. Numbers are given by the one writer, persisted in the batch
// that first uses them, and never change; any goroutine reads.
type dictionary struct {
	mu      sync.RWMutex
	numbers map[name]uint32
	list    atomic.Pointer[[]name] // by number; append-only
	shapes  map[uint32]shapeState
	systems int
	dirty   []uint32 // numbers whose name or shape is not persisted; the writer's
}

// shapeState is what is known of one parameter: its shape and, for a composite, the forms of the parts as letters.
type shapeState struct {
	shape shape
	parts string
}

// loadDictionary reads the dictionary.
func loadDictionary(db *pebble.DB) (*dictionary, error) {
	n := &dictionary{numbers: map[name]uint32{}, shapes: map[uint32]shapeState{}}
	list := []name{{}} // number 0 stands for none
	it, err := db.NewIter(within([]byte{tableName}))
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			it.Close()
			return nil, err
		}
		typ, param, found := strings.Cut(string(v), "\x00")
		if number(it.Key()[1:]) != uint32(len(list)) || !found {
			it.Close()
			return nil, fmt.Errorf("the dictionary of names is damaged at %d", len(list))
		}
		nm := name{typ, param}
		n.numbers[nm] = uint32(len(list))
		list = append(list, nm)
		if typ == "" {
			n.systems++
		}
	}
	if err := it.Close(); err != nil {
		return nil, err
	}
	n.list.Store(&list)
	if it, err = db.NewIter(within([]byte{tableShape})); err != nil {
		return nil, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil || len(v) < 4 {
			it.Close()
			return nil, fmt.Errorf("the table of shapes is damaged: %w", err)
		}
		n.shapes[number(it.Key()[1:])] = shapeState{shape(binary.BigEndian.Uint32(v)), string(v[4:])}
	}
	return n, it.Close()
}

// number decodes a name's number.
func number(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }

// find returns the number of a type (param "") or parameter; ok is false where nothing of it was ever stored.
func (n *dictionary) find(typ, param string) (uint32, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	num, ok := n.numbers[name{typ, param}]
	return num, ok
}

// shapeOf returns what is known of a parameter.
func (n *dictionary) shapeOf(num uint32) shapeState {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.shapes[num]
}

// all returns all names by number.
func (n *dictionary) all() []name { return *n.list.Load() }

// types returns the resource types that anything was stored for, in no order.
func (n *dictionary) types() []string {
	var out []string
	for _, nm := range n.all() {
		if nm.typ != "" && nm.param == "" {
			out = append(out, nm.typ)
		}
	}
	return out
}

// intern returns the number of a name and gives it one if need be; 0 for a system past maxSystems. Only the writer calls it.
func (n *dictionary) intern(typ, param string) (uint32, error) {
	nm := name{typ, param}
	if num, ok := n.numbers[nm]; ok {
		return num, nil
	}
	if typ == "" && n.systems >= maxSystems {
		return 0, nil
	}
	list := n.all()
	if len(list) > maxNumber {
		return 0, fmt.Errorf("more than %d names of types, parameters and systems", maxNumber)
	}
	num := uint32(len(list))
	nm = name{strings.Clone(typ), strings.Clone(param)}
	list = append(list, nm)
	n.mu.Lock()
	n.numbers[nm] = num
	n.mu.Unlock()
	n.list.Store(&list)
	if typ == "" {
		n.systems++
	}
	n.dirty = append(n.dirty, num)
	return num, nil
}

// learn adds to what is known of a parameter. Only the writer calls it.
func (n *dictionary) learn(num uint32, s shape, parts string) {
	old := n.shapes[num]
	st := shapeState{old.shape | s, old.parts}
	if s&shapeComposite != 0 && old.parts != parts {
		if old.shape&shapeComposite != 0 {
			st.shape |= shapeMixed
		} else {
			st.parts = parts
		}
	}
	if st == old {
		return
	}
	n.mu.Lock()
	n.shapes[num] = st
	n.mu.Unlock()
	n.dirty = append(n.dirty, num)
}

// flush writes what is not persisted into a batch. The caller calls flushed when the batch is applied; until then a next batch writes the
// same again, so that numbers which a failed Update took stay usable.
func (n *dictionary) flush(b *pebble.Batch) error {
	for _, num := range n.dirty {
		nm := n.all()[num]
		k := appendNumber([]byte{tableName}, num)
		if err := b.Set(k, []byte(nm.typ+"\x00"+nm.param), nil); err != nil {
			return err
		}
		if st, ok := n.shapes[num]; ok {
			k[0] = tableShape
			if err := b.Set(k, append(binary.BigEndian.AppendUint32(nil, uint32(st.shape)), st.parts...), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// flushed says that the last flush was applied.
func (n *dictionary) flushed() { n.dirty = n.dirty[:0] }
