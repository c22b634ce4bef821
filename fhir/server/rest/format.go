package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/xml"
)

// Format is a form in which resources are written on the wire. A format is served by being in the list of formats: it is then negotiated, read, written
// and stated in the CapabilityStatement.
type Format struct {
	// Names are what _format calls it, beside its media types: "json".
	Names []string
	// Types are its media types, the preferred one first. Responses bear the one that the client asked for.
	Types []string
	// Encode writes a resource, given as JSON, in the format; indented where pretty is set. It may use the room behind dst, which is empty. An error
	// says that the format cannot hold it.
	Encode func(dst, resource []byte, pretty bool) ([]byte, error)
	// Decode reads a resource from body and writes its JSON to w, piece by piece; nil where the body is JSON. The error is an *fhir.Error for what is
	// wrong with the document, and otherwise that of body or w. It calls hold, which may be nil, before it takes much memory.
	Decode func(w io.Writer, body io.Reader, limits fhir.Limits, hold func(bytes int) error) error
	// generic are those of Types that browsers accept for pages, and that documents of any kind bear.
	generic []string
}

// The media types of FHIR JSON.
const (
	fhirJSON  = "application/fhir+json"
	plainJSON = "application/json"
)

// jsonFormat is FHIR JSON (http://hl7.org/fhir/R4/json.html).
var jsonFormat = Format{
	Names: []string{"json"},
	Types: []string{fhirJSON, plainJSON},
	Encode: func(_, resource []byte, pretty bool) ([]byte, error) {
		if !pretty {
			return resource, nil
		}
		var b bytes.Buffer
		b.Grow(2 * len(resource))
		if err := json.Indent(&b, resource, "", "  "); err != nil {
			return nil, err
		}
		b.WriteByte('\n')
		return b.Bytes(), nil
	},
}

// The media types of FHIR XML.
const (
	fhirXML  = "application/fhir+xml"
	plainXML = "application/xml"
	textXML  = "text/xml"
)

// newXMLFormat returns FHIR XML (http://hl7.org/fhir/R4/xml.html) of the types in a registry.
func newXMLFormat(registry *definition.Registry) *Format {
	format := xml.New(registry)
	return &Format{
		Names:   []string{"xml"},
		Types:   []string{fhirXML, plainXML, textXML},
		generic: []string{plainXML, textXML},
		Encode: func(dst, resource []byte, pretty bool) ([]byte, error) {
			dst = slices.Grow(dst, len(resource)+len(resource)/2+128)
			return format.AppendXML(dst, resource, xml.Options{Pretty: pretty})
		},
		Decode: func(w io.Writer, body io.Reader, limits fhir.Limits, hold func(bytes int) error) error {
			return format.WriteJSON(w, body, xml.Limits{Depth: limits.Depth, Hold: hold})
		},
	}
}

// parse parses a body that was read.
func (f *Format) parse(body []byte, limits fhir.Limits) (fhir.Resource, error) {
	if f.Decode != nil {
		var b bytes.Buffer
		if err := f.Decode(&b, bytes.NewReader(body), limits, nil); err != nil {
			return fhir.Resource{}, err
		}
		body = b.Bytes()
	}
	return fhir.ParseResource(body, limits)
}

// formats are those that are served, in the server's order of preference.
type formats struct {
	all []*Format
	// types are the media types of all, each with its format and the Content-Type header that responses bear; net/http does not change it.
	types []formatType
	// offers are the names of types; forPages are those without the generic ones.
	offers, forPages []string
}

// formatType is one media type of a format.
type formatType struct {
	format *Format
	name   string
	header []string
}

// newFormats returns formats of which the first is the default.
func newFormats(all ...*Format) *formats {
	f := &formats{all: all}
	for _, format := range all {
		for _, t := range format.Types {
			f.types = append(f.types, formatType{format, t, []string{t + "; charset=utf-8"}})
			f.offers = append(f.offers, t)
			if !slices.Contains(format.generic, t) {
				f.forPages = append(f.forPages, t)
			}
		}
	}
	return f
}

