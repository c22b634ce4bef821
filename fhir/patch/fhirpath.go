package patch

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// FHIRPath is a FHIRPath Patch (http://hl7.org/fhir/R4/fhirpatch.html). It is immutable.
type FHIRPath struct {
	reg   *definition.Registry
	ops   []pathOperation
	lim   Limits
	steps int // of all paths together
}

// pathOperation is one operation of a FHIRPath Patch.
type pathOperation struct {
	typ, path string
	expr      *fhirpath.Expression
	name      string
	value     fhir.Node // the part called value
	numbers   map[string]int
	where     string // its place in the Parameters resource
}

// operationParts says which parts each type of operation takes besides type and path; all of them are required.
var operationParts = map[string][]string{
	"add":     {"name", "value"},
	"insert":  {"index", "value"},
	"delete":  nil,
	"replace": {"value"},
	"move":    {"source", "destination"},
}

const fhirpathSteps = 20_000_000

// ParseFHIRPath reads a FHIRPath Patch from a Parameters resource, which must not be changed afterwards.
func ParseFHIRPath(reg *definition.Registry, r fhir.Resource, lim Limits) (*FHIRPath, error) {
	p := &FHIRPath{reg: reg, lim: lim.withDefaults(), steps: fhirpathSteps}
	if r.Type() != "Parameters" {
		return nil, malformed("a FHIRPath Patch is a Parameters resource")
	}
	list := r.Get("parameter")
	if list.Valid() && list.Kind() != fhir.Array {
		return nil, malformed("parameter is an array")
	}
	if err := p.lim.tooMany(list.Len()); err != nil {
		return nil, err
	}
	for n := range list.Children() {
		o := pathOperation{where: fmt.Sprintf("Parameters.parameter[%d]", len(p.ops))}
		if err := o.read(n); err != nil {
			return nil, at(err, len(p.ops), o.typ, o.path, o.where)
		}
		p.ops = append(p.ops, o)
	}
	return p, nil
}

func (o *pathOperation) read(n fhir.Node) error {
	if n.Get("name").Text() != "operation" {
		return malformed("each parameter of a FHIRPath Patch is called operation")
	}
	parts := map[string]fhir.Node{}
	for part := range n.Get("part").Children() {
		name := part.Get("name").Text()
		switch name {
		case "type", "path", "name", "value", "index", "source", "destination":
		default:
			return malformed("the parts of an operation are type, path, name, value, index, source and destination")
		}
		if parts[name].Valid() {
			return malformed("the part " + name + " is given twice")
		}
		parts[name] = part
	}
	o.typ, o.path, o.name = textOf(parts["type"]), textOf(parts["path"]), textOf(parts["name"])
	o.value = parts["value"]
	needed, ok := operationParts[o.typ]
	if !ok {
		o.typ = ""
		return malformed("type is add, insert, delete, replace or move")
	}
	if o.path == "" {
		return malformed("the part path is missing or no string")
	}
	for _, name := range needed {
		part := parts[name]
		if !part.Valid() {
			return malformed("the part " + name + " is missing")
		}
		switch name {
		case "name":
			if o.name == "" {
				return malformed("the part name is a string")
			}
		case "index", "source", "destination":
			i, err := strconv.Atoi(textOf(part))
			if err != nil || i < 0 {
				return malformed("the part " + name + " is an integer, 0 or greater")
			}
			if o.numbers == nil {
				o.numbers = map[string]int{}
			}
			o.numbers[name] = i
		}
		delete(parts, name)
	}
	delete(parts, "type")
	delete(parts, "path")
	for name := range parts {
		return malformed("an operation of type " + o.typ + " has no part " + name)
	}
	var err error
	o.expr, err = fhirpath.Parse(o.path)
	return err
}

// textOf returns the primitive value[x] of a parameter's part as text; "" where it has none.
func textOf(part fhir.Node) string {
	for c := range part.Children() {
		if len(c.Name()) > len("value") && c.Name()[:len("value")] == "value" {
			return c.Text()
		}
	}
	return ""
}

// Apply returns what the patch makes of a resource.
func (p *FHIRPath) Apply(current fhir.Resource) ([]byte, error) {
	if _, ok := p.reg.Resource(current.Type()); !ok {
		return nil, unprocessable(fhir.IDPatchPath, "the resource's type is unknown")
	}
	spent := 0
	body := current.AppendJSON(nil)
	for i := range p.ops {
		o := &p.ops[i]
		if i > 0 {
			t, err := fhir.Parse(body, fhir.Limits{Depth: p.lim.Depth})
			if err != nil {
				return nil, err
			}
			current = fhir.Resource{Node: t.Root()}
		}
		e := editor{reg: p.reg, resource: current, root: parsed(current.Node), env: fhirpath.Env{Spent: &spent}, steps: p.steps}
		if err := e.run(o); err != nil {
			return nil, at(err, i, o.typ, o.path, o.where)
		}
		if e.root.measure().depth > p.lim.Depth {
			return nil, at(p.lim.tooDeep(), i, o.typ, o.path, o.where)
		}
		// What an operation leaves costs its size again when the next one reads it.
		if err := e.charge(len(body) / 16); err != nil {
			return nil, at(err, i, o.typ, o.path, o.where)
		}
		body = e.root.append(make([]byte, 0, len(body)+256))
	}
	return body, nil
}

