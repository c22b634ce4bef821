package validation

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func mustResource(t testing.TB, src string) fhir.Resource {
	t.Helper()
	r, err := fhir.ParseResource([]byte(src), fhir.Limits{})
	if err != nil {
		t.Fatalf("%.200s: %v", src, err)
	}
	return r
}

// lines writes issues as "id code expression", one a line.
func lines(issues []fhir.Issue) string {
	var b strings.Builder
	for _, is := range issues {
		fmt.Fprintf(&b, "%s %s %s\n", is.ID, is.Code, is.Expression)
	}
	return b.String()
}

// patient and observation make a resource of the members given, beside those that are required.
func patient(members string) string { return `{"resourceType":"Patient",` + members + `}` }
func observation(members string) string {
	return `{"resourceType":"Observation","status":"final","code":{"text":"x"},` + members + `}`
}

// div makes a narrative of the content of its div.
func div(content string) string {
	return patient(`"text":{"status":"generated","div":` + string(fhir.AppendString(nil, `<div xmlns="http://www.w3.org/1999/xhtml">`+content+`</div>`)) + `}`)
}

func TestUnknownMembersAreNamedUnlessTheirNameMayBeData(t *testing.T) {
	v := newValidator(t)
	for name, named := range map[string]bool{"nam": true, "fhir_comments": true, "1st": true, "Jane Doe": false, "a.b": false, "Jäne": false, strings.Repeat("a", 65): false} {
		issues := v.Validate(mustResource(t, patient(`"`+name+`":[]`)), Base)
		if len(issues) != 1 || strings.Contains(issues[0].Text, name) != named {
			t.Errorf("%s: %+v", name, issues)
		}
	}
}

