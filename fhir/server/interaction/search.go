package interaction

import (
	"context"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Search returns a page of the resources that a query finds, with what it includes (R4 http, 3.1.0.9 search, and search,
// http://hl7.org/fhir/R4/search.html).
func (s *Service) Search(ctx context.Context, q SearchRequest) (Bundle, error) {
	var out Bundle
	err := s.reading(ctx, func(r storage.Reader) (err error) {
		out, err = s.search(ctx, r, q)
		return err
	})
	if err != nil {
		return Bundle{}, failure("search", q.Compartment, err)
	}
	return out, nil
}

// search is Search in a view, or in a transaction that reads its own writes.
func (s *Service) search(ctx context.Context, r storage.Reader, q SearchRequest) (Bundle, error) {
	p, err := s.parseSearch(ctx, r, q)
	if err != nil {
		return Bundle{}, err
	}
	got, err := s.pageOf(ctx, r, &p)
	if err != nil {
		return Bundle{}, err
	}
	if p.request.ContainedAlone {
		if got.contained, err = s.containedMatches(ctx, s.matched(r, &p), &p, got.matches); err != nil {
			return Bundle{}, err
		}
		got.matches = nil
		if !p.later && !got.found.after {
			p.place.total = int64(len(got.contained))
		}
	}
	return s.renderSearch(q, &p, &got)
}

// pageRead is a page as it was read: its matches, what they include, and how the search ran where that was asked for.
type pageRead struct {
	found             page
	matches, included []storage.Record
	// contained is what is shown in place of matches where contained resources are.
	contained []containedMatch
	plan      *search.Plan
}

// pageOf reads the page of a search that p asks for, and notes in p the first page's total and what there is to say of it.
func (s *Service) pageOf(ctx context.Context, r storage.Reader, p *searching) (got pageRead, err error) {
	if p.later && p.place.place() != nil && len(p.place.position.Sort) != len(p.finding.sorts()) {
		return got, errCursor("belongs to another search")
	}
	kept := false
	switch {
	case p.countOnly:
	case p.later:
		kept, err = s.atMark(ctx, p.place.mark, func(then storage.Reader) (err error) {
			got.found, got.matches, got.included, err = s.markedPage(ctx, then, r, *p)
			return err
		})
		if !kept && err == nil {
			var changed bool
			if got.found, changed, err = s.laterPage(ctx, s.matched(r, p), p.finding, p.count, p.place); changed {
				p.issues = append(p.issues, s.changedSince())
			}
		}
	default:
		got.found, err = firstPage(ctx, s.matched(r, p), p.finding, p.count)
	}
	if err != nil {
		return got, err
	}
	counted := notCounted
	if !p.later {
		versions, err := namedVersions(ctx, r, p.finding)
		if err != nil {
			return got, err
		}
		p.issues = append(p.issues, versions...)
		if p.place.total, counted, err = total(ctx, s.matched(r, p), *p, got.found); err != nil {
			return got, err
		}
	}
	if p.explain {
		if got.plan, err = explain(ctx, s.matched(r, p), p, counted); err != nil {
			return got, err
		}
	}
	if !kept {
		if got.matches, got.included, err = s.fill(ctx, r, &got.found, p); err != nil {
			return got, err
		}
	}
	return got, nil
}

// counting says how a total was made.
type counting uint8

const (
	notCounted counting = iota
	countedRows
	countedCheaply // by a counter, if one knew
	estimated
)

// total returns what Bundle.total says; -1 for nothing (R4 search, 3.1.1.5.3). Without _total it is there wherever it costs nothing.
func total(ctx context.Context, r storage.Reader, p searching, found page) (n int64, how counting, err error) {
	switch {
	case p.total == search.TotalNone || p.request.ContainedAlone:
		return -1, notCounted, nil
	case !p.countOnly && !found.after && !found.before:
		return int64(len(found.rows)), notCounted, nil
	case p.total == search.TotalAccurate || p.countOnly && p.total == search.TotalDefault:
		n, _, err := p.finding.sum(func(q search.Query) (int64, bool, error) {
			n, err := r.Count(ctx, q)
			return n, true, err
		})
		return n, countedRows, err
	}
	how = countedCheaply
	n, ok, err := p.finding.sum(func(q search.Query) (int64, bool, error) { return r.CountCheap(ctx, q) })
	if err == nil && !ok && p.total == search.TotalEstimate {
		how = estimated
		n, ok, err = p.finding.sum(func(q search.Query) (int64, bool, error) {
			n, err := r.Estimate(ctx, q)
			return n, true, err
		})
	}
	if err != nil || !ok {
		return -1, how, err
	}
	return n, how, nil
}

// recordsOf returns the records of rows, whose keys are keys: the versions that the rows name, which are not the current ones where a later
// page shows the moment of the first.
func recordsOf(ctx context.Context, r storage.Reader, keys []fhir.Key, rows []search.Row) ([]storage.Record, error) {
	records, err := r.GetMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i := range records {
		if records[i].Version == rows[i].Version {
			continue
		}
		if records[i], err = r.GetVersion(ctx, keys[i], rows[i].Version); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// renderSearch writes the Bundle of a page.
func (s *Service) renderSearch(q SearchRequest, p *searching, got *pageRead) (Bundle, error) {
	l, found := s.linksOf(q, p), &got.found
	links := []link{{"self", l.self()}}
	if !p.countOnly {
		links = append(links, link{"first", l.first()})
	}
	// Where all that was on a page has been deleted, the links lead to the last page, or to the first.
	var first, last search.Position
	if n := len(found.rows); n > 0 {
		first, last = found.rows[0].Position, found.rows[n-1].Position
	}
	if found.before {
		links = append(links, link{"previous", l.to(first, true)})
	}
	if found.after {
		links = append(links, link{"next", l.to(last, false)})
	}
	size := bytesOf(got.matches) + bytesOf(got.included)
	for i := range got.contained {
		size += int64(len(got.contained[i].body))
	}
	a := newPage("searchset", s.ids.next(), p.place.moment, p.place.total, links, len(got.matches)+len(got.contained)+len(got.included), size, q.Apart)
	write := func(rec *storage.Record, id, typ string, body []byte, mode string) (err error) {
		// _elements names elements of the types searched, _summary is about all resources.
		if p.subset != nil && (p.subset.summary != "" || slices.Contains(p.request.Types, typ)) {
			if body, err = s.subset(body, p.subset); err != nil {
				return err
			}
		}
		a.match(q.Base, rec, id, body, mode)
		return nil
	}
	for i := range got.matches {
		rec := &got.matches[i]
		if err := write(rec, "", rec.Key.Type, rec.Body, "match"); err != nil {
			return Bundle{}, err
		}
	}
	for _, m := range got.contained {
		if err := write(m.rec, m.id, m.typ, m.body, "match"); err != nil {
			return Bundle{}, err
		}
	}
	for i := range got.included {
		rec := &got.included[i]
		if err := write(rec, "", rec.Key.Type, rec.Body, "include"); err != nil {
			return Bundle{}, err
		}
	}
	if issues := slices.Concat(p.issues, s.incomplete(p.finding, p.includes)); len(issues) > 0 {
		a.outcome(fhir.AppendOutcome(nil, issues))
	}
	if got.plan != nil {
		a.outcome(appendPlan(nil, got.plan))
	}
	return a.done(), nil
}
