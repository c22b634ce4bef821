package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage"
)

// The values of headers that all responses share; net/http does not change them.
var (
	varyHeader  = []string{"Accept, Accept-Encoding, Origin"}
	revalidate  = []string{"private, no-cache"}
	noStore     = []string{"no-store"}
	sniffHeader = []string{"nosniff"}
	emptyHeader = []string{"0"}
)

// respond writes the response of an interaction: status, headers and body, for all of them.
func (x *exchange) respond(res *interaction.Response) error {
	q, head := &x.q, x.w.Header()
	switch q.Code {
	case interaction.CodeCapabilities:
		return x.capabilities(res)
	case interaction.CodeRead, interaction.CodeVRead:
		x.validators(&res.Record)
		head["Cache-Control"] = revalidate
		if q.Key.Type == binaryType && res.Resource != nil {
			return x.binary(res.Resource)
		}
	case interaction.CodeOperation:
		head["Cache-Control"] = noStore
		if o := res.Operation; o != nil {
			for name, values := range o.Header {
				head[name] = values
			}
			if o.Stream != nil {
				return x.stream(res.Status, o)
			}
		}
	case interaction.CodeBundle:
	case interaction.CodeCreate, interaction.CodeUpdate, interaction.CodePatch, interaction.CodeDelete:
		return x.written(res)
	default:
		head["Cache-Control"] = noStore
		if !res.Updated.IsZero() {
			head["Last-Modified"] = []string{httpTime(res.Updated)}
		}
	}
	if res.Parts != nil {
		x.writeParts(res.Status, res.Parts)
		return nil
	}
	if res.Resource == nil {
		x.empty(res.Status)
		return nil
	}
	if x.write(res.Status, res.Resource) {
		res.Release()
	}
	return nil
}

// written responds to a create, update, patch or delete with the body that the client prefers.
func (x *exchange) written(res *interaction.Response) error {
	x.validators(&res.Record)
	head := x.w.Header()
	if res.Located {
		where := "Content-Location"
		if res.Status == http.StatusCreated || x.q.Code == interaction.CodeCreate {
			where = "Location"
		}
		head[where] = []string{x.q.Base + "/" + res.Record.Key.Type + "/" + res.Record.Key.ID + "/_history/" + strconv.FormatInt(res.Record.Version, 10)}
	}
	switch {
	case x.q.Prefer.Return == "OperationOutcome":
		x.write(res.Status, fhir.AppendOutcome(nil, res.Issues))
	case res.Resource != nil:
		x.write(res.Status, res.Resource)
	default:
		if res.Status != http.StatusNoContent {
			head["Content-Length"] = emptyHeader
		}
		x.empty(res.Status)
	}
	return nil
}

// validators sets ETag and Last-Modified of a version.
func (x *exchange) validators(rec *storage.Record) {
	if rec.Version > 0 {
		head := x.w.Header()
		head["Etag"] = []string{formatETag(rec.Version)}
		head["Last-Modified"] = []string{httpTime(rec.Updated)}
	}
}

// formatETag renders a version as W/"3".
func formatETag(version int64) string {
	b := make([]byte, 0, 24)
	b = append(b, `W/"`...)
	b = strconv.AppendInt(b, version, 10)
	return string(append(b, '"'))
}

