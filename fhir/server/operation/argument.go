package operation

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// argument is one parameter of a call whose value is a primitive: it comes in the URL or in the Parameters resource, and means the same in both (R4
// operations, 3.2.0.2).
type argument struct {
	name, value string
	node        fhir.Node // in the Parameters resource; the zero Node for one in the URL
}

// argumentsOf returns the arguments of a call, those of the URL first.
func argumentsOf(q *interaction.Request) ([]argument, error) {
	var out []argument
	for _, p := range q.Arguments() {
		if p.Value != "" {
			out = append(out, argument{name: p.Name, value: p.Value})
		}
	}
	for p := range q.Resource.Get("parameter").Children() {
		a := argument{name: p.Get("name").Text(), node: p}
		for c := range p.Children() {
			if !strings.HasPrefix(c.Name(), "value") {
				continue
			}
			if c.Kind() == fhir.Object || c.Kind() == fhir.Array {
				return nil, errParameter(fhir.IssueValue, "the value of this parameter is a primitive", p)
			}
			a.value = c.Text()
		}
		out = append(out, a)
	}
	return out, nil
}
