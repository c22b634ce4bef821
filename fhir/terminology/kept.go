package terminology

import (
	"maps"
	"strings"
	"sync"
)

// kept is what a Terminology remembers. It is safe for concurrent use.
type kept struct {
	mu    sync.Mutex
	works map[question]keptWork
	size  int // of all that is kept
}

// work is what is worked out of stored resources. It does not change once it is made, and keeps no memory of theirs.
type work interface {
	// count returns how many codes it holds.
	count() int
}

// keptWork is a work, and the questions to the store that it was made by, with the answers. It is right in every state that answers them the
// same, because neither a version of a resource nor the definitions ever change.
type keptWork struct {
	work
	from map[question]Version
}

// maxKept bounds what is kept, in codes. Past it all is let go.
const maxKept = 400_000

// size is about what k takes, in codes.
func (k keptWork) size() int {
	n := k.count()
	for s := range k.from {
		n += 2 + len(s.name)/32
	}
	return n
}

// find returns what is kept under a name.
func (m *kept) find(name question) (keptWork, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.works[name]
	return k, ok
}

// keep keeps k under a name, where it is not too large.
func (m *kept) keep(name question, k keptWork) {
	size := k.size()
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.works[name]; ok {
		m.size -= old.size()
		delete(m.works, name)
	}
	if size > maxKept {
		return
	}
	if m.works == nil || m.size+size > maxKept {
		m.works, m.size = make(map[question]keptWork), 0
	}
	m.works[name] = k
	m.size += size
}

// worked returns what goes by a name: what is kept, where the state of s holds the resources that it was made from and no others that its names
// mean; else what produce makes, which is then kept.
func worked[W work](s *Snapshot, name question, produce func() W) W {
	s.begin()
	if k, ok := s.of.kept.find(name); ok && s.answersAs(k.from) {
		maps.Copy(s.asked, k.from)
		return k.work.(W)
	}
	outer := s.asked
	s.asked = make(map[question]Version)
	w := produce()
	from := make(map[question]Version, len(s.asked))
	for q, v := range s.asked {
		outer[q] = v
		from[question{q.typ, strings.Clone(q.name)}] = v
	}
	s.asked = outer
	if s.err == nil && !s.unsaved(from) {
		s.of.kept.keep(question{name.typ, strings.Clone(name.name)}, keptWork{w, from})
	}
	return w
}
