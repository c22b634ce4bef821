package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhirgate/fhirgate/fhir/server/operation"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
)

// settings are the settings of serve.
type settings struct {
	listen           string
	insecureListen   bool
	tlsCert          string
	tlsKey           string
	data             string
	existing         bool // the data folder must have a store: none is made
	mongodb          string
	mongodbPool      int
	mongodbTimeout   time.Duration
	baseURL          string
	trustProxy       bool
	origins          []string
	messageEndpoints []string

	validate          choice
	schemaDir         string
	integrity         bool
	allowPurge        bool
	zone              zone
	conditionalDelete choice
	handling          choice

	maxBody       size
	maxDepth      int
	maxEntries    int
	maxPage       int
	defaultPage   int
	searchTimeout time.Duration

	requestTimeout  time.Duration
	shutdownDelay   time.Duration
	shutdownTimeout time.Duration
	logLevel        choice
	logFormat       choice
}

// newServe returns the command serve.
func newServe(p *program) *cobra.Command {
	s := settings{
		validate:          choice{"base", []string{"off", "base"}},
		conditionalDelete: choice{"single", []string{"single", "multiple"}},
		handling:          choice{"strict", []string{"strict", "lenient"}},
		logLevel:          choice{"warn", []string{"debug", "info", "warn", "error"}},
		logFormat:         choice{"text", []string{"text", "json"}},
		maxBody:           64 << 20,
	}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve FHIR over HTTP",
		Long: "serve serves FHIR at http://ADDRESS/fhir, with /healthz, /readyz and /metrics beside it. On SIGTERM and SIGINT running requests end,\n" +
			"then the process exits with status 0. SIGHUP reads the site's schemas again.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("mongodb") && cmd.Flags().Changed("data") {
				return errors.New("--data and --mongodb both name a place for the data; set only one of them")
			}
			if !cmd.Flags().Changed("default-page") {
				s.defaultPage = min(s.defaultPage, s.maxPage)
			}
			return serve(cmd.Context(), p, &s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:8080", "`address` to listen on; port 0 takes a free one")
	f.BoolVar(&s.insecureListen, "insecure-listen", false, "allow an address that other machines can reach; anyone who can reach it can read and change all records")
	f.StringVar(&s.tlsCert, "tls-cert", "", "`file` with the server's certificate and its chain (PEM), for HTTPS; read again when it changes")
	f.StringVar(&s.tlsKey, "tls-key", "", "`file` with the private key of --tls-cert (PEM)")
	f.StringVar(&s.data, "data", "fhirgate-data", "`folder` of the data; created if it is missing")
	f.StringVar(&s.mongodb, "mongodb", "", "`URI` of a MongoDB replica set or sharded cluster, 6.0 or later, that holds the data instead of a folder")
	f.IntVar(&s.mongodbPool, "mongodb-pool", 100, "maximum number of connections to each MongoDB server; maxPoolSize in the URI overrides it")
	f.DurationVar(&s.mongodbTimeout, "mongodb-timeout", 5*time.Second, "how long an operation waits for a usable MongoDB server; serverSelectionTimeoutMS in the URI overrides it")
	f.StringVar(&s.baseURL, "base-url", "", "`URL` that links in responses start with, for example https://example.org/fhir; default is the address that the client used")
	f.BoolVar(&s.trustProxy, "trust-proxy", false, "take the address that the client used from Forwarded and X-Forwarded-* headers")
	f.StringSliceVar(&s.origins, "cors-origins", []string{"http://localhost:*", "http://127.0.0.1:*"}, "`origins` of web pages that may read responses and write; * for all")
	f.StringSliceVar(&s.messageEndpoints, "message-endpoints", nil, "`URLs` below which responses to asynchronous messages may be sent, for example https://example.org/fhir; none by default")
	f.Var(&s.validate, "validate", "validation of writes against the base specification")
	f.StringVar(&s.schemaDir, "schema-dir", "", "`folder` of the site's own JSON Schemas, one file per resource type (Patient.json)")
	f.BoolVar(&s.allowPurge, "allow-purge", false, "let anyone who can reach the server erase patients for good (Patient/[id]/$purge)")
	f.BoolVar(&s.integrity, "referential-integrity", false, "refuse references to resources of this server that do not exist")
	f.Var(&s.conditionalDelete, "conditional-delete", "whether a conditional delete with several matches fails (single) or deletes them all (multiple)")
	f.Var(&s.handling, "handling", "what an unknown search parameter does where the client's Prefer header does not say: strict refuses the request, lenient ignores the parameter and says so in the Bundle")
	f.Var(&s.zone, "zone", "time zone of dates without one, an IANA name such as Europe/Berlin; default is the zone that the data is indexed in, at first UTC; "+
		"to change it, run fhirgate reindex --zone")
	f.Var(&s.maxBody, "max-body", "maximum size of a request's body, uncompressed")
	f.IntVar(&s.maxDepth, "max-depth", 128, "maximum depth of a resource's JSON")
	f.IntVar(&s.maxEntries, "max-bundle-entries", 10000, "maximum number of entries of a batch or transaction")
	f.IntVar(&s.maxPage, "max-page", 1000, "maximum page size of a search or history")
	f.IntVar(&s.defaultPage, "default-page", 20, "page size of a search or history without _count; at most --max-page")
	f.DurationVar(&s.searchTimeout, "search-timeout", time.Minute, "maximum time of a search or history")
	f.DurationVar(&s.requestTimeout, "request-timeout", rest.RequestTime, "maximum time of any request, from its header to the end of its response; a body or response that makes no progress ends after a minute")
	f.DurationVar(&s.shutdownDelay, "shutdown-delay", 0, "how long requests are still accepted after SIGTERM while /readyz says 503, so that a load balancer turns to others")
	f.DurationVar(&s.shutdownTimeout, "shutdown-timeout", 30*time.Second, "how long running requests may continue after SIGTERM")
	f.Var(&s.logLevel, "log-level", "what is logged to standard error; info logs every request, without its URL and content")
	f.Var(&s.logFormat, "log-format", "whether a line of the log is key=value pairs (text) or an object (json)")
	return cmd
}

