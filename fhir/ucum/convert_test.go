package ucum

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestConvert(t *testing.T) {
	for _, c := range []struct {
		value, from, to, want string
	}{
		{"1", "kPa", "mm[Hg]", "7.5006375542"},
		{"120", "mm[Hg]", "mm[Hg]", "120"},
		{"1", "[lb_av]", "g", "453.59237"},
		{"98.6", "[degF]", "Cel", "37"},
		{"37", "Cel", "[degF]", "98.6"},
		{"37", "Cel", "K", "310.15"},
		{"5", "mg/dL", "g/L", "0.05"},
		{"2", "h", "min", "120"},
		{"5", "mg/dL", "mmol/L", ""},
		{"5", "kg", "m", ""},
		{"5", "parsecs", "m", ""},
		{"5", "m", "parsecs", ""},
	} {
		v, err := fhir.ParseDecimal(c.value)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := Convert(v, c.from, c.to)
		want, _ := fhir.ParseDecimal(c.want)
		if ok != (c.want != "") || ok && got.Round(10).Cmp(want) != 0 {
			t.Errorf("%s %s in %s: %s %v, want %s", c.value, c.from, c.to, got.Plain(), ok, c.want)
		}
	}
}
