package xml

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"unicode/utf8"

	"github.com/fhirgate/fhirgate/fhir"
)

// The scanner reads a subset of XML 1.0 with namespaces: elements with attributes, text, comments and CDATA sections in UTF-8. A document type,
// processing instructions and entities other than the five of XML are refused, so nothing outside the document is ever read and nothing in
// it expands.

// tokenKind says what a token is.
type tokenKind uint8

const (
	endOfDocument tokenKind = iota
	startTag
	endTag
	text
	comment
	cdata
)

// space is a namespace.
type space uint8

const (
	noSpace space = iota
	fhirSpace
	xhtmlSpace
	schemaInstance
	xmlSpace
	otherSpace
)

const (
	fhirURI   = "http://hl7.org/fhir"
	xhtmlURI  = "http://www.w3.org/1999/xhtml"
	schemaURI = "http://www.w3.org/2001/XMLSchema-instance"
	xmlURI    = "http://www.w3.org/XML/1998/namespace"
)

// token is one piece of a document. Its slices are valid until the next one is read.
type token struct {
	kind tokenKind
	// raw is the token as it is written; for text and CDATA the characters only.
	raw []byte
	// blank is set for text that is white space only.
	blank bool
	// prefix and local are the parts of a tag's name, ns its namespace.
	prefix, local []byte
	ns            space
	// empty is set for a start tag that ends its element too; no end tag follows.
	empty bool
	attrs []attribute
	// afterName is the offset in raw at which a start tag's name ends.
	afterName int
}

// attribute is an attribute as it is written, without quotes. mask tells what value holds.
type attribute struct {
	prefix, local, value []byte
	ns                   space
	mask                 byte
}

// What a byte means for the text it is in.
const (
	isName    byte = 1 << iota // may be part of a name
	isBlank                    // white space: tab, line feed, carriage return, space
	isBreak                    // tab, line feed, carriage return
	isControl                  // no character of XML
	isHigh                     // part of a character outside of ASCII
	isEntity                   // &
	isLess                     // <
	isQuoted                   // escaped in JSON: " and \
)

var class = func() (t [256]byte) {
	for c := range t {
		switch {
		case c == ' ':
			t[c] = isBlank
		case c == '\t' || c == '\n' || c == '\r':
			t[c] = isBlank | isBreak
		case c < ' ':
			t[c] = isControl
		case c >= utf8.RuneSelf:
			t[c] = isHigh
		case c == '&':
			t[c] = isEntity
		case c == '<':
			t[c] = isLess
		case c == '"' || c == '\\':
			t[c] = isQuoted
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_':
			t[c] = isName
		}
	}
	return t
}()

const (
	chunk         = 32 << 10
	maxAttributes = 100
	maxNameLength = 200
	maxBindings   = 100
)

// scanner reads tokens from r, or from buf alone where r is nil. It holds a chunk of the document, or one token if that is larger.
type scanner struct {
	r        io.Reader
	buf      []byte
	pos, end int
	ended    bool // nothing follows buf[:end]
	failed   error
	lim      Limits
	read     int // bytes taken from r

	line, column int // of buf[0], counted from 0
	// entities reads the named entities of HTML too.
	entities bool
	begun    bool
	rooted   bool // the root element was read, or is being read
	names    []byte
	open     []int // the offsets in names at which the names of open elements begin
	spaces   []space
	bindings []binding
	tok      token
	closing  bool // the last token was an empty element, whose scope is to be left
}

// binding binds a prefix to a namespace in the element at a depth and below.
type binding struct {
	prefix string
	ns     space
	depth  int
}

// errMore is the answer of a part of the scanner that has come to the end of the buffer.
var errMore = fmt.Errorf("more")

func newScanner(r io.Reader, lim Limits) *scanner {
	s := scanners.Get().(*scanner)
	*s = scanner{r: r, buf: s.buf, lim: lim.withDefaults(), names: s.names[:0], open: s.open[:0], spaces: s.spaces[:0], bindings: s.bindings[:0],
		tok: token{attrs: s.tok.attrs[:0]}}
	return s
}

// scanners are scanners whose buffers are used again.
var scanners = sync.Pool{New: func() any { return &scanner{buf: make([]byte, chunk)} }}

// release gives the scanner's buffers back, unless a large tag has made them large. Nothing of it is used afterwards.
func (s *scanner) release() {
	if len(s.buf) <= 4*chunk {
		s.r, s.failed = nil, nil
		scanners.Put(s)
	}
}

