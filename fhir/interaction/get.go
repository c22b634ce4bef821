package interaction

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// get performs the GET or HEAD request of a Bundle's entry: a read, vread, history or search (R4 http, 3.1.0.11.1).
func (s *Service) get(ctx context.Context, r storage.Reader, e *bundleEntry, q BundleRequest) (reply, error) {
	u := e.url
	switch {
	case u.history:
		h := HistoryRequest{Base: q.Base, Query: u.query, Type: u.typ}
		if u.id != "" {
			h.Key = fhir.Key{Type: u.typ, ID: u.id}
		}
		b, err := s.history(ctx, r, h)
		return e.bundleReply(b), err
	case u.id == "":
		search := SearchRequest{Base: q.Base, Path: u.typ, Query: u.query, Lenient: q.Lenient}
		if u.typ != "" {
			search.Types = []string{u.typ}
		}
		b, err := s.search(ctx, r, search)
		return e.bundleReply(b), err
	}
	var rec storage.Record
	var err error
	if u.version != "" {
		rec, err = vread(ctx, r, e.key, u.version)
	} else {
		rec, err = r.Get(ctx, e.key)
	}
	if err != nil {
		return reply{}, failure("read", e.key, err)
	}
	out := reply{status: http.StatusOK, record: rec}
	if e.notModified(rec) {
		out.status = http.StatusNotModified
		return out, nil
	}
	body, err := s.view(rec.Body, u.query)
	if e.method == http.MethodGet {
		out.resource = body
	}
	return out, err
}

// bundleReply is the reply of a search or history.
func (e *bundleEntry) bundleReply(b Bundle) reply {
	out := reply{status: http.StatusOK}
	if e.method == http.MethodGet {
		out.resource = b.Body
	}
	return out
}

// notModified reports whether the entry's conditions say that the client has rec already (R4 http, 3.1.0.1.9 Conditional read).
func (e *bundleEntry) notModified(rec storage.Record) bool {
	if e.noneMatch != "" {
		tag := fmt.Sprintf(`"%d"`, rec.Version)
		for t := range strings.SplitSeq(e.noneMatch, ",") {
			if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == tag || t == "*" {
				return true
			}
		}
		return false
	}
	return !e.modifiedSince.IsZero() && !rec.Updated.Truncate(time.Second).After(e.modifiedSince)
}
