package rest_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	fhirxml "github.com/fhirgate/fhirgate/fhir/xml"
)

const (
	xmlType   = "application/fhir+xml"
	xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>`
	janeXML   = `<Patient xmlns="http://hl7.org/fhir"><id value="jane"/><!-- x --><name><family value="Doe"/></name><birthDate value="1970"><extension url="urn:x"><valueDecimal value="1.00"/></extension></birthDate></Patient>`
	utf8XML   = "application/fhir+xml; charset=utf-8"
)

func TestXMLInEveryInteraction(t *testing.T) {
	in := func(more ...string) []string { return ct(xmlType, append([]string{"Accept", xmlType}, more...)...) }
	accept := []string{"Accept", xmlType}
	bundle := func(typ, entries string) string {
		return `<Bundle xmlns="http://hl7.org/fhir"><type value="` + typ + `"/>` + entries + `</Bundle>`
	}
	const transaction = `<entry><fullUrl value="urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"/><resource><Patient><name><family value="Roe"/></name></Patient></resource><request><method value="POST"/><url value="Patient"/></request></entry>` +
		`<entry><resource><Observation><status value="final"/><code><text value="x"/></code><subject><reference value="urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"/></subject></Observation></resource><request><method value="POST"/><url value="Observation"/></request></entry>`
	run(t, []call{
		{"update", "PUT", "/fhir/Patient/jane", in(), janeXML, 201, []string{"Content-Type", utf8XML, "Etag", `W/"1"`},
			[]string{xmlHeader, `<Patient xmlns="http://hl7.org/fhir"><id value="jane"/><meta><versionId value="1"/>`, `<birthDate value="1970"><extension url="urn:x"><valueDecimal value="1.00"/></extension></birthDate>`}},
		{"the same again makes no version", "PUT", "/fhir/Patient/jane", in(), janeXML, 200, []string{"Etag", `W/"1"`}, nil},
		{"the same in JSON makes no version", "PUT", "/fhir/Patient/jane", ct(jsonType),
			`{"resourceType":"Patient","id":"jane","name":[{"family":"Doe"}],"birthDate":"1970","_birthDate":{"extension":[{"url":"urn:x","valueDecimal":1.00}]}}`, 200, []string{"Etag", `W/"1"`}, nil},
		{"read", "GET", "/fhir/Patient/jane", accept, "", 200, []string{"Content-Type", utf8XML, "Etag", `W/"1"`, "Vary", "/.*Accept.*/"}, []string{`<family value="Doe"/>`, "!<!--"}},
		{"read by HEAD", "HEAD", "/fhir/Patient/jane", accept, "", 200, []string{"Content-Type", utf8XML, "Content-Length", `/[1-9]\d+/`}, nil},
		{"read as application/xml", "GET", "/fhir/Patient/jane", []string{"Accept", "application/xml"}, "", 200, []string{"Content-Type", "application/xml; charset=utf-8"}, []string{"<Patient"}},
		{"read as text/xml", "GET", "/fhir/Patient/jane", []string{"Accept", "text/xml"}, "", 200, []string{"Content-Type", "text/xml; charset=utf-8"}, []string{"<Patient"}},
		{"read by _format", "GET", "/fhir/Patient/jane?_format=xml", []string{"Accept", jsonType}, "", 200, []string{"Content-Type", utf8XML}, []string{"<Patient"}},
		{"read by _format as a media type", "GET", "/fhir/Patient/jane?_format=application/fhir%2Bxml", nil, "", 200, []string{"Content-Type", utf8XML}, []string{"<Patient"}},
		{"read by _format as text/xml", "GET", "/fhir/Patient/jane?_format=text/xml", nil, "", 200, []string{"Content-Type", "text/xml; charset=utf-8"}, []string{"<Patient"}},
		{"what is preferred", "GET", "/fhir/Patient/jane", []string{"Accept", "application/fhir+json;q=0.5, application/fhir+xml"}, "", 200, []string{"Content-Type", utf8XML}, nil},
		{"JSON where both are accepted", "GET", "/fhir/Patient/jane", []string{"Accept", "application/fhir+xml, application/fhir+json"}, "", 200, []string{"Content-Type", utf8Type}, nil},
		{"XML with R4", "GET", "/fhir/Patient/jane", []string{"Accept", "application/fhir+xml; fhirVersion=4.0"}, "", 200, []string{"Content-Type", utf8XML}, nil},
		{"XML with R5", "GET", "/fhir/Patient/jane", []string{"Accept", "application/fhir+xml; fhirVersion=5.0"}, "", 406, nil, nil},
		{"_pretty", "GET", "/fhir/Patient/jane?_pretty=true", accept, "", 200, nil, []string{"\n  <id value=\"jane\"/>\n"}},
		{"_summary", "GET", "/fhir/Patient/jane?_summary=text", accept, "", 200, nil, []string{`<code value="SUBSETTED"/>`, "!family"}},
		{"vread", "GET", "/fhir/Patient/jane/_history/1", accept, "", 200, []string{"Content-Type", utf8XML}, []string{"<Patient"}},
		{"not modified", "GET", "/fhir/Patient/jane", append([]string{"If-None-Match", `W/"1"`}, accept...), "", 304, nil, nil},
		{"create", "POST", "/fhir/Patient", in("If-None-Exist", "family=Poe"), `<Patient xmlns="http://hl7.org/fhir"><name><family value="Poe"/></name></Patient>`, 201, []string{"Content-Type", utf8XML}, []string{`"Poe"`}},
		{"created already", "POST", "/fhir/Patient", in("If-None-Exist", "family=Poe"), `<Patient xmlns="http://hl7.org/fhir"><name><family value="Poe"/></name></Patient>`, 200, nil, []string{`"Poe"`}},
		{"outcome preferred", "POST", "/fhir/Patient", in("Prefer", "return=OperationOutcome"), `<Patient xmlns="http://hl7.org/fhir"/>`, 201, []string{"Content-Type", utf8XML}, []string{"<OperationOutcome"}},
		{"minimal", "POST", "/fhir/Patient", in("Prefer", "return=minimal"), `<Patient xmlns="http://hl7.org/fhir"/>`, 201, []string{"Content-Length", "0"}, nil},
		{"application/xml in", "POST", "/fhir/Patient", ct("application/xml"), `<Patient xmlns="http://hl7.org/fhir"/>`, 201, []string{"Content-Type", utf8Type}, nil},
		{"text/xml in", "POST", "/fhir/Patient", ct("text/xml; charset=UTF-8"), `<Patient xmlns="http://hl7.org/fhir"/>`, 201, nil, nil},
		{"packed in", "POST", "/fhir/Patient", ct(xmlType, "Content-Encoding", "gzip"), zipped(`<Patient xmlns="http://hl7.org/fhir"/>`), 201, nil, nil},
		{"search", "GET", "/fhir/Patient?family=doe&_format=xml", nil, "", 200, []string{"Content-Type", utf8XML}, []string{`<type value="searchset"/><total value="1"/>`, `<resource><Patient><id value="jane"/>`, `<mode value="match"/>`}},
		{"search by form", "POST", "/fhir/Patient/_search", append(ct("application/x-www-form-urlencoded"), accept...), "family=doe", 200, []string{"Content-Type", utf8XML}, []string{`<total value="1"/>`}},
		{"search by form with _format", "POST", "/fhir/Patient/_search", ct("application/x-www-form-urlencoded"), "family=doe&_format=xml", 200, []string{"Content-Type", utf8XML}, []string{`<total value="1"/>`}},
		{"history", "GET", "/fhir/Patient/jane/_history", accept, "", 200, nil, []string{`<type value="history"/>`, `<method value="PUT"/>`}},
		{"history of the system", "GET", "/fhir/_history?_format=xml", nil, "", 200, nil, []string{`<type value="history"/>`}},
		{"transaction", "POST", "/fhir", in("Prefer", "return=representation"), bundle("transaction", transaction), 200, []string{"Content-Type", utf8XML}, []string{`<type value="transaction-response"/>`, `<status value="201`, `<reference value="Patient/`}},
		{"batch", "POST", "/fhir", in(), bundle("batch", `<entry><request><method value="GET"/><url value="Patient/jane"/></request></entry><entry><request><method value="GET"/><url value="Patient/nobody"/></request></entry>`), 200, nil,
			[]string{`<type value="batch-response"/>`, `<family value="Doe"/>`, `<status value="404`, `<outcome><OperationOutcome>`}},
		{"operation by GET", "GET", "/fhir/Patient/jane/$everything", accept, "", 200, []string{"Content-Type", utf8XML}, []string{`<Patient>`}},
		{"operation by POST", "POST", "/fhir/$fhirpath", in(), `<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="expression"/><valueString value="Patient.name.family"/></parameter><parameter><name value="resource"/><resource><Patient><name><family value="Doe"/></name></Patient></resource></parameter></Parameters>`,
			200, []string{"Content-Type", utf8XML}, []string{`<valueString value="Doe"/>`}},
		{"capabilities", "GET", "/fhir/metadata", accept, "", 200, []string{"Content-Type", utf8XML}, []string{`<CapabilityStatement xmlns="http://hl7.org/fhir">`, `<format value="application/fhir+xml"/>`, `<patchFormat value="application/json-patch+json"/>`}},
		{"an error", "GET", "/fhir/Patient/nobody", accept, "", 404, []string{"Content-Type", utf8XML}, []string{`<OperationOutcome xmlns="http://hl7.org/fhir"><issue><severity value="error"/>`, `<code value="not-found"/>`}},
		{"an error of the path", "GET", "/fhir/Nonsense/1", accept, "", 404, []string{"Content-Type", utf8XML}, []string{"<OperationOutcome"}},
		{"an error of a parameter", "GET", "/fhir/Patient?nonsense=1&_format=xml", nil, "", 400, []string{"Content-Type", utf8XML}, []string{"<OperationOutcome"}},
		{"an error of the document", "PUT", "/fhir/Patient/jane", in(), `<Patient xmlns="http://hl7.org/fhir"><gendre value="x"/></Patient>`, 400, []string{"Content-Type", utf8XML}, []string{"line 1 column 38", "gendre", "xml-element"}},
		{"an entity", "PUT", "/fhir/Patient/jane", ct(xmlType), `<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><Patient xmlns="http://hl7.org/fhir"><language value="&y;"/></Patient>`, 400, nil, []string{"xml-doctype"}},
		{"JSON under the name of XML", "PUT", "/fhir/Patient/jane", ct(xmlType), jane, 400, nil, []string{"xml-syntax"}},
		{"XML under the name of JSON", "PUT", "/fhir/Patient/jane", ct(jsonType), janeXML, 400, nil, []string{"json-syntax"}},
		{"another type", "PUT", "/fhir/Patient/jane", ct(xmlType), `<Device xmlns="http://hl7.org/fhir"><id value="jane"/></Device>`, 400, nil, nil},
		{"another id", "PUT", "/fhir/Patient/jane", ct(xmlType), `<Patient xmlns="http://hl7.org/fhir"><id value="joe"/></Patient>`, 400, nil, nil},
		{"nothing", "POST", "/fhir/Patient", ct(xmlType), "", 400, nil, []string{"body-missing"}},
		{"delete with an outcome", "DELETE", "/fhir/Patient/jane", append([]string{"Prefer", "return=OperationOutcome"}, accept...), "", 200, []string{"Content-Type", utf8XML}, []string{"<OperationOutcome"}},
		{"read the deleted", "GET", "/fhir/Patient/jane", accept, "", 410, []string{"Content-Type", utf8XML}, []string{`<code value="deleted"/>`}},
	})
}

