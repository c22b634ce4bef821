package rest

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Binary in its native form (R4 binary, 2.41.6 Serving Binary Resources using the RESTful API,
// http://hl7.org/fhir/R4/binary.html#rest). Raw content comes in under its Content-Type and goes out unless FHIR JSON is asked for by name.

// binaryType is the one resource type that has a form beside FHIR's.
const binaryType = "Binary"

// writtenBinary reads the body of a create or update of a Binary. Content in a format of FHIR is the resource if it is one of type Binary, and otherwise
// content like any other. Content in a format of FHIR that is not served is refused: it would be stored as something else than it is.
func (x *exchange) writtenBinary() (fhir.Resource, error) {
	m := parseMediaType(x.r.Header.Get("Content-Type"))
	ofFHIR := strings.HasPrefix(m.name, "application/fhir+")
	if !x.h.formats.is(m.name) {
		if ofFHIR {
			_, err := x.h.formats.reading(m.name)
			return fhir.Resource{}, err
		}
		return x.rawBinary(x.q.Key.ID)
	}
	b, err := x.content()
	if err != nil {
		return fhir.Resource{}, err
	}
	for i := range x.h.formats.types {
		if t := &x.h.formats.types[i]; t.name == m.name {
			r, err := t.format.parse(b, x.limits())
			switch {
			case err != nil && ofFHIR:
				return fhir.Resource{}, err
			case err == nil && r.Type() == binaryType:
				return r, nil
			}
		}
	}
	return x.wrapped(x.q.Key.ID, b)
}

// rawBinary reads a body of any type as the content of a Binary. It is given the id, if there is one.
func (x *exchange) rawBinary(id string) (fhir.Resource, error) {
	b, err := x.content()
	if err != nil {
		return fhir.Resource{}, err
	}
	return x.wrapped(id, b)
}

// content reads a body that must have a type and not be empty.
func (x *exchange) content() ([]byte, error) {
	if parseMediaType(x.r.Header.Get("Content-Type")).name == "" {
		return nil, fhir.NewError(fhir.KindMediaType, fhir.IssueRequired, fhir.IDContentTypeMissing, "content needs a Content-Type")
	}
	b, err := x.body()
	if err == nil && len(b) == 0 {
		err = errNoBody()
	}
	return b, err
}

// wrapped returns the Binary of raw content.
func (x *exchange) wrapped(id string, content []byte) (fhir.Resource, error) {
	return fhir.ParseResource(wrapBinary(id, trim(x.r.Header.Get("Content-Type")), x.r.Header.Get("X-Security-Context"), content), x.limits())
}

// wrapBinary makes a Binary of raw content.
func wrapBinary(id, contentType, securityContext string, content []byte) []byte {
	w := &fhir.JSONWriter{Bytes: make([]byte, 0, base64.StdEncoding.EncodedLen(len(content))+len(contentType)+len(securityContext)+160)}
	w.Open('{')
	w.String("resourceType", binaryType)
	w.String("id", id)
	w.String("contentType", contentType)
	if securityContext != "" {
		w.Name("securityContext")
		w.Open('{')
		w.String("reference", securityContext)
		w.Close('}')
	}
	w.Name("data")
	return append(base64.StdEncoding.AppendEncode(append(w.Bytes, '"'), content), `"}`...)
}

// binary responds to a read of a Binary: with its content, or with the resource where the client asks for a format of FHIR.
func (x *exchange) binary(resource []byte) error {
	r, err := fhir.ParseResource(resource, fhir.Limits{})
	if err != nil {
		return err
	}
	contentType := r.Get("contentType").Text()
	if x.format, err = x.binaryForm(parseMediaType(contentType).name); err != nil {
		return err
	}
	if x.format != nil {
		x.write(http.StatusOK, resource)
		return nil
	}
	return x.native(contentType, r)
}

// binaryForm returns the format in which a Binary is written as a resource; nil for its content, which comes first where the client does not prefer a
// format of FHIR by name. Content that is of a format of FHIR itself is not what that name asks for.
func (x *exchange) binaryForm(content string) (*formatType, error) {
	f, v, accept := x.h.formats, &x.q.View, x.r.Header["Accept"]
	ofFHIR := strings.HasPrefix(content, "application/fhir+")
	if v.Format != "" {
		if parseMediaType(v.Format).name == content && !ofFHIR {
			return nil, nil
		}
		return f.negotiate(accept, v.Format)
	}
	if v.Summary != "" || len(v.Elements) > 0 {
		t, err := f.negotiate(accept, "")
		if err != nil {
			t = &f.types[0]
		}
		return t, nil
	}
	if len(accept) == 0 || len(accept) == 1 && accept[0] == "" {
		return nil, nil
	}
	offers := f.offers
	if wantsPage(accept) {
		offers = f.forPages
	}
	switch i := choose(accept, offers, content); i {
	case native:
		if _, specific := preference(accept, content, ofFHIR); ofFHIR && specific == byName {
			if t := f.byName(content); t != nil {
				return t, nil
			}
		}
		return nil, nil
	case none:
		return nil, f.errNotAcceptable(content)
	default:
		return f.byName(offers[i]), nil
	}
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
	_ = x.send(x.w, [][]byte{content}, len(content)) // an error means that the client has gone
	return nil
}

// safeHeader returns s without characters that a header cannot hold.
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
