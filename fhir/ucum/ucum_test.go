package ucum

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func dec(t testing.TB, s string) fhir.Decimal {
	t.Helper()
	d, err := fhir.ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCanonicalUnitsAndValues(t *testing.T) {
	for _, c := range []struct{ value, unit, canonical, name string }{
		{"1", "g", "1", "g"}, {"1000", "mg", "1", "g"}, {"0.001", "kg", "1", "g"}, {"1", "mg/dL", "10", "g.m-3"},
		{"1", "mmol/L", "602213670000000000000000", "m-3"}, {"120", "mm[Hg]", "15998640", "g.m-1.s-2"},
		{"37", "Cel", "310.15", "K"}, {"98.6", "[degF]", "310.15", "K"}, {"32", "[degF]", "273.15", "K"},
		{"185", "[lb_av]", "83914.58845", "g"}, {"1", "[in_i]", "0.0254", "m"}, {"72", "/min", "1.2", "s-1"},
		{"72", "{beats}/min", "1.2", "s-1"}, {"1.2", "Hz", "1.2", "s-1"}, {"5", "10*3/uL", "5000000000000", "m-3"},
		{"5", "10^3/uL", "5000000000000", "m-3"}, {"50", "%", "0.5", "1"}, {"3", "", "3", "1"}, {"3", "1", "3", "1"}, {"3", "{score}", "3", "1"},
		{"2", "[IU]", "2", "[iU]"}, {"2", "k[iU]/L", "2000000", "[iU].m-3"}, {"7.4", "[pH]", "7.4", "[pH]"}, {"1", "a", "31557600", "s"},
		{"1", "mo", "2629800", "s"}, {"1", "wk", "604800", "s"}, {"1", "kg/m2", "1000", "g.m-2"}, {"1", "mL/min/{1.73_m2}", "0.0000000166666666666666666667", "m3.s-1"},
		{"1", "m2.s-1/(kg.m)", "0.001", "g-1.m.s-1"}, {"1", "u[IU]/mL", "1", "[iU].m-3"}, {"1", "Cel/min", "0.0166666666666666666666666667", "s-1.K"},
		{"1", "meq/L", "602213670000000000000000", "m-3"}, {"1", "mosm/kg", "602213670000000000", "g-1"}, {"1", "[car_Au]", "0.0416666666666666666666666667", "1"},
		{"1", "ug/(8.h)", "0.0000000000347222222222222222", "g.s-1"}, {"1", "dB", "0.1", "B"},
	} {
		got, name, ok := Canonical(dec(t, c.value), c.unit)
		if !ok || name != c.name || got.Cmp(dec(t, c.canonical)) != 0 {
			t.Errorf("%s %s: got %s %s %v, want %s %s", c.value, c.unit, got.Plain(), name, ok, c.canonical, c.name)
		}
	}
}

func TestUnitsOfTheTablesAreDefined(t *testing.T) {
	for code := range units {
		if !Valid(code) {
			t.Errorf("%s is not defined", code)
		}
		if _, name, _ := Canonical(dec(t, "1"), code); !Valid(name) {
			t.Errorf("the canonical unit %s of %s is no unit", name, code)
		}
	}
	for code := range arbitrary {
		if !Valid(code) {
			t.Errorf("%s is not defined", code)
		}
	}
}

func TestTextsThatAreNoUnits(t *testing.T) {
	for _, code := range []string{"lbs", "kk", "m//s", "m/", ".m", "m.", "(m", "m)", "m{", "m}", "[foo]", "mg/dl/", "m+", "m-", "s99", "[in_i", "0", "k[in_i]", "m m", "Mi%", "10", "20"} {
		if ok := Valid(code); ok != (code == "10" || code == "20") {
			t.Errorf("%q: Valid is %v", code, ok)
		}
	}
}

func TestProductOfUnits(t *testing.T) {
	for _, c := range []struct {
		a, b   string
		divide bool
		want   string
	}{{"m", "m", false, "m2"}, {"g", "m", true, "g.m-1"}, {"m", "m", true, "1"}, {"g.m-3", "m3", false, "g"}} {
		if got, ok := Product(c.a, c.b, c.divide); !ok || got != c.want {
			t.Errorf("%s %s %v: got %s", c.a, c.b, c.divide, got)
		}
	}
}

func FuzzUnits(f *testing.F) {
	for code := range units {
		f.Add(code)
	}
	for _, s := range []string{"mg/dL", "10*3/uL", "m2.s-1/(kg.m)", "{beats}/min", "((((m))))2", "Ym40.Ym40"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, code string) {
		v, name, ok := Canonical(fhir.FromInt(3), code)
		if !ok {
			return
		}
		// A canonical unit is its own canonical unit.
		w, again, ok := Canonical(v, name)
		if !ok || again != name || !specials[code].same() && w.Cmp(v) != 0 {
			t.Fatalf("%q: %s %s, then %s %s %v", code, v.Plain(), name, w.Plain(), again, ok)
		}
	})
}

func (s special) same() bool { return s != special{} }

func BenchmarkCanonical(b *testing.B) {
	d := dec(b, "123.4")
	b.ReportAllocs()
	for b.Loop() {
		Canonical(d, "mg/dL")
	}
}
