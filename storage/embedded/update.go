package embedded

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// View runs f on the newest durable moment.
func (s *Store) View(ctx context.Context, f func(storage.Reader) error) error {
	return s.view(ctx, func(r *reader) error { return f(outsideReader{r}) })
}

// ViewAt shows no state again: a snapshot that is held keeps on disk what was superseded since, and no View of this store has a mark.
func (s *Store) ViewAt(ctx context.Context, _ storage.Mark, _ func(storage.Reader) error) error {
	return cmp.Or(ctx.Err(), storage.ErrForgotten)
}

// view is View with the engine's own reader.
func (s *Store) view(ctx context.Context, f func(*reader) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.mu.Lock()
	m := s.now
	m.refs++
	s.mu.Unlock()
	defer s.release(m)
	r := &reader{s: s, src: m.snap, micros: m.micros, known: &m.known}
	defer r.close()
	return f(r)
}

// release gives up one hold on a moment.
func (s *Store) release(m *moment) {
	s.mu.Lock()
	m.refs--
	last := m.refs == 0
	s.mu.Unlock()
	if last {
		m.snap.Close()
	}
}

// publish makes m the moment that Views begin on, unless a later one is that already. It takes over the caller's hold.
func (s *Store) publish(m *moment) {
	s.mu.Lock()
	old := m
	if m.micros > s.now.micros {
		old, s.now = s.now, m
	}
	s.mu.Unlock()
	s.release(old)
}

// Update runs f alone among writers and commits what it put. The lock is given back as soon as the batch is in the memory table, before the
// log is on disk, so that the commits that queue up meanwhile share the next sync; Views see a commit only when it is on disk.
func (s *Store) Update(ctx context.Context, f func(storage.Tx) error) error {
	return s.update(ctx, func(t *tx) error { return f(outsideTx{outsideReader{&t.reader}, t}) })
}

// update is Update with the engine's own transaction.
func (s *Store) update(ctx context.Context, f func(*tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.take(ctx); err != nil {
		return err
	}
	held := true
	defer func() {
		if held {
			s.writer <- struct{}{}
		}
	}()
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if err := cmp.Or(broken, s.whole()); err != nil {
		return err
	}
	t := newTx(s)
	defer t.close()
	if err := f(t); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.batch == nil {
		// Nothing was written, but what was read may not be on disk.
		m := &moment{snap: s.db.NewSnapshot(), micros: s.last, refs: 1}
		s.writer <- struct{}{}
		held = false
		s.mu.Lock()
		durable := s.now.micros >= m.micros
		s.mu.Unlock()
		if !durable {
			if err := s.db.LogData(nil, pebble.Sync); err != nil {
				s.release(m)
				return s.fail(err)
			}
		}
		s.publish(m)
		return nil
	}
	if err := t.finish(); err != nil {
		return s.failed(err)
	}
	if err := s.space(t.batch.Len()); err != nil {
		return err
	}
	if err := s.db.ApplyNoSyncWait(t.batch, pebble.Sync); err != nil {
		return storage.Unknown("update", s.fail(err))
	}
	s.compactor.wrote(t.batch.Len())
	if t.erased {
		s.compactor.erased.Store(true)
	}
	s.dict.flushed()
	s.cache.apply(t.totals)
	s.last = t.now
	m := &moment{snap: s.db.NewSnapshot(), micros: t.now, refs: 1}
	s.writer <- struct{}{}
	held = false
	if err := t.batch.SyncWait(); err != nil { // a part of the log may be on the disk
		s.release(m)
		return storage.Unknown("update", s.fail(err))
	}
	s.watermark.durable(m.micros)
	s.publish(m)
	return nil
}

// take takes the writer's token. The writer that has it may be waiting inside Pebble for space; the others are refused.
func (s *Store) take(ctx context.Context) error {
	for {
		select {
		case <-s.writer:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-s.short.beginning():
			select {
			case <-s.writer:
				return nil // its work may need no space; where it does, it is refused with the batch
			default:
			}
			if err := s.space(0); err != nil {
				return err
			}
		}
	}
}

// fail marks the store as unable to write: its log did not take a commit. Reads go on.
func (s *Store) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		e := fhir.NewError(fhir.KindUnavailable, fhir.IssueException, fhir.IDStorageLog, "the store can't write; it must be restarted")
		e.Err = scrubbed{err}
		s.broken = e
		s.opt.Log.Error("the log of the store failed; nothing can be written until it is opened again", "error", scrub(err))
	}
	return s.broken
}

// tx is one Update. It holds the writer's token, so what it reads from the database does not change under it but by its own batch.
type tx struct {
	reader
	now    int64
	batch  *pebble.Batch // nil until something is written
	puts   map[fhir.Key]storage.Record
	deltas map[string]int64 // counters, without the table byte
	totals map[string]int64 // counters as finish left them
	keys   [2]keySet
	before *pebble.Iterator // documents and counters before this Update; nil until one is asked for
	buf    []byte
	old    found
	erased bool // resources: their bytes leave the tables when these are written anew
}

func newTx(s *Store) *tx {
	t := &tx{now: max(s.opt.Clock().UnixMicro(), s.last+1)}
	t.reader = reader{s: s, src: s.db, micros: s.last, tx: t}
	return t
}

// close drops the batch.
func (t *tx) close() {
	if t.before != nil {
		t.before.Close()
	}
	if t.batch != nil {
		t.batch.Close()
	}
}

// Now is the instant of this Update.
func (t *tx) Now() time.Time { return time.UnixMicro(t.now).UTC() }

// Guard does nothing: Updates run one after the other, so that what one found holds until it commits.
func (t *tx) Guard(ctx context.Context, _ ...string) error { return ctx.Err() }

// writable returns the batch.
func (t *tx) writable() *pebble.Batch {
	if t.batch == nil {
		t.batch = t.s.db.NewBatchWithSize(32 << 10)
		t.puts = map[fhir.Key]storage.Record{}
		t.deltas = map[string]int64{}
	}
	return t.batch
}

// view makes the batch readable: reads of more than single records go through it from here on.
func (t *tx) view() error {
	if t.batch == nil || t.batch.Indexed() {
		return nil
	}
	b := t.s.db.NewIndexedBatch()
	if err := b.Apply(t.batch, nil); err != nil {
		b.Close()
		return err
	}
	t.batch.Close()
	t.batch = b
	t.src = b
	return nil
}

// finish writes what is kept until the end: clock, names, counters.
func (t *tx) finish() error {
	b := t.batch
	if err := b.Set([]byte{tableClock}, binary.BigEndian.AppendUint64(nil, uint64(t.now)), nil); err != nil {
		return err
	}
	if err := t.s.dict.flush(b); err != nil {
		return err
	}
	t.totals = make(map[string]int64, len(t.deltas))
	key := make([]byte, 0, 128)
	for name, d := range t.deltas {
		if d == 0 {
			continue
		}
		key = append(append(key[:0], tableCount), name...)
		n, err := t.counted(key)
		if err != nil {
			return err
		}
		n += d
		switch {
		case n < 0:
			return fmt.Errorf("embedded: a counter fell below zero")
		case n == 0:
			err = b.Delete(key, nil)
		default:
			err = b.Set(key, countValue(n), nil)
		}
		if err != nil {
			return err
		}
		t.totals[name] = n
	}
	return nil
}

// counted returns the counter at a key as it was before this Update.
func (t *tx) counted(key []byte) (int64, error) {
	if n, ok := t.s.cache.counts[string(key[1:])]; ok {
		return n, nil
	}
	v, err := t.stored(key)
	if err != nil || v == nil {
		return 0, err
	}
	return countOf(v), nil
}
