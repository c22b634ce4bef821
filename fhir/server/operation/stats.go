package operation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/ucum"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// maxMeasured bounds the values of one call.
	maxMeasured = 500_000
	// maxSources bounds the Observations that are returned as sources.
	maxSources = 1000
)

// Stats returns Observation/$stats (http://hl7.org/fhir/R4/observation-operation-stats.html): statistics of what was measured of a subject, an
// Observation for each code. Values of Observations and of their components count; of a panel, those of its components and members. See DECISIONS.md.
func Stats(s Walker, reg *definition.Registry) interaction.Operation {
	canonical := canonicalOf(reg, "stats")
	parameters := parametersOf(reg, canonical)
	return interaction.Operation{
		Name:          "stats",
		Definition:    canonical,
		Documentation: "Returns statistics of a subject's measurements by code, in the unit of the newest; coding may be written as system|code in a URL, and min and max are minimum and maximum.",
		Types:         []string{"Observation"},
		Type:          true,
		Get:           true,
		Post:          true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			args, err := argumentsOf(q, parameters())
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			c := statsCall{walker: s, groups: map[string]*statsGroup{}, seen: map[string]bool{}}
			if err := c.read(args); err != nil {
				return interaction.OperationResponse{}, err
			}
			for _, coding := range c.codings {
				if err := c.measure(ctx, coding); err != nil {
					return interaction.OperationResponse{}, err
				}
			}
			return interaction.OperationResponse{Body: c.response()}, nil
		},
	}
}

// statsCall is one call of $stats.
type statsCall struct {
	walker     Walker
	subject    string
	codings    []statsCoding
	statistics []statistic
	// start and end are what the period says; "" for no bound. given says that there is one.
	start, end string
	given      bool
	include    bool
	limit      int

	groups  map[string]*statsGroup
	order   []*statsGroup
	seen    map[string]bool // what has been counted: Observation, place and code
	values  int
	sources []storage.Record
}

// statsCoding is a code that statistics are asked of.
type statsCoding struct{ system, code, display string }

func (c statsCoding) key() string { return c.system + "|" + strings.ToLower(c.code) }

// is reports whether a CodeableConcept has the coding.
func (c statsCoding) is(concept fhir.Node) bool {
	for n := range concept.Get("coding").Children() {
		if n.Get("system").Text() == c.system && strings.EqualFold(n.Get("code").Text(), c.code) {
			return true
		}
	}
	return false
}

// statsGroup is what was measured of one code.
type statsGroup struct {
	sample
	coding         statsCoding
	unit, unitText string
	total          int
	from, to       time.Time // of the values with a time
	asked, through bool      // the code is asked of; values of other codes were found through it
}

// read takes the arguments.
func (c *statsCall) read(args arguments) error {
	c.subject = args.get("subject").value
	system := args.get("system").value
	for a := range args.all("code") {
		if system == "" {
			return errParameter(fhir.IssueRequired, "a code needs its system: give system, or coding in place of both", a.node)
		}
		c.codings = append(c.codings, statsCoding{system: system, code: a.value})
	}
	for a := range args.all("coding") {
		n := a.complex("Coding")
		coding := statsCoding{n.Get("system").Text(), n.Get("code").Text(), n.Get("display").Text()}
		if !a.node.Valid() {
			coding.system, coding.code, _ = strings.Cut(a.value, "|")
		}
		if coding.system == "" || coding.code == "" {
			return errParameter(fhir.IssueValue, "a coding has a system and a code; in a URL it is system|code", a.node)
		}
		c.codings = append(c.codings, coding)
	}
	if len(c.codings) == 0 {
		return errParameter(fhir.IssueRequired, "the codes are missing: give code and system, or coding", fhir.Node{})
	}
	for a := range args.all("statistic") {
		for code := range strings.SplitSeq(a.value, ",") {
			s, ok := statisticOf(strings.TrimSpace(code))
			if !ok {
				return errParameter(fhir.IssueCodeInvalid, "statistic is a code of http://hl7.org/fhir/ValueSet/observation-statistics", a.node)
			}
			if !slices.ContainsFunc(c.statistics, func(t statistic) bool { return t.code == s.code }) {
				c.statistics = append(c.statistics, s)
			}
		}
	}
	c.include = args.get("include").value == "true"
	c.limit = maxSources
	if n, err := strconv.Atoi(args.get("limit").value); err == nil {
		c.limit = min(n, maxSources)
	}
	return c.readPeriod(args)
}

