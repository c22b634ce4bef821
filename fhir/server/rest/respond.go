package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// The values of headers that all answers share; net/http does not change them.
var (
	varyHeader  = []string{"Accept, Accept-Encoding, Origin"}
	revalidate  = []string{"private, no-cache"}
	gzipHeader  = []string{"gzip"}
	sniffHeader = []string{"nosniff"}
)

// json writes an answer in FHIR JSON: indented if the client asked for that, compressed if it pays. It reports whether all was written: where
// not, the client has gone, and body may still be read by what is sending it (an HTTP/2 frame under way).
func (x *exchange) json(status int, body []byte) (whole bool) {
	head := x.w.Header()
	head["Content-Type"] = x.contentType
	head["Vary"] = varyHeader
	head["X-Content-Type-Options"] = sniffHeader
	if x.pretty {
		var b bytes.Buffer
		b.Grow(2 * len(body))
		if json.Indent(&b, body, "", "  ") == nil {
			b.WriteByte('\n')
			body = b.Bytes()
		}
	}
	if above := x.h.cfg.CompressAbove; above >= 0 && len(body) >= above && acceptsGzip(x.r.Header["Accept-Encoding"]) {
		return x.compressed(status, body)
	}
	head["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.w.WriteHeader(status)
	_, err := x.w.Write(body)
	return err == nil
}

// bundle writes a Bundle with json, and gives its memory back.
func (x *exchange) bundle(b interaction.Bundle) {
	if x.json(http.StatusOK, b.Body) {
		b.Release()
	}
}

// compressors are writers of gzip that are used again.
var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// compressed writes the body with gzip, in pieces, and reports whether all was written. Entity tags are weak, so that they are right for both
// forms.
func (x *exchange) compressed(status int, body []byte) (whole bool) {
	head := x.w.Header()
	head["Content-Encoding"] = gzipHeader
	x.w.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		x.w.WriteHeaderNow()
		return true
	}
	z := compressors.Get().(*gzip.Writer)
	z.Reset(x.w)
	_, err := z.Write(body)
	if err = errors.Join(err, z.Close()); err != nil {
		return false // and what was being sent is not used again
	}
	compressors.Put(z)
	return true
}

// acceptsGzip reports whether Accept-Encoding takes gzip (RFC 9110 section 12.5.3).
func acceptsGzip(header []string) bool {
	star := 0
	for _, line := range header {
		for line != "" {
			var item string
			item, line = cut(line, ',')
			m := parseMediaType(item)
			switch m.name {
			case "gzip", "x-gzip":
				return m.q > 0
			case "*":
				star = m.q
			}
		}
	}
	return star > 0
}

// validators sets ETag and Last-Modified of a version.
func (x *exchange) validators(version int64, updated time.Time) {
	head := x.w.Header()
	if version > 0 {
		head["Etag"] = []string{formatETag(version)}
	}
	if !updated.IsZero() {
		head["Last-Modified"] = []string{updated.UTC().Format(http.TimeFormat)}
	}
}

// empty writes an answer without a body.
func (x *exchange) empty(status int) {
	x.w.Header()["Vary"] = varyHeader
	x.w.WriteHeader(status)
	x.w.WriteHeaderNow()
}

// accept negotiates the form of the answer in FHIR JSON from the general parameters and the Accept header.
func (x *exchange) accept(p general) error {
	ct, err := negotiate(x.r.Header["Accept"], p.format)
	if err != nil {
		return err
	}
	x.contentType, x.pretty = ct, p.pretty
	return nil
}

// general are the parameters that every interaction takes (R4 http, 3.1.0.1.11 General parameters), and what else the query holds.
type general struct {
	format, summary string
	elements        []string
	pretty          bool
	// rest is the raw query without _format and _pretty; what it was where it has neither.
	rest string
	// other is the name of a parameter that is not one of the four; "" for none.
	other string
}

// readGeneral reads the general parameters of a raw query or form. What can't be unescaped, holds NUL or is no UTF-8 is refused.
func readGeneral(raw string) (general, error) {
	g := general{rest: raw}
	if raw == "" {
		return g, nil
	}
	if err := checkEscapes(raw); err != nil {
		return g, err
	}
	var kept []string
	dropped := false
	seen := 0
	for rest := raw; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key = unescapeQuery(key)
		bit := 0
		switch key {
		case "_format":
			bit, g.format, dropped = 1, unescapeQuery(value), true
		case "_pretty":
			bit, dropped = 2, true
			switch unescapeQuery(value) {
			case "true":
				g.pretty = true
			case "false":
			default:
				return g, fhir.NewError(fhir.KindInvalid, fhir.IssueValue, fhir.IDInvalidParameter, "_pretty is true or false")
			}
		case "_summary":
			g.summary = unescapeQuery(value)
		case "_elements":
			for _, e := range strings.Split(unescapeQuery(value), ",") {
				if e = strings.TrimSpace(e); e != "" {
					g.elements = append(g.elements, e)
				}
			}
		default:
			g.other = key
		}
		if bit == 0 {
			kept = append(kept, pair)
		} else if seen&bit != 0 {
			return g, fhir.NewError(fhir.KindInvalid, fhir.IssueMultiple, fhir.IDRepeatedParameter, key+" stands twice")
		}
		seen |= bit
	}
	if dropped {
		g.rest = strings.Join(kept, "&")
	}
	return g, nil
}
