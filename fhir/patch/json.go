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
	d := document{root: parsed(n), lim: p.lim}
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
		v, err := d.root.walk(o.source)
		if err != nil {
			return fromAbsent(err)
		}
		size, _ := v.measure()
		if d.grown += size; d.grown > d.lim.Growth {
			return tooLarge(fhir.IDPatchSize, fmt.Sprintf("the patch copies more than %d bytes", d.lim.Growth))
		}
		return d.add(o.to, v.clone())
	}
	v, err := d.root.walk(o.to)
	if err != nil {
		return err
	}
	if !equal(v, o.value) {
		return unprocessable(fhir.IDPatchTest, "the value is not the one that the test expects")
	}
	return nil
}

// fromAbsent says of an error of walk that it is about from.
func fromAbsent(err error) error {
	e := err.(*fhir.Error)
	return unprocessable(e.Issues[0].ID, "from: "+e.Issues[0].Text)
}

// fits checks the depth of what is put at the end of tokens.
func (d *document) fits(tokens []string, v *value) error {
	if _, depth := v.measure(); len(tokens)+depth > d.lim.Depth {
		return tooLarge(fhir.IDPatchDepth, fmt.Sprintf("the result is nested deeper than %d", d.lim.Depth))
	}
	return nil
}

// parent returns the open object or array that the last token names a child of, and the child's position.
func (d *document) parent(tokens []string) (*value, int, error) {
	last := len(tokens) - 1
	v, err := d.root.walk(tokens[:last])
	if err != nil {
		return nil, 0, err
	}
	v.open()
	i, err := v.child(tokens[last])
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
		in.set(tokens[len(tokens)-1], v)
	case i > len(in.kids):
		return unprocessable(fhir.IDPatchIndex, fmt.Sprintf("the index is past the array's end; it has %d items", len(in.kids)))
	default:
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
	return in.removeAt(i), nil
}

func (d *document) move(o *operation) error {
	if len(o.to) >= len(o.source) && equalTokens(o.to[:len(o.source)], o.source) {
		if len(o.to) > len(o.source) {
			return unprocessable(fhir.IDPatchMove, "a value cannot be moved into itself")
		}
		_, err := d.root.walk(o.source) // to where it is
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
