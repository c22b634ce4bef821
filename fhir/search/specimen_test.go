package search_test

import (
	"fmt"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// samples are values of data types, as JSON.
var samples = map[string]string{
	"CodeableConcept": `{"coding":[{"system":"http://example.org/codes","code":"abc"}]}`,
	"Coding":          `{"system":"http://example.org/codes","code":"abc"}`,
	"Identifier":      `{"system":"http://example.org/ids","value":"123"}`,
	"ContactPoint":    `{"system":"phone","value":"555"}`,
	"HumanName":       `{"family":"Chalmers"}`,
	"Address":         `{"city":"Delft"}`,
	"Period":          `{"start":"2014-05"}`,
	"Timing":          `{"event":["2014-05"]}`,
	"Quantity":        `{"value":5,"unit":"mg"}`,
	"Money":           `{"value":5,"currency":"EUR"}`,
	"Range":           `{"low":{"value":1},"high":{"value":5}}`,
	"boolean":         `true`,
	"integer":         `7`, "positiveInt": `7`, "unsignedInt": `7`,
	"decimal": `7.5`,
	"date":    `"2014-05-09"`, "dateTime": `"2014-05-09"`, "instant": `"2014-05-09T10:00:00Z"`, "time": `"10:00:00"`,
	"canonical": `"http://example.org/x"`, "uri": `"http://example.org/x"`, "url": `"http://example.org/x"`,
	"oid": `"urn:oid:1.2.3"`, "uuid": `"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"`,
	"string": `"some text"`, "markdown": `"some text"`, "code": `"abc"`, "id": `"abc"`,
}

// specimens returns resources that have a value where the parameter's expression looks, one for each branch of it, path by path. Conditions
// of the form where(name='value') are met.
func specimens(p *search.Parameter) []string {
	var out []string
	for _, branch := range strings.Split(p.Expression, " | ") {
		branch = strings.Trim(branch, "() ")
		as := ""
		if path, typ, ok := strings.Cut(branch, " as "); ok {
			branch, as = path, strings.TrimRight(typ, ")")
		}
		target := "Patient"
		if _, of, ok := strings.Cut(branch, "resolve() is "); ok {
			target = strings.TrimRight(of, ") ")
		}
		steps := splitPath(branch)
		if steps[0] == "Resource" {
			steps[0] = "Patient"
		}
		t, ok := definition.R4().Resource(steps[0])
		if !ok {
			continue
		}
		if len(p.Target) > 0 && target == "Patient" {
			target = p.Target[0]
		}
		if body := object(p, t, steps[1:], as, target); body != "" {
			out = append(out, fmt.Sprintf(`{"resourceType":%q,"id":"x",%s}`, t.Name, body))
		}
	}
	return out
}

// splitPath splits a path at the points outside of parentheses.
func splitPath(path string) (out []string) {
	depth, start := 0, 0
	for i, c := range path {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case '.':
			if depth == 0 {
				out = append(out, path[start:i])
				start = i + 1
			}
		}
	}
	return append(out, path[start:])
}

// object returns the members of an object of type t that has a value at the end of a path.
func object(p *search.Parameter, t *definition.Type, steps []string, as, target string) string {
	if len(steps) == 0 {
		var members []string
		for i := range p.Components {
			c := p.Components[i].Expression
			c, typ, _ := strings.Cut(strings.Split(c, " | ")[0], ".as(")
			if m := object(p.Component(i), t, splitPath(strings.TrimPrefix(c, "%resource.")), strings.TrimRight(typ, ")"), "Patient"); m != "" {
				members = append(members, m)
			}
		}
		return strings.Join(members, ",")
	}
	name, rest := strings.TrimSuffix(steps[0], "[0]"), steps[1:]
	extra := ""
	for len(rest) > 0 {
		if arg, ok := strings.CutPrefix(rest[0], "as("); ok {
			as, rest = strings.TrimRight(arg, ")"), rest[1:]
		} else if arg, ok := strings.CutPrefix(rest[0], "where("); ok {
			if k, v, ok := strings.Cut(strings.TrimRight(arg, ")"), "="); ok {
				extra = fmt.Sprintf(`%q:%q,`, strings.TrimSpace(k), strings.Trim(v, "' "))
			}
			rest = rest[1:]
		} else {
			break
		}
	}
	e := t.Child(name)
	if e == nil {
		return ""
	}
	for _, ref := range e.Types {
		if as != "" && ref.Type.Name != as && !strings.EqualFold(ref.Type.Name, as) && len(rest) == 0 {
			continue
		}
		value := ""
		switch {
		case len(rest) == 0 && ref.Type.Name == "Reference":
			value = fmt.Sprintf(`{"reference":"%s/1"}`, target)
		case len(rest) == 0 && ref.Type.Kind != definition.KindPrimitive && samples[ref.Type.Name] == "" && len(p.Components) == 0 && ref.Type.Base != nil:
			if value = samples[ref.Type.Base.Name]; value == "" && ref.Type.Name == "Resource" {
				value = fmt.Sprintf(`{"resourceType":%q,"id":"1"}`, target)
			}
		case len(rest) == 0 && samples[ref.Type.Name] != "":
			value = samples[ref.Type.Name]
		default:
			if body := object(p, ref.Type, rest, as, target); body != "" {
				value = "{" + extra + body + "}"
			}
		}
		if value == "" {
			continue
		}
		if extra != "" && len(rest) == 0 && strings.HasPrefix(value, "{") {
			value = "{" + extra + value[1:]
		}
		if e.Max != 1 {
			value = "[" + value + "]"
		}
		return fmt.Sprintf("%q:%s", ref.JSON, value)
	}
	return ""
}
