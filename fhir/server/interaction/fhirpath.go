package interaction

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/terminology"
	"github.com/fhirgate/fhirgate/storage"
)

// The bounds of what one Knowledge may look up and read.
const (
	maxLookUps   = 1_000
	maxKnowBytes = 16 << 20
)

// Knowledge answers what an expression asks beyond the resource it is evaluated on, from the store and, behind it, the definitions: a
// fhirpath.Resolver and fhirpath.Terminology. It is for one evaluation and one goroutine. It sees what the request sees: in a transaction also what the
// transaction has written, and nothing that is hidden from the client. Outside a transaction each look-up is a View of its own, so that nothing of the
// store is held while an expression runs. What was found once is not looked up again. Past its bounds it is an error of the issue id
// fhirpath-limit.
type Knowledge struct {
	service  *Service
	lookUps  int
	bytes    int
	resolved map[string]fhir.Resource
	sets     map[string]*terminology.Members
	err      error
}

// Knowledge returns one that has looked up nothing yet.
func (s *Service) Knowledge() *Knowledge {
	return &Knowledge{service: s, resolved: make(map[string]fhir.Resource), sets: make(map[string]*terminology.Members)}
}

// Err returns the error that an evaluation was ended with, as it is: evaluations wrap it.
func (k *Knowledge) Err() error { return k.err }

// view runs f with the Reader of the request, or in a View, if there may be one more look-up.
func (k *Knowledge) view(ctx context.Context, f func(storage.Reader) error) error {
	if k.lookUps++; k.lookUps > maxLookUps {
		k.err = errLimit(fmt.Sprintf("an expression looks up at most %d resources and value sets", maxLookUps))
	} else if err := k.service.reading(ctx, f); err != nil {
		k.err = failure("fhirpath", fhir.Key{}, err)
	}
	return k.err
}

func errLimit(text string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDFHIRPathLimit, text)
}

// Resolve implements fhirpath.Resolver: a local reference is the current version of a resource or the one that it names, anything else a
// canonical, which stored resources have before the definitions of R4.
func (k *Knowledge) Resolve(ctx context.Context, _ fhir.Resource, url string) (fhir.Resource, bool, error) {
	if r, ok := k.resolved[url]; ok {
		return r, r.Valid(), nil
	}
	var rec storage.Record
	err := k.view(ctx, func(r storage.Reader) (err error) {
		rec, err = k.find(ctx, r, url)
		return err
	})
	if err != nil {
		return fhir.Resource{}, false, err
	}
	var found fhir.Resource
	if exists(rec) {
		if k.bytes += len(rec.Body); k.bytes > maxKnowBytes {
			k.err = errLimit(fmt.Sprintf("an expression resolves at most %d bytes of resources", maxKnowBytes))
			return found, false, k.err
		}
		if found, err = fhir.ParseResource(rec.Body, fhir.Limits{}); err != nil {
			k.err = failure("fhirpath", rec.Key, err)
			return found, false, k.err
		}
	} else if published, ok := k.service.registry.Definition(url); ok {
		found = published
	}
	k.resolved[url] = found
	return found, found.Valid(), nil
}

// find returns what a reference or canonical points to in the store; a Record that does not exist where there is nothing.
func (k *Knowledge) find(ctx context.Context, r storage.Reader, url string) (storage.Record, error) {
	if key, ok := k.service.parameters.Local(url); ok {
		if _, version, ok := strings.Cut(url, "/_history/"); ok {
			n, _ := parseVersion(version)
			rec, err := r.GetVersion(ctx, key, n)
			if isNotFound(err) {
				err = nil
			}
			return rec, err
		}
		rec, err := current(ctx, r, key)
		if err != nil || exists(rec) {
			return rec, err
		}
	}
	if !strings.Contains(url, ":") {
		return storage.Record{}, nil
	}
	url, _, _ = strings.Cut(url, "#")
	types := slices.DeleteFunc(slices.Clone(k.service.registry.ResourceTypes()), func(t string) bool { return !k.service.parameters.Nameable(t) })
	named, err := search.NewCanonicals(ctx, r).Resolve(types, []string{url})
	if rows := named[url]; err == nil && len(rows) > 0 {
		return current(ctx, r, slices.MaxFunc(rows, func(a, b search.Row) int { return a.Updated.Compare(b.Updated) }).Key)
	}
	return storage.Record{}, err
}

// MemberOf implements fhirpath.Terminology: stored value sets come before those of R4.
func (k *Knowledge) MemberOf(ctx context.Context, codes iter.Seq[fhirpath.Code], valueSet string) (member, known bool, err error) {
	m, err := k.members(ctx, valueSet)
	if err != nil {
		return false, false, err
	}
	known = true
	for c := range codes {
		member, ok := m.Contains(c.System, c.Code)
		if member {
			return true, true, nil
		}
		known = known && ok
	}
	return false, known, nil
}

// members returns the members of a value set.
func (k *Knowledge) members(ctx context.Context, valueSet string) (*terminology.Members, error) {
	if m, ok := k.sets[valueSet]; ok {
		return m, nil
	}
	var m *terminology.Members
	err := k.view(ctx, func(r storage.Reader) error {
		t := k.service.terminologyOf(ctx, r)
		m = t.Members(valueSet)
		return t.Err()
	})
	if err != nil {
		return nil, err
	}
	k.sets[valueSet] = m
	return m, nil
}

// Subsumes implements fhirpath.Terminology: the hierarchy of a stored CodeSystem comes before that of R4.
func (k *Knowledge) Subsumes(ctx context.Context, a, b fhirpath.Code) (subsumes, known bool, err error) {
	if a == b {
		return true, true, nil
	}
	if a.System != b.System || a.System == "" {
		return false, false, nil
	}
	err = k.view(ctx, func(r storage.Reader) error {
		t := k.service.terminologyOf(ctx, r)
		subsumes, known = t.Subsumes(a.System, a.Code, b.Code)
		return t.Err()
	})
	return subsumes, known && err == nil, err
}
