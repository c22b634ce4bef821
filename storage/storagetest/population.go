package storagetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Population is a deterministic world of patients, encounters and observations, by index: one patient in a hundred resources, nine
// encounters, the others observations. Entries are those that extraction gives such resources. One resource in a thousand has an entry of the
// parameter "rare", another one has no date, and a third contains a practitioner. Plans and benchmarks of all engines are made with it.
type Population struct {
	N    int       // resources
	From time.Time // before all of their dates
}

// NewPopulation returns a population of n resources.
func NewPopulation(n int) *Population {
	return &Population{N: n, From: time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// ID returns the id of the i-th resource of a kind; ids are in no relation to the order of creation.
func (p *Population) ID(kind string, i int) string {
	r := rand.New(rand.NewPCG(uint64(i), uint64(len(kind)*31+int(kind[0]))))
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", uint32(a>>32), uint16(a>>16), uint16(a), uint16(b>>48), b&0xffffffffffff)
}

func (p *Population) patients() int { return max(1, p.N/100) }

// The systems of a population's codes.
const (
	LOINC  = "http://loinc.org"
	SNOMED = "http://snomed.info/sct"
	UCUM   = "http://unitsofmeasure.org"
)

// Token returns the entry of a token.
func Token(param, system, code string) search.Entry {
	return search.Entry{Param: param, System: system, Code: code}
}

// String returns the entry of a string that is folded as it stands.
func String(param, v string) search.Entry { return search.Entry{Param: param, Folded: v, Exact: v} }

// Chain returns the condition that a reference leads to a resource for which where holds, contained or not, as searches ask it.
func Chain(param, target string, where search.Expr) search.Expr {
	return search.Or{search.Refers{Param: param, Target: target, Where: where}, search.Within{Param: param, Target: target, Where: where}}
}

// Reference returns the entry of a reference.
func Reference(param, typ, id string) search.Entry {
	return search.Entry{Param: param, Type: typ, ID: id}
}

// Stamp returns a moment as search encodes it.
func Stamp(t time.Time) string {
	s := t.UTC().Format("20060102150405")
	return s[:8] + strings.TrimRight(s[8:], "0")
}

// Date returns the entry of the time from at on that lasts d.
func Date(param string, at time.Time, d time.Duration) search.Entry {
	return search.Entry{Param: param, Lo: Stamp(at), Hi: Stamp(at.Add(d))}
}

// Quantity returns the entry of a pressure between 10 and 999.
func Quantity(param string, v int) search.Entry {
	n := fmt.Sprintf("P5002%03d", v)
	return search.Entry{Param: param, System: UCUM, Code: "mm[Hg]", Lo: n, Hi: n + "!"}
}

// anyCode returns one of 200 codes, the first much more often than the last.
func anyCode(r *rand.Rand) string {
	x := r.Float64()
	return fmt.Sprintf("%d-%d", 1000+int(x*x*x*200), int(x*x*x*200)%10)
}

// Record returns the i-th resource as its first version.
func (p *Population) Record(i int) storage.Record {
	r := rand.New(rand.NewPCG(uint64(i), 42))
	at := p.From.Add(time.Duration(r.Int64N(int64(13 * 365 * 24 * time.Hour)))).Truncate(time.Second)
	patient := p.ID("patient", r.IntN(p.patients()))
	var k fhir.Key
	var e []search.Entry
	switch m := i % 100; {
	case m == 0:
		k = fhir.Key{Type: "Patient", ID: p.ID("patient", i/100)}
		family, given := fmt.Sprintf("family%d", r.IntN(1000)), fmt.Sprintf("given%d", r.IntN(300))
		e = []search.Entry{
			Token("identifier", "http://hospital/mrn", fmt.Sprint("m", i)), Token("identifier", "http://hl7.org/fhir/sid/us-ssn", fmt.Sprint("s", i)),
			String("family", family), String("given", given), String("name", family), String("name", given),
			Token("gender", "http://hl7.org/fhir/administrative-gender", []string{"male", "female"}[r.IntN(2)]),
			Date("birthdate", at.AddDate(-40, 0, 0).Truncate(24*time.Hour), 24*time.Hour), String("address", "boston"), String("address-city", "boston"),
			Token("active", "", "true"), Token("language", "urn:ietf:bcp:47", "en-US"), Token("phone", "", fmt.Sprint("555", i)),
		}
	case m < 10:
		k = fhir.Key{Type: "Encounter", ID: p.ID("encounter", i)}
		e = []search.Entry{
			Token("status", "http://hl7.org/fhir/encounter-status", "finished"), Token("class", "http://terminology.hl7.org/CodeSystem/v3-ActCode", "AMB"),
			Token("type", SNOMED, anyCode(r)), Reference("subject", "Patient", patient), Reference("patient", "Patient", patient), Date("date", at, 30*time.Minute),
			Reference("service-provider", "Organization", fmt.Sprint("o", r.IntN(500))), Reference("participant", "Practitioner", fmt.Sprint("p", r.IntN(2000))),
		}
	default:
		k = fhir.Key{Type: "Observation", ID: p.ID("observation", i)}
		c, v := anyCode(r), 10+r.IntN(200)
		pair := search.Entry{Param: "code-value-quantity", Parts: []search.Entry{Token("", LOINC, c), Quantity("", v)}}
		combo := pair
		combo.Param = "combo-code-value-quantity"
		e = []search.Entry{
			Token("status", "http://hl7.org/fhir/observation-status", "final"),
			Token("category", "http://terminology.hl7.org/CodeSystem/observation-category", []string{"vital-signs", "laboratory", "survey"}[r.IntN(3)]),
			Token("code", LOINC, c), Token("combo-code", LOINC, c), Reference("subject", "Patient", patient), Reference("patient", "Patient", patient),
			Reference("encounter", "Encounter", p.ID("encounter", r.IntN(p.N)/10*10+1+r.IntN(9))),
			Date("date", at, time.Second), Quantity("value-quantity", v), Quantity("combo-value-quantity", v), pair, combo,
		}
	}
	if i%1000 == 555 {
		e = append(e, Token("rare", "", "x"))
	}
	if i%1000 == 556 {
		e = slices.DeleteFunc(e, func(e search.Entry) bool { return e.Param == "date" })
	}
	if i%1000 == 5 { // an Encounter
		inner := []search.Entry{String("name", fmt.Sprintf("doctor%d", i/1000%10)), Token("gender", "http://hl7.org/fhir/administrative-gender", []string{"male", "female"}[i/1000%2])}
		e = append(search.AppendHeld(e, false, "Practitioner", "d", inner), search.ToHeld("participant", "Practitioner", "d"))
	}
	e = append(e, search.Entry{Param: "_profile", URI: "http://hl7.org/fhir/us/core/StructureDefinition/us-core-" + k.Type})
	body := fmt.Appendf(nil, `{"resourceType":%q,"id":%q,"meta":{"versionId":"1","lastUpdated":"2026-11-23T09:30:00.123456Z","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-x"]},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs","display":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8302-2","display":"Body Height"}],"text":"Body Height"},"subject":{"reference":"Patient/%s"},"encounter":{"reference":"Encounter/%016x%016x"},"effectiveDateTime":%q,"issued":%q,"valueQuantity":{"value":%v,"unit":"cm","system":"http://unitsofmeasure.org","code":"cm"}}`,
		k.Type, k.ID, patient, r.Uint64(), r.Uint64(), at.Format(time.RFC3339), at.Format(time.RFC3339Nano), r.Float64()*200)
	return storage.Record{Key: k, Version: 1, Method: "POST", Body: body, Entries: e}
}

// Put stores the resources from up to (not including) to in one Update.
func (p *Population) Put(t testing.TB, s storage.Store, from, to int) {
	t.Helper()
	recs := make([]storage.Record, 0, to-from)
	for i := from; i < to; i++ {
		recs = append(recs, p.Record(i))
	}
	PutAll(t, s, recs)
}

// Fill stores all resources.
func (p *Population) Fill(t testing.TB, s storage.Store) {
	t.Helper()
	for i := 0; i < p.N; i += 1000 {
		p.Put(t, s, i, min(i+1000, p.N))
	}
}

// PutAll stores first versions in one Update, each with the entry of its instant.
func PutAll(t testing.TB, s storage.Store, recs []storage.Record) {
	t.Helper()
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