// serve runs the server until ctx ends or a signal asks it to stop. It returns nil if every request that it accepted got its response.
func serve(ctx context.Context, p *program, s *settings) error {
	if err := s.check(); err != nil {
		return err
	}
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stop)
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)

	ln, err := listen(ctx, s.listen)
	if err != nil {
		return err
	}
	defer ln.Close()
	log := newLogger(p, s.logLevel.value, s.logFormat.value)
	cert, err := newCertificate(s.tlsCert, s.tlsKey, log)
	if err != nil {
		return err
	}
	gw, err := newGateway(ctx, s, ln.Addr().String(), log)
	if err != nil {
		return err
	}
	defer gw.close()
	if gw.tracing, err = newTracing(ctx, log); err != nil {
		return err
	}

	f := &front{}
	open := func() error {
		if err := gw.open(s); err != nil {
			return err
		}
		h, err := gw.handler(s, log)
		if err == nil {
			f.open(h)
			announce(p, s, ln.Addr(), gw.place)
		}
		return err
	}
	opened := make(chan error, 1)
	waits := gw.readable(ctx)
	if waits == nil {
		if err := open(); full(err) {
			waits = err
		} else if err != nil {
			return err
		}
	}
	if waits != nil {
		f.wait(waits)
		fmt.Fprintf(p.stdout, "fhirgate %s is waiting for %s\n", release(), gw.place)
		waiting, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			if awaitReady(waiting, gw.store, f.wait) == nil {
				opened <- open()
			}
		}()
	}
	if err := gw.startControl(); err != nil {
		log.Warn(err.Error())
	}
	collected, stopCollecting := context.WithCancel(ctx)
	defer stopCollecting()
	go collectGarbage(collected)
	srv := rest.NewServer(f, s.requestTimeout, log)
	failed := make(chan error, 1)
	run := srv.Serve
	if cert != nil {
		srv.Handler, srv.TLSConfig = withHSTS(f), cert.config()
		run = func(ln net.Listener) error { return srv.ServeTLS(ln, "", "") }
	}
	go func() { failed <- run(ln) }()
	for {
		select {
		case err := <-failed:
			return errors.Join(fmt.Errorf("serving ended: %w", err), gw.close())
		case err := <-opened:
			if err != nil {
				return err
			}
		case <-reload:
			if err := gw.validator.Reload(); err != nil {
				log.Error("the schemas were not reloaded; the previous ones stay in force", "error", err.Error())
			} else {
				log.Warn("the schemas were reloaded")
			}
		case <-ctx.Done():
			return drain(srv, f, gw, s, stop)
		case <-stop:
			return drain(srv, f, gw, s, stop)
		}
	}
}

// scheme is that of the server's own URLs.
func (s *settings) scheme() string {
	if s.tlsCert != "" {
		return "https"
	}
	return "http"
}

