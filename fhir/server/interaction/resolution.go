package interaction

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// resolution says what the entries of a transaction are about, at one moment of the store. All slices are by entry.
type resolution struct {
	keys []fhir.Key
	// matched tells the conditional creates that have found their resource, and so write nothing.
	matched []bool
	// removed is what conditional deletes delete.
	removed [][]fhir.Key
	// references are the answers to conditional references, by their text.
	references map[string]fhir.Key
	// faults are what the conditions and conditional references of entries do not find, or find too often; nil for none.
	faults map[int]error
}

// note notes err as a fault of an entry. What is not the client's fault is returned.
func (p *resolution) note(entry int, err error) error {
	var e *fhir.Error
	if err == nil || !errors.As(err, &e) || !clients(e.Kind) {
		return err
	}
	p.fault(entry, err)
	return nil
}

// fault notes a fault of an entry.
func (p *resolution) fault(entry int, err error) {
	if p.faults == nil {
		p.faults = make(map[int]error)
	}
	p.faults[entry] = join(p.faults[entry], err)
}

// failure returns all faults; nil for none.
func (p *resolution) failure() error {
	var all error
	for _, i := range slices.Sorted(maps.Keys(p.faults)) {
		all = join(all, wholly(at(i, p.faults[i])))
	}
	return all
}

func (p *resolution) equal(o *resolution) bool {
	return slices.Equal(p.keys, o.keys) && slices.Equal(p.matched, o.matched) && maps.Equal(p.references, o.references) &&
		slices.EqualFunc(p.removed, o.removed, slices.Equal)
}

// deleted returns what an entry deletes.
func (p *resolution) deleted(e *bundleEntry) []fhir.Key {
	switch {
	case e.method != http.MethodDelete:
		return nil
	case p.keys[e.index] == (fhir.Key{}):
		return p.removed[e.index]
	}
	return []fhir.Key{p.keys[e.index]}
}

// conditional reports whether the transaction depends on searches.
func (t *transaction) conditional() bool {
	return len(t.references) > 0 || slices.ContainsFunc(t.entries, func(e *bundleEntry) bool { return e.cond != nil })
}

// guard makes the Update conflict with others that depend on the same conditions (see guard.go); what patches make is guarded when they are made.
func (t *transaction) guard(ctx context.Context, tx storage.Tx) error {
	var names []string
	for _, e := range t.entries {
		if e.cond == nil {
			continue
		}
		var written []search.Entry
		if e.draft != nil {
			written = e.draft.entries
		}
		names = append(names, e.cond.guards(written)...)
	}
	return guardConditions(ctx, tx, names)
}

// findCandidates extracts what the Bundle's own resources are found by, where a conditional reference or update may mean one of them.
func (t *transaction) findCandidates() {
	types := make(map[string]bool)
	for _, c := range t.references {
		types[c.typ] = true
	}
	for _, e := range t.entries {
		if e.method == http.MethodPut && e.cond != nil {
			types[e.cond.typ] = true
		}
	}
	if len(types) == 0 {
		return
	}
	t.candidates = make(map[int][]search.Entry)
	for _, e := range t.entries {
		if !e.carries() || !types[e.Key.Type] || e.resource.Type() != e.Key.Type {
			continue
		}
		d, err := t.extract(e.resource, nil)
		if err != nil {
			e.fault(err)
			continue
		}
		t.candidates[e.index] = d.entries
	}
}

// resolve looks up what the conditions find in r, which is not asked where there are none. What they do not find is a fault of the plan.
func (t *transaction) resolve(ctx context.Context, r storage.Reader) (*resolution, error) {
	n := len(t.entries)
	p := &resolution{keys: make([]fhir.Key, n), matched: make([]bool, n), removed: make([][]fhir.Key, n), references: make(map[string]fhir.Key, len(t.references))}
	for _, e := range t.entries {
		p.keys[e.index] = e.key
	}
	if !t.conditional() {
		return p, nil
	}
	gone := make(map[fhir.Key]bool)
	for _, e := range t.entries {
		if e.method != http.MethodDelete {
			continue
		}
		if e.cond == nil {
			gone[e.key] = true
			continue
		}
		p.keys[e.index] = fhir.Key{}
		found, err := t.deletions(ctx, r, e.cond)
		if err := p.note(e.index, err); err != nil {
			return nil, err
		}
		p.removed[e.index] = found
		for _, key := range found {
			gone[key] = true
		}
	}
	for _, e := range t.entries {
		if e.cond == nil || e.method == http.MethodDelete {
			continue
		}
		if err := p.note(e.index, t.resolveEntry(ctx, r, p, e, gone)); err != nil {
			return nil, err
		}
	}
	t.joinCreates(p)
	t.checkIdentities(p)
	return p, t.resolveReferences(ctx, r, p, gone)
}

