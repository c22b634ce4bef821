package interaction

import (
	"context"
	"fmt"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Newest asks for the newest of each group of the resources that a search finds.
type Newest struct {
	SearchRequest
	// By is the date parameter that says which resource is newer.
	By string
	// Most is how many of each group are returned. What is as new as the last of them is returned, too.
	Most int
	// Names returns what makes a resource a member of groups. Those that have a name in common are of one group, and so are those that others connect.
	Names func(fhir.Resource) []string
	// Alike reports whether all that a condition accepts has a name in common. Then the newest ones are all that is read.
	Alike func(search.Expr) bool
}

// maxGroups bounds the groups of one request.
const maxGroups = 10_000

// Newest returns a page of the newest resources of all groups, newest first. A response without _count is whole up to Options.MaxPage. Later pages show
// the state of the first where the engine keeps it; elsewhere they show what is newest then, and say so where that is not the same.
func (s *Service) Newest(ctx context.Context, q Newest) (Bundle, error) {
	var out Bundle
	err := s.reading(ctx, func(r storage.Reader) (err error) {
		out, err = s.newest(ctx, r, q)
		return err
	})
	if err != nil {
		return Bundle{}, failure("search", fhir.Key{}, err)
	}
	return out, nil
}

// newest is Newest in a view.
func (s *Service) newest(ctx context.Context, r storage.Reader, q Newest) (Bundle, error) {
	p, err := s.parseSearch(ctx, r, q.SearchRequest)
	if err != nil {
		return Bundle{}, err
	}
	if p.request.Count < 0 {
		p.count = s.opt.MaxPage
	}
	p.finding[0].Sort = []search.Sort{{Param: q.By, Desc: true}}
	if p.later && p.place.place() != nil && len(p.place.position.Sort) != 1 {
		return Bundle{}, errCursor("belongs to another search")
	}
	var got pageRead
	page := func(then storage.Reader) error {
		rows, err := s.newestOfGroups(ctx, then, p.finding[0], &q)
		if err != nil {
			return err
		}
		if !p.later {
			p.place.total = int64(len(rows))
		} else if p.place.total != int64(len(rows)) || slices.ContainsFunc(rows, func(row search.Row) bool { return row.Updated.After(p.place.moment) }) {
			p.issues = append(p.issues, fhir.Issue{Severity: fhir.SeverityWarning, Code: fhir.IssueIncomplete, ID: fhir.IDPagesChanged,
				Text: "what is newest has changed since the first page: a resource may be on two pages or on none; ask again to see all of it"})
		}
		got.found = pageOfNewest(rows, &p)
		if then != r {
			if got.found.rows, err = remaining(ctx, r, got.found.rows, func(row search.Row) fhir.Key { return row.Key }); err != nil {
				return err
			}
		}
		if got.matches, got.included, err = s.fill(ctx, then, &got.found, &p); err == nil && then != r {
			got.included, err = remaining(ctx, r, got.included, func(rec storage.Record) fhir.Key { return rec.Key })
		}
		return err
	}
	kept := false
	if p.later {
		said := p.issues
		if kept, err = s.atMark(ctx, p.place.mark, page); !kept {
			p.issues = said
		}
	}
	if err == nil && !kept {
		err = page(r)
	}
	if err != nil {
		return Bundle{}, err
	}
	return s.renderSearch(q.SearchRequest, &p, &got)
}

// remaining returns those items of a state that is shown again whose resource has not been deleted since.
func remaining[T any](ctx context.Context, now storage.Reader, items []T, keyOf func(T) fhir.Key) ([]T, error) {
	if len(items) == 0 {
		return items, nil
	}
	keys := make([]fhir.Key, len(items))
	for i := range items {
		keys[i] = keyOf(items[i])
	}
	there, err := living(ctx, now, keys)
	return slices.DeleteFunc(slices.Clone(items), func(item T) bool { return !there[keyOf(item)] }), err
}

// pageOfNewest is the page of rows that p asks for.
func pageOfNewest(rows []search.Row, p *searching) page {
	if p.countOnly {
		return page{}
	}
	place := p.place.place()
	if !p.later || place == nil && !p.place.back {
		return page{rows: rows[:min(p.count, len(rows))], after: len(rows) > p.count}
	}
	start := len(rows) // of those behind the place, or the end of those before it
	if place != nil {
		start = slices.IndexFunc(rows, func(row search.Row) bool {
			d := row.Position.Compare(*place, p.finding.sorts())
			return d > 0 || d == 0 && p.place.back
		})
		if start < 0 {
			start = len(rows)
		}
	}
	if p.place.back {
		from := max(0, start-p.count)
		return page{rows: rows[from:start], before: from > 0, after: start < len(rows)}
	}
	end := min(len(rows), start+p.count)
	return page{rows: rows[start:end], before: start > 0, after: end < len(rows)}
}

// newestOfGroups returns the rows of the newest resources of all groups, newest first.
func (s *Service) newestOfGroups(ctx context.Context, r storage.Reader, query search.Query, q *Newest) ([]search.Row, error) {
	if q.Alike(query.Where) {
		return newestAlike(ctx, r, query, q.Most)
	}
	g := groups{most: q.Most, of: make(map[string]*group), sorts: query.Sort}
	err := s.walkQuery(ctx, r, query, func(row search.Row, rec storage.Record) (bool, error) {
		res, err := fhir.ParseResource(rec.Body, fhir.Limits{})
		if err != nil {
			return false, err
		}
		g.add(row, q.Names(res))
		if g.count > maxGroups {
			return false, fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDOperationCost,
				fmt.Sprintf("what the parameters find is of more than %d groups; narrow the search", maxGroups))
		}
		return true, nil
	})
	return g.rows(), err
}

