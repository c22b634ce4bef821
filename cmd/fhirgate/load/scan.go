package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// scanBuffer is the size of a scanner's window on its input.
const scanBuffer = 64 << 10

// maxScanDepth bounds the recursion of members and items; it is far above what any FHIR resource needs.
const maxScanDepth = 512

// syntaxError says that the input is not a sequence of JSON values.
type syntaxError struct {
	line int
	text string
	// cutOff is set where the input ends there.
	cutOff bool
}

func (e *syntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.text) }

// errTooLong says that a value that must be held in memory is larger than the limit given.
var errTooLong = errors.New("the value is too large to be held in memory")

// scanner walks the structure of JSON values in a stream. It knows where values begin and end, no more: what lies inside of a value that is
// skipped is not checked beyond balanced brackets and closed strings. It holds a window of the stream; what it reads can be recorded.
type scanner struct {
	r        io.Reader
	buf      []byte
	pos, end int
	// offset is the position of buf[0] in the stream, newlines the count of line feeds before it.
	offset   int64
	newlines int
	err      error

	// lines is set for NDJSON: a line feed inside of a value is an error, so that one broken line costs one resource.
	lines bool

	// record receives every byte read between start and stop of the recording; nil where nothing is recorded.
	record     io.Writer
	recordFrom int
	// capture collects one value, up to captureMax bytes; captureFrom is negative where nothing is captured.
	capture     []byte
	captureMax  int
	captureFrom int
	// names holds the member names and types seen, of which there are few, so that each is one string.
	names map[string]string
}

func newScanner(r io.Reader) *scanner {
	return &scanner{r: r, buf: make([]byte, scanBuffer), captureFrom: -1, names: make(map[string]string)}
}

// consumed returns the number of bytes of the stream that are behind the scanner.
func (s *scanner) consumed() int64 { return s.offset + int64(s.pos) }

// line returns the number of the line at the scanner's position, from 1.
func (s *scanner) line() int { return s.newlines + bytes.Count(s.buf[:s.pos], []byte{'\n'}) + 1 }

// fill replaces the window, all of which is behind the scanner, and reports whether there is more.
func (s *scanner) fill() bool {
	if s.err != nil {
		return false
	}
	s.flush()
	s.offset += int64(s.end)
	s.newlines += bytes.Count(s.buf[:s.end], []byte{'\n'})
	s.pos, s.end = 0, 0
	for s.end == 0 && s.err == nil {
		s.end, s.err = s.r.Read(s.buf)
	}
	return s.end > 0
}

// flush hands what was read since the last flush to the recording and the capture.
func (s *scanner) flush() {
	if s.record != nil {
		if _, err := s.record.Write(s.buf[s.recordFrom:s.pos]); err != nil {
			s.err = err
		}
		s.recordFrom = 0
	}
	if s.captureFrom >= 0 {
		if len(s.capture) <= s.captureMax {
			s.capture = append(s.capture, s.buf[s.captureFrom:s.pos]...)
		}
		s.captureFrom = 0
	}
}

// startRecord directs all bytes read from here on to w.
func (s *scanner) startRecord(w io.Writer) { s.record, s.recordFrom = w, s.pos }

// stopRecord ends the recording and returns the error of its last write.
func (s *scanner) stopRecord() error {
	if s.record == nil {
		return nil
	}
	_, err := s.record.Write(s.buf[s.recordFrom:s.pos])
	s.record = nil
	return err
}

// fail returns the input's own error where there is one, and a syntaxError else.
func (s *scanner) fail(text string) error {
	if s.err != nil && s.err != io.EOF {
		return s.err
	}
	return &syntaxError{s.line(), text, s.err == io.EOF && s.pos == s.end}
}

// peek skips white space and returns the next byte without consuming it; io.EOF at the end of the stream. Between values of a
// scanner of lines, line feeds are white space too.
func (s *scanner) peek() (byte, error) {
	for {
		for s.pos < s.end {
			switch c := s.buf[s.pos]; c {
			case ' ', '\t', '\n', '\r':
				s.pos++
			case 0xEF:
				if s.consumed() == 0 && s.end >= 3 && s.buf[1] == 0xBB && s.buf[2] == 0xBF {
					s.pos = 3
					continue
				}
				return c, nil
			default:
				return c, nil
			}
		}
		if !s.fill() {
			if s.err != nil && s.err != io.EOF {
				return 0, s.err
			}
			return 0, io.EOF
		}
	}
}

// next is peek inside of a value, where the end of the stream and, in NDJSON, of the line is an error.
func (s *scanner) next() (byte, error) {
	if s.lines {
		for {
			for s.pos < s.end {
				switch c := s.buf[s.pos]; c {
				case ' ', '\t', '\r':
					s.pos++
				case '\n':
					return 0, s.fail("the line ends inside a value")
				default:
					return c, nil
				}
			}
			if !s.fill() {
				break
			}
		}
	}
	c, err := s.peek()
	if err == io.EOF {
		return 0, s.fail("the document ends inside a value")
	}
	return c, err
}

// discardLine skips the rest of the line.
func (s *scanner) discardLine() {
	for {
		if i := bytes.IndexByte(s.buf[s.pos:s.end], '\n'); i >= 0 {
			s.pos += i + 1
			return
		}
		s.pos = s.end
		if !s.fill() {
			return
		}
	}
}

