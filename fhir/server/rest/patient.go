package rest

import (
	"io"
	"net/http"
	"time"
)

// patientWriter writes a long body for as long as its client takes some of it: one that takes nothing for stallTime has gone, and would hold the
// memory of its response.
type patientWriter struct {
	x       *exchange
	w       io.Writer
	control *http.ResponseController
	end     time.Time
	sent    int // since the last deadline
}

// pace is how many bytes are written until the deadline of the next.
const pace = startSize / 4

// patient returns a writer of a body to w, which is or leads to the client of x.
func (x *exchange) patient(w io.Writer) io.Writer {
	return &patientWriter{x: x, w: w, control: http.NewResponseController(x.w), end: x.start.Add(x.h.cfg.Limits.Request), sent: pace}
}

// Write implements io.Writer.
func (p *patientWriter) Write(body []byte) (n int, err error) {
	for len(body) > 0 {
		if p.sent >= pace {
			deadline := time.Now().Add(p.x.h.cfg.stallTime)
			if deadline.After(p.end) {
				deadline = p.end
			}
			// Where there are no deadlines, as in a test without a connection, nothing stalls.
			_ = p.control.SetWriteDeadline(deadline)
			p.sent = 0
		}
		written, err := p.w.Write(body[:min(len(body), pace-p.sent)])
		n, p.sent = n+written, p.sent+written
		if err != nil {
			return n, err
		}
		body = body[written:]
	}
	return n, nil
}
