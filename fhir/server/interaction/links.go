package interaction

import (
	"bytes"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/klauspost/compress/flate"
)

// postedPrefix starts the cursors that carry the parameters of a search by POST; no other cursor has a dot.
const postedPrefix = "p."

// searchLinks makes the links of one page of a search. Those of a search by GET repeat its parameters; those of a search by POST carry them
// sealed in the cursor, because they were posted to stay out of URLs and their logs, or are too long for them.
type searchLinks struct {
	service *Service
	path    string // of q
	url     string // without parameters
	p       *searching
}

func (s *Service) linksOf(q SearchRequest, p *searching) searchLinks {
	l := searchLinks{service: s, path: q.Path, url: q.Base, p: p}
	if q.Path != "" {
		l.url += "/" + q.Path
	}
	return l
}

// self is the link to the page itself. That of the first page of a posted search shows the parameters that were used, as R4 asks of it ("the
// search as it was processed"): it is data in the body, not an address that is followed. Later pages say where they are in a sealed cursor.
func (l searchLinks) self() string {
	if l.p.posted && l.p.later {
		return l.sealed(l.p.place)
	}
	if l.p.posted {
		return l.get("")
	}
	return l.get(l.p.cursor)
}

// first is the link to the search as it is when the link is followed.
func (l searchLinks) first() string {
	if !l.p.posted {
		return l.get("")
	}
	return l.sealed(cursor{total: -1, fresh: true})
}

// to is the link to the page behind a position, or before it.
func (l searchLinks) to(position search.Position, back bool) string {
	c := l.p.place
	c.position, c.back, c.fresh = position, back, false
	if l.p.posted {
		return l.sealed(c)
	}
	c.made = time.Now()
	return l.get(l.service.sealer.seal(c, l.p.binding))
}

// get is the link with the search's parameters, and a cursor where there is one.
func (l searchLinks) get(cursor string) string {
	query := l.p.links
	if cursor != "" {
		if query != "" {
			query += "&"
		}
		query += cursorParameter + "=" + cursor
	}
	if query == "" {
		return l.url
	}
	return l.url + "?" + query
}

// sealed is the link with c, which takes the search's parameters along.
func (l searchLinks) sealed(c cursor) string {
	c.made, c.query = time.Now(), l.p.links
	return l.url + "?" + cursorParameter + "=" + postedPrefix + l.service.sealer.seal(c, postedBinding(l.path))
}

// postedBinding is what the cursors of posted searches of a path are bound to.
func postedBinding(path string) string { return "posted " + path }

// openPosted opens the cursor of a posted search into p and returns the parameters it carries. Other parameters are refused beside it, but for those
// that say how the response looks.
func (s *Service) openPosted(p *searching, path string, pairs []search.Pair) ([]search.Pair, error) {
	for _, pair := range pairs {
		switch pair.Name {
		case cursorParameter, explainParameter, "_format", "_pretty":
		default:
			return nil, errCursor("carries the parameters of its search, and no others can be added")
		}
	}
	c, err := s.sealer.open(p.cursor[len(postedPrefix):], postedBinding(path))
	if err != nil {
		return nil, err
	}
	p.posted = true
	if !c.fresh {
		p.place, p.later = c, true
		p.place.query = ""
	}
	return search.ReadQuery(c.query)
}

// deflateFrom is the length from which a query is packed.
const deflateFrom = 256

// deflated returns a query as cursors carry it: packed where that is shorter, behind a byte that says so.
func deflated(query string) string {
	if len(query) >= deflateFrom {
		var b bytes.Buffer
		b.WriteByte(1)
		if err := flate.StatelessDeflate(&b, []byte(query), true, nil); err == nil && b.Len() < len(query) {
			return b.String()
		}
	}
	if query == "" {
		return ""
	}
	return "\x00" + query
}

// inflated undoes deflated; false where text was not made by it.
func inflated(text string) (query string, ok bool) {
	if text == "" || text[0] == 0 {
		return strings.TrimPrefix(text, "\x00"), true
	}
	b, err := io.ReadAll(flate.NewReader(strings.NewReader(text[1:])))
	return string(b), err == nil
}

// pageURL returns the link to a page.
func pageURL(self string, values url.Values, cursor string) string {
	query := values.Encode()
	if cursor != "" {
		if query != "" {
			query += "&"
		}
		query += cursorParameter + "=" + cursor
	}
	if query == "" {
		return self
	}
	return self + "?" + query
}
