package operation

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/graphql"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// GraphQL returns $graphql (http://hl7.org/fhir/R4/graphql.html): a query on the system, or on a resource. It comes as the parameters query,
// operationName and variables of a GET or of Parameters, as a body of type application/graphql, or as the JSON object that GraphQL's clients send. The
// result is the JSON of GraphQL, and not a resource.
func GraphQL(s Service, reg *definition.Registry) interaction.Operation {
	service := graphql.New(reg, graphql.Limits{})
	return interaction.Operation{
		Name:          "graphql",
		Definition:    canonicalOf(reg, "graphql"),
		Documentation: "Runs a GraphQL query on the server or on a resource.",
		System:        true,
		Instance:      true,
		Get:           true,
		Post:          true,
		Raw:           true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			query, err := graphqlQuery(q)
			if err == nil && q.Key.ID != "" {
				query.Root, err = graphqlRoot(ctx, s, q.Key)
			}
			var data []byte
			if err == nil {
				data, err = service.Execute(ctx, query, &graphqlSource{s, s.Knowledge(), q.Base})
			}
			if err != nil {
				return graphqlErrors(err)
			}
			return graphqlResponse(http.StatusOK, []byte(`{"data":`), data, []byte{'}'}), nil
		},
	}
}

func graphqlRoot(ctx context.Context, s Service, key fhir.Key) (fhir.Resource, error) {
	rec, err := s.Read(ctx, key)
	if err != nil {
		return fhir.Resource{}, err
	}
	return fhir.ParseResource(rec.Body, fhir.Limits{})
}

// graphqlParameters are those of a query in the URL or in a Parameters resource (http://hl7.org/fhir/R4/graphql.html#params).
var graphqlParameters = []input{{name: "query", typ: "string"}, {name: "operationName", typ: "string"}, {name: "variables", typ: "string"}}

// graphqlQuery reads the query of a request: that of a body goes before that of the URL.
func graphqlQuery(q *interaction.Request) (out graphql.Query, err error) {
	variables := ""
	set := func(name, value string) error {
		switch name {
		case "query":
			out.Text = value
		case "operationName":
			out.Operation = value
		case "variables":
			variables = value
		default:
			return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnknownParameter, "$graphql has the parameters query, operationName and variables")
		}
		return nil
	}
	if q.Resource.Valid() && q.Resource.Type() == "Binary" {
		for _, p := range q.Arguments() {
			if err := set(p.Name, p.Value); err != nil {
				return out, err
			}
		}
		if err := graphqlBody(q.Resource, &out); err != nil {
			return out, err
		}
	} else {
		args, err := argumentsOf(q, graphqlParameters)
		if err != nil {
			return out, err
		}
		for _, a := range args {
			if err := set(a.name, a.value); err != nil {
				return out, err
			}
		}
	}
	if variables != "" && !out.Variables.Valid() {
		t, err := fhir.Parse([]byte(variables), fhir.Limits{})
		if err != nil {
			return out, err
		}
		out.Variables = t.Root()
	}
	if out.Text == "" {
		err = fhir.NewError(fhir.KindInvalid, fhir.IssueRequired, fhir.IDGraphQLSyntax, "there is no query")
	}
	return out, err
}

// graphqlBody reads a body that is not a resource.
func graphqlBody(binary fhir.Resource, out *graphql.Query) error {
	content, err := base64.StdEncoding.DecodeString(binary.Get("data").Text())
	if err != nil {
		return fhir.NewError(fhir.KindInvalid, fhir.IssueValue, fhir.IDGraphQLSyntax, "the Binary's data is not base64")
	}
	name, _, _ := strings.Cut(binary.Get("contentType").Text(), ";")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "application/graphql":
		out.Text = string(content)
		return nil
	case "application/json":
		t, err := fhir.Parse(content, fhir.Limits{})
		if err != nil {
			return err
		}
		body := t.Root()
		if body.Kind() != fhir.Object {
			return fhir.NewError(fhir.KindInvalid, fhir.IssueStructure, fhir.IDGraphQLSyntax, "the body is a JSON object with query, operationName and variables")
		}
		for _, name := range [...]string{"query", "operationName"} {
			if n := body.Get(name); n.Valid() && n.Kind() != fhir.String && (n.Kind() != fhir.Null || name == "query") {
				return fhir.NewError(fhir.KindInvalid, fhir.IssueValue, fhir.IDGraphQLSyntax, name+" is a JSON string")
			}
		}
		out.Text, out.Operation, out.Variables = body.Get("query").Text(), body.Get("operationName").Text(), body.Get("variables")
		return nil
	}
	return fhir.NewError(fhir.KindMediaType, fhir.IssueNotSupported, fhir.IDContentType, "a query is application/graphql, application/json or a Parameters resource")
}

// graphqlErrors makes the response of a query that failed, in GraphQL's form with the OperationOutcome as an extension. A query that took too long is
// told so, too. Other failures of the server stay errors.
func graphqlErrors(err error) (interaction.OperationResponse, error) {
	var e *fhir.Error
	if !errors.As(err, &e) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		e = fhir.NewError(fhir.KindUnavailable, fhir.IssueTimeout, fhir.IDTimeout, "the query took longer than the server allows; ask for less at once")
	}
	if e == nil || len(e.Issues) == 0 {
		return interaction.OperationResponse{}, err
	}
	switch e.Kind {
	case fhir.KindUnavailable:
		if e.Issues[0].ID != fhir.IDTimeout {
			return interaction.OperationResponse{}, err
		}
	case fhir.KindInvalid, fhir.KindUnprocessable, fhir.KindNotFound, fhir.KindGone, fhir.KindTooLarge, fhir.KindNotSupported:
	default:
		return interaction.OperationResponse{}, err
	}
	b := []byte(`{"errors":[`)
	for i, is := range e.Issues {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(fhir.AppendString(append(b, `{"message":`...), is.Text), `,"extensions":{"resource":`...)
		b = append(fhir.AppendOutcome(b, []fhir.Issue{is}), `}}`...)
	}
	return graphqlResponse(e.Kind.Status(), append(b, `]}`...)), nil
}

// graphqlResponse makes a response of JSON in pieces.
func graphqlResponse(status int, pieces ...[]byte) interaction.OperationResponse {
	return interaction.OperationResponse{Status: status, ContentType: "application/json; charset=utf-8", Stream: func(_ context.Context, w io.Writer) error {
		for _, p := range pieces {
			if _, err := w.Write(p); err != nil {
				return err
			}
		}
		return nil
	}}
}

// graphqlSource gives a query what the store holds.
type graphqlSource struct {
	Service
	known *interaction.Knowledge
	base  string
}

// Resolve implements graphql.Source.
func (s *graphqlSource) Resolve(ctx context.Context, reference string) (fhir.Resource, error) {
	r, ok, err := s.known.Resolve(ctx, fhir.Resource{}, reference)
	if err == nil && !ok {
		err = fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotFound, "there is no such resource")
	}
	return r, err
}

// Search implements graphql.Source.
func (s *graphqlSource) Search(ctx context.Context, typ string, parameters []search.Pair) (fhir.Resource, error) {
	b, err := s.Service.Search(ctx, interaction.SearchRequest{Base: s.base, Types: []string{typ}, Path: typ, Parameters: parameters})
	if err != nil {
		return fhir.Resource{}, err
	}
	return fhir.ParseResource(b.Body, fhir.Limits{})
}
