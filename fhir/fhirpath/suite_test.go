package fhirpath

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// unmet lists the cases of the official suite that are not met, each with the sentence of the specification that says otherwise.
var unmet = map[string]string{
	"testPlusDate19": `N1, Date/Time Arithmetic: "For precisions above seconds, the decimal portion of the time-valued quantity is ignored"; ` +
		`a second is not above seconds, so 0.1 's' is added as 100 milliseconds.`,
	"HighBoundaryDateTimeMillisecond1": `highBoundary: "The greatest possible value of the input to the specified precision." N1, Literals, DateTime: ` +
		`@2014-01-01T08 is a DateTime to the hour, whose greatest value is 08:59:59.999; the suite reads it as 08:00 to the minute.`,
	"HighBoundaryDateTimeMillisecond3": "As HighBoundaryDateTimeMillisecond1: the same expression.",
}

// TestOfficialSuite runs the official R4 suite. Every case counts; one that is not met must stand in unmet, and one that is met must not.
func TestOfficialSuite(t *testing.T) {
	counts := map[string]int{}
	for _, c := range suite(t) {
		counts["cases"]++
		err := runSuiteCase(t, c)
		why := unmet[c.Name]
		switch {
		case err == nil && why == "":
			counts["met"]++
		case err == nil:
			t.Errorf("%s is met and stands in the list of the unmet", c.Name)
		case why != "":
			counts["unmet, with reason"]++
		default:
			t.Errorf("%s: %s\n\t%v", c.Name, c.Expression.Text, err)
		}
	}
	t.Logf("official R4 suite: %v", counts)
}

func runSuiteCase(t *testing.T, c suiteCase) error {
	input := c.Input
	var opts []Option
	focus := Item{}
	if input == "" {
		input = "patient-example.xml"
	}
	r := suiteInput(t, input)
	opts = append(opts, WithType(r.Type()))
	if c.CheckOrder {
		opts = append(opts, WithOrderCheck())
	}
	p, err := Compile(c.Expression.Text, opts...)
	var got Collection
	if err == nil {
		focus = ResourceItem(p.reg, r)
		got, err = p.Eval(focus, nil)
	}
	if c.Expression.Invalid != "" {
		if err == nil {
			return fmt.Errorf("got %v, want an error (%s)", got.Lines(), c.Expression.Invalid)
		}
		if !strings.HasPrefix(string(issueOf(err).ID), "fhirpath-") {
			return fmt.Errorf("an error without an issue id of the package: %v", err)
		}
		if (c.Expression.Invalid == "syntax") != (issueOf(err).ID == fhir.IDFHIRPathSyntax) && c.Expression.Invalid == "syntax" {
			return fmt.Errorf("not a syntax error: %v", err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if c.Predicate {
		b := len(got) == 1 && (got[0].Kind() != Boolean || got[0].Text() == "true")
		got = Collection{BooleanItem(b)}
	}
	var want, have []string
	for _, o := range c.Outputs {
		text := strings.TrimPrefix(strings.TrimPrefix(o.Text, "@"), "T")
		if o.Type != "" {
			text = o.Type + " " + text
		} else if d, err := fhir.ParseDecimal(text); err == nil {
			text = d.String() // a Decimal has no -0.0
		}
		want = append(want, text)
	}
	for i, it := range got {
		text := it.Text()
		if i < len(c.Outputs) && c.Outputs[i].Type != "" {
			text = suiteType(it) + " " + text
		}
		have = append(have, text)
	}
	if c.Ordered == "false" {
		slices.Sort(want)
		slices.Sort(have)
	}
	if !slices.Equal(want, have) {
		return fmt.Errorf("got %q, want %q", have, want)
	}
	return nil
}

// suiteType names the type of an item as the suite does, which takes System types and FHIR primitives for one another.
func suiteType(it Item) string {
	name := strings.TrimPrefix(it.Type(), "System.")
	if it.IsSystem() && name != "Quantity" {
		name = strings.ToLower(name[:1]) + name[1:]
	}
	return name
}

func issueOf(err error) fhir.Issue {
	if e, ok := err.(*fhir.Error); ok && len(e.Issues) > 0 {
		return e.Issues[0]
	}
	return fhir.Issue{}
}
