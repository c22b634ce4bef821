package interaction

import (
	"context"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// finding is what a search finds: the rows of all its queries, which have one order and find no resource in common. It is more than one query
// for a compartment of all types, whose condition differs from type to type, and for contained resources.
type finding []search.Query

// findingOf returns the queries of a request. Types that have no part in the compartment find nothing.
func (s *Service) findingOf(req search.Request, compartment fhir.Key) (finding, error) {
	order := req.Sort
	if req.Contained != search.ContainedFalse {
		if compartment != (fhir.Key{}) {
			return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDBadContained, "contained resources are in no compartment; search without _contained")
		}
		return s.parameters.Finds(req), nil
	}
	if compartment == (fhir.Key{}) {
		if len(order) == 0 {
			order = search.NaturalOrder(req.Types, req.Where)
		}
		return finding{{Types: req.Types, Where: req.Where, Sort: order}}, nil
	}
	var f finding
	for _, typ := range req.Types {
		inside, ok := s.parameters.Compartment(compartment, typ)
		if !ok {
			continue
		}
		where := inside
		if req.Where != nil {
			where = search.And{inside, req.Where}
		}
		if len(req.Sort) == 0 && len(req.Types) == 1 {
			order = search.NaturalOrder(req.Types, where)
		}
		f = append(f, search.Query{Types: []string{typ}, Where: where, Sort: order})
	}
	if len(f) == 0 {
		return nil, fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotInCompartment, "there is no such compartment, or the resource type is not in it")
	}
	return f, nil
}

// sorts returns the order.
func (f finding) sorts() []search.Sort { return f[0].Sort }

// find returns rows in order, behind after, at most limit.
func (f finding) find(ctx context.Context, r storage.Reader, after *search.Position, reverse bool, limit int) ([]search.Row, error) {
	var all []search.Row
	for _, q := range f {
		q.After, q.Reverse, q.Limit = after, reverse, limit
		rows, err := r.Find(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(f) == 1 {
			return rows, nil
		}
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(a, b search.Row) int {
		c := a.Position.Compare(b.Position, f.sorts())
		if reverse {
			return -c
		}
		return c
	})
	return all[:min(limit, len(all))], nil
}

// sum adds what count says of each query; ok is false where it does not know of one.
func (f finding) sum(count func(search.Query) (int64, bool, error)) (total int64, ok bool, err error) {
	for _, q := range f {
		n, ok, err := count(q)
		if err != nil || !ok {
			return 0, false, err
		}
		total += n
	}
	return total, true, nil
}
