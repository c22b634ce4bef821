package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestLogsAsJSON holds that each line of the log is an object, and that a request's has its route and neither id nor value.
func TestLogsAsJSON(t *testing.T) {
	p := startServer(t, freshData(t), "--log-level", "info", "--log-format", "json")
	must(t, 201, "PUT", p.base+"/Patient/secret", `{"resourceType":"Patient","id":"secret"}`)
	must(t, 200, "GET", p.base+"/Patient?family=hidden", "")
	if status := p.stop(t); status != 0 {
		t.Fatalf("status %d: %s", status, p.stderr)
	}
	routes := map[any]bool{}
	for line := range strings.Lines(p.stderr.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if entry["msg"] == "request" {
			routes[entry["route"]] = true
		}
		if strings.Contains(line, "secret") || strings.Contains(line, "hidden") {
			t.Errorf("the log tells of a patient: %s", line)
		}
	}
	if len(routes) != 2 {
		t.Errorf("routes %v", routes)
	}
}
