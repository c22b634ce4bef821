package validation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

func TestResourcesOfOneFormAreReadByTheLibrariesOnce(t *testing.T) {
	const observation = `{"resourceType":"Observation","id":"%s","status":"%s","code":{"coding":[{"system":"http://loinc.org","code":"%s"}]},
		"subject":{"reference":"%s"},"effectiveDateTime":"%s","valueQuantity":{"value":%s,"code":"%s"}}`
	v := newValidator(t)
	for _, c := range []struct {
		name  string
		with  []any
		forms int // afterwards
	}{
		{"the first", []any{"a", "final", "8480-6", "Patient/1", "2024-05-17", "120", "mm[Hg]"}, 1},
		{"another of the form", []any{"b", "final", "718-7", "Patient/abc", "2024-05-17T10:00:00Z", "14.25", "g/dL"}, 1},
		{"a code of a binding", []any{"a", "amended", "8480-6", "Patient/1", "2024-05-17", "120", "mm[Hg]"}, 2},
		{"a reference to another type", []any{"a", "final", "8480-6", "Group/1", "2024-05-17", "120", "mm[Hg]"}, 3},
		{"a reference of another form", []any{"a", "final", "8480-6", "http://example.org/Patient/1", "2024-05-17", "120", "mm[Hg]"}, 4},
	} {
		r := mustResource(t, fmt.Sprintf(observation, c.with...))
		if issues := v.Validate(r, Base); len(issues) > 0 {
			t.Fatalf("%s: %v", c.name, issues)
		}
		if len(v.forms.young) != c.forms {
			t.Errorf("%s: %d forms are known, want %d", c.name, len(v.forms.young), c.forms)
		}
	}
	// What is wrong is no form of what is right.
	for _, with := range [][]any{
		{"a", "finished", "8480-6", "Patient/1", "2024-05-17", "120", "mm[Hg]"},
		{"a", "final", "8480-6", "Practitioner/1", "2024-05-17", "120", "mm[Hg]"},
		{"a", "final", "8480-6", "Patient/1", "2024-13-17", "120", "mm[Hg]"},
		{"a", "final", "8480-6", "Patient/1", "2024-05-17", `"120"`, "mm[Hg]"},
		{"a", "final", "8480-6 ", "Patient/1", "2024-05-17", "120", "mm[Hg]"},
	} {
		if issues := v.Validate(mustResource(t, fmt.Sprintf(observation, with...)), Base); len(issues) != 1 {
			t.Errorf("%v: %v", with, issues)
		}
	}
	if len(v.forms.young) != 4 {
		t.Errorf("%d forms are known after resources with faults", len(v.forms.young))
	}
}

func TestFormsStayBounded(t *testing.T) {
	var f forms
	key := func(i int) formKey { return formKey{byte(i), byte(i >> 8), byte(i >> 16)} }
	f.remember(key(0))
	for i := range 3 * maxForms {
		f.remember(key(i + 1))
		if i%100 == 0 && !f.known(key(0)) {
			t.Fatal("a form that is met all the time was forgotten")
		}
	}
	if n := len(f.young) + len(f.old); n > 2*maxForms {
		t.Errorf("%d forms are remembered", n)
	}
	if f.known(key(1)) {
		t.Error("a form that was met long ago is remembered")
	}
}

// TestFaultsAreFoundBesideKnownForms validates every faulty resource of the table with a Validator that knows the forms of many right ones.
func TestFaultsAreFoundBesideKnownForms(t *testing.T) {
	seasoned := newValidator(t)
	for _, r := range bundleResources(t, corpustest.Path(t, "synthea/patient-001.json.gz")) {
		seasoned.Validate(r, Base)
	}
	for _, c := range faults {
		r, err := fhir.ParseResource([]byte(c.src), fhir.Limits{})
		if err != nil {
			continue
		}
		seasoned.Validate(r, Base)
		if got, want := lines(seasoned.Validate(r, Base)), lines(newValidator(t).Validate(r, Base)); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got, want)
		}
	}
}

// unread are the values of R4 that a library does not take: why there were stand-ins before there were forms.
func unread(typ, text string) bool {
	switch typ {
	case "dateTime", "instant", "time":
		return strings.Contains(text, ":60") // a leap second
	case "base64Binary":
		return hasSpace(text) // gaps of unequal length
	}
	return false
}

// checkLibraries holds the libraries to a value that the elements' phase takes: they must take it too, since a form hides it from them.
func checkLibraries(t *testing.T, v *Validator, typ *definition.Type, text string) {
	t.Helper()
	if text == "" || len(text) > 2000 || primitiveForm(typ.Name, text) != "" || unread(typ.Name, text) {
		return
	}
	value := fhir.AppendString(nil, text)
	if standIns[typ.Name][0] != '"' {
		if value = []byte(text); !jsonNumber.Match(value) {
			return
		}
	}
	src := fmt.Sprintf(`{"resourceType":"Basic","code":{"text":"x"},"extension":[{"url":"http://example.org/x","value%s%s":%s}]}`,
		strings.ToUpper(typ.Name[:1]), typ.Name[1:], value)
	r, err := fhir.ParseResource([]byte(src), fhir.Limits{})
	if err != nil {
		return // text that JSON can't hold
	}
	found, err := v.model.read(r, nil)
	if err != nil || len(found) > 0 {
		t.Errorf("%s %q: google/fhir says %v, %v", typ.Name, text, found, err)
	}
	s, err := v.shapes.of("Basic")
	if err != nil {
		t.Fatal(err)
	}
	var b builder
	if found, err := s.check(map[string]any{"Basic": b.build(r.Node, true)}); err != nil || len(found) > 0 {
		t.Errorf("%s %q: gojsonschema says %v, %v", typ.Name, text, found, err)
	}
}

// hidden are the primitives whose values forms hide from the libraries.
func hidden(t testing.TB) (types []*definition.Type) {
	for name := range standIns {
		typ, ok := definition.R4().Type(name)
		if !ok {
			t.Fatalf("%s is no type", name)
		}
		switch name {
		case "boolean", "uri", "url", "canonical", "xhtml":
		default:
			types = append(types, typ)
		}
	}
	return types
}

// TestLibrariesTakeWhatFormsHide is the ground that forms stand on: what the elements' phase takes of a primitive, both libraries take.
func TestLibrariesTakeWhatFormsHide(t *testing.T) {
	v := newValidator(t)
	for _, typ := range hidden(t) {
		for _, s := range primitiveSeeds {
			checkLibraries(t, v, typ, s)
		}
	}
}

// FuzzLibrariesTakeWhatFormsHide looks for values that the elements' phase takes and a library does not.
func FuzzLibrariesTakeWhatFormsHide(f *testing.F) {
	for _, s := range primitiveSeeds {
		f.Add(s)
	}
	v, types := newValidator(f), hidden(f)
	f.Fuzz(func(t *testing.T, s string) {
		for _, typ := range types {
			checkLibraries(t, v, typ, s)
		}
	})
}
