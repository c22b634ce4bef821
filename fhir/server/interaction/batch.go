package interaction

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// batchGroup is how many unconditional writes of a batch are stored by one Update.
	batchGroup = 500
	// batchWorkers is how many entries of a batch are performed at the same time where each is an Update or View of its own: enough that
	// their commits share an fsync.
	batchWorkers = 16
)

// batch performs each entry on its own (R4 http, 3.1.0.11.1 Batch Processing Rules): entries fail one by one, and the order between them
// means nothing. It follows the order of transactions all the same, so that a client who writes and reads in one batch is not surprised.
// Entries are not told of each other: references between them are refused, entry by entry. With a fault of the whole nothing is done.
func (s *Service) batch(ctx context.Context, q BundleRequest, entries []*bundleEntry, whole error) (Bundle, error) {
	s.refuseLinks(entries)
	s.faultContents(entries, whole != nil)
	if whole != nil {
		return Bundle{}, failures(whole, entries)
	}
	b := &batch{Service: s, request: q, replies: make([]reply, len(entries))}
	for step := range lastStep + 1 {
		var together, alone []*bundleEntry
		for _, e := range entries {
			switch {
			case e.err != nil || e.step() != step:
			case step < lastStep && e.cond == nil && e.Code != CodePatch:
				together = append(together, e)
			default:
				alone = append(alone, e)
			}
		}
		b.group(ctx, together)
		b.each(ctx, alone)
	}
	for _, e := range entries {
		if e.err != nil {
			b.replies[e.index] = failed(e)
		}
	}
	return s.replies("batch-response", q.Base, time.Now(), b.replies), nil
}

// batch is the state of one batch.
type batch struct {
	*Service
	request BundleRequest
	replies []reply
	reads   reads
}

// failed returns the reply of an entry at fault: the status its kind has everywhere, and an OperationOutcome.
func failed(e *bundleEntry) reply {
	var f *fhir.Error
	if !errors.As(at(e.index, e.failure(e.key, e.err)), &f) {
		return reply{Response: Response{Status: http.StatusInternalServerError}}
	}
	issues := f.Issues
	if len(issues) == 0 {
		issues = []fhir.Issue{{Severity: fhir.SeverityFatal, Code: fhir.IssueException, ID: fhir.IDInternal, Text: "the server failed to process this entry"}}
	}
	return reply{Response: Response{Status: f.Kind.Status()}, outcome: fhir.AppendOutcome(nil, issues)}
}

// group performs unconditional writes, many by one Update. A write that is refused does not touch the others; where an Update as a whole
// fails, its entries are performed one by one, unless they may be stored.
func (b *batch) group(ctx context.Context, entries []*bundleEntry) {
	parallel(len(entries), func(i int) {
		e := entries[i]
		if e.Code == CodeDelete {
			return
		}
		if e.Resource, e.err = b.ownReferences(e.resource, e.Base); e.err == nil {
			e.draft, e.err = b.prepareResolved(ctx, e.Resource)
		}
	})
	entries = slices.DeleteFunc(entries, func(e *bundleEntry) bool { return e.err != nil })
	for len(entries) > 0 {
		// An Update writes each key once: a second write to it waits for a later group.
		seen := make(map[fhir.Key]bool)
		var now, later []*bundleEntry
		for _, e := range entries {
			if seen[e.key] || len(now) == batchGroup {
				later = append(later, e)
				continue
			}
			seen[e.key] = true
			now = append(now, e)
		}
		b.groupOnce(ctx, now)
		entries = later
	}
}

func (b *batch) groupOnce(ctx context.Context, entries []*bundleEntry) {
	if len(entries) == 1 || b.opt.ReferentialIntegrity {
		b.each(ctx, entries)
		return
	}
	results := make([]Result, len(entries))
	faults := make([]error, len(entries))
	err := b.update(ctx, func(tx storage.Tx) error {
		for i, e := range entries {
			results[i], faults[i] = b.apply(ctx, tx, e)
			var refused *fhir.Error
			if faults[i] != nil && (!errors.As(faults[i], &refused) || refused.Kind == fhir.KindUnavailable || refused.Kind == fhir.KindFull) {
				return faults[i]
			}
		}
		return nil
	})
	switch {
	case storage.IsUnknown(err):
		for _, e := range entries {
			e.err = err
		}
		return
	case err != nil:
		b.each(ctx, entries)
		return
	}
	for i, e := range entries {
		if e.err = faults[i]; e.err == nil {
			b.replies[e.index], e.err = b.replied(e, results[i])
		}
	}
	b.wrote(ctx, results...)
}

// apply performs an unconditional write.
func (b *batch) apply(ctx context.Context, tx storage.Tx, e *bundleEntry) (Result, error) {
	switch e.Code {
	case CodeDelete:
		return b.remove(ctx, tx, e.key, e.Conditions)
	case CodeCreate:
		return b.putNew(ctx, tx, e.key, e.draft)
	}
	return b.put(ctx, tx, e.key, e.draft, http.MethodPut, e.Conditions)
}

// each performs entries one by one, several at the same time.
func (b *batch) each(ctx context.Context, entries []*bundleEntry) {
	if len(entries) == 0 {
		return
	}
	work := make(chan *bundleEntry)
	var all sync.WaitGroup
	panics := make(chan any, min(batchWorkers, len(entries)))
	for range cap(panics) {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- p
					for range work { // let the sender end
					}
				}
			}()
			for e := range work {
				b.replies[e.index], e.err = b.one(ctx, e)
			}
		})
	}
	for _, e := range entries {
		work <- e
	}
	close(work)
	all.Wait()
	select {
	case p := <-panics:
		panic(p)
	default:
	}
}

// one performs an entry as the request of its own that it is.
func (b *batch) one(ctx context.Context, e *bundleEntry) (reply, error) {
	if e.step() == lastStep {
		out, err := b.reads.perform(b.Service, func() (Response, error) { return b.perform(ctx, &e.Request) })
		return e.replied(out), err
	}
	e.Resource = e.resource
	out, err := b.perform(ctx, &e.Request)
	return e.replied(out), err
}

// refuseLinks refuses the entries of a batch that refer to entries by their urn: fullUrls: R4 keeps the entries of a batch independent of
// each other, and the ids that the server will choose are not known to them (http, 3.1.0.11.1 Batch Processing Rules).
func (s *Service) refuseLinks(entries []*bundleEntry) {
	names := make(entryNames)
	for _, e := range entries {
		if isURN(e.fullURL) {
			names[entryName(e.fullURL)] = e.index
		}
	}
	if len(names) == 0 {
		return
	}
	parallel(len(entries), func(i int) {
		e := entries[i]
		if !e.resource.Valid() || !e.writes() {
			return
		}
		for _, m := range mentions(s.registry, e.resource, names, "") {
			if m.kind == mentionLink && m.node.Name() == "reference" {
				e.fault(&fhir.Error{Kind: fhir.KindUnprocessable, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueBusinessRule, ID: fhir.IDBatchReference,
					Text: "the reference names an entry of the batch by its fullUrl, and the entries of a batch do not know each other; send a transaction", Expression: m.node.Path()}}})
			}
		}
	})
}
