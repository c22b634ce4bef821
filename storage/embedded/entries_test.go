package embedded

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// fullEntry has every field, and parts in parts.
var fullEntry = search.Entry{Param: "strange", System: "s", Code: "c", Folded: "f", Exact: "x", Lo: "1", Hi: "2", Type: "T", ID: "i", URI: "u",
	Parts: []search.Entry{{Code: "a"}, {Parts: []search.Entry{{Lo: "1"}}}}}

// entriesRow encodes entries of a Patient.
func entriesRow(t testing.TB, s *Store, entries ...search.Entry) []byte {
	t.Helper()
	row, err := s.dict.appendEntries(nil, "Patient", time.Unix(1, 0), 1, entries)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// TestEntriesOfAnyLengthComeBack encodes values whose lengths take one, two and three bytes, each between others.
func TestEntriesOfAnyLengthComeBack(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	entries := []search.Entry{fullEntry}
	for _, n := range []int{0, 1, 120, 124, 125, 126, 127, 128, 129, 1000, 16_379, 16_380, 16_381, 16_384, 100_000} {
		entries = append(entries, search.Entry{Param: "given", Exact: strings.Repeat("x", n)}, search.Entry{Param: "gender", Code: "female"})
	}
	row := entriesRow(t, s, entries...)
	var f found
	if err := s.dict.decodeEntries(row, &f); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(entries, f.entries); d != "" {
		t.Errorf("(-want +got):\n%.2000s", d)
	}
	gender, _ := s.dict.find("Patient", "gender")
	if err := s.dict.decodeNeeded(row, &f, []uint32{gender}); err != nil || len(f.entries) != 15 {
		t.Errorf("%d entries are found behind others, error %v", len(f.entries), err)
	}
}

// TestEntriesWithWrongLengthsAreDamaged changes the length of one entry: no decoder goes past its end or leaves some of it.
func TestEntriesWithWrongLengthsAreDamaged(t *testing.T) {
	s := openMemory(t)
	defer s.Close()
	row := entriesRow(t, s, search.Entry{Param: "gender", Code: "female"})
	gender, _ := s.dict.find("Patient", "gender")
	const at = 10 // behind instant, version and parameter
	right := uint64(row[at])
	if right != uint64(len(row)-at-1) {
		t.Fatalf("byte %d of % x is no length", at, row)
	}
	for _, length := range []uint64{0, 1, right - 1, right + 1, 127, 1 << 20, 1 << 63, 1<<64 - 1} {
		bad := append(binary.AppendUvarint(slices.Clone(row[:at]), length), row[at+1:]...)
		var f found
		if err := s.dict.decodeEntries(bad, &f); !errors.Is(err, errDamaged) {
			t.Errorf("length %d in place of %d: error %v", length, right, err)
		}
		if err := s.dict.decodeNeeded(bad, &f, []uint32{gender}); !errors.Is(err, errDamaged) {
			t.Errorf("length %d in place of %d, needed: error %v", length, right, err)
		}
		if err := s.dict.decodeNeeded(bad, &f, []uint32{gender + 1}); length > right && !errors.Is(err, errDamaged) {
			t.Errorf("length %d in place of %d, passed over: error %v", length, right, err)
		}
	}
	long := append(slices.Clone(row), 0)
	long[at]++
	if err := s.dict.decodeEntries(long, new(found)); !errors.Is(err, errDamaged) {
		t.Errorf("a byte behind what an entry says, within its length: error %v", err)
	}
	if err := s.dict.decodeEntries(row[:at], new(found)); !errors.Is(err, errDamaged) {
		t.Errorf("an entry without length: error %v", err)
	}
}

// FuzzEntriesRow decodes anything: what is decoded whole is encoded to what decodes alike, and what is needed of it is a part of it.
func FuzzEntriesRow(f *testing.F) {
	s := openMemory(f)
	defer s.Close()
	p := newPopulation(200)
	for i := 0; i < p.N; i += 20 {
		f.Add(entriesRow(f, s, p.Record(i).Entries...))
	}
	whole := entriesRow(f, s, fullEntry, search.Entry{Param: "gender", Code: "female"}, search.Entry{Param: "given", Exact: strings.Repeat("x", 200)})
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, row []byte) {
		if len(row) > 1<<10 {
			return
		}
		var all, some found
		err := s.dict.decodeEntries(row, &all)
		if err != nil && !errors.Is(err, errDamaged) {
			t.Fatal(err)
		}
		for num, nm := range s.dict.all() {
			neededErr := s.dict.decodeNeeded(row, &some, []uint32{uint32(num)})
			if err != nil {
				continue
			}
			if neededErr != nil {
				t.Fatalf("a whole row is damaged for what is needed: %v", neededErr)
			}
			for i := range some.entries {
				if some.entries[i].Param != nm.param {
					t.Errorf("an entry of %q is taken for one of %q", some.entries[i].Param, nm.param)
				}
			}
		}
		if err != nil {
			return
		}
		again := entriesRow(t, s, all.entries...)
		if err := s.dict.decodeEntries(again, &some); err != nil {
			t.Fatalf("what was decoded is encoded to a damaged row: %v", err)
		}
		if d := cmp.Diff(all.entries, some.entries, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("encoded and decoded again (-want +got):\n%s", d)
		}
	})
}
