package operation

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// The statistics of R4 (http://hl7.org/fhir/R4/valueset-observation-statistics.html) over a sample: variance, skewness and kurtosis are the unbiased
// estimates for a sample of what was measured, kurtosis is that above a normal distribution's, and between two values a quantile is interpolated.

// measured is one value, in the unit of its sample.
type measured struct {
	value float64
	text  string    // as a decimal
	at    time.Time // zero where that is not known
}

// sample are values of one code.
type sample struct {
	values []measured
	sorted []float64 // nil until it is asked for
}

// ordered returns the values in ascending order.
func (s *sample) ordered() []float64 {
	if s.sorted == nil {
		s.sorted = make([]float64, len(s.values))
		for i := range s.values {
			s.sorted[i] = s.values[i].value
		}
		slices.Sort(s.sorted)
	}
	return s.sorted
}

// mean returns the arithmetic mean.
func (s *sample) mean() float64 { return s.sum() / float64(len(s.values)) }

// sum adds the values with what rounding loses, so that the order does not matter.
func (s *sample) sum() float64 {
	var sum, lost float64
	for i := range s.values {
		v := s.values[i].value
		t := sum + v
		if math.Abs(sum) >= math.Abs(v) {
			lost += (sum - t) + v
		} else {
			lost += (v - t) + sum
		}
		sum = t
	}
	return sum + lost
}

// moment returns the sum of the k-th powers of the differences from the mean.
func (s *sample) moment(k float64) float64 {
	m, sum := s.mean(), 0.0
	for i := range s.values {
		sum += math.Pow(s.values[i].value-m, k)
	}
	return sum
}

// quantile returns the value below which a share q of the sample lies.
func (s *sample) quantile(q float64) float64 {
	all := s.ordered()
	if len(all) == 0 {
		return math.NaN()
	}
	at := q * float64(len(all)-1)
	low := int(math.Floor(at))
	if low+1 >= len(all) {
		return all[len(all)-1]
	}
	return all[low] + (at-float64(low))*(all[low+1]-all[low])
}

// variance returns the variance; NaN of fewer than two values.
func (s *sample) variance() float64 {
	if len(s.values) < 2 {
		return math.NaN()
	}
	return s.moment(2) / float64(len(s.values)-1)
}

// skew returns the skewness; NaN of fewer than three values, and of values that are all the same.
func (s *sample) skew() float64 {
	n, m2 := float64(len(s.values)), s.moment(2)
	if n < 3 || s.constant() {
		return math.NaN()
	}
	return n * math.Sqrt(n-1) / (n - 2) * s.moment(3) / math.Pow(m2, 1.5)
}

// kurtosis returns the excess kurtosis; NaN of fewer than four values, and of values that are all the same.
func (s *sample) kurtosis() float64 {
	n, m2 := float64(len(s.values)), s.moment(2)
	if n < 4 || s.constant() {
		return math.NaN()
	}
	return n*(n+1)*(n-1)/((n-2)*(n-3))*s.moment(4)/(m2*m2) - 3*(n-1)*(n-1)/((n-2)*(n-3))
}

// constant reports whether all values are the same.
func (s *sample) constant() bool {
	all := s.ordered()
	return len(all) == 0 || all[0] == all[len(all)-1]
}

// regression returns the line of least squares through the values over hours since from; NaN where fewer than two moments have values.
func (s *sample) regression(from time.Time) (gradient, intercept float64) {
	var n, sumX, sumY float64
	for i := range s.values {
		if m := &s.values[i]; !m.at.IsZero() {
			n++
			sumX += m.at.Sub(from).Hours()
			sumY += m.value
		}
	}
	meanX, meanY := sumX/n, sumY/n
	var xx, xy float64
	for i := range s.values {
		if m := &s.values[i]; !m.at.IsZero() {
			dx := m.at.Sub(from).Hours() - meanX
			xx += dx * dx
			xy += dx * (m.value - meanY)
		}
	}
	if n < 2 || xx == 0 {
		return math.NaN(), math.NaN()
	}
	return xy / xx, meanY - xy/xx*meanX
}

// unitOf says of what unit a statistic is.
type unitOf uint8

const (
	ofValues  unitOf = iota // that of the values
	ofNothing               // none: a number
	ofSquares               // the square of the values'
	ofGrowth                // the values' by hour
)

// result is one number of a statistic.
type result struct {
	text  string // what it is, where a statistic has several
	value string // a decimal; "" where the sample has none
	unit  unitOf
}

// statistic is one of R4's statistics.
type statistic struct {
	code, display string
	of            func(s *sample, g *statsGroup) []result
}

// rounded returns a float with the digits that it may be sure of; "" for one that is no number.
func rounded(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 12, 64), 64)
	if err != nil {
		return ""
	}
	if short == 0 {
		return "0"
	}
	return strconv.FormatFloat(short, 'f', -1, 64)
}

