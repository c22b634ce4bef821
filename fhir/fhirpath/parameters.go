package fhirpath

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// AppendParameters appends the collection as a FHIR Parameters resource: one parameter "result" an item, as the public FHIRPath playgrounds
// answer. A primitive or datatype stands under value[x], a resource under resource; an element that no value[x] can hold, as a backbone
// element, is a part for each of its members with its JSON as text. System values stand under the FHIR type they convert to.
func (c Collection) AppendParameters(dst []byte) []byte {
	dst = append(dst, `{"resourceType":"Parameters"`...)
	for i, it := range c {
		if i == 0 {
			dst = append(dst, `,"parameter":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = it.appendParameter(append(dst, `{"name":"result"`...))
		dst = append(dst, '}')
	}
	if len(c) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// Lines renders the collection for a terminal: one item a line, primitives as their text and complex elements as JSON.
func (c Collection) Lines() []string {
	lines := make([]string, len(c))
	for i, it := range c {
		switch {
		case it.node.Kind() == fhir.Object:
			lines[i] = string(it.node.AppendJSON(nil))
		case it.box == nil && !it.node.Valid():
			lines[i] = string(it.sib.AppendJSON(nil))
		default:
			lines[i] = it.Text()
		}
	}
	return lines
}

// valueName returns the member of Parameters.parameter.value[x] that holds the item's type; "" for types that value[x] can't have.
func (it Item) valueName() string {
	name := it.Type()
	if it.typ == nil || strings.Contains(name, ".") || name == "" {
		return ""
	}
	switch name {
	case "xhtml", "Narrative", "ElementDefinition", "Extension", "MarketingStatus", "Population", "ProdCharacteristic", "ProductShelfLife",
		"SubstanceAmount":
		return ""
	}
	return "value" + strings.ToUpper(name[:1]) + name[1:]
}

// AppendValue appends the item as the members of a Parameters.parameter behind its name: a comma, then value[x], resource or part.
func (it Item) AppendValue(dst []byte) []byte { return it.appendParameter(dst) }

func (it Item) appendParameter(dst []byte) []byte {
	if it.box != nil {
		return it.value().appendParameter(dst, it.Text())
	}
	n := it.node
	if n.Get("resourceType").Valid() {
		return n.AppendJSON(append(dst, `,"resource":`...))
	}
	if name := it.valueName(); name != "" {
		if n.Valid() {
			dst = append(fhir.AppendString(append(dst, ','), name), ':')
			dst = n.AppendJSON(dst)
		}
		if it.sib.Valid() {
			dst = append(fhir.AppendString(append(dst, ','), "_"+name), ':')
			dst = it.sib.AppendJSON(dst)
		}
		return dst
	}
	if n.Kind() != fhir.Object {
		return fhir.AppendString(append(dst, `,"valueString":`...), n.Text())
	}
	dst = append(dst, `,"part":[`...)
	for c := n.First(); c.Valid(); c = c.Next() {
		if c != n.First() {
			dst = append(dst, ',')
		}
		dst = fhir.AppendString(append(dst, `{"name":`...), c.Name())
		text := c.Text()
		if c.Kind() == fhir.Object || c.Kind() == fhir.Array {
			text = string(c.AppendJSON(nil))
		}
		dst = fhir.AppendString(append(dst, `,"valueString":`...), text)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func (v value) appendParameter(dst []byte, text string) []byte {
	switch v.kind {
	case Boolean:
		return append(append(dst, `,"valueBoolean":`...), text...)
	case Integer:
		return append(append(dst, `,"valueInteger":`...), text...)
	case DecimalKind:
		return v.d.AppendText(append(dst, `,"valueDecimal":`...))
	case DateKind:
		return fhir.AppendString(append(dst, `,"valueDate":`...), text)
	case DateTimeKind:
		return fhir.AppendString(append(dst, `,"valueDateTime":`...), text)
	case TimeKind:
		return fhir.AppendString(append(dst, `,"valueTime":`...), text)
	case QuantityKind:
		dst = v.d.AppendText(append(dst, `,"valueQuantity":{"value":`...))
		dst = fhir.AppendString(append(dst, `,"unit":`...), v.s)
		if !v.b {
			dst = fhir.AppendString(append(dst, `,"system":"`+ucumSystem+`","code":`...), v.s)
		}
		return append(dst, '}')
	}
	return fhir.AppendString(append(dst, `,"valueString":`...), text)
}
