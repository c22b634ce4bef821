package embedded

import (
	"bytes"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// scan is a range of one index. Its rows are in the order of the first column that is not fixed, then of the id; where all columns are
// fixed, in the order of the id.
type scan struct {
	num          uint32
	variant      byte
	letters      string // forms of the slots
	params       []string
	composite    bool
	lower, upper []byte // without the table byte
	fixed        int    // columns with one value
	columns      int
	prefix       int           // length of number, variant and fixed columns
	filter       []search.Expr // by slot (one for a composite), what the bounds do not guarantee; nil entries always hold
	verify       bool          // the rows can't decide: the entries must be asked
	full         bool          // nothing bounds it: all rows of the index are read for a condition
	reach        *reach        // of byHi: only the wide ranges that reach over a value
	last         bounds        // of the column that is not fixed
	few          float64       // its rows, where groups left it to be read whole
}

// sorted reports whether the rows are in the order of ids.
func (s *scan) sorted() bool { return s.fixed == s.columns }

// bounds are the values of a column that can satisfy a condition, both ends included: what is exactly asked is for the filter.
type bounds struct {
	low, high       string
	hasLow, hasHigh bool
	prefix          bool // high is a prefix: all that starts with it
	above           bool // values that satisfy the condition are above low, none is low itself
}

func (b bounds) equal() bool { return b.hasLow && b.hasHigh && !b.prefix && b.low == b.high }

// empty reports whether no value is within b.
func (b bounds) empty() bool {
	return b.hasLow && b.hasHigh && b.low > b.high && !(b.prefix && strings.HasPrefix(b.low, b.high))
}

// and narrows b to what o has too; both stay conservative.
func (b bounds) and(o bounds) bounds {
	if o.hasLow && (!b.hasLow || o.low > b.low) {
		b.low, b.hasLow, b.above = o.low, true, o.above
	}
	switch {
	case !o.hasHigh:
	case !b.hasHigh, !o.prefix && (b.prefix || o.high < b.high):
		b.high, b.hasHigh, b.prefix = o.high, true, o.prefix
	}
	return b
}

// or widens b to what o has too.
func (b bounds) or(o bounds) bounds {
	switch {
	case !b.hasLow || !o.hasLow:
		b.low, b.hasLow = "", false
	case o.low < b.low:
		b.low = o.low
	}
	switch {
	case !b.hasHigh || !o.hasHigh, b.prefix != o.prefix:
		b.high, b.hasHigh, b.prefix = "", false, false
	case b.prefix && !strings.HasPrefix(b.high, o.high):
		if b.hasHigh = strings.HasPrefix(o.high, b.high); !b.hasHigh {
			b.high, b.prefix = "", false
		}
	case o.high > b.high && !b.prefix, b.prefix:
		b.high = o.high
	}
	return b
}

// boundsOf returns the values that satisfy one comparison.
func boundsOf(c *search.Comparison) bounds {
	switch c.Op {
	case search.Eq:
		return bounds{low: c.Value, high: c.Value, hasLow: true, hasHigh: true}
	case search.Lt, search.Le:
		return bounds{high: c.Value, hasHigh: true}
	case search.Gt, search.Ge:
		return bounds{low: c.Value, hasLow: true, above: c.Op == search.Gt}
	case search.Prefix:
		if c.Value != "" {
			return bounds{low: c.Value, high: c.Value, hasLow: true, hasHigh: true, prefix: true}
		}
	}
	return bounds{}
}

// fieldBounds returns the values of a field of a part that satisfy all comparisons on it; exact reports that they are all and only those,
// and that nothing else is compared.
func fieldBounds(where []search.Comparison, part int, f search.Field) (b bounds, exact bool) {
	exact = true
	for i := range where {
		c := &where[i]
		if c.Part != part || c.Field != f {
			exact = false
			continue
		}
		o := boundsOf(c)
		exact = exact && len(where) == 1 && (c.Op == search.Eq || c.Op == search.Le || c.Op == search.Ge || c.Op == search.Prefix)
		b = b.and(o)
	}
	return b, exact
}

// truncate cuts a bound to what keys hold.
func truncate(v string) string {
	if len(v) > maxColumn {
		return v[:maxColumn]
	}
	return v
}

// newScan starts a scan over all of an index's variant.
func newScan(num uint32, variant byte, letters string) *scan {
	s := &scan{num: num, variant: variant, letters: letters}
	s.lower = append(appendNumber(nil, num), variant)
	for i := 0; i < len(letters); i++ {
		switch letters[i] {
		case byNothing:
		case byHi:
			s.columns += 2
		default:
			s.columns++
		}
	}
	s.prefix = len(s.lower)
	s.upper = prefixEnd(s.lower)
	return s
}

// narrowTo restricts the next column. It must not be called after a column that is not fixed.
func (s *scan) narrowTo(b bounds) {
	if b.equal() {
		if len(b.low) >= maxColumn {
			s.verify = true
		}
		s.lower, _ = appendColumn(s.lower, truncate(b.low))
		s.upper = prefixEnd(s.lower)
		s.fixed++
		s.prefix = len(s.lower)
		return
	}
	s.last = b
	s.full = s.fixed == 0 && !b.hasLow && !b.hasHigh && s.filter != nil
	base := s.lower
	if b.hasHigh {
		up := appendEscaped(append([]byte(nil), base...), truncate(b.high))
		if b.prefix {
			s.upper = prefixEnd(up)
		} else {
			s.upper = append(up, 0x00, 0x02)
		}
	}
	if b.hasLow {
		s.lower = appendEscaped(append([]byte(nil), base...), truncate(b.low))
	}
}

// narrowBy restricts the next column, or columns, to a choice.
func (s *scan) narrowBy(c choice) {
	if c.reach == nil {
		s.narrowTo(c.b)
		return
	}
	s.reach = c.reach
	s.upper, _ = appendColumn(bytes.Clone(s.lower), s.reach.over[:min(len(s.reach.over), maxNode)])
	s.upper = prefixEnd(s.upper)
}

// rowReader takes index rows apart.
type rowReader struct {
	s     *scan
	all   []name
	slots []search.Entry
	one   [1]search.Entry
}

func newRowReader(n *dictionary, s *scan) *rowReader {
	return &rowReader{s: s, all: n.all(), slots: make([]search.Entry, len(s.letters))}
}

// split returns the id of a row (without the table byte), its columns that are not fixed, and its tail.
func (rr *rowReader) split(key []byte) (id, free, tail []byte, ok bool) {
	at := rr.s.prefix
	if len(key) < at {
		return nil, nil, nil, false
	}
	for range rr.s.columns - rr.s.fixed {
		end := columnEnd(key[at:])
		if end < 0 {
			return nil, nil, nil, false
		}
		at += end
	}
	id, tail = rowID(key[at:])
	return id, key[rr.s.prefix:at], tail, id != nil
}

// accepts tells whether a row satisfies the filter, and whether that is certain: else the entries must be asked.
func (rr *rowReader) accepts(key, tail []byte) (yes, certain bool) {
	s := rr.s
	if s.filter == nil && s.reach == nil && len(s.letters) == 1 {
		return true, !s.verify && !cutTail(tail)
	}
	if !rr.rebuild(key, tail) {
		return true, false
	}
	if s.reach != nil && rr.slots[len(rr.slots)-1].Lo >= s.reach.over {
		return false, true
	}
	if s.verify {
		return true, false
	}
	if s.composite {
		rr.one[0] = search.Entry{Param: s.params[0], Parts: rr.slots}
		return search.Match(s.filter[0], fhir.Key{}, rr.one[:], nil), true
	}
	for i, f := range s.filter {
		if f == nil {
			continue
		}
		rr.one[0] = rr.slots[i]
		rr.one[0].Param = s.params[i]
		if !search.Match(f, fhir.Key{}, rr.one[:], nil) {
			return false, true
		}
	}
	return true, true
}

// cutTail reports whether the first slot's value was cut. Rows of several slots are always taken apart.
func cutTail(tail []byte) bool { return len(tail) > 0 && tail[0]&0x80 != 0 }

// rebuild restores the slots' entries from a row; false where a value was cut or the row does not decode.
func (rr *rowReader) rebuild(key, tail []byte) bool {
	at := numberSize + 1
	d := decoder{b: tail}
	for i := range rr.slots {
		letter := rr.s.letters[i]
		e := &rr.slots[i]
		*e = search.Entry{}
		var col string
		if letter != byNothing {
			end := columnEnd(key[at:])
			if end >= 0 && letter == byHi {
				at += end // the node
				end = columnEnd(key[at:])
			}
			if end < 0 {
				return false
			}
			col = unsafeString(columnValue(key[at : at+end]))
			at += end
		}
		if len(d.b) == 0 || d.b[0] != letter {
			return false
		}
		d.b = d.b[1:]
		switch letter {
		case byCode:
			e.Code, e.System = col, d.system(rr.all)
		case byFolded:
			e.Folded = col
		case byExact:
			e.Exact = col
		case byGroup:
			e.Lo, e.Hi, e.System, e.Code = d.text(), d.text(), d.system(rr.all), d.text()
		case byLo, byHi:
			other := d.text()
			e.System = d.system(rr.all)
			e.Code = d.text()
			if letter == byLo {
				e.Lo, e.Hi = col, other
			} else {
				e.Lo, e.Hi = other, col
			}
		case byID:
			e.ID, e.Type = col, d.system(rr.all)
		case byURI:
			e.URI = col
		}
	}
	return !d.bad
}

// iter opens an iterator over a range of a table's keys; bounds come without the table byte.
func (r *reader) iter(table byte, lower, upper []byte) (*pebble.Iterator, error) {
	return r.src.NewIter(&pebble.IterOptions{LowerBound: tabled(table, lower), UpperBound: tabled(table, upper)})
}

// tabled puts the table byte in front of a key.
func tabled(table byte, key []byte) []byte {
	return append(append(make([]byte, 0, len(key)+1), table), key...)
}
