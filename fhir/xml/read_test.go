package xml

import (
	"errors"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

const ns = ` xmlns="` + fhirURI + `"`

func TestReading(t *testing.T) {
	const div = `<div xmlns="http://www.w3.org/1999/xhtml">`
	for _, c := range []struct{ name, xml, want string }{
		{"a resource", `<Patient` + ns + `><id value="a"/><active value="true"/></Patient>`, `{"resourceType":"Patient","id":"a","active":true}`},
		{"an empty one", `<Patient` + ns + `/>`, `{"resourceType":"Patient"}`},
		{"with everything around", "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8' standalone=\"yes\" ?>\n<!-- a --><Patient" + ns + "><!-- b -->\n</Patient><!-- c -->\n", `{"resourceType":"Patient"}`},
		{"a prefix", `<f:Patient xmlns:f="http://hl7.org/fhir"><f:active value='true'></f:active></f:Patient>`, `{"resourceType":"Patient","active":true}`},
		{"the schema's location", `<Patient` + ns + ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b"/>`, `{"resourceType":"Patient"}`},
		{"references and white space", `<Patient` + ns + `><name><text value="a&amp;b&lt;&gt;&quot;&apos;&#10;&#x1F600;&#9;x` + "\t\r\n\n" + `y\"/></name></Patient>`,
			`{"resourceType":"Patient","name":[{"text":"a&b<>\"'\n` + "\U0001F600" + `\tx   y\\"}]}`},
		{"numbers keep their digits", `<Observation` + ns + `><valueQuantity><value value="1.00"/></valueQuantity><component><valueInteger value="-0"/></component><component><valueQuantity><value value="1.0E-5"/></valueQuantity></component></Observation>`,
			`{"resourceType":"Observation","valueQuantity":{"value":1.00},"component":[{"valueInteger":-0},{"valueQuantity":{"value":1.0E-5}}]}`},
		{"what is no number stays text", `<Observation` + ns + `><valueQuantity><value value="+1"/></valueQuantity></Observation>`, `{"resourceType":"Observation","valueQuantity":{"value":"+1"}}`},
		{"what is no boolean stays text", `<Patient` + ns + `><active value="1"/></Patient>`, `{"resourceType":"Patient","active":"1"}`},
		{"an element's id and an extension's url", `<Patient` + ns + `><extension url="urn:x" id="e"><valueCode value="y"/></extension></Patient>`, `{"resourceType":"Patient","extension":[{"url":"urn:x","id":"e","valueCode":"y"}]}`},
		{"a primitive's extension", `<Patient` + ns + `><birthDate id="b" value="1970"><extension url="urn:x"/></birthDate><deceasedBoolean><extension url="urn:y"/></deceasedBoolean></Patient>`,
			`{"resourceType":"Patient","birthDate":"1970","_birthDate":{"id":"b","extension":[{"url":"urn:x"}]},"_deceasedBoolean":{"extension":[{"url":"urn:y"}]}}`},
		{"a list of primitives", `<Patient` + ns + `><name><given id="1"/><given value="A"/><given value="B"><!-- --></given><given id="2"/></name></Patient>`,
			`{"resourceType":"Patient","name":[{"given":[null,"A","B",null],"_given":[{"id":"1"},null,null,{"id":"2"}]}]}`},
		{"a list without values", `<Patient` + ns + `><name><text value="x"/><given id="1"/><given id="2"/></name></Patient>`, `{"resourceType":"Patient","name":[{"text":"x","_given":[{"id":"1"},{"id":"2"}]}]}`},
		{"a list that begins an object", `<Patient` + ns + `><name><given id="1"/></name></Patient>`, `{"resourceType":"Patient","name":[{"_given":[{"id":"1"}]}]}`},
		{"contained", `<Patient` + ns + `><contained><Organization><id value="o"/></Organization></contained><contained><Device/></contained></Patient>`,
			`{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o"},{"resourceType":"Device"}]}`},
		{"a narrative is copied", `<Patient` + ns + `><text><status value="generated"/>` + div + "<p class='x'>a &amp; &#39;b&#39; \"<br/>\\</p><!-- c -->\r\n</div></text></Patient>",
			`{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class='x'>a &amp; &#39;b&#39; \"<br/>\\</p><!-- c -->\n</div>"}}`},
		{"a narrative with a prefix", `<Patient` + ns + ` xmlns:h="http://www.w3.org/1999/xhtml"><text><h:div class="a"><h:p>x</h:p></h:div></text></Patient>`,
			`{"resourceType":"Patient","text":{"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\" class=\"a\"><p>x</p></div>"}}`},
		{"a narrative that inherits its namespace", `<f:Patient xmlns:f="http://hl7.org/fhir" xmlns="http://www.w3.org/1999/xhtml"><f:text><div>x</div></f:text></f:Patient>`,
			`{"resourceType":"Patient","text":{"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}`},
		{"CDATA in a narrative", `<Patient` + ns + `><text>` + div + `<![CDATA[a<b]]></div></text></Patient>`, `{"resourceType":"Patient","text":{"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a&lt;b</div>"}}`},
		{"an empty narrative", `<Patient` + ns + `><text><div xmlns="http://www.w3.org/1999/xhtml"/></text></Patient>`, `{"resourceType":"Patient","text":{"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"/>"}}`},
	} {
		got, err := r4.AppendJSON(nil, strings.NewReader(c.xml), Limits{})
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n got %s %v\nwant %s", c.name, got, err, c.want)
		}
	}
}

func TestReadingRefuses(t *testing.T) {
	in := func(s string) string { return "<Patient" + ns + ">\n" + s + "</Patient>" }
	const div = `<div xmlns="http://www.w3.org/1999/xhtml">`
	for _, c := range []struct {
		name, xml         string
		id                fhir.IssueID
		words, expression string
	}{
		{"nothing", ``, fhir.IDXMLSyntax, "line 1 column 1", ""},
		{"no XML", `{"resourceType":"Patient"}`, fhir.IDXMLSyntax, "outside the root", ""},
		{"a document type", `<!DOCTYPE Patient [<!ENTITY x "y">]><Patient` + ns + `/>`, fhir.IDXMLDoctype, "", ""},
		{"an external document type", `<?xml version="1.0"?><!DOCTYPE Patient SYSTEM "file:///etc/passwd"><Patient` + ns + `/>`, fhir.IDXMLDoctype, "", ""},
		{"an entity", in(`<language value="&xxe;"/>`), fhir.IDXMLEntity, "line 2 column 18", "Patient"},
		{"an entity of HTML", in(`<text>` + div + `&nbsp;</div></text>`), fhir.IDXMLEntity, "", "Patient.text.div"},
		{"a processing instruction", `<?xml-stylesheet href="x"?><Patient` + ns + `/>`, fhir.IDXMLInstruction, "", ""},
		{"one in the content", in(`<?php x ?>`), fhir.IDXMLInstruction, "line 2 column 1", "Patient"},
		{"another encoding", `<?xml version="1.0" encoding="ISO-8859-1"?><Patient` + ns + `/>`, fhir.IDXMLEncoding, "UTF-8", ""},
		{"UTF-16", "\xff\xfe<\x00P\x00", fhir.IDXMLEncoding, "UTF-8", ""},
		{"XML 1.1", `<?xml version="1.1"?><Patient` + ns + `/>`, fhir.IDXMLSyntax, "declaration", ""},
		{"no UTF-8", in("<language value=\"\xff\"/>"), fhir.IDXMLUTF8, "line 2 column 18", "Patient"},
		{"a control character", in("<language value=\"\x01\"/>"), fhir.IDXMLCharacter, "", "Patient"},
		{"a reference to one", in("<language value=\"&#1;\"/>"), fhir.IDXMLEntity, "", "Patient"},
		{"a reference to half a pair", in("<language value=\"&#xD800;\"/>"), fhir.IDXMLEntity, "", "Patient"},
		{"no namespace", `<Patient/>`, fhir.IDXMLNamespace, fhirURI, ""},
		{"another namespace", `<Patient xmlns="urn:x"/>`, fhir.IDXMLNamespace, fhirURI, ""},
		{"an unbound prefix", `<f:Patient/>`, fhir.IDXMLNamespace, "prefix", ""},
		{"another namespace inside", in(`<active xmlns="urn:x" value="true"/>`), fhir.IDXMLNamespace, "active", "Patient"},
		{"a div of FHIR", in(`<text><div/></text>`), fhir.IDXMLNamespace, xhtmlURI, "Patient.text"},
		{"an element of FHIR in a narrative", in(`<text>` + div + `<p xmlns="http://hl7.org/fhir"/></div></text>`), fhir.IDXMLNarrative, "", "Patient.text.div"},
		{"an unknown resource", `<Spam` + ns + `/>`, fhir.IDXMLElement, "Spam", ""},
		{"an unknown element", in(`<name><spam value="x"/></name>`), fhir.IDXMLElement, "line 2 column 7: HumanName has no element spam", "Patient.name[0]"},
		{"the name of a choice", in(`<deceased value="true"/>`), fhir.IDXMLElement, "deceased", "Patient"},
		{"an unknown attribute", in(`<active value="true" x="y"/>`), fhir.IDXMLAttribute, "active has no attribute x", "Patient.active"},
		{"an attribute with a prefix", in(`<active value="true" xml:lang="de"/>`), fhir.IDXMLAttribute, "lang", "Patient.active"},
		{"an attribute of a resource", `<Patient` + ns + ` id="x"/>`, fhir.IDXMLAttribute, "id", ""},
		{"a value of a complex element", in(`<name value="x"/>`), fhir.IDXMLAttribute, "value", "Patient.name[0]"},
		{"an id as an element", in(`<name><id value="x"/></name>`), fhir.IDXMLElement, "attribute", "Patient.name[0]"},
		{"the wrong order", in(`<gender value="male"/><active value="true"/>`), fhir.IDXMLOrder, "active stands before gender", "Patient"},
		{"an element twice", in(`<active value="true"/><active value="true"/>`), fhir.IDXMLOrder, "active is there twice", "Patient"},
		{"a list in two parts", in(`<name/><gender value="male"/><name/>`), fhir.IDXMLOrder, "", "Patient"},
		{"a choice twice", in(`<deceasedBoolean value="true"/><deceasedDateTime value="2020"/>`), fhir.IDXMLOrder, "deceasedBoolean and deceasedDateTime", "Patient"},
		{"text between elements", in(`x`), fhir.IDXMLText, "attribute value", "Patient"},
		{"text as a value", in(`<gender>male</gender>`), fhir.IDXMLText, "attribute value", "Patient.gender"},
		{"a primitive without a value", in(`<gender/>`), fhir.IDXMLElement, "neither", "Patient.gender"},
		{"a primitive with a comment only", in(`<gender><!-- x --></gender>`), fhir.IDXMLElement, "neither", "Patient.gender"},
		{"an element of a resource without one", in(`<contained/>`), fhir.IDXMLElement, "no resource", "Patient.contained[0]"},
		{"two resources in one", in(`<contained><Device/><Device/></contained>`), fhir.IDXMLElement, "more than one", "Patient.contained[0]"},
		{"a wrong end", in(`<name></nama>`), fhir.IDXMLSyntax, "name", "Patient.name[0]"},
		{"an end too early", `<Patient` + ns + `><name>`, fhir.IDXMLSyntax, "ends", "Patient.name[0]"},
		{"two roots", `<Patient` + ns + `/><Patient` + ns + `/>`, fhir.IDXMLSyntax, "second root", ""},
		{"text behind", `<Patient` + ns + `/>x`, fhir.IDXMLSyntax, "outside", ""},
		{"an attribute twice", in(`<active value="true" value="false"/>`), fhir.IDXMLSyntax, "twice", "Patient"},
		{"no quotes", in(`<active value=true/>`), fhir.IDXMLSyntax, "quotes", "Patient"},
		{"< in a value", in(`<gender value="<"/>`), fhir.IDXMLSyntax, "&lt;", "Patient"},
		{"]]> in text", in(`<text>` + div + `]]></div></text>`), fhir.IDXMLSyntax, "]]&gt;", "Patient.text.div"},
		{"-- in a comment", in(`<!-- -- -->`), fhir.IDXMLSyntax, "comment", "Patient"},
		{"no div", in(`<text><p xmlns="http://www.w3.org/1999/xhtml"/></text>`), fhir.IDXMLNamespace, "p is not", "Patient.text"},
		{"too deep", in(strings.Repeat(`<extension url="x">`, 200)), fhir.IDXMLDepth, "128", ""},
		{"too deep a narrative", in(`<text>` + div + strings.Repeat(`<b>`, 200)), fhir.IDXMLDepth, "128", ""},
	} {
		_, err := r4.AppendJSON(nil, strings.NewReader(c.xml), Limits{})
		var e *fhir.Error
		if !errors.As(err, &e) || e.Issues[0].ID != c.id || !strings.Contains(e.Issues[0].Text, c.words) || c.expression != "" && e.Issues[0].Expression != c.expression {
			t.Errorf("%s: got %+v %v; want id %s, text with %q, expression %s", c.name, e, err, c.id, c.words, c.expression)
		}
	}
	if _, err := r4.AppendJSON(nil, strings.NewReader(in(`<gender value="male"/>`)), Limits{Size: 20}); fhir.KindOf(err) != fhir.KindTooLarge {
		t.Errorf("a document past its limit: %v", err)
	}
	broken := errors.New("broken")
	if _, err := r4.AppendJSON(nil, &brokenReader{"<Patient" + ns + ">", broken}, Limits{}); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: got %v", err)
	}
}

