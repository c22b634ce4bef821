package main

import "encoding/binary"

// index is the encoded registry: unsigned varints, and strings as positions in a table of unique strings. fhir/definition/decode.go reads
// it in the order in which it is written here.
type index struct {
	body    []byte
	strings []string
	known   map[string]int
}

func (x *index) num(n int) { x.body = binary.AppendUvarint(x.body, uint64(n)) }

func (x *index) flag(b bool) {
	if b {
		x.num(1)
	} else {
		x.num(0)
	}
}

func (x *index) str(s string) {
	n, ok := x.known[s]
	if !ok {
		if x.known == nil {
			x.known = map[string]int{}
		}
		n = len(x.strings)
		x.known[s] = n
		x.strings = append(x.strings, s)
	}
	x.num(n)
}

func (x *index) strs(list []string) {
	x.num(len(list))
	for _, s := range list {
		x.str(s)
	}
}

func (x *index) nums(list []int) {
	x.num(len(list))
	for _, n := range list {
		x.num(n)
	}
}

// bytes returns the table of strings (count, lengths, text) and the body behind it.
func (x *index) bytes() []byte {
	var out []byte
	out = binary.AppendUvarint(out, uint64(len(x.strings)))
	for _, s := range x.strings {
		out = binary.AppendUvarint(out, uint64(len(s)))
	}
	for _, s := range x.strings {
		out = append(out, s...)
	}
	return append(out, x.body...)
}

// directory writes where the archive's frames, documents and schemas lie.
func (x *index) directory(frames []int, lists ...[]entry) {
	x.nums(frames)
	for _, list := range lists {
		x.num(len(list))
		for _, e := range list {
			x.str(e.name)
			x.num(e.frame)
			x.num(e.offset)
			x.num(e.size)
		}
	}
}

// table numbers unique values in the order in which they first come.
type table[K comparable, V any] struct {
	rows  []V
	known map[K]int
}

func (t *table[K, V]) add(key K, make func() V) int {
	if n, ok := t.known[key]; ok {
		return n
	}
	if t.known == nil {
		t.known = map[K]int{}
	}
	n := len(t.rows)
	t.known[key] = n
	t.rows = append(t.rows, make())
	return n
}
