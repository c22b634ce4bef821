package embedded

import (
	"bytes"
	"context"
	"sync/atomic"
	"time"
)

// Compaction puts the store in order while little is written. Writes leave what they store in layers, newer ones above older ones, and a read
// looks into each; compactions keep the layers few, but never bring them down to one. A store of a million resources has four to six of
// them after a load, and a compacted one has one: its seeks cost a third. That takes as long as it takes to write the store anew, so it is
// done in small pieces, with pauses, and only where the layers above the last are worth it.

const (
	// compactAfter is how long little must have been written before the store is compacted.
	compactAfter = 10 * time.Second
	// compactQuiet is how many bytes of batches within compactAfter, or while a piece is compacted, are little.
	compactQuiet = 4 << 20
	// compactShare is the part of the store that may lie above the last layer before it is compacted: one of so many bytes.
	compactShare = 10
	// compactPiece is how many bytes of the last layer are written anew at a time.
	compactPiece = 32 << 20
)

// compactor compacts a store in the background.
type compactor struct {
	after   time.Duration
	written atomic.Uint64 // bytes of batches since the store was opened
	erased  atomic.Bool   // resources have been erased since all tables were written anew
	wake    chan struct{} // something was written
	stop    context.CancelFunc
	done    chan struct{}
}

// startCompactor begins to watch for a time to compact.
func (s *Store) startCompactor(after time.Duration) {
	if after == 0 {
		after = compactAfter
	}
	ctx, stop := context.WithCancel(context.Background())
	s.compactor = compactor{after: after, wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{})}
	s.compactor.wake <- struct{}{} // the load may have been in an earlier run
	go s.compactWhenQuiet(ctx)
}

// close ends the watch. A piece that is being compacted is finished by Pebble's Close.
func (t *compactor) close() {
	t.stop()
	<-t.done
}

// wrote notes a batch.
func (t *compactor) wrote(n int) {
	t.written.Add(uint64(n))
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// pause waits; false where the store is closed meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// compactWhenQuiet compacts the store whenever little is written, until it is closed. It sleeps while nothing is written at all.
func (s *Store) compactWhenQuiet(ctx context.Context) {
	t := &s.compactor
	defer close(t.done)
	for {
		select {
		case <-t.wake:
		case <-ctx.Done():
			return
		}
		for quiet := false; !quiet; {
			before := t.written.Load()
			if !pause(ctx, t.after) {
				return
			}
			quiet = t.written.Load()-before < compactQuiet
		}
		if t.erased.Swap(false) {
			if err := s.expunge(ctx); err != nil && ctx.Err() == nil {
				t.erased.Store(true)
				s.opt.Log.Error("the tables could not be written anew; they still hold bytes of what was erased", "error", scrub(err))
			}
			continue
		}
		if !s.layered() {
			continue
		}
		if err := s.compactPieces(ctx, compactPiece); err != nil && ctx.Err() == nil {
			s.notCompacted(err)
		}
	}
}

// notCompacted tells the log.
func (s *Store) notCompacted(err error) {
	s.opt.Log.Error("the store could not be compacted; reads are slower than they could be", "error", scrub(err))
}

// expunge writes all tables anew, so that none has bytes of what was erased.
func (s *Store) expunge(ctx context.Context) error {
	if err := s.db.Flush(); err != nil {
		return err
	}
	return s.db.Compact(ctx, []byte{0}, []byte{0xFF}, false)
}

// layered reports whether enough lies above the last layer that compaction is worth it, and the disk has room for it.
func (s *Store) layered() bool {
	m := s.db.Metrics()
	var above int64
	last := len(m.Levels) - 1
	for i := range last {
		above += m.Levels[i].TablesSize
	}
	return m.ReadAmp() > 1 && above*compactShare >= above+m.Levels[last].TablesSize && s.space(int(min(above, 256<<20))+compactPiece) == nil
}

// compactPieces merges all layers into the last, piece by piece, until much is written again.
func (s *Store) compactPieces(ctx context.Context, piece uint64) error {
	ends, err := s.pieces(piece)
	if err != nil {
		return err
	}
	start := []byte{0}
	for _, end := range ends {
		began, before := time.Now(), s.compactor.written.Load()
		if err := s.db.Compact(ctx, start, end, false); err != nil {
			return err
		}
		if s.compactor.written.Load()-before >= compactQuiet || s.space(compactPiece) != nil || !pause(ctx, time.Since(began)) {
			return nil
		}
		start = end
	}
	return nil
}

// pieces returns the ends of ranges of keys with about so many bytes of the last layer each. The first starts with the store, the last ends
// with it.
func (s *Store) pieces(size uint64) ([][]byte, error) {
	levels, err := s.db.SSTables()
	if err != nil {
		return nil, err
	}
	var ends [][]byte
	var sum uint64
	for _, t := range levels[len(levels)-1] {
		if sum += t.Size; sum >= size {
			ends, sum = append(ends, bytes.Clone(t.Largest.UserKey)), 0
		}
	}
	return append(ends, []byte{0xFF}), nil
}

// Compact rewrites the whole store into its smallest and fastest form. It is for the end of a large load, and takes as long as the store is
// large; reads and writes go on.
func (s *Store) Compact(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.whole(); err != nil {
		return err
	}
	if err := s.db.Flush(); err != nil {
		return s.failed(err)
	}
	return s.failed(s.db.Compact(ctx, []byte{0}, []byte{0xFF}, true))
}
