package definition

import (
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
)

// Expand yields system and code of every member of a value set of the base specification, in the order of its definition. ok is false where
// they can't be enumerated from the embedded code systems (SNOMED CT, LOINC, filters that are not understood). Abstract and inactive
// concepts are members like all others, unless the definition excludes them. A version behind a bar is passed over.
func (r *Registry) Expand(valueSet string) (codes iter.Seq2[string, string], ok bool) {
	set := r.codeSet(valueSet)
	if set == nil || set.anySystem || len(set.open) > 0 {
		return nil, false
	}
	return func(yield func(string, string) bool) {
		for _, s := range set.systems {
			for _, code := range set.members[s].list {
				if !yield(s, code) {
					return
				}
			}
		}
	}, true
}

// ValueSetContains reports whether a value set of the base specification has the code. An empty system stands for any: the value of a code
// element has none. ok is false where that can't be told from the embedded code systems; a value set may be undecided for the codes of one
// system (SNOMED CT) and decided for those of another. It is meant for hot paths: past the first call for a value set it costs two map
// lookups.
func (r *Registry) ValueSetContains(valueSet, system, code string) (member, ok bool) {
	set := r.codeSet(valueSet)
	if set == nil {
		return false, false
	}
	return set.lookup(system, code)
}

// codeSet is the content of a value set as far as it is known: codes that are members for sure, and systems whose other codes may be.
type codeSet struct {
	systems []string // in the order of the definition
	members map[string]*codes
	// open are the systems of which codes that are not in members may be members; anySystem says that of all systems.
	open      map[string]bool
	anySystem bool
}

// codes are codes of one system.
type codes struct {
	fold bool
	list []string
	has  map[string]bool // by folded code
}

func newCodeSet() *codeSet { return &codeSet{members: map[string]*codes{}, open: map[string]bool{}} }

func (s *codeSet) lookup(system, code string) (member, ok bool) {
	if system == "" {
		for _, c := range s.members {
			if c.has[folded(code, c.fold)] {
				return true, true
			}
		}
		return false, !s.anySystem && len(s.open) == 0
	}
	if c := s.members[system]; c != nil && c.has[folded(code, c.fold)] {
		return true, true
	}
	return false, !s.anySystem && !s.open[system]
}

func (s *codeSet) add(system string, fold bool, code string) {
	c := s.members[system]
	if c == nil {
		c = &codes{fold: fold, has: map[string]bool{}}
		s.members[system] = c
		s.systems = append(s.systems, system)
	}
	if key := folded(code, fold); !c.has[key] {
		c.has[key] = true
		c.list = append(c.list, code)
	}
}

// each calls f for every code of s that is a member for sure.
func (s *codeSet) each(f func(system string, fold bool, code string)) {
	for _, system := range s.systems {
		c := s.members[system]
		for _, code := range c.list {
			f(system, c.fold, code)
		}
	}
}

// unite adds the members of other to s.
func (s *codeSet) unite(other *codeSet) {
	other.each(s.add)
	for system := range other.open {
		s.open[system] = true
	}
	s.anySystem = s.anySystem || other.anySystem
}

// intersect returns what is in both sets. A code that is in one and undecided in the other leaves its system open.
func intersect(a, b *codeSet) *codeSet {
	out := newCodeSet()
	half := func(other *codeSet) func(string, bool, string) {
		return func(system string, fold bool, code string) {
			switch in, ok := other.lookup(system, code); {
			case in:
				out.add(system, fold, code)
			case !ok:
				out.open[system] = true
			}
		}
	}
	a.each(half(b))
	b.each(half(a))
	for system := range a.open {
		if b.anySystem || b.open[system] {
			out.open[system] = true
		}
	}
	for system := range b.open {
		if a.anySystem {
			out.open[system] = true
		}
	}
	out.anySystem = a.anySystem && b.anySystem
	return out
}

// without returns what is in s and not in other. A code that is undecided in other leaves its system open.
func (s *codeSet) without(other *codeSet) *codeSet {
	out := newCodeSet()
	out.open, out.anySystem = s.open, s.anySystem
	s.each(func(system string, fold bool, code string) {
		switch in, ok := other.lookup(system, code); {
		case !in && ok:
			out.add(system, fold, code)
		case !ok:
			out.open[system] = true
		}
	})
	return out
}

