package interaction

import (
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestIDsGrowAndAreValid(t *testing.T) {
	g := newIDs()
	last := ""
	for range 100_000 {
		id := g.next()
		if id <= last || len(id) != 20 || !fhir.ValidID(id) {
			t.Fatalf("%q after %q", id, last)
		}
		last = id
	}
}

func TestIDsOfTwoProcessesDiffer(t *testing.T) {
	a, b := newIDs(), newIDs()
	seen := make(map[string]bool)
	for range 10_000 {
		for _, id := range []string{a.next(), b.next()} {
			if seen[id] {
				t.Fatalf("%s twice", id)
			}
			seen[id] = true
		}
	}
}

func BenchmarkID(b *testing.B) {
	g := newIDs()
	b.ReportAllocs()
	for b.Loop() {
		g.next()
	}
}
