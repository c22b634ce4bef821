package fhirpath

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fhirgate/fhirgate/fhir"
)

// equal compares two items as = does. known is false where the answer is empty: dates of different precision, quantities that do not compare.
func (m *machine) equal(a, b *Item) (eq, known bool) {
	m.steps++
	if a.box == nil && b.box == nil && a.node == b.node && a.node.Valid() {
		return true, true
	}
	va, vb := a.value(), b.value()
	if va.kind != NoKind && vb.kind != NoKind {
		return equalValues(va, vb)
	}
	if va.kind != vb.kind || a.box != nil || b.box != nil {
		return false, true
	}
	if !a.node.Valid() && !b.node.Valid() {
		return m.equalNodes(a.sib, b.sib), true
	}
	return m.equalNodes(a.node, b.node), true
}

// equalValues compares System values as = does, with the implicit conversions of N1. Values of types that do not convert are not equal.
func equalValues(a, b value) (eq, known bool) {
	if a.kind == b.kind {
		switch a.kind {
		case Boolean:
			return a.b == b.b, true
		case String:
			return a.s == b.s, true
		case Integer:
			return a.i == b.i, true
		}
	}
	if a.kind == QuantityKind || b.kind == QuantityKind {
		qa, oka := a.quantity()
		qb, okb := b.quantity()
		if !oka || !okb {
			return false, true
		}
		c, same, known := compareQuantities(qa, qb, false)
		return same && c == 0, known || !same
	}
	c, known, ok := order(a, b)
	if !ok {
		return false, true
	}
	return c == 0, known
}

// sameMembers reports whether each member of an object has a counterpart of its name in another that has as many.
func sameMembers(a, b fhir.Node, same func(a, b fhir.Node) bool) bool {
	for c := a.First(); c.Valid(); c = c.Next() {
		if d := b.Get(c.Name()); !d.Valid() || !same(c, d) {
			return false
		}
	}
	return true
}

// equalNodes compares two JSON values: objects by their members whatever the order, arrays in order, numbers by value.
func (m *machine) equalNodes(a, b fhir.Node) bool {
	m.steps++
	if a == b {
		return true
	}
	if a.Kind() != b.Kind() || a.Len() != b.Len() {
		return false
	}
	switch a.Kind() {
	case fhir.Object:
		return sameMembers(a, b, m.equalNodes)
	case fhir.Array:
		for c, d := a.First(), b.First(); c.Valid(); c, d = c.Next(), d.Next() {
			if !m.equalNodes(c, d) {
				return false
			}
		}
		return true
	case fhir.Number:
		x, errX := fhir.ParseDecimal(a.Text())
		y, errY := fhir.ParseDecimal(b.Text())
		return errX == nil && errY == nil && x.Cmp(y) == 0
	}
	return a.Text() == b.Text()
}

// equivalent compares two items as ~ does; the answer is never empty.
func (m *machine) equivalent(a, b *Item) bool {
	m.steps++
	va, vb := a.value(), b.value()
	if va.kind == NoKind || vb.kind == NoKind {
		if va.kind != vb.kind || a.box != nil || b.box != nil {
			return false
		}
		if !a.node.Valid() && !b.node.Valid() {
			return m.equivalentNodes(a.sib, b.sib)
		}
		return m.equivalentNodes(a.node, b.node)
	}
	switch {
	case va.kind == String && vb.kind == String:
		return equivalentText(va.s, vb.s)
	case va.kind == QuantityKind || vb.kind == QuantityKind:
		qa, oka := va.quantity()
		qb, okb := vb.quantity()
		if !oka || !okb {
			return false
		}
		c, same, known := compareQuantities(qa, qb, true)
		return same && known && c == 0
	case va.kind == DecimalKind || vb.kind == DecimalKind:
		x, okx := va.decimal()
		y, oky := vb.decimal()
		return okx && oky && equivalentDecimals(x, y)
	case va.kind == DateKind || va.kind == DateTimeKind || va.kind == TimeKind:
		if seconds(va.t.Precision) != seconds(vb.t.Precision) {
			return false
		}
	}
	eq, known := equalValues(va, vb)
	return eq && known
}

// equivalentDecimals compares at the precision of the less precise operand, zeros at the end not counted (N1, Equivalent).
func equivalentDecimals(x, y fhir.Decimal) bool {
	n := min(significantScale(x), significantScale(y))
	return x.Round(n).Cmp(y.Round(n)) == 0
}

// significantScale returns the digits after the point without zeros at the end.
func significantScale(d fhir.Decimal) int {
	n := d.Scale()
	if n == 0 {
		return 0
	}
	var buf [40]byte
	digits, exp := d.Significant(buf[:0])
	return max(0, len(digits)-exp)
}

// equivalentText compares without regard to case and to what white space there is (N1, Equivalent).
func equivalentText(a, b string) bool {
	for {
		ra, na, sa := nextFolded(a)
		rb, nb, sb := nextFolded(b)
		if ra != rb && !(sa == sb && sa != 0 && strings.EqualFold(string(sa), string(sb))) {
			return false
		}
		if na == 0 {
			return nb == 0
		}
		if nb == 0 {
			return false
		}
		a, b = a[na:], b[nb:]
	}
}

// nextFolded returns the next rune in lower case, a run of white space as one space, with its length; 0 at the end.
func nextFolded(s string) (folded rune, size int, raw rune) {
	if s == "" {
		return 0, 0, 0
	}
	for i, r := range s {
		if !unicode.IsSpace(r) {
			if i > 0 {
				return ' ', i, ' '
			}
			_, n := utf8.DecodeRuneInString(s)
			return unicode.ToLower(unicode.ToUpper(r)), n, r
		}
	}
	return ' ', len(s), ' '
}

