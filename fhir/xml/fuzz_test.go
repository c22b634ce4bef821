package xml

import (
	"bytes"
	stdxml "encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

var seeds = []string{
	`<Patient xmlns="http://hl7.org/fhir"><id value="a"/><text><div xmlns="http://www.w3.org/1999/xhtml"><p>a &amp; b</p><br/></div></text><name id="1"><given value="&#65;"><extension url="u"><valueCode value="x"/></extension></given></name></Patient>`,
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c --><f:Observation xmlns:f='http://hl7.org/fhir'><f:status value='final'></f:status></f:Observation >",
	`<a><b c="d"/><![CDATA[x<]]>]]&gt;</a>`, `<a>]]></a>`, `<a b="1" b="2"/>`, `<a></b>`, `<a`, `<!DOCTYPE a><a/>`, `<a>&x;</a>`, `<a><?x?></a>`, "<a>\xff</a>", `<:a/>`, `<a:b xmlns:a="x" a:c="&#x0a;"/>`, `<a/><b/>`, `<a/> x`,
}

// FuzzWellFormed holds the scanner against encoding/xml: what it accepts, that accepts too and sees the same in it. What it refuses and that accepts
// is of a kind that is refused on purpose, or that encoding/xml is known to let pass.
func FuzzWellFormed(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := scanned(src)
		want, stdErr := standard(src)
		if err != nil {
			var e *fhir.Error
			if !errors.As(err, &e) {
				t.Fatalf("an error of no kind: %v", err)
			}
			switch e.Issues[0].ID {
			case fhir.IDXMLSyntax:
				if stdErr == nil && strict(src) {
					t.Fatalf("%q is refused: %v; encoding/xml sees %q", src, err, want)
				}
			case fhir.IDXMLUTF8, fhir.IDXMLCharacter:
				if stdErr == nil && strict(src) {
					t.Fatalf("%q has bad characters: %v; encoding/xml sees %q", src, err, want)
				}
			}
			return
		}
		if stdErr != nil {
			t.Fatalf("%q is accepted as %q; encoding/xml says %v", src, got, stdErr)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q\n is %q\nand encoding/xml sees %q", src, got, want)
		}
		// The same comes in pieces of any size.
		pieces := newScanner(&stutter{src}, Limits{})
		pieces.buf = make([]byte, 8)
		if again, err := events(pieces); err != nil || !slices.Equal(again, got) {
			t.Fatalf("%q in pieces is %q %v", src, again, err)
		}
	})
}

// stutter gives one byte, then two, then three, then one.
type stutter struct{ b []byte }

func (s *stutter) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.b[:min(len(s.b), 1+len(s.b)%3)])
	s.b = s.b[n:]
	return n, nil
}

func scanned(src []byte) ([]string, error) { return events(newScanner(bytes.NewReader(src), Limits{})) }

// events prints the tags, attributes and text that a scanner sees.
func events(s *scanner) (list []string, err error) {
	characters := ""
	put := func(s string) {
		if characters != "" {
			list = append(list, "text "+characters)
			characters = ""
		}
		if s != "" {
			list = append(list, s)
		}
	}
	depth := 0
	for {
		t, err := s.next()
		if err != nil {
			return nil, err
		}
		switch t.kind {
		case startTag:
			line := "<" + string(t.local)
			for _, a := range t.attrs {
				line += fmt.Sprintf(" %s:%s=%q", prefixOf(a.prefix), a.local, strings.Map(normal, string(appendDecoded(nil, a.value))))
			}
			put(line)
			depth++
			if t.empty {
				put("/" + string(t.local))
				depth--
			}
		case endTag:
			name := string(bytes.TrimRight(t.raw[2:len(t.raw)-1], " \t\r\n"))
			put("/" + name[strings.IndexByte(name, ':')+1:])
			depth--
		case cdata:
			characters += normalLines(string(t.raw[len("<![CDATA[") : len(t.raw)-len("]]>")]))
		case text:
			if depth > 0 {
				characters += decodeText(t.raw)
			}
		case endOfDocument:
			put("")
			return list, nil
		}
	}
}

func prefixOf(b []byte) string {
	if string(b) == "xmlns" {
		return "xmlns"
	}
	if len(b) > 0 {
		return "p"
	}
	return ""
}

