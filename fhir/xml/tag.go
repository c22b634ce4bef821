package xml

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/fhirgate/fhirgate/fhir"
)

// Tags and their attributes (XML 1.0, 3.1 Start-Tags, End-Tags, and Empty-Element Tags).

// name reads a qualified name at the beginning of b. A name that b may not hold whole is errMore.
func (s *scanner) name(b []byte, offset int) (prefix, local []byte, n int, err error) {
	colon := -1
	for n < len(b) && (class[b[n]]&isName != 0 || b[n] == ':') {
		if b[n] == ':' {
			if colon >= 0 {
				return nil, nil, 0, s.fail(offset+n, fhir.IDXMLSyntax, "a name has two colons")
			}
			colon = n
		}
		n++
	}
	if n == len(b) {
		return nil, nil, 0, errMore
	}
	if class[b[n]]&isHigh != 0 || n == 0 || n > maxNameLength {
		return nil, nil, 0, s.fail(offset, fhir.IDXMLSyntax, "a name of letters, digits, '-', '.' and '_' was expected")
	}
	local = b[:n]
	if colon >= 0 {
		prefix, local = b[:colon], b[colon+1:n]
		if len(prefix) == 0 || len(local) == 0 || notNameStart(prefix[0]) {
			return nil, nil, 0, s.fail(offset, fhir.IDXMLSyntax, "a name begins or ends with a colon")
		}
	}
	if notNameStart(local[0]) {
		return nil, nil, 0, s.fail(offset, fhir.IDXMLSyntax, "a name begins with a letter or '_'")
	}
	return prefix, local, n, nil
}

func notNameStart(c byte) bool { return c == '-' || c == '.' || c >= '0' && c <= '9' }

// start reads a start tag and enters its element.
func (s *scanner) start(b []byte) (int, error) {
	t := &s.tok
	if s.rooted && len(s.open) == 0 {
		return 0, s.fail(0, fhir.IDXMLSyntax, "a second root element begins")
	}
	t.kind, t.empty, t.attrs = startTag, false, t.attrs[:0]
	if n := s.plainTag(b); n > 0 {
		return n, nil
	}
	t.empty, t.attrs = false, t.attrs[:0]
	var err error
	var n int
	if t.prefix, t.local, n, err = s.name(b[1:], 1); err != nil {
		return 0, err
	}
	i := 1 + n
	t.afterName = i
	declared := false
	for {
		at := i
		for i < len(b) && class[b[i]]&isBlank != 0 {
			i++
		}
		if i == len(b) {
			return 0, errMore
		}
		if b[i] == '>' {
			i++
			break
		}
		if b[i] == '/' {
			if i+1 == len(b) {
				return 0, errMore
			}
			if b[i+1] != '>' {
				return 0, s.fail(i, fhir.IDXMLSyntax, "/ is not followed by >")
			}
			t.empty = true
			i += 2
			break
		}
		if at == i {
			return 0, s.fail(i, fhir.IDXMLSyntax, "white space was expected before an attribute")
		}
		var a attribute
		if i, err = s.attribute(b, i, &a); err != nil {
			return 0, err
		}
		declared = declared || len(a.local) == 5 && string(a.local) == "xmlns" && len(a.prefix) == 0 || len(a.prefix) == 5 && string(a.prefix) == "xmlns"
		t.attrs = append(t.attrs, a)
	}
	if len(s.open) >= s.lim.Depth {
		return 0, s.fail(0, fhir.IDXMLDepth, fmt.Sprintf("nested deeper than %d", s.lim.Depth))
	}
	return i, s.enter(b[1:t.afterName], declared)
}

// plainTag reads a start tag of the two forms that nearly all have, <name> and <name value="plain"/>, inside of the root, and returns its length.
// Whatever is not so is 0, and start reads it: plainTag accepts nothing that start would not, and sees the same in it.
func (s *scanner) plainTag(b []byte) int {
	i := 1
	for i < len(b) && class[b[i]]&isName != 0 {
		i++
	}
	const value = ` value="`
	depth := len(s.open)
	if i == 1 || i > maxNameLength || i+len(value) >= len(b) || notNameStart(b[1]) || depth == 0 || depth >= s.lim.Depth {
		return 0
	}
	t := &s.tok
	t.prefix, t.local, t.ns, t.afterName = nil, b[1:i], s.spaces[depth-1], i
	if b[i] == '>' {
		s.open = append(s.open, len(s.names))
		s.names = append(s.names, t.local...)
		s.spaces = append(s.spaces, t.ns)
		return i + 1
	}
	if string(b[i:i+len(value)]) != value {
		return 0
	}
	name := b[i+1 : i+len(value)-2]
	i += len(value)
	n := plainValue(b[i:])
	if i+n+2 >= len(b) || b[i+n] != '"' || b[i+n+1] != '/' || b[i+n+2] != '>' {
		return 0
	}
	// An empty element declares nothing and has nothing in it, so it is not entered.
	t.empty = true
	t.attrs = append(t.attrs, attribute{local: name, value: b[i : i+n : i+n]})
	return i + n + 3
}

