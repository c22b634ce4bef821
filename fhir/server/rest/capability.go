package rest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// capability holds the rendered CapabilityStatement. It is made at its first use, and again after a client has changed a SearchParameter.
type capability struct {
	mu      sync.Mutex
	current atomic.Pointer[rendered]
}

// rendered is the CapabilityStatement but for implementation.url, which belongs behind before. A rendered one is not changed but replaced.
type rendered struct {
	custom        string // the parameters of clients that it was made with, as customKey tells them
	before, after []byte
	sum           [sha256.Size]byte
	// byBase are the statements for the first names that clients know the server by.
	byBase map[string]*statement
}

// maxStatements bounds how many are kept whole and packed: a server has few names, and a client may send any.
const maxStatements = 8

// statement is the CapabilityStatement for clients that know the server by one name.
type statement struct {
	body   []byte
	packed map[*coding][]byte // body in each coding; nil where it is not kept
	etag   string
}

// capabilities returns what the server says of itself. What is not asked for often is made at each request.
func (h *Handler) capabilities(c interaction.Capability) *statement {
	var r rendered
	switch {
	case c.Terminology:
		r.before, r.after = h.renderTerminology()
	case c.Types != nil:
		r.before, r.after = h.renderCapability(c.Types)
	default:
		return h.statement(c.Base)
	}
	r.sum = sha256.Sum256(append(slices.Clip(r.before), r.after...))
	return r.statement(c.Base)
}

// statement returns the CapabilityStatement as it is now, for a client that knows the server by base.
func (h *Handler) statement(base string) *statement {
	key := customKey(h.cfg.Search.Custom())
	r := h.capability.current.Load()
	if r != nil && r.custom == key {
		if s := r.byBase[base]; s != nil {
			return s
		}
		if len(r.byBase) >= maxStatements {
			return r.statement(base)
		}
	}
	h.capability.mu.Lock()
	defer h.capability.mu.Unlock()
	if r = h.capability.current.Load(); r == nil || r.custom != key {
		r = &rendered{custom: key}
		r.before, r.after = h.renderCapability(nil)
		r.sum = sha256.Sum256(append(slices.Clip(r.before), r.after...))
	} else if s := r.byBase[base]; s != nil {
		return s
	}
	s := r.statement(base)
	s.packed = map[*coding][]byte{}
	for _, c := range codings {
		var b bytes.Buffer
		err := c.packed(&b, func(w io.Writer) error { _, err := w.Write(s.body); return err })
		if err == nil { // writing into memory does not fail
			s.packed[c] = b.Bytes()
		}
	}
	more := *r
	if more.byBase = maps.Clone(r.byBase); more.byBase == nil {
		more.byBase = map[string]*statement{}
	}
	more.byBase[base] = s
	h.capability.current.Store(&more)
	return s
}

// statement returns the statement for a base.
func (r *rendered) statement(base string) *statement {
	url := fhir.AppendString(nil, base)
	sum := sha256.Sum256(append(r.sum[:], url...))
	return &statement{body: slices.Concat(r.before, url, r.after), etag: `W/"` + hex.EncodeToString(sum[:8]) + `"`}
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
