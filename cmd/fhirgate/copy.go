package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// newCopy returns the command copy.
func newCopy(p *program) *cobra.Command {
	var from, to, baseURL string
	cmd := &cobra.Command{
		Use:   "copy",
		Short: "Copy a database between a folder and MongoDB",
		Long: "copy copies a whole database from one place to another: all versions of all resources, including deletions, with their numbers,\n" +
			"times and methods, and what the server keeps for itself. The target must be empty, and no server may use either place meanwhile.\n" +
			"No server starts on a copy that is not finished. If copy is interrupted, it says what to do: while it copies, empty the target and\n" +
			"run it again; while it indexes, run it again, and it continues.",
		Example: "  fhirgate copy --from fhirgate-data --to 'mongodb://host:27017/fhir?replicaSet=rs0'\n  fhirgate copy --from 'mongodb://host:27017/fhir?replicaSet=rs0' --to fhirgate-data",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" || to == "" {
				return errors.New("copy needs --from and --to, each a folder or the URI of a MongoDB")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			c := &copying{p: p, each: 5 * time.Second}
			if err := c.run(ctx, place(from, baseURL), place(to, baseURL)); err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "%d versions of %d resources copied and indexed in %.1f s\n", c.versions, c.resources, time.Since(c.begun).Seconds())
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "`folder` or MongoDB URI to copy from")
	f.StringVar(&to, "to", "", "`folder` or MongoDB URI to copy to; it must hold nothing")
	f.StringVar(&baseURL, "base-url", "", "`URL` that serve was given as --base-url: references that start with it are local")
	return cmd
}

// place returns the settings of a gateway on a folder or URI.
func place(where, baseURL string) *settings {
	s := &settings{validate: choice{value: "off"}, baseURL: baseURL}
	if strings.Contains(where, "://") {
		s.mongodb = where
	} else {
		s.data = where
	}
	return s
}

// copyPage is how many versions are read and written at a time.
const copyPage = 500

// copying is one run of copy.
type copying struct {
	p                   *program
	begun               time.Time
	versions, resources int64
	bar                 *progressbar.ProgressBar
	// each is how often a line is written where there is no terminal, last when one was.
	each time.Duration
	last time.Time
}

// run copies from one place to the other and indexes what was copied.
func (c *copying) run(ctx context.Context, from, to *settings) error {
	c.begun, c.last = time.Now(), time.Now()
	log := newLogger(c.p, "warn", "text")
	from.existing = true
	source, err := newGateway(ctx, from, "127.0.0.1:8080", log)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	defer source.close()
	target, err := newGateway(ctx, to, "127.0.0.1:8080", log)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	defer target.close()
	for _, g := range []*gateway{source, target} {
		if err := awaitReady(ctx, g.store, nil); err != nil {
			return err
		}
	}
	in, out := source.store, target.store
	if stage, err := copyStage(ctx, in); err != nil {
		return err
	} else if stage != "" {
		return unfinishedCopy("--from: ")
	}
	stage, err := copyStage(ctx, out)
	switch {
	case err != nil:
		return err
	case stage == stageCopying:
		return errors.New("--to: an earlier copy to it was interrupted while it copied: " + howToEmpty(to) + ", then run copy again")
	case stage == "":
		if err := mustBeEmpty(ctx, out); err != nil {
			return err
		}
		if err := c.copyAll(ctx, in, out); err != nil {
			return c.interrupted(ctx, err, "the copy is not finished: "+fmt.Sprintf("%d versions of %d resources were copied", c.versions, c.resources)+
				", and no server starts on them. To begin again, "+howToEmpty(to)+", then run copy again")
		}
	}
	target.copying = true
	if err := c.index(ctx, target, to); err != nil {
		return c.interrupted(ctx, err, "everything is copied, but not all of it is indexed, and no server starts on it until it is: run the same copy again, it continues with the index")
	}
	return errors.Join(target.close(), source.close())
}

// copyAll copies what there is. The place copied to knows that it is not whole.
func (c *copying) copyAll(ctx context.Context, in, out storage.Store) error {
	if err := setCopyStage(ctx, out, stageCopying); err != nil {
		return err
	}
	if err := c.copyVersions(ctx, in, out); err != nil {
		return err
	}
	return copyMetas(ctx, in, out)
}

// index indexes what was copied.
func (c *copying) index(ctx context.Context, target *gateway, to *settings) error {
	if err := target.open(to); err != nil {
		return err
	}
	c.bar = nil
	failed, err := target.service.ReindexAll(ctx, func(done, total int64) { c.show("resources indexed", done, total) })
	if err != nil {
		return err
	}
	c.end()
	tellFailed(c.p.stderr, failed)
	return setCopyStage(ctx, target.store, "")
}

// interrupted returns an error that says in which state a copy ended, and what to do.
func (c *copying) interrupted(ctx context.Context, err error, state string) error {
	c.end()
	if ctx.Err() != nil { // by a signal, of which all errors tell in their own way
		return errors.New("interrupted: " + state)
	}
	return fmt.Errorf("%w\n%s", err, state)
}

// howToEmpty says how a place is emptied. A connection string may hold a password, so it is not repeated.
func howToEmpty(to *settings) string {
	if to.mongodb != "" {
		return "drop the database of --to (in mongosh: db.dropDatabase())"
	}
	return "remove the folder " + to.data
}

