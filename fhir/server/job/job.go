package job

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/storage"
)

// State is where a job stands.
type State string

// The states. Done, Failed and Cancelled are final.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Ended reports whether s is final.
func (s State) Ended() bool { return s == Done || s == Failed || s == Cancelled }

// Unknown is the Total of a job that has not counted its work.
const Unknown = -1

// Job is one piece of work.
type Job struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	// Owner is whoever asked for the job; "" for the server itself. The package does not look at it.
	Owner string `json:"owner,omitempty"`
	State State  `json:"state"`
	// Created is when the job was asked for, Ended when it came to its final state.
	Created time.Time `json:"created"`
	Ended   time.Time `json:"ended,omitzero"`
	// Payload says what is to be done. Position says how far that is, for the next run; nil at the beginning.
	Payload  json.RawMessage `json:"payload,omitempty"`
	Position json.RawMessage `json:"position,omitempty"`
	// Done of Total units are finished; Total is Unknown before they are counted.
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
	// Error is why the last run ended, where it failed.
	Error string `json:"error,omitempty"`

	// Stopping is set where a running job was cancelled.
	Stopping bool `json:"stopping,omitempty"`
	// Amended counts the changes of Payload by others than the run.
	Amended int64 `json:"amended,omitempty"`
	// Tries counts the runs that failed since the last success; the next one is not before NotBefore.
	Tries     int       `json:"tries,omitempty"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	// Runner is the gateway that runs the job, and Until the end of its lease.
	Runner string    `json:"runner,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// ErrNoJob says that there is no job of an id, any more or at all.
var ErrNoJob = errors.New("job: there is no such job")

// The names in the store's Meta: the list of all jobs, and each record.
const listName = "jobs"

func recordName(id string) string { return "job " + id }

// listed is one item of the list.
type listed struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
}

// readList returns the list of all jobs, oldest first.
func readList(ctx context.Context, r storage.Reader) (list []listed, err error) {
	err = readMeta(ctx, r, listName, &list)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	return list, err
}

// Read returns a job as a view shows it; ErrNoJob.
func Read(ctx context.Context, r storage.Reader, id string) (j Job, err error) {
	err = readMeta(ctx, r, recordName(id), &j)
	if errors.Is(err, storage.ErrNotFound) {
		return Job{}, ErrNoJob
	}
	return j, err
}

func readMeta(ctx context.Context, r storage.Reader, name string, value any) error {
	raw, err := r.Meta(ctx, name)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, value)
}

func writeMeta(ctx context.Context, tx storage.Tx, name string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return tx.SetMeta(ctx, name, raw)
}

// write stores a record.
func write(ctx context.Context, tx storage.Tx, j Job) error {
	return writeMeta(ctx, tx, recordName(j.ID), j)
}

// list adds a job to the list, where it is not there.
func list(ctx context.Context, tx storage.Tx, j Job) error {
	if err := tx.Guard(ctx, listName); err != nil {
		return err
	}
	all, err := readList(ctx, tx)
	if err != nil || slices.Contains(all, listed{j.ID, j.Kind}) {
		return err
	}
	return writeMeta(ctx, tx, listName, append(all, listed{j.ID, j.Kind}))
}

// erase removes a job.
func erase(ctx context.Context, tx storage.Tx, id string) error {
	if err := tx.Guard(ctx, listName); err != nil {
		return err
	}
	all, err := readList(ctx, tx)
	if err != nil {
		return err
	}
	if all = slices.DeleteFunc(all, func(l listed) bool { return l.ID == id }); len(all) == 0 {
		err = tx.SetMeta(ctx, listName, nil)
	} else {
		err = writeMeta(ctx, tx, listName, all)
	}
	if err != nil {
		return err
	}
	return tx.SetMeta(ctx, recordName(id), nil)
}
