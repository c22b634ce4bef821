package rest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// capability holds the rendered CapabilityStatement. It is made at its first use, and again after a client has changed a SearchParameter.
type capability struct {
	mu      sync.Mutex
	current atomic.Pointer[statement]
}

// statement is one rendered CapabilityStatement.
type statement struct {
	custom string // the parameters of clients that it was made with, as customKey tells them
	body   []byte
	packed []byte // body with gzip
	etag   string
}

// metadata serves GET [base]/metadata and OPTIONS [base] (R4 http, 3.1.0.10 capabilities, http://hl7.org/fhir/R4/http.html#capabilities).
// Both modes of a CapabilityStatement answer with the full one; there is no TerminologyCapabilities.
func (h *Handler) metadata(x *exchange) error {
	g, err := readGeneral(x.r.URL.RawQuery)
	if err != nil {
		return err
	}
	if g.other == "mode" {
		err = checkMode(g.rest)
	} else if g.other != "" {
		err = errUnknownParameter("mode, _format, _pretty, _summary and _elements")
	}
	if err != nil {
		return err
	}
	if err := x.accept(g); err != nil {
		return err
	}
	s := h.statement()
	head := x.w.Header()
	head["Etag"] = []string{s.etag}
	head["Cache-Control"] = revalidate
	if x.r.Method != http.MethodOptions && matchesETag(x.r.Header["If-None-Match"], s.etag) {
		x.empty(http.StatusNotModified)
		return nil
	}
	if g.summary == "" && len(g.elements) == 0 && !x.pretty && h.cfg.CompressAbove >= 0 && acceptsGzip(x.r.Header["Accept-Encoding"]) {
		head["Content-Type"] = x.contentType
		head["Vary"] = varyHeader
		head["X-Content-Type-Options"] = sniffHeader
		head["Content-Encoding"] = gzipHeader
		head["Content-Length"] = []string{strconv.Itoa(len(s.packed))}
		x.w.WriteHeader(http.StatusOK)
		x.w.Write(s.packed) // an error means that the client has gone
		return nil
	}
	return x.subset(g, s.body)
}

// checkMode checks the parameter mode of capabilities.
func checkMode(query string) error {
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if unescapeQuery(key) != "mode" {
			continue
		}
		switch unescapeQuery(value) {
		case "full", "normative":
		case "terminology":
			return fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, fhir.IDInvalidParameter, "there is no terminology service, and so no TerminologyCapabilities")
		default:
			return fhir.NewError(fhir.KindInvalid, fhir.IssueValue, fhir.IDInvalidParameter, "mode is full, normative or terminology")
		}
	}
	return nil
}

// matchesETag reports whether If-None-Match names the tag. A header that can't be read matches nothing: the answer is then the whole.
func matchesETag(header []string, etag string) bool {
	if len(header) == 0 {
		return false
	}
	tags, all, _ := parseETags(header)
	for _, t := range tags {
		all = all || `W/"`+t+`"` == etag
	}
	return all
}

// statement returns the CapabilityStatement as it is now.
func (h *Handler) statement() *statement {
	key := customKey(h.cfg.Search.Custom())
	if s := h.capability.current.Load(); s != nil && s.custom == key {
		return s
	}
	h.capability.mu.Lock()
	defer h.capability.mu.Unlock()
	if s := h.capability.current.Load(); s != nil && s.custom == key {
		return s
	}
	s := &statement{custom: key, body: h.renderCapability()}
	sum := sha256.Sum256(s.body)
	s.etag = `W/"` + hex.EncodeToString(sum[:8]) + `"`
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(s.body) // writing into memory does not fail
	z.Close()
	s.packed = b.Bytes()
	h.capability.current.Store(s)
	return s
}

// customKey tells sets of custom parameters apart by what the statement shows of them.
func customKey(params []*search.Parameter) string {
	if len(params) == 0 {
		return ""
	}
	var b strings.Builder
	for _, p := range params {
		b.WriteString(p.URL + "|" + p.Code + "|" + p.Type + "|" + strings.Join(p.Base, ",") + "|" + strings.Join(p.Target, ",") + "\n")
	}
	return b.String()
}