// more makes room behind what begins at pos and reads into it. It reports whether anything came.
func (s *scanner) more() bool {
	if s.ended {
		return false
	}
	if s.r == nil {
		s.ended = true
		return false
	}
	if s.pos > 0 {
		s.forget(s.buf[:s.pos])
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	if s.end == len(s.buf) {
		grown := make([]byte, 2*len(s.buf))
		copy(grown, s.buf)
		s.buf = grown
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.read += n
		if s.read > s.lim.Size {
			s.failed = fhir.NewError(fhir.KindTooLarge, fhir.IssueTooLong, fhir.IDXMLSize, fmt.Sprintf("the document is larger than %d bytes", s.lim.Size))
			s.ended, s.end = true, s.pos
			return false
		}
		if err != nil {
			s.ended = true
			if err != io.EOF {
				s.failed, s.end = err, s.pos
			}
		}
		if n > 0 || err != nil {
			return n > 0 && s.failed == nil
		}
	}
	s.failed, s.ended, s.end = io.ErrNoProgress, true, s.pos
	return false
}

// forget counts the lines and columns of bytes that leave the buffer.
func (s *scanner) forget(b []byte) {
	if n := bytes.Count(b, []byte{'\n'}); n > 0 {
		s.line += n
		s.column = 0
		b = b[bytes.LastIndexByte(b, '\n')+1:]
	}
	s.column += runes(b)
}

// runes counts the characters of UTF-8 as the bytes that do not continue one, eight at a time.
func runes(b []byte) int {
	n := len(b)
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		n -= bits.OnesCount64(w & ^(w << 1) & 0x8080808080808080)
	}
	for ; i < len(b); i++ {
		if b[i]&0xc0 == 0x80 {
			n--
		}
	}
	return n
}

// fail makes an error at an offset from pos.
func (s *scanner) fail(offset int, id fhir.IssueID, text string) error {
	if s.failed != nil {
		return s.failed
	}
	at := *s
	at.forget(s.buf[:min(s.pos+offset, s.end)])
	kind, code := fhir.KindInvalid, fhir.IssueStructure
	if id == fhir.IDXMLDepth {
		kind, code = fhir.KindTooLarge, fhir.IssueTooLong
	}
	return fhir.NewError(kind, code, id, fmt.Sprintf("XML, line %d column %d: %s", at.line+1, at.column+1, text))
}

// next reads the next token. After the root element only comments and white space may follow, which it skips.
func (s *scanner) next() (*token, error) {
	t := &s.tok
	if s.closing {
		s.closing = false
		s.leave()
	}
	for {
		s.pos += len(t.raw)
		t.raw = nil
		n, err := s.token(s.buf[s.pos:s.end])
		if err == errMore {
			if ended := s.ended; s.more() || !ended && s.failed == nil {
				continue // what is read differs at the end of the document
			}
			if s.failed != nil {
				return nil, s.failed
			}
			return nil, s.fail(s.end-s.pos, fhir.IDXMLSyntax, "the document ends too early")
		}
		if err != nil {
			return nil, err
		}
		t.raw = s.buf[s.pos : s.pos+n]
		if len(s.open) == 0 && !s.closing && t.kind != startTag && t.kind != endTag && t.kind != endOfDocument {
			if t.kind == comment || t.kind == text && t.blank {
				continue
			}
			return nil, s.fail(0, fhir.IDXMLSyntax, "there is text outside the root element")
		}
		switch t.kind {
		case text, comment:
		case cdata:
			// The markup around the characters is passed with them.
			inner := t.raw[len("<![CDATA[") : n-len("]]>")]
			if err := s.characters(inner, len("<![CDATA[")); err != nil {
				return nil, err
			}
		}
		return t, nil
	}
}

// token reads one token at the beginning of b and returns its length.
func (s *scanner) token(b []byte) (int, error) {
	t := &s.tok
	if !s.begun {
		n, err := s.prolog(b)
		if err != nil {
			return 0, err
		}
		s.begun = true
		if n > 0 {
			t.kind, t.blank = text, true
			return n, nil
		}
	}
	if len(b) == 0 {
		if !s.ended {
			return 0, errMore
		}
		if s.failed != nil {
			return 0, s.failed
		}
		if len(s.open) > 0 || !s.rooted {
			return 0, s.fail(0, fhir.IDXMLSyntax, "the document ends before its root element does")
		}
		t.kind = endOfDocument
		return 0, nil
	}
	if b[0] != '<' {
		return s.text(b)
	}
	if len(b) < 2 {
		return 0, errMore
	}
	switch b[1] {
	case '/':
		return s.endTag_(b)
	case '!':
		return s.declaration(b)
	case '?':
		return 0, s.fail(0, fhir.IDXMLInstruction, "processing instructions are not accepted")
	}
	return s.start(b)
}