func TestXMLIsValidatedAsJSONIs(t *testing.T) {
	runOn(t, newServerOf(t, newValidating(t)), []call{
		{"a code", "POST", "/fhir/Patient", ct(xmlType, "Accept", xmlType), `<Patient xmlns="http://hl7.org/fhir"><gender value="x"/></Patient>`, 422, []string{"Content-Type", utf8XML}, []string{`<expression value="Patient.gender"/>`}},
		{"a decimal", "POST", "/fhir/Observation", ct(xmlType), `<Observation xmlns="http://hl7.org/fhir"><status value="final"/><code><text value="x"/></code><valueQuantity><value value="+1"/></valueQuantity></Observation>`, 422, nil, []string{"Observation.value"}},
		{"a boolean", "POST", "/fhir/Patient", ct(xmlType), `<Patient xmlns="http://hl7.org/fhir"><active value="1"/></Patient>`, 422, nil, []string{"Patient.active"}},
		{"a narrative with a script", "POST", "/fhir/Patient", ct(xmlType), `<Patient xmlns="http://hl7.org/fhir"><text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div></text></Patient>`, 422, nil, []string{"narrative-script"}},
	})
}

func TestBinaryAndXML(t *testing.T) {
	const cda = `<?xml version="1.0"?><?xml-stylesheet href="x"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>`
	run(t, []call{
		{"any XML is content", "PUT", "/fhir/Binary/c", ct("application/xml"), cda, 201, nil, []string{`"contentType":"application/xml"`}},
		{"and comes out as it is", "GET", "/fhir/Binary/c", nil, "", 200, []string{"Content-Type", "application/xml"}, []string{cda}},
		{"by its type too", "GET", "/fhir/Binary/c", []string{"Accept", "application/xml"}, "", 200, []string{"Content-Type", "application/xml"}, []string{cda}},
		{"and as a resource by name", "GET", "/fhir/Binary/c", []string{"Accept", xmlType}, "", 200, []string{"Content-Type", utf8XML}, []string{`<Binary xmlns="http://hl7.org/fhir">`, `<contentType value="application/xml"/>`}},
		{"a Binary in XML", "PUT", "/fhir/Binary/b", ct(xmlType), `<Binary xmlns="http://hl7.org/fhir"><id value="b"/><contentType value="text/plain"/><data value="aGVsbG8="/></Binary>`, 201, nil, nil},
		{"and its content", "GET", "/fhir/Binary/b", nil, "", 200, []string{"Content-Type", "text/plain"}, []string{"hello"}},
		{"another resource in XML is content", "PUT", "/fhir/Binary/p", ct(xmlType), janeXML, 201, nil, []string{`"contentType":"application/fhir+xml"`}},
		{"and comes out as it is", "GET", "/fhir/Binary/p", []string{"Accept", "*/*"}, "", 200, []string{"Content-Type", xmlType}, []string{janeXML}},
		{"broken FHIR XML", "PUT", "/fhir/Binary/x", ct(xmlType), `<Binary`, 400, nil, []string{"xml-syntax"}},
		{"_format=xml", "GET", "/fhir/Binary/b?_format=xml", nil, "", 200, []string{"Content-Type", utf8XML}, []string{"<Binary"}},
	})
}

