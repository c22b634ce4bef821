package specification

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// TagSystem and TagCode are the meta.tag of a definition, and Source is its meta.source.
const (
	TagSystem = "urn:fhirgate:tag"
	TagCode   = "definition"
	Source    = "http://hl7.org/fhir/R4"
)

// types are the resource types of the definitions that are shown. The two CapabilityStatements of the specification are examples of what a server
// may state, and no definitions.
var types = []string{"CodeSystem", "CompartmentDefinition", "ConceptMap", "OperationDefinition", "SearchParameter", "StructureDefinition", "ValueSet"}

// released is when R4 4.0.1 was published.
var released = time.Date(2019, 10, 31, 22, 29, 23, 0, time.UTC)

// Options say how definitions are found.
type Options struct {
	Registry *definition.Registry
	// Entries returns what a current version is found by.
	Entries func(storage.Record) ([]search.Entry, error)
	// Generation names the state of the search parameters that Entries follows, and Outdated reports whether entries of a resource type that were
	// made at a generation may differ from those made at this moment.
	Generation func() uint64
	Outdated   func(typ string, generation uint64) bool
}

// Specification holds the definitions of R4 as resources. It is safe for concurrent use.
type Specification struct {
	opt     Options
	urls    func() map[fhir.Key]string // the canonical URLs of the definitions
	shelves map[string]*shelf          // by type
}

// shelf has what the definitions of a type are found by, once a search has asked for it.
type shelf struct {
	mu         sync.Mutex
	content    *content // nil before
	generation uint64
}

// content is that of a shelf. It is not changed.
type content struct {
	books []book // sorted by id
	texts *texts
}

// book is a definition as it is found.
type book struct {
	key     fhir.Key
	updated time.Time
	packed  []byte
}

// New returns the Specification of a registry.
func New(opt Options) *Specification {
	s := &Specification{opt: opt, shelves: make(map[string]*shelf, len(types))}
	for _, typ := range types {
		s.shelves[typ] = &shelf{}
	}
	s.urls = sync.OnceValue(func() map[fhir.Key]string {
		urls := make(map[fhir.Key]string, 5000)
		for key, url := range opt.Registry.Keys() {
			if s.shelves[key.Type] != nil {
				urls[fhir.Key{Type: strings.Clone(key.Type), ID: strings.Clone(key.ID)}] = url
			}
		}
		return urls
	})
	return s
}

// Has reports whether there is a definition of a key.
func (s *Specification) Has(key fhir.Key) bool {
	if s.shelves[key.Type] == nil {
		return false
	}
	_, ok := s.urls()[key]
	return ok
}

// record returns a definition as a version.
func (s *Specification) record(key fhir.Key) (storage.Record, bool) {
	if !s.Has(key) {
		return storage.Record{}, false
	}
	r, ok := s.opt.Registry.Definition(s.urls()[key])
	if !ok {
		return storage.Record{}, false
	}
	body, updated := marked(r)
	return storage.Record{Key: key, Version: 1, Updated: updated, Method: "PUT", Body: body}, true
}

// content returns the definitions of a type with what they are found by at this moment.
func (s *Specification) content(typ string) (*content, error) {
	shelf := s.shelves[typ]
	shelf.mu.Lock()
	defer shelf.mu.Unlock()
	if shelf.content != nil && !s.opt.Outdated(typ, shelf.generation) {
		return shelf.content, nil
	}
	generation := s.opt.Generation()
	var keys []fhir.Key
	for key := range s.urls() {
		if key.Type == typ {
			keys = append(keys, key)
		}
	}
	// In the order of URLs neighbours are unpacked together.
	slices.SortFunc(keys, func(a, b fhir.Key) int { return strings.Compare(s.urls()[a], s.urls()[b]) })
	c := &content{books: make([]book, len(keys)), texts: newTexts()}
	for i, key := range keys {
		rec, _ := s.record(key)
		entries, err := s.opt.Entries(rec)
		if err != nil {
			return nil, err
		}
		c.books[i] = book{key: key, updated: rec.Updated, packed: c.texts.pack(entries)}
	}
	c.texts.list, c.texts.numbers = slices.Clip(c.texts.list), nil
	slices.SortFunc(c.books, func(a, b book) int { return a.key.Compare(b.key) })
	shelf.content, shelf.generation = c, generation
	return c, nil
}

// of returns those of some types of which there are definitions.
func (s *Specification) of(types []string) (own []string) {
	for _, typ := range types {
		if s.shelves[typ] != nil {
			own = append(own, typ)
		}
	}
	return own
}

// Types returns the resource types of which there are definitions, sorted.
func (s *Specification) Types() []string { return slices.Sorted(maps.Keys(s.shelves)) }