// one makes a statistic of a number.
func one(unit unitOf, f func(*sample) float64) func(*sample, *statsGroup) []result {
	return func(s *sample, _ *statsGroup) []result {
		r := result{unit: unit}
		if len(s.values) > 0 {
			r.value = rounded(f(s))
		}
		return []result{r}
	}
}

func quantile(q float64) func(*sample, *statsGroup) []result {
	return one(ofValues, func(s *sample) float64 { return s.quantile(q) })
}

// extreme makes a statistic of one of the values, with all of its digits.
func extreme(sign float64) func(*sample, *statsGroup) []result {
	return func(s *sample, _ *statsGroup) []result {
		r := result{unit: ofValues}
		best := math.Inf(-1)
		for i := range s.values {
			if v := sign * s.values[i].value; v > best {
				best, r.value = v, s.values[i].text
			}
		}
		return []result{r}
	}
}

// statistics are all of R4's, in the order of its code system.
var statistics = []statistic{
	{"average", "Average", one(ofValues, (*sample).mean)},
	{"maximum", "Maximum", extreme(1)},
	{"minimum", "Minimum", extreme(-1)},
	{"count", "Count", func(s *sample, _ *statsGroup) []result {
		return []result{{value: strconv.Itoa(len(s.values)), unit: ofNothing}}
	}},
	{"total-count", "Total Count", func(_ *sample, g *statsGroup) []result {
		return []result{{value: strconv.Itoa(g.total), unit: ofNothing}}
	}},
	{"median", "Median", quantile(0.5)},
	{"std-dev", "Standard Deviation", one(ofValues, func(s *sample) float64 { return math.Sqrt(s.variance()) })},
	{"sum", "Sum", one(ofValues, (*sample).sum)},
	{"variance", "Variance", one(ofSquares, (*sample).variance)},
	{"20-percent", "20th Percentile", quantile(0.2)},
	{"80-percent", "80th Percentile", quantile(0.8)},
	{"4-lower", "Lower Quartile", quantile(0.25)},
	{"4-upper", "Upper Quartile", quantile(0.75)},
	{"4-dev", "Quartile Deviation", one(ofValues, func(s *sample) float64 { return (s.quantile(0.75) - s.quantile(0.25)) / 2 })},
	{"5-1", "1st Quintile", quantile(0.2)},
	{"5-2", "2nd Quintile", quantile(0.4)},
	{"5-3", "3rd Quintile", quantile(0.6)},
	{"5-4", "4th Quintile", quantile(0.8)},
	{"skew", "Skew", one(ofNothing, (*sample).skew)},
	{"kurtosis", "Kurtosis", one(ofNothing, (*sample).kurtosis)},
	{"regression", "Regression", func(s *sample, g *statsGroup) []result {
		gradient, intercept := s.regression(g.from)
		return []result{{"gradient", rounded(gradient), ofGrowth}, {"intercept", rounded(intercept), ofValues}}
	}},
}

// shortNames are the names that R4's text of the parameter has for two of them.
var shortNames = map[string]string{"max": "maximum", "min": "minimum"}

// statisticOf returns a statistic by its code.
func statisticOf(code string) (statistic, bool) {
	if long, ok := shortNames[code]; ok {
		code = long
	}
	i := slices.IndexFunc(statistics, func(s statistic) bool { return s.code == code })
	if i < 0 {
		return statistic{}, false
	}
	return statistics[i], true
}

// statisticCodes is the code system of the statistics, absentReasons that of why a value is not there.
const (
	statisticCodes = "http://terminology.hl7.org/CodeSystem/observation-statistics"
	absentReasons  = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
	ucumSystem     = "http://unitsofmeasure.org"
)

// append writes the components of a statistic.
func (s *statistic) append(w *fhir.JSONWriter, g *statsGroup) {
	for _, r := range s.of(&g.sample, g) {
		w.Open('{')
		w.Name("code")
		w.Open('{')
		w.Name("coding")
		w.Open('[')
		w.Open('{')
		w.String("system", statisticCodes)
		w.String("code", s.code)
		w.String("display", s.display)
		w.Close('}')
		w.Close(']')
		w.String("text", r.text)
		w.Close('}')
		if r.value == "" {
			w.Name("dataAbsentReason")
			w.Bytes = append(w.Bytes, `{"coding":[{"system":"`+absentReasons+`","code":"not-a-number","display":"Not a Number (NaN)"}]}`...)
			w.Close('}')
			continue
		}
		w.Name("valueQuantity")
		w.Open('{')
		w.Name("value")
		w.Bytes = append(w.Bytes, r.value...)
		switch r.unit {
		case ofValues:
			w.String("unit", g.unitText)
			w.String("system", ucumSystem)
			w.String("code", g.unit)
		case ofNothing:
			w.String("unit", "1")
			w.String("system", ucumSystem)
			w.String("code", "1")
		case ofSquares:
			w.String("unit", "("+g.unitText+")²")
		case ofGrowth:
			w.String("unit", "("+g.unitText+")/h")
		}
		w.Close('}')
		w.Close('}')
	}
}
