package parameter

import (
	"context"
	"sync"
)

// flights counts the writes that are under way, so that the indexing can wait for those that began before it. Nobody waits for the indexing.
type flights struct {
	mu    sync.Mutex
	epoch int
	// count is how many writes are under way that began in an epoch of the same parity; landed is closed when those of the earlier one have ended.
	count  [2]int
	landed chan struct{}

	waiting sync.Mutex // held by the one that waits
}

// begin notes a write; end takes what it returns.
func (f *flights) begin() (epoch int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count[f.epoch&1]++
	return f.epoch
}

func (f *flights) end(epoch int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count[epoch&1]--
	if f.landed != nil && epoch != f.epoch && f.count[epoch&1] == 0 {
		close(f.landed)
		f.landed = nil
	}
}

// wait waits for all writes that have begun; later ones go on.
func (f *flights) wait(ctx context.Context) error {
	f.waiting.Lock()
	defer f.waiting.Unlock()
	f.mu.Lock()
	if f.count[(f.epoch+1)&1] > 0 {
		// An earlier wait was given up: its writes are waited for with these.
		landed := f.watch()
		f.mu.Unlock()
		if err := landing(ctx, landed); err != nil {
			return err
		}
		f.mu.Lock()
	}
	f.epoch++
	if f.count[(f.epoch+1)&1] == 0 {
		f.mu.Unlock()
		return nil
	}
	landed := f.watch()
	f.mu.Unlock()
	return landing(ctx, landed)
}

// watch returns what is closed when the writes of the earlier epoch have ended. Its caller holds mu.
func (f *flights) watch() chan struct{} {
	if f.landed == nil {
		f.landed = make(chan struct{})
	}
	return f.landed
}

func landing(ctx context.Context, landed chan struct{}) error {
	select {
	case <-landed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Begin notes that a write begins, before its entries are extracted for the last time; it has ended when the function returned is called. Indexing
// waits for the writes that began before it, and none of them waits.
func (s *Set) Begin() (end func()) {
	epoch := s.writes.begin()
	return func() { s.writes.end(epoch) }
}