type brokenReader struct {
	s   string
	err error
}

func (r *brokenReader) Read(p []byte) (int, error) {
	if r.s == "" {
		return 0, r.err
	}
	n := copy(p, r.s)
	r.s = r.s[n:]
	return n, nil
}

func TestWriting(t *testing.T) {
	head := header + "\n"
	for _, c := range []struct{ name, json, want string }{
		{"in the order of the definitions", `{"gender":"male","name":[{"given":["A"],"family":"F","id":"n"}],"id":"a","resourceType":"Patient"}`,
			head + `<Patient` + ns + `><id value="a"/><name id="n"><family value="F"/><given value="A"/></name><gender value="male"/></Patient>`},
		{"escapes", `{"resourceType":"Patient","language":"a&b<>\"'\n\r\t\u00e9é"}`, head + `<Patient` + ns + `><language value="a&amp;b&lt;&gt;&quot;'&#10;&#13;&#9;éé"/></Patient>`},
		{"an entity of HTML in a narrative", `{"resourceType":"Patient","text":{"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a&nbsp;b</div>"}}`,
			head + `<Patient` + ns + `><text><div xmlns="http://www.w3.org/1999/xhtml">a&#160;b</div></text></Patient>`},
		{"a narrative without its namespace", `{"resourceType":"Patient","text":{"div":"<div><p title=\"x\">a</p></div>"}}`,
			head + `<Patient` + ns + `><text><div xmlns="http://www.w3.org/1999/xhtml"><p title="x">a</p></div></text></Patient>`},
		{"siblings apart from their values", `{"resourceType":"Patient","_gender":{"id":"g"},"active":true,"gender":"male","_birthDate":{"id":"b"},"name":[{"_given":[null,{"id":"x"}],"family":"F","given":["A",null],"_family":{"id":"f"}}]}`,
			head + `<Patient` + ns + `><active value="true"/><name><family value="F" id="f"/><given value="A"/><given id="x"/></name><gender value="male" id="g"/><birthDate id="b"/></Patient>`},
		{"lists of siblings that are shorter and longer", `{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"id":"x"}]},{"_given":[{"id":"x"},{"id":"y"}],"given":["A"]},{"given":[],"family":"F"}]}`,
			head + `<Patient` + ns + `><name><given value="A" id="x"/><given value="B"/></name><name><given value="A" id="x"/><given id="y"/></name><name><family value="F"/></name></Patient>`},
		{"an id behind the content", `{"resourceType":"Patient","extension":[{"valueDecimal":1.00,"url":"u","id":"i"}]}`,
			head + `<Patient` + ns + `><extension id="i" url="u"><valueDecimal value="1.00"/></extension></Patient>`},
		{"white space and escapes in names", "\xef\xbb\xbf{ \"gend\\u0065r\" : \"male\" ,\n\t\"resourceTyp\\u0065\" : \"Patient\" }", head + `<Patient` + ns + `><gender value="male"/></Patient>`},
		{"an empty resource", `{"resourceType":"Patient"}`, head + `<Patient` + ns + `/>`},
	} {
		got, err := r4.AppendXML(nil, []byte(c.json), Options{})
		if err != nil || string(got) != c.want {
			t.Errorf("%s:\n got %s %v\nwant %s", c.name, got, err, c.want)
		}
	}
	got, err := r4.AppendXML(nil, []byte(`{"resourceType":"Patient","contained":[{"resourceType":"Device","id":"d"}],"_gender":{"extension":[{"url":"x"}]}}`), Options{Pretty: true})
	want := header + "\n<Patient" + ns + ">\n  <contained>\n    <Device>\n      <id value=\"d\"/>\n    </Device>\n  </contained>\n  <gender>\n    <extension url=\"x\"/>\n  </gender>\n</Patient>\n"
	if err != nil || string(got) != want {
		t.Errorf("indented: got %s %v", got, err)
	}
}

