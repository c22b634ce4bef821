package mongodb

import (
	"strconv"
	"strings"
)

// The kinds of a term, which stand behind the parameter's name.
const (
	kindCode      = "c" // code
	kindToken     = "t" // system|code
	kindFolded    = "f"
	kindExact     = "x"
	kindReference = "r" // type|id
	kindURI       = "u"
	kindComposite = "k" // the terms of the parts
	kindJoint     = "j" // of a compound: the terms of its parameters
	kindPresent   = "p" // of an entry that has no other term and no range
)

// termLive is the term of every resource that is not deleted.
const termLive = "*"

// The widths of a range tell how many leading bytes its bounds share, so that "hi is above A" bounds lo from below: where lo and hi enclose A,
// A shares those bytes with them. Sort keys carry them too. A parameter that sorts by several values is of width several: its ranges are not
// told by one pair of scalars.
const (
	widthSeveral = 0
	widthFar     = 1 // nothing is known
	width6       = 2 // 6 bytes or more: a month, or a digit of a number
	width8       = 3 // a day
	width12      = 4 // a minute
	widthPoint   = 5 // hi is lo and "!"
	widthNone    = 6 // of a sort key: what has no range
)

// shared is the number of bytes that ranges of a width share at least.
var shared = [...]int{widthFar: 0, width6: 6, width8: 8, width12: 12}

// pointMark is what comes after lo in the hi of a point (see fhir/search).
const pointMark = "!"

func width(lo, hi string) int32 {
	if lo > hi || lo == "" {
		return widthSeveral
	}
	if len(hi) == len(lo)+1 && hi[:len(lo)] == lo && hi[len(lo):] == pointMark {
		return widthPoint
	}
	n := 0
	for n < len(lo) && n < len(hi) && lo[n] == hi[n] {
		n++
	}
	for w := int32(width12); w > widthFar; w-- {
		if n >= shared[w] {
			return w
		}
	}
	return widthFar
}

// appendPart appends s so that the bar behind it can be told from those in it.
func appendPart(dst []byte, s string) []byte {
	if strings.IndexByte(s, '|') < 0 && strings.IndexByte(s, '\\') < 0 {
		return append(append(dst, s...), '|')
	}
	for i := 0; i < len(s); i++ {
		if s[i] == '|' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '|')
}

// term returns a term: its parameter, its kind, leading parts and the last, which is unchanged.
func term(param, kind string, values ...string) string {
	dst := appendPart(make([]byte, 0, 64), param)
	dst = appendPart(dst, kind)
	for i, v := range values {
		if i == len(values)-1 {
			dst = append(dst, v...)
		} else {
			dst = appendPart(dst, v)
		}
	}
	return string(dst)
}

// keyName returns a parameter's name as a member of a document: paths have no meaning in it.
func keyName(param string) string {
	if param != "" && !strings.ContainsAny(param, ".$%\x00") {
		return param
	}
	var b strings.Builder
	b.WriteByte('%')
	for i := 0; i < len(param); i++ {
		switch c := param[i]; c {
		case '.', '$', '%', 0:
			b.WriteString("%" + strconv.FormatInt(int64(c), 16))
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
