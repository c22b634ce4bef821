package interaction

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// explain runs the first page once more, and the count where there was one, and tells how, after what was looked up to read the parameters.
func explain(ctx context.Context, r storage.Reader, p *searching, counted counting) (*search.Plan, error) {
	all := p.looked
	if !p.countOnly {
		for _, q := range p.finding {
			q.Limit = p.count + 1
			_, plan, err := r.Explain(ctx, q)
			if err != nil {
				return nil, err
			}
			add(&all, plan)
			all.Returned += plan.Returned
		}
	}
	for _, q := range p.finding {
		plan, err := explainTotal(ctx, r, q, counted)
		if err != nil {
			return nil, err
		}
		add(&all, plan)
	}
	return &all, nil
}

// explainTotal tells how the total of a query was made.
func explainTotal(ctx context.Context, r storage.Reader, q search.Query, counted counting) (plan search.Plan, err error) {
	told := func(detail string) search.Plan {
		return search.Plan{Steps: []search.Step{{Kind: "count", Index: "total", Detail: detail}}}
	}
	switch counted {
	case countedCheaply:
		if _, ok, err := r.CountCheap(ctx, q); err != nil || !ok {
			return plan, err
		}
	case countedRows:
	case estimated:
		return told("estimated from the sizes of index ranges"), nil
	default:
		return plan, nil
	}
	_, plan, err = r.ExplainCount(ctx, q)
	return plan, err
}

// add adds what a plan tells, but for the rows that it returned.
func add(all *search.Plan, plan search.Plan) {
	all.Steps = append(all.Steps, plan.Steps...)
	for _, name := range plan.Unindexed {
		if !slices.Contains(all.Unindexed, name) {
			all.Unindexed = append(all.Unindexed, name)
		}
	}
	all.Examined += plan.Examined
	all.Fetched += plan.Fetched
}

// appendPlan appends an OperationOutcome that tells how a search ran: an issue for each step, one for each condition that no index served,
// and one with the counts. All are of severity information; their ids are plan-step, plan-unindexed and plan-cost. No text holds a value
// that was searched for.
func appendPlan(dst []byte, plan *search.Plan) []byte {
	var issues []fhir.Issue
	add := func(id fhir.IssueID, text string) {
		issues = append(issues, fhir.Issue{Severity: fhir.SeverityInformation, Code: fhir.IssueInformational, ID: id, Text: text})
	}
	for i, step := range plan.Steps {
		add(fhir.IDPlanStep, fmt.Sprintf("%d. %s %s %s (%d rows)", i+1, step.Kind, step.Index, step.Detail, step.Rows))
	}
	for _, name := range plan.Unindexed {
		add(fhir.IDPlanUnindexed, "no index served "+name)
	}
	add(fhir.IDPlanCost, "index rows read "+strconv.Itoa(plan.Examined)+", resources looked up "+strconv.Itoa(plan.Fetched)+", rows returned "+strconv.Itoa(plan.Returned))
	return fhir.AppendOutcome(dst, issues)
}
