package fhirpath

import (
	"encoding/xml"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// suiteCase is one test of the official suite.
type suiteCase struct {
	Name       string `xml:"name,attr"`
	Input      string `xml:"inputfile,attr"`
	Predicate  bool   `xml:"predicate,attr"`
	Ordered    string `xml:"ordered,attr"`
	CheckOrder bool   `xml:"checkOrderedFunctions,attr"`
	Expression struct {
		Invalid string `xml:"invalid,attr"`
		Text    string `xml:",chardata"`
	} `xml:"expression"`
	Outputs []struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	} `xml:"output"`
}

func suite(t testing.TB) []suiteCase {
	t.Helper()
	src, err := os.ReadFile(corpustest.Path(t, "fhirpath/tests-fhir-r4.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Tests []suiteCase `xml:"test"`
		} `xml:"group"`
	}
	if err := xml.Unmarshal(src, &file); err != nil {
		t.Fatal(err)
	}
	var cases []suiteCase
	for _, g := range file.Groups {
		cases = append(cases, g.Tests...)
	}
	return cases
}

var inputs sync.Map

// suiteInput reads an input of the suite; those in XML are turned into JSON by the definitions.
func suiteInput(t testing.TB, name string) fhir.Resource {
	t.Helper()
	if r, ok := inputs.Load(name); ok {
		return r.(fhir.Resource)
	}
	src, err := os.ReadFile(corpustest.Path(t, "fhirpath/inputs/"+name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".xml") {
		src = jsonOfXML(t, src)
	}
	r, err := fhir.ParseResource(src, fhir.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	inputs.Store(name, r)
	return r
}

// element is an XML element with its children in order.
type element struct {
	name     string
	attrs    []xml.Attr
	children []*element
	raw      string // of a narrative's div, as written
}

// jsonOfXML turns a FHIR resource in XML into JSON, led by the definitions (R4 json.html).
func jsonOfXML(t testing.TB, src []byte) []byte {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(src)))
	var stack []*element
	root := &element{}
	stack = append(stack, root)
	for {
		at := d.InputOffset()
		tok, err := d.Token()
		if err != nil {
			break
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			e := &element{name: tok.Name.Local, attrs: tok.Copy().Attr}
			top := stack[len(stack)-1]
			top.children = append(top.children, e)
			if e.name == "div" && tok.Name.Space == "http://www.w3.org/1999/xhtml" {
				if err := d.Skip(); err != nil {
					t.Fatal(err)
				}
				e.raw = string(src[at:d.InputOffset()])
				continue
			}
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		}
	}
	if len(root.children) != 1 {
		t.Fatal("not one root element")
	}
	return appendResource(t, nil, root.children[0])
}

func appendResource(t testing.TB, dst []byte, e *element) []byte {
	typ, ok := definition.R4().Resource(e.name)
	if !ok {
		t.Fatalf("unknown resource type %s", e.name)
	}
	dst = append(dst, `{"resourceType":`...)
	dst = fhir.AppendString(dst, e.name)
	return append(appendMembers(t, dst, e, typ, true), '}')
}

// appendMembers appends the members of an object for the attributes and children of e.
func appendMembers(t testing.TB, dst []byte, e *element, typ *definition.Type, comma bool) []byte {
	member := func(name string) {
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = append(fhir.AppendString(dst, name), ':')
	}
	for _, a := range e.attrs {
		if a.Name.Space == "" && (a.Name.Local == "id" || a.Name.Local == "url" && typ.Name == "Extension") {
			member(a.Name.Local)
			dst = fhir.AppendString(dst, a.Value)
		}
	}
	done := map[string]bool{}
	for _, c := range e.children {
		if done[c.name] || c.name == "extension" && typ.Kind == definition.KindPrimitive && typ.Child("extension") == nil {
			continue
		}
		done[c.name] = true
		elem, ref := typ.JSONChild(c.name)
		if elem == nil {
			t.Fatalf("%s has no element %s", typ.Name, c.name)
		}
		var same []*element
		for _, o := range e.children {
			if o.name == c.name {
				same = append(same, o)
			}
		}
		many := elem.Max != 1
		if ref.Type.Kind != definition.KindPrimitive {
			member(c.name)
			dst = appendList(dst, many, same, func(o *element) {
				if ref.Type.Abstract && ref.Type.Kind == definition.KindResource {
					dst = appendResource(t, dst, o.children[0])
					return
				}
				dst = append(appendMembers(t, append(dst, '{'), o, ref.Type, false), '}')
			}, &dst)
			continue
		}
		values, siblings := false, false
		for _, o := range same {
			_, ok := o.value()
			values = values || ok
			siblings = siblings || o.hasSibling()
		}
		if values {
			member(c.name)
			dst = appendList(dst, many, same, func(o *element) { dst = o.appendPrimitive(dst, ref.Type) }, &dst)
		}
		if siblings {
			member("_" + c.name)
			dst = appendList(dst, many, same, func(o *element) {
				if !o.hasSibling() {
					dst = append(dst, "null"...)
					return
				}
				dst = append(appendMembers(t, append(dst, '{'), o, ref.Type, false), '}')
			}, &dst)
		}
	}
	return dst
}

// appendList calls one for each element, in an array where the element may repeat. one appends to *dst.
func appendList(_ []byte, many bool, list []*element, one func(*element), dst *[]byte) []byte {
	if many {
		*dst = append(*dst, '[')
	}
	for i, e := range list {
		if i > 0 {
			*dst = append(*dst, ',')
		}
		one(e)
	}
	if many {
		*dst = append(*dst, ']')
	}
	return *dst
}

func (e *element) value() (string, bool) {
	if e.raw != "" {
		return e.raw, true
	}
	for _, a := range e.attrs {
		if a.Name.Local == "value" && a.Name.Space == "" {
			return a.Value, true
		}
	}
	return "", false
}

func (e *element) hasSibling() bool {
	for _, a := range e.attrs {
		if a.Name.Local == "id" && a.Name.Space == "" {
			return true
		}
	}
	return e.raw == "" && len(e.children) > 0
}

func (e *element) appendPrimitive(dst []byte, typ *definition.Type) []byte {
	s, ok := e.value()
	switch systemKind(typ) {
	case Boolean, Integer, DecimalKind:
		if ok {
			return append(dst, s...)
		}
	}
	if !ok {
		return append(dst, "null"...)
	}
	return fhir.AppendString(dst, s)
}
