package rest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/operation"
	"github.com/fhirgate/fhirgate/fhir/server/rest"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// population is a deterministic world of n resources in groups of a hundred: a Patient, nine Encounters and ninety Observations. Each patient
// has nine encounters and ninety observations, of any groups; 46 of the ninety have the first code, 30 one of ten, 14 one of 189. So a
// first page of 20 is full at 10,000 resources as it is at 1,000,000. There are five patients to a family name.
type population struct{ n int }

// The codes of the observations: the first, the next ten, all.
const (
	hotCodes = 11
	allCodes = 200
)

// patients is how many patients there are.
func (p population) patients() int { return p.n / 100 }

// families is how many family names there are.
func (p population) families() int { return max(1, p.patients()/5) }

// id returns the id of the i-th resource; ids are in no relation to i.
func (population) id(i int) string {
	r := rand.NewPCG(uint64(i), 7)
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", uint32(a>>32), uint16(a>>16), uint16(a), uint16(b>>48), b&0xffffffffffff)
}

// patient returns the id of the k-th patient.
func (p population) patient(k int) string { return p.id(k % p.patients() * 100) }

// code returns the k-th code.
func (population) code(k int) string { return fmt.Sprintf("%d-%d", 10_000+k, k%10) }

// resource returns the i-th resource as a client sends it.
func (p population) resource(i int) (key fhir.Key, body []byte) {
	r := rand.New(rand.NewPCG(uint64(i), 42))
	group, m := i/100, i%100
	whose := (group + m*7) % p.patients()
	subject := p.patient(whose)
	at := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(13 * 365 * 24 * time.Hour)))).Truncate(time.Second)
	id := p.id(i)
	switch {
	case m == 0:
		return fhir.Key{Type: "Patient", ID: id}, fmt.Appendf(nil, `{"resourceType":"Patient","id":%q,"meta":{"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]},"identifier":[{"system":"http://hospital.example/mrn","value":"m%d"},{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"SS","display":"Social Security Number"}],"text":"Social Security Number"},"system":"http://hl7.org/fhir/sid/us-ssn","value":"999-%07d"}],"active":true,"name":[{"use":"official","family":"Family%d","given":["Given%d","Middle%d"],"prefix":["Mx."]}],"telecom":[{"system":"phone","value":"555-%07d","use":"home"}],"gender":%q,"birthDate":%q,"address":[{"line":["%d Street"],"city":"City%d","state":"Massachusetts","postalCode":"0%d","country":"US"}],"communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"en-US","display":"English"}],"text":"English"}}]}`,
			id, i, i, group%p.families(), r.IntN(300), r.IntN(300), i, []string{"female", "male"}[group%2], at.AddDate(-10-r.IntN(70), 0, 0).Format(time.DateOnly), r.IntN(1000), r.IntN(200), 1000+r.IntN(2000))
	case m < 10:
		end := at.Add(time.Duration(15+r.IntN(45)) * time.Minute)
		return fhir.Key{Type: "Encounter", ID: id}, fmt.Appendf(nil, `{"resourceType":"Encounter","id":%q,"meta":{"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-encounter"]},"status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"type":[{"coding":[{"system":"http://snomed.info/sct","code":"%d","display":"Encounter for check up (procedure)"}],"text":"Encounter for check up (procedure)"}],"subject":{"reference":"Patient/%s","display":"Mx. Family"},"participant":[{"type":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"PPRF","display":"primary performer"}],"text":"primary performer"}],"period":{"start":%q,"end":%q},"individual":{"reference":"Practitioner/p%d"}}],"period":{"start":%q,"end":%q},"serviceProvider":{"reference":"Organization/o%d"}}`,
			id, 100_000_000+r.IntN(50), subject, at.Format(time.RFC3339), end.Format(time.RFC3339), r.IntN(2000), at.Format(time.RFC3339), end.Format(time.RFC3339), r.IntN(500))
	}
	code := 0
	switch {
	case m >= 86:
		code = hotCodes + r.IntN(allCodes-hotCodes)
	case m >= 56:
		code = 1 + (m-56)/3
	}
	j := 1 + r.IntN(9)
	encounter := p.id((whose-j*7%p.patients()+p.patients())%p.patients()*100 + j)
	return fhir.Key{Type: "Observation", ID: id}, fmt.Appendf(nil, `{"resourceType":"Observation","id":%q,"meta":{"profile":["http://hl7.org/fhir/StructureDefinition/vitalsigns"]},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":%q,"display":"category"}]}],"code":{"coding":[{"system":"http://loinc.org","code":%q,"display":"Observation %d"}],"text":"Observation %d"},"subject":{"reference":"Patient/%s"},"encounter":{"reference":"Encounter/%s"},"effectiveDateTime":%q,"issued":%q,"valueQuantity":{"value":%d.%d,"unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}`,
		id, []string{"vital-signs", "laboratory", "survey"}[r.IntN(3)], p.code(code), code, code, subject, encounter, at.Format(time.RFC3339), at.Add(time.Minute).Format("2006-01-02T15:04:05.000Z"), 10+r.IntN(200), r.IntN(10))
}

