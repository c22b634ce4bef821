package interaction

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// find searches and fails the test where that is refused. Query is "Type?query", or "?query" for the whole system.
func find(t testing.TB, s *Service, query string) bundle {
	t.Helper()
	b, err := try(t, s, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return b
}

func try(t testing.TB, s *Service, query string) (bundle, error) {
	t.Helper()
	path, query, _ := strings.Cut(query, "?")
	q := SearchRequest{Base: base, Path: path, Parameters: pairs(query)}
	if path != "" {
		q.Types = []string{path}
	}
	b, err := s.Search(t.Context(), q)
	if err != nil {
		return bundle{}, err
	}
	return decode(t, b), nil
}

// clinic stores two patients, a practitioner and observations.
func clinic(t testing.TB, s *Service) {
	t.Helper()
	put(t, s, `{"resourceType":"Organization","id":"o","partOf":{"reference":"Organization/o2"}}`)
	put(t, s, `{"resourceType":"Organization","id":"o2","partOf":{"reference":"Organization/o"}}`)
	put(t, s, `{"resourceType":"Practitioner","id":"d","name":[{"family":"Doe"}]}`)
	put(t, s, `{"resourceType":"Patient","id":"a","name":[{"family":"Adams","given":["Ann"]}],"gender":"female","managingOrganization":{"reference":"Organization/o"},"generalPractitioner":[{"reference":"Practitioner/d"}]}`)
	put(t, s, `{"resourceType":"Patient","id":"b","name":[{"family":"Brown"}],"gender":"male","managingOrganization":{"reference":"Organization/gone"}}`)
	for i := range 5 {
		put(t, s, `{"resourceType":"Observation","id":"%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"c%d"}]},"subject":{"reference":"Patient/%s"},"performer":[{"reference":"Practitioner/d"}],"effectiveDateTime":"2024-01-0%d"}`,
			i, i%2, []string{"a", "b"}[i%2], 9-i)
	}
}

func TestSearchAnswers(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	for _, c := range []struct {
		query string
		want  string
	}{
		{"Patient?gender=female", "Patient/a"},
		{"Patient?", "Patient/a Patient/b"},
		{"Patient?_sort=-family", "Patient/b Patient/a"},
		{"Patient?family=x", ""},
		{"Observation?code=c1", "Observation/1 Observation/3"},
		{"Observation?code=c1&_sort=date", "Observation/3 Observation/1"},
		{"Observation?subject:Patient.family=adams", "Observation/0 Observation/2 Observation/4"},
		{"Patient?_has:Observation:subject:code=c1", "Patient/b"},
		{"Patient?gender=female&_include=Patient:organization", "Patient/a Organization/o include"},
		{"Patient?gender=female&_include=Patient:organization&_include:iterate=Organization:partof", "Patient/a Organization/o include Organization/o2 include"},
		{"Patient?gender=female&_include=Patient:*", "Patient/a Practitioner/d include Organization/o include"},
		{"Patient?gender=female&_include=*", "Patient/a Practitioner/d include Organization/o include"},
		{"Patient?gender=male&_include=Patient:organization", "Patient/b"},
		{"Patient?gender=male&_revinclude=Observation:subject", "Patient/b Observation/1 include Observation/3 include"},
		{"Patient?gender=male&_revinclude=Observation:subject&_include:iterate=Observation:performer", "Patient/b Observation/1 include Observation/3 include Practitioner/d include"},
		{"Patient?gender=male&_revinclude=Observation:*", "Patient/b Observation/1 include Observation/3 include"},
		{"Patient?gender=male&_revinclude=*", "Patient/b Observation/1 include Observation/3 include"},
		{"Observation?code=c1&_include=Observation:subject:Patient", "Observation/1 Observation/3 Patient/b include"},
		{"Observation?code=c1&_include=Observation:subject:Group", "Observation/1 Observation/3"},
		{"Organization?_include:iterate=Organization:partof", "Organization/o Organization/o2"},
		{"?_type=Patient,Practitioner", "Patient/a Patient/b Practitioner/d"},
		{"?_id=o,d", "Organization/o Practitioner/d"},
		{"Patient?_count=0", ""},
		{"Patient?_summary=count", ""},
	} {
		if got := strings.Join(find(t, s, c.query).names(), " "); got != c.want {
			t.Errorf("%s\nfinds %s\nwant  %s", c.query, got, c.want)
		}
	}
}

func TestSearchTotals(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	for query, want := range map[string]int64{
		"Observation?code=c0":                                    3,
		"Observation?code=c0&_count=3":                           3,
		"Observation?_count=2":                                   5,
		"Observation?code=c0&_count=0":                           3,
		"Observation?code=c0&_summary=count":                     3,
		"Observation?code=c0&_count=1&_total=accurate":           3,
		"Observation?code=c0&_total=none":                        -1,
		"Observation?date=ge2024-01-06&_total=accurate&_count=1": 4,
		"Observation?code=nothing":                               0,
	} {
		got := int64(-1)
		if b := find(t, s, query); b.Total != nil {
			got = *b.Total
		}
		if got != want {
			t.Errorf("%s: total %d; want %d", query, got, want)
		}
	}
	if b := find(t, s, "Observation?date=ge2024-01-06&_total=estimate&_count=1"); b.Total == nil {
		t.Error("no estimate")
	}
}

func TestSearchRefusals(t *testing.T) {
	s := open(t, Options{})
	for query, issue := range map[string]fhir.IssueID{
		"Patient?nonsense=x": "unknown-parameter", "Patient?_count=-1": "bad-count", "Patient?_cursor=x": "bad-cursor", "Patient?_explain=x": "invalid-parameter",
		"Patient?_summary=true&_elements=name": "invalid-parameter", "Patient?_sort=nonsense": "unknown-parameter",
	} {
		_, err := try(t, s, query)
		check(t, err, fhir.KindInvalid, issue)
	}
}

func TestLenientSearchReportsWhatItIgnores(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	b, err := s.Search(t.Context(), SearchRequest{Base: base, Path: "Patient", Types: []string{"Patient"}, Parameters: pairs("nonsense=x&gender=male"), Lenient: true})
	if err != nil {
		t.Fatal(err)
	}
	got := decode(t, b)
	if names := strings.Join(got.names(), ","); names != "Patient/b, outcome" || !strings.Contains(string(got.Entry[1].Resource), "unknown-parameter") {
		t.Errorf("%s", b.Body)
	}
	if self := got.query("self"); self != "gender=male" {
		t.Errorf("self is %s", self)
	}
}

func TestCompartments(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	for _, c := range []struct {
		of, typ, query, want string
	}{
		{"Patient/a", "Observation", "", "Observation/0 Observation/2 Observation/4"},
		{"Patient/a", "Observation", "date=gt2024-01-06&_sort=date", "Observation/2 Observation/0"},
		{"Patient/a", "", "", "Observation/0 Observation/2 Observation/4 Patient/a"},
		{"Patient/b", "", "_type=Observation", "Observation/1 Observation/3"},
		{"Practitioner/d", "", "_sort=-_id&_count=3", "Practitioner/d Patient/a Observation/4"},
	} {
		q := SearchRequest{Base: base, Compartment: key(c.of), Path: c.of + "/*", Parameters: pairs(c.query)}
		if c.typ != "" {
			q.Types, q.Path = []string{c.typ}, c.of+"/"+c.typ
		}
		b, err := s.Search(t.Context(), q)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if got := strings.Join(decode(t, b).names(), " "); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	_, err := s.Search(t.Context(), SearchRequest{Compartment: key("Organization/o"), Types: []string{"Patient"}})
	check(t, err, fhir.KindNotFound, "not-in-compartment")
}

func TestSearchByFormIsTheSameSearch(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	get := find(t, s, "Observation?_count=2&code=c0,c1&_sort=-date")
	b, err := s.Search(t.Context(), SearchRequest{Base: base, Path: "Observation", Types: []string{"Observation"}, Parameters: pairs("_count=2&_sort=-date&code=c0%2Cc1"), Posted: true})
	if err != nil {
		t.Fatal(err)
	}
	post := decode(t, b)
	if !slices.Equal(get.names(), post.names()) {
		t.Errorf("%v and %v", get.names(), post.names())
	}
	if next := find(t, s, "Observation?"+post.query("next")); !slices.Equal(next.names(), []string{"Observation/2", "Observation/3"}) {
		t.Errorf("%v", next.names())
	}
	var ids []string
	for i := range 5000 {
		ids = append(ids, fmt.Sprint(i))
	}
	b, err = s.Search(t.Context(), SearchRequest{Base: base, Path: "Observation", Types: []string{"Observation"}, Parameters: pairs("_id=" + strings.Join(ids, ",")), Posted: true})
	if err != nil || len(decode(t, b).Entry) != 5 {
		t.Errorf("%d bytes, %v", len(b.Body), err)
	}
}

func TestExplain(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	b := find(t, s, "Observation?code=c0&_explain=true")
	last := b.Entry[len(b.Entry)-1]
	if got := string(last.Resource); last.Search.Mode != "outcome" || !strings.Contains(got, "plan-cost") || !strings.Contains(got, "plan-step") || strings.Contains(got, "c0") {
		t.Errorf("%s", got)
	}
}

func TestSubsets(t *testing.T) {
	s := open(t, Options{})
	put(t, s, `{"resourceType":"Observation","id":"a","text":{"status":"generated","div":"<div>x</div>"},"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/a"},"note":[{"text":"n"}],"component":[{"code":{"text":"y"},"interpretation":[{"text":"i"}],"valueString":"v"}],"valueAttachment":5}`)
	put(t, s, `{"resourceType":"DocumentReference","id":"a","meta":{"tag":[{"code":"t"}]},"status":"current","_status":{"id":"s"},"content":[{"attachment":{"contentType":"a/b","data":"AAAA","url":"u"}}]}`)
	for _, c := range []struct{ query, want string }{
		{"Observation?_summary=true", `"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/a"},"component":[{"code":{"text":"y"},"valueString":"v"}]}`},
		{"Observation?_summary=text", `"text":{"status":"generated","div":"<div>x</div>"},"status":"final","code":{"text":"x"}}`},
		{"Observation?_summary=data", `"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/a"},"note":[{"text":"n"}],"component":[{"code":{"text":"y"},"interpretation":[{"text":"i"}],"valueString":"v"}],"valueAttachment":5}`},
		{"Observation?_elements=subject,note", `"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/a"},"note":[{"text":"n"}]}`},
		{"DocumentReference?_summary=true", `"status":"current","_status":{"id":"s"},"content":[{"attachment":{"contentType":"a/b","url":"u"}}]}`},
	} {
		b := find(t, s, c.query)
		got := string(b.Entry[0].Resource)
		if !strings.HasSuffix(got, `,`+c.want) || !strings.Contains(got, "SUBSETTED") || !strings.Contains(got, `"id":"a"`) || strings.Contains(c.query, "Document") && !strings.Contains(got, `{"code":"t"},{`) {
			t.Errorf("%s\ngives %s\nwant  %s", c.query, got, c.want)
		}
	}
	if got := string(find(t, s, "Observation?_summary=false").Entry[0].Resource); strings.Contains(got, "SUBSETTED") {
		t.Errorf("%s", got)
	}
	whole := body(t, s, key("Observation/a"))
	if got, err := s.Subset([]byte(whole), "", []string{"subject"}); err != nil || strings.Contains(string(got), "note") {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := s.Subset([]byte(whole), "", nil); err != nil || string(got) != whole {
		t.Errorf("%s, %v", got, err)
	}
	_, err := s.Subset([]byte(whole), "much", nil)
	check(t, err, fhir.KindInvalid, "invalid-parameter")
}

func TestElementsAreThoseOfTheTypesSearched(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	b := find(t, s, "Observation?_id=0&_elements=subject&_include=Observation:subject")
	if match, included := string(b.Entry[0].Resource), string(b.Entry[1].Resource); strings.Contains(match, "performer") || !strings.Contains(included, "gender") {
		t.Errorf("%s %s", match, included)
	}
	b = find(t, s, "Observation?_id=0&_summary=true&_include=Observation:subject")
	if included := string(b.Entry[1].Resource); !strings.Contains(included, "SUBSETTED") || strings.Contains(included, "generalPractitioner") || !strings.Contains(included, "gender") {
		t.Errorf("%s", included)
	}
}

func TestSearchSeesWhatWasWrittenBefore(t *testing.T) {
	s := open(t, Options{})
	for i := range 50 {
		put(t, s, `{"resourceType":"Patient","id":"p","name":[{"family":"f%d"}]}`, i)
		if got := find(t, s, fmt.Sprintf("Patient?family=f%d", i)).names(); len(got) != 1 {
			t.Fatalf("update %d is not found", i)
		}
		if i > 0 {
			if got := find(t, s, fmt.Sprintf("Patient?family:exact=f%d", i-1)).names(); len(got) != 0 {
				t.Fatalf("update %d left the version before to be found", i)
			}
		}
	}
}

func TestBundlesKeepTheirBytesUntilTheyAreReleased(t *testing.T) {
	s := open(t, Options{})
	clinic(t, s)
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() {
			q := SearchRequest{Base: base, Path: "Observation", Types: []string{"Observation"}, Parameters: pairs(fmt.Sprintf("_id=%d", i))}
			for range 50 {
				b, err := s.Search(t.Context(), q)
				if err != nil {
					t.Error(err)
					return
				}
				if got := decodeBundle(b.Body).names(); len(got) != 1 || got[0] != fmt.Sprintf("Observation/%d", i) {
					t.Errorf("%d: %v", i, got)
				}
				b.Release()
			}
		})
	}
	all.Wait()
}
