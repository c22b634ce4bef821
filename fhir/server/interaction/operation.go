package interaction

import (
	"context"
	"io"
	"net/http"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
)

// Operation is a named operation (R4 operations, 3.2.0.1, http://hl7.org/fhir/R4/operations.html). The same value makes its routes and its line in
// the CapabilityStatement.
type Operation struct {
	// Name is the code without the dollar sign.
	Name string
	// Definition is the canonical of its OperationDefinition.
	Definition string
	// Definitions are the canonicals by resource type, where each type has an OperationDefinition of its own.
	Definitions map[string]string
	// Documentation says in a sentence what it does, for the CapabilityStatement.
	Documentation string
	// System, Type, Instance and Version are the levels it can be called at; Version is that of [type]/[id]/_history/[vid].
	System, Type, Instance, Version bool
	// Types are the resource types of the type, instance and version levels, sorted; empty for all.
	Types []string
	// Get and Post are the methods it can be called with. Only what changes nothing may be called with GET.
	Get, Post bool
	// Raw says that neither body nor result is a resource: the body of a POST may be of any type, and what is not a resource by its media type reaches Run
	// as a Binary; the result is a Stream of a ContentType. Such an operation cannot be in a Bundle, where it is refused before anything is done.
	Raw bool
	// Resource says that the body of a POST may be any resource: that of the operation's one parameter which is a resource.
	Resource bool
	// Writes says that it changes what is stored: it is then not performed among the reads of a transaction.
	Writes bool
	// IfMatch says that it takes the condition If-Match, on the version of its resource.
	IfMatch bool
	// WritesWith reports whether a call writes, for an operation whose parameters decide that; nil for any other.
	WritesWith func(q *Request) bool
	// Run performs it. It may be called at the same time from many goroutines. q.Resource is the Parameters resource of a POST, or what Resource or Raw
	// allow; it is the zero Resource for a GET and for a POST without a body. The error is an *fhir.Error.
	Run func(ctx context.Context, q *Request) (OperationResponse, error)
}

// OperationResponse is what an operation responds with. In a Bundle, an entry shows Status, Header's Location and Body.
type OperationResponse struct {
	// Status is that of HTTP; 0 means 200.
	Status int
	// Header is added to that of the response; nil for nothing.
	Header http.Header
	// Body is the JSON of a resource, written in the format that the client negotiated; nil for none.
	Body []byte
	// Stream writes the body piece by piece, in place of Body; nil where Body is all. It is called once. Where ContentType is empty, it writes the JSON of
	// a resource, which is collected where it is needed in one piece. Only a Raw operation may set ContentType.
	Stream      func(ctx context.Context, w io.Writer) error
	ContentType string
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

// at reports whether the operation is served at the level of key: of the system, a type, an instance or a version of it.
func (o *Operation) at(key fhir.Key, version string) bool {
	switch {
	case version != "":
		return o.Version && o.On(key.Type)
	case key.Type == "":
		return o.System
	case key.ID == "":
		return o.Type && o.On(key.Type)
	}
	return o.Instance && o.On(key.Type)
}

// level is a level that an operation can be called at, with its path.
type level struct {
	on   bool
	path string
}

// levels returns all levels that R4 has, and whether the operation is served at each.
func (o *Operation) levels(typ, id, vid string) []level {
	name := "$" + o.Name
	return []level{{o.System, name}, {o.Type, typ + "/" + name}, {o.Instance, typ + "/" + id + "/" + name}, {o.Version, typ + "/" + id + "/_history/" + vid + "/" + name}}
}

// methods returns the methods that the operation can be called with.
func (o *Operation) methods() []string {
	var m []string
	if o.Get {
		m = append(m, http.MethodGet)
	}
	if o.Post {
		m = append(m, http.MethodPost)
	}
	return m
}
