package ips

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// isDosage reports whether an element is a Dosage that says how much or when.
func isDosage(n fhir.Node) bool {
	for c := range n.Children() {
		switch c.Name() {
		case "doseAndRate", "asNeededBoolean", "asNeededCodeableConcept", "maxDosePerPeriod", "maxDosePerAdministration", "maxDosePerLifetime",
			"additionalInstruction", "patientInstruction":
			return true
		case "timing":
			if c.Kind() == fhir.Object {
				return true
			}
		}
	}
	return false
}

// dosage returns what a Dosage without a text says, but for its route, which has a column of its own.
func (w *narrative) dosage(n fhir.Node, depth int) string {
	var said phrase
	each := func(before, path, after string) {
		for _, found := range at(n, path) {
			said.add(before, w.show(found, depth+1), after)
		}
	}
	each("", "method", "")
	for _, d := range at(n, "doseAndRate") {
		for _, dose := range at(d, "dose") {
			said.add("", w.show(dose, depth+1), "")
		}
		for _, rate := range at(d, "rate") {
			said.add("at ", w.show(rate, depth+1), "")
		}
	}
	each("", "timing", "")
	if n.Get("asNeededBoolean").Text() == "true" {
		said.add("", "as needed", "")
	}
	each("as needed: ", "asNeededCodeableConcept", "")
	each("at ", "site", "")
	each("(at most ", "maxDosePerPeriod", ")")
	each("(at most ", "maxDosePerAdministration", " at once)")
	each("(at most ", "maxDosePerLifetime", " in a lifetime)")
	each("(", "additionalInstruction", ")")
	each("(", "patientInstruction", ")")
	return said.String()
}

// timing returns what the repeat of a Timing says. Where there is a code, it stands for the repeat but for its bounds, as R4 has it.
func (w *narrative) timing(n fhir.Node, depth int) string {
	r := n.Get("repeat")
	var said phrase
	if code := w.show(n.Get("code"), depth+1); code != "" {
		said.add("", code, "")
	} else {
		said.add("", often(r), "")
		said.add("for ", amount(r, "duration", "durationMax", "durationUnit"), " each time")
		said.add("on ", list(r, "dayOfWeek", nil), "")
		said.add("at ", list(r, "timeOfDay", nil), "")
		offset := r.Get("offset").Text()
		if offset != "" && offset != "0" {
			offset += " minutes "
		} else {
			offset = ""
		}
		said.add(offset, list(r, "when", events), "")
		said.add("", upTo(r, "count", "countMax"), " times in all")
	}
	for _, bounds := range []string{"boundsDuration", "boundsRange"} {
		said.add("for ", w.show(r.Get(bounds), depth+1), "")
	}
	said.add("in ", w.show(r.Get("boundsPeriod"), depth+1), "")
	for _, event := range at(n, "event") {
		said.add("", w.show(event, depth+1), "")
	}
	return said.String()
}

// often returns how often a repeat is.
func often(r fhir.Node) string {
	times, period := upTo(r, "frequency", "frequencyMax"), amount(r, "period", "periodMax", "periodUnit")
	switch {
	case period == "" && times == "":
		return ""
	case period == "" && times == "1":
		return "once"
	case period == "":
		return times + " times"
	case times == "" || times == "1":
		return "every " + period
	}
	return times + " times every " + period
}

// amount returns a number, or a range of them, with its unit of time.
func amount(r fhir.Node, least, most, unit string) string {
	number := upTo(r, least, most)
	word := r.Get(unit).Text()
	if full := units[word]; full != "" {
		word = full
	}
	switch {
	case number == "":
		return ""
	case number == "1" && word != "":
		return word
	case word != "":
		return number + " " + word + "s"
	}
	return number
}

// upTo returns a number, or both ends of a range.
func upTo(r fhir.Node, least, most string) string {
	a, b := r.Get(least).Text(), ""
	if most != "" {
		b = r.Get(most).Text()
	}
	switch {
	case b == "":
		return a
	case a == "":
		return "up to " + b
	}
	return a + " to " + b
}

// list returns the values of a name, by their words where they have some.
func list(r fhir.Node, name string, words map[string]string) string {
	var out []string
	for _, n := range at(r, name) {
		text := n.Text()
		if word := words[text]; word != "" {
			text = word
		}
		if text != "" {
			out = append(out, text)
		}
	}
	return strings.Join(out, ", ")
}

// phrase is words one after the other.
type phrase struct{ strings.Builder }

// add adds a text, where there is one, with what stands before and after it.
func (p *phrase) add(before, text, after string) {
	if text == "" {
		return
	}
	if p.Len() > 0 {
		p.WriteByte(' ')
	}
	p.WriteString(before + text + after)
}

// units are those of time (http://hl7.org/fhir/R4/valueset-units-of-time.html).
var units = map[string]string{"s": "second", "min": "minute", "h": "hour", "d": "day", "wk": "week", "mo": "month", "a": "year"}

// events are those of a day (http://hl7.org/fhir/R4/valueset-event-timing.html).
var events = map[string]string{
	"MORN": "in the morning", "MORN.early": "in the early morning", "MORN.late": "in the late morning", "NOON": "at noon",
	"AFT": "in the afternoon", "AFT.early": "in the early afternoon", "AFT.late": "in the late afternoon",
	"EVE": "in the evening", "EVE.early": "in the early evening", "EVE.late": "in the late evening", "NIGHT": "at night", "PHS": "after sleep",
	"HS": "before sleep", "WAKE": "upon waking", "C": "with meals", "CM": "with breakfast", "CD": "with lunch", "CV": "with dinner",
	"AC": "before meals", "ACM": "before breakfast", "ACD": "before lunch", "ACV": "before dinner",
	"PC": "after meals", "PCM": "after breakfast", "PCD": "after lunch", "PCV": "after dinner",
}
