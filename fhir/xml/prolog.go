package xml

import (
	"bytes"

	"github.com/fhirgate/fhirgate/fhir"
)

// What may come before the root: the XML declaration, and what is refused (XML 1.0, 2.8 Prolog and Document Type Declaration).

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
