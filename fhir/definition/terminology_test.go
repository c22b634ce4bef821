package definition

import (
	"slices"
	"sync"
	"testing"
)

const (
	gender    = "http://hl7.org/fhir/ValueSet/administrative-gender"
	actCode   = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
	roleCode  = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
	snomed    = "http://snomed.info/sct"
	genderSys = "http://hl7.org/fhir/administrative-gender"
)

func expand(t *testing.T, url string) []string {
	t.Helper()
	codes, ok := R4().Expand(url)
	if !ok {
		t.Fatalf("%s can't be expanded", url)
	}
	var out []string
	for system, code := range codes {
		out = append(out, system+"|"+code)
	}
	return out
}

func TestExpandWholeCodeSystem(t *testing.T) {
	want := []string{genderSys + "|male", genderSys + "|female", genderSys + "|other", genderSys + "|unknown"}
	for _, url := range []string{gender, gender + "|4.0.1"} {
		if got := expand(t, url); !slices.Equal(got, want) {
			t.Errorf("%s expands to %v", url, got)
		}
	}
	if n := len(expand(t, "http://hl7.org/fhir/ValueSet/resource-types")); n != 148 {
		t.Errorf("resource-types has %d members, want 148", n)
	}
}

func TestExpandListedConceptsOfASystemThatIsNotEmbedded(t *testing.T) {
	got := expand(t, "http://hl7.org/fhir/ValueSet/units-of-time")
	for _, code := range []string{"s", "min", "h", "d", "wk", "mo", "a"} {
		if !slices.Contains(got, "http://unitsofmeasure.org|"+code) {
			t.Errorf("units-of-time lacks %s: %v", code, got)
		}
	}
}

func TestExpandImportsOfValueSets(t *testing.T) {
	// all-types is the union of data-types and resource-types, by codes of both systems.
	got := expand(t, "http://hl7.org/fhir/ValueSet/all-types")
	for _, code := range []string{"http://hl7.org/fhir/resource-types|Patient", "http://hl7.org/fhir/data-types|HumanName"} {
		if !slices.Contains(got, code) {
			t.Errorf("all-types lacks %s", code)
		}
	}
}

func TestExpandFollowsTheHierarchy(t *testing.T) {
	got := expand(t, "http://terminology.hl7.org/ValueSet/v3-ActEncounterCode")
	for _, code := range []string{"AMB", "EMER", "IMP", "ACUTE", "NONAC", "VR"} {
		if !slices.Contains(got, actCode+"|"+code) {
			t.Errorf("v3-ActEncounterCode lacks %s", code)
		}
	}
	if slices.Contains(got, actCode+"|ACCTRECEIVABLE") {
		t.Error("v3-ActEncounterCode has a code of another branch")
	}
	if n := len(got); n > 20 {
		t.Errorf("v3-ActEncounterCode has %d members: too many", n)
	}
}

func TestExpandRefusesWhatIsNotEnumerable(t *testing.T) {
	for _, url := range []string{
		"http://hl7.org/fhir/ValueSet/clinical-findings", "http://hl7.org/fhir/ValueSet/mimetypes", "http://hl7.org/fhir/ValueSet/all-languages",
		"http://hl7.org/fhir/ValueSet/ucum-units", "http://hl7.org/fhir/ValueSet/nothing", genderSys, "",
	} {
		if _, ok := R4().Expand(url); ok {
			t.Errorf("%q is expanded", url)
		}
	}
}

func TestValueSetContainsTellsYesNoAndUndecided(t *testing.T) {
	for _, c := range []struct {
		set, system, code string
		member, ok        bool
	}{
		{gender, genderSys, "male", true, true},
		{gender, "", "male", true, true},
		{gender, "", "Male", false, true},
		{gender, genderSys, "m", false, true},
		{gender, "http://example.org", "male", false, true},
		{"http://hl7.org/fhir/ValueSet/mimetypes", "", "text/plain", false, false},
		{"http://hl7.org/fhir/ValueSet/mimetypes", genderSys, "male", false, true},
		{"http://hl7.org/fhir/ValueSet/body-site", snomed, "1", false, false},
		{"http://hl7.org/fhir/ValueSet/nothing", genderSys, "male", false, false},
		{"http://terminology.hl7.org/ValueSet/v2-2.1-0006", "http://terminology.hl7.org/CodeSystem/v2-0006", "A", true, true},
		// A fragment: its codes are members, others may be.
		{"http://hl7.org/fhir/ValueSet/insuranceplan-type", "http://terminology.hl7.org/CodeSystem/insurance-plan-type", "medical", true, true},
		{"http://hl7.org/fhir/ValueSet/insuranceplan-type", "http://terminology.hl7.org/CodeSystem/insurance-plan-type", "zoo", false, false},
	} {
		if member, ok := R4().ValueSetContains(c.set, c.system, c.code); member != c.member || ok != c.ok {
			t.Errorf("%s, %s|%s: %t, %t, want %t, %t", c.set, c.system, c.code, member, ok, c.member, c.ok)
		}
	}
}

