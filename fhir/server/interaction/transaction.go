package interaction

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// transaction performs all entries or none (R4 http, 3.1.0.11.2 Transaction Processing Rules). What the Bundle's conditions and conditional
// references stand for is looked up first in a View; with that the resources are rewritten, validated and extracted outside of any
// Update; and inside the Update it is looked up again. Where the store has changed in between, all of it is done again.
func (s *Service) transaction(ctx context.Context, q BundleRequest, entries []*bundleEntry, whole error) (Bundle, error) {
	t := &transaction{Service: s, request: q, entries: entries, whole: whole}
	return t.run(ctx)
}

// run performs the transaction.
func (t *transaction) run(ctx context.Context) (Bundle, error) {
	t.check()
	t.scan(ctx)
	plan, err := t.firstPlan(ctx)
	if err != nil {
		return Bundle{}, cmp.Or(t.failure(), err)
	}
	if t.failure() != nil {
		t.prepareAll(plan) // so that the faults of the contents are told as well
		return Bundle{}, t.failure()
	}
	for range transactionAttempts {
		found, err := t.attempt(ctx, plan)
		if err != nil {
			return Bundle{}, err
		}
		if found == nil {
			t.wrote(ctx, t.results...)
			return t.Service.replies("transaction-response", t.request.Base, t.moment, t.replies), nil
		}
		plan = found
	}
	return Bundle{}, storage.ErrConflict
}

// transactionAttempts bounds how often a transaction is prepared again because what its conditions stand for has changed.
const transactionAttempts = 8

// transaction is the state of one transaction.
type transaction struct {
	*Service
	request BundleRequest
	entries []*bundleEntry
	// whole is what is wrong with the Bundle itself.
	whole error
	// before, where not nil, comes first in the Update, and after, where not nil, writes something more behind the entries.
	before func(ctx context.Context, tx storage.Tx) error
	after  func(ctx context.Context, tx storage.Tx) (Result, error)
	names  entryNames
	// base is the server's, with a slash, where an entry is named below it; then references of other entries may be relative to it.
	base string
	// references are the conditional references of all entries, by their text.
	references map[string]*condition
	// candidates are the entries, in the sense of search, of what the Bundle itself brings, by the Bundle's entry; nil where no condition asks.
	candidates map[int][]search.Entry

	moment  time.Time
	replies []reply
	results []Result
	reads   *reads
}

// failure returns all faults that were noted; nil for none.
func (t *transaction) failure() error { return failures(t.whole, t.entries) }

// check finds the faults that show without the store: fullUrls that appear twice and two writes to one resource.
func (t *transaction) check() {
	t.names = make(entryNames, len(t.entries))
	keys := make(map[fhir.Key]int, len(t.entries))
	own := t.request.Base + "/"
	for _, e := range t.entries {
		if e.fullURL != "" && e.method != http.MethodPatch && e.Code != CodeOperation && (e.resource.Valid() || e.err != nil) {
			if first, twice := t.names[entryName(e.fullURL)]; twice {
				e.fault(badEntry(fhir.IDDuplicateFullURL, fmt.Sprintf("entry %d has the same fullUrl", first), ".fullUrl"))
			}
			t.names[entryName(e.fullURL)] = e.index
			if strings.HasPrefix(e.fullURL, own) {
				t.base = own
			}
		}
		if e.err == nil && e.writes() && e.cond == nil {
			if first, twice := keys[e.key]; twice {
				e.fault(errDuplicateEntry(first))
			}
			keys[e.key] = e.index
		}
	}
}

// baseOf returns what relative references of an entry are told from: the base of its fullUrl, and where that has none the server's, since its
// request is told from there (R4 bundle, 2.36.4.1 Resolving references in Bundles, leaves that undefined).
func (t *transaction) baseOf(e *bundleEntry) string { return cmp.Or(restfulBase(e.fullURL), t.base) }

func errDuplicateEntry(first int) error {
	return &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueDuplicate, ID: fhir.IDDuplicateEntry,
		Text: fmt.Sprintf("entry %d writes the same resource; a transaction writes each resource once", first)}}}
}

