package terminology

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// The resource types that terminology reads.
const (
	valueSetType   = "ValueSet"
	codeSystemType = "CodeSystem"
)

// Terminology is that of the definitions and of the resources that a store holds. It remembers what it worked out of stored resources, as
// immutable values beside the versions that they were worked out of. All methods may be called at the same time.
type Terminology struct {
	registry *definition.Registry
	kept     kept
}

// New returns the Terminology of the definitions, to which the Source of a Snapshot adds what is stored.
func New(registry *definition.Registry) *Terminology { return &Terminology{registry: registry} }

// Source is one state of a store. It is used by one goroutine at a time, and must not change while a Snapshot of it is in use.
type Source interface {
	// Find returns the rows of a query. Snapshots ask for the resources that canonicals name.
	search.Finder
	// Current returns the current version of a resource; the zero Version where there is none.
	Current(ctx context.Context, key fhir.Key) (Version, error)
	// Read returns the content of a current version.
	Read(ctx context.Context, key fhir.Key) (fhir.Resource, error)
	// Unsaved reports whether a version that Current or Find returned may never be stored, because the state is that of a write that has not
	// ended. Nothing is remembered of it.
	Unsaved(v Version) bool
}

// Version names a version of a resource.
type Version struct {
	Key     fhir.Key
	Version int64
	Updated int64 // microseconds since 1970
}

// versionOf returns the Version that a row stands for.
func versionOf(row search.Row) Version { return Version{row.Key, row.Version, row.Updated.UnixMicro()} }

// Snapshot is the terminology of one state of the store: its ValueSets and CodeSystems come before those of the definitions. It is a
// search.Terminology. It is for one goroutine and as long as its Source holds. Where the Source fails, the error is kept in Err, because the
// methods have none.
type Snapshot struct {
	ctx      context.Context
	of       *Terminology
	source   Source
	versions map[question]Version // the answers of the source to all that it was asked
	asked    map[question]Version // those on which what is being worked out depends
	err      error
}

// At returns the terminology of a state of the store.
func (t *Terminology) At(ctx context.Context, source Source) *Snapshot {
	return &Snapshot{ctx: ctx, of: t, source: source}
}

// Err returns the first error of the Source.
func (s *Snapshot) Err() error { return s.err }

func (s *Snapshot) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// stored returns the stored resource of a type by its canonical, with or without a version, or by "Type/id". Of several that a canonical names
// it is the one written last.
func (s *Snapshot) stored(typ, canonical string) (fhir.Resource, bool) {
	key := s.version(question{typ, canonical}).Key
	if s.err != nil || key == (fhir.Key{}) {
		return fhir.Resource{}, false
	}
	r, err := s.source.Read(s.ctx, key)
	s.fail(err)
	return r, err == nil
}

// question is a question to the store: which resource of a type has this canonical, or is this "Type/id"?
type question struct{ typ, name string }

// begin makes the maps, which most searches do not need.
func (s *Snapshot) begin() {
	if s.asked == nil {
		s.asked, s.versions = make(map[question]Version), make(map[question]Version)
	}
}

// version returns the version that answers q, the zero Version where there is none, and notes that it was asked.
func (s *Snapshot) version(q question) Version {
	s.begin()
	s.look(func(yield func(question) bool) { yield(q) })
	v := s.versions[q]
	s.asked[q] = v
	return v
}

// answersAs reports whether the source answers all questions as they were answered then.
func (s *Snapshot) answersAs(then map[question]Version) bool {
	s.look(maps.Keys(then))
	for q, v := range then {
		if s.versions[q] != v {
			return false
		}
	}
	return s.err == nil
}

// unsaved reports whether one of the versions may never be stored.
func (s *Snapshot) unsaved(versions map[question]Version) bool {
	for _, v := range versions {
		if v != (Version{}) && s.source.Unsaved(v) {
			return true
		}
	}
	return false
}

// look puts the answers to questions into s.versions, by one search for all canonicals of a type. Of several resources that a canonical names
// the answer is the one written last.
func (s *Snapshot) look(questions iter.Seq[question]) {
	canonicals := make(map[string][]string)
	for q := range questions {
		if _, known := s.versions[q]; known || s.err != nil {
			continue
		}
		id, ok := strings.CutPrefix(q.name, q.typ+"/")
		if !ok {
			canonicals[q.typ] = append(canonicals[q.typ], q.name)
			continue
		}
		v, err := s.source.Current(s.ctx, fhir.Key{Type: q.typ, ID: id})
		s.fail(err)
		s.versions[q] = v
	}
	for typ, names := range canonicals {
		named, err := search.NewCanonicals(s.ctx, s.source).Resolve([]string{typ}, names)
		s.fail(err)
		for _, name := range names {
			var v Version
			if rows := named[name]; len(rows) > 0 {
				v = versionOf(slices.MaxFunc(rows, func(a, b search.Row) int { return a.Updated.Compare(b.Updated) }))
			}
			s.versions[question{typ, name}] = v
		}
	}
}
