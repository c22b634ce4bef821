package xml

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// pieces reads at most n bytes at a time.
type pieces struct {
	r io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

// TestATokenInPiecesCostsItsLength counts the bytes that are scanned again, for each kind of token and for pieces of several sizes.
func TestATokenInPiecesCostsItsLength(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	for name, inner := range map[string]string{
		"text":             long,
		"text with markup": strings.Repeat("text&amp;<b>c</b>", 20_000),
		"an attribute":     `<a value="` + long + `"/>`,
		"many attributes":  `<a` + strings.Repeat(" ", 100_000) + `b="` + long + `" c='` + long + `'/>`,
		"a comment":        "<!--" + long + "-->",
		"CDATA":            "<![CDATA[" + long + "]]>",
		"white space":      strings.Repeat(" \n", 100_000),
		"an end tag":       "<a></a" + strings.Repeat(" ", 100_000) + ">",
		"short tags":       strings.Repeat(`<a value="1"/>`, 20_000),
	} {
		doc := "<r>" + inner + "</r>"
		for reader, r := range map[string]io.Reader{
			"one byte": iotest.OneByteReader(strings.NewReader(doc)), "7 bytes": pieces{strings.NewReader(doc), 7}, "1,460 bytes": pieces{strings.NewReader(doc), 1_460},
			"with the end": iotest.DataErrReader(pieces{strings.NewReader(doc), 100}), "whole": strings.NewReader(doc),
		} {
			s := newScanner(r, Limits{})
			var got []byte
			for {
				tok, err := s.next()
				if err != nil {
					t.Fatalf("%s by %s: %v", name, reader, err)
				}
				if tok.kind == endOfDocument {
					break
				}
				got = append(got, tok.raw...)
			}
			if string(got) != doc {
				t.Errorf("%s by %s: the tokens are not the document", name, reader)
			}
			if s.repeated > 3*len(doc) {
				t.Errorf("%s by %s: %d bytes were scanned again for %d", name, reader, s.repeated, len(doc))
			}
			if len(s.buf) > max(2*chunk, 4*len(doc)) {
				t.Errorf("%s by %s: the buffer has %d bytes for %d", name, reader, len(s.buf), len(doc))
			}
			s.release()
		}
	}
}

// TestAFailureBetweenPiecesIsTold keeps the error of a reader that fails while a token is read.
func TestAFailureBetweenPiecesIsTold(t *testing.T) {
	r := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("<r>text</r>")))
	s := newScanner(r, Limits{})
	defer s.release()
	for {
		if _, err := s.next(); err != nil {
			if err != iotest.ErrTimeout {
				t.Errorf("got %v", err)
			}
			return
		}
	}
}
