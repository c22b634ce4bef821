package embedded

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// The variants of an index: which field of the last slot its last column is. A simple parameter has one slot, its entry; a composite has
// one for each part, a compound one for each parameter.
const (
	byCode       byte = 'c'
	byFolded     byte = 'f'
	byExact      byte = 'x'
	byLo         byte = 'l'
	byHi         byte = 'h' // the node of a wide range, then Hi
	byID         byte = 'i'
	byURI        byte = 'u'
	byGroup      byte = 'g' // the first bytes of Lo: within one group rows are in the order of ids
	byNothing    byte = 'o' // no column: tells only that there is an entry
	byParts      byte = 'p' // all slots, ranges by Lo
	byPartsHigh  byte = 'q' // all slots, the last by node and Hi
	byPartsGroup byte = 'r' // all slots, the last by the first bytes of Lo
)

// groupBytes is how many leading bytes of Lo make a group: year and month of a date; sign, magnitude and first digit of a number.
const groupBytes = 6

// maxCombinations bounds the rows of one resource in one compound.
const maxCombinations = 64

// group is the beginning of a Lo by which ranges are grouped.
func group(lo string) string { return lo[:min(groupBytes, len(lo))] }

// shapeOfEntry returns the form of an entry: one bit of shapeForms.
func shapeOfEntry(e *search.Entry) shape {
	var s shape
	if len(e.Parts) > 0 {
		s |= shapeComposite
	}
	if e.Lo != "" || e.Hi != "" {
		s |= shapeRange
		if e.Lo > e.Hi {
			return shapeOther
		}
	}
	if e.Folded != "" || e.Exact != "" {
		s |= shapeString
	}
	if e.Type != "" || e.ID != "" {
		s |= shapeReference
	}
	if e.URI != "" {
		s |= shapeURI
	}
	switch {
	case s == 0:
		return shapeToken
	case s&(s-1) != 0, s != shapeRange && (e.System != "" || e.Code != ""):
		return shapeOther
	}
	return s
}

// letter is a form's letter in shapeState.parts, and in the tails of keys.
func (s shape) letter() byte {
	switch s {
	case shapeToken:
		return byCode
	case shapeString:
		return byFolded
	case shapeRange:
		return byLo
	case shapeReference:
		return byID
	case shapeURI:
		return byURI
	}
	return byNothing
}

// column returns the field that is a column of the index for an entry of form letter.
func column(letter byte) search.Field {
	switch letter {
	case byCode:
		return search.Code
	case byFolded:
		return search.Folded
	case byExact:
		return search.Exact
	case byLo, byGroup:
		return search.Lo
	case byHi:
		return search.Hi
	case byID:
		return search.ID
	case byURI:
		return search.URI
	}
	return 0
}

// keySet collects the index keys of one resource, without the table byte, in one buffer.
type keySet struct {
	buf  []byte
	ends []int
	keys [][]byte // sorted and unique after sort
	has  []uint32 // the parameters that the resource has entries of
}

func (k *keySet) reset() { k.buf, k.ends, k.keys, k.has = k.buf[:0], k.ends[:0], k.keys[:0], k.has[:0] }

func (k *keySet) sort() {
	start := 0
	for _, end := range k.ends {
		k.keys = append(k.keys, k.buf[start:end:end])
		start = end
	}
	slices.SortFunc(k.keys, bytes.Compare)
	k.keys = slices.CompactFunc(k.keys, bytes.Equal)
}

// slot is one entry of a row and the field of it that is a column.
type slot struct {
	entry  *search.Entry
	letter byte
}

// collect fills set with the index keys of a resource.
func (n *dictionary) collect(set *keySet, typ, id string, entries []search.Entry) error {
	set.reset()
	for i := range entries {
		e := &entries[i]
		num, err := n.intern(typ, e.Param)
		if err != nil {
			return err
		}
		if err := n.collectEntry(set, num, id, e); err != nil {
			return err
		}
		if slices.Contains(set.has, num) {
			n.learn(num, shapeMany|n.shapes[num].shape&shapeComposite, n.shapes[num].parts)
		} else {
			set.has = append(set.has, num)
		}
	}
	for _, c := range search.Compounds(typ) {
		if err := n.collectCompound(set, typ, id, c.Params, entries); err != nil {
			return err
		}
	}
	set.sort()
	return nil
}

func (n *dictionary) collectEntry(set *keySet, num uint32, id string, e *search.Entry) error {
	s := shapeOfEntry(e)
	learn, parts := s, ""
	defer func() { n.learn(num, learn, parts) }()
	one := func(letter byte) error { return n.row(set, num, letter, id, slot{e, letter}) }
	switch s {
	case shapeToken:
		return one(byCode)
	case shapeString:
		if search.SortField(e) != e.Folded {
			learn |= shapeOddSort
		}
		if err := one(byFolded); err != nil || e.Exact == "" {
			return err
		}
		return one(byExact)
	case shapeRange:
		if search.SortField(e) != e.Lo {
			learn |= shapeOddSort
		}
		if err := one(byGroup); err != nil {
			return err
		}
		w := widthOf(e.Lo, e.Hi)
		learn |= w.shape()
		if err := one(byLo); err != nil || w != wide {
			return err
		}
		return one(byHi)
	case shapeReference:
		learn |= shapeOddSort
		return one(byID)
	case shapeURI:
		return one(byURI)
	case shapeComposite:
		learn |= shapeOddSort
		slots := make([]slot, len(e.Parts))
		letters := make([]byte, len(e.Parts))
		for i := range e.Parts {
			letters[i] = shapeOfEntry(&e.Parts[i]).letter()
			slots[i] = slot{&e.Parts[i], letters[i]}
		}
		parts = string(letters)
		if last := slots[len(slots)-1]; last.letter == byLo {
			learn |= widthOf(last.entry.Lo, last.entry.Hi).shape()
		}
		return n.rows(set, num, id, slots)
	}
	learn |= shapeOddSort
	return one(byNothing)
}

