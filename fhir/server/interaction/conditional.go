package interaction

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// condition is the search of a conditional interaction (R4 http, 3.1.0.6.2, 3.1.0.7.1 and 3.1.0.8.1).
type condition struct {
	service *Service
	typ     string
	pairs   []search.Pair
	query   search.Query
	// open is set where what the parameters mean depends on what is stored: value sets, code systems, the resources that canonicals name, and the
	// SearchParameters that any gateway may write. query is then that of the view which find was given last.
	open bool
	// name is the same for equal conditions however their parameters are ordered and spelled (see guard.go); of open ones, however they are escaped.
	name string
}

// parseCondition reads the query of a conditional interaction on typ. It must restrict what it finds: a condition without parameters, or
// with parameters that shape the result of a search, is refused wherever it stands: in a URL, in If-None-Exist or in a reference.
func (s *Service) parseCondition(ctx context.Context, typ, query string) (*condition, error) {
	if err := s.knownType(typ); err != nil {
		return nil, err
	}
	pairs, err := search.ReadQuery(query)
	if err != nil {
		return nil, err
	}
	c := &condition{service: s, typ: typ, pairs: pairs, query: search.Query{Types: []string{typ}}, name: "condition " + typ + "?" + normalQuery(query)}
	empty := &emptyStore{}
	ids := search.NewCanonicals(ctx, viewed{s.clients})
	known := s.custom.Generation()
	req, issues, err := s.parameters.Parse([]string{typ}, pairs, search.ParseOptions{
		Deciding: true, Terminology: empty, Canonicals: search.NewCanonicals(ctx, empty), IDs: ids, Base: baseIn(ctx)})
	if ids.Err() != nil {
		return nil, ids.Err()
	}
	if c.query.Where = req.Where; empty.asked || !s.custom.Certain(known, dependsOnCustom(req, issues, err)) {
		c.open = true
		err = s.clients.View(ctx, func(r storage.Reader) error { return c.read(ctx, r, true) })
	}
	if err != nil {
		return nil, err
	}
	if !c.open {
		c.name = "condition " + typ + " " + nameOf(c.query.Where)
	}
	if c.query.Where == nil {
		return nil, fhir.NewError(fhir.KindPrecondition, fhir.IssueInvalid, fhir.IDEmptyCondition, "a condition has at least one search parameter")
	}
	if err := s.decidable(ctx, cmp.Or(s.opt.await, awaitFor), c.query); err != nil {
		return nil, err
	}
	return c, nil
}

// read makes the query say what the parameters mean in a view; ids also asks of ids that stand alone whether they are those of several resources.
func (c *condition) read(ctx context.Context, r storage.Reader, ids bool) error {
	req, _, err := c.service.parse(ctx, &lookedUp{reader: r}, c.query.Types, c.pairs, ids, search.ParseOptions{Deciding: true})
	c.query.Where = req.Where
	return err
}

// viewed is the search.Finder of a store's current state.
type viewed struct{ store storage.Store }

// Find implements search.Finder.
func (v viewed) Find(ctx context.Context, q search.Query) (rows []search.Row, err error) {
	err = v.store.View(ctx, func(r storage.Reader) error {
		rows, err = r.Find(ctx, q)
		return err
	})
	return rows, err
}

// emptyStore is the search.Terminology and search.Finder of a store that holds nothing. It tells whether it was asked.
type emptyStore struct{ asked bool }

// Find implements search.Finder.
func (e *emptyStore) Find(context.Context, search.Query) ([]search.Row, error) {
	e.asked = true
	return nil, nil
}

// Expand implements search.Terminology.
func (e *emptyStore) Expand(string) (iter.Seq2[string, string], bool) {
	e.asked = true
	return func(func(string, string) bool) {}, true
}

// Descendants implements search.Terminology.
func (e *emptyStore) Descendants(string, string) (iter.Seq[string], bool) {
	e.asked = true
	return func(func(string) bool) {}, true
}

// Ancestors implements search.Terminology.
func (e *emptyStore) Ancestors(system, code string) (iter.Seq[string], bool) {
	return e.Descendants(system, code)
}

// normalQuery returns a query with its parameters sorted and escaped in one way.
func normalQuery(query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return query
	}
	for _, v := range values {
		slices.Sort(v)
	}
	return values.Encode()
}

// lock makes the Update, which writes d, conflict with every other one that depends on the same condition (see guard.go), and returns the one
// match; the zero Key for none. Several are KindPrecondition.
func (c *condition) lock(ctx context.Context, tx storage.Tx, d *draft) (fhir.Key, error) {
	if err := guardConditions(ctx, tx, c.guards(d.entries)); err != nil {
		return fhir.Key{}, err
	}
	return c.one(ctx, tx, nil)
}

// one returns the one match that is not without; the zero Key for none. Several are KindPrecondition.
func (c *condition) one(ctx context.Context, r storage.Reader, without map[fhir.Key]bool) (fhir.Key, error) {
	found, err := c.find(ctx, r, 2, without)
	if err != nil || len(found) == 0 {
		return fhir.Key{}, err
	}
	if len(found) > 1 {
		return fhir.Key{}, errSeveral()
	}
	return found[0], nil
}

