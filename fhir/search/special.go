package search

import (
	"math"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// near (https://hl7.org/fhir/R4/location.html#positional): "[latitude]|[longitude]|[distance]|[units] (using the WGS84 datum)". "Servers may
// search using various techniques that might have differing accuracies": ours is a circle on a sphere, cut into strips of latitude.

// nearStrips is into how many strips of latitude a circle is cut; the most by which a strip passes over the circle's edge is some 1/8 of the
// radius, near the poles of the circle.
const nearStrips = 32

// earthRadius is the mean radius of the Earth in km.
const earthRadius = 6371.0088

// kmPerUnit are the units of a distance (UCUM codes, and the spellings that clients use).
var kmPerUnit = map[string]float64{"": 1, "km": 1, "m": 0.001, "[mi_i]": 1.609344, "mi": 1.609344, "mi_i": 1.609344, "[nmi_i]": 1.852}

// nearDefault is the distance in km where a search names none: "the server can use its own discretion".
const nearDefault = 50

// nearCondition compares a position with a circle. Parts of an entry are latitude and longitude.
func nearCondition(raw string) ([]condition, error) {
	parts := splitEscaped(raw, '|')
	bad := func() ([]condition, error) {
		return nil, badValue(fhir.IDBadNear, `near is "latitude|longitude|distance|units" in degrees, with units km, m, [mi_i] or [nmi_i]`)
	}
	if len(parts) < 2 || len(parts) > 4 {
		return bad()
	}
	lat, ok1 := degrees(parts[0], 90)
	lon, ok2 := degrees(parts[1], 180)
	if !ok1 || !ok2 {
		return bad()
	}
	km := float64(nearDefault)
	if len(parts) > 2 && parts[2] != "" {
		d, err := fhir.ParseDecimal(parts[2])
		unit := ""
		if len(parts) == 4 {
			unit = unescape(parts[3])
		}
		factor, known := kmPerUnit[unit]
		if err != nil || d.Sign() < 0 || !known {
			return bad()
		}
		km = d.Float64() * factor
	}
	return circle(lat, lon, km), nil
}

// degrees reads an angle of at most limit to either side.
func degrees(s string, limit float64) (float64, bool) {
	n, ok := parseQueryNumber(strings.TrimSpace(s))
	if !ok {
		return 0, false
	}
	f := n.value.Float64()
	return f, f >= -limit && f <= limit
}

// circle returns a condition for each strip of the circle, two where it crosses the 180th meridian.
func circle(lat, lon, km float64) []condition {
	const rad = math.Pi / 180
	angle := min(km/earthRadius, math.Pi)
	south, north := lat-angle/rad, lat+angle/rad
	var out []condition
	strips := nearStrips
	if km == 0 {
		strips = 1
	}
	for i := range strips {
		lo := max(south+(north-south)*float64(i)/float64(strips), -90)
		hi := min(south+(north-south)*float64(i+1)/float64(strips), 90)
		if lo > hi {
			continue
		}
		half := halfWidth(lat*rad, angle, lo*rad, hi*rad) / rad
		if half >= 180 {
			out = append(out, box(lo, hi, -180, 180))
			continue
		}
		west, east := lon-half, lon+half
		switch {
		case west < -180:
			out = append(out, box(lo, hi, -180, east), box(lo, hi, west+360, 180))
		case east > 180:
			out = append(out, box(lo, hi, west, 180), box(lo, hi, -180, east-360))
		default:
			out = append(out, box(lo, hi, west, east))
		}
	}
	return out
}

// halfWidth returns the greatest difference in longitude from the centre of a point of the circle between the latitudes lo and hi, in
// radians: Pi where the circle holds a pole.
func halfWidth(lat, angle, lo, hi float64) float64 {
	if lat+angle >= math.Pi/2 || lat-angle <= -math.Pi/2 {
		if angle >= math.Pi/2 {
			return math.Pi
		}
	}
	at := func(phi float64) float64 {
		d := math.Cos(lat) * math.Cos(phi)
		if d < 1e-12 {
			return math.Pi
		}
		c := (math.Cos(angle) - math.Sin(lat)*math.Sin(phi)) / d
		return math.Acos(max(-1, min(1, c)))
	}
	w := max(at(lo), at(hi))
	// The circle is widest where its meridian touches it.
	if s := math.Sin(lat) / math.Cos(angle); s >= -1 && s <= 1 {
		if widest := math.Asin(s); widest > lo && widest < hi {
			w = max(w, at(widest))
		}
	}
	return w
}

// box compares the parts with ranges of latitude and longitude, bounds included.
func box(south, north, west, east float64) condition {
	return condition{where: []Comparison{
		{Part: 1, Field: Lo, Op: Ge, Value: encodeDegrees(south, false)},
		{Part: 1, Field: Lo, Op: Le, Value: encodeDegrees(north, true)},
		{Part: 2, Field: Lo, Op: Ge, Value: encodeDegrees(west, false)},
		{Part: 2, Field: Lo, Op: Le, Value: encodeDegrees(east, true)},
	}}
}

// encodeDegrees encodes an angle, rounded outwards to some millimetres.
func encodeDegrees(f float64, up bool) string {
	scaled := f * 1e8
	if up {
		scaled = math.Ceil(scaled)
	} else {
		scaled = math.Floor(scaled)
	}
	d, _ := fhir.ParseDecimal(strconv.FormatInt(int64(scaled), 10) + "e-8")
	return encodeNumber(d)
}

// soundex returns the American Soundex code of a folded word; the word itself where it does not begin with a to z.
func soundex(word string) string {
	const classes = "01230120022455012623010202" // of a to z; 0 for vowels, h, w and y
	if word == "" || word[0] < 'a' || word[0] > 'z' {
		return word
	}
	code := []byte{word[0]}
	last := classes[word[0]-'a']
	for i := 1; i < len(word) && len(code) < 4; i++ {
		c := word[i]
		if c < 'a' || c > 'z' {
			continue
		}
		class := classes[c-'a']
		if class != '0' && class != last {
			code = append(code, class)
		}
		if c != 'h' && c != 'w' {
			last = class
		}
	}
	for len(code) < 4 {
		code = append(code, '0')
	}
	return string(code)
}

// phonetic is the code of the parameters that R4 defines with xpathUsage "phonetic": names that sound like the value. Their entries are the
// Soundex codes of words.
const phonetic = "phonetic"

// phoneticExpr holds where every word of the value sounds like a word of the name.
func phoneticExpr(p *Parameter, value string) (Expr, error) {
	var list []Expr
	eachWord(value, func(w string) {
		list = append(list, Some{Param: p.Code, Where: []Comparison{{Field: Folded, Op: Eq, Value: soundex(w)}}})
	})
	if len(list) == 0 {
		return nil, badValue(fhir.IDBadString, "a name has at least one letter or digit")
	}
	return allOf(list), nil
}

// nearURL is the parameter near of Location.
const nearURL = "http://hl7.org/fhir/SearchParameter/Location-near"

// position appends the latitude and longitude of a position.
func (x *extraction) position(it *fhirpath.Item) {
	lat, ok1 := decimalOf(it.Node().Get("latitude"))
	lon, ok2 := decimalOf(it.Node().Get("longitude"))
	if ok1 && ok2 {
		a, b := numberPoint(lat), numberPoint(lon)
		x.put(Entry{Param: x.rule.plain, Parts: []Entry{{Lo: a.lo, Hi: a.hi}, {Lo: b.lo, Hi: b.hi}}})
	}
}
