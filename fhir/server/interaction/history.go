package interaction

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// historyParameters are what a history's URL may carry.
type historyParameters struct {
	since time.Time
	// from and until bound _at: versions that were current at some moment of from <= moment < until. Both zero for none.
	from, until time.Time
	count       int
	cursor      string
	// links are the parameters that links repeat, all but the cursor.
	links url.Values
	// issues are what lenient handling ignored.
	issues []fhir.Issue
}

// History returns a page of the versions of one resource, one type or all, newest first (R4 http, 3.1.0.15 history,
// http://hl7.org/fhir/R4/http.html#history). All pages show the moment of the first one. The history of what never existed is
// KindNotFound; that of what is deleted ends with the deletion.
func (s *Service) History(ctx context.Context, q HistoryRequest) (Bundle, error) {
	var out Bundle
	err := s.reading(ctx, func(r storage.Reader) (err error) {
		out, err = s.history(ctx, r, q)
		return err
	})
	if err != nil {
		return Bundle{}, failure("history", q.Key, err)
	}
	return out, nil
}

// history is History in a view, or in a transaction that reads its own writes.
func (s *Service) history(ctx context.Context, r storage.Reader, q HistoryRequest) (Bundle, error) {
	path := "_history"
	hq := storage.HistoryQuery{Key: q.Key}
	typ := q.Type
	if q.Key != (fhir.Key{}) {
		path, typ = q.Key.String()+"/_history", q.Key.Type
	} else if typ != "" {
		path, hq.Types = typ+"/_history", []string{typ}
	}
	if typ != "" {
		if err := s.knownType(typ); err != nil {
			return Bundle{}, err
		}
	}
	p, err := s.parseHistory(q)
	if err != nil {
		return Bundle{}, err
	}
	binding := path + "?" + p.links.Encode()
	place := cursor{total: -1}
	if p.cursor == "" {
		place.moment, place.mark = r.Now(), r.Mark()
	} else {
		if place, err = s.sealer.open(p.cursor, binding); err != nil {
			return Bundle{}, err
		}
		hq.After = &storage.HistoryPosition{Updated: place.updated, Key: place.position.Key, Version: place.version}
	}
	hq.Since, hq.Until = p.since, place.moment
	if !p.until.IsZero() && !p.until.After(hq.Until) {
		hq.Until = p.until.Add(-time.Microsecond)
	}
	if q.Key != (fhir.Key{}) {
		r = s.specification.Beside(r)
		newest, err := current(ctx, r, q.Key)
		if err != nil {
			return Bundle{}, err
		}
		if newest.Version == 0 {
			return Bundle{}, errNotFound(q.Key)
		}
		if p.cursor == "" {
			if place.total, err = countVersions(ctx, r, newest, hq, p.from); err != nil {
				return Bundle{}, err
			}
		}
	}
	var records []storage.Record
	var more, kept bool
	if p.cursor != "" {
		kept, err = s.atMark(ctx, place.mark, func(then storage.Reader) (err error) {
			if q.Key != (fhir.Key{}) {
				then = s.specification.Beside(then)
			}
			records, more, err = s.versions(ctx, then, hq, p, typ)
			return err
		})
	}
	if !kept && err == nil {
		records, more, err = s.versions(ctx, r, hq, p, typ)
	}
	if err != nil {
		return Bundle{}, err
	}
	if p.cursor == "" && !more && p.count > 0 {
		place.total = int64(len(records))
	}
	return s.renderHistory(q.Base+"/"+path, binding, p, place, records, more, q.Base, q.Apart), nil
}

// renderHistory writes the Bundle of a page.
func (s *Service) renderHistory(self, binding string, p historyParameters, place cursor, records []storage.Record, more bool, base string, apart bool) Bundle {
	links := []link{{"self", pageURL(self, p.links, p.cursor)}, {"first", pageURL(self, p.links, "")}}
	if more && len(records) > 0 {
		last := records[len(records)-1]
		place.made, place.updated, place.version, place.position.Key = time.Now(), last.Updated, last.Version, last.Key
		links = append(links, link{"next", pageURL(self, p.links, s.sealer.seal(place, binding))})
	}
	a := newPage("history", s.ids.next(), place.moment, place.total, links, 2*len(records), bytesOf(records), apart)
	for i := range records {
		a.version(base, records[i])
	}
	if len(p.issues) > 0 {
		a.historyOutcome(strings.TrimPrefix(self, base+"/"), fhir.AppendOutcome(nil, p.issues))
	}
	return a.done()
}

