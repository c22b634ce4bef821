package parameter

import (
	"context"
	"maps"
	"slices"

	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
)

// A resource that can't be indexed holds up no other: it stays found by what it was found by before, is counted and noted. The log is told the count
// alone; which they are is for clients that ask, as far as they may see them.

// Failed is a version that could not be indexed.
type Failed struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
}

// Failures are the resources of one type that could not be indexed.
type Failures struct {
	// Count is how many there are, Known the first of them.
	Count int64    `json:"count,omitempty"`
	Known []Failed `json:"known,omitempty"`
}

// maxKnown bounds Failures.Known.
const maxKnown = 100

// add counts a version that could not be indexed.
func (f *Failures) add(rec *storage.Record) {
	f.Count++
	if len(f.Known) < maxKnown {
		f.Known = append(f.Known, Failed{rec.Key.ID, rec.Version})
	}
}

// join adds what another pass over some of the type has found. Where not all are known, it may have been the same.
func (f *Failures) join(o Failures) {
	if f.Count > int64(len(f.Known)) || o.Count > int64(len(o.Known)) {
		if o.Count > f.Count {
			*f = o
		}
		return
	}
	f.Known = slices.Clone(f.Known)
	for _, v := range o.Known {
		if !slices.Contains(f.Known, v) {
			if f.Count++; len(f.Known) < maxKnown {
				f.Known = append(f.Known, v)
			}
		}
	}
}

// fail notes in the worklist which resources of a type a pass over all of them could not index.
func (w *worklist) fail(typ string, f Failures) {
	w.Failed = maps.Clone(w.Failed)
	if f.Count == 0 {
		delete(w.Failed, typ)
		return
	}
	if w.Failed == nil {
		w.Failed = make(map[string]Failures)
	}
	w.Failed[typ] = f
}

// Failed returns, by type, what the last pass over each type could not index.
func (s *Set) Failed() map[string]Failures {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.work.Failed // which is not changed but replaced
}

// tell tells the log how many resources of a type could not be indexed.
func (s *Set) tell(typ string, f Failures) {
	if f.Count > 0 {
		s.opt.Logger.Warn("some resources can't be indexed; they are found as they were before, and [base]/$reindex-status lists them", "type", typ, "count", f.Count)
	}
}

// note stores what a pass over all of types could not index, where that differs from what is noted.
func (s *Set) note(ctx context.Context, failed map[string]Failures) error {
	err := s.opt.Store.Update(ctx, func(tx storage.Tx) error {
		w, err := readWork(ctx, tx)
		if err != nil {
			return err
		}
		same := true
		for typ, f := range failed {
			same = same && w.Failed[typ].Count == f.Count && slices.Equal(w.Failed[typ].Known, f.Known)
		}
		if same {
			return nil
		}
		return s.opt.Jobs.Amend(ctx, tx, jobKind, func(payload []byte) ([]byte, error) {
			w, err := decode(payload)
			if err != nil {
				return nil, err
			}
			for typ, f := range failed {
				w.fail(typ, f)
			}
			w.Count++
			return job.Payload(w), nil
		})
	})
	if err == nil {
		s.opt.Jobs.Wake(jobKind)
	}
	return err
}