// httpTime renders a time for a header.
func httpTime(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// write writes a resource in the negotiated format, compressed if it pays. It reports whether all was written: where not, the client has gone, and
// the resource may still be read by what is sending it (an HTTP/2 frame under way).
func (x *exchange) write(status int, resource []byte) (whole bool) {
	if x.format == nil {
		x.format = &x.h.formats.types[0]
	}
	if x.format.format == &jsonFormat && !x.q.View.Pretty {
		return x.writeParts(status, [][]byte{resource})
	}
	room := rooms.Get().(*[]byte)
	body, err := x.format.format.Encode((*room)[:0], resource, x.q.View.Pretty)
	if err != nil {
		rooms.Put(room)
		return x.writeElse(status, resource, err)
	}
	if whole = x.writeParts(status, [][]byte{body}); whole && cap(body) <= startSize {
		*room = body
		rooms.Put(room)
	}
	return whole
}

// rooms is memory for bodies in other formats than that of the store. It comes back where all of a body was written.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// writeParts writes a body in the negotiated format as it is, compressed if it pays, and reports whether all was written.
func (x *exchange) writeParts(status int, parts [][]byte) (whole bool) {
	return x.writeAs(x.format.header, status, parts)
}

// writeAs writes a body with a Content-Type, compressed if it pays, and reports whether all was written.
func (x *exchange) writeAs(contentType []string, status int, parts [][]byte) (whole bool) {
	head, size := x.w.Header(), 0
	for _, p := range parts {
		size += len(p)
	}
	head["Content-Type"] = contentType
	head["Vary"] = varyHeader
	head["X-Content-Type-Options"] = sniffHeader
	if c := x.coding(size); c != nil {
		// Entity tags are weak, so that they are right for every coding.
		head["Content-Encoding"] = c.header
		x.w.WriteHeader(status)
		if x.r.Method == http.MethodHead {
			x.w.WriteHeaderNow()
			return true
		}
		return c.packed(x.w, func(w io.Writer) error { return x.send(w, parts, size) }) == nil
	}
	head["Content-Length"] = []string{strconv.Itoa(size)}
	x.w.WriteHeader(status)
	return x.send(x.w, parts, size) == nil
}

// send writes the parts of a body of size bytes to w, which is or leads to the client. A client that takes none of a long one for stallTime has gone: it would hold the memory of its response.
func (x *exchange) send(w io.Writer, parts [][]byte, size int) error {
	if size > startSize {
		w = x.patient(w)
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// writeElse responds where the negotiated format cannot hold a resource: a read is not acceptable, and what was written is told in the default format.
func (x *exchange) writeElse(status int, resource []byte, err error) (whole bool) {
	fallback := &x.h.formats.types[0]
	var e *fhir.Error
	if x.format == fallback || !errors.As(err, &e) {
		x.format = fallback
		x.fail(&fhir.Error{Kind: fhir.KindInternal, Op: "encode", Err: err})
		return false
	}
	x.format = fallback
	switch x.q.Code {
	case interaction.CodeCreate, interaction.CodeUpdate, interaction.CodePatch, interaction.CodeDelete, interaction.CodeBundle:
		return x.write(status, resource)
	}
	if status >= http.StatusBadRequest { // an OperationOutcome
		return x.write(status, resource)
	}
	c := *e
	c.Kind = fhir.KindNotAcceptable
	x.fail(&c)
	return false
}

// stream writes what an operation writes itself, piece by piece.
func (x *exchange) stream(status int, o *interaction.OperationResponse) error {
	head := x.w.Header()
	if o.ContentType == "" {
		head["Content-Type"] = x.format.header
	} else {
		head["Content-Type"] = []string{safeHeader(o.ContentType)}
	}
	head["Vary"] = varyHeader
	head["X-Content-Type-Options"] = sniffHeader
	var c *coding
	if o.ContentType == "" {
		c = x.coding(-1)
	}
	if c != nil {
		head["Content-Encoding"] = c.header
	}
	x.w.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		x.w.WriteHeaderNow()
		return nil
	}
	write := func(w io.Writer) error { return o.Stream(x.r.Context(), w) }
	var err error
	if c != nil {
		err = c.packed(x.patient(x.w), write)
	} else {
		err = write(x.patient(x.w))
	}
	if errors.Is(err, context.Canceled) && x.r.Context().Err() != nil {
		// The client has gone, or reads no more than what it has: it must not take that for the whole.
		panic(http.ErrAbortHandler)
	}
	return err
}

// empty writes a response without a body.
func (x *exchange) empty(status int) {
	x.w.Header()["Vary"] = varyHeader
	x.w.WriteHeader(status)
	x.w.WriteHeaderNow()
}

// capabilities responds with the CapabilityStatement, packed once in each coding.
func (x *exchange) capabilities(res *interaction.Response) error {
	asked, err := x.h.cfg.Service.Capability(&x.q)
	if err != nil {
		return err
	}
	s := x.h.capabilities(asked)
	head := x.w.Header()
	head["Etag"] = []string{s.etag}
	head["Cache-Control"] = revalidate
	if x.r.Method != http.MethodOptions && names(x.r.Header["If-None-Match"], s.etag) {
		x.empty(http.StatusNotModified)
		return nil
	}
	v := &x.q.View
	c := x.coding(-1)
	if packed := s.packed[c]; packed != nil && v.Summary == "" && len(v.Elements) == 0 && !v.Pretty && x.format.format == &jsonFormat {
		head["Content-Type"] = x.format.header
		head["Vary"] = varyHeader
		head["X-Content-Type-Options"] = sniffHeader
		head["Content-Encoding"] = c.header
		head["Content-Length"] = []string{strconv.Itoa(len(packed))}
		x.w.WriteHeader(http.StatusOK)
		x.w.Write(packed) // an error means that the client has gone
		return nil
	}
	x.write(res.Status, res.Resource)
	return nil
}

// names reports whether If-None-Match names a tag that is not the tag of a version. A header that can't be read names nothing: the response is then the whole.
func names(header []string, etag string) bool {
	for _, line := range header {
		for item := range strings.SplitSeq(line, ",") {
			if item = trim(item); item == "*" || strings.TrimPrefix(item, "W/") == strings.TrimPrefix(etag, "W/") {
				return true
			}
		}
	}
	return false
}
