package rest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// errBodyTooLarge is the error for a body past the limit.
func errBodyTooLarge(limit int64) *fhir.Error {
	return fhir.NewError(fhir.KindTooLarge, fhir.IssueTooLong, fhir.IDBodyTooLarge, fmt.Sprintf("a body is at most %d bytes, unpacked", limit))
}

// errURITooLong is the error for a URL past the limit.
func errURITooLong() *fhir.Error {
	return fhir.NewError(fhir.KindURITooLong, fhir.IssueTooLong, fhir.IDURLTooLong, "the URL is too long; a search can be sent as POST _search")
}

// body reads the whole body, unpacked, within the limit.
func (x *exchange) body() (b []byte, err error) {
	err = x.unpacked(func(r io.Reader, expect int64) error {
		b, err = x.readAll(r, expect, x.h.cfg.Limits.Body)
		return err
	})
	return b, err
}

// unpacked calls read with the unpacked body and the length that is expected of it, which is less than 1 where it is not known. A declared length past
// the limit is refused before anything is read.
func (x *exchange) unpacked(read func(r io.Reader, expect int64) error) error {
	limit := x.h.cfg.Limits.Body
	if x.r.ContentLength > limit {
		return errBodyTooLarge(limit)
	}
	sent := &arriving{x: x, control: http.NewResponseController(x.w)}
	sent.extend(time.Now())
	defer sent.done()
	encoding := strings.ToLower(trim(strings.Join(x.r.Header["Content-Encoding"], ",")))
	if encoding == "" || encoding == "identity" {
		return read(sent, x.r.ContentLength)
	}
	c := codingNamed(encoding)
	if c == nil {
		return fhir.NewError(fhir.KindMediaType, fhir.IssueNotSupported, fhir.IDContentEncoding, "bodies are read plain or with Content-Encoding gzip or zstd")
	}
	return c.unpack(http.MaxBytesReader(nil, io.NopCloser(sent), limit), func(r io.Reader) error {
		// The size before unpacking is not a promise, only a start.
		return read(r, 4*max(x.r.ContentLength, 0))
	})
}

// arriving is the body as it is sent. One that makes no progress for stallTime is given up; a large one has its upload see to that.
type arriving struct {
	x        *exchange
	control  *http.ResponseController
	bytes    int64
	extended time.Time // when the deadline was set last
}

// Read implements io.Reader. The error of a body whose share another one has is that of busy.
func (a *arriving) Read(p []byte) (int, error) {
	n, err := a.x.r.Body.Read(p)
	a.bytes += int64(n)
	if a.x.upload == nil {
		if stall := a.x.h.cfg.stallTime; n > 0 && err == nil {
			if now := time.Now(); now.Sub(a.extended) > stall/16 {
				a.extend(now)
			}
		}
		return n, err
	}
	a.x.upload.arrived(a.bytes)
	if err != nil && err != io.EOF && a.x.upload.lost() {
		err = errBusy()
	}
	return n, err
}

// extend lets the connection be silent for stallTime from now on, within the time of the request.
func (a *arriving) extend(now time.Time) {
	a.extended = now
	deadline, end := now.Add(a.x.h.cfg.stallTime), a.x.start.Add(a.x.h.cfg.Limits.Request)
	if deadline.After(end) {
		deadline = end
	}
	// Where there are no deadlines, as in a test without a connection, nothing stalls.
	_ = a.control.SetReadDeadline(deadline)
}

// done ends the reading. The server watches the connection while the request runs, and takes a deadline that passes for its end.
func (a *arriving) done() {
	if a.x.upload != nil {
		a.x.upload.done()
		return
	}
	_ = a.control.SetReadDeadline(a.x.start.Add(a.x.h.cfg.Limits.Request))
}

// decoded reads the body in a format as JSON.
func (x *exchange) decoded(format *Format) (b []byte, err error) {
	if format.Decode == nil {
		return x.body()
	}
	limit := x.h.cfg.Limits.Body
	err = x.unpacked(func(r io.Reader, expect int64) error {
		g := gathered{x: x, limit: limit, expect: expect}
		g.begin()
		err := format.Decode(&g, &limited{r, limit, limit}, x.limits(), g.hold)
		g.let()
		b = g.b
		var e *fhir.Error
		if err != nil && !errors.As(err, &e) {
			return errBody(err, "the body could not be read to its end")
		}
		return err
	})
	return b, err
}

// limited reads at most limit bytes of a body, of which left are left; one that is longer is an error.
type limited struct {
	r           io.Reader
	limit, left int64
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errBodyTooLarge(l.limit)
	}
	return n, err
}

// gathered is a body that is being gathered in memory.
type gathered struct {
	x             *exchange
	b             []byte
	expect, limit int64
	// beside is the memory that a format's reader takes beside b, and shared what of it is held against the limit on all bodies together.
	beside, shared int64
}