// prolog skips a byte order mark and reads the XML declaration, which may only say version 1.0 and UTF-8.
func (s *scanner) prolog(b []byte) (int, error) {
	if len(b) < 6 && !s.ended {
		return 0, errMore
	}
	n := 0
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		n = 3
	} else if len(b) > 1 && (b[0] == 0xfe && b[1] == 0xff || b[0] == 0xff && b[1] == 0xfe || b[0] == 0 || b[1] == 0) {
		return 0, s.fail(0, fhir.IDXMLEncoding, "the document is not in UTF-8")
	}
	rest := b[n:]
	if len(rest) < 6 && !s.ended {
		return 0, errMore
	}
	if !bytes.HasPrefix(rest, []byte("<?xml")) || len(rest) > 5 && class[rest[5]]&isBlank == 0 {
		return n, nil
	}
	end := bytes.Index(rest, []byte("?>"))
	if end < 0 {
		if len(rest) > 200 {
			return 0, s.fail(n, fhir.IDXMLSyntax, "the XML declaration does not end")
		}
		return 0, errMore
	}
	if err := s.xmlDeclaration(string(rest[5:end]), n+5); err != nil {
		return 0, err
	}
	return n + end + 2, nil
}

func (s *scanner) xmlDeclaration(d string, offset int) error {
	wrong := func() error {
		return s.fail(offset, fhir.IDXMLSyntax, `the XML declaration is not <?xml version="1.0" encoding="UTF-8"?>`)
	}
	for i, name := range []string{"version", "encoding", "standalone"} {
		rest := trimBlank(d)
		if len(rest) == len(d) || len(rest) < len(name) || rest[:len(name)] != name {
			if i == 0 {
				return wrong()
			}
			continue
		}
		rest = trimBlank(rest[len(name):])
		if rest == "" || rest[0] != '=' {
			return wrong()
		}
		rest = trimBlank(rest[1:])
		if len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' {
			return wrong()
		}
		end := bytes.IndexByte([]byte(rest[1:]), rest[0])
		if end < 0 {
			return wrong()
		}
		value := rest[1 : end+1]
		d = rest[end+2:]
		switch lower := string(bytes.ToLower([]byte(value))); {
		case name == "version" && value == "1.0", name == "standalone" && (value == "yes" || value == "no"):
		case name == "encoding" && (lower == "utf-8" || lower == "us-ascii"):
		case name == "encoding":
			return s.fail(offset, fhir.IDXMLEncoding, "the document is not in UTF-8")
		default:
			return wrong()
		}
	}
	if trimBlank(d) != "" {
		return wrong()
	}
	return nil
}

func trimBlank(s string) string {
	for s != "" && class[s[0]]&isBlank != 0 {
		s = s[1:]
	}
	return s
}

// text reads characters up to the next markup.
func (s *scanner) text(b []byte) (int, error) {
	t := &s.tok
	var mask byte
	i := 0
	for i < len(b) && b[i] != '<' {
		mask |= class[b[i]]
		if class[b[i]] == 0 && b[i] == '>' && i > 1 && b[i-1] == ']' && b[i-2] == ']' {
			return 0, s.fail(i, fhir.IDXMLSyntax, "text contains ]]>; write ]]&gt;")
		}
		i++
	}
	if i == len(b) && !s.ended {
		return 0, errMore
	}
	t.kind = text
	t.blank = true
	if mask&^isBlank&^isBreak != 0 || notBlank(b[:i]) {
		t.blank = false
		if mask&(isControl|isHigh) != 0 {
			if err := s.characters(b[:i], 0); err != nil {
				return 0, err
			}
		}
		if mask&isEntity != 0 {
			if err := s.references(b[:i], 0); err != nil {
				return 0, err
			}
		}
	}
	return i, nil
}

// notBlank reports whether b has anything but white space.
func notBlank(b []byte) bool {
	for _, c := range b {
		if class[c]&isBlank == 0 {
			return true
		}
	}
	return false
}

