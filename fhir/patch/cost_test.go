package patch

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// manyParts is a FHIRPath Patch that adds a CodeableConcept of n parts.
func manyParts(n int) string {
	part := `,{"name":"coding","valueCoding":{"code":"x"}}`
	return ops([3]string{"add", "Patient", `{"name":"name","valueString":"maritalStatus"},{"name":"value","part":[{"name":"coding","valueCoding":{"code":"first"}}` +
		strings.Repeat(part, n-2) + `,{"name":"text","valueString":"t"}]}`})
}

func TestValueOfManyPartsCostsItsSize(t *testing.T) {
	cost := func(n int) uint64 {
		params, err := fhir.ParseResource([]byte(manyParts(n)), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParseFHIRPath(definition.R4(), params, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		current, err := fhir.ParseResource([]byte(`{"resourceType":"Patient"}`), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return allocated(func() {
			out, err := p.Apply(current)
			if err != nil {
				t.Fatal(err)
			}
			if got := parse(t, string(out)).Get("maritalStatus").Get("coding").Len(); got != n-1 {
				t.Fatalf("%d codings of %d", got, n-1)
			}
		})
	}
	cost(10)
	small, large := cost(500), cost(5_000)
	if large > 20*small {
		t.Errorf("500 parts allocate %d bytes, 5,000 parts %d: more than twenty times as much", small, large)
	}
}

func TestPartsShareTheStepsOfAllOperations(t *testing.T) {
	params, err := fhir.ParseResource([]byte(manyParts(1_000)), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseFHIRPath(definition.R4(), params, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	current, err := fhir.ParseResource([]byte(`{"resourceType":"Patient"}`), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p.steps = 1_000
	out, err := p.Apply(current)
	var e *fhir.Error
	if !errors.As(err, &e) || e.Kind != fhir.KindTooLarge || e.Issues[0].ID != fhir.IDPatchCost || e.Issues[0].Expression != "Parameters.parameter[0]" {
		t.Errorf("got %d bytes, %v", len(out), err)
	}
	p.steps = 10_000
	if _, err := p.Apply(current); err != nil {
		t.Errorf("within the steps: %v", err)
	}
}

// TestJSONPatchCostIsBounded holds that a short patch cannot make the server work or allocate without bound.
func TestJSONPatchCostIsBounded(t *testing.T) {
	var members []string
	for i := range 50_000 {
		members = append(members, fmt.Sprintf(`"m%d":1`, i))
	}
	wide := `{"x":{` + strings.Join(members, ",") + `}}`
	list := func(n int) string { return `{"x":[1` + strings.Repeat(",1", n-1) + `]}` }
	times := func(n int, ops string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(ops+",", n), ",") + "]"
	}
	for _, c := range []struct {
		name, doc, patch string
		id               fhir.IssueID // "" where it passes
		operation        int          // by which it is refused at the latest
		memory           uint64       // that may be allocated besides
	}{
		{"copies that double the document", `{"x":[{"a":"` + strings.Repeat("b", 1000) + `"}]}`, times(1000, `{"op":"copy","from":"/x","path":"/x/-"}`), fhir.IDPatchSize, 15, 64 << 20},
		{"copies of the whole into itself", `{"a":1}`, times(1000, `{"op":"copy","from":"","path":"/b"}`), fhir.IDPatchDepth, 130, 64 << 20},
		{"names of a wide object", wide, times(1000, `{"op":"test","path":"/x/m49999","value":1}`), fhir.IDPatchCost, 500, 64 << 20},
		{"a new name in a wide object", wide, times(1000, `{"op":"add","path":"/x/n","value":1}`), fhir.IDPatchCost, 500, 64 << 20},
		{"insertions before a long list", list(500_000), times(1000, `{"op":"add","path":"/x/0","value":1}`), fhir.IDPatchCost, 200, 512 << 20},
		{"removals from a long list", list(500_000), times(1000, `{"op":"remove","path":"/x/0"}`), fhir.IDPatchCost, 200, 512 << 20},
		{"moves of a large value", `{"x":{"y":` + list(200_000) + `}}`, times(500, `{"op":"move","from":"/x","path":"/z"},{"op":"move","from":"/z","path":"/x"}`), fhir.IDPatchCost, 150, 64 << 20},
		{"copies that are opened", list(200_000), times(500, `{"op":"copy","from":"/x","path":"/y"},{"op":"add","path":"/y/-","value":1}`), fhir.IDPatchCost, 30, 512 << 20},
		{"copies of what is open", list(200_000), `[{"op":"add","path":"/x/-","value":1},` + times(500, `{"op":"copy","from":"/x","path":"/y"}`)[1:], fhir.IDPatchCost, 30, 512 << 20},
		{"a cost that from runs into", wide, times(1000, `{"op":"copy","from":"/x/m49999","path":"/y"}`), fhir.IDPatchCost, 500, 64 << 20},
		{"many additions to a long list", list(50_000), times(1000, `{"op":"add","path":"/x/0","value":{"a":1}}`), "", 0, 64 << 20},
	} {
		tree, err := fhir.Parse([]byte(c.doc), fhir.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		p, err := ParseJSON([]byte(c.patch), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var out []byte
		memory := allocated(func() { out, err = p.apply(tree.Root()) })
		if memory > c.memory {
			t.Errorf("%s: %d bytes are allocated", c.name, memory)
		}
		if c.id == "" {
			if err != nil || len(out) < len(c.doc) {
				t.Errorf("%s: %d bytes, %v", c.name, len(out), err)
			}
			continue
		}
		var e *fhir.Error
		if !errors.As(err, &e) || e.Kind != fhir.KindTooLarge || e.Issues[0].ID != c.id {
			t.Errorf("%s: %v, want %s", c.name, err, c.id)
			continue
		}
		var operation int
		if _, err := fmt.Sscanf(e.Issues[0].Text, "operation %d", &operation); err != nil || operation > c.operation {
			t.Errorf("%s: refused at %d, want %d at the latest: %s", c.name, operation, c.operation, e.Issues[0].Text)
		}
	}
}

// TestDepthHoldsOnTheResultOfAFHIRPathPatch refuses the operation that nests deeper, the last one too.
func TestDepthHoldsOnTheResultOfAFHIRPathPatch(t *testing.T) {
	nest := func(n int) string {
		return ops([3]string{"add", "Patient", `{"name":"name","valueString":"extension"},{"name":"value","part":[` + strings.Repeat(`{"name":"extension","part":[`, n) +
			`{"name":"url","valueUri":"u"}` + strings.Repeat(`]}`, n) + `]}`})
	}
	current, err := fhir.ParseResource([]byte(`{"resourceType":"Patient"}`), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for n, fits := range map[int]bool{8: true, 9: false} { // the resource, a list and an object for each
		params, err := fhir.ParseResource([]byte(nest(n)), fhir.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParseFHIRPath(definition.R4(), params, Limits{Depth: 20})
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Apply(current)
		var e *fhir.Error
		if fits && err != nil || !fits && (!errors.As(err, &e) || e.Kind != fhir.KindTooLarge || e.Issues[0].ID != fhir.IDPatchDepth || e.Issues[0].Expression != "Parameters.parameter[0]") {
			t.Errorf("%d: %s %v", n, out, err)
		}
	}
}
