package interaction

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// The reader of requests that come as entries of a batch or transaction (R4 bundle, 2.36.4 batch and transaction,
// http://hl7.org/fhir/R4/bundle.html#transaction). All faults of an entry are told at once. Those of its members, of misspelt names above all, are told
// at every level of validation: a condition that is ignored loses an update.

// bundleEntry is one request of a batch or transaction.
type bundleEntry struct {
	Request
	index   int
	fullURL string
	// method is the text of request.method, whatever it is; Request has it where the request could be located.
	method   string
	resource fhir.Resource
	// cond is the search of a conditional create, update, patch or delete; nil for others.
	cond *condition
	// patch is set for PATCH, and operations where it is a JSON Patch in a transaction.
	patch      Patch
	operations fhir.Node
	// key is what the request is about; of a POST it has the id that the server has chosen.
	key      fhir.Key
	mentions []mention
	draft    *draft
	// err is what is wrong with the request; fault adds to it. refused is what refuses it before its resource would be read; nil for none.
	err, refused error
}

// step says when a transaction performs the entry (R4 http, 3.1.0.11.2): deletes, creates, updates and patches, reads.
func (e *bundleEntry) step() int {
	switch e.Code {
	case CodeDelete:
		return 0
	case CodeCreate:
		return 1
	case CodeUpdate, CodePatch:
		return 2
	}
	return lastStep
}

// lastStep is that of the reads.
const lastStep = 3

// writes reports whether the request changes something. One that could not be located is judged by its method.
func (e *bundleEntry) writes() bool {
	if e.Code == "" {
		return e.method != http.MethodGet && e.method != http.MethodHead
	}
	return !e.read()
}

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
		return nil, errEntries(n, s.opt.MaxBundleEntries)
	}
	all := make([]bundleEntry, list.Len())
	entries := make([]*bundleEntry, 0, list.Len())
	for n := range list.Children() {
		e := &all[len(entries)]
		e.index = len(entries)
		e.Base, e.Prefer = q.Base, Preferences{Return: q.Return, Lenient: q.Lenient}
		s.readEntry(ctx, e, n)
		entries = append(entries, e)
	}
	return entries, nil
}

// errEntries refuses a Bundle of more entries than are taken at once.
func errEntries(n, most int) error {
	return &fhir.Error{Kind: fhir.KindTooLarge, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueTooLong, ID: fhir.IDBundleEntries,
		Text: fmt.Sprintf("the Bundle has %d entries; this server takes %d at once", n, most), Expression: "Bundle.entry"}}}
}

func badEntry(id fhir.IssueID, text, where string) error {
	return &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueInvalid, ID: id, Text: text, Expression: where}}}
}

// readEntry fills e from Bundle.entry. Its faults are told from the entry, as atEntry expects.
func (s *Service) readEntry(ctx context.Context, e *bundleEntry, n fhir.Node) {
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
	e.fault(s.readFullURL(e, n.Get("fullUrl")))
	switch {
	case request.Kind() == fhir.Object:
		s.readRequest(ctx, e, request)
	case request.Valid():
		e.fault(badEntry(fhir.IDEntryRequest, "request is an object with a method and a url", ".request"))
	default:
		e.fault(badEntry(fhir.IDEntryRequest, "each entry of a batch or transaction has a request", ""))
	}
	e.fault(malformed(s.requests.EnvelopeEntry(n)))
}

