package fhirpath

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// seed adds the expressions of the suite and of R4, where the corpus is there.
func seed(f *testing.F) {
	f.Helper()
	added := map[string]bool{}
	published(func(_, expr string, _ ...Option) {
		if !added[expr] && len(added) < 400 {
			added[expr] = true
			f.Add(expr)
		}
	})
	for _, c := range suite(f) {
		if !added[c.Expression.Text] {
			added[c.Expression.Text] = true
			f.Add(c.Expression.Text)
		}
	}
}

// FuzzParse holds the parser to: no panic, and what it accepts prints back to the same program.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, expr string) {
		e, err := Parse(expr)
		if err != nil {
			if issueOf(err).Text == "" {
				t.Fatalf("an error without an issue: %v", err)
			}
			return
		}
		again, err := Parse(e.String())
		if err != nil || !again.Equal(e) {
			t.Fatalf("%q prints as %q: %v", expr, e.String(), err)
		}
	})
}

// FuzzEval holds the evaluator to: no panic, bounded work, and errors with an issue.
func FuzzEval(f *testing.F) {
	seed(f)
	patient := suiteInput(f, "patient-example.xml")
	limits := Limits{Steps: 20_000, Items: 5_000, Text: 1 << 16}
	f.Fuzz(func(t *testing.T, expr string) {
		for _, opts := range [][]Option{{WithLimits(limits)}, {WithLimits(limits), WithType("Patient"), ForPublished()}} {
			p, err := Compile(expr, opts...)
			if err == nil {
				var c Collection
				if c, err = p.EvalResource(patient); err == nil {
					if _, err := fhir.Parse(c.AppendParameters(nil), fhir.Limits{}); err != nil {
						t.Fatalf("%q: Parameters are no JSON: %v", expr, err)
					}
				}
			}
			if err != nil && issueOf(err).Text == "" {
				t.Fatalf("an error without an issue: %v", err)
			}
		}
	})
}

// sameAnswer compares the answers of a planned and a plain program on one resource.
func sameAnswer(expr, typ string, r fhir.Resource) error {
	limits := WithLimits(Limits{Steps: 200_000, Items: 50_000})
	opts := []Option{WithType(typ), ForSearch(), limits}
	planned, err := Compile(expr, opts...)
	plain, errPlain := Compile(expr, append(opts, withoutPlans())...)
	if (err == nil) != (errPlain == nil) {
		return fmt.Errorf("planned: %v; plain: %v", err, errPlain)
	}
	if err != nil {
		return nil
	}
	a, err := planned.EvalResource(r)
	b, errPlain := plain.EvalResource(r)
	if (err == nil) != (errPlain == nil) {
		if issueOf(err).ID == fhir.IDFHIRPathLimit || issueOf(errPlain).ID == fhir.IDFHIRPathLimit {
			return nil
		}
		return fmt.Errorf("planned: %v; plain: %v", err, errPlain)
	}
	if len(a) != len(b) {
		return fmt.Errorf("planned yields %d items, plain %d", len(a), len(b))
	}
	for i := range a {
		if a[i].node != b[i].node || a[i].sib != b[i].sib || a[i].typ != b[i].typ || a[i].Text() != b[i].Text() {
			return fmt.Errorf("item %d: planned %v, plain %v", i, a[i].Text(), b[i].Text())
		}
	}
	return nil
}

// FuzzPlans holds the compiled plans to plain evaluation.
func FuzzPlans(f *testing.F) {
	seed(f)
	for _, s := range []string{
		"Patient.telecom.where(system = 'phone').value", "name.where(given = 'Jim')", "Patient.contact.where(name.family='x') | Patient.name",
		"(Patient.name | Person.name).where(use = 'official')", "Patient.managingOrganization.where(resolve() is Organization)",
		"Patient.link.where(active = true)", "Patient.name.where(given.first() = 'Peter')", "Practitioner.name | Patient.name.given",
	} {
		f.Add(s)
	}
	patient := suiteInput(f, "patient-example.xml")
	f.Fuzz(func(t *testing.T, expr string) {
		if err := sameAnswer(expr, "Patient", patient); err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
	})
}

// TestPlansAgree evaluates every search parameter on every example of its type, planned and plain.
func TestPlansAgree(t *testing.T) {
	files := corpustest.Files(t, "r4-examples/*.json")
	n := 0
	seen := map[string]int{}
	for _, name := range files {
		src := corpustest.Read(t, name)
		r, err := fhir.ParseResource(src, fhir.Limits{})
		if err != nil || len(src) > 200_000 {
			continue
		}
		if seen[r.Type()]++; seen[r.Type()] > 2 {
			continue
		}
		for _, sp := range definition.R4().SearchParameters(r.Type()) {
			if sp.Expression == "" {
				continue
			}
			n++
			p, err := Compile(sp.Expression, WithType(r.Type()), ForSearch())
			if err == nil {
				_, err = p.EvalResource(r)
			}
			if err != nil {
				t.Errorf("%s, %s: %v", filepath.Base(name), sp.Code, err)
			}
			if err := sameAnswer(sp.Expression, r.Type(), r); err != nil {
				t.Errorf("%s, %s: %v", filepath.Base(name), sp.Code, err)
			}
		}
	}
	t.Logf("%d evaluations", n)
}