// rows adds the row of several slots, and where the last is a range, the one by its group, and the one by node and Hi if it is wide.
func (n *dictionary) rows(set *keySet, num uint32, id string, slots []slot) error {
	last := &slots[len(slots)-1]
	if err := n.row(set, num, byParts, id, slots...); err != nil || last.letter != byLo {
		return err
	}
	defer func() { last.letter = byLo }()
	if isGrouped(slots[0].letter) {
		last.letter = byGroup
		if err := n.row(set, num, byPartsGroup, id, slots...); err != nil {
			return err
		}
	}
	if widthOf(last.entry.Lo, last.entry.Hi) != wide {
		return nil
	}
	last.letter = byHi
	return n.row(set, num, byPartsHigh, id, slots...)
}

// isGrouped reports whether rows whose first slot has a form have groups. Those of one reference are few: they are read whole.
func isGrouped(first byte) bool { return first != byID }

// row adds one key: number, variant, columns, id, 0x00, and for each slot its form and the fields that are no column.
func (n *dictionary) row(set *keySet, num uint32, variant byte, id string, slots ...slot) error {
	b := append(appendNumber(set.buf, num), variant)
	var cuts byte
	for i, s := range slots {
		if f := column(s.letter); f != 0 {
			v, cut := s.entry.Field(f), false
			switch s.letter {
			case byGroup:
				v = group(v)
			case byHi:
				b, _ = appendColumn(b, nodeOf(s.entry.Lo, s.entry.Hi))
			}
			if b, cut = appendColumn(b, v); cut {
				cuts |= 1 << i
			}
		}
	}
	b = append(append(b, id...), 0)
	var err error
	for i, s := range slots {
		letter := s.letter
		if cuts&(1<<i) != 0 {
			letter |= 0x80
		}
		b = append(b, letter)
		switch s.letter {
		case byCode:
			b, err = n.appendSystem(b, s.entry.System)
		case byLo, byGroup:
			if s.letter == byGroup {
				b = appendText(b, s.entry.Lo)
			}
			b = appendText(b, s.entry.Hi)
			if b, err = n.appendSystem(b, s.entry.System); err == nil {
				b = appendText(b, s.entry.Code)
			}
		case byHi:
			b = appendText(b, s.entry.Lo)
			if b, err = n.appendSystem(b, s.entry.System); err == nil {
				b = appendText(b, s.entry.Code)
			}
		case byID:
			b, err = n.appendSystem(b, s.entry.Type)
		}
		if err != nil {
			return err
		}
	}
	set.buf = b
	set.ends = append(set.ends, len(b))
	return nil
}

// compoundName is the name of a compound in the dictionary.
func compoundName(params []string) string { return "\x01" + strings.Join(params, "+") }

// collectCompound adds the rows of one compound: every combination of one entry of each of its parameters.
func (n *dictionary) collectCompound(set *keySet, typ, id string, params []string, entries []search.Entry) error {
	var room [4][]int
	of := room[:0]
	total := 1
	for _, p := range params {
		var at []int
		for i := range entries {
			if entries[i].Param == p {
				if s := shapeOfEntry(&entries[i]); s != shapeComposite && s != shapeOther {
					at = append(at, i)
				} else {
					total = 0 // nothing to combine; the planner does not use a compound for such a parameter
				}
			}
		}
		of = append(of, at)
		total *= len(at)
		if total == 0 {
			return nil
		}
	}
	num, err := n.intern(typ, compoundName(params))
	if err != nil {
		return err
	}
	if total > maxCombinations {
		n.learn(num, shapeOverflow, "")
		return nil
	}
	slots := make([]slot, len(params))
	for c := range total {
		for i, at := range of {
			e := &entries[at[c%len(at)]]
			slots[i] = slot{e, shapeOfEntry(e).letter()}
			c /= len(at)
		}
		if err := n.rows(set, num, id, slots); err != nil {
			return err
		}
	}
	return nil
}

// rowID returns the id of an index key, given the key from its id on, and what follows the id.
func rowID(rest []byte) (id, tail []byte) {
	if i := bytes.IndexByte(rest, 0); i >= 0 {
		return rest[:i], rest[i+1:]
	}
	return nil, nil
}

// sampled tells from the id alone in which sample tables the rows of a resource stand besides the index.
func sampled(id string) (sample, sparse bool) {
	h := uint64(14695981039346656037)
	for i := 0; i < len(id); i++ {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h ^= h >> 32
	h *= 0x9E3779B97F4A7C15
	h >>= 40
	return h%sampleRate == 0, h%sparseRate == 0
}

// The rates of the sample tables.
const (
	sampleRate = 64
	sparseRate = 4096
)

// counterOf returns the counter that an index key belongs to, without the table byte, as number, variant, column and tail; nil where the
// variant is not counted. Rows of one value and system have one counter.
func counterOf(dst, key []byte) []byte {
	switch key[numberSize] {
	case byCode, byID, byURI:
	default:
		return nil
	}
	end := columnEnd(key[numberSize+1:])
	if end < 0 {
		return nil
	}
	end += numberSize + 1
	_, tail := rowID(key[end:])
	return append(append(dst, key[:end]...), tail...)
}

// presence is the counter of the resources that have entries of a parameter.
func presence(num uint32) string { return string(append(appendNumber(nil, num), '#')) }

// countValue encodes and decodes counters.
func countValue(n int64) []byte { return binary.AppendVarint(nil, n) }

func countOf(b []byte) int64 {
	n, _ := binary.Varint(b)
	return n
}
