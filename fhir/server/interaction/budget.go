package interaction

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// defaultPageBytes is Options.PageBytes where that is 0.
	defaultPageBytes = 16 << 20
	// pagesAtMost bounds, in pages, what can't be divided into pages: what one match includes, and the reads of one batch or transaction.
	pagesAtMost = 4
	// unknownSize is what a body of a type is taken for before one has been read.
	unknownSize = defaultPageBytes / 4
)

// bodySizes remembers about how long the bodies of each resource type are, so that what is read at once fits into a page. It is safe for
// concurrent use.
type bodySizes map[string]*atomic.Int64

// newBodySizes returns the sizes of types, and of the type "", which stands for histories of all types.
func newBodySizes(types []string) bodySizes {
	b := bodySizes{"": new(atomic.Int64)}
	for _, t := range types {
		b[t] = new(atomic.Int64)
	}
	return b
}

// see notes the length of a body. A longer one counts at once, shorter ones little by little.
func (b bodySizes) see(typ string, length int) {
	size, n := b[typ], int64(max(length, 1))
	if size == nil {
		return
	}
	if before := size.Load(); n < before {
		n = before - (before-n+7)/8
	}
	size.Store(n)
}

// of returns about how long a body of the type is.
func (b bodySizes) of(typ string) int64 {
	if size := b[typ]; size != nil && size.Load() > 0 {
		return size.Load()
	}
	return unknownSize
}

// atOnce returns how many of the keys to read at once where there is room for so many bytes: one at least.
func (b bodySizes) atOnce(keys []fhir.Key, room int64) int {
	for i := range keys {
		if room -= b.of(keys[i].Type); room < 0 && i > 0 {
			return i
		}
	}
	return len(keys)
}

// bytesOf returns the length of all bodies.
func bytesOf(records []storage.Record) (n int64) {
	for i := range records {
		n += int64(len(records[i].Body))
	}
	return n
}

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
	if matches, err = s.matches(ctx, r, found, back); err != nil {
		return nil, nil, err
	}
	for {
		room := s.opt.PageBytes - bytesOf(matches)
		if len(matches) == 1 {
			room = pagesAtMost * s.opt.PageBytes
		}
		included, err = s.include(ctx, r, p, matches, room)
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

// reads counts what the reads of one batch or transaction answer. It is safe for concurrent use.
type reads struct{ bytes atomic.Int64 }

// perform performs a read, and refuses those that come when the responses before have passed what one Bundle may hold.
func (n *reads) perform(s *Service, read func() (Response, error)) (Response, error) {
	if most := pagesAtMost * s.opt.PageBytes; n.bytes.Load() > most {
		return Response{}, fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDTooMuchRead,
			fmt.Sprintf("the reads of this Bundle answer more than %d bytes; send the others by themselves", most))
	}
	out, err := read()
	n.bytes.Add(int64(len(out.Resource)))
	return out, err
}