// announce says where the server listens and where the data is.
func announce(p *program, s *settings, address net.Addr, place string) {
	fmt.Fprintf(p.stdout, "fhirgate %s serves FHIR R4 at %s://%s/fhir\nThe data is in %s\n", release(), s.scheme(), address, place)
	if s.insecureListen {
		fmt.Fprintln(p.stdout, "No authorization is configured: anyone who can reach this address can read and change all records.")
	} else {
		fmt.Fprintln(p.stdout, "No authorization is configured, so the server listens on loopback only: only programs on this machine can reach it.")
	}
}

// drain tells load balancers to turn to other servers, lets running requests end, closes the store, and says what was cut off: by the timeout, or by
// another signal. A signal during the delay ends only that.
func drain(srv *http.Server, f *front, gw *gateway, s *settings, again <-chan os.Signal) error {
	f.leave()
	if s.shutdownDelay > 0 {
		select {
		case <-time.After(s.shutdownDelay):
		case <-again:
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.shutdownTimeout)
	defer cancel()
	go func() {
		select {
		case <-again:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := srv.Shutdown(ctx)
	if err != nil {
		_ = srv.Close()
		err = fmt.Errorf("some requests were still running %s after shutdown began and were cut off; raise --shutdown-timeout to allow more time", s.shutdownTimeout)
	}
	return errors.Join(err, gw.close())
}

// check refuses settings that make no sense together.
func (s *settings) check() error {
	for _, n := range []struct {
		flag  string
		value int
	}{{"max-depth", s.maxDepth}, {"max-bundle-entries", s.maxEntries}, {"max-page", s.maxPage}, {"default-page", s.defaultPage}} {
		if n.value <= 0 {
			return fmt.Errorf("--%s must be greater than 0", n.flag)
		}
	}
	if s.defaultPage > s.maxPage {
		return fmt.Errorf("--default-page (%d) must not be greater than --max-page (%d)", s.defaultPage, s.maxPage)
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"search-timeout", s.searchTimeout}, {"request-timeout", s.requestTimeout}} {
		if d.value <= 0 {
			return fmt.Errorf("--%s must be a duration above zero, for example 30s, but is %v", d.flag, d.value)
		}
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"shutdown-timeout", s.shutdownTimeout}, {"shutdown-delay", s.shutdownDelay}} {
		if d.value < 0 {
			return fmt.Errorf("--%s must be a duration, for example 30s, but is %v", d.flag, d.value)
		}
	}
	if u, err := url.Parse(s.baseURL); s.baseURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil) {
		return fmt.Errorf("--base-url must be a URL without a query, for example https://example.org/fhir, but is %q", s.baseURL)
	}
	for _, o := range s.origins {
		if u, err := url.Parse(strings.TrimSuffix(o, ":*")); o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || strings.Trim(u.Path, "/") != "") {
			return fmt.Errorf("--cors-origins must be origins such as https://app.example.org or http://localhost:*, or *, but one is %q", o)
		}
	}
	for _, e := range s.messageEndpoints {
		if _, err := operation.ParseEndpoint(e); err != nil {
			return fmt.Errorf("--message-endpoints must be URLs of http or https with a host, and without a query, but one is %q", e)
		}
	}
	host, port, err := net.SplitHostPort(s.listen)
	if err != nil {
		return fmt.Errorf("--listen must be an address and a port, for example 127.0.0.1:8080, but is %q", s.listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("--listen: the port must be a number up to 65535, but is %q", port)
	}
	if !s.insecureListen && !loopback(host) {
		return fmt.Errorf("--listen %s can be reached from other machines, and no authorization is configured: anyone could read and change all records; "+
			"listen on 127.0.0.1, or set --insecure-listen if a network or a proxy guards the address", s.listen)
	}
	return nil
}

// loopback reports whether only this machine can reach the host. A name counts where all its addresses do.
func loopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	if host == "" {
		return false
	}
	addrs, err := net.LookupHost(host)
	if err != nil || len(addrs) == 0 {
		return false
	}
	for _, text := range addrs {
		if a, err := netip.ParseAddr(text); err != nil || !a.Unmap().IsLoopback() {
			return false
		}
	}
	return true
}

// listen opens the address.
func listen(ctx context.Context, address string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another program: stop that program, or choose another address with --listen", address)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("this user is not allowed to listen on %s: choose a port above 1023 with --listen", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is not an address of this machine: choose another with --listen", address)
	}
	return nil, fmt.Errorf("--listen %s: %w", address, err)
}
