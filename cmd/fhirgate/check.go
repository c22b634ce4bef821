package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
)

// newCheck returns the command check.
func newCheck(p *program) *cobra.Command {
	s := settings{validate: choice{value: "off"}, existing: true}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read everything in a data folder and say what is wrong",
		Long: "check reads everything in a data folder and compares it: whether each byte is what was written, whether resources have all their versions,\n" +
			"and whether they are found by what they contain. The server that uses the folder must be stopped; `fhirgate restore` has checked what it made.\n" +
			"The exit status is 1 where something is wrong. No identifiers and no content are shown.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			gw, err := newGateway(ctx, &s, "127.0.0.1:8080", newLogger(p, "error", "text"))
			if err != nil {
				return err
			}
			defer gw.close()
			start := time.Now()
			bar := newBar(p.stderr, false)
			opt := embedded.CheckOptions{Entries: entriesFor(gw, &s), Progress: func(done, total int64) { bar.show("checked", done, total) }}
			found, err := gw.engine.Check(ctx, opt)
			bar.end()
			if errors.Is(err, context.Canceled) {
				return errors.New("the check was interrupted")
			}
			if err != nil {
				return err
			}
			for _, fault := range found.Faults {
				fmt.Fprintln(p.stdout, fault)
			}
			if opt.Entries == nil {
				fmt.Fprintln(p.stdout, "The search parameters can't be read, so resources were not compared with what they are found by.")
			}
			if len(found.Faults) > 0 || opt.Entries == nil {
				return errors.New("the data is not as it should be: restore a backup with `fhirgate restore`, or do what is said above")
			}
			fmt.Fprintf(p.stdout, "%s in %d versions read in %.1f s: nothing is wrong\n", resources(found.Resources), found.Versions, time.Since(start).Seconds())
			return gw.close()
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.data, "data", "fhirgate-data", "`folder` of the data")
	f.StringVar(&s.baseURL, "base-url", "", "`URL` of the server, where serve is given one: references that start with it are local")
	return cmd
}

// entriesFor returns what tells by what a resource of a gateway's store should be found; nil where the store's search parameters can't be read.
func entriesFor(gw *gateway, s *settings) func(storage.Record) ([]search.Entry, error) {
	if gw.open(s) != nil {
		return nil
	}
	gw.service.Close() // the check itself changes nothing
	return gw.service.Entries
}
