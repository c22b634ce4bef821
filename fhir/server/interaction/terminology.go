package interaction

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/storage"
)

// Bounds on what one expansion may read, so that a value set that includes itself or half the world ends.
const (
	maxExpansionDepth = 8
	maxExpansionCodes = 200_000
)

// terminology is the search.Terminology of a view: stored ValueSets and CodeSystems first, then those of the definitions. It is for one
// search and one goroutine, and the view must not write while it is in use. What fails in the engine is kept in err.
type terminology struct {
	ctx      context.Context
	reader   storage.Reader
	registry *definition.Registry
	kept     *vocabulary
	answers  map[source]edition // of the view, to all that it was asked
	asked    map[source]edition // those on which what is being worked out depends
	err      error
}

func (s *Service) terminologyOf(ctx context.Context, r storage.Reader) *terminology {
	return &terminology{ctx: ctx, reader: r, registry: s.registry, kept: &s.vocabulary}
}

// The resource types that terminology reads.
const (
	valueSetType   = "ValueSet"
	codeSystemType = "CodeSystem"
)

// stored returns the stored resource of a type by its canonical, with or without a version, or by "Type/id". Of several that a canonical names
// it is the one written last.
func (t *terminology) stored(typ, canonical string) (fhir.Resource, bool) {
	key := t.edition(source{typ, canonical}).key
	if t.err != nil || key == (fhir.Key{}) {
		return fhir.Resource{}, false
	}
	rec, err := t.reader.Get(t.ctx, key)
	if err != nil {
		t.fail(err)
		return fhir.Resource{}, false
	}
	r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
	t.fail(err)
	return r, err == nil
}

func (t *terminology) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// codeSet are the members of a value set; known is false where it can't be enumerated.
type codeSet struct {
	codes [][2]string
	known bool
}

// count implements work.
func (s codeSet) count() int { return len(s.codes) }

// detached returns s in memory of its own, which does not keep the resources it was read from.
func (s codeSet) detached() codeSet {
	systems := make(map[string]string)
	for i, c := range s.codes {
		system, ok := systems[c[0]]
		if !ok {
			system = strings.Clone(c[0])
			systems[system] = system
		}
		s.codes[i] = [2]string{system, strings.Clone(c[1])}
	}
	return s
}

// Expand implements search.Terminology.
func (t *terminology) Expand(valueSet string) (iter.Seq2[string, string], bool) {
	set := worked(t, source{valueSetType, valueSet}, func() codeSet {
		e := expansion{terminology: t, seen: make(map[[2]string]bool)}
		known := e.valueSet(valueSet, 0)
		return codeSet{e.codes, known}.detached()
	})
	if !set.known {
		return nil, false
	}
	return func(yield func(string, string) bool) {
		for _, c := range set.codes {
			if !yield(c[0], c[1]) {
				return
			}
		}
	}, true
}

// expansion collects the members of a value set: pairs of system and code, in the order they are found.
type expansion struct {
	*terminology
	codes [][2]string
	seen  map[[2]string]bool
}

func (e *expansion) add(system, code string) bool {
	c := [2]string{system, code}
	if !e.seen[c] {
		if len(e.codes) >= maxExpansionCodes {
			return false
		}
		e.seen[c] = true
		e.codes = append(e.codes, c)
	}
	return true
}

// valueSet adds the members of a value set; false where it can't be enumerated.
func (e *expansion) valueSet(canonical string, depth int) bool {
	if depth > maxExpansionDepth {
		return false
	}
	r, ok := e.stored(valueSetType, canonical)
	if !ok {
		codes, ok := e.registry.Expand(canonical)
		if !ok {
			return false
		}
		for system, code := range codes {
			if !e.add(system, code) {
				return false
			}
		}
		return true
	}
	compose := r.Get("compose")
	if !compose.Valid() {
		contains := r.Get("expansion").Get("contains")
		return contains.Valid() && e.contains(contains)
	}
	for include := range compose.Get("include").Children() {
		if !e.include(include, depth) {
			return false
		}
	}
	if exclude := compose.Get("exclude"); exclude.Valid() {
		out := expansion{terminology: e.terminology, seen: make(map[[2]string]bool)}
		for x := range exclude.Children() {
			if !out.include(x, depth) {
				return false
			}
		}
		e.codes = slices.DeleteFunc(e.codes, func(c [2]string) bool { return out.seen[c] })
	}
	return true
}

// contains adds what ValueSet.expansion lists.
func (e *expansion) contains(list fhir.Node) bool {
	for c := range list.Children() {
		if code := c.Get("code").Text(); code != "" && c.Get("abstract").Text() != "true" && !e.add(c.Get("system").Text(), code) {
			return false
		}
		if !e.contains(c.Get("contains")) {
			return false
		}
	}
	return true
}

