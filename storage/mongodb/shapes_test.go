package mongodb_test

import (
	"fmt"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage/storagetest"
)

// shape is a query of a common shape, for a page of 20.
type shape struct {
	name  string
	query search.Query
	// except says why the query may read more than twice what it returns.
	except string
}

func eq(param, system, code string) search.Expr {
	w := []search.Comparison{{Field: search.Code, Op: search.Eq, Value: code}}
	if system != "" {
		w = append(w, search.Comparison{Field: search.System, Op: search.Eq, Value: system})
	}
	return search.Some{Param: param, Where: w}
}

func to(param, typ, id string) search.Expr {
	return search.Some{Param: param, Where: []search.Comparison{{Field: search.Type, Op: search.Eq, Value: typ}, {Field: search.ID, Op: search.Eq, Value: id}}}
}

// from and until are ge and lt of a date, as search makes them.
func from(param, v string) search.Expr {
	return search.Or{search.Some{Param: param, Where: []search.Comparison{{Field: search.Lo, Op: search.Ge, Value: v}}},
		search.Some{Param: param, Where: []search.Comparison{{Field: search.Hi, Op: search.Gt, Value: v + "000001"}}}}
}

func until(param, v string) search.Expr {
	return search.Some{Param: param, Where: []search.Comparison{{Field: search.Lo, Op: search.Lt, Value: v}}}
}

func prefix(param, v string) search.Expr {
	return search.Some{Param: param, Where: []search.Comparison{{Field: search.Folded, Op: search.Prefix, Value: v}}}
}

// common is the most common code, hot a frequent one.
const (
	common = "1000-0"
	hot    = "1020-0"
)

