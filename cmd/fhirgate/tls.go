package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"
)

// certificate is the certificate of --tls-cert and its key of --tls-key. What is in the files is taken up when they change: they are looked at when a
// client connects, and not again for a while.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	// looked is when the files were looked at, and seen what they were like then.
	looked time.Time
	seen   [2]fileState
}

// fileState tells a file apart from what it was before.
type fileState struct {
	size     int64
	modified time.Time
}

// lookAgain is how long the files count as unchanged after a look.
const lookAgain = time.Second

// newCertificate reads the files; nil where neither is named.
func newCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	switch {
	case cert == "" && key == "":
		return nil, nil
	case cert == "" || key == "":
		return nil, errors.New("--tls-cert and --tls-key belong together: the certificate with its chain, and the private key")
	}
	c := &certificate{cert: cert, key: key, log: log}
	loaded, seen, err := c.read()
	if err != nil {
		return nil, err
	}
	c.current, c.seen, c.looked = loaded, seen, time.Now()
	return c, nil
}

// read reads the files, and what they are like before: a change meanwhile is seen the next time.
func (c *certificate) read() (*tls.Certificate, [2]fileState, error) {
	seen, err := c.state()
	if err != nil {
		return nil, seen, err
	}
	loaded, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, seen, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", c.cert, c.key, err)
	}
	return &loaded, seen, nil
}

// state looks at the files.
func (c *certificate) state() (seen [2]fileState, err error) {
	for i, name := range []string{c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return seen, fmt.Errorf("--tls-cert, --tls-key: %w", err)
		}
		seen[i] = fileState{info.Size(), info.ModTime()}
	}
	return seen, nil
}

// get returns the certificate for a handshake. Files that can't be read leave the one before in force; the log says so once for each change.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookAgain {
		c.looked = now
		c.reload()
	}
	return c.current, nil
}

// reload takes up what is in the files, where they have changed. The lock is held.
func (c *certificate) reload() {
	seen, err := c.state()
	if err == nil && seen == c.seen {
		return
	}
	loaded, seen, err := c.read()
	if err != nil {
		if seen != c.seen {
			c.log.Error("the certificate was not reloaded; the previous one stays in force", "error", err.Error())
		}
		c.seen = seen
		return
	}
	c.current, c.seen = loaded, seen
	c.log.Warn("the certificate was reloaded")
}

// config is the configuration of TLS: 1.2 with the cipher suites that Go considers safe, or 1.3.
func (c *certificate) config() *tls.Config {
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12}
}

// withHSTS tells browsers to use TLS for a year (RFC 6797). It leaves localhost out, where that would hold for every other program on the machine.
func withHSTS(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && r.TLS.ServerName != "localhost" {
			w.Header()["Strict-Transport-Security"] = []string{"max-age=31536000"}
		}
		h.ServeHTTP(w, r)
	})
}
