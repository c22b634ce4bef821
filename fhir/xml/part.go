package xml

import "slices"

// Members of an object that are not in the order of the definitions, and primitives whose value and sibling are not side by side.

// part is a member of an object: what of the output it is, and where its value and its sibling begin in the JSON; 0 for none.
type part struct {
	c        *child
	rank     int
	at, end  int
	val, sib int
	// waits is set where the part is written when the object ends.
	waits bool
}

// push begins a part whose value, where it has one, begins at val, and returns its place. Its fields are set one by one: to copy a part that was just
// made costs more.
func (e *encoder) push(c *child, rank, val int) int {
	k := len(e.parts)
	if k == cap(e.parts) {
		e.parts = slices.Grow(e.parts, 16)
	}
	e.parts = e.parts[:k+1]
	p := &e.parts[k]
	p.c, p.rank, p.at, p.end, p.val, p.sib, p.waits = c, rank, len(e.out), len(e.out), val, 0, false
	return k
}

// openRank is the rank of the end of a start tag: behind the attributes and before the children.
const openRank = 1 << 16

// object is an object that is being written.
type object struct {
	base  int // where its parts begin
	start int // where they begin in the output
	depth int
	last  int // the highest rank so far
	// waiting counts the parts that wait for the end.
	waiting    int
	opened     bool // the start tag has ended
	disordered bool
}

// follows notes that a part of c follows the others.
func (o *object) follows(c *child) {
	if c.rank > o.last {
		o.last = c.rank
	} else {
		o.disordered = true
	}
}

// irregular writes a primitive that repeats, has no value, or may have a part already.
func (e *encoder) irregular(o *object, m *named) error {
	c := m.c
	if c.rank <= o.last || o.waiting > 0 {
		for k := o.base; k < len(e.parts); k++ {
			if e.parts[k].c == c {
				return e.joined(o, k, m.sibling)
			}
		}
	}
	o.follows(c)
	val := 0
	if !m.sibling {
		val = e.i
	}
	if val > 0 && e.next() != 'n' {
		if !c.attribute {
			e.open(o)
		}
		k := e.push(c, c.rank, val)
		err := e.primitive(c, val, 0, o.depth+1)
		if err == nil {
			e.parts[k].end = len(e.out)
			return nil
		}
		// A list with null is written when its sibling is there.
		if b, ok := err.(*bad); !ok || !b.null {
			return err
		}
		e.out, e.parts, e.i = e.out[:e.parts[k].at], e.parts[:k], val
	}
	p := &e.parts[e.push(c, c.rank, val)]
	if p.waits = true; m.sibling {
		p.sib = e.i
	}
	e.skip()
	o.waiting++
	return nil
}

// joined adds the value or the sibling, which comes next, to the part of the other.
func (e *encoder) joined(o *object, k int, sibling bool) error {
	p := &e.parts[k]
	if sibling && p.sib != 0 || !sibling && p.val != 0 {
		return e.bad(e.i, "the object has the member twice")
	}
	if sibling {
		p.sib = e.i
	} else {
		p.val = e.i
	}
	e.skip()
	after := e.i
	if !p.waits {
		p.waits = true
		o.waiting++
	}
	if k < len(e.parts)-1 {
		return nil
	}
	e.out = e.out[:p.at]
	err := e.late(o, k)
	e.i = after
	return err
}

// settle writes the parts that wait.
func (e *encoder) settle(o *object) error {
	after := e.i
	for k := o.base; k < len(e.parts); k++ {
		if !e.parts[k].waits {
			continue
		}
		if k < len(e.parts)-1 {
			o.disordered = true
		}
		if err := e.late(o, k); err != nil {
			return err
		}
	}
	e.i = after
	return nil
}

