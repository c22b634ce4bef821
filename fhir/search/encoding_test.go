package search

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fhirgate/fhirgate/fhir"
)

// decimals generates decimals as they are written: small and great, with zeros in front and behind, and with exponents.
func decimals() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?`).Draw(t, "number")
		if rapid.Bool().Draw(t, "exponent") {
			s += fmt.Sprintf("e%d", rapid.IntRange(-400, 400).Draw(t, "e"))
		}
		return s
	})
}

func TestComparingEncodedNumbersComparesNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, err1 := fhir.ParseDecimal(decimals().Draw(t, "x"))
		y, err2 := fhir.ParseDecimal(decimals().Draw(t, "y"))
		if err1 != nil || err2 != nil {
			t.Skip("past the limits of decimals")
		}
		checkNumbers(t, x, y)
	})
}

// checkNumbers holds the order of two numbers and of their points' bounds.
func checkNumbers(t interface{ Errorf(string, ...any) }, x, y fhir.Decimal) {
	want := x.Cmp(y)
	a, b := encodeNumber(x), encodeNumber(y)
	if got := strings.Compare(a, b); got != want {
		t.Errorf("%s and %s compare as %d, encoded %q %q as %d", x, y, want, a, b, got)
	}
	p, q := numberPoint(x), numberPoint(y)
	if p.lo != a || p.lo >= p.hi {
		t.Errorf("the point %s is %q to %q", x, p.lo, p.hi)
	}
	if want < 0 && p.hi > q.lo || want == 0 && p != q {
		t.Errorf("%s ends at %q, and %s begins at %q", x, p.hi, y, q.lo)
	}
	if a <= openLo || p.hi >= openHi {
		t.Errorf("%s is not within the open bounds: %q %q", x, a, p.hi)
	}
	for _, c := range []byte(p.hi) {
		if c <= ' ' || c >= 0x7f {
			t.Errorf("%s is encoded with %q", x, p.hi)
		}
	}
}

func TestNumbersAtTheEdgesKeepTheirOrder(t *testing.T) {
	list := []string{"-1e1000", "-1e300", "-123456789012345678901234567890", "-100.0001", "-100", "-99.999", "-12.3", "-12", "-1.5", "-1", "-0.5", "-1e-300",
		"0", "1e-1000", "1e-300", "0.05", "0.1", "0.11", "0.5", "1", "1.0001", "1.1", "9", "10", "11", "12", "12.3", "99.5", "100", "100.5", "1e17",
		"123456789012345678901234567890", "1e300", "1e1000"}
	for i := range list {
		for j := range list {
			x, err1 := fhir.ParseDecimal(list[i])
			y, err2 := fhir.ParseDecimal(list[j])
			if err1 != nil || err2 != nil {
				t.Fatal(list[i], list[j], err1, err2)
			}
			if x.Cmp(y) != cmp.Compare(i, j) {
				t.Fatalf("the list is out of order at %s, %s", list[i], list[j])
			}
			checkNumbers(t, x, y)
		}
	}
}

func TestComparingEncodedMomentsComparesMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := rapid.Custom(func(t *rapid.T) time.Time {
			base := time.Date(rapid.IntRange(0, 9999).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 31).Draw(t, "day"),
				0, 0, 0, 0, time.UTC)
			unit := rapid.SampledFrom([]time.Duration{time.Hour, time.Minute, time.Second, time.Millisecond, 1}).Draw(t, "unit")
			return base.Add(time.Duration(rapid.Int64Range(0, int64(24*time.Hour/unit)).Draw(t, "n")) * unit)
		})
		x := moment.Draw(t, "x")
		y := moment.Draw(t, "y")
		if rapid.Bool().Draw(t, "near") {
			y = x.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "delta")) * rapid.SampledFrom([]time.Duration{1, 1000, time.Second, 24 * time.Hour}).Draw(t, "step"))
		}
		if y.Year() < 0 {
			t.Skip("before the year 0")
		}
		a, b := string(appendMoment(nil, x)), string(appendMoment(nil, y))
		if strings.Compare(a, b) != x.Compare(y) {
			t.Fatalf("%v and %v compare as %d, encoded %q %q", x, y, x.Compare(y), a, b)
		}
		if a <= openLo {
			t.Fatalf("%q is not within the open bounds", a)
		}
	})
}

// TestNumbersHaveTheRangesOfTheSpecification holds the examples of https://hl7.org/fhir/R4/search.html#number.
func TestNumbersHaveTheRangesOfTheSpecification(t *testing.T) {
	for _, c := range []struct{ text, lo, hi string }{
		{"100", "99.5", "100.5"},
		{"100.00", "99.995", "100.005"},
		{"1.00e2", "99.5", "100.5"},
		{"1e2", "95", "105"},
		{"1E2", "95", "105"},
		{"-1e2", "-105", "-95"},
		{"5e-1", "0.495", "0.505"},
		{"0.5e1", "4.95", "5.05"},
		{"5.4", "5.35", "5.45"},
		{"0", "-0.5", "0.5"},
		{"+7", "6.5", "7.5"},
	} {
		n, ok := parseQueryNumber(c.text)
		if !ok {
			t.Errorf("%s is no number", c.text)
			continue
		}
		lo, hi := n.bounds()
		wantLo, _ := fhir.ParseDecimal(c.lo)
		wantHi, _ := fhir.ParseDecimal(c.hi)
		if lo.Cmp(wantLo) != 0 || hi.Cmp(wantHi) != 0 {
			t.Errorf("%s is [%s, %s), want [%s, %s)", c.text, lo, hi, c.lo, c.hi)
		}
	}
}

func TestFoldingIsIdempotent(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "  ": "", "Müller": "muller", "O'Brien": "obrien", "Straße": "strasse", "ŁÓDŹ": "lodz", "a\t b": "a b", " x ": "x", "Ærø": "aero",
		"ＡＢＣ": "abc", "ﬁn": "fin", "ΟΔΥΣΣΕΥΣ": "οδυσσευσ", "Οδυσσεύς": "οδυσσευσ", "İstanbul": "istanbul", "jean-luc": "jeanluc", "a  b": "a b", "山田": "山田",
	} {
		if got := fold(in); got != want {
			t.Errorf("fold(%q) = %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := fold(rapid.String().Draw(t, "s"))
		if again := fold(s); again != s {
			t.Fatalf("folded %q folds to %q", s, again)
		}
	})
}

// TestNearFindsWhatIsWithinTheDistance compares the strips with the distance on the sphere: everything within is found, nothing that is an
// eighth farther.
func TestNearFindsWhatIsWithinTheDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lat := rapid.Float64Range(-90, 90).Draw(t, "lat")
		lon := rapid.Float64Range(-180, 180).Draw(t, "lon")
		km := rapid.SampledFrom([]float64{0.5, 5, 100, 1500, 9000}).Draw(t, "km")
		// A point at some distance and bearing.
		d := rapid.Float64Range(0, 1.4).Draw(t, "share") * km / earthRadius
		bearing := rapid.Float64Range(0, 2*math.Pi).Draw(t, "bearing")
		const rad = math.Pi / 180
		pLat := math.Asin(math.Sin(lat*rad)*math.Cos(d) + math.Cos(lat*rad)*math.Sin(d)*math.Cos(bearing))
		pLon := lon*rad + math.Atan2(math.Sin(bearing)*math.Sin(d)*math.Cos(lat*rad), math.Cos(d)-math.Sin(lat*rad)*math.Sin(pLat))
		pLon = math.Mod(pLon+3*math.Pi, 2*math.Pi) - math.Pi
		e := Entry{Parts: []Entry{{Lo: encodeDegrees(pLat/rad, false)}, {Lo: encodeDegrees(pLon/rad, false)}}}
		found := false
		for _, c := range circle(lat, lon, km) {
			found = found || e.Satisfies(c.where)
		}
		share := d * earthRadius / km
		if share < 0.9999 && !found {
			t.Fatalf("%.3f of %g km from %f,%f at %f,%f is not found", share, km, lat, lon, pLat/rad, pLon/rad)
		}
		if share > 1.13 && found && km < 5000 && math.Abs(lat) < 75 {
			t.Fatalf("%.3f of %g km from %f,%f at %f,%f is found", share, km, lat, lon, pLat/rad, pLon/rad)
		}
	})
}

func FuzzNumberOrder(f *testing.F) {
	f.Add("1", "-1")
	f.Add("1e100", "0.1")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err1 := fhir.ParseDecimal(a)
		y, err2 := fhir.ParseDecimal(b)
		if err1 == nil && err2 == nil {
			checkNumbers(t, x, y)
		}
	})
}
