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
		{"1", "[gal_us]", "0.003785411784", "m3"}, {"1", "[oz_av]", "28.349523125", "g"}, {"1", "[mi_i]", "1609.344", "m"}, {"1", "[psi]", "6894757.2931683613367226734453468907", "g.m-1.s-2"},
		{"1", "[foz_us]", "0.0000295735295625", "m3"}, {"1", "[tsp_us]", "0.00000492892159375", "m3"}, {"1", "[pt_br]", "0.00056826125", "m3"}, {"1", "[ston_av]", "907184.74", "g"},
		{"1", "kcal", "4184000", "g.m2.s-2"}, {"1", "[Cal]", "4184000", "g.m2.s-2"}, {"1", "cm[H2O]", "98066.5", "g.m-1.s-2"}, {"1", "kat", "602213670000000000000000", "s-1"},
		{"1", "U/L", "10036894500000000000", "m-3.s-1"}, {"1", "Gy", "1", "m2.s-2"}, {"1", "[degR]", "0.5555555555555555555555555556", "K"}, {"1", "MBq", "1000000", "s-1"},
		{"1", "nmol/mL", "602213670000000000000", "m-3"}, {"1", "pg/mL", "0.000001", "g.m-3"}, {"1", "10*9/L", "1000000000000", "m-3"}, {"1", "mm/h", "0.0000002777777777777777777778", "m.s-1"},
		{"1", "daL", "0.01", "m3"}, {"1", "Kibit", "1024", "1"}, {"1", "KiBy", "8192", "1"}, {"1", "g%", "10000", "g.m-3"}, {"1", "mm[Hg].min/L", "7999320000", "g.m-4.s-1"},
	} {
		got, name, ok := Canonical(dec(t, c.value), c.unit)
		if !ok || name != c.name || got.Cmp(dec(t, c.canonical)) != 0 {
			t.Errorf("%s %s: got %s %s %v, want %s %s", c.value, c.unit, got.Plain(), name, ok, c.canonical, c.name)
		}
	}
}

// valid reports whether code is a unit.
func valid(code string) bool {
	_, ok := lookup(code)
	return ok
}

func TestUnitsOfTheTablesAreDefined(t *testing.T) {
	for code := range units {
		if !valid(code) {
			t.Errorf("%s is not defined", code)
		}
		if _, name, _ := Canonical(dec(t, "1"), code); !valid(name) {
			t.Errorf("the canonical unit %s of %s is no unit", name, code)
		}
	}
	for code := range arbitrary {
		if !valid(code) {
			t.Errorf("%s is not defined", code)
		}
	}
}

func TestTextsThatAreNoUnits(t *testing.T) {
	for _, code := range []string{"lbs", "kk", "m//s", "m/", ".m", "m.", "(m", "m)", "m{", "m}", "[foo]", "mg/dl/", "m+", "m-", "s99", "[in_i", "0", "k[in_i]", "m m", "Mi%", "10", "20"} {
		if ok := valid(code); ok != (code == "10" || code == "20") {
			t.Errorf("%q: %v", code, ok)
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
