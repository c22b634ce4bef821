package operation

import (
	"context"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/parameter"
)

// jobs is an Indexer of fixed progress.
type jobs []parameter.Progress

func (j jobs) Reindexing() []parameter.Progress { return j }

// Unindexed implements Indexer.
func (jobs) Unindexed(context.Context) ([]interaction.Unindexed, error) { return nil, nil }

// failing is an Indexer that could not index all.
type failing struct {
	jobs
	failed []interaction.Unindexed
}

// Unindexed implements Indexer.
func (f failing) Unindexed(context.Context) ([]interaction.Unindexed, error) { return f.failed, nil }

func TestReindexStatus(t *testing.T) {
	since := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		jobs Indexer
		want string
	}{
		{"nothing to do", jobs{}, `{"resourceType":"Parameters"}`},
		{"two", jobs{{URL: "http://a", Code: "a", Types: []string{"Patient", "Group"}, Since: since, Done: 1, Total: 2, Counted: true}, {URL: "http://b", Code: "b", Since: since, Removed: true}},
			`{"resourceType":"Parameters","parameter":[` +
				`{"name":"indexing","part":[{"name":"url","valueUri":"http://a"},{"name":"code","valueCode":"a"},{"name":"type","valueCode":"Patient"},{"name":"type","valueCode":"Group"},{"name":"since","valueInstant":"2026-11-23T09:00:00.000000Z"},{"name":"done","valueInteger":1},{"name":"total","valueInteger":2}]},` +
				`{"name":"indexing","part":[{"name":"url","valueUri":"http://b"},{"name":"code","valueCode":"b"},{"name":"since","valueInstant":"2026-11-23T09:00:00.000000Z"},{"name":"removed","valueBoolean":true}]}]}`},
		{"failed", failing{jobs{{URL: "http://a", Code: "a", Since: since}}, []interaction.Unindexed{{Type: "Group", Count: 1 << 40}, {Type: "Patient", Count: 3, IDs: []string{"a", "b"}}}},
			`{"resourceType":"Parameters","parameter":[{"name":"indexing","part":[{"name":"url","valueUri":"http://a"},{"name":"code","valueCode":"a"},{"name":"since","valueInstant":"2026-11-23T09:00:00.000000Z"}]},` +
				`{"name":"failed","part":[{"name":"type","valueCode":"Group"},{"name":"count","valueInteger":2147483647}]},` +
				`{"name":"failed","part":[{"name":"type","valueCode":"Patient"},{"name":"count","valueInteger":3},{"name":"resource","valueReference":{"reference":"Patient/a"}},{"name":"resource","valueReference":{"reference":"Patient/b"}}]}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := call(t, ReindexStatus(c.jobs), "")
			if err != nil || got != c.want {
				t.Errorf("%v\ngot  %s\nwant %s", err, got, c.want)
			}
		})
	}
	o := ReindexStatus(jobs{})
	if _, err := o.Run(t.Context(), &interaction.Request{Operation: &o, Parameters: []search.Pair{{Name: "x", Value: "1"}}}); err == nil {
		t.Error("a parameter was ignored")
	}
}
