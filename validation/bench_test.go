package validation

import (
	"encoding/json"
	"runtime"
	"testing"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"
	"github.com/xeipuuv/gojsonschema"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// BenchmarkBase validates the resources of one patient's bundle, and beside it runs the two libraries alone over the same resources, each fed
// with bytes as its documentation has it. The ratio of base-new-forms, where the libraries read each resource, to libraries is the budget: at
// most 1, within the noise. base is what a server pays that has met the forms before.
func BenchmarkBase(b *testing.B) {
	rs := bundleResources(b, corpustest.Path(b, "synthea/patient-001.json.gz"))
	texts, size := make([][]byte, len(rs)), 0
	for i, r := range rs {
		texts[i] = r.AppendJSON(nil)
		size += len(texts[i])
	}
	v, err := New(definition.R4(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	if len(v.ValidateMany(rs, Base)) != len(rs) { // compiles the schemas
		b.Fatal("validation")
	}
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rs)), "ns/resource")
		})
	}
	shapeAlone := libraryShape(b, rs, texts)
	modelAlone := libraryModel(b, texts)
	run("libraries", func() { shapeAlone(); modelAlone() })
	run("gojsonschema", shapeAlone)
	run("google-fhir", modelAlone)
	run("base", func() {
		for _, r := range rs {
			if len(v.Validate(r, Base)) != 0 {
				b.Fatal("not valid")
			}
		}
	})
	run("base-new-forms", func() {
		for _, r := range rs {
			v.forms = forms{}
			if len(v.Validate(r, Base)) != 0 {
				b.Fatal("not valid")
			}
		}
	})
	run("elements", func() {
		for _, r := range rs {
			t, _ := v.reg.Resource(r.Type())
			w := walker{v: v, root: r, typ: t, path: t.Name}
			w.resource(r, t)
		}
	})
	run("base-many", func() { v.ValidateMany(rs, Base) })
	b.Logf("%d processors", runtime.GOMAXPROCS(0))
}

// BenchmarkFirst is what the first resource of a process pays: a Validator, the schema of its type, the model's tables.
func BenchmarkFirst(b *testing.B) {
	r := mustResource(b, patient(`"active":true`))
	for b.Loop() {
		v, err := New(definition.R4(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		v.Validate(r, Base)
	}
}

// libraryShape returns a run of gojsonschema over the resources, with the official schema of each type.
func libraryShape(b *testing.B, rs []fhir.Resource, texts [][]byte) func() {
	schemas := map[string]*gojsonschema.Schema{}
	official := shapes{reg: definition.R4()}
	for _, r := range rs {
		if schemas[r.Type()] != nil {
			continue
		}
		doc, err := official.document([]string{r.Type()})
		if err != nil {
			b.Fatal(err)
		}
		var s map[string]any
		if err := json.Unmarshal(doc, &s); err != nil {
			b.Fatal(err)
		}
		delete(s, "properties")
		s["$ref"] = "#/definitions/" + r.Type()
		if schemas[r.Type()], err = gojsonschema.NewSchema(gojsonschema.NewGoLoader(s)); err != nil {
			b.Fatal(err)
		}
	}
	return func() {
		for i, r := range rs {
			if result, err := schemas[r.Type()].Validate(gojsonschema.NewBytesLoader(texts[i])); err != nil || !result.Valid() {
				b.Fatal(err)
			}
		}
	}
}

// libraryModel returns a run of google/fhir over the resources.
func libraryModel(b *testing.B, texts [][]byte) func() {
	u, err := jsonformat.NewUnmarshaller("UTC", fhirversion.R4)
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		for _, text := range texts {
			if _, err := u.Unmarshal(text); err != nil {
				b.Fatal(err)
			}
		}
	}
}
