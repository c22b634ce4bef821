package terminology

import (
	"iter"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Bounds on what one expansion may read, so that a value set that names half the world ends.
const (
	maxExpansionCodes = 200_000   // members of one value set
	maxExpansionSteps = 4_000_000 // codes that are walked over, each time they are
	stepsOfReading    = 1_000     // what a value set or code system that is read counts, once
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
		e := expansion{Snapshot: s, sets: make(map[string]*members), trees: make(map[source]*hierarchy), steps: maxExpansionSteps}
		m := e.valueSet(valueSet)
		if m == nil {
			return codeSet{}
		}
		return codeSet{m.codes, true}.detached()
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

// members are the codes of a value set, or of a part of one: pairs of system and code, in the order they are found.
type members struct {
	codes [][2]string
	has   map[[2]string]bool
}

func newMembers() *members { return &members{has: make(map[[2]string]bool)} }

// without takes out the members of another.
func (m *members) without(other *members) {
	m.codes = slices.DeleteFunc(m.codes, func(c [2]string) bool { return other.has[c] })
	for c := range other.has {
		delete(m.has, c)
	}
}

// expansion finds the members of one value set, and to that end those of all that it names. Where one of these can't be enumerated, none can that
// names it.
type expansion struct {
	*Snapshot
	sets  map[string]*members   // by the canonicals that were named; nil for one whose members are being found, which names itself
	trees map[source]*hierarchy // nil for one that can't be enumerated
	steps int                   // how many more codes may be walked over
}

// source is where the codes of a system are from: its stored CodeSystem, or the one that is published with the definitions.
type source struct {
	system    string
	published bool
}

// step takes n of the steps; false where there are not as many left.
func (e *expansion) step(n int) bool {
	e.steps -= n
	return e.steps >= 0
}

// add adds a code to m; false where that is more than may be.
func (e *expansion) add(m *members, system, code string) bool {
	if !e.step(1) {
		return false
	}
	c := [2]string{system, code}
	if !m.has[c] {
		if len(m.codes) >= maxExpansionCodes {
			return false
		}
		m.has[c] = true
		m.codes = append(m.codes, c)
	}
	return true
}

// valueSet returns the members of a value set, which do not change any more; nil where it can't be enumerated.
func (e *expansion) valueSet(canonical string) *members {
	if m, ok := e.sets[canonical]; ok {
		return m
	}
	if !e.step(stepsOfReading) {
		return nil
	}
	e.sets[canonical] = nil
	m := newMembers()
	if !e.enumerate(m, canonical) {
		return nil
	}
	e.sets[canonical] = m
	return m
}

// enumerate adds the members of a value set to m; false where it can't be enumerated.
func (e *expansion) enumerate(m *members, canonical string) bool {
	r, ok := e.stored(valueSetType, canonical)
	if !ok {
		codes, ok := e.of.registry.Expand(canonical)
		if !ok {
			return false
		}
		for system, code := range codes {
			if !e.add(m, system, code) {
				return false
			}
		}
		return true
	}
	compose := r.Get("compose")
	if !compose.Valid() {
		contains := r.Get("expansion").Get("contains")
		return contains.Valid() && e.contains(m, contains)
	}
	for include := range compose.Get("include").Children() {
		if !e.include(m, include) {
			return false
		}
	}
	if exclude := compose.Get("exclude"); exclude.Valid() {
		out := newMembers()
		for x := range exclude.Children() {
			if !e.include(out, x) {
				return false
			}
		}
		m.without(out)
	}
	return true
}

// contains adds what ValueSet.expansion lists.
func (e *expansion) contains(m *members, list fhir.Node) bool {
	for c := range list.Children() {
		if code := c.Get("code").Text(); code != "" && c.Get("abstract").Text() != "true" && !e.add(m, c.Get("system").Text(), code) {
			return false
		}
		if !e.contains(m, c.Get("contains")) {
			return false
		}
	}
	return true
}

// include adds the codes of one include or exclude: those in its system part and in all of its value sets.
func (e *expansion) include(m *members, n fhir.Node) bool {
	var parts []*members
	if system := n.Get("system").Text(); system != "" {
		part := newMembers()
		if !e.system(part, system, n) {
			return false
		}
		parts = append(parts, part)
	}
	for vs := range n.Get("valueSet").Children() {
		part := e.valueSet(vs.Text())
		if part == nil {
			return false
		}
		if !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 || !e.step(len(parts)*len(parts[0].codes)) {
		return false
	}
	for _, c := range parts[0].codes {
		if slices.ContainsFunc(parts[1:], func(p *members) bool { return !p.has[c] }) {
			continue
		}
		if !e.add(m, c[0], c[1]) {
			return false
		}
	}
	return true
}

// system adds the codes that an include takes of a code system: those listed, those that its filters keep, or all.
func (e *expansion) system(m *members, system string, n fhir.Node) bool {
	if list := n.Get("concept"); list.Valid() {
		for c := range list.Children() {
			if !e.add(m, system, c.Get("code").Text()) {
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
		codes, ok := e.below(system, value)
		if !ok || op == "is-a" && !e.add(m, system, value) {
			return false
		}
		for code := range codes {
			if !e.add(m, system, code) {
				return false
			}
		}
		return true
	}
	tree := e.storedTree(system)
	if tree == nil {
		tree = e.publishedTree(system)
	}
	if tree == nil {
		return false
	}
	for _, code := range tree.codes {
		if !e.add(m, system, code) {
			return false
		}
	}
	return true
}

// below is Descendants; false too where that takes too many steps.
func (e *expansion) below(system, code string) (iter.Seq[string], bool) {
	tree := e.storedTree(system)
	if tree == nil {
		return e.of.registry.Descendants(system, code)
	}
	if !e.step(len(tree.codes)) {
		return nil, false
	}
	return tree.around(code, tree.children)
}

// storedTree returns the hierarchy of a stored code system, read once; nil for none.
func (e *expansion) storedTree(system string) *hierarchy {
	of := source{system: system}
	tree, ok := e.trees[of]
	if !ok && e.step(stepsOfReading) {
		tree, _ = e.hierarchy(system)
		e.trees[of] = tree
	}
	return tree
}

// publishedTree returns the hierarchy of a code system of the definitions, read once; nil for none.
func (e *expansion) publishedTree(system string) *hierarchy {
	of := source{system: system, published: true}
	tree, ok := e.trees[of]
	if !ok && e.step(stepsOfReading) {
		if r, found := e.of.registry.Definition(system); found {
			tree, _ = readHierarchy(r)
		}
		e.trees[of] = tree
	}
	return tree
}
