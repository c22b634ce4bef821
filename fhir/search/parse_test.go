package search_test

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

func parse(t testing.TB, s *search.Parameters, url string, opt search.ParseOptions) (search.Request, []fhir.Issue, error) {
	t.Helper()
	path, raw, _ := strings.Cut(url, "?")
	pairs, err := search.ReadQuery(raw)
	if err != nil {
		return search.Request{}, nil, err
	}
	var types []string
	if path != "" {
		types = []string{path}
	}
	return s.Parse(types, pairs, opt)
}

func issueIDs(err error) []string {
	var e *fhir.Error
	if !errors.As(err, &e) {
		return nil
	}
	var ids []string
	for _, i := range e.Issues {
		ids = append(ids, string(i.ID))
	}
	return ids
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	_, _, err := parse(t, newParameters(), "Patient?famly=x&birthdate=xx&gender:nope=male&_count=-1", search.ParseOptions{})
	want := []string{"unknown-parameter", "bad-prefix", "unknown-modifier", "bad-count"}
	if got := issueIDs(err); !reflect.DeepEqual(got, want) || fhir.KindOf(err) != fhir.KindInvalid {
		t.Errorf("issues %v of %v, want %v", got, err, want)
	}
}

func TestErrorsNameTheNearestValidNames(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"Patient?famly=x", "family"},
		{"Patient?birthDate=2000", "birthdate"},
		{"Patient?birthdate=>1990", "write gt"},
		{"Patient?birthdate=>=1990", "write ge"},
		{"Patient?birthdate>=1990", "ge"},
		{"RiskAssessment?probability=<0.5", "write lt"},
		{"Observation?value-quantity=~5", "write ap"},
		{"Observation?Observation.patient=x", "write patient or subject"},
		{"Patient?Patient.famly=x", "family"},
		{"Patient?_sort=_type", "has no order"},
		{"Patient?name.given=x", "only references"},
		{"Observation?patent=1", "patient"},
		{"Patient?family:exakt=x", "exact"},
		{"Observation?subject:Patint=1", "Patient"},
		{"Observation?subject:Patient.famly=1", "family"},
		{"?_type=Pateint", "Patient"},
		{"Patient?_sort=-birthdat", "birthdate"},
		{"Patient?_include=Patient:organisation", "organization"},
		{"Patient?_elements=nam", "name"},
		{"Patient?birthdate=xx1", "eq ne gt lt ge le sa eb ap"},
		{"Patient?_has=1", "_has:Type:reference:parameter"},
		{"Patient?=1", "the name of a search parameter is missing"},
		{"Patient?_sort=-", "a key of _sort is missing"},
		{"Patient?link.link.link.link.link.link.link.link.link.link.link.name=x", "at most 10 references"},
		{"Patient?name=" + strings.Repeat("x,", 9000) + "x", "at most 8192 values"},
		{"Patient?_text=" + strings.Repeat("x%20", 200), "at most 100 words"},
	} {
		_, _, err := parse(t, newParameters(), c.url, search.ParseOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", c.url, err, c.want)
		}
	}
}

