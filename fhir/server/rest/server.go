package rest

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer returns an HTTP server for h with the time limits that keep slow or silent clients from holding it: a header must arrive in
// 10 s and a body, however large, in 10 min; a connection may be silent for 2 min between requests. What net/http has to say (broken TLS
// handshakes and the like) goes to log at level Debug.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Minute,
		WriteTimeout:      10 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    2 << 20, // so that a URL that is too long is refused by the Handler, with an OperationOutcome
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
