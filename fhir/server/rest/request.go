package rest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// The reader of requests that come by HTTP (R4 http, 3.1.0, http://hl7.org/fhir/R4/http.html). It is the same for all interactions: what one of them
// leaves out, no handler can forget.

// formType is the media type of a POST _search.
const formType = "application/x-www-form-urlencoded"

// readRequest makes x.q of the request line and the headers, and negotiates the format of the response. The body is read when the request has been
// admitted.
func (x *exchange) readRequest() error {
	q := &x.q
	path, err := interaction.SplitPath(x.parts[:0], x.path())
	if err != nil {
		return err
	}
	if err := x.h.cfg.Service.Locate(q, x.r.Method, path); err != nil {
		if fhir.KindOf(err) == fhir.KindNotAllowed {
			x.allow(path)
		}
		return err
	}
	x.name = nameOf(q)
	if q.Base, err = x.h.base(x.r); err != nil {
		return err
	}
	if err := q.ReadQuery(x.r.URL.RawQuery); err != nil {
		return err
	}
	p := parsePrefer(x.r.Header["Prefer"])
	q.Prefer.Return, q.Prefer.Lenient = p.result, p.lenient || x.h.cfg.Lenient && !p.strict
	if q.Prefer.Return == "" && q.Code != interaction.CodeBundle {
		q.Prefer.Return = "representation"
	}
	if err := x.readConditions(); err != nil {
		return err
	}
	switch q.Code {
	case interaction.CodeSearchType, interaction.CodeSearchSystem, interaction.CodeSearchCompartment:
		q.Explain = x.r.Header.Get("X-Explain") == "true"
		if x.r.Method == http.MethodPost {
			q.ReadBody = x.form
			return nil // the form may say the format
		}
	case interaction.CodeCreate, interaction.CodeUpdate:
		if q.ReadBody = x.resource; q.Key.Type == binaryType {
			q.ReadBody = x.writtenBinary
		}
	case interaction.CodePatch:
		q.ReadBody = x.patch
	case interaction.CodeBundle:
		q.ReadBody = x.bundle
	case interaction.CodeOperation:
		if x.r.Method == http.MethodPost && x.r.ContentLength != 0 {
			if q.ReadBody = x.resource; q.Operation.Raw {
				q.ReadBody = x.rawOperation
			}
		}
	}
	return x.negotiate()
}

// path returns the path of the request below the base, escaped where it holds an escaped slash.
func (x *exchange) path() string {
	if x.r.URL.RawPath != "" {
		return strings.TrimPrefix(x.r.URL.RawPath, basePath)
	}
	return strings.ReplaceAll(strings.TrimPrefix(x.r.URL.Path, basePath), "%", "%25")
}

// allow sets the Allow header to the methods of a path.
func (x *exchange) allow(path []string) {
	x.w.Header().Set("Allow", strings.Join(append(x.h.cfg.Service.Allowed(path), http.MethodOptions), ", "))
}

// allowOfDefinition sets the Allow header to the methods of a definition of R4, the one resource whose path does not have all methods of its kind.
func (x *exchange) allowOfDefinition() {
	path, err := interaction.SplitPath(nil, x.path())
	if err != nil {
		return
	}
	x.allow(path)
	allowed := strings.Split(x.w.Header().Get("Allow"), ", ")
	allowed = slices.DeleteFunc(allowed, func(m string) bool { return m == http.MethodPatch || m == http.MethodDelete })
	x.w.Header().Set("Allow", strings.Join(allowed, ", "))
}

// nameOf returns the name that metrics know an interaction by.
func nameOf(q *interaction.Request) string {
	switch q.Code {
	case interaction.CodeOperation:
		return "$" + q.Operation.Name
	case interaction.CodeUpdate, interaction.CodeDelete, interaction.CodePatch:
		if q.Key.ID == "" {
			return string(q.Code) + "-conditional"
		}
	}
	return string(q.Code)
}

// readConditions reads the headers that state conditions.
func (x *exchange) readConditions() error {
	h := x.r.Header
	if len(h["If-Match"])+len(h["If-None-Match"])+len(h["If-None-Exist"])+len(h["If-Unmodified-Since"])+len(h["If-Modified-Since"]) == 0 {
		return nil
	}
	stated := interaction.Stated{IfMatch: h["If-Match"], IfNoneMatch: h["If-None-Match"], IfNoneExist: h["If-None-Exist"], IfUnmodifiedSince: h["If-Unmodified-Since"]}
	// A date that cannot be read counts as absent, and so does the header with any other method, as RFC 9110 section 13.1.3 demands.
	if v := h["If-Modified-Since"]; len(v) == 1 && (x.r.Method == http.MethodGet || x.r.Method == http.MethodHead) {
		if since, err := http.ParseTime(v[0]); err == nil {
			stated.ModifiedSince, stated.ModifiedBefore = since, since.Add(time.Second)
		}
	}
	return x.h.cfg.Service.ReadConditions(&x.q, &stated)
}

// form reads the body of a POST _search into the parameters. Its _format may choose another format of the response.
func (x *exchange) form() (fhir.Resource, error) {
	m := parseMediaType(x.r.Header.Get("Content-Type"))
	if m.name != formType && !(m.name == "" && x.r.ContentLength == 0) || m.charset != "" && m.charset != "utf-8" && m.charset != "utf8" {
		return fhir.Resource{}, fhir.NewError(fhir.KindMediaType, fhir.IssueNotSupported, fhir.IDContentType, "a POST _search carries "+formType+" in UTF-8")
	}
	b, err := x.body()
	if err != nil {
		return fhir.Resource{}, err
	}
	form := strings.Trim(string(b), "\r\n")
	x.q.Posted = form != ""
	if err := x.q.ReadQuery(form); err != nil {
		return fhir.Resource{}, err
	}
	return fhir.Resource{}, x.negotiate()
}

// bundle reads the body of a batch or transaction.
func (x *exchange) bundle() (fhir.Resource, error) {
	r, err := x.resource()
	switch {
	case err != nil:
		return r, err
	case r.Type() != "Bundle":
		return r, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDBundleExpected, "the base takes a Bundle; a resource is created with POST [type]")
	case r.Get("type").Text() == "transaction":
		x.name = "transaction"
	}
	return r, nil
}

// rawOperation reads the body of an operation that takes any: a resource where the media type is one of FHIR's own, or else the Binary of the content.
func (x *exchange) rawOperation() (fhir.Resource, error) {
	if strings.HasPrefix(parseMediaType(x.r.Header.Get("Content-Type")).name, "application/fhir+") {
		return x.resource()
	}
	return x.rawBinary("")
}

// patch reads the body of a patch: the Parameters of a FHIRPath Patch, or any other document as the Binary that a Bundle would carry it in.
func (x *exchange) patch() (fhir.Resource, error) {
	if _, err := x.h.formats.reading(x.r.Header.Get("Content-Type")); err == nil {
		return x.resource()
	}
	return x.rawBinary("")
}
