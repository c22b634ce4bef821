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

// newRestore returns the command restore.
func newRestore(p *program) *cobra.Command {
	var data string
	var list bool
	cmd := &cobra.Command{
		Use:   "restore SOURCE --data DIR",
		Short: "Make a data folder from a backup",
		Long: "restore makes a data folder from a backup: SOURCE is the folder of the backups, for the newest, or the file of one of them. The data folder\n" +
			"must be new or empty. Every byte is compared with what was backed up, and the store is then read whole. Where it is interrupted, run it\n" +
			"again: a folder that is not restored whole can't be served.",
		Example: "  fhirgate restore --list /mnt/backup/fhirgate\n  fhirgate restore /mnt/backup/fhirgate --data restored\n" +
			"  fhirgate restore /mnt/backup/fhirgate/2026-11-30T031500.000Z.json --data restored",
		Args: oneArgument("SOURCE, the folder of the backups or the file of one"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return listBackups(p, args[0])
			}
			if !cmd.Flags().Changed("data") {
				return errors.New("restore needs --data, the folder to make")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			start := time.Now()
			bar := newBar(p.stderr, false)
			b, err := embedded.Restore(ctx, args[0], data, embedded.RestoreOptions{Progress: bar.show})
			bar.end()
			if errors.Is(err, context.Canceled) {
				return errors.New("the restore was interrupted; run it again")
			}
			if err != nil {
				return err
			}
			place, err := filepath.Abs(data)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Backup %s, with all until %s, is restored and read: %s in %s, in %.1f s\n", b.Name, b.Moment.Format(time.RFC3339),
				resources(b.Count()), place, time.Since(start).Seconds())
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "`folder` to make; it must be new or empty")
	f.BoolVar(&list, "list", false, "show the backups in SOURCE, and restore nothing")
	return cmd
}

// listBackups shows what backups a folder has.
func listBackups(p *program, source string) error {
	all, err := embedded.Backups(source)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("there is no backup in %s", source)
	}
	var damaged []error
	for _, b := range all {
		if b.Damaged != nil {
			damaged = append(damaged, b.Damaged)
			continue
		}
		fmt.Fprintf(p.stdout, "%s  %s, %s, with all until %s\n", b.Path, resources(b.Count()), megabytes(b.Size()), b.Moment.Format(time.RFC3339))
	}
	return errors.Join(damaged...)
}
