package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

func TestTheSampleLoadsTwiceWithoutAChange(t *testing.T) {
	p := startServer(t, freshData(t), "--referential-integrity")
	for range 2 {
		status, stdout, stderr := execute(t, "load", "--server", p.base, "--sample")
		if status != 0 || !strings.Contains(stdout, "112 resources loaded") {
			t.Fatalf("status %d\n%s%s", status, stdout, stderr)
		}
	}
	if n := count(t, p, "Patient"); n != 6 {
		t.Errorf("%d patients", n)
	}
	if r := must(t, 200, "GET", p.base+"/Patient/sample-tanaka", ""); r.version() != 1 {
		t.Errorf("version %d after the second load", r.version())
	}
	// The README's requests, and names as people write them.
	for query, want := range map[string]int{
		"Patient?name=tanaka": 1,
		"Observation?code=4548-4&value-quantity=gt6.5&_sort=-date":              3,
		"Patient?name=" + url.QueryEscape("田中"):                                 1,
		"Patient?family=" + url.QueryEscape("соколова"):                         1,
		"Patient?given=" + url.QueryEscape("فاطمة"):                             1,
		"Patient?family=" + url.QueryEscape("Fernandez-Villaverde y Gutierrez"): 1,
		"Observation?component-code-value-quantity=8480-6$gt140":                3,
	} {
		var b struct{ Total *int }
		if err := json.Unmarshal(must(t, 200, "GET", p.base+"/"+query, "").body, &b); err != nil || b.Total == nil || *b.Total != want {
			t.Errorf("%s: %v, %v, want %d", query, err, b.Total, want)
		}
	}
	for name, args := range map[string][]string{"--sample takes no files": {"load", "--sample", "x.json"}, "or --sample": {"load"}} {
		if status, _, stderr := execute(t, args...); status != 1 || !strings.Contains(stderr, name) {
			t.Errorf("%v: status %d, %s", args, status, stderr)
		}
	}
}
