package rest

import (
	"net/http"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Create, update and delete, with and without conditions (R4 http, 3.1.0.4 to 3.1.0.8, http://hl7.org/fhir/R4/http.html#create).

// create serves POST [type], conditional with If-None-Exist.
func (h *Handler) create(x *exchange) error {
	typ, err := x.typeOf()
	if err != nil {
		return err
	}
	if err := x.noParameters(); err != nil {
		return err
	}
	base, err := h.base(x.r)
	if err != nil {
		return err
	}
	condition, err := ifNoneExist(x.r.Header, typ, base)
	if err != nil {
		return err
	}
	r, err := x.written(fhir.Key{Type: typ})
	if err != nil {
		return err
	}
	return x.result(h.cfg.Service.Create(x.r.Context(), typ, r, condition))
}

// update serves PUT [type]/[id]; what is not there is created under the client's id.
func (h *Handler) update(x *exchange) error {
	to, err := x.byID()
	if err != nil {
		return err
	}
	r, err := x.written(to.key)
	if err != nil {
		return err
	}
	return x.result(h.cfg.Service.Update(x.r.Context(), to.key, r, to.conditions))
}

// updateConditional serves PUT [type]?[search parameters].
func (h *Handler) updateConditional(x *exchange) error {
	to, err := x.byCriteria()
	if err != nil {
		return err
	}
	r, err := x.written(to.key)
	if err != nil {
		return err
	}
	return x.result(h.cfg.Service.UpdateConditional(x.r.Context(), to.key.Type, r, to.criteria, to.conditions))
}

// delete serves DELETE [type]/[id]. It succeeds as well where there is nothing to delete.
func (h *Handler) delete(x *exchange) error {
	to, err := x.byID()
	if err != nil {
		return err
	}
	res, err := h.cfg.Service.Delete(x.r.Context(), to.key, to.conditions)
	if err != nil {
		return err
	}
	x.validators(res.Record.Version, res.Record.Updated)
	return x.deleted(res)
}

// deleteConditional serves DELETE [type]?[search parameters].
func (h *Handler) deleteConditional(x *exchange) error {
	to, err := x.byCriteria()
	if err != nil {
		return err
	}
	if c := to.conditions; c.AnyMatch || c.NoneMatch || c.IfMatch != nil {
		return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDConditionalIfMatch, "a conditional delete takes no If-Match; delete by id instead")
	}
	results, err := h.cfg.Service.DeleteConditional(x.r.Context(), to.key.Type, to.criteria, to.conditions)
	if err != nil {
		return err
	}
	return x.deleted(results...)
}

// target is what the URL and the headers of a write say of the resource that it is about.
type target struct {
	key fhir.Key // without an id where criteria find the resource
	// criteria are the raw search parameters of a conditional write.
	criteria   string
	conditions interaction.Conditions
}

// byID reads the target of a write to [type]/[id].
func (x *exchange) byID() (to target, err error) {
	if to.key, err = x.keyOf(); err == nil {
		err = x.noParameters()
	}
	if err == nil {
		to.conditions, err = conditions(x.r.Header)
	}
	return to, err
}

// byCriteria reads the target of a write to [type]?[search parameters]. Without criteria it would be every resource of the type, and is refused.
func (x *exchange) byCriteria() (to target, err error) {
	if to.key.Type, err = x.typeOf(); err == nil {
		to.criteria, err = x.writeParameters()
	}
	if err == nil && to.criteria == "" {
		err = fhir.NewError(fhir.KindInvalid, fhir.IssueRequired, fhir.IDEmptyCondition, "a conditional "+strings.ToLower(x.r.Method)+" needs search parameters, and one by id needs [type]/[id]")
	}
	if err == nil {
		to.conditions, err = conditions(x.r.Header)
	}
	return to, err
}

// noParameters is writeParameters for a write that takes no others than the general ones.
func (x *exchange) noParameters() error {
	rest, err := x.writeParameters()
	if err == nil && rest != "" {
		err = errUnknownParameter("_format and _pretty")
	}
	return err
}

// writeParameters reads the general parameters of a write, negotiates its answer before anything is written, and returns the other parameters.
func (x *exchange) writeParameters() (rest string, err error) {
	g, err := readGeneral(x.r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	if x.r.Method != http.MethodDelete && x.c.Param("type") == binaryType {
		// The Accept header of who writes raw content is often made for reading it: only a type that FHIR JSON is not excludes the answer.
		if _, err := negotiate(x.r.Header["Accept"], g.format); err != nil && g.format == "" {
			x.contentType, x.pretty = fhirJSONHeader, g.pretty
			return g.rest, nil
		}
	}
	return g.rest, x.accept(g)
}

// deleted answers a delete: without a body, or with the outcome where the client prefers that.
func (x *exchange) deleted(results ...interaction.Result) error {
	if parsePrefer(x.r.Header["Prefer"]).result != "OperationOutcome" {
		x.empty(http.StatusNoContent)
		return nil
	}
	var issues []fhir.Issue
	for _, res := range results {
		issues = append(issues, res.Issues...)
	}
	x.json(http.StatusOK, fhir.AppendOutcome(nil, issues))
	return nil
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
		return "", fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDIfNoneExist, "If-None-Exist stands twice")
	}
	q, err := interaction.ReadIfNoneExist(v[0], typ, base)
	if err != nil {
		return "", err
	}
	return q, checkEscapes(q)
}

// result answers a create or update with status, headers and the body that the client prefers, by default the resource; or fails with err.
func (x *exchange) result(res interaction.Result, err error) error {
	if err != nil {
		return err
	}
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
