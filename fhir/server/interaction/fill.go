package interaction

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// keep leaves n rows on the page: the first ones, and where the page was read backwards the last ones. The others are those of the next page.
func (p *page) keep(n int, back bool) {
	if n >= len(p.rows) {
		return
	}
	if back {
		p.rows, p.before = p.rows[len(p.rows)-n:], true
	} else {
		p.rows, p.after = p.rows[:n], true
	}
}

// fill returns the records of the page and what they include, and takes off the page what makes it longer than Options.PageBytes. One match
// stays always, with all that it includes.
func (s *Service) fill(ctx context.Context, r storage.Reader, found *page, p *searching) (matches, included []storage.Record, err error) {
	back := p.place.back
	if matches, err = s.matches(ctx, s.matched(r, p), found, back); err != nil {
		return nil, nil, err
	}
	for {
		room := s.opt.PageBytes - bytesOf(matches)
		if len(matches) == 1 {
			room = pagesAtMost * s.opt.PageBytes
		}
		included, err = s.include(ctx, s.named(r, p), p, matches, room)
		if !errors.Is(err, errCrowded) {
			return matches, included, err
		}
		if len(matches) == 1 {
			return nil, nil, fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDTooManyIncludes,
				fmt.Sprintf("one match includes more than %d resources or %d bytes; search for them by themselves", maxIncluded, room))
		}
		n := len(matches) / 2
		if back {
			matches = matches[len(matches)-n:]
		} else {
			matches = matches[:n]
		}
		found.keep(n, back)
	}
}

// matches returns the records of the page's rows, in their order, and takes off the page those that are past Options.PageBytes.
func (s *Service) matches(ctx context.Context, r storage.Reader, found *page, back bool) ([]storage.Record, error) {
	rows := found.rows
	if back {
		rows = slices.Clone(rows)
		slices.Reverse(rows)
	}
	keys := make([]fhir.Key, len(rows))
	for i := range rows {
		keys[i] = rows[i].Key
	}
	records := make([]storage.Record, 0, len(rows))
	room := s.opt.PageBytes
	for start := 0; start < len(rows) && len(records) == start; {
		end := start + s.sizes.atOnce(keys[start:], room)
		chunk, err := recordsOf(ctx, r, keys[start:end], rows[start:end])
		if err != nil {
			return nil, err
		}
		for i := range chunk {
			s.sizes.see(chunk[i].Key.Type, len(chunk[i].Body))
			if room -= int64(len(chunk[i].Body)); room < 0 && len(records) > 0 {
				found.keep(len(records), back)
				break
			}
			records = append(records, chunk[i])
		}
		start = end
	}
	if back {
		slices.Reverse(records)
	}
	return records, nil
}