// versions reads a page of typ's history, and whether there is more. With _at, versions from before the time are kept only where they were
// still current then; the version that follows says so. The page ends early where its bodies pass Options.PageBytes.
func (s *Service) versions(ctx context.Context, r storage.Reader, hq storage.HistoryQuery, p historyParameters, typ string) (page []storage.Record, more bool, err error) {
	if p.count == 0 {
		return nil, false, nil
	}
	room := s.opt.PageBytes
	for {
		hq.Limit = p.count + 1 - len(page)
		if !p.from.IsZero() {
			hq.Limit = max(hq.Limit, 32)
		}
		hq.Limit = int(max(1, min(int64(hq.Limit), room/s.sizes.of(typ))))
		chunk, err := r.History(ctx, hq)
		if err != nil {
			return nil, false, err
		}
		for _, rec := range chunk {
			if keep, err := currentAt(ctx, r, rec, p.from); err != nil {
				return nil, false, err
			} else if !keep {
				continue
			}
			if !rec.Deleted {
				s.sizes.see(typ, len(rec.Body))
			}
			if room -= int64(len(rec.Body)); len(page) == p.count || len(page) > 0 && room < 0 {
				return page, true, nil
			}
			page = append(page, rec)
		}
		if len(chunk) < hq.Limit {
			return page, false, nil
		}
		last := chunk[len(chunk)-1]
		hq.After = &storage.HistoryPosition{Updated: last.Updated, Key: last.Key, Version: last.Version}
	}
}

// currentAt reports whether a version was current at from or later.
func currentAt(ctx context.Context, r storage.Reader, rec storage.Record, from time.Time) (bool, error) {
	if !rec.Updated.Before(from) {
		return true, nil
	}
	if rec.Deleted {
		return false, nil
	}
	end, err := supersededAt(ctx, r, rec)
	return end.IsZero() || end.After(from), err
}

// supersededAt returns when the version after rec was made; zero where rec is current.
func supersededAt(ctx context.Context, r storage.Reader, rec storage.Record) (time.Time, error) {
	next, err := r.GetVersion(ctx, rec.Key, rec.Version+1)
	if err != nil {
		if isNotFound(err) {
			return time.Time{}, nil
		}
		return time.Time{}, err
	}
	return next.Updated, nil
}

// countVersions counts the versions of one resource that a history shows. Versions have no gaps and their times only grow, so that two
// binary searches find the ends.
func countVersions(ctx context.Context, r storage.Reader, newest storage.Record, hq storage.HistoryQuery, from time.Time) (int64, error) {
	last, err := versionUntil(ctx, r, newest, hq.Until)
	if err != nil || last.Version == 0 {
		return 0, err
	}
	first := int64(1)
	for _, since := range []time.Time{hq.Since, from} {
		if since.IsZero() {
			continue
		}
		before, err := versionUntil(ctx, r, newest, since.Add(-time.Microsecond))
		if err != nil {
			return 0, err
		}
		at := before.Version + 1
		if since.Equal(from) && before.Version > 0 {
			if keep, err := currentAt(ctx, r, before, from); err != nil {
				return 0, err
			} else if keep {
				at--
			}
		}
		first = max(first, at)
	}
	return max(0, last.Version-first+1), nil
}

// versionUntil returns the last version of newest's resource that was made at t or earlier; Version is 0 where there is none.
func versionUntil(ctx context.Context, r storage.Reader, newest storage.Record, t time.Time) (storage.Record, error) {
	if !newest.Updated.After(t) {
		return newest, nil
	}
	var best storage.Record
	low, high := int64(1), newest.Version-1
	// The version before the newest is the likely one: most resources change seldom.
	for probe := high; low <= high; probe = (low + high + 1) / 2 {
		rec, err := r.GetVersion(ctx, newest.Key, probe)
		if err != nil {
			return storage.Record{}, err
		}
		if rec.Updated.After(t) {
			high = probe - 1
		} else {
			best, low = rec, probe+1
		}
	}
	return best, nil
}

// parseHistory reads a history's parameters. What is not one of them is refused, or ignored where the client is lenient; _format and _pretty are the
// edge's. An empty parameter is ignored, as R4 has it for searches.
func (s *Service) parseHistory(q HistoryRequest) (historyParameters, error) {
	p := historyParameters{count: s.opt.DefaultPage, links: url.Values{}}
	for _, pair := range q.Parameters {
		name, value := pair.Name, pair.Value
		if value == "" {
			continue
		}
		if p.links.Has(name) || name == cursorParameter && p.cursor != "" {
			return p, errRepeated(name)
		}
		switch name {
		case "_format", "_pretty":
		case cursorParameter:
			p.cursor = value
			continue
		case "_count":
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return p, errParameter(name, "is a whole number")
			}
			p.count = min(int(n), s.opt.MaxPage)
			value = strconv.Itoa(p.count)
		case "_since":
			at, err := fhir.ParseInstant(plus(value))
			if err != nil {
				return p, errParameter(name, "is an instant: a date and a time with a time zone")
			}
			p.since, _ = at.Range(nil)
		case "_at":
			at, err := fhir.ParsePartial(plus(value))
			if err != nil {
				return p, errParameter(name, "is a date or a date and time")
			}
			p.from, p.until = at.Range(nil)
		default:
			text := "a history has no parameter " + quoted(name) + "; it takes _since, _at and _count"
			if !q.Lenient {
				return p, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnknownParameter, text)
			}
			p.issues = append(p.issues, fhir.Issue{Severity: fhir.SeverityWarning, Code: fhir.IssueNotSupported, ID: fhir.IDUnknownParameter, Text: text + " (ignored)"})
			continue
		}
		p.links.Set(name, value)
	}
	return p, nil
}

// plus gives back the plus sign of a time zone that a client left unescaped in a URL, where it reads as a space.
func plus(s string) string { return strings.ReplaceAll(s, " ", "+") }
