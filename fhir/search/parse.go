package search

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fhirgate/fhirgate/fhir"
)

// Pair is one parameter of a request, decoded. Order and repetition matter: a repeated parameter is And, a comma in its value is Or.
type Pair struct{ Name, Value string }

// ReadQuery decodes the query of a URL, or a form's body, in order. A bad escape, invalid UTF-8 and control characters are errors of the
// issue id bad-encoding.
func ReadQuery(raw string) ([]Pair, error) {
	var pairs []Pair
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		if len(pairs) == maxPairs {
			return nil, tooCostly("a search has at most " + strconv.Itoa(maxPairs) + " parameters")
		}
		name, value, _ := strings.Cut(part, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDBadEncoding, "an escape in the parameters is not % and two hexadecimal digits")
		}
		if !clean(n) || !clean(v) {
			return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDBadEncoding, "the parameters hold control characters or are not UTF-8")
		}
		pairs = append(pairs, Pair{n, v})
	}
	return pairs, nil
}

// maxPairs bounds the parameters of a request, and maxName the length of one's name.
const (
	maxPairs = 1000
	maxName  = 1000
)

// clean reports whether s is UTF-8 without control characters but tab and line ends.
func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

// Limits bound what a search may ask. A zero field means the default.
type Limits struct {
	Values int // values in one Or, as separated by commas or named by a value set; default 8,192
	Depth  int // references that a chain and its _has follow; default 10
	Nodes  int // conditions in all, which chains over many types multiply; default 50,000
}

func (l Limits) withDefaults() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Values, 8192)
	def(&l.Depth, 10)
	def(&l.Nodes, 50_000)
	return l
}

// ParseOptions set how one request is read.
type ParseOptions struct {
	// Lenient leaves out parameters that are unknown or not supported, and says so in the issues (Prefer: handling=lenient). Without it they are
	// errors. A modifier or a value that can't be read is an error in both, and so is what is past a limit.
	Lenient bool
	// Deciding is set where the parameters decide about a write: an empty one is then an error, because without it they choose more, and so is one
	// that shapes the result of a search, because there is no result. Those of a response's form, for example _format, are ignored.
	Deciding bool
	// Now is what ap compares dates with: the moment of the first page. Zero for the clock.
	Now time.Time
	// Base is a base URL without a trailing slash by which the client knows the server, where it is not one of Options.BaseURLs.
	Base string
	// Terminology replaces the one of Parameters.
	Terminology Terminology
	// Canonicals follows canonicals in chains and _has; nil to refuse these.
	Canonicals *Canonicals
	// IDs looks up whether an id that is given without a type is that of several resources; nil where that is not checked.
	IDs *Canonicals
	// Ignore names parameters that the caller reads itself; they are not in Request.Pairs.
	Ignore []string
	Limits Limits
}

// reading is the state of one Parse.
type reading struct {
	params *Parameters
	opt    ParseOptions
	limits Limits
	now    time.Time
	nodes  int
	types  []string // whose parameter is being read
	// custom is set where a parameter that clients have added was looked up.
	custom bool
	// usesNow is set where a value was compared with now.
	usesNow  bool
	warnings []fhir.Issue
	warned   []*Parameter // those with a code that no value can have
}

// text returns an unescaped value that must not be empty.
func (q *reading) text(raw string) (string, error) {
	if raw == "" {
		return "", badValue(fhir.IDEmptyValue, "a value is empty")
	}
	return unescape(raw), nil
}

