package graphql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// What a query looks at counts as what it returns: each of these has an empty result, and would take minutes or gigabytes for a larger resource.
func TestWorkWithoutResultIsBounded(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	resource := func(body string) fhir.Resource {
		r, err := fhir.ParseResource([]byte(`{"resourceType":"Patient","id":"a",`+body+`}`), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	names := resource(`"name":[` + strings.TrimSuffix(strings.Repeat(`{"given":["x"]},`, 50_000), ",") + `]`)
	small := resource(`"active":true`)
	contained := resource(`"contained":[` + strings.TrimSuffix(many(5_000, `{"resourceType":"Basic","id":"b%d"},`), ",") + `],"generalPractitioner":[` +
		strings.TrimSuffix(strings.Repeat(`{"reference":"#b4999"},`, 5_000), ",") + `]`)
	limited := New(definition.R4(), Limits{Visits: 4_000_000})
	texts := `{"a":[` + strings.TrimSuffix(strings.Repeat(`"y",`, 9_000), ",") + `]}`
	for _, c := range []struct {
		name, query, variables string
		on                     fhir.Resource
	}{
		{"filters by a text", "{" + many(900, `a%d: name(given: "y") {use} `) + "}", "", names},
		{"filters by many texts", `query($a: [String]) { name(given: $a) {use} }`, texts, names},
		{"fields that no value has", "{ name {" + many(1900, `a%d: use `) + "} }", "", names},
		{"parts of a list that are past its end", "{" + many(900, `a%d: name(_offset: 60000) {use} `) + "}", "", names},
		{"references to the last contained resource", `{ generalPractitioner { resource { ... on Patient { id } } } }`, "", contained},
		{"variables with many values", `query($a: [String]) { name(given: $a) {use} }`, `{"a":[` + strings.Repeat(`"y",`, 20_000) + `"z"]}`, small},
		{"expressions of great length", "{" + many(20, `a%d: name(fhirpath: "use = 'x`+strings.Repeat("x", 5_000)+`%[1]d'") {use} `) + "}", "", small},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := Query{Text: c.query, Root: c.on}
			if c.variables != "" {
				tree, err := fhir.Parse([]byte(c.variables), fhir.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				q.Variables = tree.Root()
			}
			_, err := limited.Execute(context.Background(), q, &examples{t: t})
			var e *fhir.Error
			if !errors.As(err, &e) || e.Issues[0].ID != fhir.IDGraphQLTooCostly {
				t.Errorf("%v, want %s", err, fhir.IDGraphQLTooCostly)
			}
		})
	}
}

func TestFieldsOfASelectionAreCollectedOnceAType(t *testing.T) {
	r, err := fhir.ParseResource([]byte(`{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Patient","id":"p","active":true},{"resourceType":"Organization","id":"o","name":"O"},
		{"resourceType":"Patient","id":"q"}],"name":[{"family":"F"},{"family":"G","use":"old"}]}`), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	const query = `{ contained { ... on Patient { id active } ... on Organization { name } } name { ...N } name { use } } fragment N on HumanName { family }`
	got, err := New(definition.R4(), Limits{}).Execute(context.Background(), Query{Text: query, Root: r}, &examples{t: t})
	if want := `{"contained":[{"id":"p","active":true},{"name":"O"},{"id":"q"}],"name":[{"family":"F"},{"family":"G","use":"old"}]}`; err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}
