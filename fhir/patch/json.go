package patch

import (
	"fmt"

	"github.com/fhirgate/fhirgate/fhir"
)

// JSON is a JSON Patch (RFC 6902). It is immutable.
type JSON struct {
	ops []operation
	lim Limits
}

// jsonSteps is the limit on the steps of all operations of a JSON Patch together (DECISIONS.md).
const jsonSteps = 20_000_000

// operation is one operation of a JSON Patch.
type operation struct {
	op, path   string
	from       string
	to, source []string // the tokens of path and from
	value      fhir.Node
}

// ParseJSON reads a JSON Patch. src is kept and must not be changed.
func ParseJSON(src []byte, lim Limits) (*JSON, error) {
	lim = lim.withDefaults()
	t, err := fhir.Parse(src, fhir.Limits{Depth: lim.Depth})
	if err != nil {
		return nil, err
	}
	list := t.Root()
	if list.Kind() != fhir.Array {
		return nil, malformed("a JSON Patch is an array of operations")
	}
	if err := lim.tooMany(list.Len()); err != nil {
		return nil, err
	}
	p := &JSON{ops: make([]operation, 0, list.Len()), lim: lim}
	for n := range list.Children() {
		o := operation{op: n.Get("op").Text(), path: n.Get("path").Text(), from: n.Get("from").Text(), value: n.Get("value")}
		if err := o.read(n); err != nil {
			return nil, at(err, len(p.ops), o.op, o.path, "")
		}
		p.ops = append(p.ops, o)
	}
	return p, nil
}

// read checks the members that the operation needs. Others are ignored, as RFC 6902 section 4 asks.
func (o *operation) read(n fhir.Node) error {
	if n.Kind() != fhir.Object {
		return malformed("an operation is an object with op and path")
	}
	var value, from bool
	switch o.op {
	case "add", "replace", "test":
		value = true
	case "move", "copy":
		from = true
	case "remove":
	default:
		o.op = ""
		return malformed("op is add, remove, replace, move, copy or test")
	}
	var ok bool
	if n.Get("path").Kind() != fhir.String {
		return malformed("path is missing or no string")
	}
	if o.to, ok = parsePointer(o.path); !ok {
		return malformed("path is not a JSON Pointer: it is empty or begins with /, and ~ is followed by 0 or 1")
	}
	if value && !o.value.Valid() {
		return malformed("value is missing")
	}
	if !from {
		return nil
	}
	if n.Get("from").Kind() != fhir.String {
		return malformed("from is missing or no string")
	}
	if o.source, ok = parsePointer(o.from); !ok {
		return malformed("from is not a JSON Pointer: it is empty or begins with /, and ~ is followed by 0 or 1")
	}
	return nil
}

// Apply returns what the patch makes of a resource.
func (p *JSON) Apply(current fhir.Resource) ([]byte, error) { return p.apply(current.Node) }

func (p *JSON) apply(n fhir.Node) ([]byte, error) {
	d := document{root: parsed(n), lim: p.lim, steps: jsonSteps}
	for i := range p.ops {
		o := &p.ops[i]
		if err := d.run(o); err != nil {
			return nil, at(err, i, o.op, o.path, "")
		}
	}
	return d.root.append(make([]byte, 0, len(n.Raw())+256)), nil
}

// document is a document that a JSON Patch changes.
type document struct {
	root  *value
	lim   Limits
	grown int // bytes that copies have added
	steps int // that are left for all operations
}

// What operations cost in steps: a value that is made holds some hundred bytes, a value that is only visited or compared costs one step, and children that
// move aside in memory are cheap.
const (
	stepsOfMade  = 8
	movedPerStep = 4
)

// charge takes steps of those that all operations have together.
func (d *document) charge(steps int) error {
	if d.steps -= steps; d.steps < 0 {
		return tooCostly()
	}
	return nil
}

// open is value.open at its cost.
func (d *document) open(v *value) error {
	if v.node.Valid() && v.container() {
		if err := d.charge(v.node.Len() * stepsOfMade); err != nil {
			return err
		}
	}
	v.open()
	return nil
}

// child opens v and returns the position that a token names in it, as value.child does.
func (d *document) child(v *value, token string) (int, error) {
	if err := d.open(v); err != nil {
		return 0, err
	}
	steps := 1
	if v.kind == fhir.Object {
		steps += len(v.kids) // whose names are compared
	}
	if err := d.charge(steps); err != nil {
		return 0, err
	}
	return v.child(token)
}

