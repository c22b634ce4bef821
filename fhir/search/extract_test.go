package search_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	"github.com/fhirgate/fhirgate/fhir/search"
)

const vital = `{"resourceType":"Observation","id":"o","meta":{"versionId":"1","lastUpdated":"2026-11-23T09:30:00.123456Z"},"status":"final",` +
	`"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"vital-signs"}]}],` +
	`"code":{"coding":[{"system":"http://loinc.org","code":"29463-7","display":"Body Weight"}],"text":"Body Weight"},"subject":{"reference":"Patient/1"},` +
	`"encounter":{"reference":"Encounter/1"},"effectiveDateTime":"2014-05-09T10:00:00+02:00","issued":"2014-05-09T10:00:00.123+02:00",` +
	`"valueQuantity":{"value":70.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}`

func TestElementsThatCannotBeIndexedHaveNoEntries(t *testing.T) {
	s := newParameters()
	for _, src := range []string{
		`{"resourceType":"Observation","effectiveDateTime":"soon","valueQuantity":{"value":"many"},"code":"text","subject":"Patient/1","component":{"code":7}}`,
		`{"resourceType":"Observation","effectivePeriod":{"start":"2015","end":"2014"},"subject":{"reference":7},"code":{"coding":{"code":"x"}}}`,
		`{"resourceType":"Observation","effectivePeriod":[],"valueSampledData":{"data":"E U L","origin":{}},"code":{"coding":[[]]},"identifier":[null,7,{}]}`,
		`{"resourceType":"Patient","name":["x",{"given":[7,null],"family":{}}],"birthDate":"1970-13","telecom":[{}],"address":{}}`,
		`{"resourceType":"Observation","valueQuantity":{"value":1e999999}}`,
	} {
		entries, err := s.Extract(resource(t, src))
		if err != nil {
			t.Errorf("%s: %v", src, err)
		}
		for _, e := range entries {
			if e.Param == "date" || e.Param == "birthdate" || e.Param == "value-quantity" || e.Param == "subject" {
				t.Errorf("%s: %+v", src, e)
			}
		}
	}
	if _, err := s.Extract(resource(t, `{"resourceType":"Alien"}`)); fhir.KindOf(err) != fhir.KindInvalid {
		t.Errorf("a type that is none: %v", err)
	}
}

func TestEntriesAreASet(t *testing.T) {
	s := newParameters()
	entries, err := s.Extract(resource(t, `{"resourceType":"Patient","name":[{"family":"A","given":["A"],"text":"A"},{"family":"A"}],"gender":"male"}`))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if e.Param == "name" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the name A has %d entries: %+v", n, entries)
	}
}

func TestSampledDataIsTheRangeOfItsSamples(t *testing.T) {
	s := newParameters()
	r := resource(t, `{"resourceType":"Observation","id":"x","valueSampledData":{"origin":{"value":10,"unit":"mV"},"period":1,"factor":2,"dimensions":1,"data":"1 E -2.5 4"}}`)
	entries, err := s.Extract(r)
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]bool{"ge18||mV": true, "ge18.01||mV": false, "gt17.99||mV": true, "gt18": false, "lt5": false, "lt5.01": true, "ap11.5": true} {
		req, _, err := parse(t, s, "Observation?combo-value-quantity="+query, search.ParseOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := search.Match(req.Where, r.Key(), entries, nil); got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}

func TestLastUpdatedIsAMicrosecond(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 30, 0, 123456789, time.FixedZone("", 3600))
	e := search.LastUpdated(at)
	if e.Param != "_lastUpdated" || e.Lo != "20261123083000123456" || e.Hi != "20261123083000123457" {
		t.Errorf("%+v", e)
	}
}

// synthea returns the resources of one bundle of the corpus.
func synthea(t testing.TB) []fhir.Resource {
	t.Helper()
	src := corpustest.Read(t, corpustest.Files(t, "synthea/*.gz")[0])
	bundle, err := fhir.ParseResource(src, fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var out []fhir.Resource
	for e := range bundle.Get("entry").Children() {
		if r, err := fhir.AsResource(e.Get("resource")); err == nil {
			out = append(out, r)
		}
	}
	return out
}

func BenchmarkExtractObservation(b *testing.B) {
	s := newParameters()
	r := resource(b, vital)
	entries, _ := s.Extract(r)
	b.ReportMetric(float64(len(entries)), "entries")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Extract(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExtractSynthea(b *testing.B) {
	s := newParameters()
	list := synthea(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, r := range list {
			if _, err := s.Extract(r); err != nil {
				b.Fatal(err)
			}
		}
		n += len(list)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/resource")
}

func BenchmarkParse(b *testing.B) {
	s := newParameters()
	for _, q := range []string{"code=http://loinc.org|8480-6&date=ge2014", "subject:Patient.family=berg", "subject=Patient/1&_sort=-date&_count=20"} {
		b.Run(strings.NewReplacer("/", "_", ":", "").Replace(q), func(b *testing.B) {
			pairs, err := search.ReadQuery(q)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := s.Parse([]string{"Observation"}, pairs, search.ParseOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzExtract(f *testing.F) {
	f.Add([]byte(vital))
	f.Add([]byte(`{"resourceType":"Patient","name":[{"family":"x"}],"contained":[{"resourceType":"Patient"}],"text":{"div":"<div>&lt;<!--"}}`))
	f.Add([]byte(`{"resourceType":"Location","position":{"latitude":1,"longitude":-1e5}}`))
	f.Add([]byte(`{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Composition","id":"x"}}]}`))
	s := newParameters()
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := fhir.ParseResource(bytes.Clone(src), fhir.Limits{})
		if err != nil {
			return
		}
		entries, err := s.Extract(r)
		if err != nil {
			return
		}
		again, err := s.Extract(r)
		if err != nil || len(again) != len(entries) {
			t.Fatalf("%d entries, then %d: %v", len(entries), len(again), err)
		}
		for i := range entries {
			e := &entries[i]
			if e.Param == "" || strings.ContainsAny(e.Lo+e.Hi, "\x00") || e.Lo != "" && e.Lo >= e.Hi {
				t.Fatalf("%+v", *e)
			}
		}
	})
}

func TestMoreValuesThanAnExpressionMayHoldAreRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("parses 40 MB")
	}
	members := strings.Repeat(`{"entity":{"reference":"Patient/p"}},`, 1_000_001)
	r := resource(t, `{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[`+strings.TrimSuffix(members, ",")+`]}`)
	_, err := newParameters().Extract(r)
	var e *fhir.Error
	if !errors.As(err, &e) || e.Kind != fhir.KindTooLarge || e.Issues[0].ID != fhir.IDIndexLimit || !strings.Contains(e.Issues[0].Text, "member") {
		t.Errorf("a million and one members: %v", err)
	}
}
