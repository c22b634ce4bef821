package embedded

import (
	"bytes"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// A check walks over ranges of keys, and leaves out what it cannot read.

// walk calls f with all rows between two keys. What can't be read is noted and left out.
func (c *checker) walk(lower, upper []byte, f func(key, value []byte) error) error {
	w := c.open(lower, upper)
	defer w.close()
	for w.next() {
		if err := f(w.key(), w.value); err != nil {
			return err
		}
	}
	return w.err
}

// walker goes through the rows between two keys, past what is damaged.
type walker struct {
	c            *checker
	lower, upper []byte
	it           *pebble.Iterator
	value        []byte
	// past says that a damaged file reaches to the end: it would be met by an iterator over no keys, too.
	past bool
	err  error
}

func (c *checker) open(lower, upper []byte) *walker { return &walker{c: c, lower: lower, upper: upper} }

func (w *walker) key() []byte { return w.it.Key() }

// next moves to the next row; false at the end, or with an err that ends the check.
func (w *walker) next() bool {
	for w.err == nil && !w.past {
		ok := false
		if w.it == nil {
			if w.it, w.err = w.c.s.db.NewIter(&pebble.IterOptions{LowerBound: w.lower, UpperBound: w.upper}); w.err == nil {
				ok = w.it.First()
			}
		} else {
			ok = w.it.Next()
		}
		if ok {
			if w.value, w.err = w.it.ValueAndErr(); w.err == nil {
				return true
			}
		} else if w.err == nil {
			if w.err = w.it.Error(); w.err == nil {
				return false
			}
		}
		w.skip()
	}
	return false
}

// skip leaves a damaged file behind.
func (w *walker) skip() {
	info := pebble.ExtractDataCorruptionInfo(w.err)
	if !pebble.IsCorruptionError(w.err) || info == nil || len(info.Bounds.End.Key) == 0 {
		return
	}
	w.c.torn = true
	w.c.told = appendNew(w.c.told, "what can't be read: "+w.c.s.holds(info.Bounds.Start, info.Bounds.End.Key, true))
	next := append(bytes.Clone(info.Bounds.End.Key), 0)
	if bytes.Compare(next, w.lower) <= 0 {
		return // it is met again: that ends the check
	}
	w.close()
	w.err, w.lower, w.past = nil, next, bytes.Compare(next, w.upper) >= 0
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func (w *walker) close() {
	if w.it != nil {
		w.it.Close()
		w.it = nil
	}
}
