package embedded

import (
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A flush or a compaction that finds the disk full fails, gives back what it had written, and Pebble begins it again at once. Were writes
// accepted meanwhile, they would wait inside Pebble, where nothing can refuse them, as soon as its memory tables or its first layer are full.
// So the store counts as full until one succeeds or the disk has got much space, and what begins again waits: a compaction longer than a
// flush, which then has the disk for itself.

const (
	// shortageEnds is when a failure counts no longer, where none followed: what failed may not be worth doing any more.
	shortageEnds = time.Minute
	// pauseFlush and pauseCompaction are how long after a failure the next table of that kind is begun.
	pauseFlush      = 200 * time.Millisecond
	pauseCompaction = 2 * time.Second
	// tellShortage is how often the log tells of it.
	tellShortage = time.Minute
)

// kinds of background work.
const (
	flushing = iota
	compacting
)

// shortage is what background work last met. It is safe for concurrent use.
type shortage struct {
	mu     sync.Mutex
	failed [2]time.Time  // when the last flush, and compaction, found no space; zero since one succeeded
	told   time.Time     // when the log was told
	began  chan struct{} // closed while the disk is short
	closed bool
	free   uint64        // the most bytes that were seen free since then
	stop   chan struct{} // closed when the store closes
}

func newShortage() *shortage {
	return &shortage{began: make(chan struct{}), stop: make(chan struct{})}
}

// ended notes the end of a flush or compaction.
func (s *shortage) ended(kind int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.failed[kind] = time.Time{}
		s.expire()
	case isFull(err):
		s.failed[kind] = time.Now()
		if !s.closed {
			close(s.began)
			s.closed, s.free = true, 0
		}
	}
}

// expire forgets failures that count no longer.
func (s *shortage) expire() {
	for i, at := range s.failed {
		if !at.IsZero() && time.Since(at) >= shortageEnds {
			s.failed[i] = time.Time{}
		}
	}
	if s.closed && s.failed == [2]time.Time{} {
		s.began, s.closed = make(chan struct{}), false
	}
}

// lasts reports whether the disk is short of space for background work. It ends where free has grown by so much as much is.
func (s *shortage) lasts(free, much uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && s.free > 0 && free >= s.free+much {
		s.failed = [2]time.Time{}
	}
	s.expire()
	s.free = max(s.free, free)
	return s.closed
}

// beginning returns a channel that is closed when a shortage begins, or has begun.
func (s *shortage) beginning() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	return s.began
}

// tell reports whether the log shall be told of a failure.
func (s *shortage) tell() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.told.IsZero() && time.Since(s.told) < tellShortage {
		return false
	}
	s.told = time.Now()
	return true
}

// wait lets a table be begun: a while after the last failure of its kind.
func (s *shortage) wait(category vfs.DiskWriteCategory) {
	kind, pause := compacting, pauseCompaction
	if strings.HasSuffix(string(category), "flush") {
		kind, pause = flushing, pauseFlush
	}
	s.mu.Lock()
	at := s.failed[kind]
	s.mu.Unlock()
	if at.IsZero() {
		return
	}
	t := time.NewTimer(time.Until(at.Add(pause)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.stop:
	}
}

// listener tells s, and the log, how background work ends.
func (s *Store) listener() *pebble.EventListener {
	return &pebble.EventListener{
		FlushEnd:       func(info pebble.FlushInfo) { s.short.ended(flushing, info.Err) },
		CompactionEnd:  func(info pebble.CompactionInfo) { s.short.ended(compacting, info.Err) },
		DataCorruption: s.corrupted,
		BackgroundError: func(err error) {
			switch {
			case pebble.IsCorruptionError(err): // told by corrupted
			case !isFull(err):
				s.opt.Log.Error("storage background work failed", "error", scrub(err))
			case s.short.tell():
				s.opt.Log.Error("the disk of the data folder is too full to keep the store in order; writes are refused until there is space", "error", scrub(err))
			}
		},
	}
}
