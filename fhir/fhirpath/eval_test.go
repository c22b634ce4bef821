package fhirpath

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

const record = `{"resourceType":"Observation","id":"o","status":"final",
"_status":{"extension":[{"url":"http://x/e","valueString":"why"}]},
"contained":[{"resourceType":"Patient","id":"p","name":[{"family":"Doe"}]}],
"subject":{"reference":"#p"},
"performer":[{"reference":"Practitioner/1"},{"reference":"http://h/fhir/Organization/2/_history/3"},{"reference":"urn:uuid:1","type":"Patient"},{"identifier":{"value":"x"}},{"reference":"Practitioner?identifier=7"}],
"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"},{"system":"http://loinc.org","code":"1"}],"text":"Pressure"},
"effectiveDateTime":"2024-05-01T10:00:00+02:00","issued":"2024-05-01T08:00:00Z",
"valueQuantity":{"value":2.50,"unit":"years","system":"http://unitsofmeasure.org","code":"a"},
"referenceRange":[{"low":{"value":1,"comparator":"<"}}],
"component":[{"code":{"text":"a"},"_valueString":{"id":"v"}},{"code":{"text":"b"},"valueInteger":7},{"code":{"text":"c"},"valueBoolean":true}]}`

func parsed(t testing.TB, src string) fhir.Resource {
	t.Helper()
	r, err := fhir.ParseResource([]byte(src), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func evaluate(t testing.TB, r fhir.Resource, expr string, env *Env, opts ...Option) (string, error) {
	t.Helper()
	p, err := Compile(expr, append([]Option{WithType(r.Type())}, opts...)...)
	if err != nil {
		return "", err
	}
	c, err := p.Eval(ResourceItem(definition.R4(), r), env)
	return strings.Join(c.Lines(), "; "), err
}

func TestAnswers(t *testing.T) {
	r := parsed(t, record)
	for _, c := range []struct{ expr, want string }{
		// Typed paths: choice elements, primitives with extensions only, contained resources.
		{"value.type().name", "Quantity"}, {"component.value.type().name", "string; integer; boolean"}, {"component.value.hasValue()", "false"},
		{"component.value.ofType(integer) + 1", "8"}, {"(component[1].value as integer) * 2", "14"}, {"component.where(value is boolean).code.text", "c"},
		{"status.extension('http://x/e').value", "why"}, {"component[0].value.id", "v"}, {"component[0].value.exists()", "true"},
		{"contained.name.family", "Doe"}, {"contained.ofType(Patient).name.family", "Doe"}, {"subject.resolve().name.family", "Doe"},
		{"contained.where(resolve() is Patient).count()", "0"},
		{"status.value", "final"}, {"status.getValue().type().namespace", "System"}, {"code.coding[1].code", "1"},
		// Quantities of the record: a UCUM year stands for the calendar's too, and a comparator has no single value.
		{"value = 2.5 'a'", "true"}, {"value = 30 months", "true"}, {"value > 2 years", "true"}, {"value.value", "2.50"}, {"@2020-01-15 + value", "2022-01-15"},
		{"referenceRange.low > 0", ""}, {"referenceRange.low = referenceRange.low", "true"}, {"value + 1 'a'", "3.50 'a'"},
		// Dates.
		{"effective = issued", "true"}, {"effective < @2024-05-01", ""}, {"effective < @2024-05-02", "true"}, {"effective.toDate()", "2024-05-01"},
		{"@2024-01-31 + 1 month", "2024-02-29"}, {"@2024 + 13 months", "2025"}, {"@2024-05 + 45 days", "2024-06"}, {"@T23:30 + 45 minutes", "00:15"},
		{"@2024-02-29 + 1 year", "2025-02-28"}, {"@2024-01-01T00:00:00Z - 1 's'", "2023-12-31T23:59:59Z"}, {"@2024-01-01T10:00 + 90 seconds", "2024-01-01T10:01"},
		{"@9999-12-31 + 1 day", ""}, {"@0001-01-01 - 1 day", ""}, {"@2024-01-01 + 99999999999999999 hours", ""}, {"@2024 = @2024-01", ""}, {"@2024 = @2025-01", "false"},
		{"@2024-01-01T00:00:00 < @2024-01-03T00:00:00Z", "true"}, {"@2024-01-01T00:00:00 < @2024-01-01T10:00:00Z", ""}, {"@2024-05-01T00:30:00 + 25 hours", "2024-05-02T01:30:00"},
		// Numbers.
		{"9223372036854775807 + 1", ""}, {"-9223372036854775808", "-9223372036854775808"}, {"-9223372036854775808 + 1", "-9223372036854775807"}, {"-(-9223372036854775808)", ""}, {"0.1 + 0.2 = 0.3", "true"}, {"1 / 3", "0.3333333333333333333333333333"}, {"7 mod 0", ""}, {"-7 div 2", "-3"}, {"-7 mod 2", "-1"},
		{"2.power(-1)", "0.5"}, {"2.power(0.5).round(4)", "1.4142"}, {"10.0.power(64).power(64)", ""}, {"2.power(100)", "1267650600228229401496703205376"}, {"2.power(-10)", "0.0009765625"}, {"2.power(-10) = 0.0009765625", "true"}, {"2.power(-30) > 0", "true"}, {"3.power(41)", "36472996377170786403"},
		{"(-2).power(3)", "-8"}, {"(-2).power(-3)", "-0.125"}, {"(-1).power(0.5)", ""}, {"0.power(0)", "1"}, {"0.power(-1)", ""}, {"0.power(5)", "0"}, {"2.power(3).type().name", "Integer"}, {"2.power(3.0)", "8"}, {"2.power(3.0).type().name", "Decimal"}, {"2.5.power(2)", "6.25"},
		{"1.power(9223372036854775807)", "1"}, {"(-1).power(9223372036854775807)", "-1"}, {"2.power(9223372036854775807)", ""}, {"0.5.power(9223372036854775807) = 0", "true"}, {"2.power(-9223372036854775807) = 0", "true"}, {"0.5.power(-9223372036854775807)", ""},
		{"0.5.power(-3)", "8"}, {"10.power(99).toString().length()", "100"}, {"10.power(100)", ""}, {"0.5.power(-330).toString().length()", "100"}, {"0.5.power(-340)", ""}, {"1.1.power(100)", "13780.6123398222701841183371720896"}, {"1.00000001.power(1000000000) > 22026.4", "true"},
		{"1.00000001.power(1000000000) < 22026.5", "true"}, {"16.log(0)", ""}, {"16.log(1)", ""}, {"16.log(-2)", ""}, {"16.log(2)", "4"}, {"(2.5).round()", "3"}, {"(-2.5).round()", "-3"}, {"0.ln()", ""},
		{"'12'.toInteger() + 1", "13"}, {"'1.5'.toDecimal() * 2", "3.0"}, {"'x'.toInteger()", ""}, {"'+5'.toInteger()", "5"}, {"007", "7"},
		// Texts.
		{"'häuser'.substring(1, 3)", "äus"}, {"'häuser'.length()", "6"}, {"'häuser'.indexOf('u')", "2"}, {"'aXbX'.lastIndexOf('X')", "3"}, {"'a b'.split(' ')", "a; b"},
		{"'abc'.replaceMatches('(b)', '[$1]')", "a[b]c"}, {"'abc'.replaceMatches('(b)', '$1x')", "abxc"}, {"'abc'.replaceMatches('(b)', '$12')", "ab2c"}, {"'abc'.replaceMatches('b', '$1')", "a$1c"},
		{"'abc'.replaceMatches('b', '$0$0_')", "abb_c"}, {"'abc'.replaceMatches('b', '$$1$')", "a$1$c"}, {"'abc'.replaceMatches('(?<m>b)', '${m}m$mm${n}$m')", "abm$mm${n}bc"}, {"'abc'.replaceMatches('b', '${0}${')", "ab${c"},
		{"'abcdefghijk'.replaceMatches('(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)', '$11$01$110$12')", "kak0a2"},
		{"'11/30/1972'.replaceMatches('\\\\b(?<month>\\\\d{1,2})/(?<day>\\\\d{1,2})/(?<year>\\\\d{2,4})\\\\b', '${day}-${month}-${year}')", "30-11-1972"}, {"'Ab  c' ~ 'aB C'", "true"}, {"'ab' ~ 'a b'", "false"}, {"'ß'.upper()", "ß"}, {"'x' & {} & 'y'", "xy"},
		{"'<a>'.escape('html')", "<a>"}, {"'abc'.toChars().count()", "3"}, {"('a' | 'b').join('-')", "a-b"}, {"'\\u00e4'", "ä"}, {"'\\ud83d\\ude00'.length()", "1"},
		// Collections.
		{"(1 | 2 | 3).skip(-1).count()", "3"}, {"(1 | 2 | 3).take(-1).count()", "0"}, {"(1 | 2 | 3).last()", "3"}, {"{}.first()", ""}, {"(1).combine(1).distinct()", "1"},
		{"(1 | 2).subsetOf(1 | 2 | 3)", "true"}, {"(1 | 2).supersetOf(3)", "false"}, {"component.code.text.where($index > 0)", "b; c"}, {"(1 | 2 | 3).aggregate($total + $this, 0)", "6"},
		{"component.select($index)", "0; 1; 2"}, {"component.code.text.$this", "a; b; c"}, {"component.$index", "0; 1; 2"}, {"$index", ""}, {"code.text & $index.toString()", "Pressure"}, {"{} in (1 | 2)", ""}, {"1 in {}", "false"}, {"(1 | 2) contains 2", "true"}, {"(1 | 1.0 | 1 '1').count()", "1"},
		{"code.coding.repeat(code)", "8480-6; 1"}, {"component[0] is Observation.component", "true"}, {"component[0] is FHIR.Observation.component", "true"}, {"component.code.text.sort(-$this)", "c; b; a"}, {"(3 | 1 | 2).sort()", "1; 2; 3"},
		{"(true | false).anyTrue()", "true"}, {"(true).anyFalse()", "false"}, {"(false).allFalse()", "true"}, {"{}.allTrue()", "true"}, {"{}.anyTrue()", "false"},
		{"code ~ code", "true"}, {"code.coding[0] ~ code.coding[1]", "false"}, {"performer[0] ~ performer[1]", "false"}, {"contained ~ contained.where(true)", "true"},
		{"component.code.text.intersect('a' | 'c' | 'z')", "a; c"}, {"component.code.text.exclude('a')", "b; c"}, {"component.code.text.combine('a').count()", "4"}, {"component.tail().code.text", "b; c"},
		{"component.code.text.union('a' | 'q')", "a; b; c; q"}, {"component.all(code.exists())", "true"}, {"component.code.text.isDistinct()", "true"}, {"code.coding.repeat(system).count()", "1"},
		// Conversions.
		{"'2024-05-01T10:00:00Z'.toDate()", "2024-05-01"}, {"'2024-05'.toDateTime()", "2024-05"}, {"@2024-05-01.toDateTime()", "2024-05-01"}, {"'x'.toDate()", ""}, {"1.toDate()", ""}, {"'10:30'.toTime()", "10:30"},
		{"'x'.toTime()", ""}, {"@T10:00.toTime()", "10:00"}, {"'yes'.toBoolean()", "true"}, {"'N'.toBoolean()", "false"}, {"0.0.toBoolean()", "false"}, {"'maybe'.toBoolean()", ""}, {"effective.toDateTime() = effective", "true"},
		{"'5'.convertsToQuantity('mg')", "false"}, {"'5 \\'g\\''.toQuantity('mg')", "5000 'mg'"}, {"'5 weeks'.toQuantity()", "5 weeks"}, {"true.toQuantity()", "1.0 '1'"}, {"code.toString()", ""},
		// Quantities.
		{"1 'kg' + 500 'g'", "1500 'g'"}, {"1 'kg' - 500 'kg'", "-499 'kg'"}, {"1 'kg' + 1 's'", ""}, {"2 'm' * 3", "6 'm'"}, {"6 'm' / 2 's'", "3 'm.s-1'"}, {"6 'm' / 0", ""}, {"1 / 2 'm'", "0.5 'm-1'"}, {"3 days + 1 day", "4 days"}, {"1 year + 1 month", "13 months"}, {"1 month - 1 year", "-11 months"}, {"1 year + 1 'month'", "13 months"}, {"1 year + 1 day", ""},
		{"2 hours + 30 minutes", "9000 's'"}, {"-(3 'm')", "-3 'm'"}, {"(-3 'm').abs()", "3 'm'"}, {"1 year > 11 months", "true"}, {"1 month = 30 days", "true"}, {"1 'mo' = 1 month", ""}, {"1 'foo' * 2 'bar'", ""}, {"3 'm' mod 2", "E"},
		// Boundaries.
		{"@2024-02.highBoundary()", "2024-02-29"}, {"@2024.lowBoundary()", "2024-01-01"}, {"@2024-05-01T10:00:00Z.highBoundary(14)", "2024-05-01T10:00:00Z"}, {"@T10.highBoundary(4)", "10:59"}, {"effective.lowBoundary(10)", "2024-05-01T10+02:00"},
		{"1.5 'mg'.highBoundary(2)", "1.55 'mg'"}, {"@2024.lowBoundary(5)", ""}, {"1.lowBoundary(40)", ""}, {"'x'.length().precision()", "0"}, {"@2024-05.precision()", "6"}, {"1 'm'.comparable('x')", "false"},
		// Reflection.
		{"code.type().baseType", "FHIR.Element"}, {"1.type().baseType", "System.Any"}, {"type().baseType", "FHIR.DomainResource"}, {"type().element.where(name = 'value').type.startsWith('FHIR.Quantity | FHIR.Cod')", "true"},
		{"type().element.where(name = 'component').type", "List<FHIR.Observation.component>"}, {"status.type().element", ""}, {"code.type()", "FHIR.CodeableConcept"}, {"code.type().children().count()", "7"},
		// Variables.
		{"defineVariable('n', code.text).select(%n & '!')", "Pressure!"}, {"component.defineVariable('c').select(%c.code.text)", "a; b; c; a; b; c; a; b; c"},
		{"%resource.id", "o"}, {"contained.select(%rootResource.id)", "o"}, {"%context.status", "final"}, {"%`vs-x`", "http://hl7.org/fhir/ValueSet/x"}, {"%'ext-y'", "http://hl7.org/fhir/StructureDefinition/y"},
		// Logic.
		{"{} and false", "false"}, {"{} or true", "true"}, {"{} implies true", "true"}, {"true xor {}", ""}, {"(1 | 2).exists($this > 1)", "true"}, {"{}.all(false)", "true"}, {"false and (1 | 2)", "false"},
		{"iif({}, 1, 2)", "2"}, {"iif(true, 1)", "1"}, {"1 'kg' = 1 's'", "false"}, {"1 'kg' > 1 's'", ""}, {"1 'foo' = 1 'foo'", "true"}, {"1 'foo' = 1 'bar'", ""},
		{"1 year = 1 'a'", ""}, {"1 year ~ 1 'a'", "true"}, {"37 'Cel' = 98.6 '[degF]'", "true"}, {"1 'kg'.toQuantity('g')", "1000 'g'"}, {"'5 days'.toQuantity('h')", "120 'h'"},
		{"{}.toString()", ""}, {"true.toString()", "true"}, {"(1 | 2) = (2 | 1)", "false"}, {"(1 | 2) ~ (2 | 1)", "true"}, {"code = code", "true"}, {"code.coding[0] = code.coding[1]", "false"},
		{"code.elementDefinition().path", "Observation.code"}, {"component[1].code.text.elementDefinition().path", "CodeableConcept.text"}, {"value.elementDefinition().path", "Observation.value[x]"},
		{"conformsTo('http://hl7.org/fhir/StructureDefinition/DomainResource')", "true"}, {"checkModifiers().id", "o"}, {"children().where($this is CodeableConcept).text", "Pressure"},
	} {
		got, err := evaluate(t, r, c.expr, nil)
		want := c.want
		if want == "E" {
			if err == nil {
				t.Errorf("%s: got %q, want an error", c.expr, got)
			}
			continue
		}
		if c.expr == "'<a>'.escape('html')" {
			want = "&lt;a&gt;"
		}
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", c.expr, got, err, want)
		}
	}
}

func TestErrorsNamePlaceAndExpectation(t *testing.T) {
	r := parsed(t, record)
	for _, c := range []struct {
		expr string
		id   fhir.IssueID
		text string
	}{
		{"code.", fhir.IDFHIRPathSyntax, "column 6: found the end of the expression; expected a name"}, {"code..text", fhir.IDFHIRPathSyntax, "column 6"}, {"1 +", fhir.IDFHIRPathSyntax, "column 4"},
		{"'abc", fhir.IDFHIRPathSyntax, "column 1: a quoted literal does not end"}, {"a /* b", fhir.IDFHIRPathSyntax, "column 3: a comment does not end"}, {"(1", fhir.IDFHIRPathSyntax, "expected ')'"}, {"a b", fhir.IDFHIRPathSyntax, "column 3"},
		{"'\\x'", fhir.IDFHIRPathSyntax, "unknown escape"}, {"'\\ud800'", fhir.IDFHIRPathSyntax, "half of a character"}, {"'\\ud800\\u0041'", fhir.IDFHIRPathSyntax, "half of a character"}, {"'\\udc00\\ud800'", fhir.IDFHIRPathSyntax, "half of a character"}, {"code | div", fhir.IDFHIRPathSyntax, "`div`"}, {"code.div", fhir.IDFHIRPathElement, "no such element"}, {"code. + 1", fhir.IDFHIRPathSyntax, "found '+'; expected a name"}, {"@2024-13-01", fhir.IDFHIRPathSyntax, "date of the calendar"}, {"$that", fhir.IDFHIRPathSyntax, "$this"}, {"a.$that", fhir.IDFHIRPathSyntax, "column 3"}, {"code\n.nope", fhir.IDFHIRPathElement, "line 2 column 2"},
		{"code.nope", fhir.IDFHIRPathElement, "column 6: CodeableConcept has no such element"}, {"cdoe", fhir.IDFHIRPathElement, "expected an element of Observation; did you mean code?"}, {"code.Text", fhir.IDFHIRPathElement, "did you mean text?"}, {"component.valeu", fhir.IDFHIRPathElement, "did you mean value?"},
		{"code.exist()", fhir.IDFHIRPathFunction, "did you mean exists?"}, {"code.xyzzy", fhir.IDFHIRPathElement, "expected an element of CodeableConcept"}, {"code." + strings.Repeat("x", 200), fhir.IDFHIRPathElement, "CodeableConcept"}, {"1.nope", fhir.IDFHIRPathElement, "Integer"}, {"valueQuantity", fhir.IDFHIRPathElement, "'value'"}, {"Patient.name", fhir.IDFHIRPathElement, "the context is Observation"},
		{"value.ofType(Quantity).family", fhir.IDFHIRPathElement, "Quantity has no such element"}, {"code.nope()", fhir.IDFHIRPathFunction, "unknown function"}, {"code.first(1)", fhir.IDFHIRPathFunction, "no argument"}, {"substring()", fhir.IDFHIRPathFunction, "1 to 2 arguments"},
		{"code is Nope", fhir.IDFHIRPathType, "unknown type"}, {"code.ofType(1)", fhir.IDFHIRPathType, "the name of a type"}, {"code + 1", fhir.IDFHIRPathType, "cannot apply +"}, {"code < 1", fhir.IDFHIRPathType, "cannot compare"}, {"-status", fhir.IDFHIRPathType, "code"}, {"code.upper()", fhir.IDFHIRPathType, "CodeableConcept"},
		{"%nope", fhir.IDFHIRPathVariable, "external constant"}, {"defineVariable('a').defineVariable('a')", fhir.IDFHIRPathVariable, "twice"}, {"defineVariable('a', 1) | %a", fhir.IDFHIRPathVariable, "unknown"}, {"code.coding.single()", fhir.IDFHIRPathSingleton, "several"},
		{"component.value is integer", fhir.IDFHIRPathSingleton, "ofType()"}, {"component.code.text + 'x'", fhir.IDFHIRPathSingleton, "at most one"}, {"(1 | 2) and true", fhir.IDFHIRPathSingleton, "several"}, {"code.text.matches('[')", fhir.IDFHIRPathRegex, "RE2"},
		{"code.text.matches('(?=a)')", fhir.IDFHIRPathRegex, "look-around"}, {"performer[0].resolve()", fhir.IDFHIRPathUnsupported, "resolver"}, {"code.memberOf('http://x')", fhir.IDFHIRPathUnsupported, "terminology"}, {"code.subsumes(code)", fhir.IDFHIRPathUnsupported, "terminology"},
		{"conformsTo('http://x')", fhir.IDFHIRPathUnsupported, "profile"}, {"slice('http://x', 'y')", fhir.IDFHIRPathUnsupported, "profiles"}, {"component.select(value + 'x')", fhir.IDFHIRPathType, "not defined"}, {"@2024-01-01 + 1 'mo'", fhir.IDFHIRPathType, "calendar unit"},
		{"contained.modifierExtension.select(1/0)", "", ""}, {"where(1)", fhir.IDFHIRPathType, "a Boolean"}, {"iif(1, 2)", fhir.IDFHIRPathType, "a Boolean"}, {"code.coding['a']", fhir.IDFHIRPathType, "an Integer"},
		{"99999999999999999999", fhir.IDFHIRPathSyntax, "64 bits"},
	} {
		_, err := evaluate(t, r, c.expr, nil)
		if c.id == "" {
			if err != nil {
				t.Errorf("%s: %v", c.expr, err)
			}
			continue
		}
		if is := issueOf(err); is.ID != c.id || !strings.Contains(is.Text, c.text) {
			t.Errorf("%s: got %s %q, want %s with %q", c.expr, is.ID, is.Text, c.id, c.text)
		}
	}
}

func TestReferencesSayTheirTypes(t *testing.T) {
	r := parsed(t, record)
	for _, c := range []struct{ expr, want string }{
		{"Observation.performer.where(resolve() is Practitioner).reference", "Practitioner/1"},
		{"Observation.performer.where(resolve() is Organization).reference", "http://h/fhir/Organization/2/_history/3"},
		{"Observation.performer.where(resolve() is Patient).reference", "urn:uuid:1"},
		{"Observation.subject.where(resolve() is Patient).reference", "#p"}, {"Observation.subject.where(resolve() is Group).reference", ""},
		{"Observation.performer.where(resolve() is DomainResource).count()", "3"}, {"Observation.performer.where(resolve().is(Practitioner)).reference", "Practitioner/1"},
		{"Observation.subject.resolve() is Patient", "true"}, {"Observation.subject.resolve().is(Group)", "false"}, {"Patient.name | Observation.code.text", "Pressure"}, {"Patient.name", ""},
		{"(Observation.component.value as integer)", "7"}, {"Observation.component.value.as(Boolean)", "true"},
	} {
		got, err := evaluate(t, r, c.expr, nil, ForSearch())
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.expr, got, err, c.want)
		}
	}
}

