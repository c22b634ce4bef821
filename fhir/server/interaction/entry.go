package interaction

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// The entries of a batch or transaction (R4 bundle, 2.36.4 batch and transaction, http://hl7.org/fhir/R4/bundle.html#transaction). All faults of
// an entry are told at once. Those of its members, of misspelt names above all, are told at every level of validation: a condition that is
// passed over loses an update.

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
	// err is what is wrong with the request; fault adds to it.
	err error
}

// writes reports whether the request changes something.
func (e *bundleEntry) writes() bool { return e.method != http.MethodGet && e.method != http.MethodHead }

// carries reports whether the entry has a resource that is to be stored. What has no method that is known may be meant to.
func (e *bundleEntry) carries() bool {
	return e.resource.Valid() && e.writes() && e.method != http.MethodPatch && e.method != http.MethodDelete
}

// readEntries reads the requests of a Bundle. Faults of one entry are put into its err; the error returned is one of the whole.
func (s *Service) readEntries(ctx context.Context, q BundleRequest) ([]*bundleEntry, error) {
	list := q.Bundle.Get("entry")
	if list.Kind() != fhir.Array {
		return nil, nil
	}
	if n := list.Len(); n > s.opt.MaxBundleEntries {
		return nil, &fhir.Error{Kind: fhir.KindTooLarge, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueTooLong, ID: fhir.IDBundleEntries,
			Text: fmt.Sprintf("the Bundle has %d entries; this server takes %d at once", n, s.opt.MaxBundleEntries), Expression: "Bundle.entry"}}}
	}
	all := make([]bundleEntry, list.Len())
	entries := make([]*bundleEntry, 0, list.Len())
	for n := range list.Children() {
		e := &all[len(entries)]
		e.index = len(entries)
		s.readEntry(ctx, e, n, q.Base)
		entries = append(entries, e)
	}
	return entries, nil
}

func badEntry(id fhir.IssueID, text, where string) error {
	return &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueInvalid, ID: id, Text: text, Expression: where}}}
}

// readEntry fills e from Bundle.entry. Its faults are told from the entry, as atEntry expects.
func (s *Service) readEntry(ctx context.Context, e *bundleEntry, n fhir.Node, base string) {
	if n.Kind() != fhir.Object {
		e.fault(badEntry(fhir.IDEntryRequest, "an entry of a batch or transaction is an object with a request", ""))
		return
	}
	if res := n.Get("resource"); res.Valid() {
		var err error
		e.resource, err = fhir.AsResource(res)
		e.fault(whereNone(err, ".resource"))
	}
	request := n.Get("request")
	e.method = request.Get("method").Text()
	e.fault(e.readFullURL(n.Get("fullUrl"), base))
	switch {
	case request.Kind() == fhir.Object:
		s.readRequest(ctx, e, request, base)
	case request.Valid():
		e.fault(badEntry(fhir.IDEntryRequest, "request is an object with a method and a url", ".request"))
	default:
		e.fault(badEntry(fhir.IDEntryRequest, "each entry of a batch or transaction has a request", ""))
	}
	e.fault(malformed(s.requests.EnvelopeEntry(n)))
}

// readFullURL checks the rules of Bundle.entry.fullUrl (R4 bundle, 2.36.3): absolute, without a version, and in line with the resource's id. One
// that is a type and an id, as widespread clients write it, is told from the server's base like request.url beside it.
func (e *bundleEntry) readFullURL(n fhir.Node, base string) error {
	if !n.Valid() {
		return nil
	}
	e.fullURL = n.Text()
	key, relative := splitRelative(e.fullURL)
	if relative && base != "" {
		e.fullURL = base + "/" + e.fullURL
	}
	if n.Kind() != fhir.String || !relative && strings.IndexByte(e.fullURL, ':') < 1 || strings.Contains(e.fullURL, "/_history/") {
		return badEntry(fhir.IDEntryFullURL, "fullUrl is an absolute URL, or a type and an id of this server, without a version", ".fullUrl")
	}
	if !e.resource.Valid() || e.method == http.MethodPost {
		return nil
	}
	if !relative {
		_, key, relative = splitRESTful(e.fullURL)
	}
	if relative && e.resource.ID() != "" && key != e.resource.Key() {
		return badEntry(fhir.IDEntryFullURL, "fullUrl ends with the resource's type and id", ".fullUrl")
	}
	return nil
}

// readRequest reads Bundle.entry.request.
func (s *Service) readRequest(ctx context.Context, e *bundleEntry, request fhir.Node, base string) {
	var err error
	e.url, err = s.parseRequestURL(request.Get("url"), base)
	e.fault(err)
	located := err == nil
	if located {
		e.key = fhir.Key{Type: e.url.typ, ID: e.url.id}
	}
	if e.url.metadata && e.writes() {
		e.fault(badEntry(fhir.IDEntryMethod, "the method of metadata is GET or HEAD", ".request.method"))
		return
	}
	switch e.method {
	case http.MethodGet, http.MethodHead:
		e.refuseConditions(request, "ifMatch", "ifNoneExist")
		e.fault(e.readReadConditions(request))
	case http.MethodPost:
		e.refuseConditions(request, "ifMatch", "ifNoneMatch", "ifModifiedSince")
		s.readPost(ctx, e, request, base, located)
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		e.refuseConditions(request, "ifNoneExist", "ifModifiedSince")
		s.readWrite(ctx, e, request, located)
	case "":
		e.fault(badEntry(fhir.IDEntryMethod, "request.method is missing; it is GET, HEAD, POST, PUT, PATCH or DELETE", ".request.method"))
	default:
		e.fault(badEntry(fhir.IDEntryMethod, "request.method is GET, HEAD, POST, PUT, PATCH or DELETE", ".request.method"))
	}
}

