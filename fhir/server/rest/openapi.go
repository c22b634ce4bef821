package rest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/openapi"
)

// described is the OpenAPI document that was made last, with what it was made for.
type described struct {
	key, etag string
	body      []byte
}

// openAPI serves GET /openapi.json: the OpenAPI document of all resource types, or of those that the parameter type names, separated by commas.
func (h *Handler) openAPI(x *exchange) error {
	d, err := h.description(x)
	if err != nil {
		return err
	}
	key := d.Base + "\n" + strings.Join(d.Types, ",") + "\n" + customKey(h.cfg.Search.Custom())
	doc := h.described.Load()
	if doc == nil || doc.key != key {
		doc = &described{key: key, body: d.Document()}
		sum := sha256.Sum256(doc.body)
		doc.etag = `W/"` + hex.EncodeToString(sum[:8]) + `"`
		h.described.Store(doc)
	}
	x.w.Header()["Etag"] = []string{doc.etag}
	x.w.Header()["Cache-Control"] = revalidate
	if names(x.r.Header["If-None-Match"], doc.etag) {
		x.empty(http.StatusNotModified)
		return nil
	}
	x.writeAs([]string{"application/json"}, http.StatusOK, [][]byte{doc.body})
	return nil
}

// openAPIPage serves GET /openapi: the page that shows to people what the document says to programs, of one type or of the system.
func (h *Handler) openAPIPage(x *exchange) error {
	d, err := h.description(x)
	if err != nil {
		return err
	}
	typ := ""
	if len(d.Types) > 0 {
		typ = d.Types[0]
	}
	var b bytes.Buffer
	if err := d.WritePage(&b, typ); err != nil {
		return err
	}
	head := x.w.Header()
	head["Cache-Control"] = noStore
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	head.Set("Referrer-Policy", "no-referrer")
	x.writeAs([]string{"text/html; charset=utf-8"}, http.StatusOK, [][]byte{b.Bytes()})
	return nil
}

// openAPIStyle serves GET /openapi.css: the page's style sheet.
func (h *Handler) openAPIStyle(x *exchange) error {
	x.w.Header()["Cache-Control"] = revalidate
	x.writeAs([]string{"text/css; charset=utf-8"}, http.StatusOK, [][]byte{[]byte(openapi.Style)})
	return nil
}

// description is what is served, for the resource types that the parameter type names.
func (h *Handler) description(x *exchange) (*openapi.Description, error) {
	base, err := h.base(x.r)
	if err != nil {
		return nil, err
	}
	d := &openapi.Description{
		Base: base, Version: h.cfg.Version, Registry: h.cfg.Registry, Search: h.cfg.Search, Routes: h.cfg.Service.Routes(), Operations: h.cfg.Operations,
		PatchTypes: interaction.PatchTypes,
	}
	for _, f := range h.formats.all {
		d.Formats = append(d.Formats, f.Types[0])
	}
	for _, value := range x.r.URL.Query()["type"] {
		for t := range strings.SplitSeq(value, ",") {
			if _, ok := h.cfg.Registry.Resource(t); !ok {
				return nil, fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDUnknownType, "R4 has no such resource type")
			}
			d.Types = append(d.Types, t)
		}
	}
	slices.Sort(d.Types)
	d.Types = slices.Compact(d.Types)
	return d, nil
}
