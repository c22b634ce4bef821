package xhtml

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Kind
	}{
		// What R4 allows.
		{`<div xmlns="http://www.w3.org/1999/xhtml"><p style="color:red" class="a">x &lt; y<br/></p></div>`, None},
		{"\n <div>x</div> \n", None},
		{`<div><address>Main St</address><kbd>x</kbd><bdo dir="rtl">x</bdo></div>`, None},
		{`<div><table border="1"><caption>x</caption><tr><td colspan="2">x</td></tr></table></div>`, None},
		{`<div><img src="data:image/png;base64,AAAA" alt="x"/></div>`, None},
		{`<div><a href="https://x.org#a" name='x'>x</a><!-- x --></div>`, None},
		{`<div xmlns:n1="urn:hl7-org:v3" xml:lang="en">x</div>`, None},
		{`<div>&nbsp;&#160;&#xA0;&apos;</div>`, None},
		{`<div><img src="#a" usemap="#m" alt="x"/><map name="m"><area href="#x" shape="rect" coords="0,0,1,1" alt="x"/></map></div>`, None},
		// What has no content.
		{`<div/>`, Empty},
		{`<div> <p/> <!-- x --> </div>`, Empty},
		{`<div><img alt="x"/></div>`, Empty},
		// Elements and attributes that R4 does not list.
		{`<div><u>x</u></div>`, Markup},
		{`<div><del>x</del><ins>y</ins></div>`, Markup},
		{`<div><font color="red">x</font></div>`, Markup},
		{`<div><P>x</P></div>`, Markup},
		{`<div><p target="x">x</p></div>`, Markup},
		{`<div>a]]>b</div>`, Markup},
		{`<div><p TITLE="x">x</p></div>`, Markup},
		{`<div xmlns="http://www.w3.org/2000/svg">x</div>`, Markup},
		// What is not well-formed.
		{``, Markup}, {`x`, Markup}, {`<div`, Markup}, {`<div>`, Markup}, {`<div>x`, Markup}, {`<div><p>x</div></p>`, Markup},
		{`<p>x</p>`, Markup}, {`<div>x</div><div>x</div>`, Markup}, {`<div>x</div>y`, Markup}, {`y<div>x</div>`, Markup},
		{`<div><p a="1" title="x" title="y">x</p></div>`, Markup}, {`<div><p title="x" title="y">x</p></div>`, Markup}, {`<div><p title=x>x</p></div>`, Markup},
		{`<div><p title>x</p></div>`, Markup}, {`<div><p title="a<b">x</p></div>`, Markup}, {`<div><p title="x"class="y">x</p></div>`, Markup},
		{`<div>a & b</div>`, Markup}, {`<div>a &nosuch; b</div>`, Markup}, {`<div>&#0;</div>`, Markup}, {`<div>&#xD800;</div>`, Markup}, {`<div title="&">x</div>`, Markup},
		{"<div>\x01</div>", Markup}, {"<div>\uffff</div>", Markup},
		{`<div>< p>x</p></div>`, Markup}, {`<div>x</div x>`, Markup},
		{`<!DOCTYPE html><div>x</div>`, Markup}, {`<div><![CDATA[x]]></div>`, Markup}, {`<div><?php x ?></div>`, Markup},
		{`<div><!--><img src="x" onerror="y"/>-->x</div>`, Markup}, {`<div><!-- a -- b -->x</div>`, Markup}, {`<div><!-- x</div>`, Markup},
		{strings.Repeat("<div>", maxDepth+1) + "x" + strings.Repeat("</div>", maxDepth+1), Markup},
		// What can run or load something.
		{`<div><script>x</script></div>`, Active}, {`<div><SCRIPT>x</SCRIPT></div>`, Active}, {`<div><iframe src="x"></iframe></div>`, Active}, {`<div><form/></div>`, Active},
		{`<div><p onclick="x()">x</p></div>`, Active}, {`<div><img src="a" ONERROR='x()'/></div>`, Active},
		{`<div><a href="javascript:x()">x</a></div>`, Active}, {`<div><a href=" j&#97;va&#x0A;script&colon;x()">x</a></div>`, Active},
		{`<div><a href="blob:https://x.org/1">x</a></div>`, Active}, {`<div><a href="data:text/html,x">x</a></div>`, Active}, {`<div><img src="data:image/svg+xml,x"/></div>`, Active},
		{`<div><p style="width:exp/**/ression(x())">x</p></div>`, Active}, {`<div><p style="\62 ehavior:url(x)">x</p></div>`, Active}, {`<div><p style="a/*">x</p></div>`, Active},
		{`<div><a xlink:href="x">x</a></div>`, Active}, {`<div><p xml:base="http://x.org/">x</p></div>`, Active},
	} {
		if got := Check(c.in); got.Kind != c.want {
			t.Errorf("%.120s: %d (%s), want %d", c.in, got.Kind, got.Text, c.want)
		}
	}
}