// shapes are what clients ask for; a range without an order comes in the order of its parameter.
func shapes(p *population) []shape {
	obs := func(where ...search.Expr) search.Query {
		return search.Query{Types: []string{"Observation"}, Where: search.And(where), Limit: 20}
	}
	by := func(param string, desc bool, q search.Query) search.Query {
		q.Sort = []search.Sort{{Param: param, Desc: desc}}
		return q
	}
	pat := func(where search.Expr) search.Query {
		return search.Query{Types: []string{"Patient"}, Where: where, Limit: 20}
	}
	patient := to("patient", "Patient", p.ID("patient", 3))
	above := search.Some{Param: "value-quantity", Where: []search.Comparison{{Field: search.Hi, Op: search.Gt, Value: "P5002140!"}}}
	var or search.Or
	for i := range 50 {
		or = append(or, eq("code", loinc, fmt.Sprintf("%d-%d", 1000+i, i%10)))
	}
	page := obs(eq("code", loinc, common))
	page.After = &search.Position{Key: fhir.Key{Type: "Observation", ID: "80000000"}}
	last := by("date", true, obs(eq("code", loinc, common)))
	last.Reverse = true
	return []shape{
		{name: "token", query: obs(eq("code", loinc, hot))},
		{name: "token without system", query: obs(eq("code", "", hot))},
		{name: "identifier", query: pat(eq("identifier", "http://hospital/mrn", "m300"))},
		{name: "date range, a month", query: by("date", false, obs(from("date", "20150301"), until("date", "20150401")))},
		{name: "date from", query: by("date", false, obs(from("date", "20150301")))},
		{name: "code and date range, a year", query: by("date", false, obs(eq("code", loinc, hot), from("date", "20150101"), until("date", "20160101")))},
		{name: "code and date range, newest first", query: by("date", true, obs(eq("code", loinc, hot), from("date", "20150301"), until("date", "20180401")))},
		{name: "code and value above", query: by("value-quantity", false, obs(eq("code", loinc, hot), above))},
		{name: "composite above", query: obs(search.Some{Param: "code-value-quantity", Where: []search.Comparison{
			{Part: 1, Field: search.Code, Op: search.Eq, Value: hot}, {Part: 2, Field: search.Hi, Op: search.Gt, Value: "P5002140!"}}}),
			except: "the order is that of the id: the few matches are sorted"},
		{name: "patient and code", query: obs(patient, eq("code", loinc, common))},
		{name: "patient, code and date range", query: by("date", false, obs(patient, eq("code", loinc, common), from("date", "20120101"), until("date", "20200101")))},
		{name: "patient, newest first", query: by("date", true, obs(patient))},
		{name: "newest first of a common code", query: by("date", true, obs(eq("code", loinc, common)))},
		{name: "oldest page of a common code", query: last},
		{name: "newest first of a category", query: by("date", true, obs(eq("category", "", "laboratory"))), except: "a third of all are of the category"},
		{name: "newest first of all", query: by("date", true, obs())},
		{name: "category and status", query: obs(eq("category", "", "survey"), eq("status", "", "final"))},
		{name: "OR of 50 tokens", query: obs(or), except: "the merge reads one key of each of the 50 ahead"},
		{name: "chain to family", query: obs(storagetest.Chain("patient", "Patient", prefix("family", "family5"))),
			except: "the few patients are read first, and a merge reads one key of each ahead"},
		{name: "chain to gender", query: obs(storagetest.Chain("patient", "Patient", eq("gender", "", "female"))),
			except: "half of the patients: the chain is tried on a batch of observations"},
		{name: "chain into contained resources", query: search.Query{Types: []string{"Encounter"}, Limit: 20, Where: storagetest.Chain("participant", "Practitioner", eq("gender", "", "female"))},
			except: "the few containers are read first"},
		{name: "_has by code", query: pat(search.Referred{Source: "Observation", Param: "patient", Where: eq("code", loinc, hot)}),
			except: "the referring observations are read first, or the chain is tried on a batch of patients"},
		{name: "string prefix", query: pat(prefix("family", "family5")), except: "the order is that of the id: the few matches are sorted"},
		{name: "gender and birthdate", query: by("birthdate", false, pat(search.And{eq("gender", "", "female"), from("birthdate", "19750101"), until("birthdate", "19760101")})),
			except: "100 patients have no order of their own: it is made from 2,000 on"},
		{name: "next page of a code", query: page},
		{name: ":contains", query: pat(search.Some{Param: "family", Where: []search.Comparison{{Field: search.Folded, Op: search.Contains, Value: "ily5"}}}),
			except: "no index serves :contains: resources are read in the order of their ids"},
		{name: ":missing=false of a rare parameter", query: obs(search.Or{search.Some{Param: "rare"}, search.Some{Param: "rare:present"}}), except: "the few that have it are sorted when they are found"},
		{name: ":missing=true of a parameter with an order", query: obs(search.Not{Expr: search.Some{Param: "date"}}, search.Not{Expr: search.Some{Param: "date:present"}})},
		{name: ":missing=true of a parameter without one", query: pat(search.And{search.Not{Expr: search.Some{Param: "rare"}}, search.Not{Expr: search.Some{Param: "rare:present"}}})},
		{name: "two sorts, the first with an order", query: search.Query{Types: []string{"Observation"}, Where: eq("code", loinc, common), Limit: 20,
			Sort: []search.Sort{{Param: "date", Desc: true}, {Param: "code"}}}, except: "a group of equal dates is read to its end, and keys of the second sort by id"},
		{name: "newest id first", query: search.Query{Types: []string{"Observation"}, Where: eq("code", loinc, common), Limit: 20, Sort: []search.Sort{{Param: "_id", Desc: true}}}},
		{name: "sort by a chain", query: search.Query{Types: []string{"Observation"}, Where: eq("code", loinc, hot), Limit: 20,
			Sort: []search.Sort{{Param: "family", Chain: &search.SortChain{Param: "patient", Target: "Patient"}}}},
			except: "no index has the order of a chain: all matches are read"},
		{name: "updated lately", query: by("_lastUpdated", false, obs(from("_lastUpdated", time.Now().UTC().Add(-time.Hour).Format("20060102150405"))))},
		{name: "updated last", query: by("_lastUpdated", true, obs())},
		{name: "all", query: obs()},
	}
}
