package fhirpath

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// uncompiled lists the expressions published with R4 that do not compile, by search parameter URL or invariant key and context, each with
// the reason.
var uncompiled = map[string]string{
	"cid-0 on ChargeItemDefinition": "The invariant is about ChargeItemDefinition.name, an element that R4's ChargeItemDefinition does not have.",
}

// published calls f with every expression of R4: those of SearchParameters and of their components for each base, with the options that
// search compiles them with, and the invariants for each type they apply to.
func published(f func(id, expr string, opts ...Option)) {
	reg := definition.R4()
	for _, typ := range reg.ResourceTypes() {
		for _, sp := range reg.SearchParameters(typ) {
			if sp.Expression != "" {
				f(sp.URL+" on "+typ, sp.Expression, WithType(typ), ForSearch())
			}
		}
	}
	types := map[*definition.Type]bool{}
	var visit func(t *definition.Type)
	visit = func(t *definition.Type) {
		if types[t] {
			return
		}
		types[t] = true
		for _, inv := range t.Invariants {
			f(inv.Key+" on "+t.Name, inv.Expression, WithType(t.Name), ForPublished())
		}
		for _, e := range t.Elements {
			var names []string
			for _, ref := range e.Types {
				names = append(names, ref.Type.Name)
				visit(ref.Type)
			}
			for _, inv := range e.Invariants {
				f(inv.Key+" on "+e.Path, inv.Expression, WithType(names...), ForPublished())
			}
		}
	}
	for _, typ := range reg.ResourceTypes() {
		t, _ := reg.Resource(typ)
		visit(t)
	}
}

func TestPublishedExpressionsCompile(t *testing.T) {
	n, reasons := 0, 0
	published(func(id, expr string, opts ...Option) {
		n++
		_, err := Compile(expr, opts...)
		_, listed := uncompiled[id]
		switch {
		case err == nil && listed:
			t.Errorf("%s compiles and stands in the list of those that do not", id)
		case err != nil && listed:
			reasons++
		case err != nil:
			t.Errorf("%s: %s\n\t%v", id, expr, err)
		}
	})
	t.Logf("%d expressions in their contexts compile, %d do not", n-reasons, reasons)
}

func TestPrintedExpressionsParseToTheSame(t *testing.T) {
	check := func(id, expr string) {
		e, err := Parse(expr)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			return
		}
		again, err := Parse(e.String())
		if err != nil || !again.Equal(e) || again.String() != e.String() {
			t.Errorf("%s: %s is printed as %s: %v", id, expr, e.String(), err)
		}
	}
	n := 0
	published(func(id, expr string, _ ...Option) {
		n++
		check(id, expr)
	})
	for _, c := range suite(t) {
		if c.Expression.Invalid != "syntax" && c.Name != "testLiteralTimeUTC" && c.Name != "testLiteralTimeTimezoneOffset" {
			n++
			check(c.Name, c.Expression.Text)
		}
	}
	t.Logf("%d expressions", n)
}
