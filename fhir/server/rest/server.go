package rest

import (
	"log/slog"
	"net/http"
	"time"
)

// RequestTime is how long a request may take, where nothing else is configured.
const RequestTime = 10 * time.Minute

// NewServer returns an HTTP server for h, for HTTP/1.1 and HTTP/2 (without TLS to clients that begin with it), with the time limits that keep slow or
// silent clients from holding it: a header must arrive in 10 s and the whole request, its response included, must end within limit, or RequestTime where
// that is 0; a connection may be silent for 2 min between requests. What net/http has to say (broken TLS handshakes and the like) goes to log at level
// Debug.
func NewServer(h http.Handler, limit time.Duration, log *slog.Logger) *http.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if limit == 0 {
		limit = RequestTime
	}
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       limit,
		WriteTimeout:      limit,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    2 << 20, // so that a URL that is too long is refused by the Handler, with an OperationOutcome
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}
