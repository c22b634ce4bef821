package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// newReindex returns the command reindex.
func newReindex(p *program) *cobra.Command {
	s := settings{validate: choice{value: "off"}, existing: true}
	cmd := &cobra.Command{
		Use:   "reindex",
		Short: "Rebuild the search index",
		Long: "reindex rebuilds the search index from the stored resources. Run it when the release notes say so, and to change --zone; the server\n" +
			"itself indexes for a new SearchParameter. Stop the servers that use the folder or database first. If it is interrupted, nothing is\n" +
			"lost: run it again.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			start := time.Now()
			count, err := reindex(ctx, p, &s)
			if ctx.Err() != nil {
				return fmt.Errorf("the reindex was interrupted after %s: run it again", resources(count))
			}
			if err == nil {
				fmt.Fprintf(p.stdout, "%s indexed in %.1f s\n", resources(count), time.Since(start).Seconds())
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.data, "data", "fhirgate-data", "`folder` of the data")
	f.StringVar(&s.mongodb, "mongodb", "", "`URI` of the MongoDB that holds the data")
	f.StringVar(&s.baseURL, "base-url", "", "`URL` that serve was given as --base-url: references that start with it are local")
	f.Var(&s.zone, "zone", "time zone of dates without one, an IANA name such as Europe/Berlin; default is the zone that the data is indexed in")
	return cmd
}

// reindex rebuilds the index of a folder or database, and returns how many resources it did.
func reindex(ctx context.Context, p *program, s *settings) (count int64, err error) {
	gw, err := newGateway(ctx, s, "127.0.0.1:8080", newLogger(p, "warn", "text"))
	if err != nil {
		return 0, err
	}
	defer gw.close()
	if err := awaitReady(ctx, gw.store, nil); err != nil {
		return 0, err
	}
	z, err := beginZone(ctx, gw.store, s.zone)
	if err != nil {
		return 0, err
	}
	if err := gw.openIn(s, z); err != nil {
		return 0, err
	}
	last := time.Now()
	failed, err := gw.service.ReindexAll(ctx, func(done, total int64) {
		count = done
		if time.Since(last) > 5*time.Second {
			last = time.Now()
			fmt.Fprintf(p.stderr, "%d of %d resources\n", done, total)
		}
	})
	if err != nil {
		return count, err
	}
	tellFailed(p.stderr, failed)
	if err := endZone(ctx, gw.store, z); err != nil {
		return count, err
	}
	return count, gw.close()
}

// tellFailed tells of resources that could not be indexed.
func tellFailed(w io.Writer, failed int64) {
	if failed > 0 {
		fmt.Fprintf(w, "%s could not be indexed and can't be found by a search; $reindex-status of the server lists them\n", resources(failed))
	}
}

// resources returns the number with its noun.
func resources(n int64) string {
	if n == 1 {
		return "1 resource"
	}
	return fmt.Sprintf("%d resources", n)
}
