package main

import (
	"strings"
	"testing"
)

func TestMetricsShowTheStore(t *testing.T) {
	p := startServer(t, freshData(t))
	must(t, 201, "PUT", p.base+"/Patient/a", `{"resourceType":"Patient","id":"a"}`)
	said := string(must(t, 200, "GET", p.root+"/metrics", "").body)
	for _, want := range []string{"fhirgate_resources{type=\"Patient\"} 1\n", "fhirgate_storage_disk_bytes ", "fhirgate_storage_compactions_total ", "fhirgate_storage_cache_hits_total ",
		"fhirgate_storage_broken 0\n", "fhirgate_requests_total{", "go_memstats_heap_alloc_bytes ", "process_resident_memory_bytes "} {
		if !strings.Contains(said, want) {
			t.Errorf("/metrics does not show %s", want)
		}
	}
}