func TestSearchDoesNotAskBeyondTheResource(t *testing.T) {
	for _, expr := range []string{"Observation.subject.resolve().id", "Observation.code.where(memberOf('http://x'))", "Observation.code.subsumes(code)"} {
		if _, err := Compile(expr, WithType("Observation"), ForSearch()); issueOf(err).ID != fhir.IDFHIRPathUnsupported {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

// services answers for all interfaces.
type services struct{ r fhir.Resource }

func (s services) Resolve(_ context.Context, from fhir.Resource, url string) (fhir.Resource, bool, error) {
	return s.r, url == "Practitioner/1" && from.ID() == "o", nil
}

func (s services) MemberOf(_ context.Context, codes iter.Seq[Code], valueSet string) (bool, bool, error) {
	for c := range codes {
		if c == (Code{"http://loinc.org", "1"}) || c == (Code{"", "final"}) {
			return true, true, nil
		}
	}
	return false, valueSet != "http://unknown", nil
}

func (s services) Subsumes(_ context.Context, a, b Code) (bool, bool, error) {
	return a.Code < b.Code, a.System == b.System, nil
}

func (s services) ConformsTo(_ context.Context, it Item, profile string) (bool, bool, error) {
	return it.Type() != "", profile == "http://p", nil
}

func (s services) InSlice(_ context.Context, it Item, structure, slice string) (bool, bool, error) {
	return it.Node().Get("code").Get("text").Text() == slice, structure == "http://p", nil
}

func TestInterfacesAnswer(t *testing.T) {
	r := parsed(t, record)
	s := services{parsed(t, `{"resourceType":"Practitioner","id":"1","name":[{"family":"Roe"}]}`)}
	var traced []string
	env := &Env{Resolver: s, Terminology: s, Conformance: s, Now: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC),
		Variables: map[string]Collection{"mine": {IntegerItem(5), StringItem("x")}},
		Trace: func(name string, items Collection) {
			traced = append(traced, name+"="+strings.Join(items.Lines(), ","))
		}}
	for _, c := range []struct{ expr, want string }{
		{"performer[0].resolve().name.family", "Roe"}, {"performer[1].resolve()", ""}, {"code.memberOf('http://v')", "true"}, {"status.memberOf('http://v')", "true"}, {"code.coding[0].memberOf('http://v')", "false"},
		{"code.coding[0].memberOf('http://unknown')", ""}, {"code.coding[1].subsumes(code.coding[0])", "true"}, {"code.coding[1].subsumedBy(code.coding[0])", "false"}, {"conformsTo('http://p')", "true"},
		{"%mine.count()", "2"}, {"%mine.first() + 1", "6"}, {"today()", "2024-05-06"}, {"timeOfDay()", "07:08:09.000"}, {"now().toString()", "2024-05-06T07:08:09.000Z"},
		{"code.text.trace('t')", "Pressure"}, {"component.trace('u', code.text).count()", "3"},
		{"component.slice('http://p', 'b').value", "7"},
	} {
		got, err := evaluate(t, r, c.expr, env, WithVariables("mine"))
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.expr, got, err, c.want)
		}
	}
	if want := []string{"t=Pressure", "u=a,b,c"}; !slices.Equal(traced, want) {
		t.Errorf("traced %q, want %q", traced, want)
	}
	if _, err := evaluate(t, r, "conformsTo('http://q')", env); issueOf(err).ID != fhir.IDFHIRPathTerminology {
		t.Errorf("an unknown profile: %v", err)
	}
}