// Parse reads the parameters of a search over the resource types types, all where it is empty (https://hl7.org/fhir/R4/search.html).
//
// Everything is understood or refused: the error is an *fhir.Error of KindInvalid with an issue for each parameter that is at fault, whose
// text names the parameter, what was expected and the nearest valid names, and never repeats a value. With ParseOptions.Lenient the
// parameters of unknown-parameter and unsupported-parameter are left out instead, and these issues are returned as warnings. Parameters without
// a value are ignored, as R4 says.
func (s *Parameters) Parse(types []string, pairs []Pair, opt ParseOptions) (Request, []fhir.Issue, error) {
	q := &reading{params: s, opt: opt, limits: opt.Limits.withDefaults(), now: opt.Now}
	if q.now.IsZero() {
		q.now = time.Now()
	}
	if len(pairs) > maxPairs {
		return Request{}, nil, tooCostly("a search has at most " + strconv.Itoa(maxPairs) + " parameters")
	}
	req := Request{Count: -1}
	var issues []fhir.Issue
	var where []Expr
	fail := func(name string, err error) {
		found := issuesOf(name, err)
		for i := range found {
			if opt.Lenient && lenient(found[i]) {
				found[i].Severity = fhir.SeverityWarning
				found[i].Text += " (ignored)"
			}
		}
		issues = append(issues, found...)
	}
	req.Types = q.searched(types, pairs, &req, fail)
	seen := map[string]bool{}
	for _, p := range pairs {
		if slices.Contains(opt.Ignore, p.Name) || p.Value == "" && !opt.Deciding && comparesInName(p.Name) == nil {
			continue
		}
		err := q.checkPair(p)
		if err == nil {
			var known bool
			if known, err = q.readResult(&req, p, seen); err == nil && !known {
				var e Expr
				if e, err = q.condition(req.Types, p.Name, p.Value, 0); err == nil {
					where = append(where, e)
				}
			}
		}
		if err != nil {
			fail(p.Name, err)
			continue
		}
		if p.Name != "_type" {
			req.Pairs = append(req.Pairs, p)
		}
	}
	if req.Summary == SummaryText && len(req.Includes) > 0 {
		fail("_summary", badValue(fhir.IDBadSummary, "_summary=text cannot be mixed with includes"))
	}
	if err := q.checkContained(&req); err != nil {
		fail("_contained", err)
	}
	if fhir.HasErrors(issues) {
		return Request{}, nil, &fhir.Error{Kind: fhir.KindInvalid, Op: "search", Issues: issues}
	}
	req.ContainedAlone = req.ContainedAlone && req.Contained != ContainedFalse
	req.Where, req.Custom, req.Now = allOf(where), q.custom, q.usesNow
	return req, append(issues, q.warnings...), nil
}

// lenient reports whether an issue is one that lenient handling ignores: "servers SHOULD ignore unknown or unsupported parameters", but "SHALL
// reject any search request that contains a modifier that the server does not support".
func lenient(i fhir.Issue) bool {
	return i.ID == fhir.IDUnknownParameter || i.ID == fhir.IDUnsupportedParameter
}

// fatal reports whether issues end the reading of a parameter that several types have: what is too costly for one is so for all.
func fatal(issues []fhir.Issue) bool {
	return slices.ContainsFunc(issues, func(i fhir.Issue) bool { return i.ID == fhir.IDSearchTooCostly || i.ID == fhir.IDBadEncoding })
}

// issuesOf returns the issues of an error with the parameter's name in front of each text.
func issuesOf(name string, err error) []fhir.Issue {
	e, ok := err.(*fhir.Error)
	if !ok {
		return []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueException, ID: fhir.IDInternal, Text: "the parameter " + quote(name) + " can't be read"}}
	}
	out := slices.Clone(e.Issues)
	for i := range out {
		out[i].Text = "parameter " + quote(name) + ": " + out[i].Text
	}
	return out
}

// checkPair refuses what no parameter may be.
func (q *reading) checkPair(p Pair) error {
	switch {
	case len(p.Name) > maxName:
		return tooCostly("a parameter's name has at most " + strconv.Itoa(maxName) + " bytes")
	case !clean(p.Name) || !clean(p.Value):
		return fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDBadEncoding, "control characters or invalid UTF-8")
	}
	if err := comparesInName(p.Name); err != nil {
		return err
	}
	if p.Value == "" {
		return badValue(fhir.IDEmptyValue, "the value is empty")
	}
	return nil
}

// searched returns the types of the search: those of the path, narrowed by _type.
func (q *reading) searched(types []string, pairs []Pair, req *Request, fail func(string, error)) []string {
	all := types
	if len(all) == 0 {
		all = q.params.registry.ResourceTypes()
	}
	out := all
	for _, p := range pairs {
		if p.Name != "_type" || p.Value == "" {
			continue
		}
		var named []string
		for _, t := range splitEscaped(p.Value, ',') {
			if _, ok := q.params.registry.Resource(t); !ok {
				fail(p.Name, unknown(fhir.IDUnknownType, "there is no resource type "+quote(t), t, q.params.registry.ResourceTypes()))
				continue
			}
			if slices.Contains(out, t) && !slices.Contains(named, t) {
				named = append(named, t)
			}
		}
		if len(named) == 0 {
			fail(p.Name, badValue(fhir.IDUnknownType, "none of the types can be searched here"))
			continue
		}
		out = named
		req.Pairs = append(req.Pairs, p)
	}
	out = slices.Clone(out)
	slices.Sort(out)
	return slices.Compact(out)
}
