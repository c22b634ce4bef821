package interaction

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
)

// The erasure of a patient: the resource and all that is of it alone, with all versions and deletions. It is a job, of one Update for each step, so that a
// record of any size is erased, and a server that is killed goes on where it was. purgejob.go has the steps.

// purgeKind is the kind of the jobs.
const purgeKind = "purge"

// purgePayload says what a job erases, or with Dry looks for.
type purgePayload struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Dry  bool   `json:"dry,omitempty"`
}

// PurgeResult is what a purge has erased so far, or a dry run has found, and what it leaves.
type PurgeResult struct {
	// Counts are the resources that are erased, by type, and Versions the versions that were erased, deletions included.
	Counts   map[string]int64 `json:"counts,omitempty"`
	Versions int64            `json:"versions,omitempty"`
	// Resources are the first of those that are erased.
	Resources []string `json:"resources,omitempty"`
	// Outside are resources that stay and refer to the patient. Past are versions that stay and do: former versions of what is now of others.
	Outside []string `json:"outside,omitempty"`
	Past    []string `json:"past,omitempty"`
	// More is set where there are more than are listed.
	More bool `json:"more,omitempty"`
	// Audit is the AuditEvent that tells of the erasure; "" before it, and of a dry run.
	Audit string `json:"audit,omitempty"`
}

// Purge is a purge as it stands.
type Purge struct {
	ID    string
	State job.State
	Dry   bool
	Key   fhir.Key
	// Error is why it failed.
	Error string
	PurgeResult
}

// maxPurgeListed bounds each list of a result.
const maxPurgeListed = 1000

// list adds to a list of the result.
func (r *PurgeResult) list(to *[]string, text string) {
	if len(*to) == maxPurgeListed {
		r.More = true
		return
	}
	*to = append(*to, text)
}

// MayAdminister returns nil where a request may administer the server, or the error that refuses it.
func (s *Service) MayAdminister(ctx context.Context, q *Request) error {
	administer := s.served.Load().Administer
	if administer == nil {
		return fhir.NewError(fhir.KindForbidden, fhir.IssueForbidden, fhir.IDNotAdministrator, "this server takes no administration over HTTP; it has to be started with --allow-purge for that")
	}
	return administer(ctx, q)
}

// StartPurge asks for the erasure of a resource and of what is in its compartment alone; dry looks for what that would be. It is KindNotFound where the
// resource never existed. One that is asked for again while it is under way is the same.
func (s *Service) StartPurge(ctx context.Context, key fhir.Key, dry bool) (Purge, error) {
	var cur storage.Record
	err := s.reading(ctx, func(r storage.Reader) (err error) {
		cur, err = current(ctx, r, key)
		return err
	})
	if err == nil && cur.Version == 0 {
		err = errNotFound(key)
	}
	if err != nil {
		return Purge{}, failure("purge", key, err)
	}
	payload := purgePayload{key.Type, key.ID, dry}
	jobs, err := s.jobs.List(ctx, purgeKind)
	if err != nil {
		return Purge{}, failure("purge", key, err)
	}
	for _, j := range jobs {
		if same, err := readPurge(j); err == nil && same.Key == key && same.Dry == dry && !j.State.Ended() {
			return same, nil
		}
	}
	j, err := s.jobs.Submit(ctx, job.Job{Kind: purgeKind, Payload: job.Payload(payload)})
	if err != nil {
		return Purge{}, failure("purge", key, err)
	}
	return readPurge(j)
}

// PurgeByID returns a purge as it stands; KindNotFound where there is none of that id, any more or at all.
func (s *Service) PurgeByID(ctx context.Context, id string) (Purge, error) {
	j, err := s.jobs.Get(ctx, id)
	if errors.Is(err, job.ErrNoJob) || err == nil && j.Kind != purgeKind {
		return Purge{}, fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotFound, "there is no such purge, or it ended more than a day ago")
	}
	if err != nil {
		return Purge{}, failure("purge", fhir.Key{}, err)
	}
	return readPurge(j)
}

// AwaitPurge waits until a purge has ended, for a time at most, and returns it as it then stands.
func (s *Service) AwaitPurge(ctx context.Context, p Purge, most time.Duration) (Purge, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for pause := 5 * time.Millisecond; !p.State.Ended(); pause = min(2*pause, 250*time.Millisecond) {
		select {
		case <-ctx.Done():
			return p, nil
		case <-time.After(pause):
		}
		now, err := s.PurgeByID(context.WithoutCancel(ctx), p.ID)
		if err != nil {
			return p, err
		}
		p = now
	}
	return p, nil
}

// readPurge reads a job.
func readPurge(j job.Job) (Purge, error) {
	var payload purgePayload
	if err := json.Unmarshal(j.Payload, &payload); err != nil {
		return Purge{}, err
	}
	p := Purge{ID: j.ID, State: j.State, Dry: payload.Dry, Key: fhir.Key{Type: payload.Type, ID: payload.ID}, Error: j.Error}
	if len(j.Position) > 0 {
		var at purgePosition
		if err := json.Unmarshal(j.Position, &at); err != nil {
			return Purge{}, err
		}
		p.PurgeResult = at.Result
	}
	return p, nil
}
