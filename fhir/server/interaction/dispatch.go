package interaction

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Every request passes here, whether it came by HTTP, as an entry of a batch or as one of a transaction. What all interactions have in common is done
// in one place and in one order: the readers locate the request, read its query, preferences and conditions; admit checks what the parameters may
// be and asks for authorization; then the body is read, and the request performed.

// Served is what a Service serves beside R4's interactions, and under which rules.
type Served struct {
	// Operations are the named operations.
	Operations []Operation
	// Capabilities returns what the server says of itself at the moment; nil where it says nothing.
	Capabilities func(Capability) []byte
	// Authorize says whether a request may be performed; nil where everything may. It is asked once for each request that could be read: one that came
	// by HTTP, and each entry of a batch or transaction. It is asked before the body is read. The error is an *fhir.Error.
	Authorize func(ctx context.Context, q *Request) error
	// Administer says whether a request may administer the server, for operations that no client has business with; nil where none may. The error is an
	// *fhir.Error.
	Administer func(ctx context.Context, q *Request) error
	// Format says whether a value of _format names a format that is served; nil where any does. The error is an *fhir.Error. It is asked for the entries
	// of a Bundle alone: by HTTP the format is chosen before the request comes here.
	Format func(format string) error
	// SearchTime bounds a search, a history and an operation; 0 for no bound.
	SearchTime time.Duration
	// Body and Depth bound what a patch makes of a resource as they bound bodies: the bytes, 0 for no bound, and the nested objects and arrays, 0 for
	// fhir.Limits' default.
	Body  int64
	Depth int
}

// served is what Serve was given, with its routes.
type served struct {
	Served
	routing *routing
}

// Serve sets what is served. It is called before the first request; until then nothing but R4's interactions is.
func (s *Service) Serve(v Served) {
	s.served.Store(&served{v, newRouting(v.Operations)})
}

// Do performs a request that Locate, ReadQuery and ReadConditions have read. The error is an *fhir.Error.
func (s *Service) Do(ctx context.Context, q *Request) (Response, error) {
	err := s.admit(ctx, q)
	if len(q.Parameters) > 0 || !q.read() {
		ctx = s.withBase(ctx, q.Base)
	}
	if err == nil && q.ReadBody != nil {
		q.Resource, err = q.ReadBody()
	}
	var res Response
	if err == nil {
		res, err = s.perform(ctx, q)
	}
	if err != nil {
		return Response{}, q.failure(q.Key, err)
	}
	return res, nil
}

// admit decides whether a request is performed at all.
func (s *Service) admit(ctx context.Context, q *Request) error {
	if err := s.checkParameters(q); err != nil {
		return err
	}
	if authorize := s.served.Load().Authorize; authorize != nil {
		return authorize(ctx, q)
	}
	return nil
}

// perform performs a request that is admitted and whose body is read, by itself.
func (s *Service) perform(ctx context.Context, q *Request) (Response, error) {
	if q.read() {
		return s.performRead(ctx, q)
	}
	switch q.Code {
	case CodeBundle:
		b, err := s.Bundle(ctx, BundleRequest{Base: q.Base, Bundle: q.Resource, Return: q.Prefer.Return, Lenient: q.Prefer.Lenient})
		return bundled(b), err
	case CodeOperation:
		ctx, cancel := s.limited(ctx, q)
		defer cancel()
		return s.operate(ctx, q)
	case CodeDelete:
		return s.performDelete(ctx, q)
	}
	res, err := s.performWrite(ctx, q)
	if err != nil {
		return Response{}, err
	}
	return s.written(q, res)
}

// storedBundle tells a client that has stored a batch or transaction as a resource where it would have been performed.
func storedBundle(q *Request) []fhir.Issue {
	if q.Code == CodePatch || q.Key.Type != "Bundle" {
		return nil
	}
	kind := q.Resource.Get("type").Text()
	if kind != "batch" && kind != "transaction" {
		return nil
	}
	return []fhir.Issue{{Severity: fhir.SeverityInformation, Code: fhir.IssueInformational, ID: fhir.IDBundleStored,
		Text: "the " + kind + " is stored as a resource, and its entries are not performed; to perform them POST it to " + q.Base, Expression: "Bundle.type"}}
}

