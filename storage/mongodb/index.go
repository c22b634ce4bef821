package mongodb

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"sync"

	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// fieldIndex is the sub-document that holds what a resource is found by. doc.go shows one.
const fieldIndex = "index"

// The parts of the index. entries and ranges together hold every entry, so that any condition can be told exactly by the server; terms,
// pairs and sort say the same things again in the forms that indexes serve.
const (
	partTerms   = "terms"   // strings that equalities and prefixes ask for
	partEntries = "entries" // entries without a range
	partRanges  = "ranges"  // entries with a range, and the ranges of composites under their tokens
	partSort    = "sort"    // parameter -> its place in an order
	partPairs   = "pairs"   // last parameter of a compound -> terms of its other parameters

	pathTerms   = fieldIndex + "." + partTerms
	pathEntries = fieldIndex + "." + partEntries
	pathRanges  = fieldIndex + "." + partRanges
	pathSort    = fieldIndex + "." + partSort + "."
	pathPairs   = fieldIndex + "." + partPairs + "."
)

// The members of an entry, a range and a sort key. Fields that are not set are left out, but for the bounds of a range.
const (
	memberParam  = "p"
	memberSystem = "y"
	memberCode   = "c"
	memberFolded = "f"
	memberExact  = "x"
	memberLo     = "l"
	memberHi     = "h"
	memberType   = "t"
	memberID     = "i"
	memberURI    = "u"
	memberWidth  = "w" // of a range or sort key; see width
	memberLeast  = "a" // of a sort key: the value that it has ascending
	memberMost   = "d" // of a sort key of width several: the value that it has descending
)

// isRange reports whether an entry is in ranges.
func isRange(e *search.Entry) bool { return len(e.Parts) == 0 && (e.Lo != "" || e.Hi != "") }

// indexer makes the index of one document. It is used again for the next.
type indexer struct {
	arena  []byte
	terms  [][]byte
	ranges []rangeEntry
	order  []int
	forms  [][]byte
	pairs  [][]byte
}

type rangeEntry struct {
	param []byte
	e     *search.Entry // nil for that of a composite
	lo    string
	hi    string
}

var indexers = sync.Pool{New: func() any { return new(indexer) }}

// begin makes x ready for the entries of one document.
func (x *indexer) begin(entries []search.Entry) {
	x.arena, x.terms, x.ranges, x.order = x.arena[:0], x.terms[:0], x.ranges[:0], x.order[:0]
	for i := range entries {
		x.order = append(x.order, i)
	}
	slices.SortStableFunc(x.order, func(a, b int) int { return cmp.Compare(entries[a].Param, entries[b].Param) })
}

// done gives x back.
func (x *indexer) done() {
	clear(x.ranges)
	if cap(x.arena) < 1<<20 {
		indexers.Put(x)
	}
}

// appendIndex appends the index as the last member of a document under construction. Entries are a set: duplicates leave no trace. Those of
// spilled parameters are in further documents; all of them have their place in sort.
func appendIndex(dst []byte, key fhir.Key, all []search.Entry, spilled []string) []byte {
	x := indexers.Get().(*indexer)
	defer x.done()
	entries := all
	at, dst := bsoncore.AppendDocumentElementStart(dst, fieldIndex)
	if spilled != nil {
		entries, _ = divide(all, spilled)
	}
	x.begin(entries)
	x.terms = append(x.terms, []byte(termLive))
	if spilled != nil {
		x.terms = append(x.terms, []byte(term(ownParam, kindCode, key.ID)))
	}
	for _, i := range x.order {
		x.entry(&entries[i])
	}
	for _, params := range joints(key.Type) {
		x.joint(&x.terms, params, entries)
	}
	dst = appendStrings(dst, partTerms, distinct(x.terms))
	dst = x.appendPairs(dst, key.Type, entries)
	if spilled != nil {
		y := indexers.Get().(*indexer)
		defer y.done()
		y.begin(all)
		dst = y.appendSort(dst, all)
	} else {
		dst = x.appendSort(dst, entries)
	}
	dst = x.appendRanges(dst)
	dst = x.appendEntries(dst, entries)
	dst, _ = bsoncore.AppendDocumentEnd(dst, at)
	return dst
}

// keep moves what was appended to the arena since start out as a slice of its own.
func (x *indexer) keep(start int) []byte { return x.arena[start:len(x.arena):len(x.arena)] }

// entry collects the terms and ranges of one entry.
func (x *indexer) entry(e *search.Entry) {
	before := len(x.terms) + len(x.ranges)
	if isRange(e) {
		start := len(x.arena)
		x.arena = appendPart(x.arena, e.Param)
		x.ranges = append(x.ranges, rangeEntry{x.keep(start), e, e.Lo, e.Hi})
	}
	x.eachTerm(e, func(kind, lead, last string, leading bool) {
		start := len(x.arena)
		x.arena = appendPart(appendPart(x.arena, e.Param), kind)
		if leading {
			x.arena = appendPart(x.arena, lead)
		}
		x.arena = append(x.arena, last...)
		x.terms = append(x.terms, x.keep(start))
	})
	if len(e.Parts) > 0 {
		x.composite(e)
	}
	if len(x.terms)+len(x.ranges) == before {
		start := len(x.arena)
		x.arena = appendPart(appendPart(x.arena, e.Param), kindPresent)
		x.terms = append(x.terms, x.keep(start))
	}
}