// resolveEntry looks up the condition of a create, update or patch. A create comes after the deletes and does not find what they delete; an
// update or patch of that is a second write to one resource, and so finds it.
func (t *transaction) resolveEntry(ctx context.Context, r storage.Reader, p *resolution, e *bundleEntry, gone map[fhir.Key]bool) error {
	if e.method != http.MethodPost {
		gone = nil
	}
	found, err := e.cond.one(ctx, r, gone)
	if err != nil {
		return err
	}
	switch e.method {
	case http.MethodPost:
		if found.ID != "" {
			p.keys[e.index], p.matched[e.index] = found, true
		}
	case http.MethodPut:
		p.keys[e.index], err = conditionalKey(ctx, r, e.Key.Type, e.resource, found, e.key.ID)
	case http.MethodPatch:
		if p.keys[e.index] = found; found.ID == "" {
			err = fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotFound, "the condition finds no resource")
		}
	}
	return err
}

// joinCreates lets conditional creates of one condition be one resource: the first one creates it, and the others find it, as they would one after
// the other.
func (t *transaction) joinCreates(p *resolution) {
	first := make(map[string]int)
	for _, e := range t.entries {
		if e.Code != CodeCreate || e.cond == nil || p.matched[e.index] || e.err != nil || p.faults[e.index] != nil {
			continue
		}
		if i, known := first[e.cond.name]; known {
			p.keys[e.index], p.matched[e.index] = p.keys[i], true
		} else {
			first[e.cond.name] = e.index
		}
	}
}

// checkIdentities refuses two writes to one resource, of which one at least is conditional: two that found the same, and a conditional update
// that means what another entry creates.
func (t *transaction) checkIdentities(p *resolution) {
	keys := make(map[fhir.Key]int, len(t.entries))
	conditions := make(map[string]int)
	for _, e := range t.entries {
		if !e.writes() || p.matched[e.index] || e.err != nil || p.faults[e.index] != nil {
			continue
		}
		if first, twice := t.identity(p, e, keys, conditions); twice {
			p.fault(e.index, errDuplicateEntry(first))
		}
	}
}

// identity returns the entry before e, or the create anywhere, that writes what e writes. It notes what e writes in keys and conditions.
func (t *transaction) identity(p *resolution, e *bundleEntry, keys map[fhir.Key]int, conditions map[string]int) (first int, twice bool) {
	for _, key := range append(p.removed[e.index], p.keys[e.index]) {
		if key == (fhir.Key{}) {
			continue
		}
		if first, twice = keys[key]; twice {
			return first, true
		}
		keys[key] = e.index
	}
	if e.cond == nil || e.method == http.MethodDelete {
		return 0, false
	}
	if first, twice = conditions[e.cond.name]; twice {
		return first, true
	}
	conditions[e.cond.name] = e.index
	if e.method != http.MethodPut {
		return 0, false
	}
	for _, i := range slices.Sorted(maps.Keys(t.candidates)) {
		if other := t.entries[i]; other.method == http.MethodPost && !p.matched[i] && other.Key.Type == e.Key.Type &&
			search.Match(e.cond.query.Where, p.keys[i], t.candidates[i], nil) {
			return i, true
		}
	}
	return 0, false
}

// resolveReferences looks up conditional references: in the store, and among what the Bundle itself brings, since R4 resolves them after
// the writes. Exactly one resource must match.
func (t *transaction) resolveReferences(ctx context.Context, r storage.Reader, p *resolution, gone map[fhir.Key]bool) error {
	if len(t.references) == 0 {
		return nil
	}
	hidden := maps.Clone(gone)
	for i := range t.candidates {
		if !p.matched[i] {
			hidden[p.keys[i]] = true
		}
	}
	failed := make(map[string]int) // how many resources those found that did not find one
	for _, e := range t.entries {
		for _, m := range e.mentions {
			cond := t.references[m.rest]
			if _, done := p.references[m.rest]; m.kind != mentionCondition || cond == nil || done {
				continue
			}
			n, asked := failed[m.rest]
			if !asked {
				found, err := cond.find(ctx, r, 2, hidden)
				if err != nil {
					return err
				}
				for i, entries := range t.candidates {
					if t.entries[i].Key.Type == cond.typ && !p.matched[i] && search.Match(cond.query.Where, p.keys[i], entries, nil) {
						found = append(found, p.keys[i])
					}
				}
				if n = len(found); n == 1 {
					p.references[m.rest] = found[0]
					continue
				}
				failed[m.rest] = n
			}
			p.fault(e.index, errConditionalReference(n, m.node.Path()))
		}
	}
	return nil
}

func errConditionalReference(found int, expression string) error {
	e := &fhir.Error{Kind: fhir.KindPrecondition, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueMultiple, ID: fhir.IDConditionalReference,
		Text: "the conditional reference finds several resources and must find one", Expression: expression}}}
	if found == 0 {
		e.Kind, e.Issues[0].Code = fhir.KindUnprocessable, fhir.IssueNotFound
		e.Issues[0].Text = "the conditional reference finds no resource and must find one"
	}
	return e
}
