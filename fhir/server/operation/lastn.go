package operation

import (
	"context"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Newester finds the newest resources of groups; *interaction.Service is one.
type Newester interface {
	Newest(ctx context.Context, q interaction.Newest) (interaction.Bundle, error)
}

// LastN returns Observation/$lastn (http://hl7.org/fhir/R4/observation-operation-lastn.html): of the Observations that the search parameters find, the
// newest of each code. Its parameters are max and all search parameters of the type, of which one names the subject, and one a category or a code.
func LastN(s Newester, reg *definition.Registry) interaction.Operation {
	return interaction.Operation{
		Name:          "lastn",
		Definition:    canonicalOf(reg, "lastn"),
		Documentation: "Returns the newest max Observations of each code, 1 where max is not given, among those that the search parameters find; a patient or subject, and a category or code, are required.",
		Types:         []string{"Observation"},
		Type:          true,
		Get:           true,
		Post:          true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			asked, err := lastNOf(q)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			b, err := s.Newest(ctx, asked)
			return interaction.OperationResponse{Body: b.Body}, err
		},
	}
}

// lastNOf returns what the parameters ask for.
func lastNOf(q *interaction.Request) (interaction.Newest, error) {
	out := interaction.Newest{By: "date", Most: 1, Names: codeNames, Alike: oneCode}
	const typ = "Observation"
	out.SearchRequest = interaction.SearchRequest{Base: q.Base, Types: []string{typ}, Path: typ + "/$lastn", Lenient: q.Prefer.Lenient}
	given, err := searchArguments(q)
	if err != nil {
		return out, err
	}
	subject, code, limited := false, false, false
	for _, a := range given {
		name := a.name
		if i := strings.IndexAny(name, ":."); i > 0 {
			name = name[:i]
		}
		switch name {
		case "max":
			if limited || formOf("positiveInt", a.value) != "" {
				return out, errParameter(fhir.IssueValue, "max is one whole number above 0", a.node)
			}
			limited = true
			out.Most, _ = strconv.Atoi(a.value)
			out.Shown = append(out.Shown, search.Pair{Name: a.name, Value: a.value})
			continue
		case "_sort", "_total", "_contained", "_containedType", "_explain":
			return out, errParameter(fhir.IssueNotSupported, "$lastn has an order and a total of its own, and no parameter "+name, a.node)
		case "_summary":
			if a.value == "count" {
				return out, errParameter(fhir.IssueNotSupported, "$lastn returns Observations; the total is with them", a.node)
			}
		case "patient", "subject":
			subject = subject || a.value != ""
		case "category":
			code = code || a.value != ""
		default:
			code = code || strings.Contains(name, "code") && a.value != ""
		}
		out.Parameters = append(out.Parameters, search.Pair{Name: a.name, Value: a.value})
		if name != cursorName {
			out.Shown = append(out.Shown, search.Pair{Name: a.name, Value: a.value})
		}
	}
	switch {
	case !subject:
		return out, errParameter(fhir.IssueRequired, "$lastn is of one subject: give patient or subject", fhir.Node{})
	case !code:
		return out, errParameter(fhir.IssueRequired, "$lastn needs a category, or a parameter that reads a code, for example code", fhir.Node{})
	}
	return out, nil
}

// searchArguments returns the arguments of an operation whose parameters are those of a search: each is a primitive.
func searchArguments(q *interaction.Request) (out []argument, err error) {
	for _, p := range q.Arguments() {
		out = append(out, argument{name: p.Name, value: p.Value})
	}
	for p := range q.Resource.Get("parameter").Children() {
		a := argument{name: p.Get("name").Text(), node: p}
		if a.value, err = primitiveOf(p); err != nil {
			return nil, err
		}
		if a.value == "" {
			return nil, errParameter(fhir.IssueValue, "this parameter has no value", p)
		}
		out = append(out, a)
	}
	return out, nil
}

// codeNames returns the names of the groups that R4 puts an Observation into: its codings by system and code, or else its text. Codes without letter
// case, as searches compare them. Those that have neither are one group.
func codeNames(r fhir.Resource) (names []string) {
	code := r.Get("code")
	for c := range code.Get("coding").Children() {
		if of := c.Get("code").Text(); of != "" {
			names = append(names, "code "+c.Get("system").Text()+"|"+strings.ToLower(of))
		}
	}
	if len(names) == 0 {
		names = append(names, "text "+code.Get("text").Text())
	}
	return names
}

// oneCode reports whether all that a condition accepts has one coding.
func oneCode(where search.Expr) bool {
	for _, e := range search.Conjuncts(where) {
		if or, ok := e.(search.Or); ok && len(or) == 1 {
			e = or[0]
		}
		s, ok := e.(search.Some)
		if !ok || s.Param != "code" {
			continue
		}
		system, code := false, false
		for _, c := range s.Where {
			system = system || c.Part == 0 && c.Op == search.Eq && c.Field == search.System
			code = code || c.Part == 0 && c.Op == search.Eq && c.Field == search.Code && c.Value != ""
		}
		if system && code {
			return true
		}
	}
	return false
}
