package openapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// shared is a parameter that endpoints share.
type shared struct {
	key, name, in, schema, text string
}

// The schemas of parameters.
const (
	text      = `{"type":"string"}`
	texts     = `{"type":"array","items":{"type":"string"}}`
	count     = `{"type":"integer","minimum":0}`
	instant   = `{"type":"string","format":"date-time"}`
	boolean   = `{"type":"boolean"}`
	id        = `{"type":"string","pattern":"^[A-Za-z0-9\\-\\.]{1,64}$"}`
	summaries = `{"type":"string","enum":["true","text","data","count","false"]}`
	totals    = `{"type":"string","enum":["none","estimate","accurate"]}`
)

var (
	// inPath are the parameters of paths.
	inPath = []shared{
		{"id", "id", "path", id, "The logical id of the resource"},
		{"vid", "vid", "path", id, "The id of the version, as in ETag"},
		{"inside", "inside", "path", text, "A resource type, or * for all"},
	}
	// ofView say how a response is shown (R4 http, 3.1.0.1.11, and search, 3.1.1.5).
	ofView = []shared{
		{"_format", "_format", "query", text, "json, xml or a media type, in place of Accept"},
		{"_pretty", "_pretty", "query", boolean, "Indents the response"},
		{"_summary", "_summary", "query", summaries, "A part of each resource"},
		{"_elements", "_elements", "query", text, "The elements to show, separated by commas"},
	}
	// ofPages are those of lists in pages.
	ofPages = []shared{{"_count", "_count", "query", count, "The resources on a page"}}
	// ofSearch are the parameters that shape the result of a search, and filters that R4 defines without a SearchParameter.
	ofSearch = []shared{
		{"_sort", "_sort", "query", text, "Search parameters to sort by, separated by commas; - before a name sorts in descending order"},
		{"_total", "_total", "query", totals, "Whether the total is counted"},
		{"_include", "_include", "query", texts, "Adds what the matches refer to: Observation:patient"},
		{"_revinclude", "_revinclude", "query", texts, "Adds what refers to the matches: Provenance:target"},
		{"_contained", "_contained", "query", `{"type":"string","enum":["false","true","both"]}`, "Whether contained resources are matched"},
		{"_containedType", "_containedType", "query", `{"type":"string","enum":["container","contained"]}`, "What is shown of a contained match"},
		{"_filter", "_filter", "query", texts, "Tests joined by and, or, not and parentheses"},
		{"_list", "_list", "query", texts, "The members of a List"},
		{"_has", "_has", "query", texts, "Resources that others refer to: _has:Observation:patient:code=1234-5"},
		{"_definitions", "_definitions", "query", boolean, "Whether the definitions of R4 are found, too"},
		{"_explain", "_explain", "query", boolean, "Adds how the search ran"},
	}
	// ofTypes is what chooses among all resource types.
	ofTypes = []shared{{"_type", "_type", "query", text, "The resource types, separated by commas"}}
	// ofHistory are those of histories (R4 http, 3.1.0.9).
	ofHistory = []shared{
		{"_since", "_since", "query", instant, "Versions made at or after this time"},
		{"_at", "_at", "query", text, "Versions that were current at some time during this date or time"},
	}
	// inHeader are headers, by the interactions that take them.
	inHeader = []shared{
		{"If-Match", "If-Match", "header", text, `The version that is changed: W/"3"`},
		{"If-None-Match", "If-None-Match", "header", text, `The version that the client has: W/"3"`},
		{"If-Modified-Since", "If-Modified-Since", "header", text, "When the client got what it has"},
		{"If-None-Exist", "If-None-Exist", "header", text, "Search parameters: where they find a resource, none is created"},
		{"Prefer", "Prefer", "header", text, "return=minimal, representation or OperationOutcome; handling=strict or lenient"},
	}
)

// headers are those of inHeader that a code takes.
var headers = map[interaction.Code][]string{
	interaction.CodeRead:              {"If-None-Match", "If-Modified-Since"},
	interaction.CodeCreate:            {"If-None-Exist", "Prefer"},
	interaction.CodeUpdate:            {"If-Match", "If-None-Match", "Prefer"},
	interaction.CodePatch:             {"If-Match", "Prefer"},
	interaction.CodeDelete:            {"If-Match", "Prefer"},
	interaction.CodeBundle:            {"Prefer"},
	interaction.CodeSearchType:        {"Prefer"},
	interaction.CodeSearchSystem:      {"Prefer"},
	interaction.CodeSearchCompartment: {"Prefer"},
	interaction.CodeHistoryInstance:   {"Prefer"},
	interaction.CodeHistoryType:       {"Prefer"},
	interaction.CodeHistorySystem:     {"Prefer"},
}