// late writes a part that waits at the end of the output.
func (e *encoder) late(o *object, k int) error {
	c, val, sib := e.parts[k].c, e.parts[k].val, e.parts[k].sib
	if !c.attribute && !o.opened {
		o.disordered = true // the end of the start tag comes after the part
		e.open(o)
	}
	at := len(e.out)
	if err := e.primitive(c, val, sib, o.depth+1); err != nil {
		return err
	}
	p := &e.parts[k]
	p.at, p.end, p.waits = at, len(e.out), false
	o.waiting--
	return nil
}

// primitive writes the elements of a primitive whose value and sibling begin at val and sib; 0 for none. What comes next is undefined after it,
// except where there is a value alone: then it is what follows that.
func (e *encoder) primitive(c *child, val, sib, depth int) error {
	switch {
	case c.attribute && sib > 0:
		return e.bad(sib, "an attribute has no extensions")
	case c.attribute:
		e.i = val
		return e.attribute(c)
	case !c.repeat:
		if e.is(val, '[') || e.is(sib, '[') {
			return e.bad(max(val, sib), "the element does not repeat")
		}
		return e.item(c, val, sib, depth)
	case val > 0 && !e.is(val, '[') || sib > 0 && !e.is(sib, '['):
		return e.bad(max(val, sib), "the element repeats, so its value is an array")
	}
	val, sib = e.first(val), e.first(sib)
	for val > 0 || sib > 0 {
		if err := e.item(c, val, sib, depth); err != nil {
			return err
		}
		if sib > 0 {
			val, sib = e.following(val), e.following(sib)
			continue
		}
		b, err := e.comma()
		if err != nil {
			return err
		}
		if val = e.i; b == ']' {
			break
		}
	}
	if sib == 0 && e.next() == ']' {
		e.i++
	}
	return nil
}

// is reports whether the value at an offset begins with b.
func (e *encoder) is(at int, b byte) bool { return at > 0 && at < len(e.src) && e.src[at] == b }

// first returns where the first item of an array begins; 0 where it has none.
func (e *encoder) first(array int) int {
	if array == 0 {
		return 0
	}
	e.i = array + 1
	if e.next() == ']' {
		return 0
	}
	return e.i
}

// following returns where the item after the one at an offset begins; 0 where there is none.
func (e *encoder) following(item int) int {
	if item == 0 {
		return 0
	}
	e.i = item
	e.skip()
	if e.next() != ',' {
		return 0
	}
	e.i++
	e.next()
	return e.i
}

// item writes one element of a primitive. Behind it comes what follows its sibling, or else its value.
func (e *encoder) item(c *child, val, sib, depth int) error {
	at := val
	if at == 0 {
		at = sib
	}
	if e.is(val, 'n') {
		val = 0
	}
	if e.is(sib, 'n') {
		sib = 0
	}
	if val == 0 && sib == 0 {
		return &bad{at: at, text: "the element " + c.name + " has null where it has no extension", null: true}
	}
	e.line(depth)
	if val == 0 {
		e.out = append(e.out, c.tag...)
	} else {
		e.out = append(e.out, c.tagValue...)
		e.i = val
		if err := e.text(); err != nil {
			return err
		}
		e.out = append(e.out, '"')
	}
	if sib == 0 {
		e.out = append(e.out, '/', '>')
		return nil
	}
	e.i = sib
	return e.extended(c, depth)
}

// order puts the parts of an object, which are the end of the output, into the order of their ranks. What a part that waited had written first goes.
func (e *encoder) order(o *object) error {
	parts := e.parts[o.base:]
	for i := range parts {
		for j := i; j > 0 && parts[j].rank < parts[j-1].rank; j-- {
			parts[j], parts[j-1] = parts[j-1], parts[j]
		}
	}
	e.scratch = e.scratch[:0]
	for i := range parts {
		p := &parts[i]
		if i > 0 && p.rank == parts[i-1].rank {
			return e.bad(max(p.val, p.sib), "an element of several types has more than one value")
		}
		e.scratch = append(e.scratch, e.out[p.at:p.end]...)
	}
	e.out = append(e.out[:o.start], e.scratch...)
	return nil
}