// faults is what Base finds: the resource, and every issue as lines writes it.
var faults = []struct{ name, src, want string }{
	{"nothing", patient(`"active":true`), ""},
	{"an unknown type", `{"resourceType":"Dragon"}`, "unknown-type not-supported resourceType"},
	{"a type in the wrong case", `{"resourceType":"OBSERVATION"}`, "unknown-type not-supported resourceType"},
	{"an abstract type", `{"resourceType":"DomainResource"}`, "unknown-type not-supported resourceType"},

	// Elements.
	{"an unknown element", patient(`"nam":[]`), "unknown-element structure Patient.nam"},
	{"an unknown element deeper down", patient(`"contact":[{"name":{"text":"x"}},{"telecom":[{"sytem":"phone","value":"1"}]}]`), "unknown-element structure Patient.contact[1].telecom[0].sytem"},
	{"an element in the wrong case", patient(`"Active":true`), "unknown-element structure Patient.Active"},
	{"a name of google/fhir's own", patient(`"managingOrganization":{"organizationId":{"value":"1"}}`), "unknown-element structure Patient.managingOrganization.organizationId"},
	{"a name that is none", patient(`"given name of Jane":1`), "unknown-element structure Patient"},
	{"a name with an underscore", patient(`"fhir_comments":["x"]`), "unknown-element structure Patient.fhir_comments"},
	{"a name that begins with a digit", patient(`"1st":["x"]`), "unknown-element structure Patient"},
	{"a name with a point", patient(`"a.b":1`), "unknown-element structure Patient"},
	{"an element of another type", patient(`"valueString":"x"`), "unknown-element structure Patient.valueString"},
	{"a choice without type", observation(`"value":1`), "unknown-element structure Observation.value"},
	{"a choice of a type that it does not have", observation(`"valueUri":"urn:x"`), "unknown-element structure Observation.valueUri"},
	{"a missing element", `{"resourceType":"Observation","code":{"text":"x"}}`, "element-required required Observation.status"},
	{"two missing elements", `{"resourceType":"Observation"}`, "element-required required Observation.status\nelement-required required Observation.code"},
	{"a missing element deeper down", patient(`"link":[{"other":{"reference":"Patient/1"}}]`), "element-required required Patient.link[0].type"},
	{"a missing choice", `{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"reference":"Patient/1"}}`, "element-required required MedicationRequest.medication"},
	{"a required primitive of which there is only an extension", `{"resourceType":"Observation","_status":{"extension":[{"url":"u","valueCode":"x"}]},"code":{"text":"x"}}`, ""},
	{"an extension without url", patient(`"extension":[{"valueString":"x"}]`), "element-required required Patient.extension[0].url"},
	{"two values of a choice", observation(`"valueString":"x","valueInteger":1`), "element-choice structure Observation.value"},
	{"three values of a choice", observation(`"valueString":"x","valueInteger":1,"valueBoolean":true`), "element-choice structure Observation.value"},
	{"a value and the extension of another", observation(`"valueString":"x","_valueInteger":{"id":"x"}`), "element-choice structure Observation.value"},
	{"one object for a list", patient(`"name":{"family":"x"}`), "element-array structure Patient.name"},
	{"a list for one value", patient(`"birthDate":["2000"]`), "element-array structure Patient.birthDate"},
	{"an empty list", patient(`"name":[]`), "element-empty structure Patient.name"},
	{"an empty object", patient(`"maritalStatus":{}`), "element-empty structure Patient.maritalStatus"},
	{"an empty string", patient(`"name":[{"family":""}]`), "element-empty value Patient.name[0].family"},
	{"null", patient(`"birthDate":null`), "element-null structure Patient.birthDate"},
	{"null beside an extension", patient(`"birthDate":null,"_birthDate":{"id":"x"}`), "element-null structure Patient.birthDate"},
	{"null for an object", patient(`"name":[null]`), "element-null structure Patient.name[0]"},
	{"a string for an object", patient(`"name":["x"]`), "element-type structure Patient.name[0]"},
	{"a list in a list", patient(`"name":[[{"family":"x"}]]`), "element-type structure Patient.name[0]"},
	{"an object for a string", patient(`"name":[{"family":{"x":1}}]`), "element-type structure Patient.name[0].family"},
	{"a string for a boolean", patient(`"active":"true"`), "element-type structure Patient.active"},
	{"a number for a string", patient(`"name":[{"family":1}]`), "element-type structure Patient.name[0].family"},
	{"a string for a number", observation(`"valueQuantity":{"value":"1"}`), "element-type structure Observation.value.ofType(Quantity).value"},
	{"a sibling of an object", patient(`"_name":[{"id":"x"}]`), "unknown-element structure Patient._name"},
	{"a sibling of an id", patient(`"id":"1","_id":{"extension":[{"url":"u","valueCode":"x"}]}`), "unknown-element structure Patient._id"},
	{"all at once", patient(`"id":"a b","gender":"m","name":[{"given":[1]}],"foo":1`),
		"primitive-format value Patient.id\ncode-enum code-invalid Patient.gender\nelement-type structure Patient.name[0].given[0]\nunknown-element structure Patient.foo"},

	// Null padding.
	{"lists padded with null", patient(`"name":[{"given":["a",null,"c"],"_given":[null,{"id":"x"},null]}]`), ""},
	{"dates and codes padded with null", `{"resourceType":"HealthcareService","availableTime":[{"daysOfWeek":["mon",null],"_daysOfWeek":[null,{"id":"x"}]}]}`, ""},
	{"siblings of dates padded with null", `{"resourceType":"Basic","code":{"text":"x"},"extension":[{"url":"u","valueTiming":{"event":["2024","2025",null],"_event":[null,{"id":"x"},{"id":"y"}]}}]}`, ""},
	{"siblings of codes padded with null", `{"resourceType":"HealthcareService","availableTime":[{"daysOfWeek":["mon","tue"],"_daysOfWeek":[null,{"id":"x"}]}]}`, ""},
	{"only siblings", patient(`"name":[{"_given":[{"id":"x"}]}]`), ""},
	{"lists of different length", patient(`"name":[{"given":["a","b"],"_given":[{"id":"x"}]}]`), "element-siblings structure Patient.name[0].given"},
	{"null in both lists", patient(`"name":[{"given":["a",null],"_given":[{"id":"x"},null]}]`), "element-null structure Patient.name[0].given[1]"},
	{"null without sibling", patient(`"name":[{"given":["a",null]}]`), "element-null structure Patient.name[0].given[1]"},
	{"null in a lone sibling", patient(`"name":[{"_given":[{"id":"x"},null]}]`), "element-null structure Patient.name[0].given[1]"},
	{"a sibling that is an object where the element repeats", patient(`"name":[{"given":["a"],"_given":{"id":"x"}}]`), "element-array structure Patient.name[0].given"},
	{"a sibling that is a list where the element does not", patient(`"birthDate":"2000","_birthDate":[{"id":"x"}]`), "element-type structure Patient.birthDate"},
	{"a value in a sibling", patient(`"birthDate":"2000","_birthDate":{"value":"x"}`), "unknown-element structure Patient.birthDate.value"},
	{"an extension of a primitive", patient(`"birthDate":"2000","_birthDate":{"extension":[{"url":"u","valueDateTime":"nope"}]}`), "primitive-format value Patient.birthDate.extension[0].value.ofType(dateTime)"},

	// Primitives.
	{"a date that does not exist", patient(`"birthDate":"2023-02-30"`), "primitive-format value Patient.birthDate"},
	{"a dateTime without zone", observation(`"effectiveDateTime":"2024-05-17T10:00:00"`), "primitive-format value Observation.effective.ofType(dateTime)"},
	{"a leap second", observation(`"effectiveDateTime":"2016-12-31T23:59:60Z"`), ""},
	{"hour 24", observation(`"valueTime":"24:00:00"`), "primitive-format value Observation.value.ofType(time)"},
	{"an id of 65 characters", patient(`"id":"` + strings.Repeat("a", 65) + `"`), "primitive-format value Patient.id"},
	{"an id that is a number", patient(`"id":1`), "element-type structure Patient.id"},
	{"an id with an underscore", patient(`"id":"a_b"`), "primitive-format value Patient.id"},
	{"a code with spaces at its ends", patient(`"language":" en"`), "primitive-format value Patient.language"},
	{"a URI with a space", patient(`"implicitRules":"http://x y"`), "primitive-format value Patient.implicitRules"},
	{"a control character", patient(`"name":[{"family":"a\u0007"}]`), "primitive-format value Patient.name[0].family"},
	{"an integer with a point", observation(`"valueInteger":1.0`), "primitive-format value Observation.value.ofType(integer)"},
	{"an integer past 32 bits", observation(`"valueInteger":2147483648`), "primitive-format value Observation.value.ofType(integer)"},
	{"a positiveInt of 0", patient(`"telecom":[{"rank":0,"value":"x"}]`), "primitive-format value Patient.telecom[0].rank"},
	{"a decimal with an exponent", observation(`"valueQuantity":{"value":1.50e3}`), ""},
	{"a decimal of 40 digits", observation(`"valueQuantity":{"value":0.1234567890123456789012345678901234567890}`), ""},
	{"a decimal that explodes", observation(`"valueQuantity":{"value":1e999999999}`), "primitive-format value Observation.value.ofType(Quantity).value"},
	{"a number that explodes where nothing is known", patient(`"foo":1e999999999`), "unknown-element structure Patient.foo"},
	{"base64 in groups with spaces", `{"resourceType":"Binary","contentType":"a/b","data":"QUJD REVG\nAA=="}`, ""},
	{"base64 with an escaped slash", `{"resourceType":"Binary","contentType":"a/b","data":"QUJD\/\/\/\/"}`, ""},
	{"base64 that ends early", `{"resourceType":"Binary","contentType":"a/b","data":"QUJ"}`, "primitive-format value Binary.data"},
	{"base64 of the URL alphabet", `{"resourceType":"Binary","contentType":"a/b","data":"QU-_"}`, "primitive-format value Binary.data"},
	{"characters of every plane", patient(`"name":[{"text":"a\u00e9漢😀𐀀\ud83d\ude00\u2028"}]`), ""},
	{"a string of 1 MB", patient(`"name":[{"text":"` + strings.Repeat("é", 1<<20) + `"}]`), ""},
	{"a string of more", patient(`"name":[{"text":"` + strings.Repeat("é", 1<<20) + `x"}]`), "primitive-length too-long Patient.name[0].text"},

	// Codes and references.
	{"a code that the element does not have", `{"resourceType":"Observation","status":"done","code":{"text":"x"}}`, "code-enum code-invalid Observation.status"},
	{"a code that only groups others", `{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"question"}]}`, "code-enum code-invalid Questionnaire.item[0].type"},
	{"a media type", `{"resourceType":"Binary","contentType":"application/x-anything"}`, ""},
	{"a code in the wrong case", patient(`"gender":"Male"`), "code-enum code-invalid Patient.gender"},
	{"a reference to another type", patient(`"managingOrganization":{"reference":"Practitioner/1"}`), "reference-target value Patient.managingOrganization"},
	{"a reference with a space", patient(`"managingOrganization":{"reference":"Organization 1"}`), "reference-format value Patient.managingOrganization.reference"},
	{"a reference with a space where any type may stand", `{"resourceType":"List","status":"current","mode":"working","entry":[{"item":{"reference":"Patient 1"}}]}`, "reference-format value List.entry[0].item.reference"},
	{"a reference that is a tag", patient(`"managingOrganization":{"reference":"<Organization/1>"}`), "reference-format value Patient.managingOrganization.reference"},
	{"a reference without a type", patient(`"managingOrganization":{"reference":"nd1"}`), "reference-format value Patient.managingOrganization.reference"},
	{"a reference to a type that is mistyped", patient(`"managingOrganization":{"reference":"Organisation/1"}`), "reference-format value Patient.managingOrganization.reference"},
	{"a reference that ends with a slash", patient(`"managingOrganization":{"reference":"Organization/1/"}`), "reference-format value Patient.managingOrganization.reference"},
	{"a reference to a type of another version of FHIR", patient(`"managingOrganization":{"reference":"ActorDefinition/1"}`), ""},
	{"an empty reference", patient(`"managingOrganization":{"reference":""}`), "element-empty value Patient.managingOrganization.reference"},
	{"a conditional reference with a space", patient(`"managingOrganization":{"reference":"Organization?name=A B"}`), ""},
	{"a reference with a version to another type", patient(`"managingOrganization":{"reference":"Practitioner/1/_history/2"}`), "reference-target value Patient.managingOrganization"},
	{"a conditional reference to another type", patient(`"managingOrganization":{"reference":"Practitioner?identifier=a|b"}`), "reference-target value Patient.managingOrganization"},
	{"a code of an extensible binding", `{"resourceType":"Library","status":"draft","type":{"text":"x"},"extension":[{"url":"u","valueExpression":{"language":"text/x","expression":"1"}}]}`, ""},
	{"an extension of a canonical", `{"resourceType":"QuestionnaireResponse","status":"completed","_questionnaire":{"extension":[{"url":"u","valueString":"x"}]}}`, ""},
	{"extensions of a list of canonicals", `{"resourceType":"StructureDefinition","url":"http://x.org/s","name":"S","status":"draft","kind":"resource","abstract":false,"type":"Patient",
		"differential":{"element":[{"id":"Patient.link.other","path":"Patient.link.other","type":[{"code":"Reference","targetProfile":["http://x.org/a","http://x.org/b"],"_targetProfile":[null,{"extension":[{"url":"u","valueBoolean":true}]}]}]}]}}`, ""},
	{"an extension of meta.profile", patient(`"meta":{"profile":["http://x.org/a"],"_profile":[{"extension":[{"url":"u","valueBoolean":true}]}]}`), ""},
	{"an extension of an element that is no primitive", patient(`"_name":[{"extension":[{"url":"u","valueBoolean":true}]}]`), "unknown-element structure Patient._name"},
	{"something else beside a canonical", `{"resourceType":"QuestionnaireResponse","status":"completed","_questionnaire":{"value":"x"}}`, "unknown-element structure QuestionnaireResponse.questionnaire.value"},
	{"an extension with a Meta", patient(`"extension":[{"url":"u","valueMeta":{"source":"x"}}]`), ""},
	{"a URI with an escape in its host", patient(`"implicitRules":"http://a%41b.org/x"`), ""},
	{"a URI with a broken escape", patient(`"implicitRules":"http://x.org/%zz"`), "model-value value Patient.implicitRules"},
	{"a comparator of a SimpleQuantity", observation(`"referenceRange":[{"low":{"value":1,"comparator":"<"}}]`), "model-unknown structure Observation.referenceRange[0].low.comparator"},
	{"a reference to a type of another release", patient(`"generalPractitioner":[{"reference":"ProcedureRequest/1"}]`), "model-reference value Patient.generalPractitioner[0]"},
	{"references of every form", `{"resourceType":"List","status":"current","mode":"working","entry":[{"item":{"reference":"Patient/1"}},{"item":{"reference":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}},
		{"item":{"reference":"urn:oid:1.2.3"}},{"item":{"reference":"http://x.org/fhir/Patient/1"}},{"item":{"reference":"#a"}},{"item":{"reference":"#"}},{"item":{"reference":"Patient?identifier=http://x.org|1"}},
		{"item":{"reference":"Patient/1/_history/2"}},{"item":{"identifier":{"value":"x"}}},{"item":{"display":"x"}}],
		"contained":[{"resourceType":"PractitionerRole","id":"a","practitioner":{"reference":"#b"},"organization":{"reference":"#"}},{"resourceType":"Practitioner","id":"b"}]}`, ""},
	{"a reference to what is not contained", `{"resourceType":"List","status":"current","mode":"working","entry":[{"item":{"reference":"#a"}},{"item":{"reference":"#A"}},{"item":{"reference":"#c"}}],
		"contained":[{"resourceType":"PractitionerRole","id":"a","practitioner":{"reference":"#b"}}]}`,
		"reference-inside invariant List.entry[1].item.reference\nreference-inside invariant List.entry[2].item.reference\nreference-inside invariant List.contained[0].practitioner.reference"},
	{"a reference to what nothing contains", patient(`"managingOrganization":{"reference":"#o"}`), "reference-inside invariant Patient.managingOrganization.reference"},
	{"references inside the resources of a bundle", `{"resourceType":"Bundle","type":"collection","entry":[
		{"resource":{"resourceType":"Patient","managingOrganization":{"reference":"#o"},"contained":[{"resourceType":"Organization","id":"o","name":"x"}]}},
		{"resource":{"resourceType":"Patient","managingOrganization":{"reference":"#o"}}}]}`, "reference-inside invariant Bundle.entry[1].resource.managingOrganization.reference"},
	{"references that can be none", `{"resourceType":"List","status":"current","mode":"working","entry":[{"item":{"reference":"http://"}},{"item":{"reference":"Patient/a#b"}},{"item":{"reference":"urn:uuid:"}}]}`,
		"reference-format value List.entry[0].item.reference\nreference-format value List.entry[1].item.reference\nreference-format value List.entry[2].item.reference"},

	// Nested resources.
	{"a fault in a contained resource", patient(`"contained":[{"resourceType":"Organization","id":"o","name":"x"},{"resourceType":"Observation","id":"a","status":"done","code":{"text":"x"},"foo":1}]`),
		"code-enum code-invalid Patient.contained[1].status\nunknown-element structure Patient.contained[1].foo"},
	{"a contained resource without type", patient(`"contained":[{"id":"a"}]`), "resource-type required Patient.contained[0].resourceType"},
	{"a contained resource of an unknown type", patient(`"contained":[{"resourceType":"Dragon"}]`), "unknown-type not-supported Patient.contained[0].resourceType"},
	{"a contained resource that lacks an element", patient(`"contained":[{"resourceType":"Observation","status":"final"}]`), "element-required required Patient.contained[0].code"},
	{"a fault in a bundle's entry", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"}},{"resource":{"resourceType":"Patient","name":[{"use":"x"}],"link":[{"type":"seealso"}]}}]}`,
		"code-enum code-invalid Bundle.entry[1].resource.name[0].use\nelement-required required Bundle.entry[1].resource.link[0].other"},
	{"a fault in a parameter", `{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b","resource":{"resourceType":"Patient","gender":"x"}}]}]}`,
		"code-enum code-invalid Parameters.parameter[0].part[0].resource.gender"},
	{"resources in parameters, one in the other", `{"resourceType":"Parameters","parameter":[{"name":"a","valueTime":"23:59:60"},{"name":"b","resource":{"resourceType":"Parameters","parameter":[
		{"name":"c","valueTime":"23:59:60","resource":{"resourceType":"Patient","link":[{"other":{"reference":"urn:oid:1.2"},"type":"seealso"}]}}]}},{"name":"d","valueTime":"23:59:60"}]}`, ""},
	{"a resource in a parameter in a bundle", `{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Parameters","parameter":[{"name":"a","resource":{"resourceType":"Patient","gender":"x"}}]},"request":{"method":"POST","url":"$x"}}]}`,
		"code-enum code-invalid Bundle.entry[0].resource.parameter[0].resource.gender"},
	{"resourceType where no resource stands", patient(`"name":[{"resourceType":"HumanName","family":"x"}]`), "unknown-element structure Patient.name[0].resourceType"},

	// Siblings of primitives, canonicals included.
	{"an extension of a canonical", `{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"http://x.org/q","_questionnaire":{"extension":[{"url":"http://x.org","valueString":"x"}]}}`, ""},
	{"an extension in place of a canonical", `{"resourceType":"QuestionnaireResponse","status":"completed","_questionnaire":{"extension":[{"url":"http://x.org","valueString":"x"}]}}`, ""},
	{"an extension of one of several canonicals", patient(`"meta":{"profile":["http://x.org/p",null],"_profile":[null,{"extension":[{"url":"http://x.org","valueString":"x"}]}]}`), ""},
	{"an extension of a narrative's div", patient(`"text":{"status":"generated","div":"<div>x</div>","_div":{"id":"a"}}`), "unknown-element structure Patient.text._div"},

	// Narrative.
	{"a narrative", div(`<p style="color:red" class="a">x &lt; y<br/></p><table><tr><td colspan="2">x</td></tr></table><img src="data:image/png;base64,AAAA" alt="x"/><a href="https://x.org#a">x</a><!-- x -->`), ""},
	{"a script", div(`<script>x</script>`), "narrative-script security Patient.text.div"},
	{"an event", div(`<p onclick="x()">x</p>`), "narrative-script security Patient.text.div"},
	{"an event in capitals", div(`<img src="a" ONERROR='x()'/>`), "narrative-script security Patient.text.div"},
	{"a javascript URL", div(`<a href="javascript:x()">x</a>`), "narrative-script security Patient.text.div"},
	{"a javascript URL behind character references", div(`<a href=" j&#97;va&#x0A;script&colon;x()">x</a>`), "narrative-script security Patient.text.div"},
	{"a data URL", div(`<a href="data:text/html,x">x</a>`), "narrative-script security Patient.text.div"},
	{"an SVG image", div(`<img src="data:image/svg+xml,x"/>`), "narrative-script security Patient.text.div"},
	{"an iframe", div(`<iframe src="x"></iframe>`), "narrative-script security Patient.text.div"},
	{"a form", div(`<form action="x"><input/></form>`), "narrative-script security Patient.text.div"},
	{"a style with an expression", div(`<p style="width:exp/**/ression(x())">x</p>`), "narrative-script security Patient.text.div"},
	{"a style behind escapes", div(`<p style="\62 ehavior:url(x)">x</p>`), "narrative-script security Patient.text.div"},
	{"a script in capitals", div(`<SCRIPT>x</SCRIPT>`), "narrative-script security Patient.text.div"},
	{"a comment that HTML ends early", div(`<!--><img src="x" onerror="y"/>-->`), "narrative-markup invalid Patient.text.div"},
	{"an open element", div(`<p>x`), "narrative-markup invalid Patient.text.div"},
	{"an element that is no formatting", div(`<blink>x</blink>`), "narrative-markup invalid Patient.text.div"},
	{"a document type", patient(`"text":{"status":"generated","div":"<!DOCTYPE html><div>x</div>"}`), "narrative-markup invalid Patient.text.div"},
	{"no div", patient(`"text":{"status":"generated","div":"x"}`), "narrative-markup invalid Patient.text.div"},
	{"two divs", patient(`"text":{"status":"generated","div":"<div>x</div><div>x</div>"}`), "narrative-markup invalid Patient.text.div"},
	{"text before the end", patient(`"text":{"status":"generated","div":"<div>x</div>y"}`), "narrative-markup invalid Patient.text.div"},
	{"a script in a contained resource", patient(`"contained":[{"resourceType":"Basic","code":{"text":"x"},"text":{"status":"generated","div":"<div><script/></div>"}}]`), "narrative-script security Patient.contained[0].text.div"},
}

