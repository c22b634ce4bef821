package job

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
)

// TestSweepTellsOfFaultsAlone has old jobs amended and removed by others while they are swept, and one that can't be cleaned.
func TestSweepTellsOfFaultsAlone(t *testing.T) {
	store, err := embedded.Open("data", embedded.Options{FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	ctx := t.Context()
	var log bytes.Buffer
	j := New(store, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer j.Close()
	broken := false
	var meanwhile func(id string) error
	j.Handle(Kind{Name: "one", Keep: time.Minute, Clean: func(_ context.Context, job Job) error {
		if broken {
			return errors.New("the disk is gone")
		}
		return meanwhile(job.ID)
	}})
	amend := func(string) error {
		return store.Update(ctx, func(tx storage.Tx) error {
			return j.Amend(ctx, tx, "one", func([]byte) ([]byte, error) { return []byte("1"), nil })
		})
	}
	ended := func() {
		t.Helper()
		if err := amend(""); err != nil {
			t.Fatal(err)
		}
		err := store.Update(ctx, func(tx storage.Tx) error {
			job, err := Read(ctx, tx, "one")
			if err != nil {
				return err
			}
			return j.end(ctx, tx, &job, Done, "")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	later := time.Now().Add(time.Hour)

	ended()
	meanwhile = amend
	j.sweepOnce(ctx, later)
	if job, err := j.Get(ctx, "one"); err != nil || job.State != Waiting || log.Len() != 0 {
		t.Errorf("amended meanwhile: %+v, %v, logged %q", job, err, log.String())
	}

	meanwhile = func(string) error {
		err := store.Update(ctx, func(tx storage.Tx) error { return erase(ctx, tx, "one") })
		if err == nil {
			ended()
		}
		return err
	}
	for range 2 { // the second time it has been amended as often as the one that was removed
		ended()
		j.sweepOnce(ctx, later)
		if job, err := j.Get(ctx, "one"); err != nil || job.State != Done || job.Amended != 1 || log.Len() != 0 {
			t.Errorf("removed and added again meanwhile: %+v, %v, logged %q", job, err, log.String())
		}
		if err := store.Update(ctx, func(tx storage.Tx) error { return erase(ctx, tx, "one") }); err != nil {
			t.Fatal(err)
		}
	}

	ended()
	meanwhile = func(id string) error {
		return store.Update(ctx, func(tx storage.Tx) error { return erase(ctx, tx, id) })
	}
	j.sweepOnce(ctx, later)
	if _, err := j.Get(ctx, "one"); !errors.Is(err, ErrNoJob) || log.Len() != 0 {
		t.Errorf("removed meanwhile: %v, logged %q", err, log.String())
	}

	ended()
	broken = true
	j.sweepOnce(ctx, later)
	if _, err := j.Get(ctx, "one"); err != nil || !strings.Contains(log.String(), "the disk is gone") {
		t.Errorf("can't be cleaned: %v, logged %q", err, log.String())
	}
}
