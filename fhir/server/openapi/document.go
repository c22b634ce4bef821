package openapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Description is what a document is made of.
type Description struct {
	// Base is the server's base URL, and Version the software's version.
	Base, Version string
	Registry      *definition.Registry
	Search        *search.Parameters
	Routes        []interaction.Route
	Operations    []interaction.Operation
	// Formats are the media types of resources, and PatchTypes the further ones of patches.
	Formats, PatchTypes []string
	// Types are the resource types that the document is of, sorted; nil for all.
	Types []string
}

// document is one that is being written.
type document struct {
	*Description
	w fhir.JSONWriter
	// byPath are the paths with what they are served with, in the order of the routes.
	paths  []string
	byPath map[string][]endpoint
}

// endpoint is a method of a path.
type endpoint struct {
	interaction.Route
	// typ is the resource type of the path; empty for the system.
	typ       string
	operation *interaction.Operation
}

// Document returns the OpenAPI document.
func (d *Description) Document() []byte {
	all := d.Registry.ResourceTypes()
	x := &document{Description: d, byPath: map[string][]endpoint{}}
	x.w.Bytes = make([]byte, 0, 1<<20)
	types := d.Types
	if types == nil {
		types = all
	}
	for _, t := range types {
		x.collect(t)
	}
	x.collect("")
	w := &x.w
	w.Open('{')
	w.String("openapi", "3.1.0")
	w.Name("info")
	w.Open('{')
	w.String("title", "fhirgate, an HL7 FHIR R4 (4.0.1) server")
	w.String("description", "Made from the tables that the server serves from. Searches take the parameters below with R4's modifiers (name:exact) and prefixes (ge2024), chains (patient.name) "+
		"and _has, which OpenAPI can't list; the CapabilityStatement at metadata names the modifiers of each.")
	w.String("version", d.Version)
	w.Close('}')
	w.Name("servers")
	w.Open('[')
	w.Open('{')
	w.String("url", d.Base)
	w.Close('}')
	w.Close(']')
	w.Name("tags")
	w.Open('[')
	for _, t := range append([]string{"System"}, types...) {
		w.Open('{')
		w.String("name", t)
		if t != "System" {
			w.Name("externalDocs")
			w.Open('{')
			w.String("url", "http://hl7.org/fhir/R4/"+strings.ToLower(t)+".html")
			w.Close('}')
		}
		w.Close('}')
	}
	w.Close(']')
	w.Name("paths")
	w.Open('{')
	for _, path := range x.paths {
		x.path(path)
	}
	w.Close('}')
	x.components(types, len(types) == len(all))
	w.Close('}')
	return w.Bytes
}

// collect adds the endpoints of a resource type; of the system where it is empty.
func (x *document) collect(typ string) {
	for _, r := range x.Routes {
		ofType := strings.HasPrefix(r.Path, ":type")
		if ofType != (typ != "") {
			continue
		}
		e := endpoint{Route: r, typ: typ}
		if _, name, ok := strings.Cut(r.Path, "$"); ok {
			i := slices.IndexFunc(x.Operations, func(o interaction.Operation) bool { return o.Name == name })
			if i < 0 || ofType && !x.Operations[i].On(typ) {
				continue
			}
			e.operation = &x.Operations[i]
		}
		if r.Code == interaction.CodeSearchCompartment {
			if _, ok := x.Registry.Compartment(typ); !ok {
				continue
			}
		}
		path := "/" + braced(strings.Replace(r.Path, ":type", typ, 1))
		if x.byPath[path] == nil {
			x.paths = append(x.paths, path)
		}
		x.byPath[path] = append(x.byPath[path], e)
	}
}

// braced writes the parameters of a route's path as OpenAPI does: :id is {id}.
func braced(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// path writes a path with its methods.
func (x *document) path(path string) {
	w := &x.w
	w.Name(path)
	w.Open('{')
	if strings.Contains(path, "{") {
		w.Name("parameters")
		w.Open('[')
		for part := range strings.SplitSeq(path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				x.ref("parameters", strings.TrimSuffix(name, "}"))
			}
		}
		w.Close(']')
	}
	for _, e := range x.byPath[path] {
		w.Name(strings.ToLower(e.Method))
		x.endpoint(path, e)
	}
	w.Close('}')
}

// endpoint writes a method of a path.
func (x *document) endpoint(path string, e endpoint) {
	w := &x.w
	w.Open('{')
	tag := e.typ
	if tag == "" {
		tag = "System"
	}
	w.Strings("tags", []string{tag})
	w.String("operationId", strings.ToLower(e.Method)+strings.NewReplacer("/", "-", "{", "", "}", "").Replace(path))
	w.String("summary", e.summary())
	x.parameters(e)
	x.body(e)
	x.responses(e)
	w.Close('}')
}

// summary says in a line what an endpoint does.
func (e endpoint) summary() string {
	if e.operation != nil {
		return e.operation.Documentation
	}
	what := e.typ
	if what == "" {
		what = "all types"
	}
	if e.criteria() {
		return map[interaction.Code]string{
			interaction.CodeUpdate: "Update the " + what + " that the parameters find, or create it",
			interaction.CodePatch:  "Patch the " + what + " that the parameters find",
			interaction.CodeDelete: "Delete the " + what + " that the parameters find",
		}[e.Code]
	}
	return map[interaction.Code]string{
		interaction.CodeRead:              "Read a " + what,
		interaction.CodeVRead:             "Read a version of a " + what,
		interaction.CodeUpdate:            "Update a " + what + ", or create it under its id",
		interaction.CodePatch:             "Patch a " + what,
		interaction.CodeDelete:            "Delete a " + what,
		interaction.CodeCreate:            "Create a " + what,
		interaction.CodeHistoryInstance:   "The versions of a " + what,
		interaction.CodeHistoryType:       "The versions of " + what + " resources",
		interaction.CodeHistorySystem:     "The versions of resources of all types",
		interaction.CodeSearchType:        "Search " + what + " resources",
		interaction.CodeSearchSystem:      "Search resources of several types",
		interaction.CodeSearchCompartment: "Search the compartment of a " + what + ": resources of a type, or of all types with *",
		interaction.CodeCapabilities:      "The CapabilityStatement of this server",
		interaction.CodeBundle:            "Perform a batch or a transaction",
	}[e.Code]
}

// criteria reports whether the parameters say which resource an endpoint is about.
func (e endpoint) criteria() bool {
	switch e.Code {
	case interaction.CodeUpdate, interaction.CodePatch, interaction.CodeDelete:
		return !strings.Contains(e.Path, ":id")
	}
	return false
}

// searches reports whether an endpoint takes search parameters in its URL.
func (e endpoint) searches() bool {
	switch e.Code {
	case interaction.CodeSearchType, interaction.CodeSearchSystem, interaction.CodeSearchCompartment:
		return e.Method == http.MethodGet
	}
	return e.criteria()
}

// ref writes an item or value that refers to a component.
func (x *document) ref(kind, name string) {
	x.w.Open('{')
	x.w.String("$ref", "#/components/"+kind+"/"+name)
	x.w.Close('}')
}