// performRead performs a request that changes nothing.
func (s *Service) performRead(ctx context.Context, q *Request) (out Response, err error) {
	if q.searches() {
		var cancel context.CancelFunc
		ctx, cancel = s.limited(ctx, q)
		defer cancel()
	}
	if q.Code == CodeOperation || q.Code == CodeCapabilities {
		return s.readIn(ctx, nil, q)
	}
	err = s.reading(ctx, func(r storage.Reader) (err error) {
		out, err = s.readIn(ctx, r, q)
		return err
	})
	return out, err
}

// readIn performs a request that changes nothing in a view, or in a transaction that reads its own writes.
func (s *Service) readIn(ctx context.Context, r storage.Reader, q *Request) (Response, error) {
	switch q.Code {
	case CodeRead, CodeVRead:
		return s.readVersion(ctx, r, q)
	case CodeCapabilities:
		return s.capabilities(q)
	case CodeOperation:
		return s.operate(withReader(ctx, r), q)
	case CodeHistoryInstance:
		b, err := s.history(ctx, r, HistoryRequest{Base: q.Base, Key: q.Key, Parameters: q.Parameters, Lenient: q.Prefer.Lenient, Apart: q.Pieces})
		return bundled(b), err
	case CodeHistoryType, CodeHistorySystem:
		b, err := s.history(ctx, r, HistoryRequest{Base: q.Base, Type: q.Key.Type, Parameters: q.Parameters, Lenient: q.Prefer.Lenient, Apart: q.Pieces})
		return bundled(b), err
	}
	search := SearchRequest{Base: q.Base, Path: q.Key.Type, Parameters: q.Parameters, Posted: q.Posted, Lenient: q.Prefer.Lenient, Explain: q.Explain, Apart: q.Pieces}
	if q.Code == CodeSearchCompartment {
		search.Compartment, search.Path = q.Key, q.Key.String()+"/"+q.Inside
		if q.Inside != "*" {
			search.Types = []string{q.Inside}
		}
	} else if q.Key.Type != "" {
		search.Types = []string{q.Key.Type}
	}
	b, err := s.search(ctx, r, search)
	return bundled(b), err
}

// readVersion performs a read or vread, with its conditions (R4 http, 3.1.0.2 and 3.1.0.3).
func (s *Service) readVersion(ctx context.Context, r storage.Reader, q *Request) (Response, error) {
	r = s.specification.Beside(r)
	var rec storage.Record
	var err error
	if q.Code == CodeVRead {
		rec, err = vread(ctx, r, q.Key, q.Version)
	} else {
		rec, err = r.Get(ctx, q.Key)
	}
	if err != nil {
		return Response{}, failure(string(q.Code), q.Key, err)
	}
	out := Response{Status: http.StatusOK, Record: rec}
	out.Record.Body = nil
	if err := q.Conditions.check(rec, true); err != nil {
		return Response{}, err
	}
	same, err := q.Conditions.has(ctx, r, rec)
	if err != nil {
		return Response{}, err
	}
	if same {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Resource, err = s.view(rec.Body, &q.View)
	return out, err
}

// has reports whether the client has rec already: its version (If-None-Match), or without that condition one of a moment at which rec was current
// (If-Modified-Since). A moment that is told in seconds may be that of two versions: then the client has neither for sure.
func (c *Conditions) has(ctx context.Context, r storage.Reader, rec storage.Record) (bool, error) {
	if c.NoneMatch || len(c.IfNoneMatch) > 0 {
		return c.NoneMatch || slices.Contains(c.IfNoneMatch, rec.Version), nil
	}
	if c.ModifiedSince.IsZero() || !rec.Updated.Before(c.ModifiedBefore) {
		return false, nil
	}
	if rec.Updated.Before(c.ModifiedSince) || rec.Version == 1 {
		return true, nil
	}
	before, err := r.GetVersion(ctx, rec.Key, rec.Version-1)
	return err == nil && before.Updated.Before(c.ModifiedSince), err
}

// operate runs an operation.
func (s *Service) operate(ctx context.Context, q *Request) (Response, error) {
	o := q.Operation
	if q.Resource.Valid() && q.Resource.Type() != "Parameters" && !o.Resource && !(o.Raw && q.Resource.Type() == "Binary") {
		return Response{}, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDParametersExpected, "an operation takes a Parameters resource")
	}
	res, err := o.Run(ctx, q)
	if err != nil {
		return Response{}, err
	}
	if res.ContentType != "" && !q.Operation.Raw {
		return Response{}, fmt.Errorf("$%s made a response of type %s, but it is not Raw", q.Operation.Name, res.ContentType)
	}
	if res.Status == 0 {
		res.Status = http.StatusOK
	}
	if res.Stream != nil && res.ContentType == "" && !q.Pieces {
		if res.Body, err = s.collect(ctx, &res); err != nil {
			return Response{}, err
		}
		res.Stream = nil
	}
	return Response{Status: res.Status, Resource: res.Body, Operation: &res}, nil
}

