package mongodb

import (
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// plan says how the rows of one resource type are found. Which index is read is decided here and told to the server, which then has nothing
// to choose: its own choice would be made by trial, kept for other values, and now and then be a bad one.
type plan struct {
	typ   string
	where search.Expr
	// index is the name of the index that is read; "" for the one on _id.
	index string
	// lead are the conditions that the index begins with.
	lead bson.D
	// by is the parameter whose order the index gives behind lead; "" for that of the id.
	by string
	// blocks is set where the order asked for is not that of the index, so that the server sorts what it finds.
	blocks bool
	// nothing is set where no resource can satisfy the condition.
	nothing bool
	// rest are the conditions that are tried on what the index finds.
	rest []search.Expr
	// list are all conjuncts, and rivals the other ways to what satisfies them.
	list   []search.Expr
	rivals []rival
	// wants are the parameters whose orders would serve conjuncts, and are not there.
	wants []string
	// within is how many rows are read of an order before its page is given up; 0 for all.
	within int
	// met are the rows of the page that were among those that were read of it.
	met int
	// found are the rows of the page that was asked for, where making the plan has found them.
	found []search.Row
	// ranges are the places of by in which a match can lie, for each width; nil for anywhere.
	ranges *[widthNone + 1][]span
}

// maxJoined bounds the terms that one condition on an index is made of: so many places of an index the server merges in its order.
const maxJoined = 100

const (
	// fewTerms is up to how many matches of a term are rather sorted than looked for in an order.
	fewTerms = 500
	// manyTerms is where counting the matches of a prefix or a range ends.
	manyTerms = 2000
)

// equality is a condition that one of several terms of a parameter serves exactly.
type equality struct {
	at    int // the conjunct
	param string
	forms []form
}

// terms returns the terms of which one is asked for, sorted.
func (e equality) terms() []string {
	terms := make([]string, 0, len(e.forms))
	for _, f := range e.forms {
		terms = append(terms, f.term(e.param))
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

// form is a term without its parameter. own is set for the term of one resource, whatever the parameter.
type form struct {
	kind   string
	values []string
	own    bool
}

func (f form) term(param string) string {
	if f.own {
		param = ownParam
	}
	return term(param, f.kind, f.values...)
}

// equalities finds the conjuncts that terms serve.
func equalities(list []search.Expr) []equality {
	var out []equality
	for i, c := range list {
		switch c := c.(type) {
		case search.Some:
			if kind, values, ok := formOf(c.Where, 0); ok {
				out = append(out, equality{i, c.Param, []form{{kind: kind, values: values}}})
			}
		case search.Or:
			eq := equality{at: i}
			for _, alt := range c {
				s, ok := alt.(search.Some)
				if !ok || len(eq.forms) > 0 && s.Param != eq.param && s.Param != ownParam {
					eq.forms = nil
					break
				}
				kind, values, ok := formOf(s.Where, 0)
				if !ok {
					eq.forms = nil
					break
				}
				if s.Param != ownParam {
					eq.param = s.Param
				}
				eq.forms = append(eq.forms, form{kind, values, s.Param == ownParam})
			}
			if len(eq.forms) > 0 {
				out = append(out, eq)
			}
		}
	}
	return out
}

// joined returns the joined terms of params, one for each combination of their alternatives, and the conjuncts they serve; nil where a
// parameter is not asked for by equality or the combinations are too many.
func joined(params []string, eqs []equality) (terms []string, served []int) {
	var head []byte
	for _, p := range params {
		head = appendPart(head, p)
	}
	terms = []string{string(appendPart(head, kindJoint))}
	for _, p := range params {
		i := slices.IndexFunc(eqs, func(e equality) bool {
			return e.param == p && !slices.ContainsFunc(e.forms, func(f form) bool { return f.own || !pairForm(f.kind) })
		})
		if i < 0 || len(terms)*len(eqs[i].forms) > maxJoined {
			return nil, nil
		}
		var next []string
		for _, t := range terms {
			for _, f := range eqs[i].forms {
				b := appendPart([]byte(t), f.kind)
				for _, v := range f.values {
					b = appendPart(b, v)
				}
				next = append(next, string(b))
			}
		}
		terms = next
		served = append(served, eqs[i].at)
	}
	slices.Sort(terms)
	return slices.Compact(terms), served
}

// in returns the condition that a member is, or an array has, one of values.
func in(path string, values []string) bson.D {
	if len(values) == 1 {
		return bson.D{{Key: path, Value: values[0]}}
	}
	return bson.D{{Key: path, Value: bson.D{{Key: "$in", Value: values}}}}
}

// plan chooses the index for a condition and an order: by a parameter, or by id where by is "". g is the page that is asked for in that order;
// nil where it is something else than a page.
func (r *reader) plan(ctx context.Context, typ string, where search.Expr, by string, g *page) (*plan, error) {
	list := search.Conjuncts(where)
	p := &plan{typ: typ, where: where, list: list}
	for _, c := range list {
		switch c := c.(type) {
		case search.Or:
			p.nothing = p.nothing || len(c) == 0
		case search.KeyIn:
			p.nothing = p.nothing || len(c.IDs) == 0
		}
	}
	if p.nothing {
		return p, nil
	}
	var candidates [][]string
	var serves [][]int
	contested := func(by string, served ...int) error {
		told := func(i int) bool {
			_, bounds := rangesOn(list[i], by)
			return bounds || slices.Contains(served, i)
		}
		// What a term of a composite finds its range finds as well.
		p.rivals, p.wants = nil, nil
		for i, terms := range candidates {
			if slices.ContainsFunc(serves[i], func(i int) bool { return !told(i) }) {
				p.rivals = append(p.rivals, rival{reads: []read{{indexTerms, in(pathTerms, terms)}}, served: serves[i], about: serves[i][0]})
			}
		}
		return r.addRivals(ctx, p, told)
	}
	rest := func(served ...int) {
		p.rest = p.rest[:0]
		for i, c := range list {
			if !slices.Contains(served, i) {
				p.rest = append(p.rest, c)
			}
		}
	}
	for i, c := range list {
		if k, ok := c.(search.KeyIn); ok && (len(k.IDs) <= loadChunk || by == "" && len(k.IDs) <= maxReferred) {
			rest(i)
			p.lead, p.by, p.blocks = filter(k), by, by != ""
			p.rest = append(p.rest, alive{})
			return p, nil
		}
	}
	eqs := equalities(list)
	orders := r.s.collections.orders(typ)

	// A compound: what is asked by equality stands before the order.
	var pairTerms []string
	var pairServed []int
	var pairLast string
	if by != "" {
		for _, c := range search.Compounds(typ) {
			params, last := lead(c)
			if by != last && !(by == last+ucum && slices.Contains(pairOrders(last), by)) {
				continue
			}
			if terms, served := joined(params, eqs); terms != nil && len(served) > len(pairServed) {
				pairTerms, pairServed, pairLast = terms, served, last
			}
		}
	}
	usePairs := func() error {
		rest(pairServed...)
		p.index, p.lead, p.by = indexPairs(pairLast, by), in(pathPairs+keyName(pairLast), pairTerms), by
		p.ranges = spansOf(list, by)
		return contested(by, pairServed...)
	}
	if pairTerms != nil && len(pairServed) == len(eqs) {
		return p, usePairs()
	}

	// The most selective terms.
	best := manyTerms + 1
	var bestTerms []string
	var bestServed []int
	try := func(terms []string, served []int, only bool) error {
		n := manyTerms
		if !only {
			var err error
			if n, err = r.frequency(ctx, typ, terms, fewTerms+1); err != nil {
				return err
			}
		}
		if n < best {
			best, bestTerms, bestServed = n, terms, served
		}
		return nil
	}
	joints := joints(typ)
	covered := map[int]bool{}
	for _, params := range joints {
		if terms, served := joined(params, eqs); terms != nil {
			candidates, serves = append(candidates, terms), append(serves, served)
			for _, i := range served {
				covered[i] = true
			}
		}
	}
	for _, c := range list {
		if s, ok := c.(search.Some); ok {
			if terms := compositeTerms(s); terms != nil {
				candidates, serves = append(candidates, terms), append(serves, nil)
			}
		}
	}
	for _, e := range eqs {
		if covered[e.at] {
			continue
		}
		candidates, serves = append(candidates, e.terms()), append(serves, []int{e.at})
	}
	if by == "" && g == nil {
		if err := contested(""); err != nil {
			return nil, err
		}
		return p, r.planWhole(ctx, p, rest)
	}
	if by == "" && g.limit <= maxPage && len(candidates) > 1 && !r.remembersAll(typ, candidates) {
		rest(serves[0]...)
		rows, ok, err := r.attempt(ctx, typ, candidates[0], list, slices.Clone(p.rest), 2, *g)
		if err != nil {
			return nil, err
		}
		if ok {
			p.found = rows
			return p, nil
		}
	}
	only := len(candidates) == 1 && (by == "" || !orders[indexOrder(by)] && pairTerms == nil)
	for i := range candidates {
		if err := try(candidates[i], serves[i], only); err != nil {
			return nil, err
		}
	}
	useTerms := func() {
		rest(bestServed...)
		p.index, p.lead, p.by, p.blocks = indexTerms, in(pathTerms, bestTerms), by, by != "" || len(bestTerms) > maxJoined
	}
	switch {
	case by == "":
		if bestTerms == nil {
			return p, r.planWithoutTerm(p, list, rest, contested)
		}
		if best <= fewTerms {
			useTerms()
			return p, nil
		}
		if len(bestTerms) > maxJoined { // so many are not merged in the order of ids
			return p, r.planWithoutTerm(p, list, rest, contested)
		}
		useTerms()
		return p, contested("", bestServed...)
	case bestTerms != nil && best <= fewTerms:
		useTerms()
		return p, nil
	case pairTerms != nil:
		return p, usePairs()
	case orders[indexOrder(by)]:
		rest()
		p.index, p.by = indexOrder(by), by
		p.ranges = spansOf(list, by)
		return p, contested(by)
	}
	if n, err := r.frequency(ctx, typ, []string{termLive}, manyTerms); err != nil {
		return nil, err
	} else if n >= manyTerms {
		r.s.collections.wantOrder(r.s, typ, by)
	}
	if bestTerms != nil {
		useTerms()
		return p, nil
	}
	if err := contested(""); err != nil {
		return nil, err
	}
	if err := r.planWhole(ctx, p, rest); err != nil {
		return nil, err
	}
	p.by, p.blocks = by, true
	return p, nil
}

// planWithoutTerm chooses where no equality is asked for and the order is that of the id: all resources in their order.
func (r *reader) planWithoutTerm(p *plan, list []search.Expr, rest func(...int), contested func(string, ...int) error) error {
	orders := r.s.collections.orders(p.typ)
	for i, c := range list {
		// What has no place in an order stands there by id.
		if not, ok := c.(search.Not); ok {
			if s, ok := not.Expr.(search.Some); ok && len(s.Where) == 0 && orders[indexOrder(s.Param)] {
				rest(i)
				p.index, p.lead, p.rest = indexOrder(s.Param), placeless(s.Param), append(p.rest, alive{})
				return contested("", i)
			}
		}
	}
	rest()
	p.index, p.lead = indexTerms, bson.D{{Key: pathTerms, Value: termLive}}
	return contested("")
}

// planWhole chooses where all rows are read, in no order: the rival that finds least, or all resources where there is none.
func (r *reader) planWhole(ctx context.Context, p *plan, rest func(...int)) error {
	if err := r.want(ctx, p); err != nil {
		return err
	}
	if len(p.rivals) == 0 {
		rest()
		p.index, p.lead = indexTerms, bson.D{{Key: pathTerms, Value: termLive}}
		return nil
	}
	few := firstFew
	best, ok := p.rivals[0], len(p.rivals) == 1 && len(p.rivals[0].reads) == 1
	for ; !ok && few < unlimited/growth; few *= growth {
		var err error
		if best, ok, err = r.lesser(ctx, p, few); err != nil {
			return err
		}
	}
	if !ok { // what several indexes find is more than is collected
		p.rivals = nil
		return r.planWhole(ctx, p, rest)
	}
	return r.use(ctx, p, best)
}

// filter returns the filter of the plan.
func (p *plan) filter(also ...bson.D) bson.D { return p.whole(p.scan(also...)) }

// whole returns the filter of a scan of the plan.
func (p *plan) whole(scan bson.D) bson.D {
	var list bson.A
	if len(scan) > 0 {
		list = append(list, scan)
	}
	for _, c := range p.tail() {
		list = append(list, tried(c.(bson.D)))
	}
	return and(list)
}

// scan returns the filter of what is read of the index: lead, and further conditions behind it.
func (p *plan) scan(also ...bson.D) bson.D {
	var list bson.A
	if len(p.lead) > 0 {
		list = append(list, p.lead)
	}
	for _, f := range also {
		if len(f) > 0 {
			list = append(list, f)
		}
	}
	if slices.ContainsFunc(p.rest, func(c search.Expr) bool { _, ok := c.(alive); return ok }) {
		list = append(list, live)
	}
	return and(list)
}

// tail returns the filters that are tried on what is read.
func (p *plan) tail() bson.A {
	var list bson.A
	for _, c := range p.rest {
		switch e := c.(type) {
		case alive:
			continue
		case found:
			c = e.Expr
		}
		if f := filter(c); len(f) > 0 {
			list = append(list, f)
		}
	}
	return list
}

// tried keeps a condition away from the server's planner: it is tried on what the index finds.
func tried(f bson.D) bson.D {
	return bson.D{{Key: "$nor", Value: bson.A{bson.D{{Key: "$nor", Value: bson.A{f}}}}}}
}

// found is a conjunct by which an index found what it is tried on.
type found struct{ search.Expr }

// alive is the conjunct that the resource is not deleted, where no index says so.
type alive struct{ search.Expr }

// describe returns the index for people.
func (p *plan) describe() string {
	if p.index == "" {
		return p.typ + ": _id"
	}
	return p.typ + ": " + strings.TrimSpace(p.index)
}