// begin sets memory aside: never more than startSize on the word of expect.
func (g *gathered) begin() { g.b = make([]byte, 0, min(max(g.expect+1, 512), startSize, g.limit+1)) }

// grow makes room for more. What comes beyond startSize is held against the limit on all bodies together.
func (g *gathered) grow() error {
	b := g.b
	if cap(b) >= startSize/2 {
		if err := g.x.share(int64(cap(b))); err != nil {
			return err
		}
	}
	size := min(2*int64(cap(b)), max(g.limit+1, int64(cap(b))+1))
	if g.expect >= int64(cap(b)) && g.expect < size {
		size = g.expect + 1
	}
	grown := make([]byte, len(b), size)
	copy(grown, b)
	g.b = grown
	return nil
}

// share holds n bytes against the limit on all bodies together.
func (x *exchange) share(n int64) error {
	if x.upload == nil {
		x.upload = x.h.uploads.begin(x.w, x.start.Add(x.h.cfg.Limits.Request))
	}
	if !x.upload.take(n) {
		return errBusy()
	}
	return nil
}

// hold counts memory that a format's reader takes; as with the body itself, what is beyond startSize is shared.
func (g *gathered) hold(n int) error {
	if g.beside += int64(n); g.beside <= startSize {
		return nil
	}
	g.shared += int64(n)
	return g.x.share(int64(n))
}

// let gives back what hold took.
func (g *gathered) let() {
	if g.shared > 0 {
		g.x.upload.give(g.shared)
		g.shared = 0
	}
}

// Write implements io.Writer.
func (g *gathered) Write(p []byte) (int, error) {
	if int64(len(g.b)+len(p)) > g.limit {
		return 0, errBodyTooLarge(g.limit)
	}
	for cap(g.b)-len(g.b) < len(p) {
		if err := g.grow(); err != nil {
			return 0, err
		}
	}
	g.b = append(g.b, p...)
	return len(p), nil
}

// startSize is the size of a body up to which it costs no more thought than its request.
const startSize = 1 << 20

// readAll reads r to its end: at most limit bytes.
func (x *exchange) readAll(r io.Reader, expect, limit int64) ([]byte, error) {
	g := gathered{x: x, expect: expect, limit: limit}
	g.begin()
	for {
		if len(g.b) == cap(g.b) {
			if err := g.grow(); err != nil {
				return nil, err
			}
		}
		n, err := r.Read(g.b[len(g.b):cap(g.b)])
		g.b = g.b[:len(g.b)+n]
		if int64(len(g.b)) > limit {
			return nil, errBodyTooLarge(limit)
		}
		if err == io.EOF {
			return g.b, nil
		}
		if err != nil {
			var e *fhir.Error
			if errors.As(err, &e) {
				return nil, e
			}
			return nil, errBody(err, "the body could not be read to its end")
		}
	}
}

// errBusy refuses a body for which there is no memory left: waiting would let a slow client keep others out.
func errBusy() error {
	return fhir.NewError(fhir.KindUnavailable, fhir.IssueThrottled, fhir.IDBusy, "too many large bodies are being read; send this one again later")
}

// errBody is the error for a body that breaks off or can't be unpacked.
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

// drain reads on, for a bounded time and length, what a refused request still sends, and throws it away: many clients read no response before
// they have sent their body, and a connection that is closed on them shows them an error of the network and not the response. One who asked
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
	// A body that breaks off changes nothing: the response is the same.
	_, _ = io.CopyN(io.Discard, x.r.Body, drainFactor*x.h.cfg.Limits.Body)
}

// resource reads and parses a body that must be a FHIR resource.
func (x *exchange) resource() (fhir.Resource, error) {
	format, err := x.h.formats.reading(x.r.Header.Get("Content-Type"))
	if err != nil {
		if x.r.ContentLength == 0 {
			return fhir.Resource{}, errNoBody()
		}
		return fhir.Resource{}, err
	}
	if x.r.ContentLength == 0 {
		return fhir.Resource{}, errNoBody()
	}
	b, err := x.decoded(format)
	if err != nil {
		return fhir.Resource{}, err
	}
	if len(b) == 0 {
		return fhir.Resource{}, errNoBody()
	}
	// The tree of a large body is larger than the body.
	if n := fhir.TreeSize(b); n > startSize {
		err := x.share(int64(n))
		if x.upload.done(); err != nil {
			return fhir.Resource{}, err
		}
	}
	return fhir.ParseResource(b, x.limits())
}

// limits are those of what a body holds.
func (x *exchange) limits() fhir.Limits {
	return fhir.Limits{Depth: x.h.cfg.Limits.Depth, Nodes: x.h.cfg.Limits.Nodes}
}

// errNoBody is the error for a write without a body.
func errNoBody() error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueRequired, fhir.IDBodyMissing, "this interaction needs a resource in its body")
}