// readFullURL checks the rules of Bundle.entry.fullUrl (R4 bundle, 2.36.3): absolute, without a version, and in line with the resource's id. One
// that is a type and an id, as widespread clients write it, is told from the server's base like request.url beside it.
func (s *Service) readFullURL(e *bundleEntry, n fhir.Node) error {
	if !n.Valid() {
		return nil
	}
	e.fullURL = n.Text()
	key, relative := splitRelative(e.fullURL)
	if relative && e.Base != "" {
		e.fullURL = e.Base + "/" + e.fullURL
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

// readRequest reads Bundle.entry.request into the Request of e, as the reader of HTTP does from a request line and headers.
func (s *Service) readRequest(ctx context.Context, e *bundleEntry, request fhir.Node) {
	if err := s.readLocation(e, request); err != nil {
		e.refuse(err)
		return
	}
	stated, err := statedBy(request)
	e.fault(err)
	e.fault(s.ReadConditions(&e.Request, stated))
	err = s.admit(ctx, &e.Request)
	e.refuse(whereNone(err, ".request.url"))
	e.key = e.Key
	if e.Code == CodeCreate || e.Code == CodeUpdate && e.Key.ID == "" {
		e.key.ID = s.ids.next() // of an update for when its condition finds nothing
	}
	e.fault(s.readCarried(e))
	if err == nil {
		e.fault(s.readCriteria(ctx, e))
	}
}

// readLocation reads request.method and request.url.
func (s *Service) readLocation(e *bundleEntry, request fhir.Node) error {
	var wrong error
	switch e.method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	case "":
		wrong = badEntry(fhir.IDEntryMethod, "request.method is missing; it is GET, HEAD, POST, PUT, PATCH or DELETE", ".request.method")
	default:
		wrong = badEntry(fhir.IDEntryMethod, "request.method is GET, HEAD, POST, PUT, PATCH or DELETE", ".request.method")
	}
	bad := func(text string) error { return join(wrong, badEntry(fhir.IDEntryURL, text, ".request.url")) }
	const form = "request.url is a URL of this server, relative to its base"
	n := request.Get("url")
	text := n.Text()
	if !n.Valid() || n.Kind() == fhir.String && text == "" {
		return bad("request.url is missing; it is a URL of this server, relative to its base: [type], [type]/[id], [type]?[parameters] ...")
	}
	if n.Kind() != fhir.String {
		return bad(form)
	}
	if rest, own := s.names(e.Base).cut(text); own {
		text = "/" + rest
	}
	if i := strings.Index(text, "://"); i >= 0 && !strings.Contains(text[:i], "?") {
		return bad(form)
	}
	path, query, _ := strings.Cut(text, "?")
	parts, err := SplitPath(make([]string, 0, 4), path)
	if err == nil && wrong == nil {
		err = s.Locate(&e.Request, e.method, parts)
	} else if err == nil {
		err = s.locateKey(&e.Request, parts) // so that its faults are told beside the method's
	}
	if err == nil {
		err = e.ReadQuery(query)
	}
	if known := s.served.Load().Format; err == nil && known != nil && e.View.Format != "" {
		err = known(e.View.Format)
	}
	if err == nil && e.Code == CodeBundle {
		err = badEntry(fhir.IDEntryURL, "a batch or transaction cannot be an entry of another", ".request.url")
	}
	return join(wrong, whereNone(err, ".request.url"))
}

// statedBy returns the conditions that Bundle.entry.request states.
func statedBy(request fhir.Node) (*Stated, error) {
	var c Stated
	text := func(name string) []string {
		if n := request.Get(name); n.Kind() == fhir.String {
			return []string{n.Text()}
		}
		return nil
	}
	c.IfMatch, c.IfNoneMatch, c.IfNoneExist = text("ifMatch"), text("ifNoneMatch"), text("ifNoneExist")
	if since := request.Get("ifModifiedSince"); since.Kind() == fhir.String {
		at, err := fhir.ParseInstant(since.Text())
		if err != nil {
			return &c, badEntry(fhir.IDEntryCondition, "ifModifiedSince is an instant", ".request.ifModifiedSince")
		}
		c.ModifiedSince, c.ModifiedBefore = at.Range(nil)
	}
	return &c, nil
}

// readCarried checks the resource that the entry carries, as far as it can be without the store.
func (s *Service) readCarried(e *bundleEntry) error {
	missing := func(text string) error {
		return fhir.NewError(fhir.KindInvalid, fhir.IssueRequired, fhir.IDBodyMissing, text)
	}
	switch e.Code {
	case CodeSearchType, CodeSearchSystem, CodeSearchCompartment:
		if e.method == http.MethodPost && e.resource.Valid() {
			return badEntry(fhir.IDEntryRequest, "a search in a Bundle has its parameters in request.url; a resource beside it is not read", ".resource")
		}
	case CodeOperation:
		if e.Operation.Raw {
			return whereNone(fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, fhir.IDEntryStream,
				"the result of this operation is not a resource and cannot be in a Bundle; send the request by itself"), ".request.url")
		}
		e.Resource = e.resource
	case CodeCreate:
		if !e.resource.Valid() {
			return missing("a create has a resource")
		}
		var err error
		if e.resource, err = ignoreID(e.resource); err != nil {
			return err
		}
		return s.checkWritable(e.Code, e.Key, e.resource)
	case CodeUpdate:
		if !e.resource.Valid() {
			return missing("an update has a resource")
		}
		return s.checkWritable(e.Code, e.Key, e.resource)
	case CodePatch:
		if !e.resource.Valid() {
			return missing("a patch has a Binary or Parameters resource")
		}
		var err error
		e.patch, err = s.patchOf(e.resource, e.Base)
		return err
	}
	return nil
}

// readCriteria reads the search of a conditional request.
func (s *Service) readCriteria(ctx context.Context, e *bundleEntry) (err error) {
	switch {
	case e.criteria():
		e.cond, err = s.parseCondition(ctx, e.Key.Type, e.criteriaText())
		return whereNone(err, ".request.url")
	case e.Conditions.NoneExist != "":
		e.cond, err = s.parseCondition(ctx, e.Key.Type, e.Conditions.NoneExist)
		return whereNone(err, ".request.ifNoneExist")
	}
	return nil
}
