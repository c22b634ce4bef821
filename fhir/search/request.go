package search

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Total says which total a search asks for (parameter _total).
type Total uint8

// The totals. TotalDefault is that of a search that does not say.
const (
	TotalDefault Total = iota
	TotalNone
	TotalEstimate
	TotalAccurate
)

// Summary says how much of each resource a search asks for (parameter _summary).
type Summary uint8

// The summaries. SummaryFalse is everything, and the default.
const (
	SummaryFalse Summary = iota
	SummaryTrue
	SummaryText
	SummaryData
	SummaryCount // no resources, only the total; _count=0 means the same
)

var summaryNames = [...]string{"false", "true", "text", "data", "count"}

// String returns the value as the parameter has it.
func (s Summary) String() string { return summaryNames[s] }

// Contained says whether a search finds contained resources (parameter _contained).
type Contained uint8

// What a search finds: resources that stand on their own, contained ones, or both.
const (
	ContainedFalse Contained = iota
	ContainedTrue
	ContainedBoth
)

// Include asks for resources beside the matches (parameters _include and _revinclude).
type Include struct {
	// Reverse is set for _revinclude: resources of type Source that refer to a match, instead of what a match of type Source refers to.
	Reverse bool
	// Iterate is set for :iterate: it also looks at what other includes have brought.
	Iterate bool
	// Source is the resource type whose references are followed; "" for any (_include=*).
	Source string
	// Param is the reference parameter that is followed; "" for all of Source.
	Param string
	// Target narrows to references to one resource type; "" for any.
	Target string
}

// Request is a search as it was asked for: what is matched, and how the answer shall look.
type Request struct {
	// Types are the resource types searched, sorted, without duplicates and never empty.
	Types []string
	// Where is the condition; nil accepts everything.
	Where Expr
	Sort  []Sort
	// Count is the page size asked for; -1 where none is.
	Count    int
	Total    Total
	Summary  Summary
	Elements []string // names of top-level elements (_elements); nil for all
	Includes []Include
	// Contained says whether contained resources are found; with ContainedAlone they are what is returned, and their containers otherwise
	// (_containedType=contained and container).
	Contained      Contained
	ContainedAlone bool
	// Pairs are the parameters that were understood, in their order, for the self link: without ignored ones and those that
	// ParseOptions.Ignore names.
	Pairs []Pair
	// Now is set where a value is compared with ParseOptions.Now.
	Now bool
	// Custom is set where the request depends on parameters that clients have added.
	Custom bool
}

// CountOnly reports whether the answer holds no resources.
func (r *Request) CountOnly() bool { return r.Summary == SummaryCount || r.Count == 0 }

// readResult reads a parameter that says how the answer shall look; known is false for one that is none. seen holds the ones read, which are
// not repeated.
func (q *reading) readResult(req *Request, p Pair, seen map[string]bool) (known bool, err error) {
	name, modifier, _ := strings.Cut(p.Name, ":")
	switch name {
	case "_type", "_include", "_revinclude", "_sort", "_count", "_total", "_summary", "_elements", "_contained", "_containedType", "_format", "_pretty":
	default:
		return false, nil
	}
	if q.opt.Deciding && name != "_type" {
		switch name {
		case "_format", "_pretty", "_summary", "_elements":
			return true, nil // clients add them to every query; they change nothing of what matches
		}
		return true, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDMisplacedParameter,
			"it shapes the result of a search; a condition takes parameters that say which resource is meant")
	}
	switch name {
	case "_include", "_revinclude":
		inc, err := q.readInclude(name == "_revinclude", modifier, p.Value)
		if err == nil {
			req.Includes = append(req.Includes, inc)
		}
		return true, err
	}
	if modifier != "" {
		return true, unknown(fhir.IDUnknownModifier, quote(name)+" has no modifiers", modifier, nil)
	}
	if seen[name] && name != "_type" && name != "_sort" {
		return true, badValue(fhir.IDRepeatedParameter, "it is given more than once")
	}
	seen[name] = true
	switch name {
	case "_sort":
		// "can repeat for inner sort orders"
		var keys []Sort
		if keys, err = q.readSort(req.Types, req.Sort, p.Value); err == nil {
			req.Sort = keys
		}
	case "_count":
		req.Count, err = strconv.Atoi(p.Value)
		if err != nil || req.Count < 0 || p.Value[0] == '+' {
			req.Count = -1
			return true, badValue(fhir.IDBadCount, "_count is a whole number of 0 or more")
		}
	case "_total":
		i := slices.Index([]string{"", "none", "estimate", "accurate"}, p.Value)
		if i < 1 {
			return true, badValue(fhir.IDBadTotal, "_total is none, estimate or accurate")
		}
		req.Total = Total(i)
	case "_summary":
		i := slices.Index(summaryNames[:], p.Value)
		if i < 0 {
			return true, badValue(fhir.IDBadSummary, "_summary is true, text, data, count or false")
		}
		req.Summary = Summary(i)
	case "_elements":
		req.Elements, err = q.readElements(req.Types, p.Value)
	case "_contained":
		i := slices.Index([]string{"false", "true", "both"}, p.Value)
		if i < 0 {
			return true, badValue(fhir.IDBadContained, "_contained is true, false or both")
		}
		req.Contained = Contained(i)
	case "_containedType":
		if p.Value != "container" && p.Value != "contained" {
			return true, badValue(fhir.IDBadContained, "_containedType is container or contained")
		}
		req.ContainedAlone = p.Value == "contained"
	}
	return true, err
}

// unsupportedName is the error of a name in the unsupported list.
func unsupportedName(name string) error {
	for _, u := range unsupported {
		if u.Name == name {
			return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnsupportedParameter, "not supported: "+u.Reason)
		}
	}
	return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnsupportedParameter, "not supported")
}