func TestErrorsDoNotRepeatValues(t *testing.T) {
	for _, url := range []string{
		"Patient?birthdate=zzsecret", "Patient?_id=secret_", "Observation?subject=secret%20x", "Observation?value-quantity=secret",
		"Observation?code-value-quantity=secret", "Patient?_count=secret", "Patient?identifier=secret|a|b", "Observation?_text=%22secret",
		"Location?near=secret", "Patient?identifier:of-type=secret", "ValueSet?url:below=secret", "Patient?_list=secret_",
		"Patient?gender:in=secret", "Patient?active:missing=secret", "RiskAssessment?probability=1secret",
	} {
		_, _, err := parse(t, newParameters(), url, search.ParseOptions{})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestLenientHandlingIgnoresAndReports(t *testing.T) {
	req, issues, err := parse(t, newParameters(), "Patient?nonsense=x&gender=male&_sort=nope&_query=q&name=", search.ParseOptions{Lenient: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(issues) != 3 {
		t.Errorf("issues: %+v", issues)
	}
	for _, i := range issues {
		if i.Severity != fhir.SeverityWarning {
			t.Errorf("%s is of severity %s", i.ID, i.Severity)
		}
	}
	if want := []search.Pair{{Name: "gender", Value: "male"}}; !reflect.DeepEqual(req.Pairs, want) {
		t.Errorf("self link %v, want %v", req.Pairs, want)
	}
	if _, ok := req.Where.(search.Some); !ok {
		t.Errorf("condition %#v", req.Where)
	}
	// "SHALL reject any search request that contains a modifier that the server does not support"; what can't be read is no unknown parameter
	for query, id := range map[string]string{
		"gender:foo=male": "unknown-modifier", "birthdate=abc": "bad-prefix", "birthdate=1990-13": "bad-date", "_count=abc": "bad-count", "_total=all": "bad-total",
		"_has:Alien:patient:code=x": "unknown-type", "_type=Alien": "unknown-type", "_elements=nonsense": "unknown-element", "gender=male,": "empty-value",
		"_summary=text&_include=Patient:organization": "bad-summary", "_list=$current-allergies": "bad-list", "birthdate>1990": "",
	} {
		_, issues, err := parse(t, newParameters(), "Patient?nonsense=x&"+query, search.ParseOptions{Lenient: true})
		if id == "" {
			if err != nil || len(issues) != 2 {
				t.Errorf("%s: issues %v, error %v", query, issues, err)
			}
		} else if got := issueIDs(err); !slices.Contains(got, id) {
			t.Errorf("%s: issues %v, want %s", query, got, id)
		}
	}
	if _, _, err := parse(t, newParameters(), "Patient?gender="+strings.Repeat("a,", 9000)+"a", search.ParseOptions{Lenient: true}); err == nil {
		t.Error("a limit is not lenient")
	}
}

func TestEmptyParametersAreIgnored(t *testing.T) {
	req, issues, err := parse(t, newParameters(), "Patient?name=&gender=male&_sort=&_type=&_include=&nonsense=", search.ParseOptions{})
	if err != nil || len(issues) > 0 || len(req.Pairs) != 1 || req.Sort != nil || len(req.Includes) > 0 {
		t.Errorf("%+v, issues %v, error %v", req, issues, err)
	}
	// What decides about a write does not choose more than it says.
	if _, _, err := parse(t, newParameters(), "Patient?name=&gender=male", search.ParseOptions{Deciding: true}); !slices.Equal(issueIDs(err), []string{"empty-value"}) {
		t.Errorf("deciding: %v", err)
	}
}

func TestCodesOutsideOfARequiredBindingAreWarnedOf(t *testing.T) {
	for query, want := range map[string]string{
		"Patient?gender=F": "female, male, other, unknown", "Patient?gender=male,F": "female", "Patient?gender=F,M&gender=W": "female", "Patient?gender:not=m": "female", "Patient?gender=http://x|male": "female",
		"Patient?gender=Male": "", "Patient?gender=http://hl7.org/fhir/administrative-gender|male": "", "Observation?status=finl": "amended",
		"Patient?identifier=F": "", "Observation?code=F": "", "Encounter?subject:Patient.gender=F": "female", "Patient?language=xx": "", "Patient?gender:missing=true": "",
	} {
		_, issues, err := parse(t, newParameters(), query, search.ParseOptions{})
		switch {
		case err != nil || want == "" && len(issues) > 0:
			t.Errorf("%s: issues %v, error %v", query, issues, err)
		case want != "" && (len(issues) != 1 || issues[0].ID != "unknown-code" || issues[0].Severity != fhir.SeverityWarning || !strings.Contains(issues[0].Text, want)):
			t.Errorf("%s: issues %v, want %s", query, issues, want)
		}
	}
}

func TestRequestHasWhatTheAnswerShallBe(t *testing.T) {
	req, _, err := parse(t, newParameters(), "Observation?_count=0&_total=estimate&_summary=data&_elements=code,value&_sort=-date,code&_sid=1"+
		"&_include=Observation:subject:Patient&_include:iterate=Patient:*&_revinclude=Provenance:target&_include=*", search.ParseOptions{Ignore: []string{"_sid"}})
	if err != nil {
		t.Fatal(err)
	}
	if req.Count != 0 || !req.CountOnly() || req.Total != search.TotalEstimate || req.Summary != search.SummaryData {
		t.Errorf("%+v", req)
	}
	if want := []string{"code", "value"}; !reflect.DeepEqual(req.Elements, want) {
		t.Errorf("elements %v", req.Elements)
	}
	if want := []search.Sort{{Param: "date", Desc: true}, {Param: "code"}}; !reflect.DeepEqual(req.Sort, want) {
		t.Errorf("sort %v", req.Sort)
	}
	want := []search.Include{
		{Source: "Observation", Param: "subject", Target: "Patient"}, {Source: "Patient", Iterate: true}, {Source: "Provenance", Param: "target", Reverse: true}, {},
	}
	if !reflect.DeepEqual(req.Includes, want) {
		t.Errorf("includes %+v", req.Includes)
	}
	for _, p := range req.Pairs {
		if p.Name == "_sid" {
			t.Error("an ignored parameter is in the self link")
		}
	}
	if req, _, err := parse(t, newParameters(), "Observation", search.ParseOptions{}); err != nil || req.Count != -1 || req.Where != nil {
		t.Errorf("without parameters: %+v %v", req, err)
	}
}

// TestConditionsHaveTheFormThatEnginesServe pins the expressions of the shapes that clients use most.
func TestConditionsHaveTheFormThatEnginesServe(t *testing.T) {
	eq := func(f search.Field, v string) search.Comparison {
		return search.Comparison{Field: f, Op: search.Eq, Value: v}
	}
	some := func(param string, where ...search.Comparison) search.Some {
		return search.Some{Param: param, Where: where}
	}
	for _, c := range []struct {
		url  string
		want search.Expr
	}{
		{"Observation?code=http://loinc.org|8480-6", some("code", eq(search.System, "http://loinc.org"), eq(search.Code, "8480-6"))},
		{"Observation?code=8480-6", some("code", eq(search.Code, "8480-6"))},
		{"Observation?patient=1", some("patient", eq(search.Type, "Patient"), eq(search.ID, "1"))},
		{"Observation?subject=Patient/1", some("subject", eq(search.Type, "Patient"), eq(search.ID, "1"))},
		{"Patient?family=Berg", some("family", search.Comparison{Field: search.Folded, Op: search.Prefix, Value: "berg"})},
		{"Observation?date=2014", some("date", search.Comparison{Field: search.Lo, Op: search.Ge, Value: "20140101"}, search.Comparison{Field: search.Hi, Op: search.Le, Value: "20150101"})},
		{"Observation?date=ge2014", search.Or{
			some("date", search.Comparison{Field: search.Lo, Op: search.Ge, Value: "20140101"}),
			some("date", search.Comparison{Field: search.Hi, Op: search.Gt, Value: "20150101"})}},
		{"Observation?date=lt2014", some("date", search.Comparison{Field: search.Lo, Op: search.Lt, Value: "20140101"})},
		{"Patient?_id=b,a", search.KeyIn{IDs: []string{"b", "a"}}},
		{"Patient?gender=male&active=true", search.And{some("gender", eq(search.Code, "male")), some("active", eq(search.Code, "true"))}},
		{"Patient?gender=male,other", search.Or{some("gender", eq(search.Code, "male")), some("gender", eq(search.Code, "other"))}},
		{"Patient?gender:not=male", search.Not{Expr: some("gender", eq(search.Code, "male"))}},
		{"Observation?subject:Patient.gender=male", search.Or{
			search.Refers{Param: "subject", Target: "Patient", Where: some("gender", eq(search.Code, "male"))},
			search.Within{Param: "subject", Target: "Patient", Where: some("gender", eq(search.Code, "male"))}}},
		{"Patient?_has:Observation:patient:status=final", search.Referred{Source: "Observation", Param: "patient", Where: some("status", eq(search.Code, "final"))}},
		{"Patient?gender:missing=true", search.And{search.Not{Expr: some("gender")}, search.Not{Expr: some("gender:text")}, search.Not{Expr: some("gender:present")}}},
		{"Observation?component-code-value-quantity=x$gt5", some("component-code-value-quantity",
			search.Comparison{Part: 1, Field: search.Code, Op: search.Eq, Value: "x"}, search.Comparison{Part: 2, Field: search.Hi, Op: search.Gt, Value: "P50015!"})},
	} {
		req, _, err := parse(t, newParameters(), c.url, search.ParseOptions{})
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
		} else if !reflect.DeepEqual(req.Where, c.want) {
			t.Errorf("%s:\n got %#v\nwant %#v", c.url, req.Where, c.want)
		}
	}
}

func TestHostileRequestsEndSoon(t *testing.T) {
	s := newParameters()
	deep := "Observation?subject:Patient." + strings.Repeat("link:Patient.", 20) + "name=x"
	for _, c := range []struct{ name, url, id string }{
		{"10,000 values", "Observation?code=" + strings.Repeat("a,", 9999) + "a", "search-too-costly"},
		{"a long chain", deep, "search-too-costly"},
		{"a chain through everything", "Task?" + strings.Repeat("focus.", 9) + "_id=x", "search-too-costly"},
		{"nested _has", "Patient?" + strings.Repeat("_has:Observation:patient:", 30) + "code=x", ""},
		{"a name of a megabyte", "Patient?" + strings.Repeat("a", 1<<20) + "=x", "search-too-costly"},
		{"a value of a megabyte", "Patient?family=" + strings.Repeat("a", 1<<20), "-"},
		{"backslashes", "Patient?identifier=" + strings.Repeat(`\`, 1<<16), "-"},
		{"bars", "Patient?identifier=" + strings.Repeat("|", 1<<16), "bad-token"},
		{"dollars", "Observation?code-value-quantity=" + strings.Repeat("$", 1<<16), "bad-composite"},
		{"parentheses", "Patient?_text=" + strings.Repeat("(", 1<<16), "search-too-costly"},
		{"many sorts", "Patient?_sort=" + strings.Repeat("family,", 1000) + "name", "-"},
		{"many parameters", "Patient?" + strings.Repeat("name=x&", 2000), "search-too-costly"},
		{"colons", "Patient?" + strings.Repeat(":", 500) + "=x", "unknown-parameter"},
	} {
		_, _, err := parse(t, s, c.url, search.ParseOptions{})
		ids := issueIDs(err)
		switch c.id {
		case "-":
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		case "":
			if err == nil {
				t.Errorf("%s is accepted", c.name)
			}
		default:
			if len(ids) == 0 || ids[0] != c.id {
				t.Errorf("%s: %v, want %s", c.name, ids, c.id)
			}
		}
	}
}

func TestFiveThousandIDsAreOneCondition(t *testing.T) {
	ids := make([]string, 5000)
	for i := range ids {
		ids[i] = fmt.Sprintf("%036d", i)
	}
	req, _, err := parse(t, newParameters(), "Patient?_id="+strings.Join(ids, ","), search.ParseOptions{})
	if k, ok := req.Where.(search.KeyIn); err != nil || !ok || len(k.IDs) != 5000 {
		t.Errorf("%v", err)
	}
}

func TestCompartmentIsTheLinksOfTheDefinition(t *testing.T) {
	s := newParameters()
	e, ok := s.Compartment(fhir.Key{Type: "Patient", ID: "1"}, "Observation")
	if !ok || !strings.Contains(fmt.Sprint(e), "subject") || !strings.Contains(fmt.Sprint(e), "performer") {
		t.Errorf("Observation: %v %v", e, ok)
	}
	if e, ok := s.Compartment(fhir.Key{Type: "Patient", ID: "1"}, "Patient"); !ok || !strings.Contains(fmt.Sprint(e), "link") {
		t.Errorf("Patient: %v %v", e, ok)
	}
	if _, ok := s.Compartment(fhir.Key{Type: "Patient", ID: "1"}, "Organization"); ok {
		t.Error("Organization is in the patient compartment")
	}
	if _, ok := s.Compartment(fhir.Key{Type: "Organization", ID: "1"}, "Patient"); ok {
		t.Error("there is an Organization compartment")
	}
	if n := len(s.CompartmentTypes("Patient")); n < 60 {
		t.Errorf("%d types in the patient compartment", n)
	}
}

// wards is a Terminology with one value set and one hierarchy.
type wards struct{ search.Terminology }

func (wards) Expand(valueSet string) (iter.Seq2[string, string], bool) {
	return func(yield func(string, string) bool) { _ = yield("http://w", "A") && yield("http://w", "B") }, valueSet == "ValueSet/wards"
}

func TestTerminologyOfTheCallerIsAsked(t *testing.T) {
	s := newParameters()
	opt := search.ParseOptions{Terminology: wards{search.NewTerminology(s.Registry())}}
	req, _, err := parse(t, s, "Observation?code:in=ValueSet/wards", opt)
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]bool{"a": true, "b": true, "c": false} {
		entries := []search.Entry{{Param: "code", System: "http://w", Code: code}}
		if got := search.Match(req.Where, fhir.Key{}, entries, nil); got != want {
			t.Errorf("%s: %v", code, got)
		}
	}
	if _, _, err := parse(t, s, "Observation?code:in=ValueSet/other", opt); !reflect.DeepEqual(issueIDs(err), []string{"unknown-value-set"}) {
		t.Errorf("an unknown value set: %v", err)
	}
	if _, _, err := parse(t, s, "Encounter?class:below=http://terminology.hl7.org/CodeSystem/v3-ActCode|IMP", opt); err != nil {
		t.Errorf("what the caller leaves to the definitions: %v", err)
	}
}

func TestUnsupportedListIsRefusedByName(t *testing.T) {
	s := newParameters()
	for _, u := range search.UnsupportedList() {
		if u.Reason == "" {
			t.Errorf("%+v", u)
		}
		url := "Patient?" + u.Name + "=true"
		switch u.Name {
		case "_list=$current-allergies":
			url = "Patient?" + u.Name
		case "_score":
			url = "Patient?_sort=_score"
		case "_sort through canonicals":
			url = "QuestionnaireResponse?_sort=questionnaire.title"
		}
		if _, _, err := parse(t, s, url, search.ParseOptions{}); err == nil || !strings.Contains(err.Error(), u.Reason) {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, typ := range s.Registry().ResourceTypes() {
		for _, p := range s.Served(typ) {
			if _, no := p.Unsupported(); no {
				t.Errorf("%s of %s is served and unsupported", p.Code, typ)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, q := range []string{
		"code=http://loinc.org|1&date=ge2014", "subject:Patient.name:exact=a,b", "_has:Observation:patient:code=x", "_sort=-date,subject:Patient.family",
		"value-quantity=ap5.4|http://unitsofmeasure.org|mg", "component-code-value-quantity=a$1||mg", "_text=(a OR b) c", "_include:iterate=*", "_id=a\\,b,c",
		"_list=1", "subject:below=Patient/1", "near=1|2|3|km", "identifier:of-type=a|b|c", "code:in=http://hl7.org/fhir/ValueSet/administrative-gender", "date=%32014",
		"_filter=code%20eq%20x%20or%20not%20(subject[name%20co%20y].id%20pr%20true)", "_contained=both&_containedType=contained&_sort=code", "subject.name=&date>=2014",
	} {
		f.Add("Observation", q)
		f.Add("", q)
	}
	s := newParameters()
	f.Fuzz(func(t *testing.T, typ, raw string) {
		pairs, err := search.ReadQuery(raw)
		if err != nil {
			return
		}
		var types []string
		if _, ok := s.Registry().Resource(typ); ok {
			types = []string{typ}
		}
		for _, lenient := range []bool{false, true} {
			req, _, err := s.Parse(types, pairs, search.ParseOptions{Lenient: lenient})
			if err != nil {
				if fhir.KindOf(err) != fhir.KindInvalid || len(issueIDs(err)) == 0 {
					t.Fatalf("%v", err)
				}
				continue
			}
			search.Match(req.Where, fhir.Key{Type: "Observation", ID: "x"}, nil, nil)
			// What was understood is understood again, alone.
			if _, _, err := s.Parse(types, req.Pairs, search.ParseOptions{}); err != nil {
				t.Fatalf("the self link %v is refused: %v", req.Pairs, err)
			}
		}
	})
}

func TestRequestsTellWhatIsComparedWithNow(t *testing.T) {
	s := newParameters()
	for url, want := range map[string]bool{
		"Observation?date=ap2020":                                  true,
		"Observation?_filter=date ap 2020":                         true,
		"Observation?patient.birthdate=ap1980":                     true,
		"Patient?_has:Observation:patient:date=ap2020":             true,
		"Patient?birthdate=lt1980,ap1970":                          true,
		"Patient?birthdate=1980":                                   false,
		"Patient?name=Chapman":                                     false,
		"Patient?family=ap":                                        false,
		"Observation?value-quantity=ap5":                           false,
		"Observation?_filter=date po 2020 and code eq approximate": false,
	} {
		req, _, err := parse(t, s, strings.ReplaceAll(url, " ", "%20"), search.ParseOptions{})
		if err != nil || req.Now != want {
			t.Errorf("%s: %v, %v; want %v", url, req.Now, err, want)
		}
	}
}

func TestParametersOfNoTypeAreNamedPlainly(t *testing.T) {
	s := newParameters()
	for url, want := range map[string]string{
		"?foo=1":                           `no resource type has a search parameter "foo"`,
		"?code=x":                          `not every resource type has a search parameter "code"; name types that have it, in the path or with _type`,
		"?_type=Patient,Observation&foo=1": `Observation has no search parameter "foo"`,
		"?_sort=foo":                       `no resource type has a search parameter "foo"`,
		"?_filter=foo%20eq%20x":            `no resource type has a search parameter "foo"`,
	} {
		_, _, err := parse(t, s, url, search.ParseOptions{})
		var e *fhir.Error
		if !errors.As(err, &e) || len(e.Issues) != 1 || e.Issues[0].ID != fhir.IDUnknownParameter || !strings.Contains(e.Issues[0].Text, want) || strings.Contains(e.Issues[0].Text, "DomainResource") {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}
