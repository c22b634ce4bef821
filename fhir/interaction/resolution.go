package interaction

import (
	"context"
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
func (t *transaction) findCandidates() error {
	if err := failures(t.entries); err != nil {
		return err
	}
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
		return nil
	}
	t.candidates = make(map[int][]search.Entry)
	for _, e := range t.entries {
		if (e.method == http.MethodPost || e.method == http.MethodPut) && types[e.url.typ] {
			d, err := t.extract(e.resource, nil)
			if err != nil {
				e.err = err
				continue
			}
			t.candidates[e.index] = d.entries
		}
	}
	return failures(t.entries)
}

// resolve looks up what the conditions find in r, which is not asked where there are none.
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
		if err != nil {
			return nil, at(e.index, err)
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
		if err := t.resolveEntry(ctx, r, p, e, gone); err != nil {
			return nil, at(e.index, err)
		}
	}
	if err := t.checkIdentities(p); err != nil {
		return nil, err
	}
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
		p.keys[e.index], err = conditionalKey(ctx, r, e.url.typ, e.resource, found, e.key.ID)
	case http.MethodPatch:
		if p.keys[e.index] = found; found.ID == "" {
			err = fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, "not-found", "the condition finds no resource")
		}
	}
	return err
}

// checkIdentities refuses two writes to one resource, of which one at least is conditional: two that found the same, a conditional update
// that means what another entry creates, and two conditional creates of the same.
func (t *transaction) checkIdentities(p *resolution) error {
	keys := make(map[fhir.Key]int, len(t.entries))
	conditions := make(map[string]int)
	for _, e := range t.entries {
		if !e.writes() || p.matched[e.index] {
			continue
		}
		for _, key := range append(p.removed[e.index], p.keys[e.index]) {
			if key == (fhir.Key{}) {
				continue
			}
			if first, twice := keys[key]; twice {
				return at(e.index, errDuplicateEntry(first))
			}
			keys[key] = e.index
		}
		if e.cond == nil || e.method == http.MethodDelete {
			continue
		}
		if first, twice := conditions[e.cond.name]; twice {
			return at(e.index, errDuplicateEntry(first))
		}
		conditions[e.cond.name] = e.index
		if e.method != http.MethodPut {
			continue
		}
		for _, i := range slices.Sorted(maps.Keys(t.candidates)) {
			if other := t.entries[i]; other.method == http.MethodPost && !p.matched[i] && other.url.typ == e.url.typ &&
				search.Match(e.cond.query.Where, p.keys[i], t.candidates[i], nil) {
				return at(e.index, errDuplicateEntry(i))
			}
		}
	}
	return nil
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
	for _, e := range t.entries {
		for _, m := range e.mentions {
			if m.kind != mentionCondition {
				continue
			}
			if _, done := p.references[m.rest]; done {
				continue
			}
			cond := t.references[m.rest]
			found, err := cond.find(ctx, r, 2, hidden)
			if err != nil {
				return at(e.index, err)
			}
			for i, entries := range t.candidates {
				if t.entries[i].url.typ == cond.typ && !p.matched[i] && search.Match(cond.query.Where, p.keys[i], entries, nil) {
					found = append(found, p.keys[i])
				}
			}
			if len(found) != 1 {
				return at(e.index, errConditionalReference(len(found), m.node.Path()))
			}
			p.references[m.rest] = found[0]
		}
	}
	return nil
}

func errConditionalReference(found int, expression string) error {
	e := &fhir.Error{Kind: fhir.KindPrecondition, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueMultiple, ID: "conditional-reference",
		Text: "the conditional reference finds several resources and must find one", Expression: expression}}}
	if found == 0 {
		e.Kind, e.Issues[0].Code = fhir.KindUnprocessable, fhir.IssueNotFound
		e.Issues[0].Text = "the conditional reference finds no resource and must find one"
	}
	return e
}
