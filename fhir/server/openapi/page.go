package openapi

import (
	_ "embed"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// pageText is the template of the page, and Style its style sheet.
var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	Style string

	page = template.Must(template.New("page").Parse(pageText))
)

// shown is what the page shows.
type shown struct {
	Base, Version, Type string
	Types               []string
	Paths               []shownPath
	Parameters          []*search.Parameter
}

// shownPath is a path of the page.
type shownPath struct {
	Path    string
	Methods []shownMethod
}

// shownMethod is a method of it.
type shownMethod struct{ Method, Summary, Takes string }

// WritePage writes the page, in HTML, that shows one resource type, or what is served of the system where typ is empty.
func (d *Description) WritePage(w io.Writer, typ string) error {
	x := &document{Description: d, byPath: map[string][]endpoint{}}
	x.collect(typ)
	s := shown{Base: d.Base, Version: d.Version, Type: typ, Types: d.Registry.ResourceTypes()}
	for _, path := range x.paths {
		p := shownPath{Path: path}
		for _, e := range x.byPath[path] {
			p.Methods = append(p.Methods, shownMethod{e.Method, e.summary(), x.takes(e)})
		}
		s.Paths = append(s.Paths, p)
	}
	of := typ
	if of == "" {
		of = "Resource"
	}
	s.Parameters = x.served(of)
	slices.SortFunc(s.Parameters, func(a, b *search.Parameter) int { return strings.Compare(a.Code, b.Code) })
	return page.Execute(w, &s)
}

// takes says in a few words what an endpoint takes.
func (x *document) takes(e endpoint) string {
	switch {
	case e.criteria():
		return "search parameters that find one"
	case e.searches():
		return "search parameters"
	case e.Code == interaction.CodeOperation && e.Method == http.MethodPost:
		return "Parameters"
	}
	return strings.Join(e.headers(), ", ")
}
