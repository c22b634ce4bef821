package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// count returns how many resources of a type the server has.
func count(t *testing.T, p *process, typ string) int {
	t.Helper()
	var b struct{ Total *int }
	if err := json.Unmarshal(must(t, 200, "GET", p.base+"/"+typ+"?_summary=count", "").body, &b); err != nil || b.Total == nil {
		t.Fatalf("no count of %s: %v", typ, err)
	}
	return *b.Total
}

// corpusCounts returns the entries by type that the corpus' README tells.
func corpusCounts(t *testing.T) map[string]int {
	t.Helper()
	readme, err := os.ReadFile(corpustest.Path(t, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(readme), "Entries by type in `synthea/`: ")
	if !ok {
		t.Fatal("the corpus' README tells no counts")
	}
	list, _, _ = strings.Cut(list, "\n")
	counts := make(map[string]int)
	for _, m := range regexp.MustCompile(`(\w+) (\d+)`).FindAllStringSubmatch(list, -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
		counts[m[1]] = n
	}
	return counts
}

func TestLoadOfTheCorpusArrivesWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("loads 77 bundles")
	}
	want := corpusCounts(t)
	p := startServer(t, freshData(t))
	status, stdout, stderr := execute(t, "load", "--server", p.base, "-j", "4", corpustest.Path(t, "synthea"))
	if status != 0 {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	t.Logf("%s", strings.TrimSpace(strings.SplitN(stdout, "\n", 2)[0]))
	if !strings.Contains(stdout, "20,885 resources loaded from 77 files") {
		t.Errorf("the summary is\n%s", stdout)
	}
	total := 0
	for typ, n := range want {
		total += n
		if got := count(t, p, typ); got != n {
			t.Errorf("%d %s were loaded, the corpus has %d", got, typ, n)
		}
	}
	if total != 20885 {
		t.Errorf("the README's counts add up to %d", total)
	}
}
