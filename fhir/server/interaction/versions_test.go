package interaction

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// shown are the resources of a page with their versions and modes, and the ids of what its outcomes say.
func shown(t *testing.T, s *Service, q SearchRequest) (all []string, next string) {
	t.Helper()
	out, err := s.Search(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fhir.ParseResource(out.Body, fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for e := b.Get("entry").First(); e.Valid(); e = e.Next() {
		r, mode := e.Get("resource"), e.Get("search").Get("mode").Text()
		if mode == "outcome" {
			for i := r.Get("issue").First(); i.Valid(); i = i.Next() {
				all = append(all, i.Get("details").Get("coding").First().Get("code").Text())
			}
			continue
		}
		all = append(all, fmt.Sprintf("%s/%s/%s %s", r.Get("resourceType").Text(), r.Get("id").Text(), r.Get("meta").Get("versionId").Text(), mode))
	}
	slices.Sort(all)
	return all, decode(t, out).query("next")
}

func TestIncludesBringTheVersionThatAReferenceNames(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Organization","id":"old"}`)
	put(t, s, `{"resourceType":"Organization","id":"new"}`)
	put(t, s, `{"resourceType":"Patient","id":"p","active":true,"managingOrganization":{"reference":"Organization/old"}}`)
	put(t, s, `{"resourceType":"Patient","id":"p","active":false,"managingOrganization":{"reference":"Organization/new"}}`)
	for id, reference := range map[string]string{"one": "Patient/p/_history/1", "two": base + "/Patient/p/_history/2", "now": "Patient/p", "none": "Patient/p/_history/9", "odd": "Patient/p/_history/x"} {
		put(t, s, `{"resourceType":"Observation","id":"%s","status":"final","code":{"text":"x"},"subject":{"reference":"%s"},"focus":[{"reference":"Patient/p"}]}`, id, reference)
	}
	for query, want := range map[string]string{
		"_id=one&_include=Observation:subject":                                       "Observation/one/1 match Patient/p/1 include",
		"_id=two&_include=Observation:subject":                                       "Observation/two/1 match Patient/p/2 include",
		"_id=two,now&_include=Observation:subject":                                   "Observation/now/1 match Observation/two/1 match Patient/p/2 include",
		"_id=one,now&_include=Observation:subject":                                   "Observation/now/1 match Observation/one/1 match Patient/p/1 include Patient/p/2 include",
		"_id=one&_include=Observation:*":                                             "Observation/one/1 match Patient/p/1 include Patient/p/2 include",
		"_id=none&_include=Observation:subject":                                      "Observation/none/1 match",
		"_id=odd&_include=Observation:subject":                                       "Observation/odd/1 match",
		"_id=one&_include=Observation:subject:Group":                                 "Observation/one/1 match",
		"_id=one&_include=Observation:subject&_include:iterate=Patient:organization": "Observation/one/1 match Organization/old/1 include Patient/p/1 include",
		// Chains are decided by the current version, and say so.
		"_id=one&subject:Patient.active=false":    "Observation/one/1 match version-not-followed",
		"_id=one&subject:Patient.active=true":     "version-not-followed",
		"_id=now&focus:Patient.active=false":      "Observation/now/1 match",
		"_id=now&_sort=subject:Patient.birthdate": "Observation/now/1 match version-not-followed",
	} {
		all, _ := shown(t, s, SearchRequest{Base: base, Path: "Observation", Types: []string{"Observation"}, Parameters: pairs(query)})
		if got := strings.Join(all, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for query, want := range map[string]string{
		"_has:Observation:subject:_id=one": "Patient/p/2 match version-not-followed",
		"_has:Observation:focus:_id=one":   "Patient/p/2 match",
	} {
		all, _ := shown(t, s, SearchRequest{Base: base, Path: "Patient", Types: []string{"Patient"}, Parameters: pairs(query)})
		if got := strings.Join(all, " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	// What the version named is a match itself is there once.
	all, _ := shown(t, s, SearchRequest{Base: base, Parameters: pairs("_type=Observation,Patient&_id=p,two&_include=*")})
	if got := strings.Join(all, " "); got != "Observation/two/1 match Organization/new/1 include Patient/p/2 match" {
		t.Errorf("%s", got)
	}
}

// versionReads counts the versions that are read from a store.
type versionReads struct {
	storage.Store
	n *int
}

type versionReader struct {
	storage.Reader
	n *int
}

// View implements storage.Store.
func (v versionReads) View(ctx context.Context, f func(storage.Reader) error) error {
	return v.Store.View(ctx, func(r storage.Reader) error { return f(versionReader{r, v.n}) })
}

// GetVersion implements storage.Reader.
func (v versionReader) GetVersion(ctx context.Context, key fhir.Key, version int64) (storage.Record, error) {
	*v.n++
	return v.Reader.GetVersion(ctx, key, version)
}

// TestAVersionThatManyReferencesNameIsReadOnce includes one that is there and one that is not.
func TestAVersionThatManyReferencesNameIsReadOnce(t *testing.T) {
	var reads int
	s := openOn(t, versionReads{openStore(t), &reads}, Options{})
	put(t, s, `{"resourceType":"Patient","id":"p"}`)
	put(t, s, `{"resourceType":"Patient","id":"p","active":true}`)
	for i := range 20 {
		put(t, s, `{"resourceType":"Observation","id":"o%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p/_history/1"},"focus":[{"reference":"Patient/p/_history/9"}]}`, i)
	}
	reads = 0
	all, _ := shown(t, s, SearchRequest{Base: base, Path: "Observation", Types: []string{"Observation"}, Parameters: pairs("_count=50&_include=Observation:subject&_include=Observation:focus")})
	if len(all) != 21 || reads != 2 {
		t.Errorf("%d entries, %d versions read; want 21 and 2", len(all), reads)
	}
}

// TestChainsInsideResourcesSayThatTheyFollowNoVersions has references that name versions in what a document, a message and other resources hold.
func TestChainsInsideResourcesSayThatTheyFollowNoVersions(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Patient","id":"p","name":[{"family":"Old"}]}`)
	put(t, s, `{"resourceType":"Patient","id":"p","name":[{"family":"New"}]}`)
	put(t, s, `{"resourceType":"Organization","id":"o","name":"O"}`)
	put(t, s, `{"resourceType":"Bundle","id":"document","type":"document","entry":[{"resource":{"resourceType":"Composition","id":"c","status":"final","type":{"text":"x"},"date":"2024","title":"T",
		"contained":[{"resourceType":"PractitionerRole","id":"r","organization":{"reference":"Organization/o/_history/1"}}],
		"author":[{"reference":"#r"}],"subject":{"reference":"Patient/p/_history/1"},"encounter":{"reference":"Encounter/e"}}}]}`)
	put(t, s, `{"resourceType":"Bundle","id":"message","type":"message","entry":[{"resource":{"resourceType":"MessageHeader","id":"h","eventCoding":{"code":"admin"},"source":{"endpoint":"http://example.org"},
		"sender":{"reference":"Organization/o"},"author":{"reference":"Practitioner/x"}}}]}`)
	put(t, s, `{"resourceType":"MedicationRequest","id":"m","status":"active","intent":"order","subject":{"reference":"Patient/p"},"medicationReference":{"reference":"#x"},
		"contained":[{"resourceType":"Medication","id":"x","manufacturer":{"reference":"Organization/o/_history/1"}}]}`)
	for query, want := range map[string]string{
		"Bundle?composition.patient.name=new":                            "Bundle/document/1 match version-not-followed",
		"Bundle?composition.subject:Patient.name=old":                    "version-not-followed",
		"Bundle?composition.author:PractitionerRole.organization.name=o": "Bundle/document/1 match version-not-followed",
		"Bundle?composition.encounter.status=planned":                    "",
		"Bundle?composition.patient=Patient/p":                           "Bundle/document/1 match",
		"Bundle?composition.status=final":                                "Bundle/document/1 match",
		"Bundle?message.sender.name=o":                                   "Bundle/message/1 match",
		"MedicationRequest?medication.manufacturer.name=o":               "MedicationRequest/m/1 match version-not-followed",
		"MedicationRequest?medication.code=y":                            "",
		"Medication?_contained=true&manufacturer.name=o":                 "MedicationRequest/m/1 match version-not-followed",
		"Medication?_contained=both&manufacturer.name=o":                 "MedicationRequest/m/1 match version-not-followed",
		"Medication?_contained=true&manufacturer=o":                      "MedicationRequest/m/1 match",
	} {
		typ, query, _ := strings.Cut(query, "?")
		all, _ := shown(t, s, SearchRequest{Base: base, Path: typ, Types: []string{typ}, Parameters: pairs(query)})
		if got := strings.Join(all, " "); got != want {
			t.Errorf("%s?%s: %s, want %s", typ, query, got, want)
		}
	}
}

// TestWholeSearchesHaveEachResourceOnce reads a compartment page by page, of which members refer to each other.
func TestWholeSearchesHaveEachResourceOnce(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Practitioner","id":"d"}`)
	put(t, s, `{"resourceType":"Patient","id":"p","active":true,"generalPractitioner":[{"reference":"Practitioner/d"}]}`)
	put(t, s, `{"resourceType":"Patient","id":"other","link":[{"other":{"reference":"Patient/p"},"type":"seealso"}]}`)
	for i := range 10 {
		put(t, s, `{"resourceType":"Encounter","id":"e%d","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"}}`, i)
		put(t, s, `{"resourceType":"Observation","id":"o%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e%d"},"hasMember":[{"reference":"Observation/o%d"}],"performer":[{"reference":"Practitioner/d"}]}`, i, i, (i+1)%10)
	}
	for _, count := range []int{3, 7, 100} {
		seen := map[string]int{}
		q := SearchRequest{Base: base, Compartment: key("Patient/p"), Path: "Patient/p/$everything", Whole: true}
		number := 0
		for query := fmt.Sprintf("_include=*&_count=%d", count); query != ""; number++ {
			q.Parameters = pairs(query)
			all, next := shown(t, s, q)
			page := map[string]bool{}
			for _, name := range all {
				name, mode, _ := strings.Cut(name, " ")
				if page[name] {
					t.Errorf("%d a page: %s is twice on page %d", count, name, number)
				}
				page[name] = true
				if mode == "match" || seen[name] == 0 {
					seen[name]++
				}
			}
			query = next
		}
		if len(seen) != 23 { // 10 Encounters, 10 Observations, 2 Patients, and the Practitioner, who is no member
			t.Errorf("%d a page: %d resources", count, len(seen))
		}
		for name, n := range seen {
			if n != 1 {
				t.Errorf("%d a page: %s is there %d times", count, name, n)
			}
		}
	}
}
