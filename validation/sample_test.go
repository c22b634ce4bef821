package validation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// sampler writes resources from the definitions alone.
type sampler struct {
	v       *Validator
	variant int // which type of each choice, and which code of each binding
}

// object writes an object of type t: all its elements down to depth, those that are required below.
func (s *sampler) object(b *strings.Builder, t *definition.Type, depth int, resource bool) {
	b.WriteByte('{')
	sep := ""
	if resource {
		fmt.Fprintf(b, `"resourceType":%q`, t.Name)
		sep = ","
	}
	for _, e := range t.Elements {
		if e.Max == 0 || e.Min == 0 && depth <= 0 && !s.only(t, e) || e.Name == "modifierExtension" || e.Name == "id" && !resource ||
			e.Path == "Quantity.comparator" { // which no SimpleQuantity may have (sqty-1)
			continue
		}
		if (e.Name == "extension" || e.Name == "contained") && depth < 2 {
			continue
		}
		ref := e.Types[s.variant%len(e.Types)]
		if e.Name == "value" && t.Name == "Extension" && depth < 2 {
			ref = e.Types[0]
		}
		fmt.Fprintf(b, `%s%q:`, sep, ref.JSON)
		sep = ","
		if e.Max != 1 {
			b.WriteByte('[')
		}
		s.value(b, t, ref, depth-1)
		if e.Max != 1 {
			b.WriteByte(']')
		}
		if s.variant%4 == 1 && hasSibling(e, ref.Type) {
			sibling := `{"id":"a","extension":[{"url":"http://example.org/e","valueString":"x"}]}`
			if e.Max != 1 {
				sibling = "[" + sibling + "]"
			}
			fmt.Fprintf(b, `,"_%s":%s`, ref.JSON, sibling)
		}
	}
	b.WriteByte('}')
}

// only reports whether e is the element to write where t requires none, since no object may be empty.
func (s *sampler) only(t *definition.Type, e *definition.Element) bool {
	for _, o := range t.Elements {
		if o.Min > 0 {
			return false
		}
	}
	for _, o := range t.Elements {
		if o.Name != "id" && o.Name != "extension" && o.Types[0].Type.Kind == definition.KindPrimitive {
			return o == e
		}
	}
	return e.Name != "id" && e.Name != "extension"
}

func (s *sampler) value(b *strings.Builder, parent *definition.Type, ref definition.TypeRef, depth int) {
	switch t := ref.Type; {
	case t.Name == "code":
		code := "x"
		if codes := s.v.elementsOf(parent).members[ref.JSON].codes; codes != nil {
			code = codes.list[s.variant%len(codes.list)]
		}
		fmt.Fprintf(b, "%q", code)
	case parent.Name == "Reference" && ref.JSON == "reference":
		b.WriteString(`"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"`)
	case t.Kind == definition.KindPrimitive:
		b.Write(standIns[t.Name])
	case t.Kind == definition.KindResource:
		b.WriteString(`{"resourceType":"Basic","code":{"text":"x"}}`)
	default:
		s.object(b, t, depth, false)
	}
}

// TestEveryElementPassesEveryPhase writes resources of every type with every element, types of each choice, codes of each binding, and ids and extensions of all primitives, and holds the phases to
// accepting all of them: a definition that one of the libraries lacks would otherwise refuse good records.
func TestEveryElementPassesEveryPhase(t *testing.T) {
	v := newValidator(t)
	for _, name := range v.reg.ResourceTypes() {
		typ, _ := v.reg.Resource(name)
		for variant := range 50 {
			if variant >= 8 && name != "Basic" && name != "Parameters" || testing.Short() && variant > 0 {
				break
			}
			s := &sampler{v, variant}
			var b strings.Builder
			s.object(&b, typ, 3, true)
			issues := v.Validate(mustResource(t, b.String()), Base)
			for _, is := range issues {
				t.Errorf("%s, variant %d: %s: %s: %s", name, variant, is.ID, is.Expression, is.Text)
			}
		}
	}
}