// imported stores a part of the population by the engine's import, which makes indexes afterwards.
func imported(store storage.Store, resources []fhir.Resource, entries [][]search.Entry) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	versions := make([]storage.Version, len(resources))
	for i, r := range resources {
		versions[i] = storage.Version{Current: true, Record: storage.Record{Key: r.Key(), Version: 1, Updated: now, Method: "PUT", Body: r.Stamp(r.ID(), 1, now),
			Entries: append(entries[i][:len(entries[i]):len(entries[i])], search.LastUpdated(now))}}
	}
	return store.Import(context.Background(), versions)
}

// fill stores the population: as creates without validation do, but many to an Update; in MongoDB by its import.
func (p population) fill(t testing.TB, store storage.Store, parameters *search.Parameters) {
	t.Helper()
	const batch = 500
	var g errgroup.Group
	g.SetLimit(4)
	for from := 0; from < p.n; from += batch {
		g.Go(func() error {
			resources := make([]fhir.Resource, 0, batch)
			entries := make([][]search.Entry, 0, batch)
			for i := from; i < min(from+batch, p.n); i++ {
				_, body := p.resource(i)
				r, err := fhir.ParseResource(body, fhir.Limits{})
				if err != nil {
					return err
				}
				e, err := parameters.Extract(r)
				if err != nil {
					return err
				}
				resources, entries = append(resources, r), append(entries, e)
			}
			if m, ok := store.(*mongodb.Store); ok {
				return imported(m, resources, entries)
			}
			return store.Update(context.Background(), func(tx storage.Tx) error {
				now := tx.Now()
				for i, r := range resources {
					rec := storage.Record{Key: r.Key(), Version: 1, Updated: now, Method: "PUT", Body: r.Stamp(r.ID(), 1, now),
						Entries: append(entries[i][:len(entries[i]):len(entries[i])], search.LastUpdated(now))}
					if err := tx.Put(context.Background(), rec, 0); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// openPopulation opens the store of a population on the engine that is named, in a folder.
func openPopulation(t testing.TB, engine string, p population, dir string) storage.Store {
	t.Helper()
	var store storage.Store
	var err error
	switch engine {
	case "embedded":
		store, err = embedded.Open(filepath.Join(dir, fmt.Sprint(p.n)), embedded.Options{})
	case "mongodb":
		uri := mongotest.Keep(t, filepath.Join(dir, fmt.Sprint("mongodb", p.n)), "population")
		store, err = mongodb.Open(t.Context(), mongodb.Options{URI: uri})
	default:
		t.Fatalf("no engine is named %q", engine)
	}
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// populated serves a population from a store, which is filled where it is empty and closed with t. Nothing listens: requests go to the handler.
func populated(t testing.TB, p population, store storage.Store) *rest.Handler {
	t.Helper()
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	reg := definition.R4()
	parameters := search.NewParameters(reg, search.Options{BaseURLs: []string{"http://example.org/fhir"}})
	var have map[string]int64
	if err := store.View(context.Background(), func(r storage.Reader) (err error) { have, err = r.Counts(context.Background()); return err }); err != nil {
		t.Fatal(err)
	}
	switch stored := have["Patient"] + have["Encounter"] + have["Observation"]; stored {
	case int64(p.n):
	case 0:
		p.fill(t, store, parameters)
	default:
		t.Fatalf("the folder has %d resources of a population of %d: it was not filled to the end; delete it", stored, p.n)
	}
	service, err := interaction.New(store, reg, parameters, nil, interaction.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(service.Close)
	h, err := rest.New(rest.Config{Service: service, Registry: reg, Search: parameters, Operations: operation.Table(service, reg, operation.Options{}), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// populationShape is a search that clients ask; k chooses one of its variants.
type populationShape struct {
	name string
	rows int // matches on its page
	path func(p population, k int) string
}

// populationShapes are the searches that are measured, each for its first page.
func populationShapes() []populationShape {
	const loinc = "http://loinc.org%7C"
	year := func(k int) int { return 2010 + k%12 }
	hot := func(p population, k int) string { return loinc + p.code(1+k%10) }
	return []populationShape{
		{"token", 20, func(p population, k int) string { return "Observation?code=" + hot(p, k) }},
		{"date range, a month", 20, func(p population, k int) string {
			return fmt.Sprintf("Observation?date=ge%d-03-01&date=lt%d-04-01", year(k), year(k))
		}},
		{"code and date range, a year", 20, func(p population, k int) string {
			return fmt.Sprintf("Observation?code=%s&date=ge%d-01-01&date=lt%d-01-01", loinc+p.code(0), year(k), year(k)+1)
		}},
		{"rarer code and date range, two years", 20, func(p population, k int) string {
			return fmt.Sprintf("Observation?code=%s&date=ge%d-01-01&date=lt%d-01-01", hot(p, k), year(k/10), year(k/10)+2)
		}},
		{"code and value above", 20, func(p population, k int) string {
			return fmt.Sprintf("Observation?code=%s&value-quantity=gt%d", hot(p, k), 100+k%50)
		}},
		{"composite of code and value", 20, func(p population, k int) string {
			return fmt.Sprintf("Observation?code-value-quantity=%s$gt%d", hot(p, k), 100+k%50)
		}},
		{"patient and code", 20, func(p population, k int) string {
			return fmt.Sprintf("Observation?patient=%s&code=%s", p.patient(k), loinc+p.code(0))
		}},
		{"patient, code and date range", 20, func(p population, k int) string {
			return fmt.Sprintf("Observation?patient=%s&code=%s&date=ge2011-01-01&date=lt2022-01-01", p.patient(k), loinc+p.code(0))
		}},
		{"patient, newest first", 20, func(p population, k int) string {
			return fmt.Sprintf("Observation?patient=%s&_sort=-date", p.patient(k))
		}},
		{"OR of 200 tokens", 20, func(p population, k int) string {
			codes := make([]string, allCodes)
			for i := range codes {
				codes[i] = loinc + p.code((i+k)%allCodes)
			}
			return "Observation?code=" + strings.Join(codes, ",")
		}},
		{"chain to family", 20, func(p population, k int) string {
			return fmt.Sprintf("Observation?subject:Patient.family:exact=Family%d", k%p.families())
		}},
		{"chain to gender", 20, func(p population, k int) string {
			return "Observation?code=" + hot(p, k) + "&subject:Patient.gender=female"
		}},
		{"_has by code", 20, func(p population, k int) string { return "Patient?_has:Observation:patient:code=" + hot(p, k) }},
		{"two _includes", 20, func(p population, k int) string {
			return "Observation?code=" + hot(p, k) + "&_include=Observation:patient&_include=Observation:encounter"
		}},
		{"newest first of a common code", 20, func(p population, k int) string { return "Observation?_sort=-date&code=" + loinc + p.code(k%4) }},
		{"gender and birthdate, 40 years", 20, func(p population, k int) string {
			return fmt.Sprintf("Patient?gender=%s&birthdate=ge%d-01-01&birthdate=lt%d-01-01", []string{"female", "male"}[k%2], 1942+k/2%4, 1987+k/2%4)
		}},
		{"count of a code", 0, func(p population, k int) string { return "Observation?_summary=count&code=" + hot(p, k) }},
		{"string prefix", 20, func(p population, k int) string { return "Patient?family=family1" }},
	}
}