// include adds the codes of one include or exclude: those in its system part and in all of its value sets.
func (e *expansion) include(n fhir.Node, depth int) bool {
	var parts []*expansion
	part := func() *expansion {
		p := &expansion{terminology: e.terminology, seen: make(map[[2]string]bool)}
		parts = append(parts, p)
		return p
	}
	if system := n.Get("system").Text(); system != "" && !part().system(system, n) {
		return false
	}
	for vs := range n.Get("valueSet").Children() {
		if !part().valueSet(vs.Text(), depth+1) {
			return false
		}
	}
	if len(parts) == 0 {
		return false
	}
	for _, c := range parts[0].codes {
		if slices.ContainsFunc(parts[1:], func(p *expansion) bool { return !p.seen[c] }) {
			continue
		}
		if !e.add(c[0], c[1]) {
			return false
		}
	}
	return true
}

// system adds the codes that an include takes of a code system: those listed, those that its filters keep, or all.
func (e *expansion) system(system string, n fhir.Node) bool {
	if list := n.Get("concept"); list.Valid() {
		for c := range list.Children() {
			if !e.add(system, c.Get("code").Text()) {
				return false
			}
		}
		return true
	}
	if filters := n.Get("filter"); filters.Valid() {
		f := filters.First()
		op, value := f.Get("op").Text(), f.Get("value").Text()
		if filters.Len() != 1 || f.Get("property").Text() != "concept" || op != "is-a" && op != "descendent-of" {
			return false
		}
		codes, ok := e.Descendants(system, value)
		if !ok {
			return false
		}
		if op == "is-a" && !e.add(system, value) {
			return false
		}
		for code := range codes {
			if !e.add(system, code) {
				return false
			}
		}
		return true
	}
	tree, ok := e.hierarchy(system)
	if !ok {
		published, found := e.registry.Definition(system)
		if !found {
			return false
		}
		if tree, ok = readHierarchy(published); !ok {
			return false
		}
	}
	for _, code := range tree.codes {
		if !e.add(system, code) {
			return false
		}
	}
	return true
}

// hierarchy is the order of the codes of a code system; nil for a system that no stored CodeSystem has, or none with its codes. It does not
// change once it is made.
type hierarchy struct {
	codes    []string
	parents  map[string][]string
	children map[string][]string
}

// count implements work.
func (h *hierarchy) count() int {
	if h == nil {
		return 0
	}
	return len(h.codes)
}

// hierarchy returns that of the stored CodeSystem of a system; false where there is none or it does not hold all of its codes.
func (t *terminology) hierarchy(system string) (*hierarchy, bool) {
	h := worked(t, source{codeSystemType, system}, func() *hierarchy {
		r, ok := t.stored(codeSystemType, system)
		if !ok {
			return nil
		}
		h, _ := readHierarchy(r)
		return h
	})
	return h, h != nil
}

// readHierarchy reads a CodeSystem; false where it does not hold its codes.
func readHierarchy(r fhir.Resource) (*hierarchy, bool) {
	if content := r.Get("content").Text(); content != "complete" && content != "fragment" {
		return nil, false
	}
	h := &hierarchy{parents: make(map[string][]string), children: make(map[string][]string)}
	h.read(r.Get("concept"), "")
	return h, true
}

// read adds concepts below parent. The texts are copies, which do not keep the resource.
func (h *hierarchy) read(list fhir.Node, parent string) {
	for c := range list.Children() {
		code := strings.Clone(c.Get("code").Text())
		h.codes = append(h.codes, code)
		if parent != "" {
			h.link(parent, code)
		}
		for p := range c.Get("property").Children() {
			switch p.Get("code").Text() {
			case "parent", "subsumedBy":
				h.link(strings.Clone(p.Get("valueCode").Text()), code)
			case "child":
				h.link(code, strings.Clone(p.Get("valueCode").Text()))
			}
		}
		h.read(c.Get("concept"), code)
	}
}

func (h *hierarchy) link(parent, child string) {
	h.parents[child] = append(h.parents[child], parent)
	h.children[parent] = append(h.children[parent], child)
}

// around returns all codes that the links lead to from code, itself left out, in the order of the code system; false where that has no such code.
func (h *hierarchy) around(code string, links map[string][]string) (iter.Seq[string], bool) {
	if !slices.Contains(h.codes, code) {
		return nil, false
	}
	found := make(map[string]bool)
	todo := slices.Clone(links[code])
	for len(todo) > 0 {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !found[next] {
			found[next] = true
			todo = append(todo, links[next]...)
		}
	}
	delete(found, code)
	return func(yield func(string) bool) {
		for _, c := range h.codes {
			if found[c] && !yield(c) {
				return
			}
		}
	}, true
}

// Descendants implements search.Terminology.
func (t *terminology) Descendants(system, code string) (iter.Seq[string], bool) {
	h, ok := t.hierarchy(system)
	if !ok {
		return t.registry.Descendants(system, code)
	}
	return h.around(code, h.children)
}

// Ancestors implements search.Terminology.
func (t *terminology) Ancestors(system, code string) (iter.Seq[string], bool) {
	h, ok := t.hierarchy(system)
	if !ok {
		return t.registry.Ancestors(system, code)
	}
	return h.around(code, h.parents)
}
