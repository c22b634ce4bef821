package rest

import (
	"net/http"
	"sync"
	"time"
)

// Large bodies share what memory there is for them. A client that stops in the middle of its body, or sends it drop by drop, must not keep others out:
// it gives its share up when somebody else needs it, and in any case after a minute without progress.

const (
	// stallTime is how long a body, or a client that is sent one, may make no progress.
	stallTime = time.Minute
	// stallGrace is how long it may make none while another body needs its share.
	stallGrace = 5 * time.Second
	// progressBytes are what must arrive to count as progress.
	progressBytes = 64 << 10
)

// uploads are the large bodies of all running requests.
type uploads struct {
	limit            int64
	stallTime, grace time.Duration
	mu               sync.Mutex
	held             int64 // bytes that they take together
	reading          map[*upload]struct{}
}

// upload is the large body of one request. Its fields belong to uploads.mu, but for those of the request's own goroutine.
type upload struct {
	all      *uploads
	control  *http.ResponseController
	held     int64
	progress time.Time // when progressBytes had last arrived
	given    bool      // its share was given to another body
	// counted are the bytes at that time, end is when the body must be there, extended when the deadline was set last: all of the request's goroutine.
	counted  int64
	end      time.Time
	extended time.Time
}

// begin adds a body that is being read and must be there at end.
func (u *uploads) begin(w http.ResponseWriter, end time.Time) *upload {
	now := time.Now()
	one := &upload{all: u, control: http.NewResponseController(w), progress: now, end: end}
	u.mu.Lock()
	u.reading[one] = struct{}{}
	u.mu.Unlock()
	one.extend(now)
	return one
}

// take takes n bytes more for the body, if need be from bodies that make no progress; false where they are not left.
func (o *upload) take(n int64) bool {
	u := o.all
	u.mu.Lock()
	defer u.mu.Unlock()
	if o.given {
		return false
	}
	o.held += n
	u.held += n
	for u.held > u.limit {
		slowest := u.stalled(o)
		if slowest == nil {
			return false
		}
		u.held -= slowest.held
		slowest.held, slowest.given = 0, true
		delete(u.reading, slowest)
		// Its Read ends at once. An error means that the connection is gone, and so is its Read.
		_ = slowest.control.SetReadDeadline(time.Now())
	}
	return true
}

// give gives n bytes of the body's share back.
func (o *upload) give(n int64) {
	o.all.mu.Lock()
	defer o.all.mu.Unlock()
	n = min(n, o.held) // all of it may be another body's
	o.held -= n
	o.all.held -= n
}

// stalled returns the body, but for one, that has made no progress for the longest time, at least the grace; nil for none.
func (u *uploads) stalled(but *upload) (slowest *upload) {
	before := time.Now().Add(-u.grace)
	for o := range u.reading {
		if o != but && o.held > 0 && o.progress.Before(before) {
			slowest, before = o, o.progress
		}
	}
	return slowest
}

// arrived notes how much of the body is there.
func (o *upload) arrived(bytes int64) {
	if bytes-o.counted < progressBytes {
		return
	}
	o.counted = bytes
	now := time.Now()
	o.all.mu.Lock()
	o.progress = now
	given := o.given
	o.all.mu.Unlock()
	if !given && now.Sub(o.extended) > o.all.stallTime/16 {
		o.extend(now)
	}
}

// extend lets the connection be silent for stallTime from now on.
func (o *upload) extend(now time.Time) {
	o.extended = now
	deadline := now.Add(o.all.stallTime)
	if deadline.After(o.end) {
		deadline = o.end
	}
	// Where there are no deadlines, as in a test without a connection, nothing stalls.
	_ = o.control.SetReadDeadline(deadline)
}

// done ends the reading. The body keeps its share until release.
func (o *upload) done() {
	o.all.mu.Lock()
	defer o.all.mu.Unlock()
	delete(o.all.reading, o)
	if !o.given {
		// The server watches the connection while the request runs, and takes a deadline that passes for its end.
		_ = o.control.SetReadDeadline(o.end)
	}
}

// lost reports whether the body's share was given away.
func (o *upload) lost() bool {
	o.all.mu.Lock()
	defer o.all.mu.Unlock()
	return o.given
}

// release gives the body's share back. It may be called more than once.
func (o *upload) release() {
	o.all.mu.Lock()
	defer o.all.mu.Unlock()
	delete(o.all.reading, o)
	o.all.held -= o.held
	o.held = 0
}
