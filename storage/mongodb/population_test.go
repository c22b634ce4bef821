package mongodb_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// population is a deterministic world of patients, encounters and observations, by index: one patient in a hundred resources, nine
// encounters, the others observations. Entries are those that extraction gives such resources.
type population struct {
	n    int
	from time.Time
}

func newPopulation(n int) *population {
	return &population{n: n, from: time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// pid is the id of the i-th patient; ids are in no relation to the order of creation.
func (p *population) id(kind string, i int) string {
	r := rand.New(rand.NewPCG(uint64(i), uint64(len(kind)*31+int(kind[0]))))
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", uint32(a>>32), uint16(a>>16), uint16(a), uint16(b>>48), b&0xffffffffffff)
}

func (p *population) patients() int { return max(1, p.n/100) }

const (
	loinc  = "http://loinc.org"
	snomed = "http://snomed.info/sct"
	ucum   = "http://unitsofmeasure.org"
)

func tok(param, system, code string) search.Entry {
	return search.Entry{Param: param, System: system, Code: code}
}

func str(param, v string) search.Entry { return search.Entry{Param: param, Folded: v, Exact: v} }

func ref(param, typ, id string) search.Entry { return search.Entry{Param: param, Type: typ, ID: id} }

func stamp(t time.Time) string { return t.UTC().Format("20060102150405") }

func date(param string, at time.Time, d time.Duration) search.Entry {
	return search.Entry{Param: param, Lo: stamp(at), Hi: stamp(at.Add(d))}
}

func quantity(param string, v int) search.Entry {
	n := fmt.Sprintf("P5002%03d", v)
	return search.Entry{Param: param, System: ucum, Code: "mm[Hg]", Lo: n, Hi: n + "!"}
}

// code returns the i-th of 200 codes, the first much more often than the last.
func code(r *rand.Rand) string {
	x := r.Float64()
	return fmt.Sprintf("%d-%d", 1000+int(x*x*x*200), int(x*x*x*200)%10)
}

// record returns the i-th resource as its first version.
func (p *population) record(i int) storage.Record {
	r := rand.New(rand.NewPCG(uint64(i), 42))
	at := p.from.Add(time.Duration(r.Int64N(int64(13 * 365 * 24 * time.Hour)))).Truncate(time.Second)
	patient := p.id("patient", r.IntN(p.patients()))
	var k fhir.Key
	var e []search.Entry
	switch m := i % 100; {
	case m == 0:
		k = fhir.Key{Type: "Patient", ID: p.id("patient", i/100)}
		family, given := fmt.Sprintf("family%d", r.IntN(1000)), fmt.Sprintf("given%d", r.IntN(300))
		e = []search.Entry{
			tok("identifier", "http://hospital/mrn", fmt.Sprint("m", i)), tok("identifier", "http://hl7.org/fhir/sid/us-ssn", fmt.Sprint("s", i)),
			str("family", family), str("given", given), str("name", family), str("name", given), tok("gender", "http://hl7.org/fhir/administrative-gender", []string{"male", "female"}[r.IntN(2)]),
			date("birthdate", at.AddDate(-40, 0, 0).Truncate(24*time.Hour), 24*time.Hour), str("address", "boston"), str("address-city", "boston"), tok("active", "", "true"),
			tok("language", "urn:ietf:bcp:47", "en-US"), tok("phone", "", fmt.Sprint("555", i)),
		}
	case m < 10:
		k = fhir.Key{Type: "Encounter", ID: p.id("encounter", i)}
		e = []search.Entry{
			tok("status", "http://hl7.org/fhir/encounter-status", "finished"), tok("class", "http://terminology.hl7.org/CodeSystem/v3-ActCode", "AMB"), tok("type", snomed, code(r)),
			ref("subject", "Patient", patient), ref("patient", "Patient", patient), date("date", at, 30*time.Minute), ref("service-provider", "Organization", fmt.Sprint("o", r.IntN(500))),
			ref("participant", "Practitioner", fmt.Sprint("p", r.IntN(2000))),
		}
	default:
		k = fhir.Key{Type: "Observation", ID: p.id("observation", i)}
		c, v := code(r), 10+r.IntN(200)
		pair := search.Entry{Param: "code-value-quantity", Parts: []search.Entry{tok("", loinc, c), quantity("", v)}}
		combo := pair
		combo.Param = "combo-code-value-quantity"
		e = []search.Entry{
			tok("status", "http://hl7.org/fhir/observation-status", "final"), tok("category", "http://terminology.hl7.org/CodeSystem/observation-category", []string{"vital-signs", "laboratory", "survey"}[r.IntN(3)]),
			tok("code", loinc, c), tok("combo-code", loinc, c), ref("subject", "Patient", patient), ref("patient", "Patient", patient), ref("encounter", "Encounter", p.id("encounter", r.IntN(p.n)/10*10+1+r.IntN(9))),
			date("date", at, time.Second), quantity("value-quantity", v), quantity("combo-value-quantity", v), pair, combo,
		}
	}
	if i%1000 == 555 {
		e = append(e, tok("rare", "", "x"))
	}
	if i%1000 == 556 {
		e = slices.DeleteFunc(e, func(e search.Entry) bool { return e.Param == "date" })
	}
	e = append(e, search.Entry{Param: "_profile", URI: "http://hl7.org/fhir/us/core/StructureDefinition/us-core-" + k.Type})
	body := fmt.Appendf(nil, `{"resourceType":%q,"id":%q,"meta":{"versionId":"1","lastUpdated":"2026-11-23T09:30:00.123456Z","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-x"]},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8302-2","display":"Body Height"}],"text":"Body Height"},"subject":{"reference":"Patient/%s"},"encounter":{"reference":"Encounter/%016x%016x"},"effectiveDateTime":%q,"issued":%q,"valueQuantity":{"value":%v,"unit":"cm","system":"http://unitsofmeasure.org","code":"cm"}}`,
		k.Type, k.ID, patient, r.Uint64(), r.Uint64(), at.Format(time.RFC3339), at.Format(time.RFC3339Nano), r.Float64()*200)
	return storage.Record{Key: k, Version: 1, Method: "POST", Body: body, Entries: e}
}

// put stores resources from up to (not including) to in one Update.
func (p *population) put(t testing.TB, s storage.Store, from, to int) {
	recs := make([]storage.Record, 0, to-from)
	for i := from; i < to; i++ {
		recs = append(recs, p.record(i))
	}
	putAll(t, s, recs)
}

func putAll(t testing.TB, s storage.Store, recs []storage.Record) {
	if err := s.Update(context.Background(), func(tx storage.Tx) error {
		for _, r := range recs {
			r.Updated = tx.Now()
			r.Entries = append(r.Entries, search.LastUpdated(r.Updated))
			if err := tx.Put(context.Background(), r, 0); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// fill stores all of a population.
func (p *population) fill(t testing.TB, s storage.Store) {
	for i := 0; i < p.n; i += 1000 {
		p.put(t, s, i, min(i+1000, p.n))
	}
}
