package rest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"

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
