package interaction

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Bundle performs the requests of a batch or a transaction, whichever Bundle.type says, and returns their answers in the requests' order (R4
// http, 3.1.0.11 batch/transaction, http://hl7.org/fhir/R4/http.html#transaction). A transaction is all or nothing: its error names the
// entry at fault in each issue's expression. A batch's entries fail one by one.
func (s *Service) Bundle(ctx context.Context, q BundleRequest) (Bundle, error) {
	const op = "bundle"
	if q.Bundle.Type() != "Bundle" {
		return Bundle{}, failure(op, fhir.Key{}, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, "resource-type", "a batch or transaction is a Bundle"))
	}
	kind := q.Bundle.Get("type").Text()
	if kind != "batch" && kind != "transaction" {
		return Bundle{}, failure(op, fhir.Key{}, &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueValue,
			ID: "bundle-type", Text: "a Bundle posted here is of type batch or transaction", Expression: "Bundle.type"}}})
	}
	entries, err := s.readEntries(ctx, q)
	if err != nil {
		return Bundle{}, failure(op, fhir.Key{}, err)
	}
	if kind == "batch" {
		return s.batch(ctx, q, entries), nil
	}
	out, err := s.transaction(ctx, q, entries)
	return out, wholly(failure("transaction", fhir.Key{}, err))
}

// wholly makes the fault of a part one of the whole: what an entry or a reference asks for may not be there, the URL of the request is.
func wholly(err error) error {
	if kind := fhir.KindOf(err); kind != fhir.KindNotFound && kind != fhir.KindGone {
		return err
	}
	var e *fhir.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Kind = fhir.KindInvalid
	return &c
}

// bundleEntry is one request of a batch or transaction.
type bundleEntry struct {
	index    int
	fullURL  string
	method   string
	url      requestURL
	resource fhir.Resource
	// conditions are ifMatch and ifNoneMatch of a write.
	conditions Conditions
	// cond is the search of a conditional create, update, patch or delete; nil for others.
	cond *condition
	// ifNoneExist is the text of a conditional create's condition.
	ifNoneExist string
	// patch is set for PATCH.
	patch Patch
	// noneMatch and modifiedSince are the conditions of a read.
	noneMatch     string
	modifiedSince time.Time
	// key is what the request is about; of a POST it has the id that the server has chosen.
	key      fhir.Key
	mentions []mention
	draft    *draft
	// err is what is wrong with the request.
	err error
}

// writes reports whether the request changes something.
func (e *bundleEntry) writes() bool { return e.method != http.MethodGet && e.method != http.MethodHead }

// requestURL is Bundle.entry.request.url, taken apart.
type requestURL struct {
	typ, id, version string
	history, search  bool
	metadata         bool // the CapabilityStatement of the server
	query            string
	hasQuery         bool
}

// readEntries reads the requests of a Bundle. Faults of one entry are put into its err; the error returned is one of the whole.
func (s *Service) readEntries(ctx context.Context, q BundleRequest) ([]*bundleEntry, error) {
	list := q.Bundle.Get("entry")
	if list.Valid() && list.Kind() != fhir.Array {
		return nil, &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueStructure, ID: "bundle-entry",
			Text: "Bundle.entry is an array", Expression: "Bundle.entry"}}}
	}
	if n := list.Len(); n > s.opt.MaxBundleEntries {
		return nil, &fhir.Error{Kind: fhir.KindTooLarge, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueTooLong, ID: "bundle-entries",
			Text: fmt.Sprintf("the Bundle has %d entries; this server takes %d at once", n, s.opt.MaxBundleEntries), Expression: "Bundle.entry"}}}
	}
	all := make([]bundleEntry, list.Len())
	entries := make([]*bundleEntry, 0, list.Len())
	for n := range list.Children() {
		e := &all[len(entries)]
		e.index = len(entries)
		e.err = s.readEntry(ctx, e, n, q.Base)
		entries = append(entries, e)
	}
	return entries, nil
}

func badEntry(id, text, where string) error {
	return &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueInvalid, ID: id, Text: text, Expression: where}}}
}

// readEntry fills e from Bundle.entry. Its errors are told from the entry, as atEntry expects.
func (s *Service) readEntry(ctx context.Context, e *bundleEntry, n fhir.Node, base string) error {
	request := n.Get("request")
	if request.Kind() != fhir.Object {
		return badEntry("entry-request", "each entry of a batch or transaction has a request", "")
	}
	e.method = request.Get("method").Text()
	var err error
	if e.url, err = s.parseRequestURL(request.Get("url"), base); err != nil {
		return err
	}
	if res := n.Get("resource"); res.Valid() {
		if e.resource, err = fhir.AsResource(res); err != nil {
			return err
		}
	}
	if err := e.readFullURL(n.Get("fullUrl")); err != nil {
		return err
	}
	e.key = fhir.Key{Type: e.url.typ, ID: e.url.id}
	if e.url.metadata && e.writes() {
		return badEntry("entry-method", "the method of metadata is GET or HEAD", ".request.method")
	}
	switch e.method {
	case http.MethodGet, http.MethodHead:
		return e.readReadConditions(request)
	case http.MethodPost:
		return s.readPost(ctx, e, request, base)
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		return s.readWrite(ctx, e, request)
	}
	return badEntry("entry-method", "request.method is GET, HEAD, POST, PUT, PATCH or DELETE", ".request.method")
}

