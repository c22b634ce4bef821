package xml

import (
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

var r4 = New(definition.R4())

func resourceOf(t testing.TB, src []byte) fhir.Resource {
	t.Helper()
	r, err := fhir.ParseResource(src, fhir.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", src[:min(len(src), 200)], err)
	}
	return r
}

// canonical prints JSON with the members of objects sorted, strings by their characters and numbers as they are written.
func canonical(dst []byte, n fhir.Node) []byte {
	switch n.Kind() {
	case fhir.String:
		return fhir.AppendString(dst, n.Text())
	case fhir.Array:
		dst = append(dst, '[')
		for c := range n.Children() {
			dst = append(canonical(dst, c), ',', '\n')
		}
		return append(dst, ']')
	case fhir.Object:
		var members []string
		for c := range n.Children() {
			members = append(members, string(canonical(append(fhir.AppendString(nil, c.Name()), ':'), c)))
		}
		slices.Sort(members)
		return append(append(append(dst, '{'), strings.Join(members, ",\n")...), '}')
	}
	return append(dst, n.Raw()...)
}

// firstDifference shows where two texts differ.
func firstDifference(a, b []byte) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	show := func(x []byte) string { return string(x[max(0, i-120):min(len(x), i+120)]) }
	return "\n got " + show(a) + "\nwant " + show(b)
}
