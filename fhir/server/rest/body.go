package rest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/fhirgate/fhirgate/fhir"
)

// errBodyTooLarge is the answer to a body past the limit.
func errBodyTooLarge(limit int64) *fhir.Error {
	return fhir.NewError(fhir.KindTooLarge, fhir.IssueTooLong, fhir.IDBodyTooLarge, fmt.Sprintf("a body is at most %d bytes, unpacked", limit))
}

// errURITooLong is the answer to a URL past the limit.
func errURITooLong() *fhir.Error {
	return fhir.NewError(fhir.KindURITooLong, fhir.IssueTooLong, fhir.IDURLTooLong, "the URL is too long; a search can be sent as POST _search")
}

// decompressors are readers of gzip that are used again.
var decompressors = sync.Pool{New: func() any { return new(gzip.Reader) }}

// body reads the whole body, unpacked, within the limit. A declared length past it is refused before anything is read.
func (x *exchange) body() ([]byte, error) {
	limit := x.h.cfg.Limits.Body
	if x.r.ContentLength > limit {
		return nil, errBodyTooLarge(limit)
	}
	switch encoding := strings.ToLower(trim(strings.Join(x.r.Header["Content-Encoding"], ","))); encoding {
	case "", "identity":
		return x.readAll(x.r.Body, x.r.ContentLength, limit)
	case "gzip", "x-gzip":
		z := decompressors.Get().(*gzip.Reader)
		defer decompressors.Put(z)
		if err := z.Reset(http.MaxBytesReader(nil, x.r.Body, limit)); err != nil {
			return nil, errBody(err, "the body is not in the gzip format")
		}
		// The size before unpacking is no promise, only a start.
		return x.readAll(z, 4*max(x.r.ContentLength, 0), limit)
	}
	return nil, fhir.NewError(fhir.KindMediaType, fhir.IssueNotSupported, fhir.IDContentEncoding, "bodies are read plain or with Content-Encoding: gzip")
}

// startSize is the size of a body up to which it costs no more thought than its request.
const startSize = 1 << 20

// readAll reads r to its end: at most limit bytes. expect is what is expected to come, or less than 1 where that is not known; never more
// than startSize is set aside on its word, and what comes beyond is held against the limit on all bodies together.
func (x *exchange) readAll(r io.Reader, expect, limit int64) ([]byte, error) {
	b := make([]byte, 0, min(max(expect+1, 512), startSize, limit+1))
	for {
		if len(b) == cap(b) {
			if cap(b) >= startSize/2 {
				if x.upload == nil {
					x.upload = x.h.uploads.begin(x.w, x.start)
				}
				if !x.upload.take(int64(cap(b))) {
					return nil, errBusy()
				}
			}
			size := min(2*int64(cap(b)), max(limit+1, int64(cap(b))+1))
			if expect >= int64(cap(b)) && expect < size {
				size = expect + 1
			}
			grown := make([]byte, len(b), size)
			copy(grown, b)
			b = grown
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if int64(len(b)) > limit {
			return nil, errBodyTooLarge(limit)
		}
		if x.upload != nil {
			x.upload.arrived(int64(len(b)))
		}
		if err == io.EOF {
			if x.upload != nil {
				x.upload.done()
			}
			return b, nil
		}
		if err != nil {
			if x.upload != nil && x.upload.lost() {
				return nil, errBusy()
			}
			return nil, errBody(err, "the body could not be read to its end")
		}
	}
}

// errBusy refuses a body for which there is no memory left: waiting would let a slow client keep others out.
func errBusy() error {
	return fhir.NewError(fhir.KindUnavailable, fhir.IssueThrottled, fhir.IDBusy, "too many large bodies are being read; send this one again later")
}

// errBody is the answer to a body that breaks off or can't be unpacked.
func errBody(err error, text string) error {
	e := fhir.NewError(fhir.KindInvalid, fhir.IssueIncomplete, fhir.IDBodyIncomplete, text)
	e.Err = err
	return e
}

const (
	// drainTime is how long a refused body is read on.
	drainTime = 10 * time.Second
	// drainFactor times the limit of bodies is how much of it is read.
	drainFactor = 4
)

// drain reads on, for a bounded time and length, what a refused request still sends, and throws it away: many clients read no answer before
// they have sent their body, and a connection that is closed on them shows them an error of the network and not the answer. One who asked
// with Expect whether to send the body is only told.
func (x *exchange) drain() {
	if x.r.Body == nil || x.r.Body == http.NoBody || x.r.Header.Get("Expect") != "" {
		return
	}
	if x.upload != nil {
		stalled := x.upload.lost()
		if x.upload.release(); stalled {
			return
		}
	}
	// The server sets the deadlines of the next request itself.
	if err := http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(x.h.cfg.drainTime)); err != nil {
		return
	}
	// What breaks off breaks off: the answer is the same.
	_, _ = io.CopyN(io.Discard, x.r.Body, drainFactor*x.h.cfg.Limits.Body)
}

// resource reads and parses a body that must be a FHIR resource in JSON.
func (x *exchange) resource() (fhir.Resource, error) {
	format, err := x.h.formats.reading(x.r.Header.Get("Content-Type"))
	if err != nil {
		if x.r.ContentLength == 0 {
			return fhir.Resource{}, errNoBody()
		}
		return fhir.Resource{}, err
	}
	b, err := x.body()
	if err != nil {
		return fhir.Resource{}, err
	}
	if len(b) == 0 {
		return fhir.Resource{}, errNoBody()
	}
	return format.Decode(b, x.limits())
}

// limits are those of what a body holds.
func (x *exchange) limits() fhir.Limits {
	return fhir.Limits{Depth: x.h.cfg.Limits.Depth, Nodes: x.h.cfg.Limits.Nodes}
}

// errNoBody is the answer to a write without a body.
func errNoBody() error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueRequired, fhir.IDBodyMissing, "this interaction needs a resource in its body")
}
