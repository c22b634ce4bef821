package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// client sends jobs to one server.
type client struct {
	base    string
	header  http.Header
	http    *http.Client
	retries int
	// waiting is told, before a request is tried again, why and after what time.
	waiting func(reason string, wait time.Duration)
	// pause waits; tests replace it.
	pause func(ctx context.Context, d time.Duration) error
}

// newClient returns a client that keeps as many connections as there are workers.
func newClient(o *Options) *client {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConns:          o.Jobs,
		MaxIdleConnsPerHost:   o.Jobs,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   30 * time.Second,
		ResponseHeaderTimeout: o.Timeout,
		WriteBufferSize:       64 << 10,
	}
	return &client{
		base:    o.Server,
		header:  o.Header,
		retries: o.Retries,
		pause:   pause,
		// A redirect of a POST would arrive as a GET. It is a response here, and its reason names the place.
		http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// pause returns after d, or with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reach returns an error where nothing takes connections at the server's address for some seconds. A server behind a proxy is not tried.
func (c *client) reach(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base, nil)
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	if proxy, err := http.ProxyFromEnvironment(req); proxy != nil || err != nil {
		return err
	}
	port := req.URL.Port()
	if port == "" {
		port = req.URL.Scheme
	}
	dialer := &net.Dialer{Timeout: reachTime}
	for try := 0; ; try++ {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(req.URL.Hostname(), port))
		if err == nil {
			return conn.Close()
		}
		if try == reachTries || !errors.Is(err, syscall.ECONNREFUSED) || ctx.Err() != nil {
			return unreachable(c.base, err)
		}
		if err := c.pause(ctx, backoff(try)); err != nil {
			return err
		}
	}
}

// A server is tried for some three seconds before the first request, and each try may take five.
const (
	reachTries = 3
	reachTime  = 5 * time.Second
)

// send sends the job, again where that is safe and of use, and returns the last response. The error is of a server that gave none. When ctx
// ends, it waits for the response, and does not retry; when sending ends, it returns at once.
func (c *client) send(ctx, sending context.Context, j *job) (*response, error) {
	for try := 0; ; try++ {
		a, after, err := c.once(sending, j)
		if sending.Err() != nil {
			return nil, sending.Err()
		}
		if try == c.retries || !again(j, a, err) || ctx.Err() != nil {
			return a, err
		}
		wait := max(after, backoff(try))
		if c.waiting != nil {
			if err != nil {
				c.waiting(unreachable(c.base, err).Error(), wait)
			} else {
				c.waiting(a.reason(), wait)
			}
		}
		if err := c.pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// once sends the job and returns the response and its Retry-After.
func (c *client) once(ctx context.Context, j *job) (*response, time.Duration, error) {
	r, err := j.body.reader()
	if err != nil {
		return nil, 0, &unsentError{err}
	}
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(traced, j.method, c.base+j.path, r)
	if err != nil {
		_ = r.Close()
		return nil, 0, &unsentError{err}
	}
	for name, values := range c.header {
		req.Header[name] = values
	}
	req.ContentLength = j.body.size
	req.Header.Set("Content-Type", "application/fhir+json")
	req.Header.Set("Accept", "application/fhir+json")
	req.Header.Set("Prefer", "return=minimal")
	res, err := c.http.Do(req)
	if u, ok := r.(*unchanged); ok && err != nil && u.changed.Load() {
		return nil, 0, &unsentError{errChanged}
	}
	if err != nil && !connected.Load() {
		return nil, 0, &unsentError{err}
	}
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	a, err := readResponse(res.StatusCode, res.Body)
	if err != nil {
		return nil, 0, err
	}
	// What is left of the body is read, so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, res.Body, 1<<20)
	if to := res.Header.Get("Location"); res.StatusCode/100 == 3 && to != "" {
		a.text = "the server redirects to " + to + "; give its FHIR base as --server"
	}
	return a, retryAfter(res.Header.Get("Retry-After"), time.Now()), nil
}

// unsentError is of a request of which the server was sent nothing, or less than all of its body.
type unsentError struct{ error }

// Unwrap returns the cause.
func (e *unsentError) Unwrap() error { return e.error }

// again reports whether the job is to be sent again after this response or error.
func again(j *job, a *response, err error) bool {
	if err != nil {
		var broken *net.OpError
		var name *net.DNSError
		if errors.As(err, &name) && name.IsNotFound {
			return false
		}
		if neverSent(err) {
			return true
		}
		return j.safe && (errors.As(err, &broken) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
	}
	if a.is(transactionLimit) {
		return false
	}
	if a.is(storageUnknown) && !j.safe {
		return false
	}
	switch a.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return j.safe
	}
	return false
}

// Bounds of the time before a request is sent again.
const (
	firstWait = 250 * time.Millisecond
	maxWait   = 30 * time.Second
	// maxRetryAfter bounds what a server can ask for.
	maxRetryAfter = 5 * time.Minute
)

// backoff returns the time to wait after the try-th failure, counted from 0: doubling, with a quarter of it random, so that workers do
// not come back together.
func backoff(try int) time.Duration {
	d := maxWait
	if try < 7 {
		d = min(maxWait, firstWait<<try)
	}
	return d - time.Duration(rand.Int64N(int64(d)/4))
}

// retryAfter returns the time that a Retry-After header asks for (RFC 9110 section 10.2.3: seconds or a date); 0 where it says none.
func retryAfter(h string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseInt(h, 10, 64); err == nil {
		d = time.Duration(min(max(n, 0), int64(maxRetryAfter/time.Second))) * time.Second
	} else if t, err := http.ParseTime(h); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// unreachable is the error of a server that gave no response, on one line.
func unreachable(base string, err error) error {
	if errors.Is(err, errChanged) {
		return errChanged
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing is listening at %s; start a server with `fhirgate serve`, or name another with --server", base)
	}
	return fmt.Errorf("no response from %s: %w", base, err)
}
