package terminology

import (
	"iter"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Bounds on what one expansion may read, so that a value set that includes itself or half the world ends.
const (
	maxExpansionDepth = 8
	maxExpansionCodes = 200_000
)

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
func (s *Snapshot) Expand(valueSet string) (iter.Seq2[string, string], bool) {
	set := worked(s, question{valueSetType, valueSet}, func() codeSet {
		e := expansion{Snapshot: s, seen: make(map[[2]string]bool)}
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
	*Snapshot
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
		codes, ok := e.of.registry.Expand(canonical)
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
		out := expansion{Snapshot: e.Snapshot, seen: make(map[[2]string]bool)}
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
		p := &expansion{Snapshot: e.Snapshot, seen: make(map[[2]string]bool)}
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
		published, found := e.of.registry.Definition(system)
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