// byName returns the media type of a value of _format; nil where none is called so. A plus sign that a client forgot to escape arrives as a space.
func (f *formats) byName(format string) *formatType {
	m := parseMediaType(strings.ReplaceAll(format, "fhir ", "fhir+"))
	if !m.speaksR4() {
		return nil
	}
	for i := range f.types {
		t := &f.types[i]
		if t.name == m.name {
			return t
		}
		for _, n := range t.format.Names {
			if n == m.name {
				return t
			}
		}
	}
	return nil
}

// serves returns the error for a value of _format that names no format that is served.
func (f *formats) serves(format string) error {
	_, err := f.negotiate(nil, format)
	return err
}

// is reports whether a media type is one of FHIR's that is served.
func (f *formats) is(name string) bool {
	for i := range f.types {
		if f.types[i].name == name {
			return true
		}
	}
	return false
}

// names returns what the CapabilityStatement states.
func (f *formats) names() []string {
	var out []string
	for _, format := range f.all {
		out = append(append(out, format.Names...), format.Types...)
	}
	return out
}

// negotiate chooses the media type of a response from the Accept header and _format, which goes before it; KindNotAcceptable where there is none.
func (f *formats) negotiate(accept []string, format string) (*formatType, error) {
	if format != "" {
		if t := f.byName(format); t != nil {
			return t, nil
		}
		return nil, f.errNotAcceptable("")
	}
	if len(accept) == 0 {
		return &f.types[0], nil
	}
	if len(accept) == 1 {
		switch accept[0] {
		case "", "*/*", fhirJSON, "application/fhir+json; charset=utf-8", "application/fhir+json;charset=utf-8":
			return &f.types[0], nil
		}
		for i := range f.types {
			if f.types[i].name == accept[0] {
				return &f.types[i], nil
			}
		}
	}
	offers := f.offers
	if wantsPage(accept) {
		offers = f.forPages
	}
	if i := choose(accept, offers, ""); i >= 0 {
		return f.byName(offers[i]), nil
	}
	return nil, f.errNotAcceptable("")
}

// wantsPage reports whether an Accept header is a browser's for a page. These name application/xml before anything, and mean XHTML.
func wantsPage(accept []string) bool {
	for _, line := range accept {
		if strings.Contains(line, "text/html") {
			return true
		}
	}
	return false
}

// errNotAcceptable refuses a client that accepts no form that there is. native is the type of content that could be had as it is; "" for none.
func (f *formats) errNotAcceptable(native string) error {
	text := "responses are written as " + strings.Join(f.offers, " or ") + " in UTF-8, FHIR version 4.0"
	if native != "" {
		text += ", and this content in its own type"
	}
	return fhir.NewError(fhir.KindNotAcceptable, fhir.IssueNotSupported, fhir.IDNotAcceptable, text)
}

// reading returns the format in which a body of the type is read; an *Error of KindMediaType says why none.
func (f *formats) reading(header string) (*Format, error) {
	switch header {
	case fhirJSON, plainJSON, "application/fhir+json; charset=utf-8", "application/json; charset=utf-8", "application/fhir+json;charset=utf-8":
		return f.types[0].format, nil
	}
	m := parseMediaType(header)
	if m.name == "" {
		return nil, fhir.NewError(fhir.KindMediaType, fhir.IssueRequired, fhir.IDContentTypeMissing, "a body needs a Content-Type: "+f.offers[0])
	}
	for i := range f.types {
		if f.types[i].name != m.name {
			continue
		}
		if !m.speaksR4() {
			return nil, fhir.NewError(fhir.KindMediaType, fhir.IssueNotSupported, fhir.IDContentTypeParameter, "bodies are read in UTF-8 and FHIR version 4.0")
		}
		return f.types[i].format, nil
	}
	return nil, fhir.NewError(fhir.KindMediaType, fhir.IssueNotSupported, fhir.IDContentType, "bodies are read as "+strings.Join(f.offers, " or "))
}