func TestValueSetAlgebra(t *testing.T) {
	set := func(open []string, members ...string) *codeSet {
		s := newCodeSet()
		for _, m := range members {
			s.add(m[:1], false, m[1:])
		}
		for _, system := range open {
			s.open[system] = system != "*"
			s.anySystem = s.anySystem || system == "*"
		}
		delete(s.open, "*")
		return s
	}
	answers := func(s *codeSet) string {
		out := ""
		for _, code := range []string{"a1", "a2", "b1", "c1"} {
			switch in, ok := s.lookup(code[:1], code[1:]); {
			case in:
				out += "+"
			case ok:
				out += "-"
			default:
				out += "?"
			}
		}
		return out
	}
	for _, c := range []struct {
		name string
		got  *codeSet
		want string
	}{
		{"plain", set(nil, "a1", "b1"), "+-+-"},
		{"open system", set([]string{"a"}, "a1"), "+?--"},
		{"open for all", set([]string{"*"}, "a1"), "+???"},
		{"intersection", intersect(set(nil, "a1", "b1"), set(nil, "a1", "a2")), "+---"},
		{"intersection with open", intersect(set(nil, "a1", "b1"), set([]string{"b"}, "a1")), "+-?-"},
		{"intersection of open", intersect(set([]string{"a"}, "b1"), set([]string{"a"}, "a1", "b1")), "??+-"},
		{"intersection with all", intersect(set([]string{"c"}, "a1"), set([]string{"*"})), "??-?"},
		{"difference", set(nil, "a1", "a2").without(set(nil, "a2")), "+---"},
		{"difference of open", set([]string{"a"}, "a1", "b1").without(set(nil, "b1")), "+?--"},
		{"difference with open", set(nil, "a1", "b1").without(set([]string{"b"}, "a1")), "--?-"},
	} {
		if got := answers(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	union := set(nil, "a1")
	union.unite(set([]string{"c"}, "a1", "b1"))
	if got := answers(union); got != "+-+?" || len(union.members["a"].list) != 1 {
		t.Errorf("union: %s", got)
	}
}

func TestSubsumesFollowsTheHierarchy(t *testing.T) {
	for _, c := range []struct {
		system, ancestor, code string
		subsumes, ok           bool
	}{
		{actCode, "IMP", "ACUTE", true, true},
		{actCode, "_ActEncounterCode", "ACUTE", true, true},
		{actCode, "ACUTE", "IMP", false, true},
		{actCode, "ACUTE", "ACUTE", true, true},
		{actCode, "AMB", "ACUTE", false, true},
		{actCode, "AMB", "nothing", false, false},
		{roleCode, "PRN", "MTH", true, true},
		{snomed, "1", "2", false, false},
		{"http://example.org", "a", "a", false, false},
		{gender, "male", "male", false, false},
	} {
		if subsumes, ok := R4().Subsumes(c.system, c.ancestor, c.code); subsumes != c.subsumes || ok != c.ok {
			t.Errorf("%s: %s over %s: %t, %t, want %t, %t", c.system, c.ancestor, c.code, subsumes, ok, c.subsumes, c.ok)
		}
	}
}

func TestDescendantsAreWhatTheCodeSubsumes(t *testing.T) {
	codes, ok := R4().Descendants(actCode, "_ActEncounterCode")
	if !ok {
		t.Fatal("ActCode has no hierarchy")
	}
	below := slices.Collect(codes)
	if !slices.Contains(below, "ACUTE") || slices.Contains(below, "_ActEncounterCode") {
		t.Errorf("below _ActEncounterCode are %v", below)
	}
	for _, code := range below {
		if s, ok := R4().Subsumes(actCode, "_ActEncounterCode", code); !s || !ok {
			t.Errorf("%s is below _ActEncounterCode and not subsumed by it", code)
		}
	}
	if codes, ok := R4().Descendants(actCode, "ACUTE"); !ok || len(slices.Collect(codes)) > 0 {
		t.Error("ACUTE has descendants")
	}
	for _, c := range [][2]string{{actCode, "nothing"}, {snomed, "1"}, {"", ""}, {"http://terminology.hl7.org/CodeSystem/insurance-plan-type", "medical"}} {
		if _, ok := R4().Descendants(c[0], c[1]); ok {
			t.Errorf("%s|%s has descendants", c[0], c[1])
		}
	}
}

func TestHierarchyWithCycleEnds(t *testing.T) {
	cs := &codeSystem{number: map[string]int{}}
	a, b := cs.add("a"), cs.add("b")
	cs.link(a, b)
	cs.link(b, a)
	if got := slices.Collect(cs.reach(a, cs.children)); !slices.Equal(got, []int{b}) {
		t.Errorf("from a one reaches %v", got)
	}
}

// TestEveryValueSetAnswers compiles all value sets at once from several goroutines: none may hang, fail or differ.
func TestEveryValueSetAnswers(t *testing.T) {
	r := decode(indexFile, documentsFile)
	var wg sync.WaitGroup
	expanded := make([]int, 4)
	for i := range expanded {
		wg.Go(func() {
			for _, e := range r.documents {
				r.ValueSetContains(e.name, "", "x")
				if codes, ok := r.Expand(e.name); ok {
					expanded[i]++
					for system, code := range codes {
						if member, ok := r.ValueSetContains(e.name, system, code); !member || !ok {
							t.Errorf("%s expands to %s|%s and does not contain it", e.name, system, code)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	for _, n := range expanded {
		if n != expanded[0] || n < 1200 {
			t.Errorf("%d value sets are enumerable, %d elsewhere", n, expanded[0])
		}
	}
	t.Logf("%d value sets are enumerable", expanded[0])
}

// TestRequiredBindingsThatAreUndecided lists the required bindings that the embedded code systems can't decide: whoever checks bindings
// knows them by this list.
func TestRequiredBindingsThatAreUndecided(t *testing.T) {
	undecided := map[string]bool{}
	for _, typ := range R4().types {
		for _, e := range typ.Elements {
			if e.Binding == nil || e.Binding.Strength != "required" {
				continue
			}
			if _, ok := R4().Expand(e.Binding.ValueSet); !ok {
				undecided[e.Binding.ValueSet] = true
			}
		}
	}
	for _, url := range []string{
		"http://hl7.org/fhir/ValueSet/mimetypes", "http://hl7.org/fhir/ValueSet/ucum-units", "http://hl7.org/fhir/ValueSet/currencies",
		"http://loinc.org/vs/LL379-9",
	} {
		if !undecided[url] {
			t.Errorf("%s is decided", url)
		}
		delete(undecided, url)
	}
	for url := range undecided {
		t.Errorf("%s is undecided", url)
	}
}

func BenchmarkValueSetContains(b *testing.B) {
	b.ReportAllocs()
	r := R4()
	for b.Loop() {
		if in, _ := r.ValueSetContains(gender, "", "female"); !in {
			b.Fatal("not found")
		}
	}
}

func TestAncestorsAreWhatSubsumesTheCode(t *testing.T) {
	codes, ok := R4().Ancestors(actCode, "ACUTE")
	if !ok {
		t.Fatal("the ancestors of ACUTE are not known")
	}
	list := slices.Collect(codes)
	if !slices.Contains(list, "_ActEncounterCode") || slices.Contains(list, "ACUTE") {
		t.Errorf("ACUTE has the ancestors %v", list)
	}
	for _, a := range list {
		if is, ok := R4().Subsumes(actCode, a, "ACUTE"); !ok || !is {
			t.Errorf("%s does not subsume ACUTE", a)
		}
	}
	if _, ok := R4().Ancestors(actCode, "no such code"); ok {
		t.Error("an unknown code has ancestors")
	}
	if _, ok := R4().Ancestors(snomed, "73211009"); ok {
		t.Error("a code of a system that is not embedded has ancestors")
	}
}
