package graphql

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	"github.com/fhirgate/fhirgate/fhir/search"
	fhirxml "github.com/fhirgate/fhirgate/fhir/xml"
)

var service = New(definition.R4(), Limits{})

// examples is a Source of the official examples. It finds what the official cases search for.
type examples struct {
	t        testing.TB
	searched []string
	resolved int
}

func (e *examples) Resolve(_ context.Context, reference string) (fhir.Resource, error) {
	e.resolved++
	path := filepath.Join(corpustest.Path(e.t, "r4-examples"), strings.ReplaceAll(reference, "/", "-")+".json")
	src, err := os.ReadFile(path)
	if err != nil || reference == "MedicationRequest/medrx0309" { // the cases do not have this one
		return fhir.Resource{}, fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotFound, "there is none")
	}
	return fhir.ParseResource(src, fhir.Limits{})
}

func (e *examples) Search(_ context.Context, typ string, parameters []search.Pair) (fhir.Resource, error) {
	text := typ + "?"
	for i, p := range parameters {
		if i > 0 {
			text += "&"
		}
		text += p.Name + "=" + p.Value
	}
	e.searched = append(e.searched, text)
	bundles := map[string]string{
		"Condition?patient=Patient/example": `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Condition","id":"example"},"search":{"mode":"match"}}]}`,
		"Patient?active=true": `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"example","active":true},"search":{"mode":"match"}},{"resource":{"resourceType":"Organization","id":"o"},"search":{"mode":"include"}}],
			"link":[{"relation":"next","url":"http://x/Patient?active=true&_cursor=2"}]}`,
		"Patient?active=true&_cursor=2": `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"xds","active":true},"search":{"mode":"match"}}]}`,
		"Patient?active=true&_total=accurate": `{"resourceType":"Bundle","total":50,"entry":[{"resource":{"resourceType":"Patient","id":"example","active":true}},{"resource":{"resourceType":"Patient","id":"xds","active":true},"search":{"mode":"match","score":0.5}}],
			"link":[{"relation":"self","url":"http://x/Patient?active=true&_count=50"},{"relation":"next","url":"http://x/Patient?77c97e03-8a6c-415f-a63d-11c80cf73f:50"}]}`,
	}
	bundle, ok := bundles[text]
	if !ok {
		return fhir.Resource{}, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDUnknownParameter, "no such search: "+text)
	}
	return fhir.ParseResource([]byte(bundle), fhir.Limits{})
}