// readElements reads the names of top-level elements that at least one of the types has.
func (q *reading) readElements(types []string, value string) ([]string, error) {
	var out []string
	for _, name := range strings.Split(value, ",") {
		if typ, rest, ok := strings.Cut(name, "."); ok && slices.Contains(types, typ) {
			name = rest
		}
		found := false
		var names []string
		for _, typ := range types {
			t, ok := q.params.registry.Resource(typ)
			if ok && t.Child(name) != nil {
				found = true
				break
			}
			if ok && len(types) == 1 {
				for _, e := range t.Elements {
					names = append(names, e.Name)
				}
			}
		}
		if !found {
			return nil, unknown(fhir.IDUnknownElement, "there is no top-level element "+quote(name), name, names)
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// readSort reads "-date,status,subject:Type.family": parameters in order of importance, descending after "-". A reference's parameter is
// followed where a point and a parameter of its target stand behind it. The keys stand behind those of before; one that is given again means
// nothing.
func (q *reading) readSort(types []string, before []Sort, value string) ([]Sort, error) {
	out := slices.Clone(before)
	for _, key := range strings.Split(value, ",") {
		if len(out) == 16 {
			return nil, tooCostly("_sort has at most 16 keys")
		}
		var s Sort
		followsURL := false
		key, s.Desc = strings.CutPrefix(key, "-")
		link, code, chained := strings.Cut(key, ".")
		if !chained {
			code = key
		}
		sorted := types
		if chained {
			name, of, _ := strings.Cut(link, ":")
			ref, err := q.reference(types, name)
			if err != nil {
				return nil, err
			}
			targets, err := q.chainTargets(types, ref, of, code)
			if err != nil {
				return nil, err
			}
			named := q.byURL(ref, targets)
			if canonicalOnly(ref) {
				if targets = named; len(targets) == 0 {
					return nil, badValue(fhir.IDBadChain, "the parameter "+quote(name)+" names resources by their url, and none that could be meant has one")
				}
			}
			if len(targets) != 1 {
				return nil, badValue(fhir.IDBadSort, "the reference may point to several types that have the parameter; name one, for example subject:"+targets[0]+"."+code)
			}
			s.Chain = &SortChain{Param: name, Target: targets[0]}
			followsURL = slices.Contains(named, targets[0])
			sorted = targets
		}
		if code == "" {
			return nil, badValue(fhir.IDBadSort, "a key of _sort is missing: keys are names of parameters, separated by commas, after - for descending")
		}
		switch code {
		case "_score":
			return nil, unsupportedName(code)
		case "_type", "_list", "_has", "_filter":
			return nil, badValue(fhir.IDBadSort, quote(code)+" has no order: keys are parameters with values, and _id and _lastUpdated")
		}
		if code != SortByID {
			list, err := q.lookup(sorted, code)
			if err != nil {
				return nil, err
			}
			if t := list[0].Type; t == "composite" || t == "special" || code == "_text" || code == "_content" {
				return nil, badValue(fhir.IDBadSort, "a "+t+" parameter has no order")
			}
		}
		s.Param = code
		if !slices.ContainsFunc(out, func(o Sort) bool {
			return o.Param == s.Param && (o.Chain == nil) == (s.Chain == nil) &&
				(o.Chain == nil || o.Chain.Param == s.Chain.Param && o.Chain.Target == s.Chain.Target)
		}) {
			if followsURL {
				if err := q.nameValues(&s); err != nil {
					return nil, err
				}
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// readInclude reads "Source:param", "Source:param:Target", "Source:*" or "*".
func (q *reading) readInclude(reverse bool, modifier, value string) (Include, error) {
	inc := Include{Reverse: reverse}
	switch modifier {
	case "":
	case "iterate":
		inc.Iterate = true
	default:
		return inc, unknown(fhir.IDUnknownModifier, "includes have no modifier "+quote(modifier)+", they have :iterate", modifier, []string{"iterate"})
	}
	if value == "*" {
		return inc, nil
	}
	parts := strings.Split(value, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return inc, badValue(fhir.IDBadInclude, `an include is "Type:parameter", "Type:parameter:TargetType", "Type:*" or "*"`)
	}
	inc.Source, inc.Param = parts[0], parts[1]
	if _, ok := q.params.registry.Resource(inc.Source); !ok {
		return inc, unknown(fhir.IDUnknownType, "there is no resource type "+quote(inc.Source), inc.Source, q.params.registry.ResourceTypes())
	}
	if len(parts) == 3 {
		inc.Target = parts[2]
		if _, ok := q.params.registry.Resource(inc.Target); !ok {
			return inc, unknown(fhir.IDUnknownType, "there is no resource type "+quote(inc.Target), inc.Target, q.params.registry.ResourceTypes())
		}
	}
	if inc.Param == "*" {
		inc.Param = ""
		return inc, nil
	}
	p, err := q.reference([]string{inc.Source}, inc.Param)
	if err != nil {
		return inc, err
	}
	if inc.Target != "" && !p[0].PointsTo(inc.Target) {
		return inc, unknown(fhir.IDBadInclude, "the parameter "+quote(inc.Param)+" does not point to "+inc.Target, inc.Target, p[0].Targets())
	}
	return inc, nil
}

// nameValues looks up the values that canonicals sort by.
func (q *reading) nameValues(s *Sort) error {
	c, err := q.canonicals()
	if err == nil {
		err = q.count(namesCost)
	}
	if err == nil {
		s.Chain.Named, err = c.values(s.Chain.Target, Sort{Param: s.Param, Desc: s.Desc})
	}
	return err
}