// eachTerm yields the terms of the fields of one entry or part.
func (x *indexer) eachTerm(e *search.Entry, yield func(kind, lead, last string, leading bool)) {
	if e.Code != "" {
		yield(kindCode, "", e.Code, false)
	}
	if e.Code != "" || e.System != "" {
		yield(kindToken, e.System, e.Code, true)
	}
	if e.Folded != "" {
		yield(kindFolded, "", e.Folded, false)
	}
	if e.Exact != "" {
		yield(kindExact, "", e.Exact, false)
	}
	if e.ID != "" || e.Type != "" {
		yield(kindReference, e.Type, e.ID, true)
	}
	if e.URI != "" {
		yield(kindURI, "", e.URI, false)
	}
}

// composite collects what a composite is found by: the joined terms of its parts without a range, under which its first range stands too.
func (x *indexer) composite(e *search.Entry) {
	start := len(x.arena)
	x.arena = appendPart(appendPart(x.arena, e.Param), kindComposite)
	heads := append(x.forms[:0], x.keep(start))
	var rng *search.Entry
	for i := range e.Parts {
		p := &e.Parts[i]
		if p.Lo != "" || p.Hi != "" {
			if rng == nil {
				rng = p
			}
			continue
		}
		var next [][]byte
		x.eachTerm(p, func(kind, lead, last string, leading bool) {
			for _, h := range heads {
				start := len(x.arena)
				x.arena = append(x.arena, h...)
				x.arena = appendForm(x.arena, kind, lead, last, leading)
				next = append(next, x.keep(start))
			}
		})
		heads = next
	}
	x.forms = heads
	for _, h := range heads {
		if rng != nil {
			x.ranges = append(x.ranges, rangeEntry{h, nil, rng.Lo, rng.Hi})
		}
		x.terms = append(x.terms, h)
	}
}

// appendForm appends one part of a joined term.
func appendForm(dst []byte, kind, lead, last string, leading bool) []byte {
	dst = appendPart(dst, kind)
	if leading {
		dst = appendPart(dst, lead)
	}
	return appendPart(dst, last)
}

// lead returns the parameters of a compound that are asked by equality, and the last one, which is a range or an order.
func lead(c search.Compound) (params []string, last string) {
	n := len(c.Params) - 1
	return c.Params[:n], c.Params[n]
}

// joints returns the combinations of parameters of a type that have joined terms: those that its compounds are asked for by equality.
func joints(typ string) [][]string {
	var out [][]string
	for _, c := range search.Compounds(typ) {
		params, _ := lead(c)
		if len(params) > 1 && !slices.ContainsFunc(out, func(o []string) bool { return slices.Equal(o, params) }) {
			out = append(out, params)
		}
	}
	return out
}

// pairForm tells the kinds of terms that pairs and joints are made of: the code with and without its system, and the reference.
func pairForm(kind string) bool {
	return kind == kindCode || kind == kindToken || kind == kindReference
}

// joint appends to out the joined terms of the given parameters: one for each combination of their terms.
func (x *indexer) joint(out *[][]byte, params []string, entries []search.Entry) {
	start := len(x.arena)
	for _, p := range params {
		x.arena = appendPart(x.arena, p)
	}
	x.arena = appendPart(x.arena, kindJoint)
	heads := [][]byte{x.keep(start)}
	for _, p := range params {
		var next [][]byte
		for _, i := range x.of(p, entries) {
			if isRange(&entries[i]) {
				continue
			}
			x.eachTerm(&entries[i], func(kind, lead, last string, leading bool) {
				if !pairForm(kind) {
					return
				}
				for _, h := range heads {
					start := len(x.arena)
					x.arena = append(x.arena, h...)
					x.arena = appendForm(x.arena, kind, lead, last, leading)
					next = append(next, x.keep(start))
				}
			})
		}
		heads = next
	}
	*out = append(*out, heads...)
}

// of returns the places of the entries of a parameter.
func (x *indexer) of(param string, entries []search.Entry) []int {
	i, _ := slices.BinarySearchFunc(x.order, param, func(at int, p string) int { return cmp.Compare(entries[at].Param, p) })
	j := i
	for j < len(x.order) && entries[x.order[j]].Param == param {
		j++
	}
	return x.order[i:j]
}

// appendPairs appends the terms that come before a range or an order in an index.
func (x *indexer) appendPairs(dst []byte, typ string, entries []search.Entry) []byte {
	at, dst := bsoncore.AppendDocumentElementStart(dst, partPairs)
	for _, last := range pairLasts(typ) {
		x.pairs = x.pairs[:0]
		for _, c := range search.Compounds(typ) {
			if params, l := lead(c); l == last {
				x.joint(&x.pairs, params, entries)
			}
		}
		if len(x.pairs) > 0 {
			dst = appendStrings(dst, keyName(last), distinct(x.pairs))
		}
	}
	dst, _ = bsoncore.AppendDocumentEnd(dst, at)
	return dst
}

