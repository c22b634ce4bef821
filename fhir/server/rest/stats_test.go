package rest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// quantity is a member with a value in a unit of UCUM.
func quantity(value, unit string) string {
	return `"valueQuantity":{"value":` + value + `,"unit":"` + unit + `","system":"http://unitsofmeasure.org","code":"` + unit + `"}`
}

// statsOf reads the Observations of $stats: by code, the value and unit of each statistic; "?" where there is no value.
func statsOf(t testing.TB, a answer) (stats map[string]map[string]string, sources []string) {
	t.Helper()
	var p struct {
		Parameter []struct {
			Name     string
			Resource struct {
				ID, ResourceType, Status string
				Code                     struct{ Coding []struct{ Code string } }
				Component                []struct {
					Code struct {
						Coding []struct{ Code string }
						Text   string
					}
					ValueQuantity *struct {
						Value json.Number
						Unit  string
					}
				}
			}
		}
	}
	if a.status != 200 {
		t.Fatalf("%d %.500s", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatal(err)
	}
	stats = map[string]map[string]string{}
	for _, x := range p.Parameter {
		if x.Name == "source" {
			sources = append(sources, x.Resource.ID)
			continue
		}
		of := map[string]string{}
		for _, c := range x.Resource.Component {
			name, value := c.Code.Coding[0].Code+c.Code.Text, "?"
			if c.ValueQuantity != nil {
				value = c.ValueQuantity.Value.String() + " " + c.ValueQuantity.Unit
			}
			of[name] = value
		}
		stats[x.Resource.Code.Coding[0].Code] = of
	}
	return stats, sources
}

// allStatistics are the codes of R4's code system.
const allStatistics = "average,maximum,minimum,count,total-count,median,std-dev,sum,variance,20-percent,80-percent,4-lower,4-upper,4-dev,5-1,5-2,5-3,5-4,skew,kurtosis,regression"

func TestStatsOfASeries(t *testing.T) {
	s := newServer(t)
	for i, v := range []string{"120", "118.50", "131", "125", "140", "99.5", "122", "122"} {
		s.observation(t, fmt.Sprint("o", i), "p", codings("8480-6"), fmt.Sprintf("2024-05-%02dT00:00:00Z", 1+i), quantity(v, "mm[Hg]"))
	}
	s.observation(t, "kPa", "p", codings("8480-6"), "2023-01-01", quantity("16", "kPa"))
	s.observation(t, "wrong", "p", codings("8480-6"), "2024-05-03", quantity("900", "mm[Hg]"))
	s.put(t, "Observation/wrong", `{"resourceType":"Observation","id":"wrong","status":"entered-in-error","subject":{"reference":"Patient/p"},"code":{`+codings("8480-6")+`},"effectiveDateTime":"2024-05-03",`+quantity("900", "mm[Hg]")+`}`)
	s.observation(t, "less", "p", codings("8480-6"), "2024-05-03", `"valueQuantity":{"value":1,"comparator":"<","unit":"mm[Hg]","system":"http://unitsofmeasure.org","code":"mm[Hg]"}`)
	s.observation(t, "text", "p", codings("8480-6"), "2024-05-03", `"valueString":"high"`)
	s.observation(t, "local", "p", codings("8480-6"), "2024-05-03", `"valueQuantity":{"value":1,"unit":"mm[Hg]"}`)
	s.observation(t, "modified", "p", codings("8480-6"), "2024-05-03", quantity("500", "mm[Hg]"), `"modifierExtension":[{"url":"urn:x","valueBoolean":true}]`)
	s.observation(t, "other", "q", codings("8480-6"), "2024-05-03", quantity("500", "mm[Hg]"))
	period := parameters(`{"name":"subject","valueUri":"Patient/p"}`, `{"name":"coding","valueCoding":{"system":"http://loinc.org","code":"8480-6","display":"Systolic"}}`,
		`{"name":"period","valuePeriod":{"start":"2024-05","end":"2024-05-31"}}`, `{"name":"statistic","valueCode":"`+strings.ReplaceAll(allStatistics, ",", `"},{"name":"statistic","valueCode":"`)+`"}`,
		`{"name":"include","valueBoolean":true}`, `{"name":"limit","valuePositiveInt":3}`)
	a := s.do(t, "POST", "/fhir/Observation/$stats", ct(jsonType), period)
	got, sources := statsOf(t, a)
	want := map[string]string{"average": "122.25 mm[Hg]", "maximum": "140 mm[Hg]", "minimum": "99.5 mm[Hg]", "count": "8 1", "total-count": "12 1", "median": "122 mm[Hg]",
		"std-dev": "11.5634893399 mm[Hg]", "sum": "978 mm[Hg]", "variance": "133.714285714 (mm[Hg])²", "20-percent": "119.1 mm[Hg]", "80-percent": "128.6 mm[Hg]", "4-lower": "119.625 mm[Hg]",
		"4-upper": "126.5 mm[Hg]", "4-dev": "3.4375 mm[Hg]", "5-1": "119.1 mm[Hg]", "5-2": "121.6 mm[Hg]", "5-3": "122.6 mm[Hg]", "5-4": "128.6 mm[Hg]",
		"skew": "-0.684395124504 1", "kurtosis": "2.25796633588 1", "regressiongradient": "-0.0238095238095 (mm[Hg])/h", "regressionintercept": "124.25 mm[Hg]"}
	for name, w := range want {
		if g := got["8480-6"][name]; g != w {
			t.Errorf("%s: %s, want %s", name, g, w)
		}
	}
	if len(got) != 1 || len(got["8480-6"]) != len(want) {
		t.Errorf("%v", got)
	}
	if !slices.Equal(sources, []string{"o7", "o6", "o5"}) {
		t.Errorf("sources: %v", sources)
	}
	for _, text := range []string{`"status":"final"`, `"effectivePeriod":{"start":"2024-05","end":"2024-05-31"}`, `"subject":{"reference":"Patient/p"}`, `"display":"Systolic"`} {
		if !strings.Contains(string(a.body), text) {
			t.Errorf("no %s in %.400s", text, a.body)
		}
	}
	get := func(query string) map[string]map[string]string {
		t.Helper()
		got, _ := statsOf(t, s.do(t, "GET", "/fhir/Observation/$stats?subject=Patient/p&system=http://loinc.org&"+query, nil, ""))
		return got
	}
	all := get("code=8480-6&statistic=min&statistic=max,count")["8480-6"]
	if !maps.Equal(all, map[string]string{"minimum": "99.5 mm[Hg]", "maximum": "140 mm[Hg]", "count": "9 1"}) {
		t.Errorf("with kPa: %v", all)
	}
	if got := get("code=8480-6&statistic=average,skew,count,regression&duration=1")["8480-6"]; got["average"] != "?" || got["skew"] != "?" || got["count"] != "0 1" || got["regressiongradient"] != "?" {
		t.Errorf("the last hour: %v", got)
	}
	s.observation(t, "converted", "p", codings("8480-6"), "2022-01-01", quantity("1", "kPa"))
	if got := get("code=8480-6&statistic=minimum")["8480-6"]["minimum"]; !strings.HasPrefix(got, "7.5006") {
		t.Errorf("1 kPa in mm[Hg]: %s", got)
	}
	s.observation(t, "weight", "p", codings("8480-6"), "2021-01-01", quantity("80", "kg"))
	runOn(t, s, []call{
		{"units that do not convert", "GET", "/fhir/Observation/$stats?subject=Patient/p&system=http://loinc.org&code=8480-6&statistic=average", nil, "", 422, nil, []string{"operation-units", "mm[Hg]", "kg"}},
		{"a coding in the URL", "GET", "/fhir/Observation/$stats?subject=Patient/q&coding=http://loinc.org|8480-6&statistic=average", nil, "", 200, nil, []string{`"value":500`}},
		{"in a batch", "POST", "/fhir", ct(jsonType), `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Observation/$stats?subject=Patient/q&coding=http://loinc.org|8480-6&statistic=sum"}}]}`, 200, nil, []string{`"value":500`}},
		{"in XML", "GET", "/fhir/Observation/$stats?subject=Patient/q&coding=http://loinc.org|8480-6&statistic=average&_format=xml", nil, "", 200, nil, []string{`<value value="500"/>`}},
		{"without a subject", "GET", "/fhir/Observation/$stats?coding=http://loinc.org|8480-6&statistic=average", nil, "", 400, nil, []string{"the parameter subject is missing"}},
		{"without a code", "GET", "/fhir/Observation/$stats?subject=Patient/p&statistic=average", nil, "", 400, nil, []string{"the codes are missing"}},
		{"a code without a system", "GET", "/fhir/Observation/$stats?subject=Patient/p&code=8480-6&statistic=average", nil, "", 400, nil, []string{"needs its system"}},
		{"without a statistic", "GET", "/fhir/Observation/$stats?subject=Patient/p&coding=http://loinc.org|8480-6", nil, "", 400, nil, []string{"the parameter statistic is missing"}},
		{"an unknown statistic", "GET", "/fhir/Observation/$stats?subject=Patient/p&coding=http://loinc.org|8480-6&statistic=mode", nil, "", 400, nil, []string{"operation-parameter"}},
		{"a duration of nothing", "GET", "/fhir/Observation/$stats?subject=Patient/p&coding=http://loinc.org|8480-6&statistic=sum&duration=0", nil, "", 400, nil, []string{"duration is a number of hours"}},
		{"a period in a URL", "GET", "/fhir/Observation/$stats?subject=Patient/p&coding=http://loinc.org|8480-6&statistic=sum&period=2024", nil, "", 400, nil, []string{"send Parameters"}},
		{"no such parameter", "GET", "/fhir/Observation/$stats?subject=Patient/p&coding=http://loinc.org|8480-6&statistic=sum&colour=red", nil, "", 400, nil, []string{"the parameters of $stats are subject"}},
	})
}

func TestStatsOfPanels(t *testing.T) {
	s := newServer(t)
	component := func(code, value string) string {
		return `{"code":{` + codings(code) + `},` + quantity(value, "mm[Hg]") + `}`
	}
	for i := range 3 {
		s.observation(t, fmt.Sprint("bp", i), "p", codings("85354-9"), fmt.Sprintf("2024-05-%02d", 1+i), `"component":[`+component("8480-6", fmt.Sprint(120+i))+`,`+component("8462-4", fmt.Sprint(80+i))+`]`)
	}
	s.observation(t, "single", "p", codings("8480-6"), "2024-05-09", quantity("200", "mm[Hg]"))
	s.observation(t, "member", "p", codings("2339-0"), "2024-05-09", quantity("90", "mg/dL"))
	s.observation(t, "alone", "p", codings("2339-0"), "2024-05-09", quantity("500", "mg/dL"))
	s.observation(t, "panel", "p", codings("24323-8"), "2024-05-09", `"hasMember":[{"reference":"Observation/member"}]`)
	for name, c := range map[string]struct {
		query string
		want  map[string]string // average by code
	}{
		"a component's code":        {"code=8480-6", map[string]string{"8480-6": "140.75 mm[Hg]"}},
		"a panel":                   {"code=85354-9", map[string]string{"8480-6": "121 mm[Hg]", "8462-4": "81 mm[Hg]"}},
		"a panel and one of its":    {"code=85354-9&code=8480-6", map[string]string{"8480-6": "140.75 mm[Hg]", "8462-4": "81 mm[Hg]"}},
		"the members of a panel":    {"code=24323-8", map[string]string{"2339-0": "90 mg/dL"}},
		"a code that nothing has":   {"code=0", map[string]string{"0": "?"}},
		"two codes":                 {"code=8462-4&code=2339-0", map[string]string{"8462-4": "81 mm[Hg]", "2339-0": "295 mg/dL"}},
		"a code in another writing": {"code=8480-6&code=8480-6", map[string]string{"8480-6": "140.75 mm[Hg]"}},
	} {
		got, _ := statsOf(t, s.do(t, "GET", "/fhir/Observation/$stats?subject=Patient/p&system=http://loinc.org&statistic=average&"+c.query, nil, ""))
		averages := map[string]string{}
		for code, of := range got {
			averages[code] = of["average"]
		}
		if !maps.Equal(averages, c.want) {
			t.Errorf("%s: %v, want %v", name, averages, c.want)
		}
	}
}

// BenchmarkStats computes all statistics of 1,000 values.
func BenchmarkStats(b *testing.B) {
	s := newServerOf(b, newConfig(b))
	for i := range 1000 {
		s.observation(b, fmt.Sprint("o", i), "p", codings("8480-6"), fmt.Sprintf("2024-%02d-%02d", 1+i%12, 1+i%28), quantity(fmt.Sprint(100+i%60), "mm[Hg]"))
	}
	for b.Loop() {
		get(b, s.handler, "/fhir/Observation/$stats?subject=Patient/p&coding=http://loinc.org%7C8480-6&statistic="+allStatistics)
	}
}
