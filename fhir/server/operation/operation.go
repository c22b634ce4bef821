package operation

import (
	"context"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
)

// Operation is a named operation (R4 operations, 3.2.0.1). The same value makes its routes and its line in the CapabilityStatement.
type Operation struct {
	// Name is the code without the dollar sign.
	Name string
	// Definition is the canonical of its OperationDefinition.
	Definition string
	// Definitions are the canonicals by resource type, where each type has an OperationDefinition of its own.
	Definitions map[string]string
	// Documentation says in a sentence what it does, for the CapabilityStatement.
	Documentation string
	// System, Type and Instance are the levels it can be called at.
	System, Type, Instance bool
	// Types are the resource types of the type and instance levels, sorted; empty for all.
	Types []string
	// Get and Post are the methods it can be called with. Only what changes nothing may be called with GET.
	Get, Post bool
	// Run performs it. It may be called at the same time from many goroutines. The error is an *fhir.Error.
	Run func(ctx context.Context, q Request) (Response, error)
}

// Request is a call of an operation.
type Request struct {
	// Base is the server's base URL without a trailing slash, as the client sees it.
	Base string
	// Key is set at instance level; at type level its ID is empty; at system level it is zero.
	Key fhir.Key
	// Parameters is the Parameters resource of a POST; the zero Resource for a GET or a POST without a body.
	Parameters fhir.Resource
	// Query is the raw query of the URL.
	Query string
	// Lenient is Prefer: handling=lenient.
	Lenient bool
}

// Response is the answer of an operation: one resource.
type Response struct {
	Body []byte
}

// On reports whether the operation can be called on the resource type, at type or instance level.
func (o *Operation) On(typ string) bool {
	if len(o.Types) == 0 {
		return true
	}
	_, ok := slices.BinarySearch(o.Types, typ)
	return ok
}

// DefinitionOn returns the canonical of the OperationDefinition for a resource type; typ is empty at system level.
func (o *Operation) DefinitionOn(typ string) string {
	if d, ok := o.Definitions[typ]; ok {
		return d
	}
	return o.Definition
}
