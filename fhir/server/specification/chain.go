package specification

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Chains and _has between the site's resources and definitions. An engine follows references among what it stores. What a condition asks of definitions
// is found here, and stands in the condition of the site's query as their ids; what the site's resources refer to stands as ids in that of the
// definitions. Definitions themselves refer to nothing by type and id, but by canonicals, which a search has resolved before it comes here.

// maxFollowed bounds how many definitions a chain leads to, and how many of the site's resources one _has of definitions looks at.
const maxFollowed = 1000

func tooMany(what string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDSearchTooCostly, fmt.Sprintf("%s more than %d resources; state a narrower condition", what, maxFollowed))
}

// ofSite returns q as the site's Reader is asked it: chains that lead to definitions lead to the ids of those that match, too.
func (r *reader) ofSite(ctx context.Context, q search.Query) (search.Query, error) {
	if !r.joined || !follows(q.Where) {
		return q, nil
	}
	where, err := r.follow(ctx, q.Where)
	q.Where = where
	return q, err
}

// follow adds to the chains of a condition the definitions that they lead to.
func (r *reader) follow(ctx context.Context, e search.Expr) (search.Expr, error) {
	return rewritten(e, func(e search.Expr) (search.Expr, error) {
		switch e := e.(type) {
		case search.Refers:
			where, err := r.follow(ctx, e.Where)
			if err != nil {
				return nil, err
			}
			to, err := r.referring(ctx, e.Param, e.Target, e.Where)
			e.Where = where
			if len(to) == 0 {
				return e, err
			}
			return append(to, e), err
		case search.Referred:
			where, err := r.follow(ctx, e.Where)
			e.Where = where
			return e, err
		case search.Within:
			where, err := r.follow(ctx, e.Where)
			e.Where = where
			return e, err
		}
		return e, nil
	})
}

// referring returns the conditions that a parameter refers to one of the definitions of a type that match.
func (r *reader) referring(ctx context.Context, param, target string, where search.Expr) (search.Or, error) {
	if r.spec.shelves[target] == nil {
		return nil, nil
	}
	rows, _, err := r.rows(ctx, search.Query{Types: []string{target}, Where: where, Limit: maxFollowed + 1})
	if err != nil {
		return nil, err
	}
	if len(rows) > maxFollowed {
		return nil, tooMany("a chain leads to")
	}
	or := make(search.Or, 0, len(rows)+1)
	for _, row := range rows {
		or = append(or, search.Some{Param: param, Where: []search.Comparison{{Field: search.Type, Op: search.Eq, Value: target}, {Field: search.ID, Op: search.Eq, Value: row.Key.ID}}})
	}
	return or, nil
}

// ofDefinitions returns a condition as definitions of a type are asked it: in place of each _has are the ids that the site's resources refer to.
func (r *reader) ofDefinitions(ctx context.Context, typ string, e search.Expr) (search.Expr, error) {
	if !r.joined || !follows(e) {
		return e, nil
	}
	return rewritten(e, func(e search.Expr) (search.Expr, error) {
		has, ok := e.(search.Referred)
		if !ok {
			return e, nil
		}
		where, err := r.follow(ctx, has.Where)
		if err != nil {
			return nil, err
		}
		q := search.Query{Types: []string{has.Source}, Limit: maxFollowed + 1,
			Where: search.And{search.Some{Param: has.Param, Where: []search.Comparison{{Field: search.Type, Op: search.Eq, Value: typ}}}}}
		if where != nil {
			q.Where = append(q.Where.(search.And), where)
		}
		rows, err := r.Reader.Find(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(rows) > maxFollowed {
			return nil, tooMany("_has looks at")
		}
		return r.referredTo(ctx, rows, has.Param, typ)
	})
}

// referredTo returns the condition that resources of a type are referred to by a parameter of the site's rows.
func (r *reader) referredTo(ctx context.Context, rows []search.Row, param, typ string) (search.Expr, error) {
	keys := make([]fhir.Key, len(rows))
	for i := range rows {
		keys[i] = rows[i].Key
	}
	var in search.KeyIn
	for len(keys) > 0 {
		n := min(100, len(keys))
		recs, err := r.Reader.GetMany(ctx, keys[:n])
		if err != nil {
			return nil, err
		}
		keys = keys[n:]
		for _, rec := range recs {
			entries, err := r.entries(rec)
			if err != nil {
				return nil, err
			}
			for i := range entries {
				if e := &entries[i]; e.Param == param && e.Type == typ && e.ID != "" {
					in.IDs = append(in.IDs, e.ID)
				}
			}
		}
	}
	return in, nil
}

// entries returns what a resource of the site is found by; nothing where it is gone.
func (r *reader) entries(rec storage.Record) ([]search.Entry, error) {
	if rec.Version == 0 {
		return nil, nil
	}
	return r.spec.opt.Entries(rec)
}

// rewritten returns a condition whose leaves are what f makes of them.
func rewritten(e search.Expr, f func(search.Expr) (search.Expr, error)) (search.Expr, error) {
	all := func(list []search.Expr) ([]search.Expr, error) {
		out := make([]search.Expr, len(list))
		for i, one := range list {
			var err error
			if out[i], err = rewritten(one, f); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	switch e := e.(type) {
	case search.And:
		list, err := all(e)
		return search.And(list), err
	case search.Or:
		list, err := all(e)
		return search.Or(list), err
	case search.Not:
		inner, err := rewritten(e.Expr, f)
		return search.Not{Expr: inner}, err
	}
	return f(e)
}

// follows reports whether a condition has chains, _has or held resources.
func follows(e search.Expr) bool {
	switch e := e.(type) {
	case search.And:
		return slices.ContainsFunc(e, follows)
	case search.Or:
		return slices.ContainsFunc(e, follows)
	case search.Not:
		return follows(e.Expr)
	case search.Refers, search.Referred, search.Within:
		return true
	}
	return false
}

// alone is the search.Lookup of definitions by themselves, which refer to nothing by type and id.
type alone struct{}

// Entries implements search.Lookup.
func (alone) Entries(fhir.Key) ([]search.Entry, bool) { return nil, false }

// Resources implements search.Lookup.
func (alone) Resources(string) iter.Seq2[fhir.Key, []search.Entry] {
	return func(func(fhir.Key, []search.Entry) bool) {}
}
