package embedded

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// TestManyEntriesCostTheirNumber indexes the same number of values as one resource and as a thousand, in turns: the one costs some times more, since there is
// more to sort, where work by the square of their number would cost a hundred times more. Each round does the same work twice, so that a loaded machine slows both,
// and one round that it leaves alone is enough.
func TestManyEntriesCostTheirNumber(t *testing.T) {
	const count, parts, rounds, limit = 100_000, 1000, 10, 30
	s := openMemory(t)
	defer s.Close()
	entries := make([]search.Entry, count)
	for i := range entries {
		entries[i] = search.Entry{Param: "identifier", System: "urn:x", Code: fmt.Sprint(i)}
	}
	var set keySet
	took := func(size int) time.Duration {
		start := time.Now()
		for part := range slices.Chunk(entries, size) {
			if err := s.dict.collect(&set, "Patient", "a", part); err != nil {
				t.Fatal(err)
			}
			if len(set.has) != 1 || len(set.keys) != size {
				t.Fatalf("%d parameters and %d rows of %d values", len(set.has), len(set.keys), size)
			}
		}
		return time.Since(start)
	}
	took(count) // makes room in set
	few, many := took(count/parts), took(count)
	for range rounds {
		if many <= limit*few {
			t.Logf("%v as %d resources, %v as one", few, parts, many)
			return
		}
		few, many = took(count/parts), took(count)
	}
	t.Errorf("%d values take %v as %d resources, %v as one", count, few, parts, many)
}
