package openapi

import (
	"net/http"
	"slices"

	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// formType is the media type of a POST _search.
const formType = "application/x-www-form-urlencoded"

// body writes the member with what an endpoint is sent.
func (x *document) body(e endpoint) {
	schema, types, optional := "", x.Formats, false
	switch e.Code {
	case interaction.CodeCreate, interaction.CodeUpdate:
		schema = e.typ
	case interaction.CodePatch:
		schema, types = "", slices.Concat(x.PatchTypes, x.Formats)
	case interaction.CodeBundle:
		schema = "Bundle"
	case interaction.CodeSearchType, interaction.CodeSearchSystem, interaction.CodeSearchCompartment:
		types, optional = []string{formType}, true
	case interaction.CodeOperation:
		schema, optional = "Parameters", true
		if e.operation.Raw || e.operation.Resource {
			schema = ""
		}
		if e.operation.Raw {
			types = append(slices.Clip(types), "*/*")
		}
	default:
		return
	}
	if e.Method == http.MethodGet {
		return
	}
	w := &x.w
	w.Name("requestBody")
	w.Open('{')
	if !optional {
		w.Bool("required", true)
	}
	x.content(types, schema)
	w.Close('}')
}

// content writes the member with a body in each of the media types; schema is the resource type, empty for any body.
func (x *document) content(types []string, schema string) {
	w := &x.w
	w.Name("content")
	w.Open('{')
	for _, t := range types {
		w.Name(t)
		w.Open('{')
		switch {
		case t == formType:
			w.Name("schema")
			w.Bytes = append(w.Bytes, `{"type":"object","additionalProperties":{"type":"array","items":{"type":"string"}}}`...)
		case schema != "" && t == x.Formats[0]: // XML has the same elements in another form
			w.Name("schema")
			x.ref("schemas", schema)
		}
		w.Close('}')
	}
	w.Close('}')
}

// response is one that endpoints share.
type response struct{ key, text, schema string }

// responses are those of errors, and of resources that are not of the endpoint's own type.
var responses = []response{
	{"Bundle", "A Bundle", "Bundle"},
	{"CapabilityStatement", "The CapabilityStatement", "CapabilityStatement"},
	{"NoContent", "Done, without a body", ""},
	{"NotModified", "The client has the current version", ""},
	{"OperationOutcome", "What was wrong: each issue has an id of this server's in details", "OperationOutcome"},
	{"Any", "What the operation returns", ""},
}

// responses writes the member with the responses of an endpoint.
func (x *document) responses(e endpoint) {
	w := &x.w
	w.Name("responses")
	w.Open('{')
	say := func(status, key string) {
		w.Name(status)
		x.ref("responses", key)
	}
	resource := func(status, text string) {
		w.Name(status)
		w.Open('{')
		w.String("description", text)
		x.content(x.Formats, e.typ)
		w.Close('}')
	}
	switch e.Code {
	case interaction.CodeRead, interaction.CodeVRead:
		resource("200", "The resource")
		if e.Code == interaction.CodeRead {
			say("304", "NotModified")
		}
	case interaction.CodeCreate:
		resource("200", "One exists already")
		resource("201", "The resource as it was created")
	case interaction.CodeUpdate:
		resource("200", "The resource as it was updated")
		resource("201", "The resource as it was created")
	case interaction.CodePatch:
		resource("200", "The resource as it was patched")
	case interaction.CodeDelete:
		say("200", "OperationOutcome")
		say("204", "NoContent")
	case interaction.CodeCapabilities:
		say("200", "CapabilityStatement")
	case interaction.CodeOperation:
		say("200", "Any")
	default:
		say("200", "Bundle")
	}
	say("default", "OperationOutcome")
	w.Close('}')
}