// plainValue returns how many bytes at the beginning of b are ASCII that stands for itself in XML and JSON: no quotes, no markup, no escapes, no
// control characters.
func plainValue(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if m := specialBytes(w) | w&0x8080808080808080; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for i < len(b) && class[b[i]]&^(isName|isBlank) == 0 && b[i] != '>' {
		i++
	}
	return i
}

// attribute reads an attribute at b[i:] and returns where it ends.
func (s *scanner) attribute(b []byte, i int, a *attribute) (int, error) {
	var n int
	var err error
	from := i
	if a.prefix, a.local, n, err = s.name(b[i:], i); err != nil {
		return 0, err
	}
	i += n
	for i < len(b) && class[b[i]]&isBlank != 0 {
		i++
	}
	if i == len(b) {
		return 0, errMore
	}
	if b[i] != '=' {
		return 0, s.fail(i, fhir.IDXMLSyntax, "= was expected after an attribute's name")
	}
	i++
	for i < len(b) && class[b[i]]&isBlank != 0 {
		i++
	}
	if i == len(b) {
		return 0, errMore
	}
	quote := b[i]
	if quote != '"' && quote != '\'' {
		return 0, s.fail(i, fhir.IDXMLSyntax, "the value of an attribute must be in quotes")
	}
	i++
	begin := i
	var mask byte
	for i < len(b) && b[i] != quote {
		mask |= class[b[i]]
		i++
	}
	if i == len(b) {
		return 0, errMore
	}
	a.value, a.mask = b[begin:i:i], mask
	if mask&isLess != 0 {
		return 0, s.fail(begin+bytes.IndexByte(a.value, '<'), fhir.IDXMLSyntax, "the value of an attribute contains <; write &lt;")
	}
	if mask&(isControl|isHigh) != 0 {
		if err := s.characters(a.value, begin); err != nil {
			return 0, err
		}
	}
	if mask&isEntity != 0 {
		if err := s.references(a.value, begin); err != nil {
			return 0, err
		}
	}
	if len(s.tok.attrs) >= maxAttributes {
		return 0, s.fail(from, fhir.IDXMLAttribute, "an element has too many attributes")
	}
	for j := range s.tok.attrs {
		if o := &s.tok.attrs[j]; bytes.Equal(o.local, a.local) && bytes.Equal(o.prefix, a.prefix) {
			return 0, s.fail(from, fhir.IDXMLSyntax, "an attribute is given twice")
		}
	}
	return i + 1, nil
}

// endTag_ reads an end tag and leaves its element.
func (s *scanner) endTag_(b []byte) (int, error) {
	t := &s.tok
	if len(s.open) == 0 {
		return 0, s.fail(0, fhir.IDXMLSyntax, "an end tag has no start tag")
	}
	name := s.names[s.open[len(s.open)-1]:]
	i := 2 + len(name)
	if len(b) <= i && !bytes.Contains(b, []byte{'>'}) {
		return 0, errMore
	}
	if len(b) <= i || string(b[2:i]) != string(name) {
		return 0, s.fail(0, fhir.IDXMLSyntax, "the end tag is not that of "+short(name))
	}
	for i < len(b) && class[b[i]]&isBlank != 0 {
		i++
	}
	if i == len(b) {
		return 0, errMore
	}
	if b[i] != '>' {
		return 0, s.fail(0, fhir.IDXMLSyntax, "the end tag is not that of "+short(name))
	}
	t.kind = endTag
	s.leave()
	return i + 1, nil
}

// short returns as much of a name as a message shows.
func short(name []byte) string {
	if len(name) > 64 {
		return string(name[:64]) + "..."
	}
	return string(name)
}
