package rest

import (
	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// bundle serves POST [base] with a batch or a transaction (R4 http, 3.1.0.11 batch/transaction,
// http://hl7.org/fhir/R4/http.html#transaction).
func (h *Handler) bundle(x *exchange) error {
	g, err := readGeneral(x.r.URL.RawQuery)
	if err != nil {
		return err
	}
	if g.rest != "" {
		return errUnknownParameter("_format and _pretty")
	}
	if err := misplaced(x.r.Header, "a batch or transaction; its entries have their own", "If-Match", "If-None-Match", "If-Unmodified-Since", "If-None-Exist"); err != nil {
		return err
	}
	if err := x.accept(g); err != nil {
		return err
	}
	base, err := h.base(x.r)
	if err != nil {
		return err
	}
	r, err := x.resource()
	if err != nil {
		return err
	}
	if r.Type() != "Bundle" {
		return fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDBundleExpected, "the base takes a Bundle; a resource is created with POST [type]")
	}
	if r.Get("type").Text() == "transaction" {
		x.name = "transaction"
	}
	p := parsePrefer(x.r.Header["Prefer"])
	b, err := h.cfg.Service.Bundle(x.r.Context(), interaction.BundleRequest{Base: base, Bundle: r, Return: p.result, Lenient: p.lenient,
		Metadata: func() []byte { return h.statement().body }})
	if err != nil {
		return err
	}
	x.bundle(b)
	return nil
}
