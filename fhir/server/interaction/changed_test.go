package interaction

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestPagesGoOnPastManyUpdates reads pages while more is updated than the moment of the first page can be shown past: the pages go on, and say so.
func TestPagesGoOnPastManyUpdates(t *testing.T) {
	s := open(t, Options{maxChanged: 5})
	for i := range 30 {
		put(t, s, `{"resourceType":"Patient","id":"p%02d","active":true}`, i)
	}
	b := find(t, s, "Patient?_count=10")
	seen := b.names()
	for round := range 2 {
		for i := range 8 {
			put(t, s, `{"resourceType":"Patient","id":"p%02d","active":true,"multipleBirthInteger":%d}`, 10+10*round+i, round)
		}
		put(t, s, `{"resourceType":"Patient","id":"q%d","active":true}`, round) // of after the first page
		b = find(t, s, "Patient?"+b.query("next"))
		var told bool
		for _, e := range b.Entry {
			if e.Search.Mode == "outcome" {
				told = strings.Contains(string(e.Resource), `"pages-changed"`)
				continue
			}
		}
		if !told && os.Getenv("FHIRGATE_TEST_ENGINE") == "" { // MongoDB keeps the state of the first page
			t.Errorf("page %d does not say that it shows another moment", round+2)
		}
		for _, name := range b.names() {
			if strings.HasPrefix(name, "Patient/") {
				seen = append(seen, name)
			}
		}
	}
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("Patient/p%02d", i))
	}
	slices.Sort(seen)
	for i := range seen {
		seen[i], _, _ = strings.Cut(seen[i], " ")
	}
	if !slices.Equal(seen, want) {
		t.Errorf("the pages have %v", seen)
	}
	if next := b.query("next"); next != "" {
		t.Errorf("there is a page behind the last: %s", next)
	}
}
