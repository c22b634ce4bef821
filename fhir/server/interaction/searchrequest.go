package interaction

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// explainParameter asks for how a search ran.
const explainParameter = "_explain"

// searching is a search request that is understood.
type searching struct {
	// request is what finding was made of.
	request   search.Request
	finding   finding
	count     int
	countOnly bool
	total     search.Total
	subset    *subset
	includes  []search.Include
	// whole is SearchRequest.Whole. mentioned includes what matches refer to without a search parameter, too.
	whole, mentioned bool
	// issues are what lenient handling ignored.
	issues  []fhir.Issue
	explain bool
	// looked is what was looked up to read the parameters, where the search is explained.
	looked search.Plan
	// definitions says whether the search finds and names definitions of R4.
	definitions definitions
	// cursor is the text of the request's cursor; "" where it has none.
	cursor string
	// place is where the page starts: that of the cursor, or the beginning at this moment. later is set where the cursor leads to a place.
	place cursor
	later bool
	// posted is set where the parameters came in a body: links then carry them in their cursor, out of sight.
	posted bool
	// links are the parameters that links repeat, escaped; binding is what cursors are bound to: the path and the parameters in one order.
	links, binding string
}

// parseSearch reads a search. r is what the terminology modifiers look up stored value sets in.
func (s *Service) parseSearch(ctx context.Context, r storage.Reader, q SearchRequest) (searching, error) {
	pairs := q.Parameters
	p := searching{explain: q.Explain, whole: q.Whole, posted: q.Posted, place: cursor{total: -1}}
	for _, pair := range pairs {
		switch pair.Name {
		case cursorParameter:
			if p.cursor != "" {
				return p, errCursor("is given more than once")
			}
			p.cursor = pair.Value
		case explainParameter:
			if pair.Value != "true" && pair.Value != "false" {
				return p, errParameter(explainParameter, "is true or false")
			}
			p.explain = p.explain || pair.Value == "true"
		}
	}
	posted := strings.HasPrefix(p.cursor, postedPrefix)
	if p.cursor == "" || posted {
		p.place.moment, p.place.mark = r.Now(), r.Mark()
	} else {
		p.place.moment = time.Now().UTC() // until the cursor can be opened, which the parameters are read for
	}
	if posted {
		var err error
		if pairs, err = s.openPosted(&p, q.Path, pairs); err != nil {
			return p, err
		}
	}
	if err := s.parsePairs(ctx, r, q, pairs, &p); err != nil {
		return p, err
	}
	if p.cursor == "" || posted {
		return p, nil
	}
	var err error
	if p.place, err = s.sealer.open(p.cursor, p.binding); err != nil {
		return p, err
	}
	p.later = true
	if p.request.Now {
		// What is about now was said at the moment of the first page.
		err = s.parsePairs(ctx, r, q, pairs, &p)
	}
	return p, err
}

// parsePairs reads the parameters of a search whose place is known, or is this moment's beginning.
func (s *Service) parsePairs(ctx context.Context, r storage.Reader, q SearchRequest, pairs []search.Pair, p *searching) error {
	types := q.Types
	if q.Compartment != (fhir.Key{}) && len(types) == 0 {
		types = s.parameters.CompartmentTypes(q.Compartment.Type)
	}
	if err := p.definitions.read(pairs); err != nil {
		return err
	}
	looked := &lookedUp{reader: r, explain: p.explain, named: s.named(r, p)}
	req, issues, err := s.parse(ctx, looked, types, pairs, p.cursor == "" || p.posted && !p.later, search.ParseOptions{
		Lenient: q.Lenient, Now: p.place.moment, Ignore: []string{cursorParameter, explainParameter, definitionsParameter},
	})
	if err != nil {
		return err
	}
	p.looked, p.includes = looked.plan, nil
	for _, inc := range req.Includes {
		if !slices.Contains(p.includes, inc) {
			p.includes = append(p.includes, inc)
		}
	}
	if len(p.includes) > maxIncludes {
		return fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDSearchTooCostly,
			fmt.Sprintf("a search has at most %d different includes", maxIncludes))
	}
	if p.finding, err = s.findingOf(req, q.Compartment); err != nil {
		return err
	}
	p.request = req
	p.definitions.found = p.definitions.value == "true" || p.definitions.value == "" && len(q.Types) == 1 && q.Compartment == (fhir.Key{}) && req.Where != nil
	p.issues, p.total = issues, req.Total
	p.countOnly = req.CountOnly()
	if p.count = req.Count; p.count < 0 {
		p.count = s.opt.DefaultPage
	}
	if p.count > s.opt.MaxPage {
		// Links show what was used.
		p.count = s.opt.MaxPage
		for i := range req.Pairs {
			if req.Pairs[i].Name == "_count" {
				req.Pairs[i].Value = strconv.Itoa(p.count)
			}
		}
	}
	p.subset, err = newSubset(req.Summary.String(), req.Elements)
	shown := req.Pairs
	if q.Shown != nil {
		shown = q.Shown
	} else if p.definitions.value != "" {
		shown = append(slices.Clip(shown), search.Pair{Name: definitionsParameter, Value: p.definitions.value})
	}
	p.links, p.binding = encodePairs(shown), bindingOf(q.Path, shown)
	return err
}

// encodePairs escapes parameters for a URL.
func encodePairs(pairs []search.Pair) string {
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.Value))
	}
	return b.String()
}

// bindingOf returns what a cursor is bound to: the path, and the parameters sorted by name, values of one name in their order. Those that say in which
// form the response is written do not count.
func bindingOf(path string, pairs []search.Pair) string {
	sorted := slices.DeleteFunc(slices.Clone(pairs), shapesForm)
	slices.SortStableFunc(sorted, func(a, b search.Pair) int { return strings.Compare(a.Name, b.Name) })
	return path + "?" + encodePairs(sorted)
}