func TestBaseFinds(t *testing.T) {
	v := newValidator(t)
	for _, c := range faults {
		issues := v.Validate(mustResource(t, c.src), Base)
		if got := strings.TrimSuffix(lines(issues), "\n"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
		for _, is := range issues {
			if is.Severity != fhir.SeverityError || is.Text == "" {
				t.Errorf("%s: %+v", c.name, is)
			}
		}
	}
}

func TestValidateASubtree(t *testing.T) {
	v := newValidator(t)
	root := mustResource(t, `{"resourceType":"Bundle","entry":[{"resource": {"resourceType":"Patient","gender": "x","contact":[{"foo":1}]}}]}`)
	r, err := fhir.AsResource(root.Get("entry").At(0).Get("resource"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := lines(v.Validate(r, Base)), "code-enum code-invalid Patient.gender\nunknown-element structure Patient.contact[0].foo\n"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}

func TestTheNearestNameIsOffered(t *testing.T) {
	v := newValidator(t)
	for name, want := range map[string]string{"gendre": "did you mean gender?", "Gender": "did you mean gender?", "_birthdate": "did you mean _birthDate?", "xyzzy": ""} {
		issues := v.Validate(mustResource(t, patient(`"`+name+`":1`)), Base)
		if len(issues) != 1 || !strings.HasSuffix(issues[0].Text, want) || strings.Contains(issues[0].Text, "mean") != (want != "") {
			t.Errorf("%s: %+v", name, issues)
		}
	}
}

func TestNoValueIsToldAgain(t *testing.T) {
	v := newValidator(t)
	const secret = "Wintergreen"
	for _, src := range []string{
		patient(`"birthDate":"Wintergreen"`), patient(`"gender":"Wintergreen"`), patient(`"name":"Wintergreen"`), patient(`"name":[{"family":["Wintergreen"]}]`),
		patient(`"active":"Wintergreen"`), patient(`"id":"Wintergreen "`), patient(`"Wintergreen was here":1`), patient(`"contained":[{"resourceType":"Wintergreen"}]`),
		observation(`"valueQuantity":{"value":"Wintergreen"}`), observation(`"subject":{"reference":"Medication/Wintergreen"}`), div(`<p onclick="Wintergreen">`),
		`{"resourceType":"Wintergreen"}`, `{"resourceType":"Binary","contentType":"a/b","data":"Wintergreen!"}`, patient(`"extension":[{"url":"Wintergreen x"}]`),
	} {
		issues := v.Validate(mustResource(t, src), Base)
		if len(issues) == 0 {
			t.Errorf("%s: no issue", src)
		}
		for _, is := range issues {
			if strings.Contains(is.Text+is.Expression, secret) {
				t.Errorf("%s: %s %s", src, is.Expression, is.Text)
			}
		}
	}
}

func TestOffChecksTheNarrativeAlone(t *testing.T) {
	v := newValidator(t)
	if issues := v.Validate(mustResource(t, patient(`"foo":1,"birthDate":"x"`)), Off); len(issues) != 0 {
		t.Error(lines(issues))
	}
	if got := lines(v.Validate(mustResource(t, div("<script/>")), Off)); got != "narrative-script security Patient.text.div\n" {
		t.Error(got)
	}
	if got := lines(v.Validate(mustResource(t, `{"resourceType":"Dragon"}`), Off)); got != "unknown-type not-supported resourceType\n" {
		t.Error(got)
	}
}

func TestLevelsHaveNames(t *testing.T) {
	for _, l := range []Level{Off, Base} {
		if got, err := ParseLevel(l.String()); got != l || err != nil {
			t.Errorf("%s: %v, %v", l, got, err)
		}
	}
	for _, s := range []string{"full", "", "Base"} {
		if _, err := ParseLevel(s); err == nil {
			t.Errorf("%q is a level", s)
		}
	}
}

func TestIssuesAreBounded(t *testing.T) {
	v := newValidator(t)
	src := patient(`"name":[` + strings.Repeat(`{"foo":1},`, 5000) + `{"family":"x"}]`)
	issues := v.Validate(mustResource(t, src), Base)
	if len(issues) != maxIssues+1 || issues[maxIssues].ID != "issues-truncated" {
		t.Errorf("%d issues, the last one %+v", len(issues), issues[len(issues)-1])
	}
}

func TestWhatOnlyALibraryFindsIsBounded(t *testing.T) {
	v := newValidator(t)
	const bad, tolerated = `{"system":"%zz"},`, `{"url":"u","valueMeta":{"source":"x"}},`
	issues := v.Validate(mustResource(t, patient(`"identifier":[`+strings.Repeat(bad, 5000)+`{"value":"x"}]`)), Base)
	if len(issues) != maxIssues+1 || issues[maxIssues].ID != "issues-truncated" {
		t.Errorf("%d issues, the last one %+v", len(issues), issues[len(issues)-1])
	}
	if got := lines(v.Validate(mustResource(t, patient(`"extension":[`+strings.Repeat(tolerated, 5000)+`{"url":"u","valueCode":"x"}]`)), Base)); !strings.HasPrefix(got, "library-cost too-costly Patient\n") {
		t.Error(got)
	}
}

func TestDeepAndLargeIsRefused(t *testing.T) {
	v := newValidator(t)
	fat := `{"url":"u","extension":[` + strings.Repeat(`{"url":"u","valueBoolean":true},`, 100_000) + `{"url":"u","valueBoolean":true}]}`
	for range 50 {
		fat = `{"url":"u","extension":[` + fat + `]}`
	}
	if got := lines(v.Validate(mustResource(t, patient(`"extension":[`+fat+`]`)), Base)); got != "nesting-cost too-costly Patient\n" {
		t.Error(got)
	}
}

func TestResourcesInParametersCostByTheirNumber(t *testing.T) {
	v := newValidator(t)
	const one = `{"name":"a","valueTime":"23:59:60"},{"name":"b","resource":{"resourceType":"Basic","code":{"text":"x"},"created":"2024"}},`
	src := `{"resourceType":"Parameters","parameter":[` + strings.Repeat(one, 5_000) + `{"name":"c","resource":{"resourceType":"Basic"}}]}`
	if got := lines(v.Validate(mustResource(t, src), Base)); got != "element-required required Parameters.parameter[10000].resource.code\n" {
		t.Error(got)
	}
}

func TestManyAreValidatedInOrder(t *testing.T) {
	v := newValidator(t)
	var rs []fhir.Resource
	for i := range 50 {
		rs = append(rs, mustResource(t, patient(fmt.Sprintf(`"x%d":1`, i))))
	}
	for i, issues := range v.ValidateMany(rs, Base) {
		if got, want := lines(issues), fmt.Sprintf("unknown-element structure Patient.x%d\n", i); got != want {
			t.Errorf("%d: %s", i, got)
		}
	}
	if got := v.ValidateMany(nil, Base); len(got) != 0 {
		t.Error(got)
	}
}

func TestOneValidatorServesManyAtOnce(t *testing.T) {
	v := newValidator(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, c := range faults {
				if len(c.src) > 10_000 {
					continue
				}
				if got := strings.TrimSuffix(lines(v.Validate(mustResource(t, c.src), Base)), "\n"); got != c.want {
					t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
				}
			}
		})
	}
	wg.Wait()
}
