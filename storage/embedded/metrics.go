package embedded

import "context"

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
