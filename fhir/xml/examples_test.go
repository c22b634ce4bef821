package xml

import (
	"bytes"
	stdxml "encoding/xml"
	"fmt"
	"html"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

func TestExamplesThroughXMLAreIdentical(t *testing.T) {
	files := corpustest.Files(t, "r4-examples/*.json")
	if len(files) != 715 {
		t.Fatalf("%d examples; want 715", len(files))
	}
	for _, file := range files {
		name := filepath.Base(file)
		r := resourceOf(t, corpustest.Read(t, file))
		for _, opt := range []Options{{}, {Pretty: true}} {
			doc, err := r4.AppendXML(nil, r.Raw(), opt)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			back, err := r4.AppendJSON(nil, bytes.NewReader(doc), Limits{})
			if err != nil {
				t.Errorf("%s: read: %v", name, err)
				continue
			}
			if got, want := canonical(nil, resourceOf(t, back).Node), canonical(nil, r.Node); !bytes.Equal(got, want) {
				t.Errorf("%s: %s", name, firstDifference(got, want))
			}
			if got, want := flatXML(t, doc), flatJSON(t, r.Node); !slices.Equal(got, want) {
				t.Errorf("%s: encoding/xml sees something else: %s", name, firstDifference([]byte(strings.Join(got, "\n")), []byte(strings.Join(want, "\n"))))
			}
		}
	}
}

// TestPublishedXMLIsReadAsItSays holds the official examples in XML against what encoding/xml reads in them, and those that are published in
// JSON too against that. Two of them have the id of another example.
func TestPublishedXMLIsReadAsItSays(t *testing.T) {
	files := corpustest.Files(t, "xml/examples/*.xml")
	if len(files) != 15 {
		t.Fatalf("%d examples; want 15", len(files))
	}
	another := []string{"observation-example.xml", "patient-example-period.xml"}
	equal := 0
	for _, file := range files {
		name := filepath.Base(file)
		src := corpustest.Read(t, file)
		got, err := r4.AppendJSON(nil, bytes.NewReader(src), Limits{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := resourceOf(t, got)
		if got, want := flatJSON(t, r.Node), flatXML(t, src); !slices.Equal(got, want) {
			t.Errorf("%s: %s", name, firstDifference([]byte(strings.Join(got, "\n")), []byte(strings.Join(want, "\n"))))
		}
		published, err := os.ReadFile(filepath.Join(corpustest.Path(t, "r4-examples"), r.Type()+"-"+r.ID()+".json"))
		if err != nil || slices.Contains(another, name) {
			continue
		}
		// The JSON was made from the XML by a program that spells numbers and the references of narratives in its own way.
		if got, want := flatJSON(t, r.Node), flatJSON(t, resourceOf(t, published).Node); !slices.EqualFunc(got, want, sameValue) {
			t.Errorf("%s: %s", name, firstDifference([]byte(strings.Join(got, "\n")), []byte(strings.Join(want, "\n"))))
		}
		equal++
	}
	t.Logf("%d examples are read as they say; %d of them are published in JSON and equal to it", len(files), equal)
	if equal != 10 {
		t.Errorf("%d are equal to their JSON, want 10", equal)
	}
}

// sameValue compares two lines of flatJSON, numbers by their value.
func sameValue(a, b string) bool {
	pathA, a, _ := strings.Cut(a, "=")
	pathB, b, _ := strings.Cut(b, "=")
	x, errX := fhir.ParseDecimal(a)
	y, errY := fhir.ParseDecimal(b)
	return pathA == pathB && (a == b || errX == nil && errY == nil && x.Cmp(y) == 0)
}

// flatXML lists the values of a document as encoding/xml reads it, "Patient/name[0]/family[0]/@value=X", sorted. It knows nothing of types.
func flatXML(t *testing.T, src []byte) (lines []string) {
	t.Helper()
	type level struct {
		path  string
		count map[string]int
	}
	stack := []level{{count: map[string]int{}}}
	dec := stdxml.NewDecoder(bytes.NewReader(src))
	narrative := ""
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch x := token.(type) {
		case stdxml.StartElement:
			top := &stack[len(stack)-1]
			name := x.Name.Local
			path := fmt.Sprintf("%s/%s[%d]", top.path, name, top.count[name])
			top.count[name]++
			stack = append(stack, level{path, map[string]int{}})
			if x.Name.Space == xhtmlURI {
				narrative += "<" + name + ">"
				continue
			}
			for _, a := range x.Attr {
				if a.Name.Space == "" && a.Name.Local != "xmlns" {
					lines = append(lines, path+"/@"+a.Name.Local+"="+strings.Map(normal, a.Value))
				}
			}
		case stdxml.EndElement:
			if x.Name.Space == xhtmlURI {
				if narrative += "</>"; x.Name.Local == "div" && !strings.Contains(stack[len(stack)-2].path, "/div[") {
					lines = append(lines, stack[len(stack)-1].path+"="+narrative)
					narrative = ""
				}
			}
			stack = stack[:len(stack)-1]
		case stdxml.CharData:
			if narrative != "" {
				narrative += string(x)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// normal is what XML makes of white space in an attribute. encoding/xml does not tell a reference from a character, so both sides are made so.
func normal(r rune) rune {
	if r == '\n' || r == '\t' || r == '\r' {
		return ' '
	}
	return r
}

// flatJSON is flatXML for JSON.
func flatJSON(t *testing.T, n fhir.Node) (lines []string) {
	var walk func(path string, n fhir.Node, inElement bool)
	walk = func(path string, n fhir.Node, inElement bool) {
		last := path[strings.LastIndex(path, "/")+1:]
		holds, _, _ := strings.Cut(last, "[")
		isResource := slices.Contains([]string{"", "contained", "resource", "outcome"}, holds)
		if rt := n.Get("resourceType"); rt.Valid() && isResource { // ExampleScenario.instance has an element of this name
			path += "/" + rt.Text() + "[0]"
			inElement = false
		}
		for m := range n.Children() {
			name := strings.TrimPrefix(m.Name(), "_")
			if name == "resourceType" && isResource {
				continue
			}
			put := func(i int, v fhir.Node) {
				at := fmt.Sprintf("%s/%s[%d]", path, name, i)
				switch {
				case v.Kind() == fhir.Object:
					walk(at, v, true)
				case v.Kind() == fhir.Null:
				case inElement && (name == "id" || name == "url" && (strings.Contains(path[strings.LastIndex(path, "/"):], "xtension["))):
					lines = append(lines, path+"/@"+name+"="+strings.Map(normal, v.Text()))
				case name == "div":
					lines = append(lines, at+"="+tagsAndText(t, v.Text()))
				default:
					lines = append(lines, at+"/@value="+strings.Map(normal, v.Text()))
				}
			}
			if m.Kind() != fhir.Array {
				put(0, m)
				continue
			}
			i := 0
			for c := range m.Children() {
				put(i, c)
				i++
			}
		}
	}
	walk("", n, false)
	slices.Sort(lines)
	return lines
}

// tagsAndText returns what flatXML keeps of a narrative.
func tagsAndText(t *testing.T, div string) (s string) {
	dec := stdxml.NewDecoder(strings.NewReader(html.UnescapeString(strings.NewReplacer("&lt;", "&amp;lt;", "&amp;", "&amp;amp;").Replace(div))))
	dec.Strict = true
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return s
		}
		if err != nil {
			t.Fatalf("%v in %s", err, div)
		}
		switch x := token.(type) {
		case stdxml.StartElement:
			s += "<" + x.Name.Local + ">"
		case stdxml.EndElement:
			s += "</>"
		case stdxml.CharData:
			s += string(x)
		}
	}
}

// TestWhatIsWrittenIsValid holds the XML of all examples against the official schema.
func TestWhatIsWrittenIsValid(t *testing.T) {
	schema := corpustest.Path(t, "xml/fhir-single.xsd")
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not there: apt-get install libxml2-utils")
	}
	dir := t.TempDir()
	args := []string{"--noout", "--nonet", "--schema", schema}
	for i, file := range corpustest.Files(t, "r4-examples/*.json") {
		doc, err := r4.AppendXML(nil, corpustest.Read(t, file), Options{Pretty: i%2 == 0})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		out := filepath.Join(dir, strings.TrimSuffix(filepath.Base(file), ".json")+".xml")
		if err := os.WriteFile(out, doc, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, out)
	}
	output, err := exec.Command(xmllint, args...).CombinedOutput()
	valid := bytes.Count(output, []byte(" validates\n"))
	t.Logf("%d documents are valid", valid)
	// One example lacks elements that must be there, in JSON too.
	for line := range strings.SplitSeq(string(output), "\n") {
		if line != "" && !strings.HasSuffix(line, " validates") && !strings.Contains(line, "Questionnaire-qs1.xml") {
			t.Error(line)
		}
	}
	if valid != 714 {
		t.Errorf("%d of 715 documents are valid, want all but one: %v", valid, err)
	}
}

// TestStreamsAreReadInPieces holds the reader to the same result whatever pieces come.
func TestStreamsAreReadInPieces(t *testing.T) {
	for _, file := range corpustest.Files(t, "r4-examples/Bundle-*.json") {
		r := resourceOf(t, corpustest.Read(t, file))
		doc, err := r4.AppendXML(nil, r.Raw(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := r4.AppendJSON(nil, bytes.NewReader(doc), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var read bytes.Buffer
		for name, in := range map[string]io.Reader{"bytes": iotest.OneByteReader(bytes.NewReader(doc)), "halves": iotest.HalfReader(bytes.NewReader(doc)), "data with the end": iotest.DataErrReader(bytes.NewReader(doc))} {
			read.Reset()
			if err := r4.WriteJSON(&read, in, Limits{}); err != nil || !bytes.Equal(read.Bytes(), want) {
				t.Errorf("%s: read in %s: %v %s", filepath.Base(file), name, err, firstDifference(read.Bytes(), want))
			}
		}
	}
}

// entries is a Bundle in XML of many entries that is made while it is read.
type entries struct {
	left  int
	piece string
	rest  string
}

func (e *entries) Read(p []byte) (int, error) {
	if e.rest == "" {
		if e.left == 0 {
			return 0, io.EOF
		}
		if e.left--; e.left == 0 {
			e.rest = "</Bundle>"
		} else {
			e.rest = e.piece
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// counter counts what is written.
type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// TestALongBundleIsReadInAChunk reads a Bundle of 32 MB.
func TestALongBundleIsReadInAChunk(t *testing.T) {
	const entry = `<entry><resource><Patient><id value="a"/><name><given value="A"/><given id="x"/></name><birthDate value="1970"><extension url="urn:x"/></birthDate></Patient></resource></entry>`
	src := &entries{left: 32 << 20 / len(entry), piece: entry, rest: `<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/>`}
	var before, after runtime.MemStats
	var read counter
	if err := r4.WriteJSON(io.Discard, strings.NewReader(`<Patient xmlns="http://hl7.org/fhir"/>`), Limits{}); err != nil { // plans are made once
		t.Fatal(err)
	}
	runtime.ReadMemStats(&before)
	if err := r4.WriteJSON(&read, src, Limits{}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if read < 20<<20 {
		t.Errorf("%d bytes of JSON", read)
	}
	// Besides the buffers only the siblings of lists of primitives take memory, until their list ends: 16 bytes for each of these.
	if made := after.TotalAlloc - before.TotalAlloc; made > 16<<20 {
		t.Errorf("%d bytes were allocated for %d of JSON", made, read)
	}
	t.Logf("%d bytes were allocated for %d of JSON", after.TotalAlloc-before.TotalAlloc, read)
}