// find returns the matches that are not in without, at most limit.
func (c *condition) find(ctx context.Context, r storage.Reader, limit int, without map[fhir.Key]bool) ([]fhir.Key, error) {
	if c.open {
		if err := c.read(ctx, r, false); err != nil {
			return nil, err
		}
	}
	if err := c.service.decidable(ctx, 0, c.query); err != nil {
		return nil, err
	}
	q := c.query
	q.Limit = limit + len(without)
	rows, err := r.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	var keys []fhir.Key
	for i := range rows {
		if !without[rows[i].Key] && len(keys) < limit {
			keys = append(keys, rows[i].Key)
		}
	}
	return keys, nil
}

func errSeveral() error {
	return fhir.NewError(fhir.KindPrecondition, fhir.IssueMultiple, fhir.IDMultipleMatches, "the condition finds several resources and must find one at most")
}

// UpdateConditional updates the resource that query finds, or creates one where it finds none: under the body's id if it has one, else
// under an id that the server chooses (R4 http, 3.1.0.6.2 Conditional update). Several matches are KindPrecondition; a body with another id
// than the match's is KindInvalid, and one with the id of a resource that the query does not find KindConflict: R4 calls this an update as create,
// which makes what does not exist, and R5 says that the server rejects it.
func (s *Service) UpdateConditional(ctx context.Context, typ string, r fhir.Resource, query string, c Conditions) (Result, error) {
	const op = "update"
	cond, err := s.parseCondition(ctx, typ, query)
	if err != nil {
		return Result{}, failure(op, fhir.Key{Type: typ}, err)
	}
	if err := s.checkWritable(CodeUpdate, fhir.Key{Type: typ}, r); err != nil {
		return Result{}, failure(op, fhir.Key{Type: typ}, err)
	}
	d, err := s.prepareResolved(ctx, r)
	if err != nil {
		return Result{}, failure(op, fhir.Key{Type: typ}, err)
	}
	fresh := s.ids.next()
	var res Result
	err = s.update(ctx, func(tx storage.Tx) error {
		found, err := cond.lock(ctx, tx, d)
		if err != nil {
			return err
		}
		key, err := conditionalKey(ctx, tx, typ, r, found, fresh)
		if err != nil {
			return err
		}
		if res, err = s.put(ctx, tx, key, d, http.MethodPut, c); err != nil {
			return err
		}
		return s.checkReferences(ctx, tx, d.resource)
	})
	return s.finish(ctx, op, fhir.Key{Type: typ}, res, err)
}

// conditionalKey returns the key that a conditional update of typ to r writes, given what its condition found.
func conditionalKey(ctx context.Context, reader storage.Reader, typ string, r fhir.Resource, found fhir.Key, fresh string) (fhir.Key, error) {
	id, err := bodyID(r)
	switch {
	case err != nil:
		return fhir.Key{}, err
	case found.ID != "" && id != "" && id != found.ID:
		return fhir.Key{}, errBodyID(fhir.IDIDMismatch, typ, "the body's id is not that of the resource which the condition finds")
	case found.ID != "":
		return found, nil
	case id == "":
		return fhir.Key{Type: typ, ID: fresh}, nil
	}
	key := fhir.Key{Type: typ, ID: id}
	cur, err := current(ctx, reader, key)
	if exists(cur) {
		err = &fhir.Error{Kind: fhir.KindConflict, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueConflict, ID: fhir.IDIDExists,
			Text: "the condition finds nothing, and the body's id is that of another resource", Expression: typ + ".id"}}}
	}
	return key, err
}

// DeleteConditional deletes what query finds: one resource, or with Options.MultipleDelete up to MaxDeletes (R4 http, 3.1.0.7.1
// Conditional delete). It returns a Result for each; none where nothing is found.
func (s *Service) DeleteConditional(ctx context.Context, typ string, query string, c Conditions) ([]Result, error) {
	const op = "delete"
	cond, err := s.parseCondition(ctx, typ, query)
	if err != nil {
		return nil, failure(op, fhir.Key{Type: typ}, err)
	}
	var out []Result
	err = s.update(ctx, func(tx storage.Tx) error {
		out = nil
		if err := guardConditions(ctx, tx, cond.guards(nil)); err != nil {
			return err
		}
		keys, err := s.deletions(ctx, tx, cond)
		if err != nil {
			return err
		}
		for _, key := range keys {
			res, err := s.remove(ctx, tx, key, c)
			if err != nil {
				return err
			}
			out = append(out, res)
		}
		return s.checkReferrers(ctx, tx, keys...)
	})
	if err != nil {
		return nil, failure(op, fhir.Key{Type: typ}, err)
	}
	s.wrote(ctx, out...)
	return out, nil
}

// deletions returns what a conditional delete deletes.
func (s *Service) deletions(ctx context.Context, r storage.Reader, cond *condition) ([]fhir.Key, error) {
	if !s.opt.MultipleDelete {
		found, err := cond.one(ctx, r, nil)
		if err != nil || found.ID == "" {
			return nil, err
		}
		return []fhir.Key{found}, nil
	}
	keys, err := cond.find(ctx, r, s.opt.MaxDeletes+1, nil)
	if err == nil && len(keys) > s.opt.MaxDeletes {
		return nil, fhir.NewError(fhir.KindPrecondition, fhir.IssueTooCostly, fhir.IDTooManyMatches,
			fmt.Sprintf("the condition finds more than the %d resources that one request may delete", s.opt.MaxDeletes))
	}
	return keys, err
}

// cutQuery splits "Patient?identifier=x" into type and query.
func cutQuery(reference string) (typ, query string) {
	typ, query, _ = strings.Cut(reference, "?")
	return typ, query
}