func root(t testing.TB, context, file string) fhir.Resource {
	t.Helper()
	name, _ := strings.CutSuffix(context, "/$graphql")
	if name == "" {
		return fhir.Resource{}
	}
	var src []byte
	var err error
	if name == "List/example-long" {
		file = "list-example-long"
	}
	if file != "" {
		src, err = fhirxml.New(definition.R4()).AppendJSON(nil, bytes.NewReader(corpustest.Read(t, corpustest.Path(t, "xml/examples/"+file+".xml"))), fhirxml.Limits{})
	} else {
		src = corpustest.Read(t, corpustest.Path(t, "r4-examples/"+strings.ReplaceAll(name, "/", "-")+".json"))
	}
	if err != nil {
		t.Fatal(err)
	}
	r, err := fhir.ParseResource(src, fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestOfficialCases(t *testing.T) {
	var manifest struct {
		Tests []struct {
			Name      string `xml:"name,attr"`
			Source    string `xml:"source,attr"`
			Output    string `xml:"output,attr"`
			Context   string `xml:"context,attr"`
			Resource  string `xml:"resource,attr"`
			Operation string `xml:"operation,attr"`
		} `xml:"test"`
	}
	if err := xml.Unmarshal(corpustest.Read(t, corpustest.Path(t, "graphql/manifest.xml")), &manifest); err != nil {
		t.Fatal(err)
	}
	// Two selections of one field are one field (GraphQL, 6.3.2 Field Collection); the published result has a list of two in its place.
	merged := map[string]string{"extension-simple": `{"subject":{"resource":{"birthDate":"2016-05-18","_birthDate":{"extension":[{"valueDateTime":"2016-05-18T10:28:45Z"}]}}}}`}
	variables := map[string]string{"directive-variable": `{"var":true}`}
	passed := 0
	for _, c := range manifest.Tests {
		q := Query{Text: string(corpustest.Read(t, corpustest.Path(t, "graphql/"+c.Source))), Operation: c.Operation, Root: root(t, c.Context, c.Resource)}
		if v := variables[c.Name]; v != "" {
			q.Variables = node(t, v)
		}
		got, err := service.Execute(context.Background(), q, &examples{t: t})
		if c.Output == "$error" {
			if err == nil {
				t.Errorf("%s: got %s, want an error", c.Name, got)
				continue
			}
			passed++
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		want := corpustest.Read(t, corpustest.Path(t, "graphql/"+c.Output))
		if m := merged[c.Name]; m != "" {
			want = []byte(m)
		}
		var a, b any
		if err := errors.Join(json.Unmarshal(got, &a), json.Unmarshal(want, &b)); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %v\n got %s\nwant %s", c.Name, err, got, want)
			continue
		}
		passed++
	}
	t.Logf("%d of %d official GraphQL cases pass", passed, len(manifest.Tests))
	if len(manifest.Tests) != 29 {
		t.Errorf("the corpus has %d cases, want 29", len(manifest.Tests))
	}
}

func node(t testing.TB, s string) fhir.Node {
	t.Helper()
	tree, err := fhir.Parse([]byte(s), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return tree.Root()
}

func execute(t testing.TB, src Source, root, text, variables string) (string, error) {
	t.Helper()
	q := Query{Text: text}
	if root != "" {
		q.Root = fhir.Resource{Node: node(t, root)}
	}
	if variables != "" {
		q.Variables = node(t, variables)
	}
	got, err := service.Execute(context.Background(), q, src)
	return string(got), err
}

const patient = `{"resourceType":"Patient","id":"example","contained":[{"resourceType":"Organization","id":"o","name":"O"}],"name":[{"use":"official","given":["A","B"],"_given":[null,{"id":"b"}],"family":"F"},{"use":"usual","given":["C"]}],` +
	`"managingOrganization":{"reference":"#o"},"birthDate":"1970","_birthDate":{"id":"x"},"multipleBirthInteger":1,"contact":[{"gender":"male"}],"extension":[{"url":"urn:x","valueDecimal":1.00}]}`

func TestQueries(t *testing.T) {
	for _, c := range []struct{ name, root, query, variables, want string }{
		{"aliases", patient, `{ official: name(use: official) { family } usual: name(use: "usual") { given } }`, "", `{"official":[{"family":"F"}],"usual":[{"given":["C"]}]}`},
		{"a filter by several values", patient, `query ($u: [String]) { name(use: $u) { use } }`, `{"u":["official","usual"]}`, `{"name":[{"use":"official"},{"use":"usual"}]}`},
		{"a filter by a value in a list", patient, `{ name(given: "B") { family } }`, "", `{"name":[{"family":"F"}]}`},
		{"decimals keep their digits", patient, `{ extension(url: "urn:x") { valueDecimal } }`, "", `{"extension":[{"valueDecimal":1.00}]}`},
		{"a choice by its JSON name", patient, `{ multipleBirthInteger multipleBirthBoolean }`, "", `{"multipleBirthInteger":1}`},
		{"siblings of primitives", patient, `{ _birthDate { id } name { _given { id } } }`, "", `{"_birthDate":{"id":"x"},"name":[{"_given":[{"id":"b"}]},{}]}`},
		{"a contained resource", patient, `{ managingOrganization { resource { ... on Organization { name } ... on Patient { id } } } }`, "", `{"managingOrganization":{"resource":{"name":"O"}}}`},
		{"fields of any resource", patient, `{ contained { id resourceType __typename name birthDate } }`, "", `{"contained":[{"id":"o","resourceType":"Organization","__typename":"Organization","name":"O"}]}`},
		{"fragments and their types", patient, `query { ...P contact { ...C } } fragment P on Patient { id __typename } fragment C on PatientContact { gender __typename }`, "",
			`{"id":"example","__typename":"Patient","contact":[{"gender":"male","__typename":"PatientContact"}]}`},
		{"fields are merged", patient, `{ name @first { family } name @first { use } }`, "", `{"name":{"family":"F","use":"official"}}`},
		{"skip and include", patient, `query ($on: Boolean = true) { id @skip(if: $on) birthDate @include(if: $on) ... @skip(if: $on) { active } }`, "", `{"birthDate":"1970"}`},
		{"a list read by pages to its end", "", `{ PatientList(active: true) { id } }`, "", `{"PatientList":[{"id":"example"},{"id":"xds"}]}`},
		{"a search with what it includes", "", `{ PatientConnection(_cursor: "active=true") { edges { mode resource { __typename id } } next } }`, "",
			`{"PatientConnection":{"edges":[{"mode":"match","resource":{"__typename":"Patient","id":"example"}},{"mode":"include","resource":{"__typename":"Organization","id":"o"}}],"next":"active=true&_cursor=2"}}`},
		{"by id", "", `{ a: Patient(id: "example") { id } b: Observation(id: example) { status } }`, "", `{"a":{"id":"example"},"b":{"status":"final"}}`},
		{"introspection of a type", "", `{ __type(name: "PatientContact") { kind name fields { name type { kind name ofType { name } } } } none: __type(name: "x") { name } }`, "", ""},
	} {
		got, err := execute(t, &examples{t: t}, c.root, c.query, c.variables)
		if err != nil || c.want != "" && got != c.want {
			t.Errorf("%s:\n got %s %v\nwant %s", c.name, got, err, c.want)
		}
	}
}

func TestQueriesThatFail(t *testing.T) {
	for _, c := range []struct {
		name, root, query, variables string
		id                           fhir.IssueID
		words                        string
	}{
		{"no GraphQL", patient, `{ id`, "", fhir.IDGraphQLSyntax, "line 1"},
		{"no operation", patient, `fragment X on Patient { id }`, "", fhir.IDGraphQLOperation, ""},
		{"several operations", patient, `query A { id } query B { id }`, "", fhir.IDGraphQLOperation, "operationName"},
		{"a mutation", patient, `mutation { id }`, "", fhir.IDGraphQLOperation, "only queries"},
		{"an unknown field", patient, `{ name { spam } }`, "", fhir.IDGraphQLField, "line 1 column 10: HumanName has no field spam"},
		{"an unknown field of what is absent", patient, `{ photo { spam } }`, "", fhir.IDGraphQLField, "Attachment"},
		{"an unknown field in an unused type", patient, `{ managingOrganization { resource { spam } } }`, "", fhir.IDGraphQLField, "spam"},
		{"the name of a choice", patient, `{ deceased }`, "", fhir.IDGraphQLField, "deceased"},
		{"a primitive with fields", patient, `{ id { x } }`, "", fhir.IDGraphQLField, "primitive"},
		{"an object without fields", patient, `{ name }`, "", fhir.IDGraphQLField, "selection"},
		{"an unknown argument", patient, `{ name(spam: 1) { family } }`, "", fhir.IDGraphQLArgument, "spam"},
		{"a wrong count", patient, `{ name(_count: -1) { family } }`, "", fhir.IDGraphQLArgument, "_count"},
		{"wrong FHIRPath", patient, `{ name(fhirpath: "spam") { family } }`, "", fhir.IDFHIRPathElement, ""},
		{"an unknown fragment", patient, `{ ...X }`, "", fhir.IDGraphQLField, "X"},
		{"a fragment that contains itself", patient, `{ ...X } fragment X on Patient { id ...X }`, "", fhir.IDGraphQLField, "itself"},
		{"an unknown type", patient, `{ ... on Spam { id } }`, "", fhir.IDGraphQLField, "Spam"},
		{"an unknown directive", patient, `{ id @spam }`, "", fhir.IDGraphQLDirective, "spam"},
		{"a directive without its argument", patient, `{ id @skip }`, "", fhir.IDGraphQLDirective, "skip"},
		{"an undeclared variable", patient, `{ id @skip(if: $x) }`, "", fhir.IDGraphQLVariable, "$x"},
		{"a variable without a value", patient, `query ($x: Boolean!) { id @skip(if: $x) }`, "", fhir.IDGraphQLVariable, "$x"},
		{"a variable of another type", patient, `query ($x: Boolean) { id @skip(if: $x) }`, `{"x":"true"}`, fhir.IDGraphQLVariable, "$x"},
		{"fields that conflict", patient, `{ a: id a: birthDate }`, "", fhir.IDGraphQLField, "alias"},
		{"a reverse search without its parameter", patient, `{ ConditionList { id } }`, "", fhir.IDGraphQLArgument, "_reference"},
		{"a reverse search at the root", "", `{ ConditionList(_reference: patient) { id } }`, "", fhir.IDGraphQLArgument, "within"},
		{"an unknown field of the root", "", `{ spam }`, "", fhir.IDGraphQLField, "spam"},
		{"a resource without an id", "", `{ Patient { id } }`, "", fhir.IDGraphQLArgument, "id"},
		{"an unknown field of a connection", "", `{ PatientConnection { spam } }`, "", fhir.IDGraphQLField, "spam"},
		{"an unknown search parameter", "", `{ PatientList(spam: 1) { id } }`, "", fhir.IDUnknownParameter, ""},
		{"an unknown field of introspection", "", `{ __schema { spam } }`, "", fhir.IDGraphQLField, "spam"},
		{"an unknown fragment of introspection", "", `{ __schema { ...X } }`, "", fhir.IDGraphQLField, "X"},
		{"introspection without end", "", `{ __schema { types { ...T } } } fragment T on __Type { fields { type { ...T } } }`, "", fhir.IDGraphQLField, "itself"},
		{"introspection that is too large", "", `{ __schema { types { fields { type { ofType { fields { type { ofType { fields { type { ofType { fields { name } } } } } } } } } } } } }`, "", fhir.IDGraphQLTooCostly, "large"},
		{"a field of a field of the root", "", `{ __typename { x } }`, "", fhir.IDGraphQLField, "primitive"},
		{"too deep", patient, "{" + strings.Repeat("extension {", 30) + "url" + strings.Repeat("}", 31), "", fhir.IDGraphQLTooCostly, "deep"},
		{"too many fields", patient, `{ ...A } fragment A on Patient { ...B ...B ...B ...B } fragment B on Patient { ...C ...C ...C ...C ...C ...C } fragment C on Patient { ...D ...D ...D ...D ...D ...D ...D } fragment D on Patient { id a: id b: id c: id d: id e: id f: id g: id h: id i: id j: id k: id l: id}`, "", fhir.IDGraphQLTooCostly, "fields"},
	} {
		got, err := execute(t, &examples{t: t}, c.root, c.query, c.variables)
		var e *fhir.Error
		if !errors.As(err, &e) || e.Issues[0].ID != c.id || !strings.Contains(e.Issues[0].Text, c.words) {
			t.Errorf("%s: got %.300s %v; want id %s, text with %q", c.name, got, err, c.id, c.words)
		}
	}
}

// TestIntrospection holds the schema to be one that the usual tools accept: every type that is named is there.
func TestIntrospection(t *testing.T) {
	src := &examples{t: t}
	got, err := New(definition.R4(), Limits{}).Execute(context.Background(), Query{Text: `{ __schema { queryType { name } mutationType { name } types { kind name description fields(includeDeprecated: true) { name
		args { name type { ...T } defaultValue } type { ...T } isDeprecated deprecationReason } inputFields { name } interfaces { name } enumValues { name } possibleTypes { name } } directives { name locations args { name type { ...T } } } } }
		fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`}, src)
	if err != nil {
		t.Fatal(err)
	}
	var result struct {
		Schema struct {
			Types []struct {
				Kind, Name    string
				PossibleTypes []struct{ Name string }
				Fields        []struct {
					Name string
					Type json.RawMessage
					Args []struct {
						Name string
						Type json.RawMessage
					}
				}
			}
		} `json:"__schema"`
	}
	if err := json.Unmarshal(got, &result); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, typ := range result.Schema.Types {
		known[typ.Name] = true
	}
	var innermost func(b json.RawMessage) string
	innermost = func(b json.RawMessage) string {
		var typ struct {
			Name   *string
			OfType json.RawMessage
		}
		if err := json.Unmarshal(b, &typ); err != nil {
			t.Fatal(err)
		}
		if typ.Name != nil {
			return *typ.Name
		}
		return innermost(typ.OfType)
	}
	fields := 0
	for _, typ := range result.Schema.Types {
		seen := map[string]bool{}
		for _, f := range typ.Fields {
			fields++
			if seen[f.Name] || !known[innermost(f.Type)] {
				t.Errorf("%s.%s is there twice or of an unknown type", typ.Name, f.Name)
			}
			seen[f.Name] = true
			args := map[string]bool{}
			for _, a := range f.Args {
				if args[a.Name] || !known[innermost(a.Type)] {
					t.Errorf("%s.%s(%s) is there twice or of an unknown type", typ.Name, f.Name, a.Name)
				}
				args[a.Name] = true
			}
		}
		if typ.Kind == "OBJECT" && len(typ.Fields) == 0 {
			t.Errorf("%s has no fields", typ.Name)
		}
		for _, p := range typ.PossibleTypes {
			if !known[p.Name] {
				t.Errorf("%s may be the unknown type %s", typ.Name, p.Name)
			}
		}
	}
	t.Logf("%d types, %d fields, %d bytes", len(known), fields, len(got))
}

// pages is a Source of one Binary and of searches with pages, each of one resource with a text of size bytes.
type pages struct {
	examples
	size, last int
	asked      int
}

func (p *pages) body() string { return strings.Repeat("A", p.size) }

func (p *pages) Resolve(context.Context, string) (fhir.Resource, error) {
	p.resolved++
	return fhir.ParseResource([]byte(`{"resourceType":"Binary","id":"x","data":"`+p.body()+`"}`), fhir.Limits{})
}

func (p *pages) Search(_ context.Context, typ string, parameters []search.Pair) (fhir.Resource, error) {
	n := 1
	for _, q := range parameters {
		if q.Name == "_cursor" {
			n, _ = strconv.Atoi(q.Value)
		}
	}
	p.asked++
	next := ""
	if n < p.last {
		next = fmt.Sprintf(`"link":[{"relation":"next","url":"http://x/%s?_cursor=%d"}],`, typ, n+1)
	}
	return fhir.ParseResource(fmt.Appendf(nil, `{"resourceType":"Bundle",%s"entry":[{"resource":{"resourceType":%q,"id":"p%d","description":"%s"},"search":{"mode":"match"}}]}`, next, typ, n, p.body()), fhir.Limits{})
}

// repeated returns a query with n selections under aliases of their own.
func repeated(n int, selection string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d:%s", i, selection)
	}
	return "{" + b.String() + "}"
}

func TestBytesAreBoundedForTheWholeQuery(t *testing.T) {
	small := New(definition.R4(), Limits{Bytes: 100_000, ReadBytes: 200_000})
	for _, c := range []struct {
		name, query string
		root        string
		refused     bool
		asked       int // pages at most, and at least where the query passes
	}{
		{"one value", `{ Binary(id: "x") { data } }`, "", false, 0},
		{"one value under many aliases", `{ Binary(id: "x") ` + repeated(20, "data") + ` }`, "", true, 0},
		{"a resource under many aliases", repeated(20, `Binary(id: "x") { data }`), "", true, 0},
		{"a value of the root under many aliases", repeated(20, "birthDate"), `{"resourceType":"Patient","birthDate":"` + strings.Repeat("1", 10_000) + `"}`, true, 0},
		{"introspection under few aliases", repeated(2, `__type(name: "Patient") { fields { name } }`), "", false, 0},
		{"introspection under many aliases", repeated(60, `__type(name: "Patient") { fields { name } }`), "", true, 0},
		{"a long alias on many values", `{ extension { ` + strings.Repeat("a", 2_000) + `: url } }`, `{"resourceType":"Patient","extension":[` + strings.Repeat(`{"url":"u"},`, 99) + `{"url":"u"}]}`, true, 0},
		{"pages of a list", `{ DocumentReferenceList { id } }`, "", false, 15},
		{"pages of a list whose values are wanted", `{ DocumentReferenceList { description } }`, "", true, 10},
		{"searches under many aliases", repeated(40, `DocumentReferenceList(_count: 1) { id }`), "", true, 20},
		{"connections under many aliases", repeated(40, `DocumentReferenceConnection { next }`), "", true, 20},
		{"resources under many aliases that are the same", repeated(40, `Binary(id: "x") { id }`), "", false, 0},
		{"the first of a list of pages", `{ DocumentReferenceList @first { id } }`, "", false, 1},
	} {
		src := &pages{size: 10_000, last: 15}
		q := Query{Text: c.query}
		if c.root != "" {
			q.Root = fhir.Resource{Node: node(t, c.root)}
		}
		got, err := small.Execute(context.Background(), q, src)
		var e *fhir.Error
		if refused := errors.As(err, &e) && e.Issues[0].ID == fhir.IDGraphQLTooCostly; refused != c.refused || !refused && err != nil || len(got) > 100_000 {
			t.Errorf("%s: %d bytes, %v; want it refused: %v", c.name, len(got), err, c.refused)
		}
		if src.asked > c.asked || !c.refused && src.asked < c.asked {
			t.Errorf("%s: %d pages were read, want %d", c.name, src.asked, c.asked)
		}
	}
}

// TestReferencesAreBoundedByBytes follows references to resources that are large together.
func TestReferencesAreBoundedByBytes(t *testing.T) {
	var extensions []string
	for i := range 40 {
		extensions = append(extensions, fmt.Sprintf(`{"url":"u","valueReference":{"reference":"Binary/%d"}}`, i))
	}
	root := `{"resourceType":"Patient","extension":[` + strings.Join(extensions, ",") + `]}`
	src := &pages{size: 10_000}
	_, err := New(definition.R4(), Limits{ReadBytes: 200_000}).Execute(context.Background(), Query{Text: `{ extension { valueReference { resource { id } } } }`, Root: fhir.Resource{Node: node(t, root)}}, src)
	var e *fhir.Error
	if !errors.As(err, &e) || e.Issues[0].ID != fhir.IDGraphQLTooCostly || src.resolved > 20 {
		t.Errorf("%d were read, then %v; want %s", src.resolved, err, fhir.IDGraphQLTooCostly)
	}
}

// TestPagesOfAListAreNumberedOn holds that what counts the items of a list does so over its pages.
func TestPagesOfAListAreNumberedOn(t *testing.T) {
	got, err := New(definition.R4(), Limits{}).Execute(context.Background(), Query{Text: `{ DocumentReferenceList @flatten @slice(path: "$index") { id } }`}, &pages{last: 20})
	if want := `{"id.0":["p1"],"id.1":["p2"],`; err != nil || !strings.HasPrefix(string(got), want) || !strings.HasSuffix(string(got), `,"id.19":["p20"]}`) {
		t.Errorf("got %s %v; want %s...", got, err, want)
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{`{ name(fhirpath: "use='official'", _count: 1) @first { given @singleton } }`, `query Q($a: Boolean = true, $b: [String!]) { ...F @include(if: $a) name(use: $b) { use } } fragment F on Patient { id }`,
		`{ name @flatten @slice(path: "use") { given } managingOrganization { resource(optional: true, type: Organization) { ... on Organization { name } } } }`, `{ __schema { types { name ...T } } } fragment T on __Type { kind fields { type { name } } }`, `{ __schema { ...X } a: __type(name: "x") { name } }`, `{ ConditionList(_reference: patient) { id } }`} {
		f.Add(s, `{"a":true,"b":["usual"]}`)
	}
	s := New(definition.R4(), Limits{Values: 10_000, Reads: 10})
	f.Fuzz(func(t *testing.T, text, variables string) {
		v, err := fhir.Parse([]byte(variables), fhir.Limits{})
		if err != nil {
			return
		}
		for _, root := range []fhir.Resource{{}, {Node: node(t, patient)}} {
			got, err := s.Execute(context.Background(), Query{Text: text, Variables: v.Root(), Root: root}, &examples{t: t})
			if err != nil {
				if e := new(fhir.Error); !errors.As(err, &e) || e.Kind == fhir.KindInternal {
					t.Fatalf("an error of no kind: %v", err)
				}
				continue
			}
			if !json.Valid(got) {
				t.Fatalf("%q gives %s", text, got)
			}
		}
	})
}
