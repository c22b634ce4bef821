package specification

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// The entries of all definitions are 550,000, of 200 bytes each as search.Entry. They are kept packed, at some ten bytes, and a search unpacks those
// of the parameters that it is about.
//
// A book's entries are groups of one parameter each: the number of the parameter's name, the length of what follows, and the entries. An entry is a
// mask of what it has, and the numbers of its texts. Numbers are varints.

// texts numbers the texts of the packed entries of a type.
type texts struct {
	list    []string
	numbers map[string]uint64 // while they are packed
	// params are the numbers of the names of parameters.
	params map[string]uint64
}

func newTexts() *texts {
	return &texts{numbers: make(map[string]uint64), params: make(map[string]uint64)}
}

// number returns the number of a text. It keeps a copy, because the text may be a part of the JSON that it was read from.
func (t *texts) number(s string) uint64 {
	n, ok := t.numbers[s]
	if !ok {
		s = strings.Clone(s)
		n = uint64(len(t.list))
		t.list, t.numbers[s] = append(t.list, s), n
	}
	return n
}

// fields are those of an entry that are texts, in the order of the mask's bits. Behind them are bits for parts and for a held resource's entries.
const (
	fields   = 9
	hasParts = 1 << fields
	hasInner = hasParts << 1
)

// field returns a text of an entry by its bit.
func field(e *search.Entry, bit int) *string {
	switch bit {
	case 0:
		return &e.System
	case 1:
		return &e.Code
	case 2:
		return &e.Folded
	case 3:
		return &e.Exact
	case 4:
		return &e.Lo
	case 5:
		return &e.Hi
	case 6:
		return &e.Type
	case 7:
		return &e.ID
	}
	return &e.URI
}

// pack returns the entries of a definition. What is there twice is packed once.
func (t *texts) pack(entries []search.Entry) []byte {
	var params []string
	groups := make(map[string][]byte)
	seen := make(map[string]bool, len(entries))
	var one []byte
	for i := range entries {
		e := &entries[i]
		group, begun := groups[e.Param]
		if !begun {
			params = append(params, e.Param)
		}
		one = t.append(binary.AppendUvarint(one[:0], t.number(e.Param)), e)
		if !seen[string(one)] {
			seen[string(one)] = true
			_, param := binary.Uvarint(one)
			groups[e.Param] = append(group, one[param:]...)
		}
	}
	var out []byte
	for _, param := range params {
		n := t.number(param)
		t.params[t.list[n]] = n
		out = binary.AppendUvarint(out, n)
		out = binary.AppendUvarint(out, uint64(len(groups[param])))
		out = append(out, groups[param]...)
	}
	return slices.Clip(out)
}

// append appends an entry without its parameter.
func (t *texts) append(dst []byte, e *search.Entry) []byte {
	var mask uint64
	for bit := range fields {
		if *field(e, bit) != "" {
			mask |= 1 << bit
		}
	}
	if len(e.Parts) > 0 {
		mask |= hasParts
	}
	if e.Inner != nil {
		mask |= hasInner
	}
	dst = binary.AppendUvarint(dst, mask)
	for bit := range fields {
		if text := *field(e, bit); text != "" {
			dst = binary.AppendUvarint(dst, t.number(text))
		}
	}
	if len(e.Parts) > 0 {
		dst = binary.AppendUvarint(dst, uint64(len(e.Parts)))
		for i := range e.Parts {
			dst = t.append(dst, &e.Parts[i])
		}
	}
	if e.Inner != nil {
		inner := t.pack(e.Inner.Entries)
		dst = binary.AppendUvarint(dst, uint64(len(inner)))
		dst = append(dst, inner...)
	}
	return dst
}

// unpack appends the packed entries of the parameters that are wanted, of all where wanted is nil.
func (t *texts) unpack(dst []search.Entry, packed []byte, wanted []uint64) []search.Entry {
	for len(packed) > 0 {
		param := take(&packed)
		size := take(&packed)
		group := packed[:size]
		packed = packed[size:]
		if wanted != nil && !slices.Contains(wanted, param) {
			continue
		}
		for len(group) > 0 {
			dst = append(dst, search.Entry{Param: t.list[param]})
			group = t.read(&dst[len(dst)-1], group)
		}
	}
	return dst
}

// read reads an entry without its parameter, and returns what is behind it.
func (t *texts) read(e *search.Entry, packed []byte) []byte {
	mask := take(&packed)
	for bit := range fields {
		if mask&(1<<bit) != 0 {
			*field(e, bit) = t.list[take(&packed)]
		}
	}
	if mask&hasParts != 0 {
		e.Parts = make([]search.Entry, take(&packed))
		for i := range e.Parts {
			packed = t.read(&e.Parts[i], packed)
		}
	}
	if mask&hasInner != 0 {
		size := take(&packed)
		e.Inner = &search.Inner{Entries: t.unpack(nil, packed[:size], nil)}
		packed = packed[size:]
	}
	return packed
}

// take reads a number.
func take(packed *[]byte) uint64 {
	n, size := binary.Uvarint(*packed)
	*packed = (*packed)[size:]
	return n
}

// wanted returns the parameters that a condition and an order look at; nil for all.
func (t *texts) wanted(where search.Expr, sorts []search.Sort) []uint64 {
	names := make([]string, 0, 8)
	if !paramsOf(where, &names) {
		return nil
	}
	for _, s := range sorts {
		names = append(names, s.Param)
		if s.Chain != nil {
			names = append(names, s.Chain.Param)
		}
	}
	wanted := make([]uint64, 0, len(names)) // not nil
	for _, name := range names {
		if n, ok := t.params[name]; ok {
			wanted = append(wanted, n)
		}
	}
	return wanted
}

// paramsOf appends the parameters that a condition looks at; false where they are not known.
func paramsOf(e search.Expr, names *[]string) bool {
	switch e := e.(type) {
	case nil, search.KeyIn, search.Referred:
		return true
	case search.And:
		return paramsOfAll(e, names)
	case search.Or:
		return paramsOfAll(e, names)
	case search.Not:
		return paramsOf(e.Expr, names)
	case search.Some:
		*names = append(*names, e.Param)
		return true
	case search.Refers:
		*names = append(*names, e.Param)
		return true
	}
	return false
}

func paramsOfAll(list []search.Expr, names *[]string) bool {
	for _, e := range list {
		if !paramsOf(e, names) {
			return false
		}
	}
	return true
}
