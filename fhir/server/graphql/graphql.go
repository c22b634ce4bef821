package graphql

import (
	"context"
	"errors"
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// Source gives a query what the store holds, as its client may see it.
type Source interface {
	// Resolve returns the resource that a literal reference names: an *fhir.Error of KindNotFound or KindGone where there is none.
	Resolve(ctx context.Context, reference string) (fhir.Resource, error)
	// Search returns the Bundle of one page of a search.
	Search(ctx context.Context, typ string, parameters []search.Pair) (fhir.Resource, error)
}

// Limits bound what a query may cost. A zero field means the default.
type Limits struct {
	Tokens int // of the query's text, and values of its variables; default 10,000
	Depth  int // nested selections; default 20
	Fields int // fields, once fragments are unfolded; default 2,000
	Reads  int // resources read and pages searched; default 500
	Values int // of the result; default 500,000
	Visits int // elements, fields and texts that are looked at; default 20,000,000
	// Bytes are those of the result, introspection included; default 64 MiB.
	Bytes int
	// ReadBytes are those of the resources read and pages searched; default 128 MiB.
	ReadBytes int
	// Expressions are the bytes of all different expressions of FHIRPath together; default 64 KiB.
	Expressions int
}

func (l Limits) withDefaults() Limits {
	set := func(n *int, to int) {
		if *n == 0 {
			*n = to
		}
	}
	set(&l.Tokens, 10_000)
	set(&l.Depth, 20)
	set(&l.Fields, 2_000)
	set(&l.Reads, 500)
	set(&l.Values, 500_000)
	set(&l.Visits, 20_000_000)
	set(&l.Bytes, 64<<20)
	set(&l.ReadBytes, 128<<20)
	set(&l.Expressions, 64<<10)
	return l
}

// Service answers queries. It is safe for concurrent use.
type Service struct {
	reg    *definition.Registry
	lim    Limits
	schema schema
}

// New returns a Service of the types in reg.
func New(reg *definition.Registry, lim Limits) *Service {
	s := &Service{reg: reg, lim: lim.withDefaults()}
	s.schema.reg = reg
	return s
}

// Query is a request.
type Query struct {
	Text string
	// Operation is the name of the operation to perform; it may be empty where the text has one only.
	Operation string
	// Variables are the values of the operation's variables: the JSON object of a request; the zero Node for none.
	Variables fhir.Node
	// Root is the resource that the query is about; the zero Resource for the system.
	Root fhir.Resource
}

// bad is the error of a query at a position.
func bad(pos *ast.Position, id fhir.IssueID, text string) error {
	if pos != nil && pos.Line > 0 {
		text = fmt.Sprintf("GraphQL, line %d column %d: %s", pos.Line, pos.Column, text)
	}
	return fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, id, text)
}

func tooCostly(text string) error {
	return fhir.NewError(fhir.KindUnprocessable, fhir.IssueTooCostly, fhir.IDGraphQLTooCostly, text)
}

// Execute performs a query and returns the JSON object of its data. The error is an *fhir.Error: KindInvalid for a query that is wrong by itself.
func (s *Service) Execute(ctx context.Context, q Query, src Source) ([]byte, error) {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: q.Text}, s.lim.Tokens)
	if err != nil {
		var syntax *gqlerror.Error
		if errors.As(err, &syntax) && len(syntax.Locations) > 0 {
			at := syntax.Locations[0]
			return nil, bad(&ast.Position{Line: at.Line, Column: at.Column}, fhir.IDGraphQLSyntax, syntax.Message)
		}
		return nil, bad(nil, fhir.IDGraphQLSyntax, err.Error())
	}
	op, err := operation(doc, q.Operation)
	if err != nil {
		return nil, err
	}
	x := &executor{s: s, ctx: ctx, src: src, doc: doc, op: op, read: map[string]*readOnce{}}
	if err := x.bind(q.Variables); err != nil {
		return nil, err
	}
	c := checker{x: x}
	root := &object{}
	if q.Root.Valid() {
		t, ok := s.reg.Resource(q.Root.Type())
		if !ok {
			return nil, fhir.NewError(fhir.KindUnprocessable, fhir.IssueProcessing, fhir.IDUnknownType, "the resource's type is unknown")
		}
		if err := c.selections(op.SelectionSet, t, 1); err != nil {
			return nil, err
		}
		err = x.element(subject{node: q.Root.Node, typ: t, resource: q.Root}, op.SelectionSet, root, false, "")
	} else {
		if err := c.system(op.SelectionSet, 1); err != nil {
			return nil, err
		}
		err = x.system(op.SelectionSet, root)
	}
	if err != nil {
		return nil, err
	}
	return root.append(make([]byte, 0, x.written+len("{}"))), nil
}

// operation chooses the operation to perform.
func operation(doc *ast.QueryDocument, name string) (*ast.OperationDefinition, error) {
	var op *ast.OperationDefinition
	for _, o := range doc.Operations {
		if name == "" && len(doc.Operations) > 1 {
			return nil, bad(nil, fhir.IDGraphQLOperation, "the query has several operations; operationName says which one to perform")
		}
		if name == "" || o.Name == name {
			op = o
			break
		}
	}
	switch {
	case op == nil && name != "":
		return nil, bad(nil, fhir.IDGraphQLOperation, "the query has no operation of this name")
	case op == nil:
		return nil, bad(nil, fhir.IDGraphQLOperation, "the query has no operation")
	case op.Operation != ast.Query:
		return nil, bad(op.Position, fhir.IDGraphQLOperation, "only queries are served; there are no mutations and no subscriptions")
	}
	return op, nil
}
