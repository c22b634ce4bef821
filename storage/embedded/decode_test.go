package embedded

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// TestNeededEntriesAreThoseOfAll decodes rows for some parameters, and compares with what decoding all gives of them.
func TestNeededEntriesAreThoseOfAll(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	p := newPopulation(200)
	for i := range p.N {
		rec := p.Record(i)
		rec.Entries = append(rec.Entries, fullEntry)
		row, err := s.dict.appendEntries(nil, rec.Key.Type, time.Unix(1, 0), 1, rec.Entries)
		if err != nil {
			t.Fatal(err)
		}
		var all, some found
		if err := s.dict.decodeEntries(row, &all); err != nil {
			t.Fatal(err)
		}
		for _, params := range [][]string{{}, {"code"}, {"gender", "_profile"}, {"date", "strange"}} {
			var needed []uint32
			for _, name := range params {
				if num, ok := s.dict.find(rec.Key.Type, name); ok {
					needed = append(needed, num)
				}
			}
			if err := s.dict.decodeNeeded(row, &some, needed); err != nil {
				t.Fatal(err)
			}
			want := slices.DeleteFunc(slices.Clone(all.entries), func(e search.Entry) bool { return !slices.Contains(params, e.Param) })
			if d := cmp.Diff(want, some.entries, cmpopts.EquateEmpty()); d != "" || some.version != 1 || !some.updated.Equal(all.updated) {
				t.Errorf("%s for %v (-want +got):\n%s", rec.Key, params, d)
			}
		}
		for cut := range row {
			if err := s.dict.decodeNeeded(row[:cut], &some, []uint32{0}); err == nil && cut < 9 {
				t.Errorf("a row of %d bytes is taken for whole", cut)
			}
		}
	}
}
