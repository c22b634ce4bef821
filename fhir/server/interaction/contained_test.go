package interaction

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestContainedResourcesAreReturnedAloneOrInTheirContainers(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Medication","id":"own","code":{"coding":[{"code":"abc"}]}}`)
	put(t, s, `{"resourceType":"MedicationRequest","id":"23","status":"active","intent":"order","subject":{"display":"x"},"contained":[`+
		`{"resourceType":"Medication","id":"m1","code":{"coding":[{"code":"abc"}]},"status":"active"},{"resourceType":"Medication","id":"m2","code":{"coding":[{"code":"def"}]}},`+
		`{"resourceType":"Medication","id":"m3","code":{"coding":[{"code":"abc"}]},"status":"inactive"}],"medicationReference":{"reference":"#m1"},"reasonReference":[{"reference":"#m2"}],"supportingInformation":[{"reference":"#m3"}]}`)
	put(t, s, `{"resourceType":"Medication","id":"mix","contained":[{"resourceType":"Medication","id":"part","code":{"coding":[{"code":"abc"}]}}],"code":{"coding":[{"code":"mixture"}]},"ingredient":[{"itemReference":{"reference":"#part"}}]}`)
	for query, want := range map[string]string{
		"code=abc":                 "Medication/own",
		"code=abc&_contained=true": "Medication/mix MedicationRequest/23",
		"code=abc&_contained=both": "Medication/mix Medication/own MedicationRequest/23",
		"code=abc&_contained=true&_containedType=contained":                 "Medication/mix#part MedicationRequest/23#m1 MedicationRequest/23#m3",
		"code=abc&_contained=both&_containedType=contained":                 "Medication/mix#part Medication/own MedicationRequest/23#m1 MedicationRequest/23#m3",
		"code=abc&status=inactive&_contained=true&_containedType=contained": "MedicationRequest/23#m3",
		"code=mixture&_contained=both&_containedType=contained":             "Medication/mix",
		"_contained=true&_containedType=contained&_id=m2":                   "MedicationRequest/23#m2",
		"code=none&_contained=true":                                         "",
	} {
		b := find(t, s, "Medication?"+query)
		if got := strings.Join(b.names(), " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
		if b.Total == nil || int(*b.Total) != len(b.Entry) {
			t.Errorf("%s: the total is not %d", query, len(b.Entry))
		}
		for _, e := range b.Entry {
			typ, id := "Medication", ""
			if _, id, _ = strings.Cut(e.FullURL, "#"); id == "" {
				typ, id = strings.Split(e.FullURL, "/")[len(strings.Split(e.FullURL, "/"))-2], e.FullURL[strings.LastIndexByte(e.FullURL, '/')+1:]
			}
			if r, err := fhir.ParseResource(e.Resource, fhir.Limits{}); err != nil || r.Type() != typ || r.ID() != id {
				t.Errorf("%s: %s has %s", query, e.FullURL, e.Resource)
			}
		}
	}
	// Pages go by containers.
	b := find(t, s, "Medication?code=abc&_contained=true&_containedType=contained&_count=1")
	all := b.names()
	if b.Total != nil {
		t.Error("a total that is not known")
	}
	for b.query("next") != "" {
		b = find(t, s, "Medication?"+b.query("next"))
		all = append(all, b.names()...)
	}
	if got := strings.Join(all, " "); got != "Medication/mix#part MedicationRequest/23#m1 MedicationRequest/23#m3" {
		t.Errorf("pages: %s", got)
	}
	if b := find(t, s, "Medication?code=abc&_contained=true&_total=accurate&_count=1"); b.Total == nil || *b.Total != 2 {
		t.Error("containers are counted")
	}
	if b := find(t, s, "Medication?code=def&_contained=true&_elements=code&_containedType=contained"); !strings.Contains(string(b.Entry[0].Resource), "SUBSETTED") {
		t.Errorf("_elements: %s", b.Entry[0].Resource)
	}
	_, err := s.Search(t.Context(), SearchRequest{Base: base, Compartment: key("Patient/p"), Path: "Patient/p/Observation", Types: []string{"Observation"}, Parameters: pairs("_contained=true")})
	check(t, err, fhir.KindInvalid, "bad-contained")
}

// TestPagesOfContainedResourcesHaveOneOrder reads pages of each size, of what matches itself, what only contains matches, and what does both.
func TestPagesOfContainedResourcesHaveOneOrder(t *testing.T) {
	s := open(t, Options{})
	practitioner := func(family, gender string) string {
		return fmt.Sprintf(`"name":[{"family":"%s"}],"gender":"%s"`, family, gender)
	}
	put(t, s, `{"resourceType":"Practitioner","id":"own",%s}`, practitioner("Beck", "male"))
	put(t, s, `{"resourceType":"Practitioner","id":"holder",%s,"contained":[{"resourceType":"Practitioner","id":"in",%s}]}`, practitioner("Zorn", "female"), practitioner("Aaron", "male"))
	put(t, s, `{"resourceType":"Practitioner","id":"two",%s,"contained":[{"resourceType":"Practitioner","id":"in",%s}]}`, practitioner("Evans", "male"), practitioner("Frey", "male"))
	put(t, s, `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"contained":[{"resourceType":"Practitioner","id":"a",%s}],"performer":[{"reference":"#a"}]}`, practitioner("Clark", "male"))
	put(t, s, `{"resourceType":"Encounter","id":"e","status":"planned","class":{"code":"AMB"},"contained":[{"resourceType":"Practitioner","id":"a",%s}],"participant":[{"individual":{"reference":"#a"}}]}`, practitioner("Dorn", "male"))
	const container = "Practitioner/holder Practitioner/own Observation/o Encounter/e Practitioner/two"
	const contained = "Practitioner/holder#in Practitioner/own Observation/o#a Encounter/e#a Practitioner/two Practitioner/two#in"
	for query, want := range map[string]string{
		"gender=male&_contained=both&_sort=family":                                 container,
		"gender=male&_contained=both&_sort=family&_containedType=contained":        contained,
		"gender=male&_contained=both&_containedType=contained&_sort=-_lastUpdated": "Encounter/e#a Observation/o#a Practitioner/two Practitioner/two#in Practitioner/holder#in Practitioner/own",
	} {
		for count := 1; count < 7; count++ {
			var got []string
			next := fmt.Sprintf("%s&_count=%d", query, count)
			for pages := 0; next != "" && pages < 10; pages++ {
				b := find(t, s, "Practitioner?"+next)
				for _, e := range b.Entry {
					got = append(got, strings.TrimPrefix(e.FullURL, base+"/"))
				}
				next = b.query("next")
			}
			if got := strings.Join(got, " "); got != want {
				t.Errorf("%s, %d a page: %s, want %s", query, count, got, want)
			}
		}
	}
	if b := find(t, s, "Practitioner?gender=male&_contained=both&_summary=count"); b.Total == nil || *b.Total != 5 {
		t.Error("each resource is counted once")
	}
}
