package embedded

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// points finds the rows of single resources for a View that reads several: one iterator serves them all, at half the cost of a Get each. It
// is opened with the second row asked for, or when several are announced, and closed with the View.
type points struct {
	it    *pebble.Iterator
	asked int
}

// several announces the look-up of n rows.
func (r *reader) several(n int) (err error) {
	if n < 2 || r.tx != nil || r.points.it != nil {
		return nil
	}
	r.points.it, err = r.src.NewIter(&pebble.IterOptions{LowerBound: []byte{tableDocument}, UpperBound: []byte{tableHistory}})
	return err
}

// close ends the View's reads.
func (r *reader) close() {
	if r.points.it != nil {
		r.points.it.Close()
	}
}

// nothing is the end of a row that holds nothing open.
func nothing() {}

// point returns the value of the row at a key of the tables by type and id; nil where there is none, and then done is nil too. It is valid
// until done is called or the next row is looked up.
func (r *reader) point(key []byte) (v []byte, done func(), err error) {
	r.points.asked++
	if err := r.several(r.points.asked); err != nil {
		return nil, nil, err
	}
	if it := r.points.it; it != nil {
		if !it.SeekPrefixGE(key) {
			return nil, nil, it.Error()
		}
		if v, err = it.ValueAndErr(); err != nil {
			return nil, nil, err
		}
		return v, nothing, nil
	}
	v, closer, err := r.src.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return v, func() { closer.Close() }, nil
}

// entriesOf looks up the row of tableEntries of a resource, whose type has the number typ; nil where it does not exist. The row is f's, and
// stays when others are looked up.
func (r *reader) entriesOf(typ uint32, id string, f *found) ([]byte, error) {
	var room [96]byte
	v, done, err := r.point(typeKey(room[:0], tableEntries, typ, id))
	if err != nil || v == nil {
		return nil, err
	}
	f.row = append(f.row[:0], v...)
	done()
	return f.row, nil
}

// The bounds of what one View keeps.
const (
	maxKept      = 1024
	maxKeptBytes = 1 << 20
)

// kept are records that Find read as it looked for the rows of a page, for the GetMany that follows: a page reads each document once. Each is
// given once.
type kept struct {
	records []storage.Record
	last    int // where the one given last stood
	bytes   int
}

// room reports whether more is kept.
func (k *kept) room() bool { return len(k.records) < maxKept && k.bytes < maxKeptBytes }

// add keeps a record.
func (k *kept) add(rec storage.Record) {
	k.last = len(k.records)
	k.records = append(k.records, rec)
	k.bytes += len(rec.Body)
}

// take gives a record that is kept. Pages ask in the order of Find or, where they lead back, in reverse.
func (k *kept) take(key fhir.Key) (storage.Record, bool) {
	n := len(k.records)
	for i := range n {
		at := (k.last + 1 + i) % n
		if i == 0 && k.last > 0 && k.records[k.last-1].Key == key {
			at = k.last - 1
		}
		if rec := k.records[at]; rec.Key == key {
			k.records[at], k.last = storage.Record{}, at
			return rec, true
		}
	}
	return storage.Record{}, false
}