// headers returns the headers that an endpoint takes.
func (e endpoint) headers() []string {
	if e.operation != nil && e.operation.IfMatch {
		return []string{"If-Match"}
	}
	return headers[e.Code]
}

// parameters writes the member with the parameters of an endpoint, except those of its path.
func (x *document) parameters(e endpoint) {
	w := &x.w
	w.Name("parameters")
	w.Open('[')
	use := func(lists ...[]shared) {
		for _, list := range lists {
			for _, p := range list {
				x.ref("parameters", p.key)
			}
		}
	}
	use(ofView)
	switch e.Code {
	case interaction.CodeHistoryInstance, interaction.CodeHistoryType, interaction.CodeHistorySystem:
		use(ofPages, ofHistory)
	case interaction.CodeCapabilities:
		x.own("mode", `{"type":"string","enum":["full","normative","terminology"]}`, "The part that is asked for")
		use(ofTypes)
	case interaction.CodeOperation:
		x.operationParameters(e)
	}
	if e.searches() {
		typ := e.typ
		if !e.criteria() {
			use(ofPages, ofSearch)
		}
		if e.Code == interaction.CodeSearchSystem || e.Code == interaction.CodeSearchCompartment {
			use(ofTypes)
			typ = "Resource"
		}
		for _, p := range x.served(typ) {
			x.ref("parameters", parameterKey(typ, p))
		}
	}
	for _, name := range e.headers() {
		x.ref("parameters", name)
	}
	w.Close(']')
}

// operationParameters writes the parameters of a GET of an operation: those of its definition that are values.
func (x *document) operationParameters(e endpoint) {
	if e.Method != http.MethodGet {
		return
	}
	def, ok := x.Registry.Definition(e.operation.DefinitionOn(e.typ))
	if !ok {
		return
	}
	for p := range def.Get("parameter").Children() {
		name, typ := p.Get("name").Text(), p.Get("type").Text()
		if p.Get("use").Text() != "in" || typ == "" || typ[0] >= 'A' && typ[0] <= 'Z' {
			continue // what is not a value has no place in a URL
		}
		schema := text
		if p.Get("max").Text() == "*" {
			schema = texts
		}
		x.own(name, schema, p.Get("documentation").Text())
	}
}

// own writes a parameter of one endpoint alone.
func (x *document) own(name, schema, doc string) {
	x.parameter(shared{name: name, in: "query", schema: schema, text: doc})
}

// parameter writes a parameter object.
func (x *document) parameter(p shared) {
	w := &x.w
	w.Open('{')
	w.String("name", p.name)
	w.String("in", p.in)
	w.String("description", p.text)
	if p.in == "path" {
		w.Bool("required", true)
	}
	w.Name("schema")
	w.Bytes = append(w.Bytes, p.schema...)
	w.Close('}')
}

// served returns the search parameters of a type that are served.
func (x *document) served(typ string) []*search.Parameter {
	return slices.DeleteFunc(slices.Clone(x.Search.Of(typ)), func(p *search.Parameter) bool {
		_, refused := p.Unsupported()
		return refused
	})
}

// parameterKey is the name of a search parameter's component. Those of all types are one.
func parameterKey(typ string, p *search.Parameter) string {
	if slices.Contains(p.Base, "Resource") {
		typ = "Resource"
	}
	return typ + "." + p.Code
}

// searchText says what a client may write as a value.
func searchText(p *search.Parameter) string {
	s := "A search parameter of type " + p.Type + " (" + p.URL + ")."
	if t := p.Target; len(t) > 0 && p.Type == "reference" && !slices.Contains(t, "Resource") {
		s += " Refers to " + strings.Join(t, ", ") + "."
	}
	if m := p.Modifiers(); len(m) > 0 {
		s += " Modifiers: " + strings.Join(m, ", ") + "."
	}
	return s
}
