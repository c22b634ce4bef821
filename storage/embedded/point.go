package embedded

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// points finds the rows of single resources for a View that reads several: one iterator serves them all, at half the cost of a Get each. It
// is opened with the second row asked for and closed with the View.
type points struct {
	it   *pebble.Iterator
	busy bool   // the value looked up last is in use: others are read by Get
	free func() // ends that
	once bool   // one was read by itself
}

// several prepares for the look-up of n rows.
func (r *reader) several(n int) (err error) {
	if n < 2 || r.tx != nil {
		return nil
	}
	return r.points.open(r)
}

// open opens the iterator.
func (p *points) open(r *reader) (err error) {
	if p.it != nil {
		return nil
	}
	p.free = func() { p.busy = false }
	p.it, err = r.src.NewIter(&pebble.IterOptions{LowerBound: []byte{tableDocument}, UpperBound: []byte{tableHistory}})
	return err
}

// close ends the View's reads.
func (r *reader) close() {
	for _, it := range [...]*pebble.Iterator{r.points.it, r.targets.it} {
		if it != nil {
			it.Close()
		}
	}
}

// point returns the value of the row at a key of the tables by type and id; nil where there is none, and then done is nil too. It is valid
// until done is called; others may be looked up meanwhile.
func (r *reader) point(key []byte) (v []byte, done func(), err error) { return r.points.get(r, key) }

// target is point for the resources that chains lead to, while a resource that refers to them is looked at. The first is read by itself.
func (r *reader) target(key []byte) (v []byte, done func(), err error) {
	if r.tx == nil && !r.targets.once {
		r.targets.once = true
	} else if r.tx == nil {
		if err := r.targets.open(r); err != nil {
			return nil, nil, err
		}
	}
	return r.targets.get(r, key)
}

// get is point.
func (p *points) get(r *reader, key []byte) (v []byte, done func(), err error) {
	if it := p.it; it != nil && !p.busy {
		if !it.SeekPrefixGE(key) {
			return nil, nil, it.Error()
		}
		if v, err = it.ValueAndErr(); err != nil {
			return nil, nil, err
		}
		p.busy = true
		return v, p.free, nil
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
