package validation

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// schemaDir writes files into a folder for site schemas.
func schemaDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const identifierRequired = `{"$schema":"http://json-schema.org/draft-07/schema#","required":["identifier"],"properties":{"identifier":{"type":"array","minItems":1,
	"items":{"required":["system"],"properties":{"system":{"pattern":"^https://"}}}}}}`

func TestSiteSchemaIsRequired(t *testing.T) {
	v, err := New(definition.R4(), Options{SchemaDir: schemaDir(t, map[string]string{"Patient.json": identifierRequired, "Observation.schema.json": `{"required":["subject"]}`, "README.md": "x",
		"Organization.json": `{"anyOf":[{"required":["name"]},{"required":["alias"]}],"properties":{"active":{"const":true},"type":{"maxItems":1}},"if":{"required":["type"]},"then":{"required":["address"]}}`})})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, src, want string }{
		{"met", patient(`"identifier":[{"system":"https://x.org","value":"1"}]`), ""},
		{"missing", patient(`"active":true`), "site-schema business-rule Patient.identifier"},
		{"missing deeper down", patient(`"identifier":[{"system":"https://x.org"},{"value":"1"}]`), "site-schema business-rule Patient.identifier[1].system"},
		{"a pattern", patient(`"identifier":[{"system":"urn:oid:1.2"}]`), "site-schema business-rule Patient.identifier[0].system"},
		{"another type", observation(`"issued":"2024-05-17T10:00:00Z"`), "site-schema business-rule Observation.subject"},
		{"any of", `{"resourceType":"Organization","active":true}`, "site-schema business-rule Organization.name"},
		{"a constant, a length and a condition", `{"resourceType":"Organization","name":"x","active":false,"type":[{"text":"x"},{"text":"y"}]}`,
			"site-schema business-rule Organization.address\nsite-schema business-rule Organization.active\nsite-schema business-rule Organization.type"},
		{"a type without", `{"resourceType":"Basic","code":{"text":"x"}}`, ""},
		{"inside of another", `{"resourceType":"Basic","code":{"text":"x"},"contained":[{"resourceType":"Patient","active":true}]}`, ""},
		{"with a fault of R4", patient(`"foo":1`), "site-schema business-rule Patient.identifier\nunknown-element structure Patient.foo"},
	} {
		if got := strings.TrimSuffix(lines(v.Validate(mustResource(t, c.src), Base)), "\n"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	if got := lines(v.Validate(mustResource(t, patient(`"birthDate":"x"`)), Off)); got != "site-schema business-rule Patient.identifier\n" {
		t.Errorf("off: %s", got)
	}
}

func TestSiteSchemaThatIsBrokenIsNamed(t *testing.T) {
	for name, text := range map[string]string{
		"Dragon.json": `{}`, "patient.json": `{}`, "Patient.json": `{"type":`, "Observation.json": `{"type":"nothing"}`, "Basic.json": `{"pattern":"("}`,
		"List.json": `{"$ref":"http://example.org/other.json"}`, "Group.json": `{"$ref":"file:///etc/passwd"}`, "Account.json": `{"type":"object","type":"array"}`,
		"Claim.json": `{"$ref":"#/definitions/nothing"}`, "Person.json": `[]`,
	} {
		if _, err := New(definition.R4(), Options{SchemaDir: schemaDir(t, map[string]string{name: text})}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(definition.R4(), Options{SchemaDir: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a folder that is not there is taken")
	}
	if _, err := New(definition.R4(), Options{SchemaDir: schemaDir(t, map[string]string{"Patient.json": `{}`, "Patient.schema.json": `{}`})}); err == nil {
		t.Error("two schemas of one type are taken")
	}
}

func TestReloadKeepsWhatIsInForceWhereAFileIsBroken(t *testing.T) {
	dir := schemaDir(t, map[string]string{"Patient.json": identifierRequired})
	v, err := New(definition.R4(), Options{SchemaDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	r := mustResource(t, patient(`"active":true`))
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "Patient.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				v.Validate(r, Off)
			}
		}
	})
	write(`{"required":`)
	if err := v.Reload(); err == nil || !strings.Contains(err.Error(), "Patient.json") {
		t.Error(err)
	}
	if got := lines(v.Validate(r, Off)); got != "site-schema business-rule Patient.identifier\n" {
		t.Errorf("after a broken file: %s", got)
	}
	write(`{"required":["name"]}`)
	if err := v.Reload(); err != nil {
		t.Error(err)
	}
	if got := lines(v.Validate(r, Off)); got != "site-schema business-rule Patient.name\n" {
		t.Errorf("after a good one: %s", got)
	}
	if err := os.Remove(filepath.Join(dir, "Patient.json")); err != nil {
		t.Fatal(err)
	}
	if err := v.Reload(); err != nil || len(v.Validate(r, Off)) != 0 {
		t.Errorf("after none: %v", err)
	}
	close(stop)
	wg.Wait()
}

// What a rule asks for is told in words, with the schema's own bound and never with the value.
func TestSiteSchemaSaysWhatItWants(t *testing.T) {
	for schema, want := range map[string]string{
		`{"required":["name"]}`:                        "requires name",
		`{"properties":{"identifier":{"maxItems":1}}}`: "maximum number of values: 1",
		`{"properties":{"identifier":{"items":{"properties":{"value":{"maxLength":3}}}}}}`:                          "maximum length of 3",
		`{"properties":{"identifier":{"items":{"properties":{"value":{"minLength":9}}}}}}`:                          "a minimum length of 9",
		`{"properties":{"identifier":{"items":{"properties":{"value":{"pattern":"^[0-9]+$"}}}}}}`:                   "text that matches ^[0-9]+$",
		`{"properties":{"multipleBirthInteger":{"minimum":5}}}`:                                                     "a number of at least 5",
		`{"properties":{"multipleBirthInteger":{"exclusiveMaximum":2.5}}}`:                                          "a number below 2.5",
		`{"properties":{"gender":{"enum":["male","female"]}}}`:                                                      `allows "male", "female"`,
		`{"not":{"required":["gender"]}}`:                                                                           `forbids this by a "not"`,
		`{"properties":{"photo":false,"gender":false}}`:                                                             "allows nothing here",
		`{"dependencies":{"gender":["birthDate"]}}`:                                                                 "also requires birthDate",
		`{"additionalProperties":false,"properties":{"resourceType":{},"identifier":{},"multipleBirthInteger":{}}}`: "does not allow this element",
		`{"oneOf":[{"required":["gender"]},{"required":["identifier"]}]}`:                                           `exactly one of the alternatives of its "oneOf"`,
	} {
		v, err := New(definition.R4(), Options{SchemaDir: schemaDir(t, map[string]string{"Patient.json": schema})})
		if err != nil {
			t.Fatal(err)
		}
		issues := v.Validate(mustResource(t, patient(`"gender":"other","multipleBirthInteger":3,"identifier":[{"value":"secret"},{"value":"secret"}]`)), Off)
		if len(issues) == 0 {
			t.Errorf("%s is met", schema)
			continue
		}
		if text := issues[0].Text; !strings.Contains(text, want) || strings.Contains(text, "secret") {
			t.Errorf("%s: %q, not %q", schema, text, want)
		}
	}
}