// object reads an object and calls member at each value; member must consume the value. The scanner is at the brace.
func (s *scanner) object(member func(name string) error) error {
	s.pos++
	c, err := s.next()
	if err != nil {
		return err
	}
	if c == '}' {
		s.pos++
		return nil
	}
	for {
		if c != '"' {
			return s.fail("expected a member name in double quotes")
		}
		name, err := s.text(1 << 16)
		if err != nil {
			return err
		}
		if c, err = s.next(); err != nil {
			return err
		}
		if c != ':' {
			return s.fail("expected a colon after the member name")
		}
		s.pos++
		if _, err = s.next(); err != nil {
			return err
		}
		if err = member(name); err != nil {
			return err
		}
		if c, err = s.next(); err != nil {
			return err
		}
		switch c {
		case ',':
			s.pos++
			if c, err = s.next(); err != nil {
				return err
			}
		case '}':
			s.pos++
			return nil
		default:
			return s.fail("expected a comma or a closing brace")
		}
	}
}

// array reads an array and calls item at each value; item must consume the value. The scanner is at the bracket.
func (s *scanner) array(item func() error) error {
	s.pos++
	c, err := s.next()
	if err != nil {
		return err
	}
	if c == ']' {
		s.pos++
		return nil
	}
	for {
		if err = item(); err != nil {
			return err
		}
		if c, err = s.next(); err != nil {
			return err
		}
		s.pos++
		switch c {
		case ',':
			if _, err = s.next(); err != nil {
				return err
			}
		case ']':
			return nil
		default:
			s.pos--
			return s.fail("expected a comma or a closing bracket")
		}
	}
}

// skip skips one value.
func (s *scanner) skip() error {
	c, err := s.next()
	if err != nil {
		return err
	}
	switch c {
	case '"':
		return s.skipString()
	case '{', '[':
		return s.skipNested()
	}
	start := s.consumed()
	for {
		for s.pos < s.end {
			switch s.buf[s.pos] {
			case ',', '}', ']', ' ', '\t', '\r', '\n', '{', '[', '"', ':':
				if s.consumed() == start {
					return s.fail("expected a value")
				}
				return nil
			}
			s.pos++
		}
		if !s.fill() {
			if s.err != io.EOF {
				return s.err
			}
			return nil
		}
	}
}

// skipNested skips an object or array with all that is in it.
func (s *scanner) skipNested() error {
	// open holds one bit a level, 1 for an object, so that brackets that do not match are noticed.
	var open [maxScanDepth / 64]uint64
	depth := 0
	for {
		for s.pos < s.end {
			c := s.buf[s.pos]
			switch c {
			case '"':
				if err := s.skipString(); err != nil {
					return err
				}
				continue
			case '{', '[':
				if depth == maxScanDepth {
					return s.fail("nested too deeply")
				}
				if c == '{' {
					open[depth/64] |= 1 << (depth % 64)
				} else {
					open[depth/64] &^= 1 << (depth % 64)
				}
				depth++
			case '}', ']':
				depth--
				if (open[depth/64]>>(depth%64)&1 == 1) != (c == '}') {
					return s.fail("brackets do not match")
				}
				if depth == 0 {
					s.pos++
					return nil
				}
			case '\n':
				if s.lines {
					return s.fail("the line ends inside a value")
				}
			}
			s.pos++
		}
		if !s.fill() {
			return s.fail("the document ends inside a value")
		}
	}
}

// skipString skips a string. The scanner is at its opening quote.
func (s *scanner) skipString() error {
	s.pos++
	for {
		for s.pos < s.end {
			switch s.buf[s.pos] {
			case '"':
				s.pos++
				return nil
			case '\\':
				s.pos++
				if s.pos == s.end && !s.fill() {
					return s.fail("the document ends inside a string")
				}
				if s.buf[s.pos] == '\n' {
					return s.fail("a string has a line feed in it")
				}
			case '\n':
				return s.fail("a string has a line feed in it")
			}
			s.pos++
		}
		if !s.fill() {
			return s.fail("the document ends inside a string")
		}
	}
}

// raw reads one value and returns its bytes, which are the caller's; errTooLong where they are more than limit.
func (s *scanner) raw(dst []byte, limit int) ([]byte, error) {
	if _, err := s.next(); err != nil {
		return nil, err
	}
	s.capture, s.captureFrom, s.captureMax = dst, s.pos, limit
	err := s.skip()
	out, from := s.capture, s.captureFrom
	s.capture, s.captureFrom = nil, -1
	if err != nil {
		return nil, err
	}
	if len(out)+s.pos-from > limit {
		return nil, errTooLong
	}
	return append(out, s.buf[from:s.pos]...), nil
}

// text reads one value and returns its characters if it is a string of at most limit bytes, and "" else. Escapes stay as they are
// written: what the loader looks for has none.
func (s *scanner) text(limit int) (string, error) {
	c, err := s.next()
	if err != nil {
		return "", err
	}
	if c != '"' {
		return "", s.skip()
	}
	// A string that lies within the window, the usual case, is cut out of it.
	if i := bytes.IndexByte(s.buf[s.pos+1:s.end], '"'); i >= 0 && i <= limit {
		b := s.buf[s.pos+1 : s.pos+1+i]
		if bytes.IndexByte(b, '\\') < 0 && bytes.IndexByte(b, '\n') < 0 {
			s.pos += i + 2
			return s.intern(b), nil
		}
	}
	b, err := s.raw(nil, limit+2)
	if err == errTooLong {
		return "", s.fail("a name or id is too long")
	}
	if err != nil {
		return "", err
	}
	return string(b[1 : len(b)-1]), nil
}

// intern returns b as a string, the same one for the same bytes as long as there are few different ones.
func (s *scanner) intern(b []byte) string {
	if t, ok := s.names[string(b)]; ok {
		return t
	}
	t := string(b)
	if len(s.names) < 512 && len(t) <= 64 {
		s.names[t] = t
	}
	return t
}