// readPeriod takes the time that is asked about: the last hours, or a period.
func (c *statsCall) readPeriod(args arguments) error {
	if a := args.get("duration"); a.name != "" {
		hours, err := strconv.ParseFloat(a.value, 64)
		if err != nil || hours <= 0 || hours > 24*366*150 {
			return errParameter(fhir.IssueValue, "duration is a number of hours above 0", a.node)
		}
		now := time.Now().UTC()
		c.start, c.end, c.given = fhir.FormatInstant(now.Add(-time.Duration(hours*float64(time.Hour)))), fhir.FormatInstant(now), true
		return nil
	}
	a := args.get("period")
	if a.name == "" {
		return nil
	}
	period := a.complex("Period")
	c.start, c.end, c.given = period.Get("start").Text(), period.Get("end").Text(), true
	for _, bound := range []string{c.start, c.end} {
		if bound != "" && formOf("dateTime", bound) != "" {
			return errParameter(fhir.IssueValue, "start and end of period are dates, or dates and times with a time zone", a.node)
		}
	}
	return nil
}

// measure reads the Observations that have a coding, and the members of panels that have it.
func (c *statsCall) measure(ctx context.Context, coding statsCoding) error {
	own := c.group(coding)
	own.asked = true
	token := search.Escape(coding.system) + "|" + search.Escape(coding.code)
	for _, by := range []string{"combo-code", "_has:Observation:has-member:code"} {
		pairs := []search.Pair{{Name: "subject", Value: search.Escape(c.subject)}, {Name: by, Value: token}, {Name: "status:not", Value: "entered-in-error"}}
		if c.start != "" {
			pairs = append(pairs, search.Pair{Name: "date", Value: "ge" + c.start})
		}
		if c.end != "" {
			pairs = append(pairs, search.Pair{Name: "date", Value: "le" + c.end})
		}
		member := by != "combo-code"
		err := c.walker.Walk(ctx, interaction.Walk{Types: []string{"Observation"}, Parameters: pairs, Sort: []search.Sort{{Param: "date", Desc: true}}},
			func(rec storage.Record) (bool, error) {
				r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
				if err != nil {
					return false, err
				}
				used, err := c.observe(r, own, member)
				if used && c.include && len(c.sources) < c.limit && !slices.ContainsFunc(c.sources, func(s storage.Record) bool { return s.Key == rec.Key }) {
					c.sources = append(c.sources, rec)
				}
				return true, err
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// observe counts what an Observation measures of a code that is asked of. A panel, which has the code itself, and a member of one count with all that
// they have; of others, the components that have the code.
func (c *statsCall) observe(r fhir.Resource, own *statsGroup, member bool) (used bool, err error) {
	at := observedAt(r)
	excluded := r.Get("modifierExtension").Len() > 0
	panel := own.coding.is(r.Get("code"))
	key := r.ID()
	if panel || member {
		g := own
		if !panel {
			g = c.groupOf(r.Get("code"))
		}
		components := r.Get("component").Len() > 0 || r.Get("hasMember").Len() > 0
		if g != nil && (r.Get("valueQuantity").Valid() || !components) {
			own.through = own.through || g != own
			if err := c.count(g, key, r.Node, at, excluded); err != nil {
				return false, err
			}
			used = true
		}
	}
	i := 0
	for n := range r.Get("component").Children() {
		g := own
		if !own.coding.is(n.Get("code")) {
			if g = nil; panel || member {
				g = c.groupOf(n.Get("code"))
			}
		}
		if g != nil {
			own.through = own.through || g != own
			if err := c.count(g, key+"#"+strconv.Itoa(i), n, at, excluded || n.Get("modifierExtension").Len() > 0); err != nil {
				return false, err
			}
			used = true
		}
		i++
	}
	return used, nil
}

// group returns the group of a coding.
func (c *statsCall) group(coding statsCoding) *statsGroup {
	g := c.groups[coding.key()]
	if g == nil {
		g = &statsGroup{coding: coding}
		c.groups[coding.key()] = g
		c.order = append(c.order, g)
	}
	if g.coding.display == "" {
		g.coding.display = coding.display
	}
	return g
}

// groupOf returns the group of a concept: one that there is, or that of its first coding. It is nil for a concept without a coding.
func (c *statsCall) groupOf(concept fhir.Node) *statsGroup {
	var first statsCoding
	for n := range concept.Get("coding").Children() {
		coding := statsCoding{n.Get("system").Text(), n.Get("code").Text(), n.Get("display").Text()}
		if coding.code == "" {
			continue
		}
		if g := c.groups[coding.key()]; g != nil {
			return g
		}
		if first.code == "" {
			first = coding
		}
	}
	if first.code == "" {
		return nil
	}
	return c.group(first)
}

// count counts one value of an Observation or component, once. Values without a unit of UCUM, and those that only bound what was measured, count in the
// total alone.
func (c *statsCall) count(g *statsGroup, key string, n fhir.Node, at time.Time, excluded bool) error {
	key += " " + g.coding.key()
	if c.seen[key] {
		return nil
	}
	c.seen[key] = true
	if c.values++; c.values > maxMeasured {
		return fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDOperationCost, fmt.Sprintf("there are more than %d values; ask about a shorter time", maxMeasured))
	}
	g.total++
	quantity := n.Get("valueQuantity")
	unit := quantity.Get("code").Text()
	if excluded || unit == "" || quantity.Get("system").Text() != ucumSystem || quantity.Get("comparator").Valid() {
		return nil
	}
	value, err := fhir.ParseDecimal(quantity.Get("value").Text())
	if err != nil {
		return nil
	}
	if _, _, known := ucum.Canonical(value, unit); !known {
		return nil
	}
	if g.unit == "" {
		if g.unit, g.unitText = unit, quantity.Get("unit").Text(); g.unitText == "" {
			g.unitText = unit
		}
	}
	if unit != g.unit {
		converted, ok := ucum.Convert(value, unit, g.unit)
		if !ok {
			return fhir.NewError(fhir.KindUnprocessable, fhir.IssueBusinessRule, fhir.IDOperationUnits,
				fmt.Sprintf("the values of one code are in %s and in %s, which cannot be converted; ask about a time in which one unit was used", g.unit, unit))
		}
		value = converted
	}
	g.values = append(g.values, measured{value.Float64(), value.Plain(), at})
	if !at.IsZero() {
		if g.from.IsZero() || at.Before(g.from) {
			g.from = at
		}
		if at.After(g.to) {
			g.to = at
		}
	}
	return nil
}

// observedAt returns when an Observation was made, of a period its start; zero where that is not told.
func observedAt(r fhir.Resource) time.Time {
	for _, text := range []string{r.Get("effectiveDateTime").Text(), r.Get("effectiveInstant").Text(), r.Get("effectivePeriod").Get("start").Text(), r.Get("issued").Text()} {
		if at, err := fhir.ParseDateTime(text); err == nil {
			lo, _ := at.Range(time.UTC)
			return lo
		}
	}
	return time.Time{}
}

// response writes the Parameters of the call.
func (c *statsCall) response() []byte {
	w := &fhir.JSONWriter{Bytes: []byte(`{"resourceType":"Parameters","parameter":[`)}
	for _, g := range c.order {
		if g.asked && g.through && g.total == 0 {
			continue // a panel: its parts have statistics
		}
		w.Open('{')
		w.String("name", "statistics")
		w.Name("resource")
		c.append(w, g)
		w.Close('}')
	}
	for i := range c.sources {
		w.Open('{')
		w.String("name", "source")
		w.Name("resource")
		w.Bytes = append(append(w.Bytes, c.sources[i].Body...), '}')
	}
	w.Close(']')
	w.Close('}')
	return w.Bytes
}

// append writes the Observation of one code.
func (c *statsCall) append(w *fhir.JSONWriter, g *statsGroup) {
	w.Open('{')
	w.String("resourceType", "Observation")
	w.String("status", "final")
	w.Name("code")
	w.Open('{')
	w.Name("coding")
	w.Open('[')
	w.Open('{')
	w.String("system", g.coding.system)
	w.String("code", g.coding.code)
	w.String("display", g.coding.display)
	w.Close('}')
	w.Close(']')
	w.Close('}')
	w.Name("subject")
	w.Open('{')
	w.String("reference", c.subject)
	w.Close('}')
	start, end := c.start, c.end
	if !c.given && !g.from.IsZero() {
		start, end = fhir.FormatInstant(g.from), fhir.FormatInstant(g.to)
	}
	if start != "" || end != "" {
		w.Name("effectivePeriod")
		w.Open('{')
		w.String("start", start)
		w.String("end", end)
		w.Close('}')
	}
	if c.start != "" {
		if at, err := fhir.ParseDateTime(c.start); err == nil {
			g.from, _ = at.Range(time.UTC)
		}
	}
	w.Name("component")
	w.Open('[')
	for i := range c.statistics {
		c.statistics[i].append(w, g)
	}
	w.Close(']')
	w.Close('}')
}
