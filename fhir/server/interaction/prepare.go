package interaction

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/validation"
)

// draft is a resource that is ready to be written: it is valid, and what it is found by is known. Drafts are made outside of any Update
// and are not changed by it but for their entries, since an Update may run more than once.
type draft struct {
	resource fhir.Resource
	// entries are those of the content; stamp adds what depends on the version. generation is that of the search parameters which they were made
	// with. An Update that finds others makes them anew, once for all of its runs.
	entries    []search.Entry
	generation uint64
	// issues are warnings.
	issues []fhir.Issue
}

// prepare checks that the content of r, which is writable, may be stored, and extracts its entries.
func (s *Service) prepare(r fhir.Resource) (*draft, error) {
	if err := s.custom.Check(r); err != nil {
		return nil, err
	}
	issues := s.validate(r)
	if fhir.HasErrors(issues) {
		return nil, errInvalidResource(issues)
	}
	return s.extract(r, issues)
}

// validate returns the faults of r that the site's level of validation finds, which above Off include those of its references.
func (s *Service) validate(r fhir.Resource) []fhir.Issue {
	if s.validator == nil || s.opt.Level == validation.Off {
		return s.literalFaults(r)
	}
	return append(bundleFaults(r), s.validator.Validate(r, s.opt.Level)...)
}

// extract makes the draft of a valid resource.
func (s *Service) extract(r fhir.Resource, issues []fhir.Issue) (*draft, error) {
	generation := s.custom.Generation()
	entries, err := s.parameters.Extract(r)
	if err != nil {
		return nil, err
	}
	return &draft{resource: r, entries: entries, generation: generation, issues: issues}, nil
}

func errInvalidResource(issues []fhir.Issue) error {
	return &fhir.Error{Kind: fhir.KindUnprocessable, Issues: issues}
}

// write stores d as the version of key that follows before, which is deleted or has Version 0 where d brings the resource into being. A draft that
// was made before a search parameter came or went is extracted again. Where it comes or goes through another gateway afterwards, wrote sees it.
func (s *Service) write(ctx context.Context, tx storage.Tx, d *draft, before storage.Record, key fhir.Key, method string) (storage.Record, error) {
	if s.custom.Outdated(key.Type, d.generation) {
		again, err := s.extract(d.resource, nil)
		if err != nil {
			return storage.Record{}, err
		}
		d.entries, d.generation = again.entries, again.generation
	}
	version := before.Version + 1
	rec := storage.Record{
		Key: key, Version: version, Updated: tx.Now(), Method: method, Revived: before.Deleted,
		Body:    d.resource.Stamp(key.ID, version, tx.Now()),
		Entries: stampEntries(d.entries, version, tx.Now()),
	}
	if err := s.custom.Plan(ctx, tx, key, before, d.resource); err != nil {
		return storage.Record{}, err
	}
	if err := tx.Put(ctx, rec, version-1); err != nil {
		return storage.Record{}, err
	}
	rec.Entries = nil // the engine has them
	return rec, nil
}

// changed is the parameter of an entry that versions after the first have beside _lastUpdated's: when they were made. Later pages of a
// search find by it what was updated since the first, without reading what was created since.
const changed = "_lastUpdated:changed"

// stampEntries returns the entries of a version: those of its content, and those of its time. It may put them behind content in the same
// memory, for which Extract leaves room: one draft is stamped by one Update at a time, and again by each run of it.
func stampEntries(content []search.Entry, version int64, updated time.Time) []search.Entry {
	last := search.LastUpdated(updated)
	all := append(content, last)
	if version > 1 {
		last.Param = changed
		all = append(all, last)
	}
	return all
}

// same reports whether d's content is that of the version cur: equal but for meta.versionId and meta.lastUpdated, and for where resourceType,
// id and meta are among the other members.
func (d *draft) same(cur storage.Record) bool {
	stamped := d.resource.Stamp(cur.Key.ID, cur.Version, cur.Updated)
	if len(stamped) != len(cur.Body) {
		return false
	}
	if bytes.Equal(stamped, cur.Body) {
		return true
	}
	a, err := fhir.ParseResource(stamped, fhir.Limits{})
	if err != nil {
		return false
	}
	b, err := fhir.ParseResource(cur.Body, fhir.Limits{})
	if err != nil {
		return false
	}
	return sameContent(a, b)
}

// sameContent reports whether two resources without white space have the same members: resourceType, id and meta anywhere, the others in one
// order.
func sameContent(a, b fhir.Resource) bool {
	movable := func(n fhir.Node) bool { return n.Name() == "resourceType" || n.Name() == "id" || n.Name() == "meta" }
	content := func(n fhir.Node) fhir.Node {
		for n.Valid() && movable(n) {
			n = n.Next()
		}
		return n
	}
	for n := range a.Children() {
		if movable(n) && !bytes.Equal(n.Raw(), b.Get(n.Name()).Raw()) {
			return false
		}
	}
	x, y := content(a.First()), content(b.First())
	for x.Valid() && y.Valid() {
		if x.Name() != y.Name() || !bytes.Equal(x.Raw(), y.Raw()) {
			return false
		}
		x, y = content(x.Next()), content(y.Next())
	}
	return !x.Valid() && !y.Valid()
}

// current returns the current version of key, a deletion included; a Record with Version 0 where the resource never existed.
func current(ctx context.Context, r storage.Reader, key fhir.Key) (storage.Record, error) {
	rec, err := r.Get(ctx, key)
	if errors.Is(err, storage.ErrDeleted) {
		return rec, nil
	}
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Record{}, nil
	}
	return rec, err
}

// exists reports whether rec is a version that can be read.
func exists(rec storage.Record) bool { return rec.Version > 0 && !rec.Deleted }
