package job_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/storage"
)

// TestJobThatIsAmendedWhileItIsRemovedStays amends an ended job between the look at its state and its removal: it has not ended then, or has once more.
func TestJobThatIsAmendedWhileItIsRemovedStays(t *testing.T) {
	for _, again := range []bool{false, true} {
		engines(t, func(t *testing.T, store storage.Store) {
			var j *job.Jobs
			amended := false
			goOn := make(chan struct{})
			j = start(t, store, quick, job.Kind{
				Run: func(_ context.Context, run *job.Run) error {
					if string(run.Job().Payload) != "1" {
						<-goOn
					}
					return nil
				},
				Clean: func(ctx context.Context, _ job.Job) error {
					if amended {
						return nil
					}
					amended = true
					err := amend(ctx, store, j, "2")
					if j.Wake("count"); again {
						close(goOn)
						ends(t, j, "count", job.Done)
					}
					return err
				},
			})
			if err := amend(t.Context(), store, j, "1"); err != nil {
				t.Fatal(err)
			}
			j.Wake("count")
			ends(t, j, "count", job.Done)
			if err := j.Remove(t.Context(), "count"); err == nil {
				t.Error("a job was removed that has been amended")
			}
			if out, err := j.Get(t.Context(), "count"); err != nil || string(out.Payload) != "12" {
				t.Errorf("%+v, %v", out, err)
			}
			if !again {
				close(goOn)
			}
			ends(t, j, "count", job.Done)
			if err := j.Remove(t.Context(), "count"); err != nil {
				t.Error(err)
			}
			if _, err := j.Get(t.Context(), "count"); !errors.Is(err, job.ErrNoJob) {
				t.Error(err)
			}
		})
	}
}