// appendSort appends the place of the resource in the order of each parameter.
func (x *indexer) appendSort(dst []byte, entries []search.Entry) []byte {
	at, dst := bsoncore.AppendDocumentElementStart(dst, partSort)
	for i := 0; i < len(x.order); {
		first := &entries[x.order[i]]
		least := search.SortField(first)
		most := least
		w := int32(widthNone)
		if isRange(first) {
			w = width(first.Lo, first.Hi)
		}
		j := i + 1
		for ; j < len(x.order) && entries[x.order[j]].Param == first.Param; j++ {
			e := &entries[x.order[j]]
			v := search.SortField(e)
			if v != least || v != most || isRange(e) != isRange(first) || e.Lo != first.Lo || e.Hi != first.Hi {
				w = widthSeveral
			}
			least, most = min(least, v), max(most, v)
		}
		k, d := bsoncore.AppendDocumentElementStart(dst, keyName(first.Param))
		d = bsoncore.AppendInt32Element(d, memberWidth, w)
		d = bsoncore.AppendStringElement(d, memberLeast, least)
		if w == widthSeveral {
			d = bsoncore.AppendStringElement(d, memberMost, most)
		}
		dst, _ = bsoncore.AppendDocumentEnd(d, k)
		i = j
	}
	dst, _ = bsoncore.AppendDocumentEnd(dst, at)
	return dst
}

// appendRanges appends the ranges.
func (x *indexer) appendRanges(dst []byte) []byte {
	at, dst := bsoncore.AppendArrayElementStart(dst, partRanges)
	for i := range x.ranges {
		r := &x.ranges[i]
		k, d := bsoncore.AppendDocumentElementStart(dst, strconv.Itoa(i))
		d = appendBytes(d, memberParam, r.param)
		d = bsoncore.AppendInt32Element(d, memberWidth, width(r.lo, r.hi))
		d = bsoncore.AppendStringElement(d, memberLo, r.lo)
		d = bsoncore.AppendStringElement(d, memberHi, r.hi)
		if r.e != nil {
			d = appendFields(d, r.e, false)
		}
		dst, _ = bsoncore.AppendDocumentEnd(d, k)
	}
	dst, _ = bsoncore.AppendArrayEnd(dst, at)
	return dst
}

// appendEntries appends the entries without a range.
func (x *indexer) appendEntries(dst []byte, entries []search.Entry) []byte {
	at, dst := bsoncore.AppendArrayElementStart(dst, partEntries)
	n := 0
	for _, i := range x.order {
		e := &entries[i]
		if isRange(e) {
			continue
		}
		k, d := bsoncore.AppendDocumentElementStart(dst, strconv.Itoa(n))
		d = bsoncore.AppendStringElement(d, memberParam, e.Param)
		d = appendWhole(d, e)
		dst, _ = bsoncore.AppendDocumentEnd(d, k)
		n++
	}
	dst, _ = bsoncore.AppendArrayEnd(dst, at)
	return dst
}

// appendFields appends the fields that are set.
func appendFields(dst []byte, e *search.Entry, bounds bool) []byte {
	add := func(name, v string) {
		if v != "" {
			dst = bsoncore.AppendStringElement(dst, name, v)
		}
	}
	add(memberSystem, e.System)
	add(memberCode, e.Code)
	add(memberFolded, e.Folded)
	add(memberExact, e.Exact)
	if bounds {
		add(memberLo, e.Lo)
		add(memberHi, e.Hi)
	}
	add(memberType, e.Type)
	add(memberID, e.ID)
	add(memberURI, e.URI)
	return dst
}

// distinct sorts list and drops duplicates.
func distinct(list [][]byte) [][]byte {
	slices.SortFunc(list, bytes.Compare)
	return slices.CompactFunc(list, bytes.Equal)
}

// appendStrings appends an array of strings.
func appendStrings(dst []byte, name string, list [][]byte) []byte {
	at, dst := bsoncore.AppendArrayElementStart(dst, name)
	var key [8]byte
	for i, s := range list {
		dst = append(dst, byte(bsoncore.TypeString))
		dst = append(dst, strconv.AppendInt(key[:0], int64(i), 10)...)
		dst = append(dst, 0)
		n := len(s) + 1
		dst = append(dst, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
		dst = append(append(dst, s...), 0)
	}
	dst, _ = bsoncore.AppendArrayEnd(dst, at)
	return dst
}

// appendBytes appends a string element.
func appendBytes(dst []byte, name string, s []byte) []byte {
	dst = append(dst, byte(bsoncore.TypeString))
	dst = append(append(dst, name...), 0)
	n := len(s) + 1
	dst = append(dst, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	return append(append(dst, s...), 0)
}
