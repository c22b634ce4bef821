package validation

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// officialErrors sorts the errors of the official validator's suite by the text of the issue. Those of Base must be found at the same place;
// the others are beyond Base, for the reason given.
var officialErrors = []struct {
	text   string
	base   bool
	reason string
}{
	{`minimum required = 1, but only found 0`, true, "cardinality"},
	{`^Not a valid date format|must have a timezone|not a valid Base64|^Invalid Resource id|longer than permitted|property '.*' is invalid`, true, "primitives and elements"},
	{`^Error parsing JSON|extra comma|Comma is missing|no quotes`, true, "JSON"},
	{`^Extension.url is required in order`, true, "cardinality, said a second time"},
	{`Wrong Display Name`, false, "terminology: displays of code systems that are not part of R4"},
	{`^Constraint failed: ref-1`, true, "references inside the resource"},
	{`^Constraint failed`, false, "invariants are not part of Base"},
	{`The extension .* (could not be found|is not allowed)|extension URL must not|is fixed to`, false, "profiles of extensions"},
	{`looks? like embedded HTML|appears to be an embedded HTML`, false, "markup in strings is for whoever shows them to escape"},
	{`differential|derivedFrom|generating Snapshot|in the derivation|is derived from|search expression`, false, "conformance resources: the sense of what they say"},
	{`constraint relevant`, false, "conformance resources: the sense of what they say"},
	{`in the bundle|fullUrl|reachable|Duplicate id|Search results|matching resource type|in bundle|link relationship`, false, "rules among a bundle's entries"},
	{`Hyperlink`, false, "links of narratives"},
	{`Unable to resolve|refers to a resource that has the wrong type|was not found|could not be`, false, "resolution of references"},
}

// officialDifferences are cases that Base decides otherwise on purpose.
var officialDifferences = map[string]string{
	"json-comments-1-yes":              "JSON with comments, which the official validator can be told to accept; RFC 8259 has none",
	"json-comments-2-yes":              "JSON with comments, which the official validator can be told to accept; RFC 8259 has none",
	"contained-resource-bad-id-ignore": "the suite tells the official validator to let the form of ids pass",
}

// officialPlace returns where an error of the official validator stands in our terms: a missing element under its own name, JSON errors nowhere.
func officialPlace(expression, text string) string {
	if m := regexp.MustCompile(`^\w+(?:\.\w+)*\.(\w+)(\[x\])?: minimum required`).FindStringSubmatch(text); m != nil {
		expression += "." + m[1]
	}
	expression = regexp.MustCompile(`/\*.*?\*/`).ReplaceAllString(expression, "")
	if text == "The property 'value' is invalid" {
		expression += ".value"
	}
	if strings.HasPrefix(text, "Constraint failed: ref-1") {
		expression += ".reference"
	}
	if strings.HasPrefix(text, "Extension.url is required") {
		expression += ".url"
	}
	return expression
}

// TestOfficialCases runs the R4 cases of the official validator's suite. What the suite calls an error of Base's kind must be found where
// the suite has it; where the suite has no error, Base has none.
func TestOfficialCases(t *testing.T) {
	dir := corpustest.Path(t, "validation")
	var cases []struct{ Name, File, Outcome string }
	if err := json.Unmarshal(corpustest.Read(t, filepath.Join(dir, "manifest.json")), &cases); err != nil || len(cases) != 58 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	v := newValidator(t)
	checked, beyond := 0, map[string]int{}
	for _, c := range cases {
		if c.Outcome == "" || officialDifferences[c.Name] != "" {
			continue
		}
		var outcome struct {
			Issue []struct {
				Severity   string
				Details    struct{ Text string }
				Expression []string
			}
		}
		text, err := os.ReadFile(filepath.Join(dir, c.Outcome))
		if err == nil {
			err = json.Unmarshal(text, &outcome)
		}
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		inJSON := false
		for _, is := range outcome.Issue {
			if is.Severity != "error" && is.Severity != "fatal" {
				continue
			}
			row := slices.IndexFunc(officialErrors, func(e struct {
				text   string
				base   bool
				reason string
			}) bool {
				return regexp.MustCompile(e.text).MatchString(is.Details.Text)
			})
			if row < 0 {
				t.Errorf("%s: no row of officialErrors is for %q", c.Name, is.Details.Text)
				continue
			}
			if !officialErrors[row].base {
				beyond[officialErrors[row].reason]++
				continue
			}
			inJSON = inJSON || officialErrors[row].reason == "JSON"
			if place := officialPlace(append(is.Expression, "")[0], is.Details.Text); !slices.Contains(want, place) {
				want = append(want, place)
			}
		}
		r, err := fhir.ParseResource(corpustest.Read(t, filepath.Join(dir, c.File)), fhir.Limits{})
		if inJSON || err != nil {
			if inJSON != (err != nil) {
				t.Errorf("%s: %v", c.Name, err)
			}
			checked++
			continue
		}
		var got []string
		for _, is := range v.Validate(r, Base) {
			got = append(got, is.Expression)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s: faults at %q; want %q", c.Name, got, want)
		}
		checked += len(want)
	}
	t.Logf("%d errors of Base's kind are found; beyond it: %v", checked, beyond)
	if checked < 15 {
		t.Errorf("only %d errors were compared", checked)
	}
}
