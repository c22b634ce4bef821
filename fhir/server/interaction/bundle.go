package interaction

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// Bundle performs the requests of a batch or a transaction, whichever Bundle.type says, and returns their answers in the requests' order (R4
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

// readEnvelope returns the faults of the Bundle itself.
func (s *Service) readEnvelope(b fhir.Resource) error {
	var err error
	if kind := b.Get("type").Text(); kind != "batch" && kind != "transaction" {
		err = &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueValue,
			ID: fhir.IDBundleType, Text: "a Bundle posted here is of type batch or transaction", Expression: "Bundle.type"}}}
	}
	if list := b.Get("entry"); list.Valid() && list.Kind() != fhir.Array {
		err = join(err, &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueStructure, ID: fhir.IDBundleEntry,
			Text: "Bundle.entry is an array", Expression: "Bundle.entry"}}})
	}
	return join(err, malformed(s.requests.Envelope(b)))
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
