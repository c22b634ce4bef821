package fhirpath

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestTheContextMayBeASystemValue(t *testing.T) {
	for _, c := range []struct {
		typ, expr, want string
		id              fhir.IssueID
		focus           Item
	}{
		{"System.Integer", "$this + 1", "4", "", IntegerItem(3)},
		{"System.String", "length()", "2", "", StringItem("ab")},
		{"System.String", "%context & 'c'", "abc", "", StringItem("ab")},
		{"System.Quantity", "$this = 1 'g'", "false", "", QuantityItem(Quantity{Unit: "g"})},
		{"System.Integer", "family", "", fhir.IDFHIRPathElement, IntegerItem(3)},
		{"System.Integer", "Patient.name", "", fhir.IDFHIRPathElement, IntegerItem(3)},
		{"System.Integer", "%resource", "", "", IntegerItem(3)},
		{"System.String", "$this + 1", "", fhir.IDFHIRPathType, StringItem("ab")},
		{"System.Nothing", "1", "", fhir.IDFHIRPathType, Item{}},
	} {
		p, err := Compile(c.expr, WithType(c.typ))
		if err == nil {
			var got Collection
			if got, err = p.Eval(c.focus, nil); err == nil && c.id == "" && (c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || got[0].Text() != c.want)) {
				t.Errorf("%s of %s: %v, want %s", c.expr, c.typ, got.Lines(), c.want)
			}
		}
		if issueOf(err).ID != c.id {
			t.Errorf("%s of %s: %v, want %q", c.expr, c.typ, err, c.id)
		}
	}
	p, err := Compile("name.given.type() | 1 | birthDate", WithType("Patient"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compile("$this", WithType(p.ResultTypes()...)); err != nil {
		t.Errorf("what ResultTypes says, WithType takes: %v: %v", p.ResultTypes(), err)
	}
}
