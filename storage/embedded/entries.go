package embedded

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"
	"unsafe"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// errDamaged means that a row does not decode.
var errDamaged = errors.New("embedded: a stored row is damaged")

// The fields of an encoded entry, bits of its head.
const (
	hasSystem = 1 << iota
	hasCode
	hasFolded
	hasExact
	hasLo
	hasHi
	hasType
	hasID
	hasURI
	hasParts
	hasInner
)

// appendEntries appends the row of tableEntries: instant, version, and for each entry its parameter, its length in bytes and what it says. Code systems and the
// types of references are written as numbers.
func (n *dictionary) appendEntries(b []byte, typ string, updated time.Time, version int64, entries []search.Entry) ([]byte, error) {
	b = binary.BigEndian.AppendUint64(b, uint64(updated.UnixMicro()))
	b = binary.AppendUvarint(b, uint64(version))
	for i := range entries {
		num, err := n.intern(typ, entries[i].Param)
		if err != nil {
			return nil, err
		}
		b = append(binary.AppendUvarint(b, uint64(num)), 0)
		start := len(b)
		if b, err = n.appendEntry(b, &entries[i]); err != nil {
			return nil, err
		}
		b = setLength(b, start)
	}
	return b, nil
}

// setLength writes the length of b[start:] before it, where one byte is kept free for it; more are made room for.
func setLength(b []byte, start int) []byte {
	var room [binary.MaxVarintLen64]byte
	length := binary.AppendUvarint(room[:0], uint64(len(b)-start))
	if len(length) > 1 {
		b = slices.Insert(b, start, length[1:]...)
	}
	b[start-1] = length[0]
	return b
}

func (n *dictionary) appendEntry(b []byte, e *search.Entry) ([]byte, error) {
	var head uint64
	for bit, set := range [...]bool{e.System != "", e.Code != "", e.Folded != "", e.Exact != "", e.Lo != "", e.Hi != "", e.Type != "", e.ID != "", e.URI != "", len(e.Parts) > 0, e.Inner != nil} {
		if set {
			head |= 1 << bit
		}
	}
	b = binary.AppendUvarint(b, head)
	var err error
	if e.System != "" {
		if b, err = n.appendSystem(b, e.System); err != nil {
			return nil, err
		}
	}
	for _, v := range [...]string{e.Code, e.Folded, e.Exact, e.Lo, e.Hi} {
		if v != "" {
			b = appendText(b, v)
		}
	}
	if e.Type != "" {
		if b, err = n.appendSystem(b, e.Type); err != nil {
			return nil, err
		}
	}
	for _, v := range [...]string{e.ID, e.URI} {
		if v != "" {
			b = appendText(b, v)
		}
	}
	if len(e.Parts) > 0 {
		b = binary.AppendUvarint(b, uint64(len(e.Parts)))
		for i := range e.Parts {
			if b, err = n.appendEntry(b, &e.Parts[i]); err != nil {
				return nil, err
			}
		}
	}
	if e.Inner != nil {
		b = binary.AppendUvarint(b, uint64(len(e.Inner.Entries)))
		for i := range e.Inner.Entries {
			if b, err = n.appendSystem(b, e.Inner.Entries[i].Param); err != nil {
				return nil, err
			}
			if b, err = n.appendEntry(b, &e.Inner.Entries[i]); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// appendSystem appends a code system, a reference's type or the parameter of an inner entry as its number, or as 0 and the text where it has none.
func (n *dictionary) appendSystem(b []byte, s string) ([]byte, error) {
	num, err := n.intern("", s)
	if err != nil {
		return nil, err
	}
	b = binary.AppendUvarint(b, uint64(num))
	if num == 0 {
		b = appendText(b, s)
	}
	return b, nil
}

// appendText appends v with its length in front.
func appendText(b []byte, v string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// decoder reads rows. Strings it returns point into the row.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 {
		v := d.b[0]
		d.b = d.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return ""
	}
	s := unsafeString(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) system(all []name) string {
	num := d.uvarint()
	if num == 0 {
		return d.text()
	}
	if num >= uint64(len(all)) {
		d.bad = true
		return ""
	}
	return all[num].param
}

func (d *decoder) entry(all []name, e *search.Entry) {
	head := d.uvarint()
	if head&hasSystem != 0 {
		e.System = d.system(all)
	}
	if head&hasCode != 0 {
		e.Code = d.text()
	}
	if head&hasFolded != 0 {
		e.Folded = d.text()
	}
	if head&hasExact != 0 {
		e.Exact = d.text()
	}
	if head&hasLo != 0 {
		e.Lo = d.text()
	}
	if head&hasHi != 0 {
		e.Hi = d.text()
	}
	if head&hasType != 0 {
		e.Type = d.system(all)
	}
	if head&hasID != 0 {
		e.ID = d.text()
	}
	if head&hasURI != 0 {
		e.URI = d.text()
	}
	if head&hasParts != 0 {
		n := d.uvarint()
		if n > uint64(len(d.b)) {
			d.bad, d.b = true, nil
			return
		}
		e.Parts = make([]search.Entry, n)
		for i := 0; i < len(e.Parts) && !d.bad; i++ {
			d.entry(all, &e.Parts[i])
		}
	}
	if head&hasInner != 0 {
		n := d.uvarint()
		if n > uint64(len(d.b)) {
			d.bad, d.b = true, nil
			return
		}
		inner := make([]search.Entry, n)
		for i := 0; i < len(inner) && !d.bad; i++ {
			inner[i].Param = d.system(all)
			d.entry(all, &inner[i])
		}
		e.Inner = &search.Inner{Entries: inner}
	}
}

// next reads the parameter of an entry and returns what the entry says, which d is then behind.
func (d *decoder) next() (num uint64, e decoder) {
	num = d.uvarint()
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return num, e
	}
	e.b, d.b = d.b[:n:n], d.b[n:]
	return num, e
}

// header returns the instant and version in front of a row of tableEntries.
func (d *decoder) header() (micros, version int64) {
	if len(d.b) < 8 {
		d.bad, d.b = true, nil
		return 0, 0
	}
	micros = int64(binary.BigEndian.Uint64(d.b))
	d.b = d.b[8:]
	return micros, int64(d.uvarint())
}

// found is a decoded row of tableEntries. Its entries point into the row they were decoded from.
type found struct {
	updated time.Time
	version int64
	entries []search.Entry
	row     []byte // where it is a copy
}

// decodeEntries decodes a row of tableEntries, into f's slice where it has room.
func (n *dictionary) decodeEntries(row []byte, f *found) error {
	d := f.header(row)
	all := n.all()
	for len(d.b) > 0 {
		num, e := d.next()
		if err := f.add(all, num, e); err != nil {
			return err
		}
	}
	if d.bad {
		return errDamaged
	}
	return nil
}

// header begins a row: it sets what is in front of the entries, and returns a decoder of them.
func (f *found) header(row []byte) decoder {
	d := decoder{b: row}
	micros, version := d.header()
	f.updated, f.version, f.entries = time.UnixMicro(micros).UTC(), version, f.entries[:0]
	return d
}

// add appends the entry that e is, to its end, of a parameter.
func (f *found) add(all []name, num uint64, e decoder) error {
	if num >= uint64(len(all)) {
		return errDamaged
	}
	f.entries = append(f.entries, search.Entry{Param: all[num].param})
	if e.entry(all, &f.entries[len(f.entries)-1]); e.bad || len(e.b) > 0 {
		return errDamaged
	}
	return nil
}

// unsafeString is b as a string, without a copy. b must not change while the string lives.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
