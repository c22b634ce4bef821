package xml

import (
	"bytes"
	"unicode/utf8"

	"github.com/fhirgate/fhirgate/fhir"
)

// Character data and references (XML 1.0, 2.4 Character Data, 4.1 Character and Entity References).

// text reads characters up to the next markup.
func (s *scanner) text(b []byte) (int, error) {
	t := &s.tok
	if n := plainValue(b); n > 0 && n < len(b) && b[n] == '<' {
		t.kind, t.blank = text, !notBlank(b[:n])
		return n, nil
	}
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
