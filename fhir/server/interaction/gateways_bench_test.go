package interaction

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// BenchmarkGateways is what it costs a gateway that others may have stored SearchParameters: the median of its creates, updates and searches by a
// custom parameter beside that of a gateway which is alone. They take turns, since what else the machine does moves both.
func BenchmarkGateways(b *testing.B) {
	store := openStore(b)
	alone := openOn(b, store, Options{})
	put(b, alone, "%s", eyeColor)
	r := withEyes(b, "p", "blue")
	if _, err := alone.Update(b.Context(), r.Key(), r, Conditions{}); err != nil {
		b.Fatal(err)
	}
	indexed(b, alone)
	gateways := []*Service{alone, openOn(b, store, apart)}
	n := 0
	observation := func(id string) fhir.Resource {
		n++
		return resource(b, benchObservation, id, n)
	}
	for _, work := range []struct {
		name string
		do   func(s *Service) error
	}{
		{"create", func(s *Service) error {
			_, err := s.Create(b.Context(), "Observation", observation("x"), "")
			return err
		}},
		{"update", func(s *Service) error {
			r := observation(fmt.Sprint("u", n%100))
			_, err := s.Update(b.Context(), r.Key(), r, Conditions{})
			return err
		}},
		{"search", func(s *Service) error { _, err := try(b, s, "Patient?eye-color=blue"); return err }},
	} {
		b.Run(work.name, func(b *testing.B) {
			times := make([][]time.Duration, len(gateways))
			for b.Loop() {
				for i, s := range gateways {
					begun := time.Now()
					if err := work.do(s); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], time.Since(begun))
				}
			}
			for i, name := range []string{"alone", "shared"} {
				slices.Sort(times[i])
				b.ReportMetric(float64(times[i][len(times[i])/2].Microseconds()), "µs-"+name)
			}
		})
	}
}
