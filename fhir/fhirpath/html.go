package fhirpath

import "github.com/fhirgate/fhirgate/fhir/xhtml"

// runHTMLChecks returns whether the input is a div that a narrative may hold (R4 fhirpath.html, htmlChecks).
func runHTMLChecks(m *machine, x *callExpr, base int) error {
	it, ok, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil || !ok {
		return err
	}
	s := it.Text()
	m.push(BooleanItem(xhtml.Check(s).Kind == xhtml.None))
	return m.step(len(s)>>3, x.pos)
}
