package interaction

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// maxChanged bounds how many resources may have been updated since a search's first page for later pages to show its moment.
const maxChanged = 10_000

// errManyChanged means that there are more.
var errManyChanged = errors.New("interaction: too much has changed to show the moment of the first page")

// page is the matches of one page, in the search's order.
type page struct {
	rows []search.Row
	// before and after tell whether there are matches in front of the first and behind the last row.
	before, after bool
}

// firstPage finds the first count matches.
func firstPage(ctx context.Context, r storage.Reader, f finding, count int) (page, error) {
	rows, err := f.find(ctx, r, nil, false, count+1)
	if err != nil {
		return page{}, err
	}
	return page{rows: rows[:min(count, len(rows))], after: len(rows) > count}, nil
}

// laterPage finds the count matches behind a cursor (before it, where the cursor goes back), as they were at the moment of the first page, where
// the engine can't show the state of that moment again (mark.go):
//
//   - what did not change since is found where the indexes have it;
//   - what was updated since is found through the entries that updates leave, taken out of where it is now, and put where its version of that
//     moment belongs, if that version matched;
//   - what was created since is left out, and what was deleted since is gone.
//
// Conditions and orders that follow references (chains, _has) are those of now for the resource referred to. Where more has been updated than
// maxChanged, the pages go on with what was updated where it is now, and changed is set.
func (s *Service) laterPage(ctx context.Context, r storage.Reader, f finding, count int, c cursor) (p page, changed bool, err error) {
	moved, err := s.movedSince(ctx, r, f, c.moment)
	if changed = errors.Is(err, errManyChanged); err != nil && !changed {
		return page{}, false, err
	}
	after := c.place()
	past := slices.DeleteFunc(moved, func(row search.Row) bool {
		if after == nil {
			return false
		}
		d := row.Position.Compare(*after, f.sorts())
		return d == 0 || (d < 0) != c.back
	})
	if c.back {
		slices.Reverse(past)
	}
	comesFirst := func(a, b search.Position) bool {
		d := a.Compare(b, f.sorts())
		return d != 0 && (d > 0) == c.back
	}
	var rows []search.Row
	for len(rows) <= count {
		limit := count + 1 - len(rows) + 8
		found, err := f.find(ctx, r, after, c.back, limit)
		if err != nil {
			return page{}, false, err
		}
		for _, row := range found {
			if row.Updated.After(c.moment) && (!changed || row.Version == 1) {
				continue
			}
			for len(past) > 0 && comesFirst(past[0].Position, row.Position) {
				rows, past = append(rows, past[0]), past[1:]
			}
			rows = append(rows, row)
		}
		if len(found) < limit {
			rows = append(rows, past...)
			break
		}
		after = &found[len(found)-1].Position
	}
	return pageBehind(rows, count, c), changed, nil
}

// changedSince is what a page says that does not show the moment of the first.
func (s *Service) changedSince() fhir.Issue {
	return fhir.Issue{Severity: fhir.SeverityWarning, Code: fhir.IssueIncomplete, ID: fhir.IDPagesChanged, Text: fmt.Sprintf(
		"more than %d resources were updated since the first page: what was updated may be on two pages or on none; search again to see all of it", s.opt.maxChanged)}
}

// pageBehind is the page of the first count rows behind a cursor; further rows tell that there is more.
func pageBehind(rows []search.Row, count int, c cursor) page {
	p := page{rows: rows[:min(count, len(rows))]}
	more := len(rows) > count
	if c.back {
		slices.Reverse(p.rows)
		p.before, p.after = more, c.place() != nil
	} else {
		p.before, p.after = c.place() != nil, more
	}
	return p
}

// movedSince returns, in order, rows for the resources that were updated after the moment and whose version of that moment was found. The
// row's Version is that version.
func (s *Service) movedSince(ctx context.Context, r storage.Reader, f finding, moment time.Time) ([]search.Row, error) {
	since := []search.Comparison{{Field: search.Lo, Op: search.Gt, Value: search.LastUpdated(moment).Lo}}
	lookup := &lookup{ctx: ctx, service: s, reader: r}
	var rows []search.Row
	for _, q := range f {
		updated, err := r.Find(ctx, search.Query{Types: q.Types, Where: search.Some{Param: changed, Where: since}, Limit: s.opt.maxChanged + 1})
		if err != nil {
			return nil, err
		}
		if len(updated) > s.opt.maxChanged {
			return nil, errManyChanged
		}
		for _, now := range updated {
			then, err := versionUntil(ctx, r, storage.Record{Key: now.Key, Version: now.Version, Updated: now.Updated}, moment)
			if err != nil {
				return nil, err
			}
			if then.Version == 0 || then.Deleted {
				continue
			}
			entries, err := s.entriesOf(then)
			if err != nil {
				return nil, err
			}
			if !search.Match(q.Where, then.Key, entries, lookup) {
				continue
			}
			row := search.Row{Position: search.Position{Key: then.Key}, Version: then.Version, Updated: then.Updated}
			for _, sort := range q.Sort {
				row.Sort = append(row.Sort, search.ChainSortValue(then.Key, entries, sort, lookup))
			}
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b search.Row) int { return a.Position.Compare(b.Position, f.sorts()) })
	return rows, lookup.err
}

// Entries returns what a current version should be found by.
func (s *Service) Entries(rec storage.Record) ([]search.Entry, error) { return s.entriesOf(rec) }

// entriesOf returns what a version is, or was, found by.
func (s *Service) entriesOf(rec storage.Record) ([]search.Entry, error) {
	r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
	if err != nil {
		return nil, err
	}
	entries, err := s.parameters.Extract(r)
	var e *fhir.Error
	if err != nil && (!errors.As(err, &e) || e.Kind != fhir.KindTooLarge) { // what an earlier release has stored is found by all else
		return nil, err
	}
	return stampEntries(entries, rec.Version, rec.Updated), nil
}

// lookup is the search.Lookup of a view. An engine's failure is kept in err, and the resource then counts as not there.
type lookup struct {
	ctx     context.Context
	service *Service
	reader  storage.Reader
	err     error
}

// Entries implements search.Lookup.
func (l *lookup) Entries(key fhir.Key) ([]search.Entry, bool) {
	rec, err := current(l.ctx, l.reader, key)
	if err == nil && !exists(rec) {
		return nil, false
	}
	var entries []search.Entry
	if err == nil {
		entries, err = l.service.entriesOf(rec)
	}
	if err != nil {
		l.err = err
		return nil, false
	}
	return entries, true
}

// Resources implements search.Lookup. It is asked by _has alone, for few resources, and reads a type through in chunks.
func (l *lookup) Resources(typ string) iter.Seq2[fhir.Key, []search.Entry] {
	return func(yield func(fhir.Key, []search.Entry) bool) {
		q := search.Query{Types: []string{typ}, Limit: 200}
		for {
			rows, err := l.reader.Find(l.ctx, q)
			if err != nil {
				l.err = err
				return
			}
			for i := range rows {
				entries, ok := l.Entries(rows[i].Key)
				if ok && !yield(rows[i].Key, entries) {
					return
				}
			}
			if len(rows) < q.Limit {
				return
			}
			q.After = &rows[len(rows)-1].Position
		}
	}
}
