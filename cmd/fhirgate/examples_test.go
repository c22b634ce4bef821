package main

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// refusedExamples are the official examples that are not loaded, each with what R4 says of it.
var refusedExamples = map[string]string{
	"Bundle-bundle-request-medsallergies.json":  "it reads, before Patient/example is there, by functional lists (_list=$current-...), which a server need not keep, and by notgiven, which R4 does not define",
	"Bundle-bundle-request-simplesummary.json":  "it reads Patient/example before that is there",
	"Bundle-bundle-response-medsallergies.json": "a batch-response is the response to a request",
	"Bundle-bundle-response-simplesummary.json": "a batch-response is the response to a request",
	"Bundle-bundle-response.json":               "a transaction-response is the response to a request",
	"Bundle-bundle-transaction.json":            "it updates Patient/123a if that has version 2, which does not exist, and calls ValueSet/$lookup",
	"Bundle-ussg-fht.json":                      "request.url is relative to the base (bundle-definitions, Bundle.entry.request.url); it has URLs of another server",
	"DeviceMetric-example.json":                 "DeviceMetric.parent refers to a Device; it has a DeviceDefinition",
	"DeviceUseStatement-example.json":           "DeviceUseStatement.reasonReference does not refer to a Procedure",
	"MedicationRequest-medrx0301.json":          "MedicationRequest.dispenseRequest.performer refers to an Organization; it has a Practitioner",
	"Observation-clinical-gender.json":          "Observation.performer does not refer to an Encounter",
	"Questionnaire-qs1.json":                    "Questionnaire.item.linkId is required, and missing in items of type display",
}

// notLoaded returns the base names of the files that a summary of load says are not loaded.
func notLoaded(summary string) map[string]bool {
	out := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^ +at (\S+?)(, .*)?$`).FindAllStringSubmatch(summary, -1) {
		out[path.Base(m[1])] = true
	}
	return out
}

func TestTheExamplesOfR4AreLoadedByOneCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("loads 715 files")
	}
	p := startServer(t, freshData(t))
	status, stdout, _ := execute(t, "load", "--server", p.base, "--jobs", "1", corpustest.Path(t, "r4-examples"))
	want := make(map[string]bool)
	for name := range refusedExamples {
		want[name] = true
	}
	if d := cmp.Diff(want, notLoaded(stdout)); d != "" || status != 1 || !strings.Contains(stdout, "from 715 files") {
		t.Errorf("status %d\n%s\n%s", status, d, stdout)
	}
}

func TestPackagesAreLoadedByOneCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("loads three packages")
	}
	for engine, start := range map[string]func(*testing.T) *process{
		"embedded": func(t *testing.T) *process { return startServer(t, freshData(t)) },
		"mongodb":  func(t *testing.T) *process { return startServer(t, "", inMongoDB(mongotest.URIOfKilled(t))...) },
	} {
		t.Run(engine, func(t *testing.T) { loadPackages(t, start(t)) })
	}
}

// loadPackages loads the corpus' packages into a server, one after the other.
func loadPackages(t *testing.T, p *process) {
	t.Helper()
	for _, c := range []struct {
		name, resources string
		refused         map[string]bool
	}{
		{"hl7.fhir.us.core-3.1.0.tgz", "145 resources loaded", map[string]bool{}},
		// Its expression names valueDateTime of an Extension, which FHIRPath calls value.
		{"hl7.fhir.us.core-6.1.0.tgz", "397 resources loaded", map[string]bool{"SearchParameter-us-core-condition-asserted-date.json": true}},
		{"hl7.fhir.uv.ips-2.0.0.tgz", "118 resources loaded", map[string]bool{}},
	} {
		status, stdout, _ := execute(t, "load", "--server", p.base, corpustest.Path(t, "packages/"+c.name))
		if d := cmp.Diff(c.refused, notLoaded(stdout)); d != "" || status != min(1, len(c.refused)) || !strings.HasPrefix(stdout, c.resources) {
			t.Errorf("%s: status %d\n%s\n%s", c.name, status, d, stdout)
		}
	}
}
