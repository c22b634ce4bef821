package definition

import (
	"bytes"
	"iter"
	"strings"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
)

// terminology holds the code systems and value sets that were asked for: a func() *codeSystem or func() *codeSet by URL. Only URLs of the
// base specification get in, so that what clients ask for can't make it grow.
type terminology struct {
	systems, sets sync.Map
	listed        sync.Once
	list          []CodeSystem
}

// CodeSystem names an embedded code system.
type CodeSystem struct {
	URL, Version string
	// Complete says that all its codes are embedded.
	Complete bool
}

// CodeSystems returns the embedded code systems, sorted by URL. The first call reads all documents, which takes some tenths of a second. The slice must
// not be changed.
func (r *Registry) CodeSystems() []CodeSystem {
	t := &r.terminology
	t.listed.Do(func() {
		for _, e := range r.documents {
			doc := r.archive.document(e)
			if !bytes.HasPrefix(doc, []byte(`{"resourceType":"CodeSystem"`)) {
				continue
			}
			if res, err := fhir.ParseResource(doc, fhir.Limits{}); err == nil {
				t.list = append(t.list, CodeSystem{res.Get("url").Text(), res.Get("version").Text(), res.Get("content").Text() == "complete"})
			}
		}
	})
	return t.list
}

// codeSystem is a CodeSystem with its hierarchy, from nested concepts and from the properties parent, subsumedBy and child (R4 CodeSystem,
// 4.8.10). Concepts are numbered in document order.
type codeSystem struct {
	// complete is set where the resource has all codes of the system; a fragment or an example has some.
	complete bool
	// fold is set where letter case makes no difference.
	fold     bool
	codes    []string
	number   map[string]int
	parents  [][]int
	children [][]int
}

// Subsumes reports whether ancestor is code itself or one of its ancestors in the hierarchy of an embedded code system. ok is false where
// that can't be told: the system or one of the codes is not embedded, or the embedded part of the system shows no such line but is not all
// of it.
func (r *Registry) Subsumes(system, ancestor, code string) (subsumes, ok bool) {
	cs := r.codeSystem(system)
	if cs == nil {
		return false, false
	}
	a, knownAncestor := cs.find(ancestor)
	c, knownCode := cs.find(code)
	if !knownAncestor || !knownCode {
		return false, false
	}
	if a == c {
		return true, true
	}
	for n := range cs.reach(c, cs.parents) {
		if n == a {
			return true, true
		}
	}
	return false, cs.complete
}

// Descendants yields the codes below code in the hierarchy of an embedded code system, code itself left out, each once, parents first. ok
// is false where the system is not embedded in full or has no such code.
func (r *Registry) Descendants(system, code string) (codes iter.Seq[string], ok bool) {
	cs := r.codeSystem(system)
	if cs == nil {
		return nil, false
	}
	return cs.from(code, cs.children)
}

// Ancestors yields the codes above code in the hierarchy of an embedded code system, code itself left out, each once, nearest first. ok is
// false where the system is not embedded in full or has no such code.
func (r *Registry) Ancestors(system, code string) (codes iter.Seq[string], ok bool) {
	cs := r.codeSystem(system)
	if cs == nil {
		return nil, false
	}
	return cs.from(code, cs.parents)
}

// from yields the codes that are reached from code along links, where the hierarchy is known in full.
func (cs *codeSystem) from(code string, links [][]int) (codes iter.Seq[string], ok bool) {
	start, ok := cs.find(code)
	if !ok || !cs.complete {
		return nil, false
	}
	return func(yield func(string) bool) {
		for n := range cs.reach(start, links) {
			if !yield(cs.codes[n]) {
				return
			}
		}
	}, true
}

// codeSystem returns the embedded code system, read at first use; nil where there is none.
func (r *Registry) codeSystem(url string) *codeSystem {
	f, ok := r.terminology.systems.Load(url)
	if !ok {
		e, ok := r.resolve(url)
		if !ok {
			return nil
		}
		f, _ = r.terminology.systems.LoadOrStore(e.name, sync.OnceValue(func() *codeSystem {
			res, ok := r.Definition(e.name)
			if !ok || res.Type() != "CodeSystem" {
				return nil
			}
			return readCodeSystem(res)
		}))
	}
	return f.(func() *codeSystem)()
}

func readCodeSystem(res fhir.Resource) *codeSystem {
	cs := &codeSystem{
		complete: res.Get("content").Text() == "complete",
		fold:     res.Get("caseSensitive").Text() == "false",
		number:   map[string]int{},
	}
	meaning := res.Get("hierarchyMeaning").Text()
	isA := meaning == "" || meaning == "is-a"
	var links [][2]string // parent and child, as properties state them
	var read func(list fhir.Node, parent int)
	read = func(list fhir.Node, parent int) {
		for c := range list.Children() {
			n := cs.add(c.Get("code").Text())
			if parent >= 0 && isA {
				cs.link(parent, n)
			}
			for p := range c.Get("property").Children() {
				other := p.Get("valueCode").Text()
				switch p.Get("code").Text() {
				case "parent", "subsumedBy":
					links = append(links, [2]string{other, cs.codes[n]})
				case "child":
					links = append(links, [2]string{cs.codes[n], other})
				}
			}
			read(c.Get("concept"), n)
		}
	}
	read(res.Get("concept"), -1)
	for _, l := range links {
		parent, ok := cs.find(l[0])
		child, found := cs.find(l[1])
		if ok && found {
			cs.link(parent, child)
		}
	}
	return cs
}

// add numbers a code; one that stands at several places of the hierarchy has one number.
func (cs *codeSystem) add(code string) int {
	if n, ok := cs.find(code); ok {
		return n
	}
	code = strings.Clone(code)
	n := len(cs.codes)
	cs.codes = append(cs.codes, code)
	cs.number[folded(code, cs.fold)] = n
	cs.parents = append(cs.parents, nil)
	cs.children = append(cs.children, nil)
	return n
}

func (cs *codeSystem) link(parent, child int) {
	for _, p := range cs.parents[child] {
		if p == parent {
			return
		}
	}
	cs.parents[child] = append(cs.parents[child], parent)
	cs.children[parent] = append(cs.children[parent], child)
}

func (cs *codeSystem) find(code string) (int, bool) {
	n, ok := cs.number[folded(code, cs.fold)]
	return n, ok
}

// reach yields what can be reached from n over edges, n left out, each once, nearest first. Cycles do it no harm.
func (cs *codeSystem) reach(n int, edges [][]int) iter.Seq[int] {
	return func(yield func(int) bool) {
		queue := edges[n]
		seen := map[int]bool{n: true}
		for len(queue) > 0 {
			var next []int
			for _, m := range queue {
				if seen[m] {
					continue
				}
				seen[m] = true
				if !yield(m) {
					return
				}
				next = append(next, edges[m]...)
			}
			queue = next
		}
	}
}

// folded returns the form under which codes of a system are compared.
func folded(code string, fold bool) string {
	if fold {
		return strings.ToLower(code)
	}
	return code
}
