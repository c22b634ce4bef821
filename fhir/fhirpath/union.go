package fhirpath

import (
	"slices"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// SearchBranches prints what of a SearchParameter's expression concerns one resource type: the operands of its outermost unions that yield
// anything for the type, each once and sorted. Two expressions with the same branches find the same resources of the type. The ways to
// write a filter by type, "a as T", "a.as(T)" and "a.ofType(T)", print alike, because they mean the same to ForSearch, and so do the names of
// typ and of what it specializes at the beginning of a path. An operand that can't be compiled is an error.
func (e *Expression) SearchBranches(typ string, opts ...Option) ([]string, error) {
	opts = append(slices.Clone(opts), WithType(typ), ForSearch())
	var out []string
	for _, operand := range operands(nil, e.root) {
		branch := &Expression{src: e.src, root: operand}
		p, err := branch.Compile(opts...)
		if err != nil {
			return nil, err
		}
		if !p.Empty() {
			plain := plainFilters(operand)
			plain.nameRoot(p.reg, typ)
			out = append(out, (&Expression{root: plain}).String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// operands appends the operands of the unions at a's root, from left to right.
func operands(dst []*ast, a *ast) []*ast {
	if a.kind == astBinary && a.text == "|" {
		return operands(operands(dst, a.args[0]), a.args[1])
	}
	return append(dst, a)
}

// plainFilters returns the tree with every filter by type as an operator, and the types of FHIR without their namespace.
func plainFilters(a *ast) *ast {
	if a == nil {
		return nil
	}
	n := *a
	n.in = plainFilters(a.in)
	n.args = make([]*ast, len(a.args))
	for i, arg := range a.args {
		n.args[i] = plainFilters(arg)
	}
	if n.kind == astCall && n.in != nil && len(n.args) == 1 && (n.text == "as" || n.text == "ofType") {
		if names := qualifiedNames(n.args[0]); names != nil {
			n = ast{kind: astType, pos: a.pos, text: "as", in: n.in, names: names}
		}
	}
	if n.kind == astType && len(n.names) == 2 && n.names[0] == "FHIR" {
		n.names = n.names[1:]
	}
	return &n
}

// nameRoot writes typ for the name of a type that it specializes, where the path begins with one.
func (a *ast) nameRoot(reg *definition.Registry, typ string) {
	for a.in != nil {
		a = a.in
	}
	if t, ok := reg.Resource(typ); ok && a.kind == astMember && t.Is(a.text) {
		a.text = typ
	}
}
