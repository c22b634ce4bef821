package rest

import (
	"net/http"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/interaction"
)

// Create, update and delete, with and without conditions (R4 http, 3.1.0.4 to 3.1.0.8, http://hl7.org/fhir/R4/http.html#create).

// create serves POST [type], conditional with If-None-Exist.
func (h *Handler) create(x *exchange) error {
	typ, err := x.typeOf()
	if err != nil {
		return err
	}
	g, err := x.writeParameters()
	if err != nil {
		return err
	}
	if g.rest != "" {
		return errUnknownParameter("_format and _pretty")
	}
	base, err := h.base(x.r)
	if err != nil {
		return err
	}
	condition, err := ifNoneExist(x.r.Header, typ, base)
	if err != nil {
		return err
	}
	r, err := x.written(typ)
	if err != nil {
		return err
	}
	res, err := h.cfg.Service.Create(x.r.Context(), typ, r, condition)
	if err != nil {
		return err
	}
	return x.result(res)
}

// update serves PUT [type]/[id]; what is not there is created under the client's id.
func (h *Handler) update(x *exchange) error {
	key, err := x.keyOf()
	if err != nil {
		return err
	}
	g, err := x.writeParameters()
	if err != nil {
		return err
	}
	if g.rest != "" {
		return errUnknownParameter("_format and _pretty")
	}
	c, err := conditions(x.r.Header)
	if err != nil {
		return err
	}
	r, err := x.writtenUnder(key)
	if err != nil {
		return err
	}
	res, err := h.cfg.Service.Update(x.r.Context(), key, r, c)
	if err != nil {
		return err
	}
	return x.result(res)
}

// updateConditional serves PUT [type]?[search parameters].
func (h *Handler) updateConditional(x *exchange) error {
	typ, err := x.typeOf()
	if err != nil {
		return err
	}
	g, err := x.criteria()
	if err != nil {
		return err
	}
	c, err := conditions(x.r.Header)
	if err != nil {
		return err
	}
	r, err := x.written(typ)
	if err != nil {
		return err
	}
	res, err := h.cfg.Service.UpdateConditional(x.r.Context(), typ, r, g.rest, c)
	if err != nil {
		return err
	}
	return x.result(res)
}

// delete serves DELETE [type]/[id]. It succeeds as well where there is nothing to delete.
func (h *Handler) delete(x *exchange) error {
	key, err := x.keyOf()
	if err != nil {
		return err
	}
	g, err := x.writeParameters()
	if err != nil {
		return err
	}
	if g.rest != "" {
		return errUnknownParameter("_format and _pretty")
	}
	c, err := conditions(x.r.Header)
	if err != nil {
		return err
	}
	res, err := h.cfg.Service.Delete(x.r.Context(), key, c)
	if err != nil {
		return err
	}
	x.validators(res.Record.Version, res.Record.Updated)
	return x.deleted(res.Issues)
}

// deleteConditional serves DELETE [type]?[search parameters].
func (h *Handler) deleteConditional(x *exchange) error {
	typ, err := x.typeOf()
	if err != nil {
		return err
	}
	g, err := x.criteria()
	if err != nil {
		return err
	}
	c, err := conditions(x.r.Header)
	if err != nil {
		return err
	}
	if c.AnyMatch || c.NoneMatch || c.IfMatch != nil {
		return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, "conditional-if-match", "a conditional delete takes no If-Match; delete by id instead")
	}
	results, err := h.cfg.Service.DeleteConditional(x.r.Context(), typ, g.rest, c)
	if err != nil {
		return err
	}
	var issues []fhir.Issue
	for _, res := range results {
		issues = append(issues, res.Issues...)
	}
	return x.deleted(issues)
}

// deleted answers a delete: without a body, or with the outcome where the client prefers that.
func (x *exchange) deleted(issues []fhir.Issue) error {
	p := parsePrefer(x.r.Header["Prefer"])
	if p.result == "OperationOutcome" {
		x.json(http.StatusOK, fhir.AppendOutcome(nil, issues))
		return nil
	}
	x.empty(http.StatusNoContent)
	return nil
}

// writeParameters reads the general parameters of a write and negotiates its answer before anything is written.
func (x *exchange) writeParameters() (general, error) {
	g, err := readGeneral(x.r.URL.RawQuery)
	if err != nil {
		return g, err
	}
	if x.r.Method != http.MethodDelete && x.c.Param("type") == binaryType {
		// The Accept header of who writes raw content is often made for reading it: only a type that FHIR JSON is not excludes the answer.
		if _, err := negotiate(x.r.Header["Accept"], g.format); err != nil && g.format == "" {
			x.contentType, x.pretty = fhirJSONHeader, g.pretty
			return g, nil
		}
	}
	return g, x.accept(g)
}

// criteria is writeParameters for a conditional write: without criteria it would mean every resource of the type, and is refused.
func (x *exchange) criteria() (general, error) {
	g, err := x.writeParameters()
	if err == nil && g.rest == "" {
		err = fhir.NewError(fhir.KindInvalid, fhir.IssueRequired, "criteria-missing", "a conditional "+strings.ToLower(x.r.Method)+" needs search parameters, and one by id needs [type]/[id]")
	}
	return g, err
}

// ifNoneExist returns the condition of a conditional create on typ as a raw query; "" where there is none. base is the server's base URL. A create
// has no other conditions.
func ifNoneExist(h http.Header, typ, base string) (string, error) {
	if err := misplaced(h, "a create", "If-Match", "If-None-Match", "If-Unmodified-Since"); err != nil {
		return "", err
	}
	v := h["If-None-Exist"]
	if len(v) == 0 {
		return "", nil
	}
	if len(v) > 1 {
		return "", fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, "if-none-exist", "If-None-Exist stands twice")
	}
	q, err := interaction.ReadIfNoneExist(v[0], typ, base)
	if err != nil {
		return "", err
	}
	return q, checkEscapes(q)
}

// result answers a create or update with status, headers and the body that the client prefers; by default that is the resource.
func (x *exchange) result(res interaction.Result) error {
	base, err := x.h.base(x.r)
	if err != nil {
		return err
	}
	rec := &res.Record
	head := x.w.Header()
	x.validators(rec.Version, rec.Updated)
	status, where := http.StatusOK, "Content-Location"
	if res.Action == interaction.Created {
		status, where = http.StatusCreated, "Location"
	} else if x.r.Method == http.MethodPost {
		where = "Location"
	}
	tag := head["Etag"][0]
	head[where] = []string{base + "/" + rec.Key.Type + "/" + rec.Key.ID + "/_history/" + tag[3:len(tag)-1]}
	switch parsePrefer(x.r.Header["Prefer"]).result {
	case "minimal":
		head["Content-Length"] = []string{"0"}
		x.empty(status)
	case "OperationOutcome":
		x.json(status, fhir.AppendOutcome(nil, res.Issues))
	default:
		x.json(status, rec.Body)
	}
	return nil
}