// readFullURL checks the rules of Bundle.entry.fullUrl (R4 bundle, 2.36.3): absolute, without a version, and in line with the resource's id.
func (e *bundleEntry) readFullURL(n fhir.Node) error {
	if !n.Valid() {
		return nil
	}
	e.fullURL = n.Text()
	if n.Kind() != fhir.String || strings.IndexByte(e.fullURL, ':') < 1 || strings.Contains(e.fullURL, "/_history/") {
		return badEntry("entry-fullurl", "fullUrl is an absolute URL without a version", ".fullUrl")
	}
	if !e.resource.Valid() || e.method == http.MethodPost {
		return nil
	}
	if _, key, ok := splitRESTful(e.fullURL); ok && e.resource.ID() != "" && key != e.resource.Key() {
		return badEntry("entry-fullurl", "fullUrl ends with the resource's type and id", ".fullUrl")
	}
	return nil
}

func (e *bundleEntry) readReadConditions(request fhir.Node) error {
	e.noneMatch = request.Get("ifNoneMatch").Text()
	if since := request.Get("ifModifiedSince"); since.Valid() {
		at, err := fhir.ParseInstant(since.Text())
		if err != nil {
			return badEntry("entry-condition", "ifModifiedSince is an instant", ".request.ifModifiedSince")
		}
		e.modifiedSince, _ = at.Range(nil)
	}
	return nil
}

// readPost reads a create.
func (s *Service) readPost(ctx context.Context, e *bundleEntry, request fhir.Node, base string) error {
	if !e.resource.Valid() {
		return badEntry("entry-resource", "a create has a resource", "")
	}
	if e.url.id != "" || e.url.hasQuery || e.url.typ == "" || e.url.search || e.url.history {
		return badEntry("entry-url", "the URL of a create is a resource type", ".request.url")
	}
	if err := s.checkType(e.url.typ, e.resource); err != nil {
		return err
	}
	e.key.ID = s.ids.next()
	if c := request.Get("ifNoneExist"); c.Valid() {
		var err error
		if e.ifNoneExist, err = ReadIfNoneExist(c.Text(), e.url.typ, base); err != nil {
			return err
		}
		e.cond, err = s.parseCondition(ctx, e.url.typ, e.ifNoneExist)
		return err
	}
	return nil
}

// readWrite reads an update, patch or delete.
func (s *Service) readWrite(ctx context.Context, e *bundleEntry, request fhir.Node) error {
	if e.url.typ == "" || e.url.history || e.url.id == "" && !e.url.hasQuery {
		return badEntry("entry-url", "the URL of an update, patch or delete is Type/id or Type?condition", ".request.url")
	}
	if err := s.knownType(e.url.typ); err != nil {
		return err
	}
	if err := e.conditions.read(request); err != nil {
		return err
	}
	if e.url.id == "" {
		var err error
		if e.cond, err = s.parseCondition(ctx, e.url.typ, e.url.query); err != nil {
			return err
		}
	} else if !fhir.ValidID(e.url.id) {
		return badEntry("invalid-id", "an id is 1 to 64 letters, digits, dashes and dots", ".request.url")
	}
	switch e.method {
	case http.MethodPut:
		if !e.resource.Valid() {
			return badEntry("entry-resource", "an update has a resource", "")
		}
		if err := s.checkType(e.url.typ, e.resource); err != nil {
			return err
		}
		if e.cond == nil {
			return checkID(e.key, e.resource)
		}
		e.key.ID = s.ids.next() // for when the condition finds nothing
	case http.MethodPatch:
		if !e.resource.Valid() {
			return badEntry("entry-resource", "a patch has a Binary or Parameters resource", "")
		}
		if s.opt.Patch == nil {
			return fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, "patch-not-supported", "PATCH is not served in a Bundle")
		}
		var err error
		e.patch, err = s.opt.Patch(e.resource)
		return err
	}
	return nil
}

