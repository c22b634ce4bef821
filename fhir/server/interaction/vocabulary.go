package interaction

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// vocabulary keeps what terminology has worked out of stored ValueSets and CodeSystems, beside what it was worked out of. It is safe for
// concurrent use.
type vocabulary struct {
	mu   sync.Mutex
	kept map[source]keptWork
	size int // of all that is kept
}

// work is what is worked out of stored resources. It does not change once it is made, and keeps no memory of theirs.
type work interface {
	// count returns how many codes it holds.
	count() int
}

// keptWork is a work, and the questions to the store that it was made by with their answers. It is right in every view that answers them the
// same: neither a version of a resource nor the definitions ever change.
type keptWork struct {
	work
	answers map[source]edition
}

// source is a question to the store: which resource of a type has this canonical, or is this "Type/id"?
type source struct{ typ, name string }

// edition is its answer, a version of a resource; the zero edition where there is none.
type edition struct {
	key     fhir.Key
	version int64
	updated int64 // microseconds
}

// maxVocabulary bounds what is kept, in codes. Past it all is let go.
const maxVocabulary = 400_000

// size is about what k takes, in codes.
func (k keptWork) size() int {
	n := k.count()
	for s := range k.answers {
		n += 2 + len(s.name)/32
	}
	return n
}

// find returns what is kept under a name.
func (v *vocabulary) find(name source) (keptWork, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	k, ok := v.kept[name]
	return k, ok
}

// keep keeps k under a name, where it is not too large.
func (v *vocabulary) keep(name source, k keptWork) {
	size := k.size()
	v.mu.Lock()
	defer v.mu.Unlock()
	if old, ok := v.kept[name]; ok {
		v.size -= old.size()
		delete(v.kept, name)
	}
	if size > maxVocabulary {
		return
	}
	if v.kept == nil || v.size+size > maxVocabulary {
		v.kept, v.size = make(map[source]keptWork), 0
	}
	v.kept[name] = k
	v.size += size
}

// worked returns what goes by a name: what is kept, where the view of t holds the resources that it was made from and no others that its names
// mean; else what produce makes, which is then kept.
func worked[W work](t *terminology, name source, produce func() W) W {
	t.begin()
	if k, ok := t.kept.find(name); ok && t.answersAs(k.answers) {
		maps.Copy(t.asked, k.answers)
		return k.work.(W)
	}
	outer := t.asked
	t.asked = make(map[source]edition)
	w := produce()
	answers := make(map[source]edition, len(t.asked))
	for s, e := range t.asked {
		outer[s] = e
		answers[source{s.typ, strings.Clone(s.name)}] = e
	}
	t.asked = outer
	if t.err == nil && !t.wroteOneOf(answers) {
		t.kept.keep(source{name.typ, strings.Clone(name.name)}, keptWork{w, answers})
	}
	return w
}

// begin makes the maps, which most searches do not need.
func (t *terminology) begin() {
	if t.asked == nil {
		t.asked, t.answers = make(map[source]edition), make(map[source]edition)
	}
}

// edition returns the version that answers s, and notes that it was asked.
func (t *terminology) edition(s source) edition {
	t.begin()
	t.look(func(yield func(source) bool) { yield(s) })
	e := t.answers[s]
	t.asked[s] = e
	return e
}

// answersAs reports whether the view answers all questions as they were answered then.
func (t *terminology) answersAs(then map[source]edition) bool {
	t.look(maps.Keys(then))
	for s, e := range then {
		if t.answers[s] != e {
			return false
		}
	}
	return t.err == nil
}

// wroteOneOf reports whether the view is an Update that has written one of the editions itself: it may never be stored.
func (t *terminology) wroteOneOf(answers map[source]edition) bool {
	moment := t.reader.Moment().UnixMicro()
	for _, e := range answers {
		if e.updated > moment {
			return true
		}
	}
	return false
}

// look puts the answers to questions into t.answers, by one search for all canonicals of a type. Of several resources that a canonical names the
// answer is the one written last.
func (t *terminology) look(questions iter.Seq[source]) {
	canonicals := make(map[string][]string)
	for s := range questions {
		if _, known := t.answers[s]; known || t.err != nil {
			continue
		}
		id, ok := strings.CutPrefix(s.name, s.typ+"/")
		if !ok {
			canonicals[s.typ] = append(canonicals[s.typ], s.name)
			continue
		}
		rec, err := current(t.ctx, t.reader, fhir.Key{Type: s.typ, ID: id})
		if t.fail(err); exists(rec) {
			t.answers[s] = edition{rec.Key, rec.Version, rec.Updated.UnixMicro()}
		} else {
			t.answers[s] = edition{}
		}
	}
	for typ, names := range canonicals {
		named, err := search.NewCanonicals(t.ctx, t.reader).Resolve([]string{typ}, names)
		t.fail(err)
		for _, name := range names {
			var e edition
			if rows := named[name]; len(rows) > 0 {
				last := slices.MaxFunc(rows, func(a, b search.Row) int { return a.Updated.Compare(b.Updated) })
				e = edition{last.Key, last.Version, last.Updated.UnixMicro()}
			}
			t.answers[source{typ, name}] = e
		}
	}
}
