package interaction

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// openIndexing opens a Service with a Patient of blue eyes that was stored before the search parameter for it, whose indexing waits for the gate.
func openIndexing(t *testing.T, opt Options) (s *Service, gate chan struct{}) {
	t.Helper()
	gate = make(chan struct{})
	opt.retry = time.Millisecond
	s = openOn(t, stalled{openStore(t), gate}, opt)
	eyed(t, s, "old", "blue")
	put(t, s, "%s", eyeColor)
	return s, gate
}

const blueEyes = `{"resourceType":"Patient","extension":[{"url":"http://example.org/eye","valueString":"blue"}]}`

// deciders are all ways to decide by a condition.
var deciders = map[string]func(*testing.T, *Service) error{
	"conditional create": func(t *testing.T, s *Service) error {
		_, err := s.Create(t.Context(), "Patient", resource(t, blueEyes), "eye-color=blue")
		return err
	},
	"conditional update": func(t *testing.T, s *Service) error {
		_, err := s.UpdateConditional(t.Context(), "Patient", resource(t, blueEyes), "eye-color=blue", Conditions{})
		return err
	},
	"conditional delete": func(t *testing.T, s *Service) error {
		_, err := s.DeleteConditional(t.Context(), "Patient", "eye-color=blue", Conditions{})
		return err
	},
	"conditional patch": func(t *testing.T, s *Service) error {
		_, err := s.PatchConditional(t.Context(), "Patient", func(fhir.Resource) ([]byte, error) { return []byte(blueEyes), nil }, "eye-color=blue", Conditions{})
		return err
	},
	"conditional reference": func(t *testing.T, s *Service) error {
		_, err := s.Create(t.Context(), "Observation", resource(t, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?eye-color=blue"}}`), "")
		return err
	},
	"chain": func(t *testing.T, s *Service) error {
		_, err := s.Create(t.Context(), "Observation", resource(t, `{"resourceType":"Observation","status":"final","code":{"text":"x"}}`), "patient.eye-color=blue")
		return err
	},
	"reverse chain": func(t *testing.T, s *Service) error {
		_, err := s.DeleteConditional(t.Context(), "Organization", "_has:Patient:organization:eye-color=blue", Conditions{})
		return err
	},
	"missing": func(t *testing.T, s *Service) error {
		_, err := s.DeleteConditional(t.Context(), "Patient", "eye-color:missing=true", Conditions{})
		return err
	},
	"create in a transaction": func(t *testing.T, s *Service) error {
		_, err := transact(t, s, request("POST", "Patient", "", blueEyes, `"ifNoneExist":"eye-color=blue"`))
		return err
	},
	"delete in a transaction": func(t *testing.T, s *Service) error {
		_, err := transact(t, s, request("DELETE", "Patient?eye-color=blue", "", ""))
		return err
	},
	"reference in a transaction": func(t *testing.T, s *Service) error {
		_, err := transact(t, s, request("POST", "Observation", "", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?eye-color=blue"}}`))
		return err
	},
	"create in a batch": func(t *testing.T, s *Service) error {
		b, err := send(t, s, "batch", "", request("POST", "Patient", "", blueEyes, `"ifNoneExist":"eye-color=blue"`))
		if err == nil && strings.HasPrefix(b.Entry[0].Response.Status, "503") && strings.Contains(string(b.Entry[0].Response.Outcome), "parameter-indexing") {
			return fhir.NewError(fhir.KindUnavailable, fhir.IssueTransient, "parameter-indexing", "")
		}
		return err
	},
}

func TestWhatDecidesByAnUnfinishedIndexIsRefused(t *testing.T) {
	s, gate := openIndexing(t, Options{await: time.Millisecond})
	for name, decide := range deciders {
		t.Run(name, func(t *testing.T) { check(t, decide(t, s), fhir.KindUnavailable, "parameter-indexing") })
	}
	// What the parameter does not concern goes on, a parameter of the same code on another type too.
	if _, err := s.Create(t.Context(), "Patient", resource(t, blueEyes), "gender=male"); err != nil {
		t.Error(err)
	}
	for _, name := range find(t, s, "Patient").names() {
		if name != "Patient/old" && name == "" {
			t.Error(name)
		}
	}
	close(gate)
	indexed(t, s)
	if _, err := s.DeleteConditional(t.Context(), "Patient", "eye-color=blue&_id=old", Conditions{}); err != nil {
		t.Error(err)
	}
}

// TestWhatDecidesWaitsForTheIndex has the indexing go on while the requests wait.
func TestWhatDecidesWaitsForTheIndex(t *testing.T) {
	for _, name := range []string{"conditional create", "create in a transaction"} {
		s, gate := openIndexing(t, Options{await: patience})
		go func() {
			time.Sleep(20 * time.Millisecond)
			close(gate)
		}()
		if err := deciders[name](t, s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := find(t, s, "Patient").names(); len(got) != 1 || got[0] != "Patient/old" {
			t.Errorf("%s makes a duplicate: %v", name, got)
		}
	}
}

func TestDeleteThatAnUnfinishedIndexMayContradictIsRefused(t *testing.T) {
	gate := make(chan struct{})
	s := openOn(t, stalled{openStore(t), gate}, Options{ReferentialIntegrity: true, retry: time.Millisecond})
	put(t, s, `{"resourceType":"Patient","id":"p"}`)
	put(t, s, `{"resourceType":"Basic","id":"b","code":{"text":"x"},"extension":[{"url":"http://example.org/about","valueReference":{"reference":"Patient/p"}}]}`)
	put(t, s, `{"resourceType":"SearchParameter","id":"about","url":"http://example.org/about","name":"about","status":"active","description":"d","code":"about","base":["Basic"],
		"type":"reference","target":["Patient"],"expression":"Basic.extension('http://example.org/about').value"}`)
	_, err := s.Delete(t.Context(), key("Patient/p"), Conditions{})
	check(t, err, fhir.KindUnavailable, "parameter-indexing")
	close(gate)
	indexed(t, s)
	_, err = s.Delete(t.Context(), key("Patient/p"), Conditions{})
	check(t, err, fhir.KindConflict, "referenced")
}

// TestWhatShowsAnUnfinishedIndexSaysSo asks in all ways.
func TestWhatShowsAnUnfinishedIndexSaysSo(t *testing.T) {
	s, _ := openIndexing(t, Options{})
	put(t, s, `{"resourceType":"SearchParameter","id":"link","url":"http://example.org/link","name":"l","status":"active","description":"d","code":"friend","base":["Patient"],
		"type":"reference","target":["Patient"],"expression":"Patient.extension('http://example.org/friend').value"}`)
	for query, want := range map[string]bool{
		"Patient?eye-color=blue":                                true,
		"Patient?eye-color=blue&_summary=count":                 true,
		"Patient?eye-color=blue&_count=0":                       true,
		"Patient?eye-color:exact=blue,green":                    true,
		"Patient?eye-color:missing=true":                        true,
		"Patient?_sort=eye-color":                               true,
		"Patient?_sort=-birthdate,eye-color":                    true,
		"Observation?patient.eye-color=blue":                    true,
		"Observation?subject:Patient.eye-color=blue":            true,
		"Organization?_has:Patient:organization:eye-color=blue": true,
		"Patient?_revinclude=Patient:friend":                    true,
		"Patient?_revinclude=Patient:*":                         true,
		"Patient?friend.name=x":                                 true,
		"Patient?_has:Patient:friend:name=x":                    true,
		"Patient?gender=male":                                   false,
		"Patient?_revinclude=Observation:subject":               false,
		"Observation?code=x":                                    false,
		"Bundle?composition.patient.eye-color=blue":             true,
		"Bundle?composition.patient.gender=male":                false,
		"Bundle?composition.title=x":                            false,
		"Bundle?message.event=x":                                false,
		"Medication?_contained=true&code=x":                     false,
		"Medication?_contained=both&code=x&_sort=status":        false,
		"Medication?_contained=true":                            false,
		"Patient?_contained=true&gender=male":                   false,
		"Patient?_contained=true&eye-color=blue":                true,
		"Patient?_contained=true&_sort=eye-color":               true,
	} {
		for _, one := range []bool{true, false} {
			var outcome string
			if one {
				b := find(t, s, query)
				for _, e := range b.Entry {
					outcome += string(e.Resource)
				}
			} else {
				b, err := send(t, s, "batch", "", request("GET", query, "", ""))
				if err != nil {
					t.Fatal(err)
				}
				outcome = string(b.Entry[0].Resource)
			}
			if got := strings.Contains(outcome, "parameter-indexing"); got != want {
				t.Errorf("%s (alone: %v) says that it is incomplete: %v, want %v", query, one, got, want)
			}
			if strings.Contains(outcome, fmt.Sprint("0 of 0")) {
				t.Errorf("%s: %s", query, outcome)
			}
		}
	}
}
