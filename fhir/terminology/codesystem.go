package terminology

import (
	"iter"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

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
func (s *Snapshot) hierarchy(system string) (*hierarchy, bool) {
	h := worked(s, question{codeSystemType, system}, func() *hierarchy {
		r, ok := s.stored(codeSystemType, system)
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
func (s *Snapshot) Descendants(system, code string) (iter.Seq[string], bool) {
	h, ok := s.hierarchy(system)
	if !ok {
		return s.of.registry.Descendants(system, code)
	}
	return h.around(code, h.children)
}

// Ancestors implements search.Terminology.
func (s *Snapshot) Ancestors(system, code string) (iter.Seq[string], bool) {
	h, ok := s.hierarchy(system)
	if !ok {
		return s.of.registry.Ancestors(system, code)
	}
	return h.around(code, h.parents)
}