// scan finds what the entries say of each other.
func (t *transaction) scan(ctx context.Context) {
	parallel(len(t.entries), func(i int) {
		e := t.entries[i]
		if !e.resource.Valid() || !e.writes() {
			return
		}
		if e.method == http.MethodPatch {
			e.operations = t.jsonPatchNode(e.resource)
		}
		if e.operations.Valid() {
			e.mentions = patchMentions(t.registry, e.operations, t.names, t.baseOf(e))
		} else {
			e.mentions = mentions(t.registry, e.resource, t.names, t.baseOf(e))
		}
		for _, m := range e.mentions {
			if m.kind == mentionUnknown {
				e.fault(&fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueNotFound, ID: fhir.IDUnresolvedReference,
					Text: "no entry of the transaction has this urn: as its fullUrl", Expression: e.place(m)}}})
			}
		}
	})
	var faults map[string]error
	for _, e := range t.entries {
		for _, m := range e.mentions {
			if m.kind != mentionCondition || t.references[m.rest] != nil {
				continue
			}
			err, known := faults[m.rest]
			if !known {
				var cond *condition
				typ, query := cutQuery(m.rest)
				if cond, err = t.parseCondition(ctx, typ, query); err == nil {
					if t.references == nil {
						t.references = make(map[string]*condition)
					}
					t.references[m.rest] = cond
					continue
				}
				if faults == nil {
					faults = make(map[string]error)
				}
				faults[m.rest] = err
			}
			e.fault(wholly(whereNone(err, e.place(m))))
		}
	}
	t.findCandidates()
}

// place returns the expression of a mention of the entry.
func (e *bundleEntry) place(m mention) string {
	if e.operations.Valid() {
		return "Binary.data"
	}
	return m.node.Path()
}

// whereNone gives the issues of err without an expression this one.
func whereNone(err error, expression string) error {
	if err == nil {
		return nil
	}
	var e *fhir.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Issues = slices.Clone(e.Issues)
	for i := range c.Issues {
		if c.Issues[i].Expression == "" {
			c.Issues[i].Expression = expression
		}
	}
	return &c
}

// errAgain ends an Update whose conditions stand for something else than what it was prepared for.
var errAgain = errors.New("interaction: prepare again")

// firstPlan looks up what the conditions find in a view, and notes which can't be met.
func (t *transaction) firstPlan(ctx context.Context) (plan *resolution, err error) {
	if !t.conditional() {
		return t.resolve(ctx, nil)
	}
	err = t.clients.View(ctx, func(r storage.Reader) (err error) {
		plan, err = t.resolve(ctx, r)
		return err
	})
	if err == nil {
		for i, fault := range plan.faults {
			t.entries[i].fault(fault)
		}
	}
	return plan, err
}

// attempt prepares and applies the transaction once, as planned. Where the store has changed since the plan was made, nothing is stored and the
// plan for what is there is returned: that of the Update, which sees commits before they are acknowledged and a View does.
func (t *transaction) attempt(ctx context.Context, plan *resolution) (other *resolution, err error) {
	t.prepareAll(plan)
	if err := t.failure(); err != nil {
		return nil, err
	}
	err = t.update(ctx, func(tx storage.Tx) error {
		if t.before != nil {
			if err := t.before(ctx, tx); err != nil {
				return err
			}
		}
		if t.conditional() {
			if err := t.guard(ctx, tx); err != nil {
				return err
			}
			found, err := t.resolve(ctx, tx)
			if err == nil {
				err = found.failure()
			}
			if err != nil {
				return err
			}
			if !found.equal(plan) {
				other = found
				return errAgain
			}
		}
		if err := t.apply(ctx, tx, plan); err != nil || t.after == nil {
			return err
		}
		res, err := t.after(ctx, tx)
		t.results = append(t.results, res)
		return err
	})
	if errors.Is(err, errAgain) {
		return other, nil
	}
	return nil, err
}

// prepareAll rewrites, validates and extracts the resources that are written, and rewrites patches. The resources of entries at fault are
// validated alone.
func (t *transaction) prepareAll(plan *resolution) {
	v := resolved{keys: plan.keys, conditions: plan.references, names: t.names}
	parallel(len(t.entries), func(i int) {
		e := t.entries[i]
		if e.method == http.MethodPatch && len(e.mentions) > 0 && e.err == nil {
			r, err := v.rewritePatch(e)
			if err == nil {
				e.patch, err = t.patchOf(r, e.Base)
			}
			e.fault(err)
			return
		}
		if !e.carries() || plan.matched[i] {
			return
		}
		e.draft = nil
		r, err := v.rewrite(e.resource, e.mentions)
		if err == nil {
			r, err = t.ownReferences(r, e.Base)
		}
		switch {
		case err != nil:
		case e.err != nil:
			err = t.checkContent(r)
		default:
			e.draft, err = t.prepare(r)
		}
		e.fault(err)
	})
}