// limited returns the context with the time that the request may take.
func (s *Service) limited(ctx context.Context, q *Request) (context.Context, context.CancelFunc) {
	if t := s.served.Load().SearchTime; t > 0 && q.searches() {
		return context.WithTimeout(ctx, t)
	}
	return ctx, func() {}
}

// performWrite performs a create, update or patch.
func (s *Service) performWrite(ctx context.Context, q *Request) (Result, error) {
	var p Patch
	if q.Code == CodePatch {
		var err error
		if p, err = s.patchOf(q.Resource, q.Base); err != nil {
			return Result{}, err
		}
	} else {
		own, err := s.ownReferences(q.Resource, q.Base)
		if err != nil {
			return Result{}, err
		}
		q.Resource = own
	}
	switch typ := q.Key.Type; {
	case q.Code == CodeCreate:
		return s.Create(ctx, typ, q.Resource, q.Conditions.NoneExist)
	case q.Code == CodePatch && q.criteria():
		return s.PatchConditional(ctx, typ, p, q.criteriaText(), q.Conditions)
	case q.Code == CodePatch:
		return s.Patch(ctx, q.Key, p, q.Conditions)
	case q.criteria():
		return s.UpdateConditional(ctx, typ, q.Resource, q.criteriaText(), q.Conditions)
	}
	return s.Update(ctx, q.Key, q.Resource, q.Conditions)
}

// performDelete performs a delete, conditional or not.
func (s *Service) performDelete(ctx context.Context, q *Request) (Response, error) {
	if !q.criteria() {
		res, err := s.Delete(ctx, q.Key, q.Conditions)
		if err != nil {
			return Response{}, err
		}
		return s.written(q, res)
	}
	results, err := s.DeleteConditional(ctx, q.Key.Type, q.criteriaText(), q.Conditions)
	if err != nil {
		return Response{}, err
	}
	out := deleted(q)
	for _, res := range results {
		out.Issues = append(out.Issues, res.Issues...)
	}
	return out, nil
}

// deleted returns the response of a deletion: without content, but for an OperationOutcome where the client prefers one.
func deleted(q *Request) Response {
	if q.Prefer.Return == "OperationOutcome" {
		return Response{Status: http.StatusOK}
	}
	return Response{Status: http.StatusNoContent}
}

// written returns the response of a write (R4 http, 3.1.0.1.7).
func (s *Service) written(q *Request, res Result) (Response, error) {
	if res.Record.Deleted || res.Record.Version == 0 {
		out := deleted(q)
		out.Record, out.Issues = res.Record, res.Issues
		return out, nil
	}
	out := Response{Status: http.StatusOK, Record: res.Record, Located: true, Issues: res.Issues}
	if res.Action != Unchanged {
		out.Issues = append(slices.Clip(out.Issues), storedBundle(q)...)
	}
	if res.Action == Created {
		out.Status = http.StatusCreated
	}
	out.Record.Body = nil // so that a large Bundle is not kept once more until the response is sent
	var err error
	if q.Prefer.Return == "representation" {
		out.Resource, err = s.view(res.Record.Body, &q.View)
	}
	return out, err
}

