package definition

import (
	_ "embed"
	"sync"
)

//go:generate go run ./generate r4

// indexFile is the registry but for documents; documentsFile holds them. fhir/definition/generate makes both.
var (
	//go:embed r4/index.zst
	indexFile []byte
	//go:embed r4/documents.zst
	documentsFile []byte
)

// Registry holds the definitions of one FHIR release. It is immutable, and safe for concurrent use: what it loads at first use (documents,
// value sets, code systems) is not seen to change.
type Registry struct {
	types         map[string]*Type
	resourceTypes []string

	parameters       []*SearchParameter            // by URL
	parametersByType map[string][]*SearchParameter // by code
	compartments     map[string]*Compartment
	operations       []*Operation

	archive     archive
	documents   []entry // by URL
	schemas     []entry // by name
	terminology terminology
}

// R4 returns the registry of R4 4.0.1, the same one at every call. The first call decodes it, in a few milliseconds.
func R4() *Registry { return r4() }

var r4 = sync.OnceValue(func() *Registry { return decode(indexFile, documentsFile) })

// Resource returns a concrete resource type.
func (r *Registry) Resource(name string) (*Type, bool) {
	t := r.types[name]
	if t == nil || t.Kind != KindResource || t.Abstract {
		return nil, false
	}
	return t, true
}

// Type returns any type by its name: resource types, abstract ones included, datatypes, primitives, and backbone elements by path.
func (r *Registry) Type(name string) (*Type, bool) {
	t, ok := r.types[name]
	return t, ok
}

// ResourceTypes returns the names of the 146 concrete resource types, sorted. The slice must not be changed.
func (r *Registry) ResourceTypes() []string { return r.resourceTypes }
