package rest

import (
	"net/http"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// read serves GET [type]/[id] (R4 http, 3.1.0.2 read, http://hl7.org/fhir/R4/http.html#read). The stored bytes are the answer.
func (h *Handler) read(x *exchange) error {
	key, err := x.keyOf()
	if err != nil {
		return err
	}
	g, err := x.readParameters()
	if err != nil {
		return err
	}
	rec, err := h.cfg.Service.Read(x.r.Context(), key)
	return x.version(g, rec, err)
}

// vread serves GET [type]/[id]/_history/[vid] (R4 http, 3.1.0.3 vread, http://hl7.org/fhir/R4/http.html#vread).
func (h *Handler) vread(x *exchange) error {
	key, err := x.keyOf()
	if err != nil {
		return err
	}
	vid := x.c.Param("vid")
	if !fhir.ValidID(vid) {
		return errID()
	}
	g, err := x.readParameters()
	if err != nil {
		return err
	}
	rec, err := h.cfg.Service.VRead(x.r.Context(), key, vid)
	return x.version(g, rec, err)
}

// readParameters reads the query of a read. A parameter that a read does not have is refused unless the client is lenient.
func (x *exchange) readParameters() (general, error) {
	g, err := readGeneral(x.r.URL.RawQuery)
	if err != nil {
		return g, err
	}
	if g.other != "" && !parsePrefer(x.r.Header["Prefer"]).lenient {
		return g, errUnknownParameter("_format, _pretty, _summary and _elements")
	}
	return g, nil
}

// errUnknownParameter is the answer to a parameter that the interaction does not have.
func errUnknownParameter(known string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnknownParameter, "the parameters here are "+known)
}

// version answers with one version of a resource.
func (x *exchange) version(g general, rec storage.Record, err error) error {
	if err != nil {
		if fhir.KindOf(err) == fhir.KindGone {
			x.validators(rec.Version, rec.Updated)
		}
		return err
	}
	head := x.w.Header()
	etag := formatETag(rec.Version)
	head["Etag"] = []string{etag}
	head["Last-Modified"] = []string{rec.Updated.UTC().Format(http.TimeFormat)}
	head["Cache-Control"] = revalidate
	if err := readMatch(x.r.Header, rec.Version); err != nil {
		return err
	}
	same, err := notModified(x.r.Header, etag, rec.Updated)
	if err != nil {
		return err
	}
	if same {
		x.empty(http.StatusNotModified)
		return nil
	}
	if rec.Key.Type == binaryType {
		return x.binary(g, rec)
	}
	if err := x.accept(g); err != nil {
		return err
	}
	return x.subset(g, rec.Body)
}

// subset writes a resource as _summary and _elements ask for it.
func (x *exchange) subset(g general, body []byte) error {
	if g.summary != "" || len(g.elements) > 0 {
		var err error
		if body, err = x.h.cfg.Service.Subset(body, g.summary, g.elements); err != nil {
			return err
		}
	}
	x.json(http.StatusOK, body)
	return nil
}
