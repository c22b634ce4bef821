package validation

import (
	"strings"
	"testing"
)

// messages are typical mistakes, and what a developer must be able to read from the one issue that each makes: the element by its name in
// JSON, what was expected, and what came.
var messages = []struct{ name, src, expression, text string }{
	{"a type that is misspelt", `{"resourceType":"Patinet"}`, "resourceType", "resourceType is not a resource type of R4; did you mean Patient?"},
	{"a type in lower case", `{"resourceType":"Patient","contained":[{"resourceType":"ORGANIZATION"}]}`, "Patient.contained[0].resourceType", "did you mean Organization?"},
	{"an element that is misspelt", patient(`"brithDate":"2000"`), "Patient.brithDate", "brithDate is not an element of Patient; did you mean birthDate?"},
	{"an element of another release", patient(`"animal":{"species":{"text":"cat"}}`), "Patient.animal", "animal is not an element of Patient"},
	{"a choice without its type", patient(`"deceased":true`), "Patient.deceased", "deceased is not an element of Patient; did you mean deceasedBoolean or deceasedDateTime?"},
	{"a choice of a type that it may not have", observation(`"valueUri":"urn:x"`), "Observation.valueUri", "valueUri is not an element of Observation; value[x] may be valueQuantity, " +
		"valueCodeableConcept, valueString, valueBoolean, valueInteger, valueRange, valueRatio, valueSampledData, valueTime, valueDateTime, valuePeriod"},
	{"two values of a choice", patient(`"deceasedBoolean":true,"deceasedDateTime":"2020"`), "Patient.deceased", "deceased[x] has values of two types, deceasedBoolean and deceasedDateTime; it may have one"},
	{"what is required is missing", observation(`"component":[{"valueString":"x"}]`), "Observation.component[0].code", "code is missing; Observation.component requires it"},
	{"one value for a list", patient(`"name":[{"given":"Jane"}]`), "Patient.name[0].given", "given may repeat and must be an array, not a string"},
	{"an object for a list", patient(`"name":{"family":"x"}`), "Patient.name", "name may repeat and must be an array, not an object"},
	{"a list for one value", patient(`"gender":["male"]`), "Patient.gender", "gender does not repeat and must not be an array"},
	{"a string for a Reference", observation(`"subject":"Patient/1"`), "Observation.subject", "subject must be an object, not a string"},
	{"a string for a CodeableConcept", observation(`"method":"x"`), "Observation.method", "method must be an object, not a string"},
	{"a string for a boolean", patient(`"active":"true"`), "Patient.active", "active is of type boolean and must be true or false, not a string"},
	{"a string for a decimal", observation(`"valueQuantity":{"value":"5.4"}`), "Observation.value.ofType(Quantity).value", "value is of type decimal and must be a number, not a string"},
	{"a number for a string", observation(`"valueString":5`), "Observation.value.ofType(string)", "valueString is of type string and must be a string, not a number"},
	{"a number with a point for an integer", observation(`"valueInteger":5.0`), "Observation.value.ofType(integer)", "a whole number from -2147483648 to 2147483647, without a decimal point or exponent; the value has the form \"9.9\""},
	{"null", patient(`"gender":null`), "Patient.gender", "gender is null; leave the element out"},
	{"an empty object", patient(`"contact":[{}]`), "Patient.contact[0]", "contact is an empty object; leave the element out"},
	{"an empty array", patient(`"identifier":[]`), "Patient.identifier", "identifier is an empty array; leave the element out"},
	{"an empty string", patient(`"language":""`), "Patient.language", "language is an empty string; leave the element out"},
	{"a code that there is not", patient(`"gender":"F"`), "Patient.gender", "gender must be one of the codes male, female, other, unknown"},
	{"a code in another case", patient(`"gender":"Female"`), "Patient.gender", "gender must be one of the codes male, female, other, unknown; codes are case-sensitive"},
	{"a date as people write it", patient(`"birthDate":"17.05.2024"`), "Patient.birthDate", "YYYY, YYYY-MM or YYYY-MM-DD; the value has the form \"99.99.9999\""},
	{"a time in a date", patient(`"birthDate":"2024-05-17T00:00:00Z"`), "Patient.birthDate", "the value has the form \"9999-99-99T99:99:99Z\""},
	{"a day that does not exist", patient(`"birthDate":"2023-02-30"`), "Patient.birthDate", "birthDate is of type date: an existing date, YYYY, YYYY-MM or YYYY-MM-DD"},
	{"a dateTime without a zone", observation(`"effectiveDateTime":"2024-05-17T10:00:00"`), "Observation.effective.ofType(dateTime)",
		"effectiveDateTime is of type dateTime: YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with Z or an offset, of an existing day; the value has the form \"9999-99-99T99:99:99\""},
	{"an instant without a time", observation(`"issued":"2024-05-17"`), "Observation.issued", "issued is of type instant: YYYY-MM-DDThh:mm:ss with Z or an offset, of an existing day; the value has the form \"9999-99-99\""},
	{"an id with an underscore", patient(`"id":"jane_doe"`), "Patient.id", "id is of type id: 1 to 64 letters, digits, dashes and dots; the value has the form \"xxxx_xxx\""},
	{"an id that is too long", patient(`"id":"` + strings.Repeat("7", 65) + `"`), "Patient.id", "the value has 65 characters"},
	{"a reference to a type that may not stand there", observation(`"subject":{"reference":"Medication/1"}`), "Observation.subject", "subject refers to a resource of type Medication; it may refer to Patient, Group, Device, Location"},
	{"a reference that is a name", observation(`"subject":{"reference":"Jane Doe"}`), "Observation.subject.reference", "reference is not a URL"},
	{"text instead of a narrative", patient(`"text":"hello"`), "Patient.text", "text must be an object, not a string"},
	{"a profile that is no list", patient(`"meta":{"profile":"http://x.org/p"}`), "Patient.meta.profile", "profile may repeat and must be an array, not a string"},
}

func TestTypicalMistakesAreToldOnceInWordsThatHelp(t *testing.T) {
	v := newValidator(t)
	for _, m := range messages {
		issues := v.Validate(mustResource(t, m.src), Base)
		if len(issues) != 1 {
			t.Errorf("%s: %d issues: %+v", m.name, len(issues), issues)
			continue
		}
		if issues[0].Expression != m.expression || !strings.HasSuffix(issues[0].Text, m.text) && !strings.HasPrefix(issues[0].Text, m.text) {
			t.Errorf("%s: %s: %s\nwant %s: %s", m.name, issues[0].Expression, issues[0].Text, m.expression, m.text)
		}
	}
}

func TestMessagesShowTheFormOfAValueAndNothingElse(t *testing.T) {
	for text, want := range map[string]string{"Jane Doe 1.5.80": `"xxxx xxx 9.9.99"`, "Jäne\u0007": `"xxxxx"`, "2024-13-45": "", "1": `"9"`, "T-Z": `"T-Z"`} {
		if got := outline("date", text); got != "" && got != "; the value has the form "+want || (got == "") != (want == "") {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
