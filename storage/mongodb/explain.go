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

// ExplainCount counts as Count does: each count of the server is run and then explained by it with its execution statistics.
func (r *reader) ExplainCount(ctx context.Context, q search.Query) (int64, search.Plan, error) {
	t := &told{}
	r.told = t
	defer func() { r.told = nil }()
	n, err := r.Count(ctx, q)
	return n, search.Plan{Steps: t.steps, Unindexed: t.unindexed, Examined: t.examined, Fetched: t.fetched, Returned: int(n)}, err
}

// count asks the server how it ran the count of a plan.
func (t *told) count(ctx context.Context, r *reader, p plan, f bson.D, n int) error {
	pipeline := bson.A{bson.D{{Key: "$match", Value: f}}, countAll}
	cmd := bson.D{{Key: "aggregate", Value: p.typ}, {Key: "pipeline", Value: pipeline}, {Key: "cursor", Value: bson.D{}}, {Key: "hint", Value: p.hint()}}
	return t.explain(ctx, r, p, cmd, "count ", n)
}

// probe asks the server how it counted up to a limit, which a plan was chosen by.
func (t *told) probe(ctx context.Context, r *reader, p plan, f bson.D, limit, n int) error {
	pipeline := bson.A{bson.D{{Key: "$match", Value: f}}, bson.D{{Key: "$limit", Value: limit}}, countAll}
	cmd := bson.D{{Key: "aggregate", Value: p.typ}, {Key: "pipeline", Value: pipeline}, {Key: "cursor", Value: bson.D{}}, {Key: "hint", Value: p.hint()}}
	return t.explain(ctx, r, p, cmd, fmt.Sprintf("count up to %d: ", limit), n)
}

// keys asks the server how it ran a find for ids, which are keys of the index.
func (t *told) keys(ctx context.Context, r *reader, p plan, f, sort bson.D, limit, returned int) error {
	cmd := bson.D{{Key: "find", Value: p.typ}, {Key: "filter", Value: f}, {Key: "hint", Value: p.hint()}, {Key: "sort", Value: sort},
		{Key: "limit", Value: limit}, {Key: "projection", Value: bson.D{{Key: fieldID, Value: 1}}}}
	return t.explain(ctx, r, p, cmd, "ids ", returned)
}

// countAll is the stage of a pipeline that counts.
var countAll = bson.D{{Key: "$group", Value: bson.D{{Key: fieldID, Value: nil}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}}}

// find asks the server how it ran a find.
func (t *told) find(ctx context.Context, r *reader, p plan, f, sort bson.D, limit, returned int) error {
	cmd := bson.D{{Key: "find", Value: p.typ}, {Key: "filter", Value: f}, {Key: "hint", Value: p.hint()}}
	if sort != nil {
		cmd = append(cmd, bson.E{Key: "sort", Value: sort})
	}
	if limit < unlimited {
		cmd = append(cmd, bson.E{Key: "limit", Value: limit})
	}
	return t.explain(ctx, r, p, cmd, "", returned)
}

// explain asks the server how it ran a command, and adds a step.
func (t *told) explain(ctx context.Context, r *reader, p plan, cmd bson.D, what string, returned int) error {
	// Explain is not part of a session with a moment; it runs on what is there at the time.
	out, err := r.s.db.RunCommand(context.WithoutCancel(ctx), bson.D{{Key: "explain", Value: cmd}, {Key: "verbosity", Value: "executionStats"}}).Raw()
	if err != nil {
		if !noSuchIndex(err) {
			return wrap("explain", err)
		}
		t.steps = append(t.steps, search.Step{Kind: "scan", Index: p.describe(), Detail: "the index is being built", Rows: returned})
		return nil
	}
	if cursor, ok := out.Lookup("stages", "0", "$cursor").DocumentOK(); ok { // of a pipeline that is more than a find
		out = cursor
	}
	winning, _ := out.Lookup("queryPlanner", "winningPlan").DocumentOK()
	keys, _ := out.Lookup("executionStats", "totalKeysExamined").AsInt64OK()
	docs, _ := out.Lookup("executionStats", "totalDocsExamined").AsInt64OK()
	stages := stagesOf(winning, nil)
	t.stages = append(t.stages, stages...)
	t.examined += int(keys)
	t.fetched += int(docs)
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
		Detail: what + fmt.Sprintf("%s; %d keys, %d documents", strings.Join(stages, " "), keys, docs)})
	for _, c := range p.tests {
		if name := conditionName(c.expr); name != "" && !c.found && !contains(t.unindexed, name) {
			t.unindexed = append(t.unindexed, name)
		}
	}
	return nil
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
	case search.Within:
		return e.Param + " inside " + e.Target + "." + conditionName(e.Where)
	case search.Referred:
		return "_has:" + e.Source + ":" + e.Param
	}
	return ""
}
