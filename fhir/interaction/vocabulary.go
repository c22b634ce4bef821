package interaction

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// vocabulary keeps what terminology has worked out of stored ValueSets and CodeSystems, as long as none of them changes, in whichever
// process. It is safe for concurrent use.
type vocabulary struct {
	mu       sync.Mutex
	revision string // of the resources that the members were made from
	sets     map[string]codeSet
	trees    map[string]*hierarchy // nil for a system that no stored CodeSystem has
	codes    int                   // in all of them
}

// codeSet are the members of a value set; known is false where it can't be enumerated.
type codeSet struct {
	codes [][2]string
	known bool
}

// maxVocabulary bounds the codes that are kept. Past them all are let go.
const maxVocabulary = 400_000

// of makes v about a revision and reports whether it was. Its caller holds mu.
func (v *vocabulary) of(revision string) bool {
	if v.revision == revision && v.sets != nil {
		return true
	}
	v.revision, v.sets, v.trees, v.codes = revision, make(map[string]codeSet), make(map[string]*hierarchy), 0
	return false
}

// room makes room for n more codes; false where they are too many. Its caller holds mu.
func (v *vocabulary) room(n int) bool {
	if n > maxVocabulary {
		return false
	}
	if v.codes+n > maxVocabulary {
		clear(v.sets)
		clear(v.trees)
		v.codes = 0
	}
	v.codes += n
	return true
}

// set returns the members of a value set at a revision, worked out by make where they are not kept. make reports whether it could; where
// it could not, nothing is kept.
func (v *vocabulary) set(revision, canonical string, make func() (codeSet, bool)) codeSet {
	if revision == "" {
		s, _ := make()
		return s
	}
	v.mu.Lock()
	if v.of(revision) {
		if s, ok := v.sets[canonical]; ok {
			v.mu.Unlock()
			return s
		}
	}
	v.mu.Unlock()
	s, ok := make()
	if !ok {
		return s
	}
	s.codes = detached(s.codes)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.revision == revision && v.room(len(s.codes)+1) {
		v.sets[canonical] = s
	}
	return s
}

// tree is set for the hierarchy of a stored code system.
func (v *vocabulary) tree(revision, system string, make func() (*hierarchy, bool)) *hierarchy {
	if revision == "" {
		h, _ := make()
		return h
	}
	v.mu.Lock()
	if v.of(revision) {
		if h, ok := v.trees[system]; ok {
			v.mu.Unlock()
			return h
		}
	}
	v.mu.Unlock()
	h, ok := make()
	if !ok {
		return h
	}
	n := 1
	if h != nil {
		n += len(h.codes)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.revision == revision && v.room(n) {
		v.trees[system] = h
	}
	return h
}

// detached returns codes in memory of their own, so that they do not keep the resources they were read from.
func detached(codes [][2]string) [][2]string {
	systems := make(map[string]string)
	for i, c := range codes {
		system, ok := systems[c[0]]
		if !ok {
			system = strings.Clone(c[0])
			systems[system] = system
		}
		codes[i] = [2]string{system, strings.Clone(c[1])}
	}
	return codes
}

// terminologyDeleted names a mark that is another one after each deletion of a ValueSet or CodeSystem.
const terminologyDeleted = "terminology-deleted"

// isTerminology reports whether terminology reads resources of a type.
func isTerminology(typ string) bool { return typ == valueSetType || typ == codeSystemType }

// terminologyRevision returns a text that two views have in common only if they see the same ValueSets and CodeSystems: it names the one that
// was written last, and the last deletion. Within a process writes are stamped in their order, so that without a deletion in between nothing else
// can have changed. Of two gateways on one database that write terminology at the same time, the write with the earlier stamp may be stored
// second: what was kept in between is then used until the next write. It is "" inside of an Update that has written one itself, which may never be stored.
func terminologyRevision(ctx context.Context, r storage.Reader) (string, error) {
	mark, err := r.Meta(ctx, terminologyDeleted)
	if err != nil && !isNotFound(err) {
		return "", err
	}
	q := search.Query{Types: []string{codeSystemType, valueSetType}, Sort: []search.Sort{{Param: "_lastUpdated", Desc: true}}, Limit: 1}
	rows, err := r.Find(ctx, q)
	if err != nil {
		return "", err
	}
	if len(rows) == 0 {
		return "none " + string(mark), nil
	}
	last := rows[0]
	if tx, inside := r.(storage.Tx); inside && last.Updated.Equal(tx.Now()) {
		return "", nil
	}
	return last.Key.String() + " " + strconv.FormatInt(last.Version, 10) + " " + strconv.FormatInt(last.Updated.UnixMicro(), 10) + " " + string(mark), nil
}