// TestWritingWhatIsNoJSON holds the writer to an error of the parser.
func TestWritingWhatIsNoJSON(t *testing.T) {
	const whole = `{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}],"text":{"div":"<div>\u00e9</div>"},"active":true}`
	for n := range len(whole) {
		var e *fhir.Error
		if _, err := r4.AppendXML(nil, []byte(whole[:n]), Options{}); !errors.As(err, &e) || e.Kind != fhir.KindInvalid {
			t.Errorf("%s: %v", whole[:n], err)
		}
	}
}

func TestWritingRefuses(t *testing.T) {
	for _, c := range []struct{ json, expression string }{
		{`{"resourceType":"Spam"}`, "Spam"},
		{`{"resourceType":"Patient","spam":1}`, "Patient.spam"},
		{`{"resourceType":"Patient","gender":{}}`, "Patient.gender"},
		{`{"resourceType":"Patient","name":["x"]}`, "Patient.name[0]"},
		{`{"resourceType":"Patient","name":{}}`, "Patient.name"},
		{`{"resourceType":"Patient","gender":["x"]}`, "Patient.gender"},
		{`{"resourceType":"Patient","_name":{}}`, "Patient._name"},
		{`{"resourceType":"Patient","_gender":1}`, "Patient._gender"},
		{`{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2020"}`, "Patient.deceasedDateTime"},
		{`{"resourceType":"Patient","language":"\u0001"}`, "Patient.language"},
		{`{"resourceType":"Patient","language":"\uffff"}`, "Patient.language"},
		{`{"resourceType":"Patient","contained":[1]}`, "Patient.contained[0]"},
		{`{"resourceType":"Patient","name":[{"given":[null]}]}`, "Patient.name[0].given[0]"},
		{`{"resourceType":"Patient","gender":null}`, "Patient.gender"},
		{`{"resourceType":"Patient","gender":null,"_gender":null}`, "Patient.gender"},
		{`{"resourceType":"Patient","name":[{"given":["x",null],"_given":[{"id":"x"}]}]}`, "Patient.name[0].given[1]"},
		{`{"resourceType":"Patient","name":[{"given":"x"}]}`, "Patient.name[0].given"},
		{`{"resourceType":"Patient","name":[{"given":[["x"]]}]}`, "Patient.name[0].given[0]"},
		{`{"resourceType":"Patient","name":[{"_given":{}}]}`, "Patient.name[0]._given"},
		{`{"resourceType":"Patient","name":[{"_id":{"id":"x"}}]}`, "Patient.name[0]._id"},
		{`{"resourceType":"Patient","deceasedDateTime":"2020","active":true,"deceasedBoolean":true}`, "Patient.deceasedBoolean"},
		{`{"active":true,"resourceType":"Patient","contained":[{"id":"x"}]}`, "Patient.contained[0]"},
		{`{"resourceType":"Patient","text":{"div":"<div></div></text>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<p/>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"x"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div>&spam;</div>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div xmlns=\"urn:x\"/>"}}`, "Patient.text.div"},
	} {
		got, err := r4.AppendXML(nil, []byte(c.json), Options{})
		var e *fhir.Error
		if !errors.As(err, &e) || e.Kind != fhir.KindUnprocessable || e.Issues[0].ID != fhir.IDXMLUnrepresentable || e.Issues[0].Expression != c.expression {
			t.Errorf("%s: got %s %+v, want expression %s", c.json, got, e, c.expression)
		}
	}
}
