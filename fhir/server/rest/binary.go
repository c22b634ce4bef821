package rest

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Binary in its native form (R4 binary, 2.41.6 Serving Binary Resources using the RESTful API,
// http://hl7.org/fhir/R4/binary.html#rest). Raw content comes in under its Content-Type and goes out unless FHIR JSON is asked for by name.

// binaryType is the one resource type that has a form beside FHIR's.
const binaryType = "Binary"

// written reads the body of a create or update. Raw content of a Binary is given the id of key, if it has one.
func (x *exchange) written(key fhir.Key) (fhir.Resource, error) {
	if key.Type == binaryType {
		return x.writtenBinary(key.ID)
	}
	return x.resource()
}

// writtenBinary reads a Binary. Content in FHIR JSON is the resource if it is one of type Binary, and otherwise content like any other.
func (x *exchange) writtenBinary(id string) (fhir.Resource, error) {
	lim := fhir.Limits{Depth: x.h.cfg.Limits.Depth, Nodes: x.h.cfg.Limits.Nodes}
	contentType := trim(x.r.Header.Get("Content-Type"))
	m := parseMediaType(contentType)
	if m.name == "" {
		return fhir.Resource{}, fhir.NewError(fhir.KindMediaType, fhir.IssueRequired, fhir.IDContentTypeMissing, "content needs a Content-Type")
	}
	b, err := x.body()
	if err != nil {
		return fhir.Resource{}, err
	}
	if len(b) == 0 {
		return fhir.Resource{}, errNoBody()
	}
	if m.name == fhirJSON || m.name == plainJSON {
		r, err := fhir.ParseResource(b, lim)
		switch {
		case err != nil && m.name == fhirJSON:
			return fhir.Resource{}, err
		case err == nil && r.Type() == binaryType:
			return r, nil
		}
	}
	return fhir.ParseResource(wrapBinary(id, contentType, x.r.Header.Get("X-Security-Context"), b), lim)
}

// wrapBinary makes a Binary of raw content.
func wrapBinary(id, contentType, securityContext string, content []byte) []byte {
	dst := make([]byte, 0, base64.StdEncoding.EncodedLen(len(content))+len(contentType)+len(securityContext)+160)
	dst = append(dst, `{"resourceType":"Binary"`...)
	if id != "" {
		dst = append(dst, `,"id":`...)
		dst = fhir.AppendString(dst, id)
	}
	dst = append(dst, `,"contentType":`...)
	dst = fhir.AppendString(dst, contentType)
	if securityContext != "" {
		dst = append(dst, `,"securityContext":{"reference":`...)
		dst = fhir.AppendString(dst, securityContext)
		dst = append(dst, '}')
	}
	dst = append(dst, `,"data":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, content)
	return append(dst, `"}`...)
}

// binary answers a read of a Binary: with its content, or with the resource where the client asks for FHIR JSON.
func (x *exchange) binary(g general, rec storage.Record) error {
	r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
	if err != nil {
		return err
	}
	contentType := r.Get("contentType").Text()
	native := parseMediaType(contentType).name
	asResource, err := binaryForm(x.r.Header["Accept"], g, native)
	if err != nil {
		return err
	}
	if asResource {
		if g.format == "" && choose(x.r.Header["Accept"], fhirJSON, plainJSON) == 1 {
			x.contentType = plainJSONHeader
		} else if err := x.accept(general{format: g.format}); err != nil {
			x.contentType = fhirJSONHeader
		}
		x.pretty = g.pretty
		return x.subset(g, rec.Body)
	}
	return x.native(contentType, r)
}

// binaryForm says whether a Binary is answered as a resource. Its content comes first where the client does not prefer FHIR JSON by name.
// Content that is FHIR JSON is not what that name asks for.
func binaryForm(accept []string, g general, native string) (asResource bool, err error) {
	if g.format != "" {
		if m := parseMediaType(g.format).name; m == native && native != fhirJSON {
			return false, nil
		}
		_, err := formatHeader(g.format)
		return true, err
	}
	if g.summary != "" || len(g.elements) > 0 {
		return true, nil
	}
	if len(accept) == 0 || len(accept) == 1 && accept[0] == "" {
		return false, nil
	}
	switch choose(accept, native, fhirJSON, plainJSON) {
	case 0:
		_, specific := preference(accept, fhirJSON)
		return native == fhirJSON && specific == byName, nil
	case 1, 2:
		return true, nil
	}
	return false, errNotAcceptable(native)
}

// native writes the content of a Binary as it was given. What it holds is anybody's: a browser must neither guess its type nor run it.
func (x *exchange) native(contentType string, r fhir.Resource) error {
	content, err := decodeBase64(r.Get("data").Text())
	if err != nil {
		return &fhir.Error{Kind: fhir.KindInternal, Op: "read", Err: err}
	}
	head := x.w.Header()
	head["Content-Type"] = []string{safeHeader(contentType)}
	head["Vary"] = varyHeader
	head["X-Content-Type-Options"] = sniffHeader
	head.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	if ref := r.Get("securityContext").Get("reference").Text(); ref != "" {
		head.Set("X-Security-Context", safeHeader(ref))
	}
	head["Content-Length"] = []string{strconv.Itoa(len(content))}
	x.w.WriteHeader(http.StatusOK)
	x.w.Write(content) // an error means that the client has gone
	return nil
}

// safeHeader returns s without what can't stand in a header.
func safeHeader(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, s)
}

// decodeBase64 decodes base64Binary, which may hold white space.
func decodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, " \t\r\n") {
		s = strings.Map(func(c rune) rune {
			if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
				return -1
			}
			return c
		}, s)
	}
	return base64.StdEncoding.DecodeString(s)
}
