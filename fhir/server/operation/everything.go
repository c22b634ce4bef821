package operation

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage"
)

// Searcher reads and searches; *interaction.Service is one.
type Searcher interface {
	Read(ctx context.Context, key fhir.Key) (storage.Record, error)
	Search(ctx context.Context, q interaction.SearchRequest) (interaction.Bundle, error)
}

// everythingParameters are the parameters of $everything. The last three stand in its links.
var everythingParameters = map[string]bool{
	"_since": true, "_type": true, "_count": true, "_format": true, "_pretty": true,
	"_cursor": true, "_lastUpdated": true, "_include": true,
}

// Everything returns $everything (http://hl7.org/fhir/R4/patient-operation-everything.html,
// http://hl7.org/fhir/R4/encounter-operation-everything.html) for each type that R4 defines it for and that has a compartment: a searchset
// with what is in the compartment, in pages, each with what its resources refer to. It is the compartment's search by another name, so that its
// pages show one moment, cost the same wherever they stand, and hold no match twice. _since, _type and _count narrow it; start and
// end, which mean dates of care, are refused.
func Everything(s Searcher, reg *definition.Registry) Operation {
	definitions := map[string]string{}
	var types []string
	for _, o := range reg.Operations() {
		if o.Code != "everything" {
			continue
		}
		for _, t := range o.Resource {
			if _, ok := reg.Compartment(t); ok {
				types = append(types, t)
				definitions[t] = o.URL
			}
		}
	}
	slices.Sort(types)
	return Operation{
		Name:          "everything",
		Definitions:   definitions,
		Documentation: "Returns what is in the compartment and what that refers to, in pages; _since, _type and _count narrow it.",
		Types:         types,
		Instance:      true,
		Get:           true,
		Post:          true,
		Run: func(ctx context.Context, q Request) (Response, error) {
			query, err := everythingQuery(q)
			if err != nil {
				return Response{}, err
			}
			if _, err := s.Read(ctx, q.Key); err != nil {
				return Response{}, err
			}
			b, err := s.Search(ctx, interaction.SearchRequest{Base: q.Base, Compartment: q.Key, Path: q.Key.String() + "/$everything", Query: query, Lenient: q.Lenient, Whole: true})
			return Response{Body: b.Body}, err
		},
	}
}

// everythingQuery returns the search that the parameters ask for.
func everythingQuery(q Request) (string, error) {
	var out []string
	add := func(name, value string) error {
		switch {
		case !everythingParameters[name]:
			return errParameter(fhir.IssueNotSupported, "the parameters of $everything are _since, _type and _count", fhir.Node{})
		case name == "_since":
			if _, err := fhir.ParseInstant(value); err != nil {
				return errParameter(fhir.IssueValue, "_since is an instant, as in 2026-11-23T09:30:00Z", fhir.Node{})
			}
			name, value = "_lastUpdated", "ge"+value
		case name == "_include":
			return nil
		}
		out = append(out, name+"="+url.QueryEscape(value))
		return nil
	}
	for pair := range strings.SplitSeq(q.Query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return "", errParameter(fhir.IssueInvalid, "a percent sign is not followed by two hexadecimal digits", fhir.Node{})
		}
		if err := add(name, value); err != nil {
			return "", err
		}
	}
	for p := range q.Parameters.Get("parameter").Children() {
		value := ""
		for c := range p.Children() {
			if strings.HasPrefix(c.Name(), "value") {
				value = c.Text()
			}
		}
		if err := add(p.Get("name").Text(), value); err != nil {
			return "", err
		}
	}
	return strings.Join(append(out, "_include="+url.QueryEscape("*")), "&"), nil
}
