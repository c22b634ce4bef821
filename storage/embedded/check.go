package embedded

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// CheckOptions configure Check.
type CheckOptions struct {
	// Entries, where not nil, returns what a current resource should be found by, to be compared with what it is found by. It is called by many
	// goroutines at a time.
	Entries func(storage.Record) ([]search.Entry, error)
	// Progress, where not nil, is told how far the check is.
	Progress func(done, total int64)
}

// Checked is what Check found.
type Checked struct {
	Resources, Versions int64 // current resources that are not deleted; all versions that were read
	// Faults are sentences about what is not as it should be, without ids. None where the store is whole.
	Faults []string
	// Stale says that resources are found by something else than CheckOptions.Entries returned, which indexing them again mends.
	Stale bool
}

// Check reads everything in the store, and compares it: each resource has all its versions, each version its place in the history, each
// resource exactly the index rows that follow from its entries, each counter the number that it counts. Writes wait meanwhile. The error is
// that of the check itself, without ids or content; what is wrong with the store is in Checked, which has what was found before an error too.
func (s *Store) Check(ctx context.Context, opt CheckOptions) (Checked, error) {
	if err := s.enter(ctx); err != nil {
		return Checked{}, err
	}
	defer s.leave()
	if err := s.take(ctx); err != nil {
		return Checked{}, err
	}
	defer func() { s.writer <- struct{}{} }()
	c := &checker{s: s, opt: opt, ctx: ctx, seed: maphash.MakeSeed(), counts: map[string]int64{}, faults: map[string]int64{}}
	if s.lost != nil {
		c.told = append(c.told, fmt.Sprintf("the log ends early: what was written after %s is missing, until %s at least",
			s.lost.since.Format(time.RFC3339Nano), s.lost.until.Format(time.RFC3339Nano)))
	}
	total, err := c.total()
	if err == nil {
		err = c.run(total)
	}
	if err != nil {
		err = scrubbed{err}
	}
	return c.result(), err
}

// checker is one Check.
type checker struct {
	s    *Store
	opt  CheckOptions
	ctx  context.Context
	seed maphash.Seed

	done, all           int64
	resources, versions int64
	counters            int64            // that were compared
	counts              map[string]int64 // counters of types and parameters
	rows                [3]map[uint32]sum
	torn                bool // something can't be read, so that what is missing need not be
	stale               bool
	told                []string
	faults              map[string]int64
}

// sum is a number of keys and the sum of their hashes, which tells whether two walks in different orders met the same ones.
type sum struct {
	n    int64
	hash uint64
}

func (u *sum) add(hash uint64) { u.n, u.hash = u.n+1, u.hash+hash }

// indexTables are the tables of index rows, and their names.
var indexTables = [3]struct {
	table byte
	name  string
}{{tableIndex, "search index"}, {tableSample, "sample of the search index"}, {tableSparse, "sparse sample of the search index"}}

// total returns how many resources the counters tell of.
func (c *checker) total() (n int64, err error) {
	r := &reader{s: c.s, src: c.s.db, micros: c.s.last}
	defer r.close()
	counts, err := r.Counts(c.ctx)
	for _, k := range counts {
		n += k
	}
	if pebble.IsCorruptionError(err) {
		return 0, nil
	}
	return n, err
}

func (c *checker) run(total int64) error {
	c.all = 2 * total
	for i := range c.rows {
		c.rows[i] = map[uint32]sum{}
	}
	for _, typ := range c.s.dict.types() {
		if err := c.checkType(typ); err != nil {
			return err
		}
	}
	for i := range indexTables {
		if err := c.checkIndex(i); err != nil {
			return err
		}
	}
	if err := c.checkCounters(); err != nil {
		return err
	}
	// All else is read too, for its checksums.
	read := func(_, _ []byte) error { return nil }
	return cmp.Or(c.walk([]byte{0}, []byte{tableCount}, read), c.walk([]byte{tableIdentity}, []byte{tableDocument}, read))
}

// fault counts a fault by its sentence, which %d in it stands for the number in.
func (c *checker) fault(sentence string) { c.faults[sentence]++ }