// equivalentNodes compares two JSON values as ~ does: arrays in any order, texts and numbers as equivalent.
func (m *machine) equivalentNodes(a, b fhir.Node) bool {
	m.steps++
	if a == b {
		return true
	}
	if a.Kind() != b.Kind() || a.Len() != b.Len() {
		return false
	}
	switch a.Kind() {
	case fhir.Object:
		return sameMembers(a, b, m.equivalentNodes)
	case fhir.Array:
		used := make([]bool, b.Len())
	items:
		for c := a.First(); c.Valid(); c = c.Next() {
			i := 0
			for d := b.First(); d.Valid(); d = d.Next() {
				if !used[i] && m.equivalentNodes(c, d) {
					used[i] = true
					continue items
				}
				i++
			}
			return false
		}
		return true
	case fhir.Number:
		x, errX := fhir.ParseDecimal(a.Text())
		y, errY := fhir.ParseDecimal(b.Text())
		return errX == nil && errY == nil && equivalentDecimals(x, y)
	}
	return equivalentText(a.Text(), b.Text())
}

// same reports whether two items are equal for distinct(), union and the like, where an empty answer counts as different.
func (m *machine) same(a, b *Item) bool {
	eq, known := m.equal(a, b)
	return eq && known
}

// manyItems is the size from which sets of items are looked up by hash rather than by comparison.
const manyItems = 24

// dedupe drops items equal to one before them from those at base and on.
func (m *machine) dedupe(base, pos int) error {
	if len(m.stack)-base < 2 {
		return nil
	}
	d := distinct{m: m, base: base, end: base}
	return d.add(pos)
}

// distinct keeps the items of the stack from base on that differ from one another. It is told of more as they come, and compares those
// alone with what it has.
type distinct struct {
	m         *machine
	base, end int                // what is kept lies from base to end
	seen      map[uint64][]int32 // the places of what is kept, after base, by hash; nil while it is little
}

// add drops from the items that lie on top of what is kept those that are kept already, and keeps the others. Each comparison is a step.
func (d *distinct) add(pos int) error {
	m := d.m
	m.mark()
	if d.seen == nil && len(m.stack)-d.base >= manyItems {
		d.seen = make(map[uint64][]int32, len(m.stack)-d.base)
		for k := d.base; k < d.end; k++ {
			h := m.hash(&m.stack[k])
			d.seen[h] = append(d.seen[h], int32(k-d.base))
		}
	}
	for i, n := d.end, len(m.stack); i < n; i++ {
		if !d.has(i) {
			m.stack[d.end] = m.stack[i]
			d.end++
		}
		if err := m.step(1, pos); err != nil {
			return err
		}
	}
	m.stack = m.stack[:d.end]
	return nil
}

// has reports whether the item at place i of the stack is kept; where it is not, it is noted as the next that will be.
func (d *distinct) has(i int) bool {
	m := d.m
	it := &m.stack[i]
	if d.seen == nil {
		for k := d.base; k < d.end; k++ {
			if m.same(&m.stack[k], it) {
				return true
			}
		}
		return false
	}
	h := m.hash(it)
	for _, k := range d.seen[h] {
		if m.same(&m.stack[d.base+int(k)], it) {
			return true
		}
	}
	d.seen[h] = append(d.seen[h], int32(d.end-d.base))
	return false
}

// contains reports whether an item equal to it is among those of set.
func (m *machine) contains(set []Item, it *Item) bool {
	for i := range set {
		if m.same(&set[i], it) {
			return true
		}
	}
	return false
}

// hash returns a number that equal items share.
func (m *machine) hash(it *Item) uint64 {
	v := it.value()
	switch v.kind {
	case NoKind:
		if !it.node.Valid() {
			return m.hashNode(it.sib)
		}
		return m.hashNode(it.node)
	case String:
		m.steps += len(v.s) >> 4
		return hashText(1, v.s)
	case Boolean:
		if v.b {
			return 3
		}
		return 2
	case Integer, DecimalKind:
		d, _ := v.decimal()
		return hashDecimal(d)
	case QuantityKind:
		if v.s == "1" && !v.b {
			return hashDecimal(v.d)
		}
	case DateKind, DateTimeKind:
		lo, _ := v.t.Range(nil)
		h := uint64(lo.Unix())*1099511628211 + uint64(lo.Nanosecond())<<8 + uint64(seconds(v.t.Precision))<<1
		if v.t.HasZone {
			h++
		}
		return h
	case TimeKind:
		lo, _ := v.t.Time.Range()
		return uint64(lo)<<8 + uint64(seconds(v.t.Time.Precision))
	}
	// Equal quantities may be written in many ways; they share a bucket.
	return uint64(v.kind)
}

func (m *machine) hashNode(n fhir.Node) uint64 {
	m.steps++
	switch n.Kind() {
	case fhir.Object:
		h := uint64(7)
		for c := n.First(); c.Valid(); c = c.Next() {
			h += hashText(m.hashNode(c), c.Name())
		}
		return h
	case fhir.Array:
		h := uint64(8)
		for c := n.First(); c.Valid(); c = c.Next() {
			h = h*31 + m.hashNode(c)
		}
		return h
	case fhir.Number:
		d, err := fhir.ParseDecimal(n.Text())
		if err != nil {
			return 9
		}
		return hashDecimal(d)
	}
	return hashText(1, n.Text())
}

func hashDecimal(d fhir.Decimal) uint64 {
	var buf [40]byte
	digits, exp := d.Significant(buf[:0])
	h := uint64(exp+1000)<<8 + uint64(d.Sign()+1)
	for _, c := range digits {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// hashText is FNV-1a with a seed.
func hashText(seed uint64, s string) uint64 {
	h := seed*31 + 14695981039346656037
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