// walk returns the value that tokens lead to from the root.
func (d *document) walk(tokens []string) (*value, error) {
	v := d.root
	for depth, token := range tokens {
		i, err := d.child(v, token)
		if err != nil {
			return nil, err
		}
		if i < 0 || i >= len(v.kids) {
			return nil, absent(depth)
		}
		v = v.kids[i].v
	}
	return v, nil
}

func (d *document) run(o *operation) error {
	switch o.op {
	case "add":
		return d.add(o.to, parsed(o.value))
	case "remove":
		_, err := d.remove(o.to)
		return err
	case "replace":
		return d.replace(o.to, parsed(o.value))
	case "move":
		return d.move(o)
	case "copy":
		v, err := d.walk(o.source)
		if err != nil {
			return fromAbsent(err)
		}
		m := v.measure()
		if d.grown += m.size; d.grown > d.lim.Growth {
			return tooLarge(fhir.IDPatchSize, fmt.Sprintf("the patch copies more than %d bytes", d.lim.Growth))
		}
		if err := d.charge(m.visited + m.made*stepsOfMade); err != nil {
			return err
		}
		return d.add(o.to, v.clone())
	}
	v, err := d.walk(o.to)
	if err != nil {
		return err
	}
	// A comparison visits no more values than the patch has.
	if !equal(v, o.value) {
		return unprocessable(fhir.IDPatchTest, "the value is not the one that the test expects")
	}
	return nil
}

// fromAbsent says of an error of walk that it is about from, unless it is one of cost.
func fromAbsent(err error) error {
	e := err.(*fhir.Error)
	if e.Kind == fhir.KindTooLarge {
		return err
	}
	return unprocessable(e.Issues[0].ID, "from: "+e.Issues[0].Text)
}

// fits checks the depth of what is put at the end of tokens.
func (d *document) fits(tokens []string, v *value) error {
	m := v.measure()
	if len(tokens)+m.depth > d.lim.Depth {
		return d.lim.tooDeep()
	}
	return d.charge(m.visited)
}

// parent returns the open object or array that the last token names a child of, and the child's position.
func (d *document) parent(tokens []string) (*value, int, error) {
	last := len(tokens) - 1
	v, err := d.walk(tokens[:last])
	if err != nil {
		return nil, 0, err
	}
	i, err := d.child(v, tokens[last])
	return v, i, err
}

func (d *document) add(tokens []string, v *value) error {
	if err := d.fits(tokens, v); err != nil {
		return err
	}
	if len(tokens) == 0 {
		d.root = v
		return nil
	}
	in, i, err := d.parent(tokens)
	switch {
	case err != nil:
		return err
	case in.kind == fhir.Object:
		if i >= 0 {
			in.kids[i].v = v
		} else {
			in.kids = append(in.kids, member{name: tokens[len(tokens)-1], v: v})
		}
	case i > len(in.kids):
		return unprocessable(fhir.IDPatchIndex, fmt.Sprintf("the index is past the array's end; it has %d items", len(in.kids)))
	default:
		if err := d.charge((len(in.kids) - i) / movedPerStep); err != nil {
			return err
		}
		in.insert(i, v)
	}
	return nil
}

func (d *document) replace(tokens []string, v *value) error {
	if err := d.fits(tokens, v); err != nil {
		return err
	}
	if len(tokens) == 0 {
		d.root = v
		return nil
	}
	in, i, err := d.parent(tokens)
	if err != nil {
		return err
	}
	if i < 0 || i >= len(in.kids) {
		return absent(len(tokens) - 1)
	}
	in.kids[i].v = v
	return nil
}

func (d *document) remove(tokens []string) (*value, error) {
	if len(tokens) == 0 {
		return nil, unprocessable(fhir.IDPatchRoot, "the whole resource cannot be removed by a patch; delete it instead")
	}
	in, i, err := d.parent(tokens)
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= len(in.kids) {
		return nil, absent(len(tokens) - 1)
	}
	if err := d.charge((len(in.kids) - i) / movedPerStep); err != nil {
		return nil, err
	}
	return in.removeAt(i), nil
}

func (d *document) move(o *operation) error {
	if len(o.to) >= len(o.source) && equalTokens(o.to[:len(o.source)], o.source) {
		if len(o.to) > len(o.source) {
			return unprocessable(fhir.IDPatchMove, "a value cannot be moved into itself")
		}
		_, err := d.walk(o.source) // to where it is
		if err != nil {
			return fromAbsent(err)
		}
		return nil
	}
	v, err := d.remove(o.source)
	if err != nil {
		return fromAbsent(err)
	}
	return d.add(o.to, v)
}

func equalTokens(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