// read reads ifMatch and ifNoneMatch of an entry that writes.
func (c *Conditions) read(request fhir.Node) error {
	if m := request.Get("ifMatch"); m.Valid() {
		if m.Text() == "*" {
			c.AnyMatch = true
		} else {
			for tag := range strings.SplitSeq(m.Text(), ",") {
				tag = strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
				v, _ := parseVersion(tag) // what is no version of this server is version 0, which never matches
				c.IfMatch = append(c.IfMatch, v)
			}
		}
	}
	if m := request.Get("ifNoneMatch"); m.Valid() {
		if m.Text() != "*" {
			return badEntry("entry-condition", "the ifNoneMatch of a write is *", ".request.ifNoneMatch")
		}
		c.NoneMatch = true
	}
	return nil
}

// parseRequestURL takes request.url apart: relative to the base, or absolute below it.
func (s *Service) parseRequestURL(n fhir.Node, base string) (u requestURL, err error) {
	bad := func() error {
		return badEntry("entry-url", "request.url is a URL of this server, relative to its base", ".request.url")
	}
	text := n.Text()
	if n.Kind() != fhir.String || text == "" {
		return u, bad()
	}
	if base != "" {
		text = strings.TrimPrefix(text, base)
	}
	if strings.Contains(text, "://") && !strings.Contains(text[:strings.Index(text, "://")], "?") {
		return u, bad()
	}
	text = strings.TrimPrefix(text, "/")
	path, query, hasQuery := strings.Cut(text, "?")
	u.query, u.hasQuery = query, hasQuery
	parts := strings.Split(path, "/")
	if path == "" {
		parts = nil
	}
	if n := len(parts); n > 0 && parts[n-1] == "_history" {
		u.history, parts = true, parts[:n-1]
	} else if n == 4 && parts[2] == "_history" {
		u.version, parts = parts[3], parts[:2]
	} else if n == 1 && parts[0] == "_search" || n == 2 && parts[1] == "_search" {
		u.search, parts = true, parts[:n-1]
	}
	switch len(parts) {
	case 2:
		u.id = parts[1]
		fallthrough
	case 1:
		u.typ = parts[0]
	case 0:
	default:
		return u, bad()
	}
	if strings.HasPrefix(u.id, "$") || strings.HasPrefix(u.typ, "$") {
		return u, fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, "entry-operation", "operations are not served in a Bundle")
	}
	if path == "metadata" {
		return requestURL{metadata: true, query: query, hasQuery: hasQuery}, nil
	}
	if u.typ != "" {
		return u, whereNone(s.knownType(u.typ), ".request.url")
	}
	return u, nil
}

// reply is the answer of one entry.
type reply struct {
	status   int
	location string
	record   storage.Record // its etag and lastModified are told where Version > 0
	resource []byte
	outcome  []byte
}

// written returns the reply of a write, with the resource or an OperationOutcome as the client prefers (R4 http, 3.1.0.1.7).
func written(res Result, prefer string) reply {
	r := reply{status: http.StatusOK, record: res.Record}
	switch res.Action {
	case Created:
		r.status = http.StatusCreated
	case Deleted:
		r.status = http.StatusNoContent
	}
	if res.Record.Deleted || res.Record.Version == 0 {
		r.status = http.StatusNoContent
	} else {
		r.location = fmt.Sprintf("%s/_history/%d", res.Record.Key, res.Record.Version)
		if prefer == "representation" {
			r.resource = res.Record.Body
		}
	}
	r.record.Body = nil // so that a large Bundle is not kept once more until it is answered
	if prefer == "OperationOutcome" || len(res.Issues) > 0 {
		r.outcome = fhir.AppendOutcome(nil, res.Issues)
	}
	return r
}

// response writes the entry of a batch-response or transaction-response.
func (a *answer) response(base string, r reply) {
	a.open()
	if r.resource != nil && r.record.Version > 0 {
		a.fullURL(base, r.record.Key)
	}
	if r.resource != nil {
		a.body("resource", r.resource)
	}
	a.comma()
	a.dst = append(a.dst, `"response":{"status":"`...)
	a.dst = appendStatus(a.dst, r.status)
	a.dst = append(a.dst, '"')
	if r.location != "" {
		a.dst = append(a.dst, `,"location":`...)
		a.dst = fhir.AppendString(a.dst, r.location)
	}
	if r.record.Version > 0 {
		a.dst = appendVersionMembers(a.dst, r.record)
		a.see(r.record.Updated)
	}
	if r.outcome != nil {
		a.body("outcome", r.outcome)
	}
	a.dst = append(a.dst, '}')
	a.close()
}

// replies writes the Bundle of all answers.
func (s *Service) replies(kind, base string, moment time.Time, all []reply) Bundle {
	size := 0
	for i := range all {
		size += len(all[i].resource) + len(all[i].outcome) + 320
	}
	a := newAnswer(kind, s.ids.next(), moment, -1, nil, size)
	for i := range all {
		a.response(base, all[i])
	}
	return a.done()
}
