package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Search by GET and by POST _search: of a type, the whole system and a compartment (R4 http, 3.1.0.9 search,
// http://hl7.org/fhir/R4/http.html#search; R4 search, 3.1.1.1).

// formType is the media type of a POST _search.
const formType = "application/x-www-form-urlencoded"

// searchSystem serves GET [base]?... and POST [base]/_search.
func (h *Handler) searchSystem(x *exchange) error {
	return x.search(interaction.SearchRequest{})
}

// searchType serves GET [type]?... and POST [type]/_search.
func (h *Handler) searchType(x *exchange) error {
	typ, err := x.typeOf()
	if err != nil {
		return err
	}
	return x.search(interaction.SearchRequest{Types: []string{typ}, Path: typ})
}

// searchCompartment serves GET [compartment]/[id]/[type or *]?... and the POST form of it; "*" and nothing stand for all types.
func (h *Handler) searchCompartment(x *exchange) error {
	key, err := x.keyOf()
	if err != nil {
		return err
	}
	sub := x.c.Param("sub")
	if strings.HasPrefix(sub, "$") {
		o := h.operations[sub[1:]]
		return x.unknownOperation(sub[1:], o != nil && o.Instance && o.On(key.Type))
	}
	if sub == "_search" {
		return methodNotAllowed(x, "POST, OPTIONS")
	}
	compartment, ok := h.cfg.Registry.Compartment(key.Type)
	if !ok {
		return fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDUnknownCompartment, "there is no compartment of this type; the compartments are Device, Encounter, Patient, Practitioner and RelatedPerson")
	}
	q := interaction.SearchRequest{Compartment: key, Path: key.String() + "/*"}
	if sub != "" && sub != "*" {
		if !h.types[sub] {
			text := "this is not a resource type of R4" + fhir.DidYouMean(sub, slices.Values(h.typeNames))
			return fhir.NewError(fhir.KindNotFound, fhir.IssueNotSupported, fhir.IDUnknownType, text)
		}
		if _, ok := compartment.Links[sub]; !ok {
			return fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotInCompartment, "resources of this type are in no "+key.Type+" compartment")
		}
		q.Types, q.Path = []string{sub}, key.String()+"/"+sub
	}
	return x.search(q)
}

// search completes the request with parameters and preferences, runs it and answers with the Bundle.
func (x *exchange) search(q interaction.SearchRequest) error {
	g, err := readGeneral(x.r.URL.RawQuery)
	if err != nil {
		return err
	}
	q.Query = x.r.URL.RawQuery
	if x.r.Method == http.MethodPost {
		if q.Body, err = x.form(); err != nil {
			return err
		}
		f, err := readGeneral(q.Body)
		if err != nil {
			return err
		}
		if f.format != "" {
			g.format = f.format
		}
		g.pretty = g.pretty || f.pretty
	}
	if err := x.accept(g); err != nil {
		return err
	}
	if q.Base, err = x.h.base(x.r); err != nil {
		return err
	}
	q.Lenient = parsePrefer(x.r.Header["Prefer"]).lenient
	q.Explain = x.r.Header.Get("X-Explain") == "true"
	ctx, cancel := x.limited()
	defer cancel()
	b, err := x.h.cfg.Service.Search(ctx, q)
	if err != nil {
		return err
	}
	x.w.Header()["Cache-Control"] = noStore
	x.bundle(b)
	return nil
}

// form reads the body of a POST _search, still escaped.
func (x *exchange) form() (string, error) {
	m := parseMediaType(x.r.Header.Get("Content-Type"))
	if m.name != formType && !(m.name == "" && x.r.ContentLength == 0) || m.charset != "" && m.charset != "utf-8" && m.charset != "utf8" {
		return "", fhir.NewError(fhir.KindMediaType, fhir.IssueNotSupported, fhir.IDContentType, "a POST _search carries "+formType+" in UTF-8")
	}
	b, err := x.body()
	if err != nil {
		return "", err
	}
	return strings.Trim(string(b), "\r\n"), nil
}