func normalLines(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// decodeText decodes text: line ends are normalized where they are not references.
func decodeText(b []byte) string {
	var out []byte
	for i := 0; i < len(b); {
		if b[i] == '&' {
			r, n := reference(b[i:])
			out = append(out, string(r)...)
			i += n
			continue
		}
		j := i
		for j < len(b) && b[j] != '&' {
			j++
		}
		out = append(out, normalLines(string(b[i:j]))...)
		i = j
	}
	return string(out)
}

// standard is events for encoding/xml.
func standard(src []byte) (list []string, err error) {
	dec := stdxml.NewDecoder(bytes.NewReader(src))
	dec.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("another encoding") }
	characters := ""
	put := func(s string) {
		if characters != "" {
			list = append(list, "text "+characters)
			characters = ""
		}
		if s != "" {
			list = append(list, s)
		}
	}
	depth, roots := 0, 0
	for {
		token, err := dec.RawToken()
		if err == io.EOF {
			put("")
			break
		}
		if err != nil {
			return nil, err
		}
		switch x := token.(type) {
		case stdxml.StartElement:
			line := "<" + x.Name.Local
			for _, a := range x.Attr {
				// encoding/xml keeps line breaks and tabs, which XML makes spaces of, and does not tell them from references.
				value := strings.Map(normal, normalLines(a.Value))
				line += fmt.Sprintf(" %s:%s=%q", prefixOf([]byte(a.Name.Space)), a.Name.Local, value)
			}
			put(line)
			if depth == 0 {
				roots++
			}
			depth++
		case stdxml.EndElement:
			put("/" + x.Name.Local)
			depth--
		case stdxml.CharData:
			if depth > 0 {
				characters += string(x)
			} else if strings.Trim(strings.TrimPrefix(string(x), "\ufeff"), " \t\r\n") != "" {
				return nil, errors.New("text stands outside of the root")
			}
		}
	}
	if roots != 1 || depth != 0 {
		return nil, errors.New("not one root")
	}
	// RawToken does not compare tags; Token does.
	check := stdxml.NewDecoder(bytes.NewReader(src))
	check.CharsetReader = dec.CharsetReader
	for {
		if _, err := check.Token(); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// strict reports whether a document is of the plain kind for which encoding/xml is as strict as XML: it lets pass names that are not ASCII or
// have colons in odd places, attributes that are given twice or have no space between them, and declarations anywhere.
func strict(src []byte) bool {
	if bytes.ContainsAny(src, ":?!\"'") {
		return false
	}
	for i, c := range src {
		if c >= 0x80 || c == '<' && i+1 < len(src) && class[src[i+1]]&isName == 0 && src[i+1] != '/' {
			return false
		}
	}
	return true
}

// FuzzRead holds that what the reader accepts is JSON of a resource, which written as XML is read as the same.
func FuzzRead(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		json, err := r4.AppendJSON(nil, bytes.NewReader(src), Limits{})
		if err != nil {
			if e := new(fhir.Error); !errors.As(err, &e) || e.Kind != fhir.KindInvalid && e.Kind != fhir.KindTooLarge {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		r, err := fhir.ParseResource(json, fhir.Limits{Depth: 300})
		if err != nil {
			t.Fatalf("%q is read as %s: %v", src, json, err)
		}
		doc, err := r4.AppendXML(nil, r.Raw(), Options{})
		if err != nil {
			t.Fatalf("%q is read as %s, which is not written: %v", src, json, err)
		}
		again, err := r4.AppendJSON(nil, bytes.NewReader(doc), Limits{})
		if err != nil {
			t.Fatalf("%q is written as %s, which is not read: %v", src, doc, err)
		}
		back, err := fhir.ParseResource(again, fhir.Limits{Depth: 300})
		if err != nil || !bytes.Equal(canonical(nil, back.Node), canonical(nil, r.Node)) {
			t.Fatalf("%q is read as %s, and after it was written as %s as %s", src, json, doc, again)
		}
	})
}

// FuzzWrite holds that what the writer accepts is well-formed, and read as the same where its elements are no more than the values of their types.
func FuzzWrite(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}],"text":{"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>&nbsp;</p></div>"}}`))
	f.Add([]byte(`{"resourceType":"Observation","contained":[{"resourceType":"Patient","gender":"\u0009\"<&"}],"valueQuantity":{"value":1.00}}`))
	f.Add([]byte(`{"resourceType":"Patient","text":{"div":"<div></div></text><text>"}}`))
	f.Add([]byte(`{"_gender":{"id":"x"},"name":[{"_given":[null,{"id":"x"}],"use":"old","given":["A",null]}],"gender":"male","resourceType":"Patient"}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := fhir.ParseResource(src, fhir.Limits{})
		if err != nil {
			r4.AppendXML(nil, src, Options{}) // it ends, with an error or not
			return
		}
		for _, opt := range []Options{{}, {Pretty: true}} {
			doc, err := r4.AppendXML(nil, src, opt)
			// The order of members changes nothing.
			other, otherErr := r4.AppendXML(nil, shuffled(nil, r.Node, rand.New(rand.NewPCG(1, uint64(len(src))))), opt)
			if !bytes.Equal(other, doc) || (otherErr == nil) != (err == nil) {
				t.Fatalf("%s is written as %s %v, and in another order as %s %v", src, doc, err, other, otherErr)
			}
			if err != nil {
				if e := new(fhir.Error); !errors.As(err, &e) || e.Kind != fhir.KindUnprocessable {
					t.Fatalf("an error of no kind: %v", err)
				}
				return
			}
			if _, err := standard(doc); err != nil {
				t.Fatalf("%s is written as %s: %v", src, doc, err)
			}
			if _, err := scanned(doc); err != nil && fhir.KindOf(err) != fhir.KindTooLarge {
				t.Fatalf("%s is written as %s: %v", src, doc, err)
			}
		}
	})
}
