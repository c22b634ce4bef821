package interaction

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// Bundle performs the requests of a batch or a transaction, whichever Bundle.type says, and returns their responses in the requests' order (R4
// http, 3.1.0.11 batch/transaction, http://hl7.org/fhir/R4/http.html#transaction). A transaction is all or nothing: its error names each
// entry at fault in an issue's expression. A batch's entries fail one by one. Faults of the Bundle itself are those of the whole.
func (s *Service) Bundle(ctx context.Context, q BundleRequest) (Bundle, error) {
	const op = "bundle"
	if q.Bundle.Type() != "Bundle" {
		return Bundle{}, failure(op, fhir.Key{}, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDResourceType, "a batch or transaction is a Bundle"))
	}
	whole := s.readEnvelope(q.Bundle)
	kind := q.Bundle.Get("type").Text()
	if kind != "batch" && kind != "transaction" {
		return Bundle{}, failure(op, fhir.Key{}, whole)
	}
	if q.Return == "" {
		q.Return = "minimal"
	}
	ctx = s.withBase(ctx, q.Base)
	entries, err := s.readEntries(ctx, q)
	if err != nil {
		return Bundle{}, failure(op, fhir.Key{}, err)
	}
	if kind == "batch" {
		out, err := s.batch(ctx, q, entries, whole)
		return out, failure(op, fhir.Key{}, err)
	}
	out, err := s.transaction(ctx, q, entries, whole)
	return out, wholly(failure("transaction", fhir.Key{}, err))
}

// notPosted says why a Bundle of a type cannot be posted to the base, and what its sender may want.
func notPosted(kind string) string {
	const wanted = "a Bundle posted to the base must be a batch or transaction"
	switch kind {
	case "collection", "searchset", "history":
		return wanted + ", and this one is a " + kind + ": `fhirgate load FILE` stores its entries; POST it to Bundle to store it as one resource"
	case "document", "message":
		return wanted + ", and this one is a " + kind + ": POST it to Bundle to store it"
	}
	return wanted
}

// readEnvelope returns the faults of the Bundle itself.
func (s *Service) readEnvelope(b fhir.Resource) error {
	var err error
	if kind := b.Get("type").Text(); kind != "batch" && kind != "transaction" {
		err = &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueValue,
			ID: fhir.IDBundleType, Text: notPosted(kind), Expression: "Bundle.type"}}}
	}
	if list := b.Get("entry"); list.Valid() && list.Kind() != fhir.Array {
		err = join(err, &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueStructure, ID: fhir.IDBundleEntry,
			Text: "Bundle.entry is an array", Expression: "Bundle.entry"}}})
	}
	return join(err, malformed(s.requests.Envelope(b)))
}

// reply is the response of one entry.
type reply struct {
	Response
	// outcome is an OperationOutcome: what went wrong, or what a write has to say.
	outcome []byte
}

// replied returns the response of a request as the entry shows it.
func (e *bundleEntry) replied(r Response) reply {
	out := reply{Response: r}
	if e.method == http.MethodHead {
		out.Resource = nil
	}
	if !e.read() && (e.Prefer.Return == "OperationOutcome" || len(r.Issues) > 0) {
		out.outcome = fhir.AppendOutcome(nil, r.Issues)
	}
	return out
}

// replied returns the reply of a write.
func (s *Service) replied(e *bundleEntry, res Result) (reply, error) {
	if !e.Resource.Valid() {
		e.Resource = e.resource
	}
	out, err := s.written(&e.Request, res)
	return e.replied(out), err
}

// response writes the entry of a batch-response or transaction-response.
func (a *bundleWriter) response(base string, r reply) {
	a.open()
	if r.Resource != nil && r.Record.Version > 0 {
		a.fullURL(base, r.Record.Key)
	}
	if r.Resource != nil {
		a.body("resource", r.Resource)
	}
	a.comma()
	a.dst = append(a.dst, `"response":{"status":"`...)
	a.dst = appendStatus(a.dst, r.Status)
	a.dst = append(a.dst, '"')
	if location := r.location(); location != "" {
		a.dst = append(a.dst, `,"location":`...)
		a.dst = fhir.AppendString(a.dst, location)
	}
	if r.Record.Version > 0 {
		a.dst = appendVersionMembers(a.dst, r.Record)
		a.see(r.Record.Updated)
	}
	if r.outcome != nil {
		a.body("outcome", r.outcome)
	}
	a.dst = append(a.dst, '}')
	a.close()
}

// location returns what the response's Location names, relative to the base where it is a version of a resource; "" for nothing.
func (r *Response) location() string {
	switch {
	case r.Located:
		return fmt.Sprintf("%s/_history/%d", r.Record.Key, r.Record.Version)
	case r.Operation != nil:
		return r.Operation.Header.Get("Location")
	}
	return ""
}

// replies writes the Bundle of all responses.
func (s *Service) replies(kind, base string, moment time.Time, all []reply) Bundle {
	size := 0
	for i := range all {
		size += len(all[i].Resource) + len(all[i].outcome) + 320
	}
	a := newBundleWriter(kind, s.ids.next(), moment, -1, nil, size)
	for i := range all {
		a.response(base, all[i])
	}
	return a.done()
}

// reads counts what the reads of one batch or transaction return. It is safe for concurrent use.
type reads struct{ bytes atomic.Int64 }

// perform performs a read, and refuses those that come when the responses before have passed what one Bundle may hold.
func (n *reads) perform(s *Service, read func() (Response, error)) (Response, error) {
	if most := pagesAtMost * s.opt.PageBytes; n.bytes.Load() > most {
		return Response{}, fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDTooMuchRead,
			fmt.Sprintf("the reads of this Bundle return more than %d bytes; send the others by themselves", most))
	}
	out, err := read()
	n.bytes.Add(int64(len(out.Resource)))
	return out, err
}
