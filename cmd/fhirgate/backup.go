package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fhirgate/fhirgate/storage/embedded"
)

// newBackup returns the command backup.
func newBackup(p *program) *cobra.Command {
	var data string
	var keep int
	cmd := &cobra.Command{
		Use:   "backup TARGET",
		Short: "Back up a data folder, also of a running server",
		Long: "backup makes a backup of a data folder in the folder TARGET, which is made where it is missing. It is one moment of the store, whether\n" +
			"a server uses the folder or not. Later backups into the same TARGET take the space of what has changed since, and read what is there: what\n" +
			"is damaged is copied again. Each is whole by itself: restore takes any of them. TARGET is for one store, and for what is restored from its\n" +
			"backups: those of another store are refused.\n" +
			"Whoever can read TARGET can read all records.",
		Example: "  fhirgate backup --keep 30 /mnt/backup/fhirgate\n  fhirgate backup --data /var/lib/fhirgate /mnt/backup/fhirgate",
		Args:    oneArgument("TARGET, the folder of the backups"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if keep < 0 {
				return fmt.Errorf("--keep must be a number of backups, or 0 for all, but is %d", keep)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			start := time.Now()
			b, err := backUp(ctx, p, data, args[0], keep)
			if errors.Is(err, context.Canceled) {
				return errors.New("the backup was interrupted; those before are as they were")
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Backup %s: %s, %s, of which %s are new, in %.1f s\n", b.Name, resources(b.Count()), megabytes(b.Size()), megabytes(b.Added),
				time.Since(start).Seconds())
			if b.Damages > 0 {
				fmt.Fprintf(p.stderr, "%d files of earlier backups were damaged or missing, and are copied again: look at the disk of %s\n", b.Damages, args[0])
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "fhirgate-data", "`folder` of the data")
	f.IntVar(&keep, "keep", 0, "how many backups to keep; older ones are removed when the new one is whole; 0 for all")
	return cmd
}

// backUp freezes the store, by the server that uses it or by itself, and makes the backup.
func backUp(ctx context.Context, p *program, data, target string, keep int) (b embedded.BackupInfo, err error) {
	data, err = filepath.Abs(data)
	if err != nil {
		return b, err
	}
	dir, done, running, err := freezeRunning(ctx, data)
	if err != nil {
		return b, err
	}
	if !running {
		store, err := embedded.Open(data, embedded.Options{Log: newLogger(p, "warn", "text"), Cache: 8 << 20, Existing: true})
		if errors.Is(err, embedded.ErrInUse) {
			return b, fmt.Errorf("%w; if it is a server, it has no socket to ask for a backup (its log says why): stop it meanwhile", err)
		}
		if err != nil {
			return b, err
		}
		defer store.Close()
		if dir, done, err = store.Stage(ctx); err != nil {
			return b, err
		}
	}
	bar := newBar(p.stderr, true)
	b, err = embedded.Backup(ctx, dir, target, embedded.BackupOptions{Keep: keep, Progress: func(n, total int64) { bar.show("copied", n, total) }})
	bar.end()
	return b, errors.Join(err, done())
}

// oneArgument refuses any number of arguments but one.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			return nil
		case 0:
			return fmt.Errorf("%s needs %s", cmd.CommandPath(), what)
		}
		return fmt.Errorf("%s takes one argument, but was given %s too", cmd.CommandPath(), args[1])
	}
}

// megabytes returns a size in words.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
