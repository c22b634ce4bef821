package ips

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// narrative writes the XHTML of a section.
type narrative struct {
	b strings.Builder
	// resolve returns the resource of the document that a reference names; the zero Resource for none.
	resolve func(reference string) fhir.Resource
	// holder is the resource that is being shown, whose contained resources its references name.
	holder fhir.Resource
}

// begin starts the div.
func (w *narrative) begin() { w.b.WriteString(`<div xmlns="http://www.w3.org/1999/xhtml">`) }

// paragraph writes a paragraph.
func (w *narrative) paragraph(text string) {
	w.b.WriteString("<p>")
	w.text(text)
	w.b.WriteString("</p>")
}

// text writes characters. What XML has no place for, in whatever form, is left out.
func (w *narrative) text(s string) {
	for _, r := range s {
		switch {
		case r == '&':
			w.b.WriteString("&amp;")
		case r == '<':
			w.b.WriteString("&lt;")
		case r == '>':
			w.b.WriteString("&gt;")
		case r == '"':
			w.b.WriteString("&quot;")
		case r < ' ' && r != '\t' && r != '\n' || r == 0xFFFE || r == 0xFFFF:
		default:
			w.b.WriteRune(r)
		}
	}
}

// table starts a table with a row of headings.
func (w *narrative) table(headings []string) {
	w.b.WriteString("<table><thead><tr>")
	for _, h := range headings {
		w.b.WriteString("<th>")
		w.text(h)
		w.b.WriteString("</th>")
	}
	w.b.WriteString("</tr></thead><tbody>")
}

// row writes a row of the table.
func (w *narrative) row(cells []string) {
	w.b.WriteString("<tr>")
	for _, c := range cells {
		w.b.WriteString("<td>")
		w.text(c)
		w.b.WriteString("</td>")
	}
	w.b.WriteString("</tr>")
}

// closeTable ends the table.
func (w *narrative) closeTable() { w.b.WriteString("</tbody></table>") }

// end ends the div and returns it.
func (w *narrative) end() string {
	w.b.WriteString("</div>")
	return w.b.String()
}

// cells returns what the columns show of a resource.
func (w *narrative) cells(columns []column, r fhir.Resource) []string {
	w.holder = r
	out := make([]string, len(columns))
	for i, c := range columns {
		for _, path := range c.Elements {
			var texts []string
			for _, n := range at(r.Node, path) {
				if text := w.show(n, 0); text != "" {
					texts = append(texts, text)
				}
			}
			if len(texts) > 0 {
				out[i] = strings.Join(texts, ", ")
				break
			}
		}
	}
	return out
}

// at returns the elements at a path of names, of which the last may be that of a choice.
func at(n fhir.Node, path string) []fhir.Node {
	name, rest, more := strings.Cut(path, ".")
	var found []fhir.Node
	for c := range n.Children() {
		if !named(c.Name(), name) {
			continue
		}
		items := []fhir.Node{c}
		if c.Kind() == fhir.Array {
			items = items[:0]
			for item := range c.Children() {
				items = append(items, item)
			}
		}
		for _, item := range items {
			if more {
				found = append(found, at(item, rest)...)
			} else {
				found = append(found, item)
			}
		}
	}
	return found
}

// named reports whether a member is the element of a name, or that of a choice.
func named(member, element string) bool {
	rest, ok := strings.CutPrefix(member, element)
	return ok && (rest == "" || choices[rest])
}

// choices are the ends of the names of choices that sections show.
var choices = map[string]bool{"DateTime": true, "Period": true, "Age": true, "Range": true, "String": true, "Quantity": true, "CodeableConcept": true,
	"Boolean": true, "Integer": true, "Ratio": true, "SampledData": true, "Time": true, "Timing": true, "Reference": true, "PositiveInt": true}

// show returns an element as a person reads it.
func (w *narrative) show(n fhir.Node, depth int) string {
	if n.Kind() != fhir.Object {
		if n.Kind() == fhir.Array || n.Kind() == fhir.Null {
			return ""
		}
		return n.Text()
	}
	if depth > 3 {
		return ""
	}
	has := func(name string) bool { return n.Get(name).Valid() }
	part := func(name string) string { return w.show(n.Get(name), depth+1) }
	switch {
	case has("reference") || has("type") && has("display"):
		return w.reference(n, depth)
	case has("text") && n.Get("text").Kind() == fhir.String:
		return part("text")
	case isDosage(n):
		return w.dosage(n, depth)
	case has("repeat"):
		return w.timing(n, depth)
	case has("coding"):
		for c := range n.Get("coding").Children() {
			if text := c.Get("display").Text(); text != "" {
				return text
			}
		}
		return n.Get("coding").First().Get("code").Text()
	case has("code") && n.Get("code").Kind() == fhir.Object: // a component of an Observation, or a Timing without a repeat
		for _, value := range at(n, "value") {
			return part("code") + ": " + w.show(value, depth+1)
		}
		if reason := part("dataAbsentReason"); reason != "" {
			return part("code") + ": " + reason
		}
		return part("code")
	case has("value") && n.Get("value").Kind() == fhir.Number:
		unit := n.Get("unit").Text()
		if unit == "" {
			unit = n.Get("code").Text()
		}
		return strings.TrimSpace(n.Get("comparator").Text() + n.Get("value").Text() + " " + unit)
	case has("start") || has("end"):
		return strings.TrimSpace(part("start") + " – " + part("end"))
	case has("low") || has("high"):
		return strings.TrimSpace(part("low") + " – " + part("high"))
	case has("numerator"):
		return part("numerator") + " / " + part("denominator")
	case has("display"):
		return part("display")
	case has("event"):
		return w.show(n.Get("event").First(), depth+1)
	}
	return ""
}

// reference returns what a reference says, or else what the resource says that it names.
func (w *narrative) reference(n fhir.Node, depth int) string {
	if text := n.Get("display").Text(); text != "" {
		return text
	}
	name := n.Get("reference").Text()
	id, local := strings.CutPrefix(name, "#")
	r := w.contained(id)
	if !local {
		if r = w.resolve(name).Node; r.Valid() {
			holder := w.holder
			w.holder = fhir.Resource{Node: r}
			defer func() { w.holder = holder }()
		}
	}
	if !r.Valid() {
		return ""
	}
	for _, path := range []string{"code", "deviceName.name", "name", "type", "title"} {
		for _, found := range at(r, path) {
			if text := w.show(found, depth+1); text != "" {
				return text
			}
		}
	}
	return ""
}

// contained returns the contained resource of an id; the zero Node for none.
func (w *narrative) contained(id string) fhir.Node {
	for c := range w.holder.Get("contained").Children() {
		if id != "" && c.Get("id").Text() == id {
			return c
		}
	}
	return fhir.Node{}
}
