package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhirgate/fhirgate/fhir"
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
			entries, unopened := entriesFor(gw, &s)
			found, err := gw.engine.Check(ctx, embedded.CheckOptions{Entries: entries, Progress: func(done, total int64) { bar.show("checked", done, total) }})
			bar.end()
			if err := report(p, found, unopened, err); err != nil {
				return err
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

// report shows what a check found, also where an error ended it, and returns the error of the command. unopened is why resources were not
// compared with what they are found by; nil where they were.
func report(p *program, found embedded.Checked, unopened, ended error) error {
	for _, fault := range found.Faults {
		fmt.Fprintln(p.stdout, fault)
	}
	if unopened != nil {
		fmt.Fprintf(p.stdout, "Resources were not compared with what they are found by, because the server could not use the data: %s\n", withoutIDs(unopened))
	}
	wrong := len(found.Faults) > 0 || unopened != nil
	switch {
	case errors.Is(ended, context.Canceled):
		return errors.New("the check was interrupted")
	case ended != nil && wrong:
		return fmt.Errorf("the check did not end, and what it found until then is above: %w", ended)
	case ended != nil:
		return fmt.Errorf("the check did not end: %w", ended)
	case wrong:
		return errors.New("the data is not as it should be: restore a backup with `fhirgate restore`, or do what is said above")
	}
	return nil
}

// withoutIDs returns what an error says. One of a layer that reads resources is cut to its issues: its key is an id, its cause may have content.
func withoutIDs(err error) string {
	var e *fhir.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	var says []string
	for _, issue := range e.Issues {
		says = append(says, issue.Text)
	}
	return cmp.Or(strings.Join(says, "; "), "it can't be read")
}

// entriesFor returns what tells by what a resource of a gateway's store should be found, or why nothing can.
func entriesFor(gw *gateway, s *settings) (func(storage.Record) ([]search.Entry, error), error) {
	if err := gw.open(s); err != nil {
		return nil, err
	}
	gw.service.Close() // the check itself changes nothing
	return gw.service.Entries, nil
}
