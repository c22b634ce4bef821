package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

func TestFHIRPathOnTheCommandLine(t *testing.T) {
	const patient = `{"resourceType":"Patient","active":true,"gender":"male","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"}]},"managingOrganization":{"reference":"Organization/1"},"contact":[{"relationship":[{"coding":[{"system":"http://example.org/cs","code":"a"}]}]}],"birthDate":"1970-03","name":[{"use":"official","given":["A","B"]},{"given":["C"]}]}`
	for _, tc := range []struct {
		args   []string
		status int
		want   string // standard output, and what is on standard error behind it
	}{
		{[]string{"name.given"}, 0, "A\nB\nC\n"},
		{[]string{"name.where(use='official')"}, 0, `{"use":"official","given":["A","B"]}` + "\n"},
		{[]string{"--types", "active | birthDate | name.count()"}, 0, "boolean\ttrue\ndate\t1970-03\nSystem.Integer\t2\n"},
		{[]string{"photo"}, 0, ""},
		{[]string{"birthDate.type() | name[0].type() | 1.type()"}, 0, "FHIR.date\nFHIR.HumanName\nSystem.Integer\n"},
		{[]string{"--types", "name[0].type()"}, 0, "System.ClassInfo\tFHIR.HumanName\n"},
		{[]string{"name.where(uze = 'official')"}, 1, "fhirgate: -: FHIRPath, column 12: HumanName has no such element"},
		{[]string{"nmae"}, 1, "fhirgate: -: FHIRPath, column 1: Patient has no such element; expected an element of Patient; did you mean name?"},
		{[]string{"gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')"}, 0, "true\n"},
		{[]string{"name.use.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')"}, 0, "false\n"},
		{[]string{"gender.memberOf('http://example.org/ValueSet/none')"}, 0, ""},
		{[]string{"maritalStatus.coding.subsumes(%resource.maritalStatus.coding)"}, 0, "true\n"},
		{[]string{"maritalStatus.coding[0].subsumedBy(%resource.contact[0].relationship.coding[0])"}, 0, ""},
		{[]string{"'http://hl7.org/fhir/ValueSet/administrative-gender'.resolve().name"}, 0, "AdministrativeGender\n"},
		{[]string{"managingOrganization.resolve()"}, 0, ""},
		{[]string{"name.given.trace('t').first()"}, 0, "A\nt: A\nt: B\nt: C\n"},
		{[]string{"contact.where(gender = 'x').trace('t')"}, 0, "t: nothing\n"},
		{[]string{"name.given("}, 1, "fhirgate: -: "},
	} {
		var out, fault bytes.Buffer
		p := program{args: append(append([]string{"fhirpath"}, tc.args...), "-"), stdin: strings.NewReader(patient), stdout: &out, stderr: &fault}
		status := run(t.Context(), p)
		if got := out.String() + fault.String(); status != tc.status || status == 0 && got != tc.want || status != 0 && (!strings.HasPrefix(got, tc.want) || strings.Count(got, "\n") != 1) {
			t.Errorf("%v: status %d, %q, want %q", tc.args, status, got, tc.want)
		}
	}
}

func TestFHIRPathReadsCompressedFiles(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(`{"resourceType":"Patient","birthDate":"1970"}`)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "patient.json.gz")
	if err := os.WriteFile(file, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		stdin  []byte
		status int
		want   string
	}{
		{file, nil, 0, "1970\n"},
		{"-", packed.Bytes(), 0, "1970\n"},
		{"-", packed.Bytes()[:packed.Len()/2], 1, "fhirgate: -: cannot read this gzip file: "},
	} {
		var out, fault bytes.Buffer
		status := run(t.Context(), program{args: []string{"fhirpath", "birthDate", tc.name}, stdin: bytes.NewReader(tc.stdin), stdout: &out, stderr: &fault})
		if got := out.String() + fault.String(); status != tc.status || !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: status %d, %q, want %q", tc.name, status, got, tc.want)
		}
	}
}
