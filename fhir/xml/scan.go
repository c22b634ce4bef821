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
	repeated int // bytes that were scanned in vain, because their token had not come whole

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
	s.reset()
	s.r, s.lim = r, lim.withDefaults()
	return s
}

// reset forgets everything but room that can be used again.
func (s *scanner) reset() {
	*s = scanner{buf: s.buf, names: s.names[:0], open: s.open[:0], spaces: s.spaces[:0], bindings: s.bindings[:0], tok: token{attrs: s.tok.attrs[:0]}}
}

// within begins anew with the text of a narrative, and keeps it.
func (s *scanner) within(text []byte) {
	s.reset()
	s.buf, s.end, s.lim, s.begun, s.ended, s.entities = text, len(text), Limits{}.withDefaults(), true, true, true
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

// more makes room behind what begins at pos and reads into it. It reports whether anything came. What begins at pos is scanned again afterwards, so more
// reads as much as is there already, or until the buffer is full, which doubles it next time: a token costs its length, however small the pieces are that
// a client sends.
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
		if err := s.lim.hold(len(s.buf)); err != nil {
			s.failed, s.ended, s.end = err, true, s.pos
			return false
		}
		grown := make([]byte, 2*len(s.buf))
		copy(grown, s.buf)
		s.buf = grown
	}
	before := s.end
	s.repeated += before
	for !s.ended && s.end < len(s.buf) && (s.end == before || s.end < 2*before) {
		s.fill()
	}
	return s.failed == nil && s.end > before
}

// fill reads once into the free end of the buffer.
func (s *scanner) fill() {
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.read += n
		if s.read > s.lim.Size {
			s.failed = fhir.NewError(fhir.KindTooLarge, fhir.IssueTooLong, fhir.IDXMLSize, fmt.Sprintf("the document is larger than %d bytes", s.lim.Size))
			s.ended, s.end = true, s.pos
			return
		}
		if err != nil {
			s.ended = true
			if err != io.EOF {
				s.failed, s.end = err, s.pos
			}
		}
		if n > 0 || err != nil {
			return
		}
	}
	s.failed, s.ended, s.end = io.ErrNoProgress, true, s.pos
}

// forget counts the lines and columns of bytes that leave the buffer.
func (s *scanner) forget(b []byte) {
	// LastIndexByte looks at single bytes, so it must find one soon.
	if n := bytes.Count(b, []byte{'\n'}); n > 0 {
		s.line += n
		s.column = 0
		for ; n > 0 && n < 10; n-- {
			b = b[bytes.IndexByte(b, '\n')+1:]
		}
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
