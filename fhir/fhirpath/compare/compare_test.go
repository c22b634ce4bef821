package compare

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
	other "github.com/gofhir/fhirpath"
	"github.com/gofhir/fhirpath/eval"
)

// corpus is the shared corpus beside the repository.
const corpus = "../../../../shared/corpus"

func read(t testing.TB, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join(corpus, name))
	if err != nil {
		t.Skipf("the corpus is absent: %v", err)
	}
	return src
}

func resource(t testing.TB, src []byte) fhir.Resource {
	t.Helper()
	r, err := fhir.ParseResource(src, fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// shapes are expressions that both engines answer.
var shapes = []struct{ name, expr string }{
	{"path", "Patient.name.given"},
	{"where", "Patient.telecom.where(system = 'phone').value"},
	{"exists", "Patient.contact.all(name.exists() or telecom.exists() or address.exists() or organization.exists())"},
	{"first", "Patient.name.where(use = 'official').first().given.first() = 'Peter'"},
	{"count", "Patient.name.given.count() > 2"},
	{"descendants", "Patient.descendants().count()"},
	{"arithmetic", "(1 + 2) * 3 - 4 / 2"},
}

func BenchmarkEvaluate(b *testing.B) {
	src := read(b, "fhirpath/inputs/patient-example.json")
	r := resource(b, src)
	for _, s := range shapes {
		b.Run(s.name+"/fhirgate", func(b *testing.B) {
			p, err := fhirpath.Compile(s.expr, fhirpath.WithType(r.Type()))
			if err != nil {
				b.Fatal(err)
			}
			focus := fhirpath.ResourceItem(definition.R4(), r)
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Each(focus, nil, func(fhirpath.Item) bool { return true }); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.name+"/gofhir", func(b *testing.B) {
			e, err := other.Compile(s.expr)
			if err != nil {
				b.Fatal(err)
			}
			ctx := eval.NewContext(src)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.EvaluateWithContext(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompile compiles each search parameter of R4 once.
func BenchmarkCompile(b *testing.B) {
	var exprs []string
	for _, sp := range definition.R4().AllSearchParameters() {
		if sp.Expression != "" {
			exprs = append(exprs, sp.Expression)
		}
	}
	b.Run("fhirgate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, e := range exprs {
				if _, err := fhirpath.Compile(e, fhirpath.ForSearch()); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("gofhir", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, e := range exprs {
				if _, err := other.Compile(e); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkSearchParameters evaluates all search parameters of one resource; an expression that an engine refuses is passed over.
func BenchmarkSearchParameters(b *testing.B) {
	for _, name := range []string{"Observation-blood-pressure", "Patient-example", "Encounter-example"} {
		src := read(b, "r4-examples/"+name+".json")
		r := resource(b, src)
		var exprs []string
		for _, sp := range definition.R4().SearchParameters(r.Type()) {
			if sp.Expression != "" {
				exprs = append(exprs, sp.Expression)
			}
		}
		b.Run(name+"/fhirgate", func(b *testing.B) {
			var ps []*fhirpath.Program
			for _, e := range exprs {
				p, err := fhirpath.Compile(e, fhirpath.ForSearch(), fhirpath.WithType(r.Type()))
				if err != nil {
					b.Fatal(err)
				}
				ps = append(ps, p)
			}
			focus := fhirpath.ResourceItem(definition.R4(), r)
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range ps {
					if err := p.Each(focus, nil, func(fhirpath.Item) bool { return true }); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run(name+"/gofhir", func(b *testing.B) {
			ctx := eval.NewContext(src)
			var ps []*other.Expression
			refused := 0
			for _, e := range exprs {
				p, err := other.Compile(e)
				if err == nil {
					_, err = p.EvaluateWithContext(ctx)
				}
				if err != nil {
					refused++
					continue
				}
				ps = append(ps, p)
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range ps {
					if _, err := p.EvaluateWithContext(ctx); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(refused), "refused")
		})
	}
}

// TestAnswersToTheSuite counts the cases of the official suite that have a JSON input and Boolean answers, and how many each engine answers
// as the suite says.
func TestAnswersToTheSuite(t *testing.T) {
	var file struct {
		Groups []struct {
			Tests []struct {
				Input      string `xml:"inputfile,attr"`
				Expression struct {
					Invalid string `xml:"invalid,attr"`
					Text    string `xml:",chardata"`
				} `xml:"expression"`
				Outputs []string `xml:"output"`
			} `xml:"test"`
		} `xml:"group"`
	}
	if err := xml.Unmarshal(read(t, "fhirpath/tests-fhir-r4.xml"), &file); err != nil {
		t.Fatal(err)
	}
	cases, ours, theirs := 0, 0, 0
	for _, g := range file.Groups {
		for _, c := range g.Tests {
			if c.Expression.Invalid != "" || len(c.Outputs) != 1 || c.Outputs[0] != "true" && c.Outputs[0] != "false" {
				continue
			}
			input := strings.TrimSuffix(c.Input, ".xml")
			if input == "" {
				input = "patient-example"
			}
			src, err := os.ReadFile(filepath.Join(corpus, "fhirpath/inputs", strings.TrimSuffix(input, ".json")+".json"))
			if err != nil {
				continue
			}
			cases++
			if p, err := fhirpath.Compile(c.Expression.Text); err == nil {
				if got, err := p.EvalResource(resource(t, src)); err == nil && len(got) == 1 && got[0].Text() == c.Outputs[0] {
					ours++
				}
			}
			if got, err := other.Evaluate(src, c.Expression.Text); err == nil && len(got) == 1 && got[0].String() == c.Outputs[0] {
				theirs++
			}
		}
	}
	t.Logf("%d cases with a Boolean answer over a JSON input: fhirgate %d, gofhir/fhirpath %d", cases, ours, theirs)
	if ours < theirs {
		t.Error("the other engine answers more cases")
	}
}