// refuseConditions refuses conditions that the entry's method does not have: one that is passed over would lose what it was to prevent.
func (e *bundleEntry) refuseConditions(request fhir.Node, names ...string) {
	for _, name := range names {
		if request.Get(name).Valid() {
			e.fault(badEntry(fhir.IDEntryCondition, name+" is no condition of "+e.method, ".request."+name))
		}
	}
}

func (e *bundleEntry) readReadConditions(request fhir.Node) error {
	e.noneMatch = request.Get("ifNoneMatch").Text()
	if since := request.Get("ifModifiedSince"); since.Valid() {
		at, err := fhir.ParseInstant(since.Text())
		if err != nil {
			return badEntry(fhir.IDEntryCondition, "ifModifiedSince is an instant", ".request.ifModifiedSince")
		}
		e.modifiedSince, _ = at.Range(nil)
	}
	return nil
}

// readPost reads a create. located is set where its URL could be read.
func (s *Service) readPost(ctx context.Context, e *bundleEntry, request fhir.Node, base string, located bool) {
	switch u := e.url; {
	case !located:
	case u.search:
		e.fault(badEntry(fhir.IDEntryURL, "a search in a Bundle is a GET request with its parameters in the URL", ".request.url"))
		return
	case u.id != "" || u.hasQuery || u.typ == "" || u.history:
		e.fault(badEntry(fhir.IDEntryURL, "the URL of a create is a resource type", ".request.url"))
	case e.resource.Valid():
		e.fault(s.checkType(u.typ, e.resource))
	}
	if !e.resource.Valid() && e.err == nil {
		e.fault(badEntry(fhir.IDEntryResource, "a create has a resource", ""))
	}
	e.key.ID = s.ids.next()
	if c := request.Get("ifNoneExist"); c.Kind() == fhir.String && located {
		var err error
		if e.ifNoneExist, err = ReadIfNoneExist(c.Text(), e.url.typ, base); err == nil {
			e.cond, err = s.parseCondition(ctx, e.url.typ, e.ifNoneExist)
		}
		e.fault(whereNone(err, ".request.ifNoneExist"))
	}
}

// readWrite reads an update, patch or delete. located is set where its URL could be read.
func (s *Service) readWrite(ctx context.Context, e *bundleEntry, request fhir.Node, located bool) {
	if located {
		located = s.readTarget(ctx, e)
	}
	e.fault(e.conditions.read(request))
	switch {
	case e.method == http.MethodDelete:
	case !e.resource.Valid():
		if e.err == nil {
			e.fault(badEntry(fhir.IDEntryResource, map[string]string{http.MethodPut: "an update has a resource", http.MethodPatch: "a patch has a Binary or Parameters resource"}[e.method], ""))
		}
	case e.method == http.MethodPatch:
		if s.opt.Patch == nil {
			e.fault(fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, fhir.IDPatchNotSupported, "PATCH is not served in a Bundle"))
			return
		}
		var err error
		e.patch, err = s.opt.Patch(e.resource)
		e.fault(err)
	case located:
		err := s.checkType(e.url.typ, e.resource)
		if err == nil && e.cond == nil {
			err = checkID(e.key, e.resource)
		}
		e.fault(err)
	}
	if e.method == http.MethodPut && e.url.id == "" && e.url.typ != "" {
		e.key.ID = s.ids.next() // for when the condition finds nothing
	}
}

// readTarget reads which resource an update, patch or delete is about, and reports whether the URL says it.
func (s *Service) readTarget(ctx context.Context, e *bundleEntry) bool {
	u := e.url
	var err error
	switch {
	case u.typ == "" || u.history || u.search || u.version != "" || u.inside != "" || u.id == "" && !u.hasQuery || u.id != "" && u.query != "":
		err = badEntry(fhir.IDEntryURL, "the URL of an update, patch or delete is Type/id or Type?condition", "")
	case u.id == "":
		e.cond, err = s.parseCondition(ctx, u.typ, u.query)
	case !fhir.ValidID(u.id):
		err = badEntry(fhir.IDInvalidID, "an id is 1 to 64 letters, digits, dashes and dots", "")
	}
	e.fault(whereNone(err, ".request.url"))
	return err == nil
}

// read reads ifMatch and ifNoneMatch of an entry that writes.
func (c *Conditions) read(request fhir.Node) error {
	if m := request.Get("ifMatch"); m.Kind() == fhir.String {
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
	if m := request.Get("ifNoneMatch"); m.Kind() == fhir.String {
		if m.Text() != "*" {
			return badEntry(fhir.IDEntryCondition, "the ifNoneMatch of a write is *", ".request.ifNoneMatch")
		}
		c.NoneMatch = true
	}
	return nil
}
