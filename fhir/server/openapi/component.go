package openapi

import (
	"bytes"
	"slices"
)

// resourceList is the name of R4's schema for a resource of any type.
const resourceList = "ResourceList"

// definitions begins a reference of R4's JSON Schema, and schemas one of an OpenAPI document.
var (
	definitions = []byte(`"#/definitions/`)
	schemas     = []byte(`"#/components/schemas/`)
)

// components writes what paths refer to. Where not all types are shown, a resource of any type is described by its resourceType alone.
func (x *document) components(types []string, all bool) {
	w := &x.w
	w.Name("components")
	w.Open('{')
	w.Name("parameters")
	w.Open('{')
	for _, list := range [][]shared{inPath, ofView, ofPages, ofSearch, ofTypes, ofHistory, inHeader} {
		for _, p := range list {
			w.Name(p.key)
			x.parameter(p)
		}
	}
	written := map[string]bool{}
	for _, t := range append([]string{"Resource"}, types...) {
		for _, p := range x.served(t) {
			key := parameterKey(t, p)
			if !written[key] {
				written[key] = true
				w.Name(key)
				x.parameter(shared{name: p.Code, in: "query", schema: texts, text: searchText(p)})
			}
		}
	}
	w.Close('}')
	w.Name("responses")
	w.Open('{')
	for _, r := range responses {
		w.Name(r.key)
		w.Open('{')
		w.String("description", r.text)
		if r.key != "NoContent" && r.key != "NotModified" {
			x.content(x.Formats, r.schema)
		}
		w.Close('}')
	}
	w.Close('}')
	x.schemas(types, all)
	w.Close('}')
}

// schemas writes the schemas of the types and of what they are made of.
func (x *document) schemas(types []string, all bool) {
	w := &x.w
	w.Name("schemas")
	w.Open('{')
	names := slices.Concat(types, []string{"Bundle", "CapabilityStatement", "OperationOutcome", "Parameters"})
	written := map[string]bool{}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if written[name] {
			continue
		}
		written[name] = true
		schema := []byte(`{"type":"object","properties":{"resourceType":{"type":"string"}},"required":["resourceType"]}`)
		if all || name != resourceList {
			var ok bool
			if schema, ok = x.Registry.Schema(name); !ok {
				continue
			}
		}
		for _, part := range bytes.Split(schema, definitions)[1:] {
			end := bytes.IndexByte(part, '"')
			names = append(names, string(part[:end]))
		}
		w.Name(name)
		w.Bytes = append(w.Bytes, bytes.ReplaceAll(schema, definitions, schemas)...)
	}
	w.Close('}')
}