// checkParameters refuses the parameters that an interaction does not have. Searches, histories and operations read their own. An interaction that
// has none of its own ignores them, but for those that would say which resource is meant.
func (s *Service) checkParameters(q *Request) error {
	if q.criteria() {
		return q.checkCriteria()
	}
	switch q.Code {
	case CodeRead, CodeVRead:
		for _, p := range q.Parameters {
			if !general[p.Name] && !q.Prefer.Lenient && q.Key.Type != "Binary" {
				return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnknownParameter,
					"a read has no parameter "+quoted(p.Name)+"; it takes _format, _pretty, _summary and _elements")
			}
		}
	case CodeCapabilities:
		if _, err := s.Capability(q); err != nil {
			return err
		}
	case CodeCreate, CodeUpdate, CodePatch, CodeDelete:
		for _, p := range q.Parameters {
			code := p.Name
			if i := strings.IndexAny(code, ":."); i > 0 {
				code = code[:i]
			}
			if slices.ContainsFunc(s.parameters.Of(q.Key.Type), func(k *search.Parameter) bool { return k.Code == code }) {
				text := "the search parameter " + quoted(p.Name) + " does not belong beside an id; write a condition as [type]?parameter=value, or use If-Match"
				if q.Code == CodeCreate {
					text = "a create takes its condition, here " + quoted(p.Name) + ", in the header If-None-Exist or in request.ifNoneExist"
				}
				return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDMisplacedParameter, text)
			}
		}
	}
	return nil
}

// checkCriteria refuses a conditional write without criteria.
func (q *Request) checkCriteria() error {
	if !slices.ContainsFunc(q.Parameters, func(p search.Pair) bool { return !general[p.Name] }) {
		return fhir.NewError(fhir.KindInvalid, fhir.IssueRequired, fhir.IDEmptyCondition, "a conditional "+string(q.Code)+" needs search parameters, and one by id needs [type]/[id]")
	}
	return nil
}

// criteriaText returns the parameters of a conditional write that say which resource is meant.
func (q *Request) criteriaText() string {
	return encodePairs(slices.DeleteFunc(slices.Clone(q.Parameters), func(p search.Pair) bool { return general[p.Name] }))
}

// Arguments returns the parameters of the URL but for _format and _pretty, for operations.
func (q *Request) Arguments() []search.Pair {
	if !slices.ContainsFunc(q.Parameters, shapesForm) {
		return q.Parameters
	}
	return slices.DeleteFunc(slices.Clone(q.Parameters), shapesForm)
}

// shapesForm reports whether a parameter says in which form the response is written.
func shapesForm(p search.Pair) bool { return p.Name == "_format" || p.Name == "_pretty" }

// quoted returns a parameter's name for a message, cut where it is long.
func quoted(name string) string {
	const longest = 40
	if len(name) > longest {
		name = strings.ToValidUTF8(name[:longest], "") + "..."
	}
	return "'" + name + "'"
}

// readerKey is the key of the Reader that a context carries.
type readerKey struct{}

// withReader returns a context in which the Service's own reads use r: those of an operation in a transaction see what the transaction has written.
func withReader(ctx context.Context, r storage.Reader) context.Context {
	if r == nil {
		return ctx
	}
	return context.WithValue(ctx, readerKey{}, r)
}

// reading calls f with the Reader of the context, or in a View.
func (s *Service) reading(ctx context.Context, f func(storage.Reader) error) error {
	if r, ok := ctx.Value(readerKey{}).(storage.Reader); ok {
		return f(r)
	}
	return s.clients.View(ctx, f)
}
