package definition

import (
	"iter"
	"sort"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/fhirgate/fhirgate/fhir"
)

// Schema returns the official JSON Schema definition of a type (the value of definitions[name] in fhir.schema.json, descriptions left out).
// Backbone elements have an underscore for the dot, "Patient_Contact"; "ResourceList" is the choice of all resources. It is unpacked at
// every call, in a millisecond: keep what is made of it.
func (r *Registry) Schema(name string) ([]byte, bool) {
	e, ok := find(r.schemas, name)
	if !ok {
		return nil, false
	}
	return r.archive.document(e), true
}

// Schemas returns the names that Schema knows, sorted.
func (r *Registry) Schemas() []string {
	names := make([]string, len(r.schemas))
	for i, e := range r.schemas {
		names[i] = e.name
	}
	return names
}

// Definition returns a conformance or terminology resource of the base specification by canonical URL (StructureDefinition, ValueSet,
// CodeSystem, ConceptMap, SearchParameter, OperationDefinition, CompartmentDefinition), as minified JSON without narrative. A version
// behind a bar is passed over. It is unpacked and parsed at every call, in a millisecond: keep what is made of it.
func (r *Registry) Definition(url string) (fhir.Resource, bool) {
	e, ok := r.resolve(url)
	if !ok {
		return fhir.Resource{}, false
	}
	res, err := fhir.ParseResource(r.archive.document(e), fhir.Limits{})
	return res, err == nil
}

// Keys yields the resource type and id of each definition with its canonical URL, sorted by URL. It unpacks all of them, in 0.2 s, and parses none:
// keep what is made of it.
func (r *Registry) Keys() iter.Seq2[fhir.Key, string] {
	return func(yield func(fhir.Key, string) bool) {
		frame, last := []byte(nil), -1
		for _, e := range r.documents {
			if e.frame != last {
				frame, last = unpack(r.archive.frames[e.frame]), e.frame
			}
			if !yield(keyOf(frame[e.offset:e.offset+e.size]), e.name) {
				return
			}
		}
	}
}

// keyOf reads type and id of a definition, with which its JSON begins.
func keyOf(document []byte) fhir.Key {
	rest, typed := strings.CutPrefix(string(document[:min(len(document), 256)]), `{"resourceType":"`)
	typ, rest, _ := strings.Cut(rest, `"`)
	rest, named := strings.CutPrefix(rest, `,"id":"`)
	id, _, whole := strings.Cut(rest, `"`)
	if !typed || !named || !whole {
		panic("definition: an embedded definition does not begin with its type and id")
	}
	return fhir.Key{Type: typ, ID: id}
}

// entry says where a document lies: its frame, and its bytes in the unpacked frame.
type entry struct {
	name                string
	frame, offset, size int
}

// resolve finds a document by its canonical URL, as it is or without its version. (Six code systems, v2-0006|2.1 among them, have a bar in
// their URL.)
func (r *Registry) resolve(canonical string) (entry, bool) {
	if e, ok := find(r.documents, canonical); ok {
		return e, true
	}
	url, _, versioned := strings.Cut(canonical, "|")
	if !versioned {
		return entry{}, false
	}
	return find(r.documents, url)
}

// find looks a name up in a sorted list.
func find(list []entry, name string) (entry, bool) {
	i, ok := sort.Find(len(list), func(i int) int { return strings.Compare(name, list[i].name) })
	if !ok {
		return entry{}, false
	}
	return list[i], true
}

// archive holds documents in zstd frames that are unpacked one by one. It keeps the frame it unpacked last, because readers tend to ask for
// neighbours.
type archive struct {
	frames [][]byte

	mu     sync.Mutex
	last   int // number of the frame in buffer, plus one
	buffer []byte
}

// document returns a copy of the document's bytes.
func (a *archive) document(e entry) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last != e.frame+1 {
		a.buffer, a.last = unpack(a.frames[e.frame]), e.frame+1
	}
	return append([]byte(nil), a.buffer[e.offset:e.offset+e.size]...)
}

// unpack returns the content of one zstd frame of the embedded files. They are part of the program, so that a frame that does not unpack is
// a broken build.
func unpack(frame []byte) []byte {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic("definition: " + err.Error())
	}
	defer d.Close()
	b, err := d.DecodeAll(frame, nil)
	if err != nil {
		panic("definition: an embedded file is broken: " + err.Error())
	}
	return b
}
