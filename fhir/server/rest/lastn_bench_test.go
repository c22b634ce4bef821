package rest_test

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkLastN measures $lastn in a population: the newest of each code of a patient with 90 Observations, of one category or by one code, and
// of a patient with 20,000, whose newest of one code is found without the others. With -population.million the population has as many resources
// as -population.size says; 1,111,200 hold a million Observations:
//
//	go test ./fhir/server/rest -run '^$' -bench LastN -benchtime 2s -population.million -population.size 1111200
func BenchmarkLastN(b *testing.B) {
	p := population{10_000}
	if *populationMillion {
		p.n = *populationSize
	}
	dir := *populationDir
	if dir == "" {
		dir = b.TempDir()
	}
	h := populated(b, p, openPopulation(b, *populationEngines, p, dir))
	s := newServerOf(b, newConfig(b))
	const many = 20_000
	for i := range many {
		s.observation(b, fmt.Sprint("o", i), "p", codings(fmt.Sprint("c", i%20)), time.Date(2000, 1, 1, i, 0, 0, 0, time.UTC).Format(time.RFC3339))
	}
	for _, shape := range []struct {
		name string
		path func(k int) string
	}{
		{"category", func(k int) string { return "Observation/$lastn?patient=" + p.patient(k) + "&category=vital-signs" }},
		{"category,max=3", func(k int) string {
			return "Observation/$lastn?patient=" + p.patient(k) + "&category=vital-signs&max=3"
		}},
		{"code", func(k int) string {
			return "Observation/$lastn?patient=" + p.patient(k) + "&max=3&code=http://loinc.org%7C" + p.code(0)
		}},
		{"codes", func(k int) string {
			return "Observation/$lastn?patient=" + p.patient(k) + "&code=http://loinc.org%7C" + p.code(0) + ",http://loinc.org%7C" + p.code(1)
		}},
	} {
		b.Run(fmt.Sprintf("%s/%d", shape.name, p.n), func(b *testing.B) {
			for k := 0; b.Loop(); k++ {
				get(b, h, "/fhir/"+shape.path(k%variants))
			}
		})
	}
	for name, query := range map[string]string{"code": "code=http://loinc.org%7Cc7&max=3", "category": "category=lab"} {
		b.Run(fmt.Sprintf("%s/patient of %d", name, many), func(b *testing.B) {
			for b.Loop() {
				get(b, s.handler, "/fhir/Observation/$lastn?patient=p&"+query)
			}
		})
	}
}
