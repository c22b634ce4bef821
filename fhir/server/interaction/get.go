package interaction

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// get performs the GET or HEAD request of a Bundle's entry: a read, vread, history, search or capabilities (R4 http, 3.1.0.11.1).
func (s *Service) get(ctx context.Context, r storage.Reader, e *bundleEntry, q BundleRequest) (reply, error) {
	u := e.url
	switch {
	case u.metadata:
		return s.metadata(e, q)
	case u.history:
		h := HistoryRequest{Base: q.Base, Query: u.query, Type: u.typ}
		if u.id != "" {
			h.Key = fhir.Key{Type: u.typ, ID: u.id}
		}
		b, err := s.history(ctx, r, h)
		return e.bundleReply(b), err
	case u.inside != "":
		search := SearchRequest{Base: q.Base, Compartment: e.key, Path: e.key.String() + "/" + u.inside, Query: u.query, Lenient: q.Lenient}
		if u.inside != "*" {
			search.Types = []string{u.inside}
		}
		b, err := s.search(ctx, r, search)
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

// metadata answers with the CapabilityStatement (R4 http, 3.1.0.10), which the caller of Bundle has.
func (s *Service) metadata(e *bundleEntry, q BundleRequest) (reply, error) {
	if q.Metadata == nil {
		return reply{}, fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, fhir.IDEntryMetadata, "the CapabilityStatement is not served in a Bundle; read [base]/metadata by itself")
	}
	query := slices.DeleteFunc(strings.Split(e.url.query, "&"), func(pair string) bool { return pair == "mode=full" || pair == "mode=normative" })
	body, err := s.view(q.Metadata(), strings.Join(query, "&"))
	out := reply{status: http.StatusOK}
	if e.method == http.MethodGet {
		out.resource = body
	}
	return out, err
}
