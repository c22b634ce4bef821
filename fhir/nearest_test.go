package fhir

import (
	"slices"
	"strings"
	"testing"
)

func TestDidYouMean(t *testing.T) {
	names := []string{"family", "given", "gender", "birthdate", "death-date", "phone", "phonetic", "name", "names", "address-city", "address-state"}
	for wrong, want := range map[string]string{
		"familly": "; did you mean family?", "GENDER": "; did you mean gender?", "gendre": "; did you mean gender?", "nmae": "; did you mean name?",
		"birth": "; did you mean birthdate?", "phon": "; did you mean phone or phonetic?", "address-": "; did you mean address-city or address-state?",
		"xyz": "", "": "", "ge": "", "nam": "; did you mean name or names?", strings.Repeat("n", 65): "",
	} {
		if got := DidYouMean(wrong, slices.Values(names)); got != want {
			t.Errorf("%q: %q, want %q", wrong, got, want)
		}
	}
}

func FuzzNearest(f *testing.F) {
	f.Add("familly", "family")
	f.Fuzz(func(t *testing.T, wrong, name string) {
		Nearest(wrong, slices.Values([]string{name, strings.ToUpper(name)}))
		if near := Nearest(name, slices.Values([]string{name})); name != "" && len(name) <= maxCompared && len(strings.ToLower(name)) <= maxCompared && len(near) != 1 {
			t.Errorf("%q is not near itself", name)
		}
	})
}