// newestAlike returns the newest rows of a query whose resources are one group, and reads no others but those that are as new as the last.
func newestAlike(ctx context.Context, r storage.Reader, query search.Query, most int) ([]search.Row, error) {
	var all []search.Row
	for query.Limit = most + 1; ; query.Limit = walkAtOnce {
		rows, err := r.Find(ctx, query)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if kept := withTies(all, most); len(kept) < len(all) || len(rows) < query.Limit {
			return kept, nil
		}
		after := all[len(all)-1].Position
		query.After = &after
	}
}

// withTies returns the first rows of an order by one date, and those that are as new as the last of them. What has no date is as new as nothing.
func withTies(rows []search.Row, most int) []search.Row {
	if len(rows) <= most {
		return rows
	}
	end := most
	for last := rows[most-1].Sort[0]; end < len(rows) && !last.Missing && rows[end].Sort[0] == last; end++ {
	}
	return rows[:end]
}

// group is a group, or one that has become a part of another.
type group struct {
	into *group
	rows []search.Row
}

// groups collects the newest rows of groups, of rows that come newest first.
type groups struct {
	most  int
	of    map[string]*group // by name
	sorts []search.Sort
	count int
}

// root returns the group that g has become a part of.
func (g *group) root() *group {
	for g.into != nil {
		if g.into.into != nil {
			g.into = g.into.into
		}
		g = g.into
	}
	return g
}

// add adds a row to the group that its names belong to. Groups that the row connects become one.
func (g *groups) add(row search.Row, names []string) {
	var all *group
	for _, name := range names {
		other := g.of[name]
		if other == nil {
			continue
		}
		switch other = other.root(); {
		case all == nil:
			all = other
		case all != other:
			rows := slices.Concat(all.rows, other.rows)
			slices.SortFunc(rows, func(a, b search.Row) int { return a.Position.Compare(b.Position, g.sorts) })
			all.rows, other.rows, other.into = slices.Clone(withTies(rows, g.most)), nil, all
			g.count--
		}
	}
	if all == nil {
		all = &group{}
		g.count++
	}
	for _, name := range names {
		if g.of[name] == nil {
			g.of[name] = all
		}
	}
	if n := len(all.rows); n < g.most || !row.Sort[0].Missing && row.Sort[0] == all.rows[n-1].Sort[0] {
		all.rows = append(all.rows, row)
	}
}

// rows returns the rows of all groups, newest first.
func (g *groups) rows() []search.Row {
	var all []search.Row
	seen := make(map[*group]bool)
	for _, one := range g.of {
		if one = one.root(); !seen[one] {
			seen[one] = true
			all = append(all, one.rows...)
		}
	}
	slices.SortFunc(all, func(a, b search.Row) int { return a.Position.Compare(b.Position, g.sorts) })
	return all
}