// characters checks that b is UTF-8 and holds characters of XML only. offset is where b begins, from pos.
func (s *scanner) characters(b []byte, offset int) error {
	for i := 0; i < len(b); {
		c := b[i]
		if c < utf8.RuneSelf {
			if class[c]&isControl != 0 {
				return s.fail(offset+i, fhir.IDXMLCharacter, "a control character is not allowed in XML")
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return s.fail(offset+i, fhir.IDXMLUTF8, "the bytes are not valid UTF-8")
		}
		if r == 0xfffe || r == 0xffff {
			return s.fail(offset+i, fhir.IDXMLCharacter, "a character is not allowed in XML")
		}
		i += size
	}
	return nil
}

// references checks that every & begins a reference that reference knows.
func (s *scanner) references(b []byte, offset int) error {
	for i := 0; i < len(b); {
		k := bytes.IndexByte(b[i:], '&')
		if k < 0 {
			return nil
		}
		i += k
		_, n := reference(b[i:])
		if n == 0 && s.entities {
			_, n = namedEntity(b[i:])
		}
		if n == 0 {
			return s.fail(offset+i, fhir.IDXMLEntity, "& begins no entity of XML and no character reference; write &amp; for the character")
		}
		i += n
	}
	return nil
}

// declaration reads a comment or a CDATA section.
func (s *scanner) declaration(b []byte) (int, error) {
	t := &s.tok
	var from int
	var end string
	switch {
	case bytes.HasPrefix(b, []byte("<!--")):
		t.kind, from, end = comment, 4, "--"
	case bytes.HasPrefix(b, []byte("<![CDATA[")):
		t.kind, from, end = cdata, len("<![CDATA["), "]]>"
	case len(b) < len("<![CDATA[") && !s.ended:
		return 0, errMore
	case bytes.HasPrefix(b, []byte("<!DOCTYPE")):
		return 0, s.fail(0, fhir.IDXMLDoctype, "a document type declaration is not accepted")
	default:
		return 0, s.fail(0, fhir.IDXMLSyntax, "<! begins neither a comment nor a CDATA section")
	}
	k := bytes.Index(b[from:], []byte(end))
	if k < 0 {
		return 0, errMore
	}
	n := from + k + len(end)
	if t.kind == cdata {
		return n, nil
	}
	if n == len(b) {
		return 0, errMore
	}
	if b[n] != '>' {
		return 0, s.fail(n, fhir.IDXMLSyntax, "a comment contains --")
	}
	return n + 1, s.characters(b[from:n-2], from)
}

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

// enter pushes the element of a start tag with the namespaces that it declares, and resolves the names of the tag.
func (s *scanner) enter(name []byte, declared bool) error {
	t := &s.tok
	ns := noSpace
	if len(s.spaces) > 0 {
		ns = s.spaces[len(s.spaces)-1]
	}
	if declared {
		for i := range t.attrs {
			a := &t.attrs[i]
			isDefault := len(a.prefix) == 0 && string(a.local) == "xmlns"
			if !isDefault && string(a.prefix) != "xmlns" {
				continue
			}
			uri := string(a.value)
			if a.mask&(isEntity|isBreak) != 0 {
				uri = string(appendDecoded(nil, a.value))
			}
			to := spaceOf(uri)
			if isDefault {
				if to == xmlSpace {
					return s.fail(0, fhir.IDXMLNamespace, "the namespace of XML itself is not a default")
				}
				ns = to
				continue
			}
			if to == noSpace || to == xmlSpace || string(a.local) == "xml" || string(a.local) == "xmlns" || len(s.bindings) >= maxBindings {
				return s.fail(0, fhir.IDXMLNamespace, "a prefix cannot be bound to this namespace")
			}
			s.bindings = append(s.bindings, binding{string(a.local), to, len(s.open)})
		}
	}
	t.ns = ns
	if len(t.prefix) > 0 {
		var err error
		if t.ns, err = s.lookup(t.prefix); err != nil {
			return err
		}
	}
	for i := range t.attrs {
		if a := &t.attrs[i]; len(a.prefix) > 0 && string(a.prefix) != "xmlns" {
			var err error
			if a.ns, err = s.lookup(a.prefix); err != nil {
				return err
			}
		}
	}
	s.rooted = true
	s.open = append(s.open, len(s.names))
	s.names = append(s.names, name...)
	s.spaces = append(s.spaces, ns)
	s.closing = t.empty
	return nil
}

func spaceOf(uri string) space {
	switch uri {
	case "":
		return noSpace
	case fhirURI:
		return fhirSpace
	case xhtmlURI:
		return xhtmlSpace
	case schemaURI:
		return schemaInstance
	case xmlURI:
		return xmlSpace
	}
	return otherSpace
}

func (s *scanner) lookup(prefix []byte) (space, error) {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == string(prefix) {
			return s.bindings[i].ns, nil
		}
	}
	if string(prefix) == "xml" {
		return xmlSpace, nil
	}
	return noSpace, s.fail(0, fhir.IDXMLNamespace, "a prefix is not bound to a namespace")
}

// leave pops the innermost element.
func (s *scanner) leave() {
	last := len(s.open) - 1
	s.names = s.names[:s.open[last]]
	s.open, s.spaces = s.open[:last], s.spaces[:last]
	for n := len(s.bindings); n > 0 && s.bindings[n-1].depth >= last; n-- {
		s.bindings = s.bindings[:n-1]
	}
}

// end_ reads an end tag and leaves its element.
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