// apply performs the entries in tx. It may run more than once.
func (t *transaction) apply(ctx context.Context, tx storage.Tx, plan *resolution) error {
	t.moment, t.replies, t.results, t.reads = tx.Now(), make([]reply, len(t.entries)), make([]Result, 0, len(t.entries)), new(reads)
	for step := range lastStep + 1 {
		for _, e := range t.entries {
			if e.step() != step {
				continue
			}
			if err := t.perform(ctx, tx, plan, e); err != nil {
				return at(e.index, failure("", e.key, err))
			}
		}
		if step == lastStep-1 {
			if err := t.checkIntegrity(ctx, tx, plan); err != nil {
				return err
			}
		}
	}
	return nil
}

// perform performs one entry.
func (t *transaction) perform(ctx context.Context, tx storage.Tx, plan *resolution, e *bundleEntry) (err error) {
	var res Result
	key := plan.keys[e.index]
	switch e.Code {
	case CodeDelete:
		if e.cond != nil {
			return t.removeAll(ctx, tx, plan.removed[e.index], e)
		}
		res, err = t.remove(ctx, tx, key, e.Conditions)
	case CodeCreate:
		if plan.matched[e.index] {
			res.Action = Unchanged
			res.Record, err = tx.Get(ctx, key)
		} else {
			res, err = t.putNew(ctx, tx, key, e.draft)
		}
	case CodeUpdate:
		res, err = t.put(ctx, tx, key, e.draft, http.MethodPut, e.Conditions)
	case CodePatch:
		res, err = t.patchIn(ctx, tx, key, e)
	default:
		if !e.read() {
			return fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, fhir.IDEntryOperation, "an operation that changes something cannot be in a transaction; send it by itself or in a batch")
		}
		ctx, cancel := t.limited(ctx, &e.Request)
		defer cancel()
		out, err := t.reads.perform(t.Service, func() (Response, error) { return t.readIn(ctx, tx, &e.Request) })
		t.replies[e.index] = e.replied(out)
		return err
	}
	if err != nil {
		return err
	}
	if t.replies[e.index], err = t.replied(e, res); err != nil {
		return err
	}
	res.Record.Body = nil
	t.results = append(t.results, res)
	return nil
}

// removeAll deletes what a conditional delete has found.
func (t *transaction) removeAll(ctx context.Context, tx storage.Tx, keys []fhir.Key, e *bundleEntry) error {
	for _, key := range keys {
		res, err := t.remove(ctx, tx, key, e.Conditions)
		if err != nil {
			return err
		}
		t.results = append(t.results, res)
	}
	t.replies[e.index] = e.replied(deleted(&e.Request))
	return nil
}

// patchIn patches key inside of tx, where the current version can't change any more.
func (t *transaction) patchIn(ctx context.Context, tx storage.Tx, key fhir.Key, e *bundleEntry) (Result, error) {
	cur, err := t.patchable(ctx, tx, key)
	if err != nil {
		return Result{}, err
	}
	if err := e.Conditions.check(cur, false); err != nil {
		return Result{}, err
	}
	d, err := t.patched(e.patch, cur)
	if err == nil && e.cond != nil {
		err = guardConditions(ctx, tx, e.cond.guards(d.entries))
	}
	if err != nil {
		return Result{}, err
	}
	return t.put(ctx, tx, key, d, http.MethodPatch, Conditions{})
}

// checkIntegrity checks the references of all that the transaction has written, and to all that it has deleted.
func (t *transaction) checkIntegrity(ctx context.Context, tx storage.Tx, plan *resolution) error {
	if !t.opt.ReferentialIntegrity {
		return nil
	}
	if err := t.guardIntegrity(ctx, tx, plan); err != nil {
		return err
	}
	for _, e := range t.entries {
		if e.draft != nil && !plan.matched[e.index] {
			if err := t.referencesLead(ctx, tx, e.draft.resource); err != nil {
				return at(e.index, err)
			}
		}
		for _, key := range plan.deleted(e) {
			if err := t.noReferrers(ctx, tx, key); err != nil {
				return at(e.index, err)
			}
		}
	}
	return nil
}

// guardIntegrity makes what checkIntegrity finds hold until tx commits.
func (t *transaction) guardIntegrity(ctx context.Context, tx storage.Tx, plan *resolution) error {
	var referred, deleted []fhir.Key
	written := make(map[fhir.Key]bool, len(t.results)) // by this Update, and so no other can delete it
	for _, res := range t.results {
		written[res.Record.Key] = res.Action != Unchanged
	}
	for _, e := range t.entries {
		if e.draft != nil && !plan.matched[e.index] {
			referred = append(referred, t.targets(e.draft.resource, written)...)
		}
		deleted = append(deleted, plan.deleted(e)...)
	}
	return t.guardTargets(ctx, tx, referred, deleted)
}
