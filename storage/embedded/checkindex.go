package embedded

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// A check of the indexes compares their rows, and the counters of them, with what the records are found by.

// checkIndex compares a table of index rows with those that follow from the entries, and the counters of values with the rows.
func (c *checker) checkIndex(i int) error {
	have := map[uint32]sum{}
	var expected int64
	for _, u := range c.rows[i] {
		expected += u.n
	}
	var seen int64
	values := &valueCounters{c: c}
	p := []byte{indexTables[i].table}
	err := c.walk(p, prefixEnd(p), func(key, _ []byte) error {
		key = key[1:]
		if len(key) <= numberSize {
			c.fault("%d rows of the search index can't be read")
			return nil
		}
		u := have[number(key)]
		u.add(c.hash(key))
		have[number(key)] = u
		if i > 0 {
			return c.ctx.Err()
		}
		if seen++; seen%65536 == 0 && expected > 0 {
			if err := c.step(min(c.all-c.done, c.all/2*65536/expected)); err != nil {
				return err
			}
		}
		return values.row(key)
	})
	if err == nil && i == 0 {
		err = values.flush()
	}
	if err != nil || c.torn {
		return err
	}
	names := c.s.dict.all()
	for _, nums := range []map[uint32]sum{c.rows[i], have} {
		for num := range nums {
			if want, got := c.rows[i][num], have[num]; want != got && int(num) < len(names) {
				c.told = appendNew(c.told, fmt.Sprintf("%s: the %s by %s has %d rows, and not the %d that follow from the resources", names[num].typ,
					indexTables[i].name, strings.TrimPrefix(names[num].param, "\x01"), got.n, want.n))
			}
		}
	}
	return nil
}

// valueCounters counts the rows of each value, which lie together.
type valueCounters struct {
	c      *checker
	prefix []byte
	counts map[string]int64
	buf    []byte
}

// row counts a row of the index.
func (v *valueCounters) row(key []byte) error {
	end := columnEnd(key[numberSize+1:])
	if end < 0 {
		v.c.fault("%d rows of the search index can't be read")
		return nil
	}
	if prefix := key[:numberSize+1+end]; !bytes.Equal(prefix, v.prefix) {
		if err := v.flush(); err != nil {
			return err
		}
		v.prefix = append(v.prefix[:0], prefix...)
	}
	if v.buf = counterOf(v.buf[:0], key); len(v.buf) > 0 {
		if v.counts == nil {
			v.counts = map[string]int64{}
		}
		v.counts[string(v.buf)]++
	}
	return nil
}

// flush compares the counters of a value.
func (v *valueCounters) flush() error {
	for name, n := range v.counts {
		if err := v.c.counter(name, n); err != nil {
			return err
		}
	}
	clear(v.counts)
	return nil
}

// counter compares one counter with what it counts, and notes that it was.
func (c *checker) counter(name string, want int64) error {
	b, closer, err := c.s.db.Get(append([]byte{tableCount}, name...))
	var have int64
	switch {
	case err == nil:
		have = countOf(b)
		closer.Close()
	case pebble.IsCorruptionError(err):
		c.torn = true
		return nil
	case err != pebble.ErrNotFound:
		return err
	}
	c.counters++
	if have != want && !c.torn {
		c.fault("%d counters are wrong")
	}
	return nil
}

// checkCounters compares the counters of types and parameters, and finds those that count nothing.
func (c *checker) checkCounters() error {
	for name, n := range c.counts {
		if err := c.counter(name, n); err != nil {
			return err
		}
	}
	var all int64
	p := []byte{tableCount}
	if err := c.walk(p, prefixEnd(p), func(_, _ []byte) error { all++; return nil }); err != nil {
		return err
	}
	if all != c.counters && !c.torn {
		c.told = append(c.told, fmt.Sprintf("there are %d counters, and not %d", all, c.counters))
	}
	return nil
}
