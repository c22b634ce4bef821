package definition

import (
	"encoding/binary"
	"unsafe"
)

// index reads what fhir/definition/generate/index.go writes, in the same order.
type index struct {
	body    []byte
	strings []string
}

func (x *index) num() int {
	n, size := binary.Uvarint(x.body)
	if size <= 0 {
		panic("definition: the embedded index does not fit the program: run go generate ./fhir/definition")
	}
	x.body = x.body[size:]
	return int(n)
}

func (x *index) flag() bool  { return x.num() == 1 }
func (x *index) str() string { return x.strings[x.num()] }

func (x *index) strs() []string {
	n := x.num()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = x.str()
	}
	return list
}

// raw returns a string's bytes, nil for "".
func (x *index) raw() []byte {
	if s := x.str(); s != "" {
		return []byte(s)
	}
	return nil
}

// pick returns the listed rows of a table.
func pick[T any](x *index, rows []T) []*T {
	n := x.num()
	if n == 0 {
		return nil
	}
	list := make([]*T, n)
	for i := range list {
		list[i] = &rows[x.num()]
	}
	return list
}

// openIndex unpacks the table of strings, which share one buffer.
func openIndex(file []byte) *index {
	x := &index{body: unpack(file)}
	lengths := make([]int, x.num())
	total := 0
	for i := range lengths {
		lengths[i] = x.num()
		total += lengths[i]
	}
	// A copy, so that the body behind it is not kept.
	text := append([]byte(nil), x.body[:total]...)
	x.body = x.body[total:]
	x.strings = make([]string, len(lengths))
	for i, n := range lengths {
		if n > 0 {
			x.strings[i] = unsafe.String(&text[0], n)
			text = text[n:]
		}
	}
	return x
}

// decode builds the registry from the embedded files.
func decode(indexFile, documents []byte) *Registry {
	x := openIndex(indexFile)
	r := &Registry{}
	r.decodeTypes(x)
	r.decodeSearchParameters(x)
	r.decodeCompartments(x)
	r.decodeOperations(x)
	r.archive.frames = make([][]byte, x.num())
	for i := range r.archive.frames {
		n := x.num()
		r.archive.frames[i], documents = documents[:n:n], documents[n:]
	}
	r.documents = decodeEntries(x)
	r.schemas = decodeEntries(x)
	if len(x.body) > 0 || len(documents) > 0 {
		panic("definition: the embedded files do not fit the program: run go generate ./fhir/definition")
	}
	return r
}

func (r *Registry) decodeTypes(x *index) {
	bindings := make([]Binding, x.num())
	for i := range bindings {
		bindings[i] = Binding{Strength: x.str(), ValueSet: x.str()}
	}
	invariants := make([]Invariant, x.num())
	for i := range invariants {
		invariants[i] = Invariant{Key: x.str(), Severity: x.str(), Human: x.str(), Expression: x.str(), Source: x.str()}
	}
	targets := make([][]string, x.num())
	for i := range targets {
		targets[i] = x.strs()
	}
	types := make([]Type, x.num())
	refs := make([]TypeRef, x.num())
	elements := make([]Element, x.num())
	for i := range elements {
		e := &elements[i]
		e.Path, e.Name = x.str(), x.str()
		e.Choice, e.Summary, e.Modifier = x.flag(), x.flag(), x.flag()
		e.Min, e.Max = x.num(), x.num()-1
		n := x.num()
		e.Types, refs = refs[:n:n], refs[n:]
		for j := range e.Types {
			e.Types[j] = TypeRef{Type: &types[x.num()], Targets: targets[x.num()], JSON: x.str()}
		}
		if b := x.num(); b > 0 {
			e.Binding = &bindings[b-1]
		}
		e.Invariants = pick(x, invariants)
		e.Fixed, e.Pattern = x.raw(), x.raw()
	}
	r.types = make(map[string]*Type, len(types))
	for i := range types {
		t := &types[i]
		t.Name, t.Kind, t.Abstract = x.str(), TypeKind(x.num()), x.flag()
		if b := x.num(); b > 0 {
			t.Base = &types[b-1]
		}
		t.Regex = x.str()
		t.Elements = pick(x, elements)
		t.Invariants = pick(x, invariants)
		t.link()
		r.types[t.Name] = t
		if t.Kind == KindResource && !t.Abstract {
			r.resourceTypes = append(r.resourceTypes, t.Name)
		}
	}
}

func (r *Registry) decodeSearchParameters(x *index) {
	parameters := make([]SearchParameter, x.num())
	r.parameters = make([]*SearchParameter, len(parameters))
	for i := range parameters {
		p := &parameters[i]
		p.Code, p.URL, p.Type = x.str(), x.str(), x.str()
		p.Base, p.Expression, p.Target = x.strs(), x.str(), x.strs()
		if n := x.num(); n > 0 {
			p.Components = make([]Component, n)
			for j := range p.Components {
				p.Components[j] = Component{Definition: x.str(), Expression: x.str()}
			}
		}
		p.MultipleOr, p.MultipleAnd = x.flag(), x.flag()
		r.parameters[i] = p
	}
	n := x.num()
	r.parametersByType = make(map[string][]*SearchParameter, n)
	for range n {
		typ := x.str()
		r.parametersByType[typ] = pick(x, parameters)
	}
}

func (r *Registry) decodeCompartments(x *index) {
	n := x.num()
	r.compartments = make(map[string]*Compartment, n)
	for range n {
		c := &Compartment{Code: x.str()}
		links := x.num()
		c.Links = make(map[string][]string, links)
		for range links {
			typ := x.str()
			c.Links[typ] = x.strs()
		}
		r.compartments[c.Code] = c
	}
}

func (r *Registry) decodeOperations(x *index) {
	operations := make([]Operation, x.num())
	r.operations = make([]*Operation, len(operations))
	for i := range operations {
		operations[i] = Operation{Code: x.str(), URL: x.str(), Resource: x.strs(), System: x.flag(), Type: x.flag(), Instance: x.flag()}
		r.operations[i] = &operations[i]
	}
}

func decodeEntries(x *index) []entry {
	list := make([]entry, x.num())
	for i := range list {
		list[i] = entry{name: x.str(), frame: x.num(), offset: x.num(), size: x.num()}
	}
	return list
}