// step tells how far the check is.
func (c *checker) step(n int64) error {
	c.done += n
	if c.opt.Progress != nil && (n > 1 || c.done%1024 == 0) {
		c.opt.Progress(min(c.done, c.all), c.all)
	}
	return c.ctx.Err()
}

func (c *checker) result() Checked {
	out := Checked{Resources: c.resources, Versions: c.versions, Stale: c.stale}
	for _, f := range c.s.damagedFiles() {
		c.told = append(c.told, fmt.Sprintf("the file %s is damaged", f))
	}
	if out.Faults = c.told; c.torn {
		out.Faults = append(out.Faults, "what can be read was not compared with what can't")
		return out
	}
	for sentence, n := range c.faults {
		if strings.Contains(sentence, "%d") {
			sentence = fmt.Sprintf(sentence, n)
		}
		out.Faults = append(out.Faults, sentence)
	}
	slices.Sort(out.Faults[len(c.told):])
	return out
}

// extraction is a resource whose entries are compared with what it should be found by.
type extraction struct {
	rec  storage.Record
	have []search.Entry
	row  []byte
}

// extractAtOnce is how many resources are compared at once.
const extractAtOnce = 256

// checkType goes through the documents, entries and superseded versions of a type side by side.
func (c *checker) checkType(typ string) error {
	num, _ := c.s.dict.find(typ, "")
	table := func(t byte) *walker {
		p := typeKey(nil, t, num, "")
		return c.open(p, prefixEnd(p))
	}
	documents, entries, old := table(tableDocument), table(tableEntries), table(tableOld)
	defer documents.close()
	defer entries.close()
	defer old.close()
	var history sum
	var batch []extraction
	moreEntries, moreOld := entries.next(), old.next()
	for documents.next() {
		id := string(documents.key()[1+numberSize:])
		for moreEntries && string(entries.key()[1+numberSize:]) < id {
			c.fault(typ + ": %d resources are indexed and not there")
			moreEntries = entries.next()
		}
		for ; moreOld && oldID(old.key()) < id; moreOld = old.next() {
			c.fault(typ + ": %d versions are of no resource")
		}
		rec, err := decodeRecord(fhir.Key{Type: typ, ID: id}, documents.value, true)
		if err != nil {
			c.fault(typ + ": %d resources can't be read")
		}
		c.versions++
		history.add(c.hash(historyKey(nil, num, rec.Updated.UnixMicro(), id, rec.Version)))
		if moreOld, err = c.checkVersions(old, moreOld, rec, num, &history); err != nil {
			return err
		}
		indexed := moreEntries && string(entries.key()[1+numberSize:]) == id
		if indexed == rec.Deleted {
			c.fault(typ + ": %d resources lack their entries, or are deleted and have them")
		}
		if indexed {
			x := extraction{rec: rec, row: bytes.Clone(entries.value)}
			if err := c.expect(typ, num, &x); err != nil {
				return err
			}
			if batch = append(batch, x); len(batch) == extractAtOnce {
				c.extract(typ, batch)
				batch = batch[:0]
			}
			moreEntries = entries.next()
		}
		if err := c.step(1); err != nil {
			return err
		}
	}
	c.extract(typ, batch)
	for ; moreEntries; moreEntries = entries.next() {
		c.fault(typ + ": %d resources are indexed and not there")
	}
	for ; moreOld; moreOld = old.next() {
		c.fault(typ + ": %d versions are of no resource")
	}
	if err := cmp.Or(documents.err, entries.err, old.err); err != nil {
		return err
	}
	var have sum
	p := appendNumber([]byte{tableHistory}, num)
	if err := c.walk(p, prefixEnd(p), func(key, _ []byte) error { have.add(c.hash(key)); return nil }); err != nil {
		return err
	}
	if have != history {
		c.fault(typ + ": the history is not that of the versions")
	}
	return nil
}

// oldID is the id in a key of tableOld.
func oldID(key []byte) string {
	id := key[1+numberSize:]
	if i := bytes.IndexByte(id, 0); i >= 0 {
		id = id[:i]
	}
	return string(id)
}

