package embedded

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// lines counts what is logged.
type lines struct {
	io.Writer
	n atomic.Int64
}

func (l *lines) Write(p []byte) (int, error) {
	l.n.Add(int64(bytes.Count(p, []byte("\n"))))
	return l.Writer.Write(p)
}

// The tables find no space although the reserve is free. Writers are refused, all but one that may be inside Pebble already; none waits for good.
func TestWritesAreRefusedWhileTablesFindNoSpace(t *testing.T) {
	for _, why := range fullDisks {
		t.Run(why.Error(), func(t *testing.T) { tablesFindNoSpace(t, why) })
	}
}

func tablesFindNoSpace(t *testing.T, why error) {
	began := time.Now()
	var full atomic.Bool
	disk := &fullDisk{FS: vfs.NewMem(), free: 1 << 29, full: func(name string) bool { return full.Load() && strings.HasSuffix(name, ".sst") }, why: why}
	log := &lines{Writer: io.Discard}
	opt := small(disk)
	opt.Log = slog.New(slog.NewTextHandler(log, nil))
	s, err := Open("data", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const writers = 8
	p := newPopulation(1 << 20)
	var next atomic.Int64
	write := func() error {
		n := int(next.Add(100))
		return s.Update(context.Background(), func(tx storage.Tx) error {
			for i := n - 100; i < n; i++ {
				rec := p.Record(i)
				rec.Updated = tx.Now()
				if err := tx.Put(context.Background(), rec, 0); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	var refused sync.WaitGroup // all but one
	refused.Add(writers - 1)
	var left atomic.Int64
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for {
				if err := write(); err != nil {
					if fhir.KindOf(err) != fhir.KindFull {
						t.Errorf("a write that finds no space for tables returned %v", err)
					}
					break
				}
			}
			if left.Add(1) < writers {
				refused.Done()
			}
		})
	}
	refused.Wait()
	if fhir.KindOf(s.Ready(context.Background())) != fhir.KindFull {
		t.Error("Ready does not tell of the full disk")
	}
	full.Store(false)
	all.Wait()
	for err = write(); err != nil; err = write() {
		if fhir.KindOf(err) != fhir.KindFull {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := s.Ready(context.Background()); err != nil {
		t.Error(err)
	}
	if n, most := log.n.Load(), 1+int64(time.Since(began)/tellShortage); n > most {
		t.Errorf("%d lines were logged", n)
	}
}

func TestShortageLastsUntilWorkOfItsKindSucceeds(t *testing.T) {
	s := newShortage()
	began := s.beginning()
	s.ended(flushing, nil)
	s.ended(compacting, syscall.ENOSPC)
	s.ended(flushing, syscall.ENOSPC)
	select {
	case <-began:
	default:
		t.Error("the beginning is not told")
	}
	s.ended(flushing, nil)
	s.ended(compacting, context.Canceled)
	if !s.lasts(5, 10) {
		t.Error("a flush ended the shortage of compactions")
	}
	s.ended(compacting, nil)
	if s.lasts(5, 10) {
		t.Error("the shortage goes on")
	}
	select {
	case <-s.beginning():
		t.Error("the next shortage has begun")
	default:
	}
	s.ended(compacting, syscall.ENOSPC)
	s.failed[compacting] = s.failed[compacting].Add(-shortageEnds)
	if s.lasts(5, 10) {
		t.Error("a failure of long ago counts")
	}
	s.ended(compacting, syscall.EDQUOT)
	if !s.lasts(5, 10) || !s.lasts(14, 10) || !s.lasts(20, 10) {
		t.Error("a little space ends the shortage")
	}
	if s.lasts(30, 10) {
		t.Error("the shortage goes on where there is space")
	}
}