// codeSet returns the content of a value set, compiled at first use; nil where the base specification has no such value set.
func (r *Registry) codeSet(url string) *codeSet {
	f, ok := r.terminology.sets.Load(url)
	if !ok {
		e, ok := r.resolve(url)
		if !ok {
			return nil
		}
		f, _ = r.terminology.sets.LoadOrStore(e.name, sync.OnceValue(func() *codeSet { return r.compileValueSet(e.name, nil) }))
	}
	return f.(func() *codeSet)()
}

// compileValueSet reads ValueSet.compose (R4 ValueSet, 4.9.8): the union of the includes less the excludes. importing are the value sets
// that are being read, against cycles.
func (r *Registry) compileValueSet(url string, importing []string) *codeSet {
	res, ok := r.Definition(url)
	if !ok || res.Type() != "ValueSet" {
		return nil
	}
	importing = append(importing, url)
	set := newCodeSet()
	compose := res.Get("compose")
	for part := range compose.Get("include").Children() {
		set.unite(r.compilePart(part, importing))
	}
	for part := range compose.Get("exclude").Children() {
		set = set.without(r.compilePart(part, importing))
	}
	return set
}

// compilePart reads one include or exclude: what its system gives, intersected with all value sets that it names.
func (r *Registry) compilePart(part fhir.Node, importing []string) *codeSet {
	var set *codeSet
	if system := part.Get("system").Text(); system != "" {
		set = r.compileSystem(part, system)
	}
	for v := range part.Get("valueSet").Children() {
		url, _, _ := strings.Cut(v.Text(), "|")
		var imported *codeSet
		if !slices.Contains(importing, url) {
			imported = r.compileValueSet(url, importing)
		}
		if imported == nil {
			imported = newCodeSet()
			imported.anySystem = true
		}
		if set == nil {
			set = imported
		} else {
			set = intersect(set, imported)
		}
	}
	if set == nil {
		set = newCodeSet()
	}
	return set
}

// compileSystem returns the codes of a system that an include or exclude lists, or else those that pass all of its filters.
func (r *Registry) compileSystem(part fhir.Node, system string) *codeSet {
	set := newCodeSet()
	cs := r.codeSystem(system)
	bare, _, _ := strings.Cut(system, "|") // what stands in a Coding
	system = strings.Clone(bare)
	if list := part.Get("concept"); list.Len() > 0 {
		for c := range list.Children() {
			set.add(system, cs != nil && cs.fold, strings.Clone(c.Get("code").Text()))
		}
		return set
	}
	if cs == nil {
		set.open[system] = true
		return set
	}
	keep := make([]bool, len(cs.codes))
	for i := range keep {
		keep[i] = true
	}
	for f := range part.Get("filter").Children() {
		if !cs.filter(keep, f.Get("property").Text(), f.Get("op").Text(), f.Get("value").Text()) {
			set.open[system] = true
			return set
		}
	}
	for i, code := range cs.codes {
		if keep[i] {
			set.add(system, cs.fold, code)
		}
	}
	if !cs.complete {
		set.open[system] = true
	}
	return set
}

// filter clears keep for the codes that do not pass; it returns false where the filter is not understood.
func (cs *codeSystem) filter(keep []bool, property, op, value string) bool {
	if property != "concept" && property != "code" {
		return false
	}
	var pass func(n int) bool
	switch op {
	case "is-a", "descendent-of", "is-not-a":
		root, ok := cs.find(value)
		if !ok {
			return false
		}
		in := map[int]bool{}
		for n := range cs.reach(root, cs.children) {
			in[n] = true
		}
		in[root] = op != "descendent-of"
		pass = func(n int) bool { return in[n] != (op == "is-not-a") }
	case "=":
		pass = func(n int) bool { return folded(cs.codes[n], cs.fold) == folded(value, cs.fold) }
	case "in", "not-in":
		list := strings.Split(value, ",")
		pass = func(n int) bool { return slices.Contains(list, cs.codes[n]) == (op == "in") }
	case "regex":
		re, err := regexp.Compile("^(?:" + value + ")$")
		if err != nil {
			return false
		}
		pass = func(n int) bool { return re.MatchString(cs.codes[n]) }
	default:
		return false
	}
	for n := range keep {
		keep[n] = keep[n] && pass(n)
	}
	return true
}