// checkVersions reads the superseded versions of a resource, the newest first, and notes where some are missing.
func (c *checker) checkVersions(old *walker, more bool, newest storage.Record, num uint32, history *sum) (bool, error) {
	next, before := newest.Version-1, newest.Updated
	for ; more && oldID(old.key()) == newest.Key.ID; more = old.next() {
		rec, err := decodeRecord(newest.Key, old.value, true)
		if err != nil {
			c.fault(newest.Key.Type + ": %d versions can't be read")
			continue
		}
		if rec.Version != next || !bytes.Equal(old.key(), oldKey(num, newest.Key.ID, rec.Version)) {
			c.fault(newest.Key.Type + ": %d times versions are missing before one")
		}
		if rec.Updated.After(before) {
			c.fault(newest.Key.Type + ": %d versions are older than the one before")
		}
		next, before = rec.Version-1, rec.Updated
		c.versions++
		history.add(c.hash(historyKey(nil, num, rec.Updated.UnixMicro(), newest.Key.ID, rec.Version)))
	}
	if next != 0 {
		c.fault(newest.Key.Type + ": %d times versions are missing before one")
	}
	return more, old.err
}

// hash is the hash of a key.
func (c *checker) hash(key []byte) uint64 { return maphash.Bytes(c.seed, key) }

// expect notes what rows and counters follow from the entries of a resource.
func (c *checker) expect(typ string, num uint32, x *extraction) error {
	var f found
	if err := c.s.dict.decodeEntries(x.row, &f); err != nil {
		c.fault(typ + ": the entries of %d resources can't be read")
		return nil
	}
	if f.version != x.rec.Version || !f.updated.Equal(x.rec.Updated) {
		c.fault(typ + ": %d resources are indexed as another version")
	}
	x.have = f.entries
	var set keySet
	if err := c.s.dict.collect(&set, typ, x.rec.Key.ID, f.entries); err != nil {
		return err
	}
	c.resources++
	c.counts[string(appendNumber(nil, num))]++
	for _, p := range set.has {
		c.counts[presence(p)]++
	}
	sample, sparse := sampled(x.rec.Key.ID)
	for i, on := range [...]bool{true, sample, sparse} {
		if !on {
			continue
		}
		for _, k := range set.keys {
			p := number(k)
			u := c.rows[i][p]
			u.add(c.hash(k))
			c.rows[i][p] = u
		}
	}
	return nil
}

// extract compares the entries of some resources with what they should be found by.
func (c *checker) extract(typ string, batch []extraction) {
	if c.opt.Entries == nil {
		return
	}
	var wg sync.WaitGroup
	differ := make([]bool, len(batch))
	fails := make([]bool, len(batch))
	for part := range slices.Chunk(indexes(len(batch)), extractAtOnce/8) {
		wg.Go(func() {
			for _, i := range part {
				want, err := c.opt.Entries(batch[i].rec)
				fails[i] = err != nil
				differ[i] = err == nil && !sameEntries(want, batch[i].have)
			}
		})
	}
	wg.Wait()
	for i := range batch {
		if fails[i] {
			c.fault(typ + ": %d resources can't be read as FHIR")
		}
		if differ[i] {
			c.stale = true
			c.fault(typ + ": %d resources are found by something else than their content; `fhirgate reindex` mends it")
		}
	}
}

// indexes returns 0, 1, 2 ... n-1.
func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// sameEntries compares two lists of entries, in any order.
func sameEntries(a, b []search.Entry) bool {
	if len(a) != len(b) {
		return false
	}
	return slices.Equal(textsOf(a), textsOf(b))
}

// textsOf returns what each of the entries says, sorted.
func textsOf(list []search.Entry) []string {
	out := make([]string, len(list))
	for i, e := range list {
		inner := ""
		if e.Inner != nil {
			inner = fmt.Sprintf("%q", textsOf(e.Inner.Entries))
			e.Inner = nil
		}
		out[i] = fmt.Sprintf("%#v", e) + inner
	}
	slices.Sort(out)
	return out
}
