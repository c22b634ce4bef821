package embedded

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Checkpoint makes a copy of the store in dir, which must not exist, while the server runs: hard links where the file system has them, so
// it costs little time and space. The copy holds everything acknowledged before the call and is opened as any store.
func (s *Store) Checkpoint(ctx context.Context, dir string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if _, err := s.opt.FS.Stat(dir); err == nil {
		return fmt.Errorf("the folder %s exists: a backup is made into a new one", dir)
	}
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("the backup to %s failed: %w", dir, reason(err))
	}
	return nil
}

// Compact rewrites the whole store into its smallest and fastest form. It is for the end of a large load, and takes as long as the store is
// large; reads and writes go on.
func (s *Store) Compact(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.db.Flush(); err != nil {
		return err
	}
	return s.db.Compact(ctx, []byte{0}, []byte{0xFF}, true)
}

// Metrics are figures of the store for operators.
type Metrics struct {
	DiskBytes         uint64 // everything in the folder that Pebble knows of
	CacheBytes        int64
	CacheHits         int64
	CacheMisses       int64
	MemTableBytes     uint64
	LogBytes          uint64 // of the log that a restart would read
	Compactions       int64
	CompactionDebt    uint64 // bytes that compactions have still to rewrite
	Flushes           int64
	ReadAmplification int  // sorted runs that a read may have to look at
	Broken            bool // the log failed: writes are refused until a restart
}

// Metrics returns the figures of this moment.
func (s *Store) Metrics() Metrics {
	if s.enter(context.Background()) != nil {
		return Metrics{}
	}
	defer s.leave()
	m := s.db.Metrics()
	s.mu.Lock()
	broken := s.broken != nil
	s.mu.Unlock()
	return Metrics{
		DiskBytes: m.DiskSpaceUsage(), CacheBytes: m.BlockCache.Size, CacheHits: m.BlockCache.Hits, CacheMisses: m.BlockCache.Misses,
		MemTableBytes: m.MemTable.Size, LogBytes: m.WAL.Size, Compactions: m.Compact.Count, CompactionDebt: m.Compact.EstimatedDebt,
		Flushes: m.Flush.Count, ReadAmplification: m.ReadAmp(), Broken: broken,
	}
}