// TestNarrativesOfTheOfficialExamples: none has a fault but the four without content.
func TestNarrativesOfTheOfficialExamples(t *testing.T) {
	n, empty := 0, 0
	for _, name := range corpustest.Files(t, "r4-examples/*.json") {
		var v any
		if err := json.Unmarshal(corpustest.Read(t, name), &v); err != nil {
			t.Fatal(err)
		}
		for _, div := range divs(v, nil) {
			n++
			switch f := Check(div); f.Kind {
			case None:
			case Empty:
				empty++
			default:
				t.Errorf("%s: %s", filepath.Base(name), f.Text)
			}
		}
	}
	if n < 700 || empty != 4 {
		t.Errorf("%d narratives, %d of them empty", n, empty)
	}
}

// divs appends all members called div in a document that are strings.
func divs(v any, dst []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if s, ok := member.(string); ok && name == "div" {
				dst = append(dst, s)
			} else {
				dst = divs(member, dst)
			}
		}
	case []any:
		for _, item := range v {
			dst = divs(item, dst)
		}
	}
	return dst
}

func TestLinks(t *testing.T) {
	for in, want := range map[string]string{
		`<div><a href="a">x</a><img alt="no" src='b'/></div>`: "a b",
		`<div>href="a"<!-- <a href="b"> --></div>`:            "",
		`<div><a title="a > b" href = "c">x</a></div>`:        "c",
		`<div><a href="a">x</a><a href=b>y</a></div>`:         "a",
		`<div><a href="a`: "", `<a href=`: "", ``: "",
	} {
		var got []string
		for start, end := range Links(in) {
			got = append(got, in[start:end])
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: links %q, want %q", in, s, want)
		}
	}
}

// FuzzCheck: what has no fault is XML of the elements and attributes that R4 lists, and its links are what an XML parser finds.
func FuzzCheck(f *testing.F) {
	f.Add(`<div xmlns="http://www.w3.org/1999/xhtml"><p style="a:b">x<br/></p><!-- x --><a href='#x'>y&nbsp;</a></div>`)
	f.Add(`<div><a href="java&#115;cript:x">`)
	f.Add(`<div>&#x0;<![CDATA[ ]]><!----></div >`)
	f.Fuzz(func(t *testing.T, s string) {
		links := 0
		for start, end := range Links(s) {
			if start > end || end > len(s) {
				t.Fatalf("a link from %d to %d of %d", start, end, len(s))
			}
			links++
		}
		if kind := Check(s).Kind; kind != None && kind != Empty {
			return
		}
		d := xml.NewDecoder(strings.NewReader(s))
		d.Entity = xml.HTMLEntity
		for {
			tok, err := d.RawToken()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			switch tok := tok.(type) {
			case xml.StartElement:
				if !elements[tok.Name.Local] || tok.Name.Space != "" {
					t.Fatalf("%q: element %s", s, tok.Name.Local)
				}
				for _, a := range tok.Attr {
					if a.Name.Space == "" && strings.HasPrefix(a.Name.Local, "on") {
						t.Fatalf("%q: attribute %s", s, a.Name.Local)
					}
					if a.Name.Space == "" && (a.Name.Local == "href" || a.Name.Local == "src") {
						links--
					}
				}
			case xml.ProcInst, xml.Directive:
				t.Fatalf("%q: %T", s, tok)
			}
		}
		if links != 0 {
			t.Fatalf("%q: %d links more than an XML parser finds", s, links)
		}
	})
}
