package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestFHIRPathOnTheCommandLine(t *testing.T) {
	const patient = `{"resourceType":"Patient","active":true,"birthDate":"1970-03","name":[{"use":"official","given":["A","B"]},{"given":["C"]}]}`
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"name.given"}, 0, "A\nB\nC\n"},
		{[]string{"name.where(use='official')"}, 0, `{"use":"official","given":["A","B"]}` + "\n"},
		{[]string{"--types", "active | birthDate | name.count()"}, 0, "boolean\ttrue\ndate\t1970-03\nSystem.Integer\t2\n"},
		{[]string{"contact"}, 0, ""},
		{[]string{"birthDate.type() | name[0].type() | 1.type()"}, 0, "FHIR.date\nFHIR.HumanName\nSystem.Integer\n"},
		{[]string{"--types", "name[0].type()"}, 0, "System.ClassInfo\tFHIR.HumanName\n"},
		{[]string{"name.where(uze = 'official')"}, 1, "fhirgate: -: FHIRPath, column 12: HumanName has no such element"},
		{[]string{"nmae"}, 1, "fhirgate: -: "},
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
