package mongodb

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// told collects how a query is run.
type told struct {
	steps     []search.Step
	unindexed []string
	examined  int
	fetched   int
	// stages are the server's stages, of which tests want to know.
	stages []string
}

// Explain implements storage.Reader: each find is run and then explained by the server with its execution statistics.
func (r *reader) Explain(ctx context.Context, q search.Query) ([]search.Row, search.Plan, error) {
	t := &told{}
	r.told = t
	defer func() { r.told = nil }()
	rows, err := r.Find(ctx, q)
	plan := search.Plan{Steps: t.steps, Unindexed: t.unindexed, Examined: t.examined, Fetched: t.fetched, Returned: len(rows)}
	return rows, plan, err
}

func (t *told) count(n int) {
	t.steps = append(t.steps, search.Step{Kind: "range", Detail: "count", Rows: n})
	t.examined += n
}

// find asks the server how it ran a find.
func (t *told) find(ctx context.Context, r *reader, p *plan, f, sort bson.D, limit, returned int) error {
	cmd := bson.D{{Key: "find", Value: p.typ}, {Key: "filter", Value: f}, {Key: "hint", Value: p.hint()}}
	if sort != nil {
		cmd = append(cmd, bson.E{Key: "sort", Value: sort})
	}
	if limit < unlimited {
		cmd = append(cmd, bson.E{Key: "limit", Value: limit})
	}
	var out struct {
		Stats struct {
			Keys  int `bson:"totalKeysExamined"`
			Docs  int `bson:"totalDocsExamined"`
			Stage bson.Raw
		} `bson:"executionStats"`
		Planner struct {
			Winning bson.Raw `bson:"winningPlan"`
		} `bson:"queryPlanner"`
	}
	// Explain is no part of a session with a moment; it runs on what is there at the time.
	err := r.s.db.RunCommand(context.WithoutCancel(ctx), bson.D{{Key: "explain", Value: cmd}, {Key: "verbosity", Value: "executionStats"}}).Decode(&out)
	if err != nil {
		if !noSuchIndex(err) {
			return wrap("explain", err)
		}
		t.steps = append(t.steps, search.Step{Kind: "scan", Index: p.describe(), Detail: "the index is being built", Rows: returned})
		return nil
	}
	stages := stagesOf(out.Planner.Winning, nil)
	t.stages = append(t.stages, stages...)
	t.examined += out.Stats.Keys
	t.fetched += out.Stats.Docs
	kind := "range"
	switch {
	case contains(stages, "COLLSCAN"):
		kind = "scan"
	case contains(stages, "SORT"):
		kind = "sort"
	case contains(stages, "SORT_MERGE"):
		kind = "merge"
	}
	t.steps = append(t.steps, search.Step{Kind: kind, Index: p.describe(), Rows: returned,
		Detail: fmt.Sprintf("%s; %d keys, %d documents", strings.Join(stages, " "), out.Stats.Keys, out.Stats.Docs)})
	for _, c := range p.rest {
		if name := conditionName(c); name != "" && !contains(t.unindexed, name) && !p.bounds(c) {
			t.unindexed = append(t.unindexed, name)
		}
	}
	return nil
}

// bounds reports whether a condition bounds the scan of the plan's index although it is tried as well.
func (p *plan) bounds(c search.Expr) bool {
	if p.ranges == nil {
		return false
	}
	_, ok := rangesOn(c, p.by)
	return ok
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// stagesOf returns the stages of a plan, outermost first.
func stagesOf(doc bson.Raw, out []string) []string {
	elements, _ := doc.Elements()
	for _, e := range elements {
		v := e.Value()
		switch e.Key() {
		case "stage":
			s, _ := v.StringValueOK()
			out = append(out, s)
		case "inputStage", "queryPlan", "winningPlan":
			if d, ok := v.DocumentOK(); ok {
				out = stagesOf(d, out)
			}
		case "inputStages", "shards":
			a, _ := v.ArrayOK()
			values, _ := a.Values()
			for _, x := range values {
				if d, ok := x.DocumentOK(); ok {
					out = stagesOf(d, out)
				}
			}
		}
	}
	return out
}

// conditionName names a condition by its parameters.
func conditionName(e search.Expr) string {
	switch e := e.(type) {
	case search.Some:
		return e.Param
	case search.Not:
		return "not " + conditionName(e.Expr)
	case search.Or:
		for _, c := range e {
			if name := conditionName(c); name != "" {
				return name
			}
		}
	case search.KeyIn:
		return search.SortByID
	case search.Refers:
		return e.Param + "." + conditionName(e.Where)
	case search.Referred:
		return "_has:" + e.Source + ":" + e.Param
	}
	return ""
}