func TestReferencesResolveWithinABundle(t *testing.T) {
	r := parsed(t, `{"resourceType":"Bundle","type":"collection","entry":[
		{"fullUrl":"http://h/fhir/Patient/1","resource":{"resourceType":"Patient","id":"1","name":[{"family":"Doe"}]}},
		{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Group","id":"2","active":true}},
		{"fullUrl":"http://h/fhir/Observation/3","resource":{"resourceType":"Observation","id":"3","subject":{"reference":"Patient/1"},"focus":[{"reference":"urn:uuid:2"}]}}]}`)
	for _, c := range []struct{ expr, want string }{
		{"entry[2].resource.subject.resolve().name.family", "Doe"}, {"entry[2].resource.focus.resolve().active", "true"},
		{"entry.resource.ofType(Patient).name.family", "Doe"}, {"entry.resource.select(%resource.type)", "collection; collection; collection"},
	} {
		if got, err := evaluate(t, r, c.expr, nil); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.expr, got, err, c.want)
		}
	}
}

func TestLimitsAreErrors(t *testing.T) {
	r := parsed(t, record)
	limits := WithLimits(Limits{Steps: 20_000, Items: 500, Text: 1000, Regex: 20})
	for _, expr := range []string{
		"(1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9).select($this | 10 | 11).repeat($this + 1)", "1.repeat($this + 1)", "1.combine(2).repeat($this & 'x')",
		"descendants().select(%resource.descendants())", "'" + strings.Repeat("x", 600) + "'.replace('x', 'yyyy')", "'a'.matches('" + strings.Repeat("a", 30) + "')",
		"('" + strings.Repeat("x", 500) + "' | 'y').join('" + strings.Repeat("z", 600) + "')", strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300),
		strings.Repeat("1+", 5000) + "1", strings.Repeat("-", 300) + "1", "'" + strings.Repeat("x", maxSource) + "'",
	} {
		_, err := evaluate(t, r, expr, nil, limits)
		if issueOf(err).ID != fhir.IDFHIRPathLimit {
			t.Errorf("%.60s: got %v", expr, err)
		}
	}
	// What multiplies where it nests must not, or this takes hours: closures, types that are looked for twice, repetitions in patterns.
	for _, expr := range []string{
		strings.Repeat("repeat(", 60) + "contained" + strings.Repeat(")", 60), "subject" + strings.Repeat(".resolve().is(Patient)", 60),
		"status.matches('((a{30}){30}){30}')", "('" + strings.Repeat("x", 500) + "').matches('(x{1,200}){1,20}y')",
	} {
		_, err := evaluate(t, r, expr, nil, ForSearch(), WithLimits(Limits{Steps: 20_000}))
		if err != nil && issueOf(err).ID != fhir.IDFHIRPathLimit && issueOf(err).ID != fhir.IDFHIRPathRegex {
			t.Errorf("%.60s: %v", expr, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := evaluate(t, r, "descendants().select(%resource.descendants()).count()", &Env{Context: ctx}); fhir.KindOf(err) != fhir.KindUnavailable {
		t.Errorf("a context that is done: %v", err)
	}
}

func TestOrderIsCheckedOnRequest(t *testing.T) {
	r := parsed(t, record)
	for _, expr := range []string{"children().skip(1)", "descendants().first()", "children()[0]", "children().where(true).last()"} {
		if _, err := evaluate(t, r, expr, nil); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
		if _, err := evaluate(t, r, expr, nil, WithOrderCheck()); issueOf(err).ID != fhir.IDFHIRPathOrder {
			t.Errorf("%s with the check: %v", expr, err)
		}
	}
}

func TestAProgramServesManyAtOnce(t *testing.T) {
	r := parsed(t, record)
	p, err := Compile("component.where(code.text = 'b').value | code.coding.code", WithType("Observation"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				c, err := p.EvalResource(r)
				if got := strings.Join(c.Lines(), " "); err != nil || got != "7 8480-6 1" {
					t.Errorf("got %q, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestPlainPathsDoNotAllocate(t *testing.T) {
	r := parsed(t, record)
	focus := ResourceItem(definition.R4(), r)
	n := 0
	yield := func(it Item) bool { n++; return it.Type() != "" }
	for _, expr := range []string{"Observation.code.coding.code", "Observation.value", "Observation.performer.where(resolve() is Practitioner)", "Observation.component.where(value = true)", "Patient.name | Observation.code"} {
		p, err := Compile(expr, WithType("Observation"), ForSearch())
		if err != nil {
			t.Fatal(err)
		}
		if a := testing.AllocsPerRun(100, func() { _ = p.Each(focus, nil, yield) }); a > 0.5 {
			t.Errorf("%s: %v allocations", expr, a)
		}
	}
	if n == 0 {
		t.Error("nothing was yielded")
	}
}

func TestResultsAsParameters(t *testing.T) {
	r := parsed(t, record)
	for _, c := range []struct{ expr, want string }{
		{"{}", `{"resourceType":"Parameters"}`},
		{"status", `{"resourceType":"Parameters","parameter":[{"name":"result","valueCode":"final","_valueCode":{"extension":[{"url":"http://x/e","valueString":"why"}]}}]}`},
		{"1 | 1.50 | 'x\"'", `{"resourceType":"Parameters","parameter":[{"name":"result","valueInteger":1},{"name":"result","valueDecimal":1.50},{"name":"result","valueString":"x\""}]}`},
		{"true", `{"resourceType":"Parameters","parameter":[{"name":"result","valueBoolean":true}]}`},
		{"contained", `{"resourceType":"Parameters","parameter":[{"name":"result","resource":{"resourceType":"Patient","id":"p","name":[{"family":"Doe"}]}}]}`},
		{"component[1]", `{"resourceType":"Parameters","parameter":[{"name":"result","part":[{"name":"code","valueString":"{\"text\":\"b\"}"},{"name":"valueInteger","valueString":"7"}]}]}`},
		{"3 'mg' | 2 days", `{"resourceType":"Parameters","parameter":[{"name":"result","valueQuantity":{"value":3,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}},{"name":"result","valueQuantity":{"value":2,"unit":"day"}}]}`},
		{"@2024-05 | @2024-05-01T10:00:00Z | @T10:00:00", `{"resourceType":"Parameters","parameter":[{"name":"result","valueDate":"2024-05"},{"name":"result","valueDateTime":"2024-05-01T10:00:00Z"},{"name":"result","valueTime":"10:00:00"}]}`},
	} {
		p, err := Compile(c.expr, WithType("Observation"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.EvalResource(r)
		if s := string(got.AppendParameters(nil)); err != nil || s != c.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", c.expr, s, err, c.want)
		}
	}
}

func TestHTMLChecksOfNarratives(t *testing.T) {
	for div, want := range map[string]string{
		`<div xmlns='http://www.w3.org/1999/xhtml'><p>x &nbsp;&eacute;</p><br/></div>`: "true",
		`<div><address>x</address></div>`:                                              "true",
		`<div> </div>`:                                                                 "false",
		`<div><u>x</u></div>`:                                                          "false",
		`<div><img src='data:image/svg+xml,x'/></div>`:                                 "false",
	} {
		r := parsed(t, `{"resourceType":"Patient","text":{"status":"generated","div":"`+div+`"}}`)
		if got, err := evaluate(t, r, "text.`div`.htmlChecks()", nil); err != nil || got != want {
			t.Errorf("%s: got %s, %v", div, got, err)
		}
	}
}

func TestTypeInfosAreTheSameOnEveryWayOut(t *testing.T) {
	r, err := fhir.ParseResource([]byte(`{"resourceType":"Patient","birthDate":"2000","name":[{"family":"x"}]}`), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ expr, kind, text string }{
		{"birthDate.type()", "System.SimpleTypeInfo", "FHIR.date"},
		{"1.type()", "System.SimpleTypeInfo", "System.Integer"},
		{"name.type()", "System.ClassInfo", "FHIR.HumanName"},
		{"type()", "System.ClassInfo", "FHIR.Patient"},
		{"birthDate.type().type()", "System.SimpleTypeInfo", "System.SimpleTypeInfo"},
		{"type().element.where(name = 'active')", "System.ClassInfoElement", "active: FHIR.boolean"},
	} {
		p, err := Compile(c.expr, WithType("Patient"))
		if err != nil {
			t.Fatalf("%s: %v", c.expr, err)
		}
		got, err := p.EvalResource(r)
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %v %v", c.expr, got.Lines(), err)
		}
		if got[0].Type() != c.kind || got[0].Text() != c.text || got.Lines()[0] != c.text {
			t.Errorf("%s: %s %q, line %q", c.expr, got[0].Type(), got[0].Text(), got.Lines()[0])
		}
		if out := string(got.AppendParameters(nil)); !strings.Contains(out, `"valueString":"`+c.text+`"`) {
			t.Errorf("%s: %s", c.expr, out)
		}
	}
}
