package xml

import (
	"fmt"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Limits bound what the reader accepts. A zero field means the default.
type Limits struct {
	Depth int // nested elements; default 128
	Size  int // bytes of the document; default 4 GiB
}

func (l Limits) withDefaults() Limits {
	if l.Depth == 0 {
		l.Depth = 128
	}
	if l.Size == 0 {
		l.Size = 4 << 30
	}
	return l
}

// Format reads and writes the XML format of one FHIR release. It is immutable and safe for concurrent use.
type Format struct {
	reg  *definition.Registry
	once sync.Once
	// resources are the plans of the concrete resource types.
	resources map[string]*plan
}

// New returns the format of the types in reg.
func New(reg *definition.Registry) *Format { return &Format{reg: reg} }

// plan is what both directions know of a type.
type plan struct {
	name     string
	children map[string]*child // by name, which is the same in JSON and XML
	sequence []*child          // in order
}

// find returns the child with a name. It mostly is last, or one of the next ones.
func (p *plan) find(name []byte, last *child) *child {
	i := 0
	if last != nil {
		i = last.position
	}
	for end := min(i+6, len(p.sequence)); i < end; i++ {
		if c := p.sequence[i]; len(c.name) == len(name) && c.name == string(name) {
			return c
		}
	}
	return p.children[string(name)]
}

// named is find for a string.
func (p *plan) named(name string, last *child) *child {
	i := 0
	if last != nil {
		i = last.position
	}
	for end := min(i+6, len(p.sequence)); i < end; i++ {
		if c := p.sequence[i]; c.name == name {
			return c
		}
	}
	return p.children[name]
}

// holds says what an element is in JSON.
type holds uint8

const (
	complexValue holds = iota
	textValue
	numberValue
	boolValue
	narrative
	resource
)

// child is one name of an element: a choice element has one for each of its types.
type child struct {
	name string
	// order is the position of the element in its type. The names of a choice have the same.
	order    int
	position int // in the sequence of its plan
	repeat   bool
	choice   bool
	// attribute is set for what XML writes as an attribute: the id of an element and the url of an extension.
	attribute bool
	holds     holds
	plan      *plan // of the type; nil for a resource, whose type is named inside
	// member and sibling begin its JSON: `"name":` and `"_name":`.
	member, sibling string
}

// primitive reports whether the element's value is an attribute of its tag.
func (c *child) primitive() bool { return c.holds >= textValue && c.holds <= boolValue }

// plan returns the plan of a resource type.
func (f *Format) plan(name []byte) *plan {
	f.once.Do(f.compile)
	return f.resources[string(name)]
}

func (f *Format) compile() {
	f.resources = make(map[string]*plan, len(f.reg.ResourceTypes()))
	plans := map[*definition.Type]*plan{}
	for _, name := range f.reg.ResourceTypes() {
		t, _ := f.reg.Resource(name)
		f.resources[name] = compile(t, plans)
	}
}

// compile makes the plan of a type and of all types below it.
func compile(t *definition.Type, plans map[*definition.Type]*plan) *plan {
	if p := plans[t]; p != nil {
		return p
	}
	p := &plan{name: t.Name, children: make(map[string]*child, len(t.Elements))}
	plans[t] = p
	for order, e := range t.Elements {
		for i := range e.Types {
			ref := &e.Types[i]
			c := &child{name: ref.JSON, order: order, repeat: e.Max != 1, choice: e.Choice, holds: holdsOf(ref.Type),
				member: `"` + ref.JSON + `":`, sibling: `"_` + ref.JSON + `":`}
			c.attribute = e.Name == "id" && t.Kind != definition.KindResource || e.Name == "url" && t.Is("Extension")
			if c.holds != resource {
				c.plan = compile(ref.Type, plans)
			}
			c.position = len(p.sequence)
			p.children[ref.JSON] = c
			p.sequence = append(p.sequence, c)
		}
	}
	return p
}

func holdsOf(t *definition.Type) holds {
	switch {
	case t.Kind == definition.KindResource:
		return resource
	case t.Kind != definition.KindPrimitive:
		return complexValue
	case t.Is("boolean"):
		return boolValue
	case t.Is("integer"), t.Is("decimal"):
		return numberValue
	case t.Is("xhtml"):
		return narrative
	}
	return textValue
}

// at returns the FHIRPath of an element below path.
func at(path, name string, index int) string {
	if path != "" {
		name = path + "." + name
	}
	if index >= 0 {
		name = fmt.Sprintf("%s[%d]", name, index)
	}
	return name
}

// located adds the expression to the issues of err where they have none.
func located(err error, expression string) error {
	if e, ok := err.(*fhir.Error); ok {
		for i := range e.Issues {
			if e.Issues[i].Expression == "" {
				e.Issues[i].Expression = expression
			}
		}
	}
	return err
}
