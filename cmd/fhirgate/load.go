package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fhirgate/fhirgate/cmd/fhirgate/load"
)

// newLoad returns the command load.
func newLoad(p *program) *cobra.Command {
	o := load.Options{Stdin: p.stdin, Progress: p.stderr}
	var headers []string
	cmd := &cobra.Command{
		Use:   "load [flags] FILE|FOLDER|PATTERN|-... | --sample",
		Short: "Send files to a FHIR server",
		Long: "load sends bundles, single resources and NDJSON to a FHIR server. It reads .json, .ndjson, .gz, .zip, .tar and .tgz files, folders with\n" +
			"everything below them, and standard input (-). Transactions and batches are sent as they are. Collections, search results and histories\n" +
			"are split into their resources. A resource with an id is updated (PUT), one without is created (POST). A FHIR package is loaded with its\n" +
			"examples. What cannot be loaded is listed at the end, and the exit status is 1.",
		Example: "  fhirgate load patients/\n  fhirgate load hl7.fhir.us.core-6.1.0.tgz\n  fhirgate load --server https://example.org/fhir -j 8 export.ndjson.gz\n  curl https://example.org/data.zip | fhirgate load -",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.Sample && len(args) > 0:
				return errors.New("--sample takes no files: load the sample and the files one after the other")
			case !o.Sample && len(args) == 0:
				return errors.New("load needs a file, a folder, a pattern, - for standard input, or --sample")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.Header, err = parseHeaders(headers); err != nil {
				return err
			}
			if !strings.HasPrefix(o.Server, "http://") && !strings.HasPrefix(o.Server, "https://") {
				return fmt.Errorf("--server must be the URL of a FHIR server, for example %s", load.DefaultServer)
			}
			if o.Jobs < 1 {
				return errors.New("--jobs must be greater than 0")
			}
			if o.Retries == 0 {
				o.Retries = -1
			}
			o.Files = args
			o.Terminal = isTerminal(p.stderr)
			if cache, err := os.UserCacheDir(); err == nil {
				o.Journals = filepath.Join(cache, "fhirgate")
			}
			ctx, abort, stop := interruptions(cmd.Context())
			defer stop()
			o.Abort = abort
			s, err := load.Run(ctx, o)
			if s.Files > 0 || err == nil {
				s.Write(cmd.OutOrStdout())
			}
			var failure *load.Failure
			if errors.As(err, &failure) && s.Failed > 1 {
				return fmt.Errorf("%d not loaded; the first: %w", s.Failed, err)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Server, "server", load.DefaultServer, "base `URL` of the FHIR server")
	f.BoolVar(&o.Sample, "sample", false, "load six synthetic patients with their records, which are part of the program")
	f.IntVarP(&o.Jobs, "jobs", "j", 4, "number of requests in flight at once")
	f.BoolVar(&o.Stop, "stop", false, "stop at the first failure, instead of trying everything")
	f.BoolVar(&o.Resume, "resume", false, "continue an earlier run of the same files that was interrupted or had failures, and send nothing twice")
	f.IntVar(&o.Retries, "retries", 8, "how many times to retry a request that fails with 429, 503 or no connection")
	f.DurationVar(&o.Timeout, "response-timeout", 10*time.Minute, "how long to wait for a response to begin")
	f.StringArrayVar(&headers, "header", nil, "`header` of every request, for example \"Authorization: Bearer ...\"; may be repeated")
	return cmd
}

// interruptions returns a context that the first SIGINT or SIGTERM ends, and a channel that the second closes.
func interruptions(parent context.Context) (ctx context.Context, second <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals, again, done := make(chan os.Signal, 2), make(chan struct{}), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for _, f := range []func(){cancel, func() { close(again) }} {
			select {
			case <-signals:
				f()
			case <-done:
				return
			}
		}
	}()
	return ctx, again, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// parseHeaders makes a Header of "Name: value" texts.
func parseHeaders(texts []string) (http.Header, error) {
	h := make(http.Header)
	for _, t := range texts {
		name, value, ok := strings.Cut(t, ":")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsFunc(name, notOfHeaders) {
			return nil, errors.New("--header must have the form \"Name: value\"")
		}
		h.Add(name, strings.TrimSpace(value))
	}
	return h, nil
}

// notOfHeaders reports whether a character is not allowed in a header's name (RFC 9110, 5.6.2).
func notOfHeaders(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
}

// isTerminal reports whether w is a terminal that can show a bar.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}