// charge takes steps of those that all operations have together.
func (e *editor) charge(steps int) error {
	if *e.env.Spent += steps; *e.env.Spent > e.steps {
		return tooCostly()
	}
	return nil
}

// find evaluates a path on the resource.
func (e *editor) find(expr *fhirpath.Expression) (fhirpath.Collection, error) {
	prog, err := expr.Compile(fhirpath.WithRegistry(e.reg), fhirpath.WithType(e.resource.Type()), fhirpath.WithLimits(fhirpath.Limits{Steps: e.steps}))
	if err == nil {
		var items fhirpath.Collection
		if items, err = prog.Eval(fhirpath.ResourceItem(e.reg, e.resource), &e.env); err == nil {
			return items, nil
		}
	}
	var f *fhir.Error
	if errors.As(err, &f) && f.Kind == fhir.KindInvalid {
		c := *f
		c.Kind = fhir.KindUnprocessable
		return nil, &c
	}
	return nil, err
}

// run makes the operation's change.
func (e *editor) run(o *pathOperation) error {
	items, err := e.find(o.expr)
	if err != nil {
		return err
	}
	switch o.typ {
	case "add":
		if err := single(items); err != nil {
			return err
		}
		in, err := e.object(items[0])
		if err != nil {
			return err
		}
		return e.add(in, o.name, o.value)
	case "insert":
		return e.insert(o, items)
	case "move":
		l, err := e.list(items)
		if err != nil {
			return err
		}
		return l.move(o.numbers["source"], o.numbers["destination"])
	case "delete":
		if len(items) == 0 {
			return nil
		}
	}
	if err := single(items); err != nil {
		return err
	}
	at, err := e.place(items[0])
	if err != nil {
		return err
	}
	if o.typ == "delete" {
		at.delete()
		return nil
	}
	return e.replace(at, o.value)
}

func single(items fhirpath.Collection) error {
	switch len(items) {
	case 0:
		return unprocessable(fhir.IDPatchPath, "the path selects nothing")
	case 1:
		return nil
	}
	return unprocessable(fhir.IDPatchPath, fmt.Sprintf("the path selects %d elements; it must select one", len(items)))
}

// insert puts a value into the list that items are. A list that is absent is begun with index 0.
func (e *editor) insert(o *pathOperation, items fhirpath.Collection) error {
	i := o.numbers["index"]
	if len(items) > 0 {
		l, err := e.list(items)
		if err != nil {
			return err
		}
		if i > len(l.slots) {
			return pastEnd("index", len(l.slots))
		}
		v, err := e.value(o.value, l.elem)
		if err != nil {
			return err
		}
		if v.json != l.json {
			return unprocessable(fhir.IDPatchValue, "the value is not of the list's type")
		}
		l.slots = append(l.slots, slot{})
		copy(l.slots[i+1:], l.slots[i:])
		l.slots[i] = v.slot
		l.store()
		return nil
	}
	before, name, ok := splitLast(o.path)
	if !ok {
		return single(items)
	}
	expr, err := fhirpath.Parse(before)
	if err != nil {
		return single(items)
	}
	if items, err = e.find(expr); err != nil {
		return err
	}
	if err := single(items); err != nil {
		return err
	}
	if i > 0 {
		return pastEnd("index", 0)
	}
	in, err := e.object(items[0])
	if err != nil {
		return err
	}
	if elem := in.typ.Child(name); elem != nil && elem.Max == 1 {
		return notAList()
	}
	return e.add(in, name, o.value)
}

func pastEnd(name string, n int) error {
	return unprocessable(fhir.IDPatchIndex, fmt.Sprintf("the %s is past the list's end; it has %d items", name, n))
}

func notAList() error {
	return unprocessable(fhir.IDPatchList, "the path selects an element that does not repeat; insert and move are for lists")
}

// splitLast takes the last member name off a path: "Patient.name" becomes "Patient" and "name".
func splitLast(path string) (before, name string, ok bool) {
	i := len(path)
	for i > 0 && (path[i-1] >= 'a' && path[i-1] <= 'z' || path[i-1] >= 'A' && path[i-1] <= 'Z' || path[i-1] >= '0' && path[i-1] <= '9') {
		i--
	}
	if i < 2 || i == len(path) || path[i-1] != '.' {
		return "", "", false
	}
	return path[:i-1], path[i:], true
}
