package specification

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Find implements storage.Reader.
func (r *reader) Find(ctx context.Context, q search.Query) ([]search.Row, error) {
	site, err := r.ofSite(ctx, q)
	if err != nil {
		return nil, err
	}
	rows, err := r.Reader.Find(ctx, site)
	if err != nil {
		return nil, err
	}
	own, _, err := r.rows(ctx, q)
	return merge(rows, own, q), err
}

// Explain implements storage.Reader.
func (r *reader) Explain(ctx context.Context, q search.Query) ([]search.Row, search.Plan, error) {
	site, err := r.ofSite(ctx, q)
	if err != nil {
		return nil, search.Plan{}, err
	}
	rows, plan, err := r.Reader.Explain(ctx, site)
	if err != nil {
		return nil, plan, err
	}
	own, tried, err := r.rows(ctx, q)
	rows = merge(rows, own, q)
	r.tell(&plan, q, tried, len(own))
	plan.Returned = len(rows)
	return rows, plan, err
}

// Count implements storage.Reader.
func (r *reader) Count(ctx context.Context, q search.Query) (int64, error) {
	site, err := r.ofSite(ctx, q)
	if err != nil {
		return 0, err
	}
	n, err := r.Reader.Count(ctx, site)
	if err != nil {
		return 0, err
	}
	own, _, err := r.rows(ctx, counted(q))
	return n + int64(len(own)), err
}

// ExplainCount implements storage.Reader.
func (r *reader) ExplainCount(ctx context.Context, q search.Query) (int64, search.Plan, error) {
	site, err := r.ofSite(ctx, q)
	if err != nil {
		return 0, search.Plan{}, err
	}
	n, plan, err := r.Reader.ExplainCount(ctx, site)
	if err != nil {
		return 0, plan, err
	}
	own, tried, err := r.rows(ctx, counted(q))
	r.tell(&plan, q, tried, len(own))
	plan.Returned += len(own)
	return n + int64(len(own)), plan, err
}

// CountCheap implements storage.Reader.
func (r *reader) CountCheap(ctx context.Context, q search.Query) (int64, bool, error) {
	site, err := r.ofSite(ctx, q)
	if err != nil {
		return 0, false, err
	}
	n, ok, err := r.Reader.CountCheap(ctx, site)
	if err != nil || !ok {
		return 0, false, err
	}
	for _, typ := range r.spec.of(q.Types) {
		if stored, err := r.stores(ctx, typ); stored || err != nil {
			return 0, false, err // some may replace definitions, which is not cheap to find out
		}
	}
	own, _, err := r.rows(ctx, counted(q))
	return n + int64(len(own)), err == nil, err
}

// Estimate implements storage.Reader.
func (r *reader) Estimate(ctx context.Context, q search.Query) (int64, error) {
	site, err := r.ofSite(ctx, q)
	if err != nil {
		return 0, err
	}
	n, err := r.Reader.Estimate(ctx, site)
	if err != nil {
		return 0, err
	}
	own, _, err := r.matches(ctx, counted(q))
	return n + int64(len(own)), err
}

// counted returns q without what does not matter to a count.
func counted(q search.Query) search.Query { return search.Query{Types: q.Types, Where: q.Where} }

// tell adds to a plan how the definitions were found.
func (r *reader) tell(plan *search.Plan, q search.Query, tried, found int) {
	if own := r.spec.of(q.Types); len(own) > 0 {
		plan.Steps = append(plan.Steps, search.Step{Kind: "scan", Index: strings.Join(own, " ") + ": definitions of R4",
			Detail: "tried " + strconv.Itoa(tried) + " in memory", Rows: found})
	}
}

// rows returns the definitions that q finds and that the site does not replace, in its order, at most q.Limit. tried is how many were tried.
func (r *reader) rows(ctx context.Context, q search.Query) (rows []search.Row, tried int, err error) {
	found, tried, err := r.matches(ctx, q)
	if err != nil || len(found) == 0 {
		return nil, tried, err
	}
	stores := make(map[string]bool)
	for _, typ := range r.spec.of(q.Types) {
		if stores[typ], err = r.stores(ctx, typ); err != nil {
			return nil, tried, err
		}
	}
	for _, row := range found {
		if q.Limit > 0 && len(rows) == q.Limit {
			break
		}
		if stores[row.Key.Type] {
			if replaced, err := r.replaced(ctx, row.Key); err != nil {
				return nil, tried, err
			} else if replaced {
				continue
			}
		}
		rows = append(rows, row)
	}
	return rows, tried, nil
}

// stores reports whether the site has ever stored a resource of a type.
func (r *reader) stores(ctx context.Context, typ string) (bool, error) {
	recs, err := r.Reader.History(ctx, storage.HistoryQuery{Types: []string{typ}, Limit: 1})
	return len(recs) > 0, err
}

// matches returns the definitions that q finds behind q.After, in its order.
func (r *reader) matches(ctx context.Context, q search.Query) (rows []search.Row, tried int, err error) {
	for _, typ := range r.spec.of(q.Types) {
		c, err := r.spec.content(typ)
		if err != nil {
			return nil, 0, err
		}
		tried += len(c.books)
		where, err := r.ofDefinitions(ctx, typ, q.Where)
		if err != nil {
			return nil, tried, err
		}
		wanted := c.texts.wanted(where, q.Sort)
		var entries []search.Entry
		for i := range c.books {
			b := &c.books[i]
			entries = c.texts.unpack(entries[:0], b.packed, wanted)
			if !search.Match(where, b.key, entries, alone{}) {
				continue
			}
			row := search.Row{Position: search.Position{Key: b.key}, Version: 1, Updated: b.updated}
			for _, s := range q.Sort {
				row.Sort = append(row.Sort, search.ChainSortValue(b.key, entries, s, alone{}))
			}
			if q.After == nil || direction(q)*row.Position.Compare(*q.After, q.Sort) > 0 {
				rows = append(rows, row)
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, tried, err
		}
	}
	slices.SortFunc(rows, comparing(q))
	return rows, tried, nil
}

// direction is -1 where q walks backwards.
func direction(q search.Query) int {
	if q.Reverse {
		return -1
	}
	return 1
}

// comparing returns the order of q's rows.
func comparing(q search.Query) func(a, b search.Row) int {
	return func(a, b search.Row) int { return direction(q) * a.Position.Compare(b.Position, q.Sort) }
}

// merge returns the first rows of two lists that are in q's order.
func merge(a, b []search.Row, q search.Query) []search.Row {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, comparing(q))
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[:q.Limit]
	}
	return all
}
