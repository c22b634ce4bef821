package embedded

import (
	"fmt"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// TestManyEntriesCostTheirNumber indexes resources of a few and of many values: the time grows with their number, not with its square, which
// would be 256 times as long.
func TestManyEntriesCostTheirNumber(t *testing.T) {
	const few, times = 2000, 16
	s := openMemory(t)
	defer s.Close()
	n := s.names
	took := func(count int) time.Duration {
		entries := make([]search.Entry, 0, count+1)
		for i := range count {
			entries = append(entries, search.Entry{Param: "identifier", System: "urn:x", Code: fmt.Sprint(i)})
		}
		entries = append(entries, search.Entry{Param: "gender", Code: "female"})
		best := time.Hour
		for range 5 {
			var set keySet
			start := time.Now()
			if err := n.collect(&set, "Patient", "a", entries); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
			if len(set.has) != 2 {
				t.Fatalf("%d parameters are noted", len(set.has))
			}
		}
		return best
	}
	if a, b := took(few), took(few*times); b > 100*a {
		t.Errorf("%d values take %v, %d take %v", few, a, few*times, b)
	}
}
