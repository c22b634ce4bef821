package mongodb

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The clock is the wall clock of this process, moved forward by what is stored when it starts and by what it reads. Within a process the promises about Moment hold exactly:
// pin and committing see to it. Between processes they hold as far as the clocks agree and up to the time that a commit takes: an Update in
// flight elsewhere may commit with an earlier instant than a Moment that was given out here, and who asks for what changed since is not told of it.
// So pages do not rest on it while the server keeps the snapshot of the first one: they are read at its mark (mark.go). Only after that can a
// page show a version that the first did not, and a search whose first page was read during such a commit miss the resource that it moved.

// tick returns an instant: the wall clock's, but always later than every instant this process has given out or read.
func (s *Store) tick() time.Time {
	for {
		last := s.last.Load()
		t := max(s.wall().UnixMicro(), last+1)
		if s.last.CompareAndSwap(last, t) {
			return time.UnixMicro(t).UTC()
		}
	}
}

// saw moves the clock past an instant that was read, so that a version never carries an earlier instant than the one before it even where
// another gateway's clock is ahead.
func (s *Store) saw(t time.Time) {
	for us := t.UnixMicro(); ; {
		last := s.last.Load()
		if last >= us || s.last.CompareAndSwap(last, us) {
			return
		}
	}
}

// catchUp moves the clock past all that is stored, so that instants do not go back where the clock of this machine was set back since. A superseded
// version is never later than the one that superseded it.
func (s *Store) catchUp(ctx context.Context) error {
	s.collections.mu.Lock()
	types := slices.Sorted(maps.Keys(s.collections.known))
	s.collections.mu.Unlock()
	for _, typ := range types {
		raw, err := s.current(typ).FindOne(ctx, bson.D{}, options.FindOne().SetSort(bson.D{{Key: fieldUpdated, Value: -1}, {Key: fieldID, Value: 1}}).
			SetProjection(bson.D{{Key: fieldUpdated, Value: 1}})).Raw()
		if errors.Is(err, mongo.ErrNoDocuments) {
			continue
		}
		if err != nil {
			return wrap("clock", err)
		}
		if us, ok := raw.Lookup(fieldUpdated).AsInt64OK(); ok {
			s.saw(time.UnixMicro(us))
		}
	}
	return nil
}

// pin returns a moment and calls begin, which makes a snapshot, while nothing commits: what is visible is stamped before the moment, and what
// commits later after it. It first waits for the Updates that moments have overtaken (see ahead), and calls begin once.
//
// Where no server answers, those who waited for their turn meanwhile would each wait for one again: what one of them was told holds for all. Any
// other error is of begin alone.
func (s *Store) pin(begin func() error) (time.Time, error) {
	asked := time.Now()
	stand := s.overtake()
	s.gate.Lock()
	defer s.gate.Unlock()
	t := s.tick()
	missed := s.missed(asked)
	if !missed {
		s.pinned.Store(t.UnixMicro())
	}
	stand()
	if missed {
		return t, errMissed
	}
	err := begin()
	if noServer(err) {
		s.miss()
	}
	return t, err
}

const (
	// pins is more than the number of Updates that run at a time: one pin keeps all of them from going ahead.
	pins = 1 << 30
	// overtakeAfter is how long a pin waits for Updates that go ahead of it.
	overtakeAfter = 5 * time.Second
)

// ahead makes moments wait until release is called, for an Update that they have overtaken: it would be again and again where its
// function takes longer than the next one takes to come. It waits for those that wait.
func (s *Store) ahead(ctx context.Context) (release func(), err error) {
	if err := s.turns.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	return func() { s.turns.Release(1) }, nil
}

// overtake waits for the Updates that go ahead, and keeps others from it until done is called. An Update that takes too long is overtaken again.
func (s *Store) overtake() (done func()) {
	ctx, cancel := context.WithTimeout(context.Background(), overtakeAfter)
	defer cancel()
	if err := s.turns.Acquire(ctx, pins); err != nil {
		return func() {}
	}
	return func() { s.turns.Release(pins) }
}

// errMissed means that no server has answered another who waited at the same time.
var errMissed = errors.New("no server has answered in time")

// miss notes that no server has answered in time; missed reports whether that was since.
func (s *Store) miss() { s.missing.Store(int64(time.Since(s.began))) }

func (s *Store) missed(since time.Time) bool { return s.missing.Load() > int64(since.Sub(s.began)) }

// committing keeps pin out until unlock is called. It returns errMissed where no server answered while it waited, and errOvertaken where a moment
// after now was given out: the Update then takes a later instant and runs again.
func (s *Store) committing(now time.Time) (unlock func(), err error) {
	asked := time.Now()
	s.gate.RLock()
	if s.missed(asked) {
		s.gate.RUnlock()
		return nil, errMissed
	}
	if now.UnixMicro() <= s.pinned.Load() {
		s.gate.RUnlock()
		return nil, errOvertaken
	}
	return s.gate.RUnlock, nil
}
