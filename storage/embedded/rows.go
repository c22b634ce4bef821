package embedded

import (
	"bytes"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// reach asks for the wide ranges that begin before a value and end at it or behind it: with Lo < over and Hi >= least, which is not below over.
type reach struct{ over, least string }

// rows goes through the rows of a scan in the order of the index.
type rows struct {
	it   *pebble.Iterator
	s    *scan
	from []byte // where the last seek went
}

// rows opens a scan on a table. The caller closes rows.it.
func (r *reader) rows(table byte, s *scan) (rows, error) {
	it, err := r.iter(table, s.lower, s.upper)
	return rows{it: it, s: s}, err
}

func (c *rows) first() bool {
	if c.s.reach == nil {
		return c.it.First()
	}
	return c.skip(c.it.First())
}

func (c *rows) next() bool {
	if c.s.reach == nil {
		return c.it.Next()
	}
	return c.skip(c.it.Next())
}

// skip moves on to a row that reach asks for as far as nodes and Hi tell: the nodes are the beginnings of over, and under each the rows
// from least on. What it passes over costs a seek for each node at most, and one between two nodes.
func (c *rows) skip(ok bool) bool {
	over := c.s.reach.over[:min(len(c.s.reach.over), maxNode)]
	for ok {
		key := c.it.Key()[1+c.s.prefix:]
		end := columnEnd(key)
		if end < 0 {
			return ok // who takes the row apart says that it is damaged
		}
		node := columnValue(key[:end])
		if !strings.HasPrefix(over, unsafeString(node)) {
			n := len(nodeOf(over, unsafeString(node)))
			if n == len(over) || n < len(node) && node[n] > over[n] {
				return false
			}
			ok = c.seek(over[:n+1])
			continue
		}
		high := key[end:]
		if end = columnEnd(high); end < 0 || bytes.Compare(high[:end], mustColumn(c.s.reach.least)) >= 0 {
			return ok
		}
		ok = c.seek(string(node))
	}
	return false
}

// seek moves to the first row under a node that ends late enough, or behind it.
func (c *rows) seek(node string) bool {
	c.from = append(c.from[:0], c.it.Key()[:1]...)
	c.from, _ = appendColumn(append(c.from, c.s.lower[:c.s.prefix]...), node)
	c.from, _ = appendColumn(c.from, c.s.reach.least)
	return c.it.SeekGE(c.from)
}
