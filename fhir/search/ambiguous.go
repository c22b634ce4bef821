package search

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// An id alone stands for a resource of any type that the reference may point to. "Servers SHOULD fail a search where the logical id in a
// reference refers to more than one matching resource across different types" (https://hl7.org/fhir/R4/search.html#reference).

// checkIDs refuses the values of a reference parameter that are ids of resources of several types.
func (q *reading) checkIDs(p *Parameter, values []string) error {
	if q.opt.IDs == nil {
		return nil
	}
	var ids []string
	for _, raw := range values {
		if fhir.ValidID(raw) {
			ids = append(ids, raw)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	targets := q.targets(p)
	if len(targets) == 0 {
		targets = q.params.registry.ResourceTypes()
	}
	if len(targets) == 1 {
		return nil
	}
	types, err := q.opt.IDs.sharedID(targets, ids)
	if err != nil || len(types) == 0 {
		return err
	}
	return fhir.NewError(fhir.KindInvalid, fhir.IssueMultiple, fhir.IDAmbiguousReference,
		"the id alone is that of resources of several types: "+strings.Join(types, ", ")+"; write "+types[0]+"/ in front of it, or "+p.Code+":"+types[0])
}

// sharedID returns the types of the resources that have one of the ids; nil where each id is of one type at most.
func (c *Canonicals) sharedID(types, ids []string) ([]string, error) {
	rows, err := c.finder.Find(c.ctx, Query{Types: types, Where: KeyIn{IDs: ids}})
	if err != nil {
		c.fail(err)
		return nil, err
	}
	byID := make(map[string][]string, len(ids))
	for i := range rows {
		id := rows[i].Key.ID
		byID[id] = append(byID[id], rows[i].Key.Type)
	}
	for _, id := range ids {
		if len(byID[id]) > 1 {
			return byID[id], nil
		}
	}
	return nil, nil
}