// TestXMLOfWhatItCannotHold has a resource that was stored without validation.
func TestXMLOfWhatItCannotHold(t *testing.T) {
	const odd = `{"resourceType":"Patient","id":"odd","spam":1}`
	accept := []string{"Accept", xmlType}
	runOn(t, newServerOf(t, newConfigWith(t, nil, nil)), []call{
		{"the write is told in JSON", "PUT", "/fhir/Patient/odd", ct(jsonType, "Accept", xmlType), odd, 201, []string{"Content-Type", utf8Type}, []string{`"spam":1`}},
		{"a read is not acceptable", "GET", "/fhir/Patient/odd", accept, "", 406, []string{"Content-Type", utf8Type, "Etag", ""}, []string{"xml-unrepresentable", "Patient.spam"}},
		{"nor is a search", "GET", "/fhir/Patient?_id=odd", accept, "", 406, nil, []string{"xml-unrepresentable"}},
		{"JSON has it", "GET", "/fhir/Patient/odd", nil, "", 200, nil, []string{`"spam":1`}},
		{"an error about a character", "GET", "/fhir/Patient?nonsense%01=1", accept, "", 400, nil, []string{"OperationOutcome"}},
	})
}

func TestXMLBodiesAreLimited(t *testing.T) {
	long := `<Patient xmlns="http://hl7.org/fhir"><language value="` + strings.Repeat("x", limitBody) + `"/></Patient>`
	// In JSON the text takes more room than in XML.
	quoted := `<Patient xmlns="http://hl7.org/fhir"><language value="` + strings.Repeat(`\`, limitBody-1000) + `"/></Patient>`
	deep := `<Patient xmlns="http://hl7.org/fhir">` + strings.Repeat(`<extension url="x">`, 500) + strings.Repeat(`</extension>`, 500) + `</Patient>`
	run(t, []call{
		{"longer than the limit", "POST", "/fhir/Patient", ct(xmlType), long, 413, nil, []string{"body-too-large"}},
		{"longer than the limit in JSON", "POST", "/fhir/Patient", ct(xmlType), quoted, 413, nil, []string{"body-too-large"}},
		{"a bomb", "POST", "/fhir/Patient", ct(xmlType, "Content-Encoding", "gzip"), zipped(long), 413, nil, []string{"body-too-large", "at most " + strconv.Itoa(limitBody) + " bytes"}},
		{"too deep", "POST", "/fhir/Patient", ct(xmlType), deep, 413, nil, []string{"xml-depth"}},
		{"packed and cut off", "POST", "/fhir/Patient", ct(xmlType, "Content-Encoding", "gzip"), zipped(janeXML)[:60], 400, nil, []string{"body-incomplete"}},
	})
}

// TestExamplesByXML writes an example of each type in XML and reads it in both formats.
func TestExamplesByXML(t *testing.T) {
	s := newServerOf(t, newConfigWith(t, nil, nil))
	format := fhirxml.New(definition.R4())
	seen := map[string]bool{}
	for _, file := range corpustest.Files(t, "r4-examples/*.json") {
		r, err := fhir.ParseResource(corpustest.Read(t, file), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if seen[r.Type()] || r.Type() == "Binary" || !fhir.ValidID(r.ID()) {
			continue
		}
		seen[r.Type()] = true
		doc, err := format.AppendXML(nil, r.Raw(), fhirxml.Options{})
		if err != nil {
			t.Fatal(err)
		}
		path := "/fhir/" + r.Key().String()
		if a := s.do(t, "PUT", path, ct(xmlType, "Prefer", "return=minimal"), string(doc)); a.status != 201 {
			t.Errorf("%s: %d %.300s", filepath.Base(file), a.status, a.body)
			continue
		}
		got := s.do(t, "GET", path, []string{"Accept", xmlType}, "")
		back, err := format.AppendJSON(nil, bytes.NewReader(got.body), fhirxml.Limits{})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		if inXML, inJSON := compact(t, back), string(s.do(t, "GET", path, nil, "").body); inXML != inJSON {
			t.Errorf("%s differs:\nXML  %.500s\nJSON %.500s", filepath.Base(file), inXML, inJSON)
		}
		wellFormed(t, got.body)
	}
	if len(seen) < 120 {
		t.Errorf("%d types only", len(seen))
	}
}

func wellFormed(t *testing.T, doc []byte) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := dec.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%v in %.300s", err, doc)
		}
	}
}