// copyMeta names the stage of a copy to the store; it is there until the copy is finished.
const (
	copyMeta     = "copy"
	stageCopying = "copying"
	// stageIndexing means that everything is copied, but not all of it is indexed.
	stageIndexing = "indexing"
)

// copyStage returns the stage of a copy to a store, "" where there is none or it is finished.
func copyStage(ctx context.Context, s storage.Store) (stage string, err error) {
	err = s.View(ctx, func(r storage.Reader) error {
		v, err := r.Meta(ctx, copyMeta)
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		stage = string(v)
		return err
	})
	return stage, err
}

func setCopyStage(ctx context.Context, s storage.Store, stage string) error {
	var value []byte
	if stage != "" {
		value = []byte(stage)
	}
	return s.Update(ctx, func(tx storage.Tx) error { return tx.SetMeta(ctx, copyMeta, value) })
}

// unfinishedCopy is the error of who uses a store that is one.
func unfinishedCopy(where string) error {
	return errors.New(where + "the data is an unfinished copy: run the `fhirgate copy` that made it again, which finishes it or says what to do")
}

// mustBeEmpty refuses a place that holds any version.
func mustBeEmpty(ctx context.Context, s storage.Store) error {
	return s.View(ctx, func(r storage.Reader) error {
		recs, err := r.History(ctx, storage.HistoryQuery{Limit: 1})
		if err == nil && len(recs) > 0 {
			return errors.New("--to: the database is not empty")
		}
		return err
	})
}

// copyVersions copies all histories, a page at a time, each of a view of its own: a database keeps a moment for some minutes only.
func (c *copying) copyVersions(ctx context.Context, in, out storage.Store) error {
	var total int64
	q := storage.HistoryQuery{Limit: copyPage}
	for {
		var page []storage.Version
		err := in.View(ctx, func(r storage.Reader) error {
			if total == 0 {
				counts, err := r.Counts(ctx)
				if err != nil {
					return err
				}
				for _, n := range counts {
					total += n
				}
			}
			recs, err := r.History(ctx, q)
			if err != nil {
				return err
			}
			page, err = c.withCurrent(ctx, r, recs)
			return err
		})
		if err != nil {
			return err
		}
		if len(page) > 0 {
			if err := out.Import(ctx, page); err != nil {
				return err
			}
			last := page[len(page)-1]
			q.After = &storage.HistoryPosition{Updated: last.Updated, Key: last.Key, Version: last.Version}
			c.versions += int64(len(page))
			c.show("resources copied", c.resources, total)
		}
		if len(page) < copyPage {
			c.end()
			return nil
		}
	}
}

// withCurrent tells which of the versions are current.
func (c *copying) withCurrent(ctx context.Context, r storage.Reader, recs []storage.Record) ([]storage.Version, error) {
	var keys []fhir.Key
	at := map[fhir.Key]int64{}
	for _, rec := range recs {
		if _, ok := at[rec.Key]; !ok {
			at[rec.Key] = 0
			keys = append(keys, rec.Key)
		}
	}
	current, err := r.GetMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		at[k] = current[i].Version
		if at[k] == 0 { // deleted
			rec, err := r.Get(ctx, k)
			if err != nil && !errors.Is(err, storage.ErrDeleted) {
				return nil, err
			}
			at[k] = rec.Version
		}
	}
	page := make([]storage.Version, len(recs))
	for i, rec := range recs {
		page[i] = storage.Version{Record: rec, Current: rec.Version == at[rec.Key]}
		if page[i].Current && !rec.Deleted {
			c.resources++
		}
	}
	return page, nil
}

// copyMetas copies what the server keeps for itself. After it everything is copied.
func copyMetas(ctx context.Context, in, out storage.Store) error {
	var metas map[string][]byte
	err := in.View(ctx, func(r storage.Reader) (err error) { metas, err = r.Metas(ctx); return err })
	if err != nil {
		return err
	}
	return out.Update(ctx, func(tx storage.Tx) error {
		for name, value := range metas {
			if err := tx.SetMeta(ctx, name, value); err != nil {
				return err
			}
		}
		return tx.SetMeta(ctx, copyMeta, []byte(stageIndexing))
	})
}

// show tells how far the copy is: a bar on a terminal, a line now and then elsewhere.
func (c *copying) show(what string, done, total int64) {
	if isTerminal(c.p.stderr) {
		if c.bar == nil {
			c.bar = progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(c.p.stderr), progressbar.OptionSetWidth(24),
				progressbar.OptionSetDescription(what), progressbar.OptionSetPredictTime(true), progressbar.OptionShowCount(),
				progressbar.OptionThrottle(200*time.Millisecond), progressbar.OptionClearOnFinish())
		}
		_ = c.bar.Set64(min(done, total))
		return
	}
	if time.Since(c.last) > c.each {
		c.last = time.Now()
		fmt.Fprintf(c.p.stderr, "%d of %d %s\n", done, total, what)
	}
}

// end wipes the bar away.
func (c *copying) end() {
	if c.bar != nil {
		_ = c.bar.Clear()
		c.bar = nil
	}
}
