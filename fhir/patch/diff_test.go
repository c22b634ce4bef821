package patch

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

func resource(t testing.TB, src []byte) fhir.Resource {
	t.Helper()
	r, err := fhir.ParseResource(src, fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// content returns a resource without its id and stamps.
func content(t testing.TB, src []byte) fhir.Node {
	t.Helper()
	r := resource(t, src)
	w := &fhir.JSONWriter{}
	w.Open('{')
	for c := range r.Children() {
		switch c.Name() {
		case "id":
		case "meta":
			inner := &fhir.JSONWriter{}
			inner.Open('{')
			for m := range c.Children() {
				if !metaMembers(m.Name()) {
					inner.Name(m.Name())
					inner.Bytes = m.AppendJSON(inner.Bytes)
				}
			}
			if inner.Close('}'); len(inner.Bytes) > 2 {
				w.Name("meta")
				w.Bytes = append(w.Bytes, inner.Bytes...)
			}
		default:
			w.Name(c.Name())
			w.Bytes = c.AppendJSON(w.Bytes)
		}
	}
	w.Close('}')
	return parse(t, string(w.Bytes))
}

// holds checks that the difference of two resources makes the one of the other.
func holds(t *testing.T, what string, a, b []byte) (operations int) {
	t.Helper()
	diff, err := Diff(definition.R4(), resource(t, a), resource(t, b), Limits{Operations: 100_000})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return 0
	}
	p, err := ParseFHIRPath(definition.R4(), resource(t, diff), Limits{Operations: 100_000})
	if err != nil {
		t.Errorf("%s: %v: %.500s", what, err, diff)
		return 0
	}
	out, err := p.Apply(resource(t, a))
	if err != nil {
		t.Errorf("%s: %v: %.2000s", what, err, diff)
		return 0
	}
	if !exactly(content(t, out), content(t, b)) {
		t.Errorf("%s: the patch makes\n%.1500s\nand not\n%.1500s\n%.3000s", what, out, b, diff)
	}
	return len(p.ops)
}

// mutated returns a resource with some of its values changed, removed, repeated or swapped.
func mutated(r *rand.Rand, n fhir.Node, dst []byte) []byte {
	switch n.Kind() {
	case fhir.Object:
		dst = append(dst, '{')
		left := n.Len()
		for c := range n.Children() {
			if name := c.Name(); name != "resourceType" && name != "id" && !n.Get("_"+strings.TrimPrefix(name, "_")).Valid() && r.IntN(12) == 0 && left > 1 {
				left--
				continue
			}
			dst = fhir.AppendName(dst, c.Name())
			dst = mutated(r, c, dst)
		}
		return append(dst, '}')
	case fhir.Array:
		var items []fhir.Node
		for c := range n.Children() {
			items = append(items, c)
		}
		if strings.HasPrefix(n.Name(), "_") || n.Parent().Get("_"+n.Name()).Valid() { // aligned with another
			dst = append(dst, '[')
			for _, c := range items {
				dst = mutated(r, c, fhir.AppendSeparator(dst))
			}
			return append(dst, ']')
		}
		switch r.IntN(6) {
		case 0:
			items = append(items, items[r.IntN(len(items))])
		case 1:
			r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		case 2:
			if len(items) > 1 {
				i := r.IntN(len(items))
				items = append(items[:i], items[i+1:]...)
			}
		}
		dst = append(dst, '[')
		for _, c := range items {
			dst = mutated(r, c, fhir.AppendSeparator(dst))
		}
		return append(dst, ']')
	case fhir.String:
		if n.Name() != "resourceType" && r.IntN(6) == 0 {
			return fhir.AppendString(dst, n.Text()+"x")
		}
	case fhir.Number:
		if r.IntN(4) == 0 {
			return append(append(dst, n.Raw()...), map[bool]string{true: "1", false: ".5"}[strings.Contains(n.Text(), ".")]...)
		}
	}
	return append(dst, n.Raw()...)
}

// TestDiffOfTheOfficialExamplesIsTheirPatch takes each example and a changed one, and each example and the next of its type.
func TestDiffOfTheOfficialExamplesIsTheirPatch(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	before := map[string][]byte{}
	examples, operations := 0, 0
	for _, path := range corpustest.Files(t, "r4-examples/*.json*") {
		src := corpustest.Read(t, path)
		if len(src) > 60<<10 {
			continue // a patch of so much costs minutes, and shows nothing else
		}
		name := filepath.Base(path)
		original := resource(t, src)
		examples++
		if n := holds(t, name+" and itself", src, src); n != 0 {
			t.Errorf("%s differs from itself in %d places", name, n)
		}
		for range 2 {
			operations += holds(t, name+" and what it was changed to", src, mutated(r, original.Node, nil))
		}
		if last := before[original.Type()]; last != nil && len(src) < 10<<10 && len(last) < 10<<10 {
			operations += holds(t, name+" and the one before", src, last)
		}
		before[original.Type()] = src
		if t.Failed() {
			return
		}
	}
	t.Logf("%d examples, %d operations", examples, operations)
	if examples < 500 || operations < 2000 {
		t.Errorf("only %d examples with %d operations", examples, operations)
	}
}

func TestDiffOfSituations(t *testing.T) {
	for name, c := range map[string][2]string{
		"nothing":                    {`{"resourceType":"Patient","id":"a"}`, `{"resourceType":"Patient","id":"b"}`},
		"stamps":                     {`{"resourceType":"Patient","meta":{"versionId":"1","lastUpdated":"2024-01-01T00:00:00Z"}}`, `{"resourceType":"Patient","meta":{"versionId":"2"}}`},
		"labels beside stamps":       {`{"resourceType":"Patient","meta":{"versionId":"1"}}`, `{"resourceType":"Patient","meta":{"versionId":"2","tag":[{"code":"x"}]}}`},
		"labels gone":                {`{"resourceType":"Patient","meta":{"versionId":"1","tag":[{"code":"x"}]}}`, `{"resourceType":"Patient"}`},
		"a first meta":               {`{"resourceType":"Patient"}`, `{"resourceType":"Patient","meta":{"versionId":"2","tag":[{"code":"x"}]}}`},
		"a choice of another type":   {`{"resourceType":"Patient","deceasedBoolean":true}`, `{"resourceType":"Patient","deceasedDateTime":"2024"}`},
		"all of an object":           {`{"resourceType":"Patient","name":[{"family":"X"}]}`, `{"resourceType":"Patient","name":[{"given":["Y"]}]}`},
		"an extension of a value":    {`{"resourceType":"Patient","birthDate":"1970"}`, `{"resourceType":"Patient","birthDate":"1970","_birthDate":{"extension":[{"url":"urn:x","valueDecimal":1.00}]}}`},
		"an extension without value": {`{"resourceType":"Patient","birthDate":"1970"}`, `{"resourceType":"Patient","_birthDate":{"extension":[{"url":"urn:x","valueString":"unknown"}]}}`},
		"a value for an extension":   {`{"resourceType":"Patient","_birthDate":{"id":"b"}}`, `{"resourceType":"Patient","birthDate":"1970"}`},
		"extensions in a list":       {`{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[null,{"id":"b"}]}]}`, `{"resourceType":"Patient","name":[{"given":["A",null,"C"],"_given":[{"id":"a"},{"id":"b"},null]}]}`},
		"digits":                     {`{"resourceType":"Observation","valueQuantity":{"value":1.0}}`, `{"resourceType":"Observation","valueQuantity":{"value":1.00}}`},
		"words of FHIRPath":          {`{"resourceType":"ValueSet","text":{"status":"empty","div":"<div>a</div>"},"expansion":{"timestamp":"2024","contains":[{"code":"a"}]}}`, `{"resourceType":"ValueSet","text":{"status":"empty","div":"<div>b</div>"},"expansion":{"timestamp":"2024","contains":[{"code":"b","contains":[{"code":"c"}]}]}}`},
		"contained":                  {`{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"A"}]}`, `{"resourceType":"Patient","contained":[{"resourceType":"Practitioner","id":"p"},{"resourceType":"Organization","id":"o","name":"B"}]}`},
		"the middle of a list":       {`{"resourceType":"Patient","name":[{"family":"A"},{"family":"C"}]}`, `{"resourceType":"Patient","name":[{"family":"A"},{"family":"B"},{"family":"C"}]}`},
		"the first of a list":        {`{"resourceType":"Patient","name":[{"family":"A"},{"family":"B"},{"family":"C"}]}`, `{"resourceType":"Patient","name":[{"family":"B"},{"family":"C"}]}`},
		"a backbone element":         {`{"resourceType":"Patient"}`, `{"resourceType":"Patient","contact":[{"name":{"family":"X"},"extension":[{"url":"urn:x","extension":[{"url":"y","valueCode":"z"}]}],"relationship":[{"text":"r"},{"text":"s"}]}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			n := holds(t, name, []byte(c[0]), []byte(c[1]))
			if same := name == "nothing" || name == "stamps"; same != (n == 0) {
				t.Errorf("%d operations", n)
			}
			if strings.HasSuffix(name, "of a list") && n != 1 {
				t.Errorf("%d operations, want 1", n)
			}
			holds(t, name+", the other way", []byte(c[1]), []byte(c[0]))
		})
	}
	for name, c := range map[string][2]string{
		"two types":          {`{"resourceType":"Patient"}`, `{"resourceType":"Person"}`},
		"no type":            {`{"resourceType":"Patientt"}`, `{"resourceType":"Patientt"}`},
		"an unknown element": {`{"resourceType":"Patient"}`, `{"resourceType":"Patient","nome":"x"}`},
	} {
		if _, err := Diff(definition.R4(), resource(t, []byte(c[0])), resource(t, []byte(c[1])), Limits{}); fhir.KindOf(err) != fhir.KindUnprocessable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Diff(definition.R4(), resource(t, []byte(`{"resourceType":"Patient"}`)), resource(t, []byte(`{"resourceType":"Patient","name":[{},{},{}]}`)), Limits{Operations: 2}); fhir.KindOf(err) != fhir.KindUnprocessable {
		t.Errorf("more differences than operations: %v", err)
	}
}

// BenchmarkDiff compares an Observation with one that has another status, code and value.
func BenchmarkDiff(b *testing.B) {
	src := corpustest.Read(b, corpustest.Path(b, "r4-examples/Observation-blood-pressure.json"))
	from := resource(b, src)
	to := resource(b, mutated(rand.New(rand.NewPCG(1, 2)), from.Node, nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Diff(definition.R4(), from, to, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
