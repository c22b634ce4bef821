package mongodb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// An order is walked until the page is full, which is soon where the conditions that are tried on its rows hold for many of them, and never where
// they hold for none. What another index finds for one of those conditions can be read and sorted instead: its rivals. Which costs less nobody
// knows beforehand, so they are tried in turn, each within a bound that grows: what is read in all is no more than a few times what the better of
// them needs.

// rival is another way to the rows of a plan: all that an index finds for one conjunct, or several indexes, in no order.
type rival struct {
	reads []read
	// served are the conjuncts that hold for all that is found.
	served []int
	// about is the conjunct that is asked for: nothing else than what is found satisfies it.
	about int
	// ids are what is found, where that is known without asking.
	ids []string
	// cost is how many documents could be read for the keys that it takes to find any.
	cost int
}

// errTooFar means that a page is not full with the rows that a walk may read.
var errTooFar = errors.New("the page lies beyond what is read")

const (
	// firstWithin is how many times the rows of its page a walk reads before its rivals are looked at, and growth how many times as many each
	// turn after that.
	firstWithin = 4
	firstFew    = 250 // what a rival finds in the first turn
	growth      = 4
	// maxContested is up to how many rows of a page that is.
	maxContested = 5000
	// near is how far a page may reach, as a multiple of the rows that were read and by those of the page that were among them, to be read on for
	// at once.
	near = 8
	// lastTurn is the turn after which a walk has no bound: what a rival finds is then as many.
	lastTurn = 5
)

// addRivals gives a plan the ways to its rows by one conjunct, but for those that equalities serve and those that told reports.
func (r *reader) addRivals(ctx context.Context, p *plan, told func(i int) bool) error {
	var out []rival
	typ, orders := p.typ, r.s.collections.orders(p.typ)
	for i, c := range p.list {
		if told(i) || len(equalities(p.list[i:i+1])) > 0 {
			continue
		}
		if k, ok := c.(search.KeyIn); ok {
			out = append(out, rival{ids: k.IDs, served: []int{i}, about: i})
			continue
		}
		if reads := r.readsOf(typ, c); reads != nil {
			v := rival{reads: reads, about: i}
			if len(reads) == 1 && exact(c) {
				v.served = []int{i}
			}
			out = append(out, v)
			if param, f := placesOf(c); len(reads) > 1 && f != nil && orders[indexOrder(param)] {
				out = append(out, rival{reads: []read{{indexOrder(param), f}}, about: i})
			}
			continue
		}
		param, f, keys := byOrder(c)
		switch {
		case f == nil:
		case !orders[indexOrder(param)]:
			p.wants = append(p.wants, param)
		case !keys:
			out = append(out, rival{reads: []read{{indexOrder(param), f}}, about: i})
		default:
			size, err := r.remembered(typ+"\x00size", func() (int, error) {
				n, err := r.s.current(typ).EstimatedDocumentCount(context.WithoutCancel(ctx))
				return int(n), wrap("count", err)
			})
			if err != nil {
				return err
			}
			out = append(out, rival{reads: []read{{indexOrder(param), f}}, about: i, cost: size / keysADocument})
		}
	}
	p.rivals = append(p.rivals, out...)
	return nil
}

// keysADocument is about how many keys of an order are read in the time of one document.
const keysADocument = 8

// byOrder returns the filter of what is found by the order of a parameter: who has no place in it, and in whose only value a text stands; nil for
// other conditions. keys is set where all its keys are read to find any.
func byOrder(c search.Expr) (param string, f bson.D, keys bool) {
	switch c := c.(type) {
	case search.Not:
		// Hardly any resource has a place under the further names of a parameter.
		if s, ok := c.Expr.(search.Some); ok && len(s.Where) == 0 && s.Param != search.SortByID && !strings.Contains(s.Param, ":") {
			return s.Param, placeless(s.Param), false
		}
	case search.Some:
		if len(c.Where) != 1 || c.Where[0].Part != 0 || c.Where[0].Field != search.Folded || c.Where[0].Op != search.Contains {
			break
		}
		if len(c.Where[0].Value) > maxPattern {
			break
		}
		text, possible := compare(pathSort+keyName(c.Param)+"."+memberLeast, c.Where[0], false)
		if !possible || len(text) == 0 {
			break
		}
		width := pathSort + keyName(c.Param) + "." + memberWidth
		return c.Param, anyOf([]bson.D{
			{{Key: width, Value: widthNone}, text[0]},
			{{Key: width, Value: bson.D{{Key: "$gte", Value: widthSeveral}, {Key: "$lte", Value: widthPoint}}}},
		}), true
	}
	return "", nil, false
}

// placesOf returns where in the order of a parameter a resource can lie that satisfies a condition on its bounds; nil for other conditions. Of a
// resource with several values nothing is known.
func placesOf(c search.Expr) (param string, f bson.D) {
	s, ok := c.(search.Some)
	if or, any := c.(search.Or); any && len(or) > 0 {
		s, ok = or[0].(search.Some)
	}
	if !ok {
		return "", nil
	}
	spans := spansOf([]search.Expr{c}, s.Param)
	if spans == nil {
		return "", nil
	}
	key := pathSort + keyName(s.Param) + "."
	branches := []bson.D{{{Key: key + memberWidth, Value: widthSeveral}}}
	for w := widthFar; w <= widthNone; w++ {
		for _, in := range spans[w] {
			branches = append(branches, bson.D{{Key: key + memberWidth, Value: w}, {Key: key + memberLeast, Value: in.condition()}})
		}
	}
	return s.Param, anyOf(branches)
}

// exact reports whether what readsOf returns for a condition finds nothing else.
func exact(c search.Expr) bool {
	switch c := c.(type) {
	case search.Or:
		return !slices.ContainsFunc(c, func(c search.Expr) bool { return !exact(c) })
	case search.Some:
		return !slices.ContainsFunc(c.Where, func(c search.Comparison) bool { return c.Part != 0 })
	}
	return false
}

// want makes the orders that would serve a plan, in the background, where its type is large.
func (r *reader) want(ctx context.Context, p *plan) error {
	if len(p.wants) == 0 {
		return nil
	}
	n, err := r.frequency(ctx, p.typ, []string{termLive}, manyTerms)
	for _, param := range p.wants {
		if n >= manyTerms {
			r.s.collections.wantOrder(r.s, p.typ, param)
		}
	}
	return err
}

// placeless is the condition that a resource has no place in the order of a parameter.
func placeless(param string) bson.D {
	key := pathSort + keyName(param) + "."
	return bson.D{{Key: key + memberWidth, Value: nil}, {Key: key + memberLeast, Value: nil}}
}

// use makes a plan read what a rival finds.
func (r *reader) use(ctx context.Context, p *plan, v rival) error {
	p.blocks, p.within, p.rivals = true, 0, nil
	p.rest = p.rest[:0:0]
	for i, c := range p.list {
		switch {
		case slices.Contains(v.served, i):
		case i == v.about:
			p.rest = append(p.rest, found{c})
		default:
			p.rest = append(p.rest, c)
		}
	}
	if len(v.reads) == 1 {
		p.index, p.lead = v.reads[0].index, v.reads[0].filter
		if p.index != indexTerms && p.index != indexRanges {
			p.rest = append(p.rest, alive{})
		}
		return nil
	}
	ids := slices.Clone(v.ids)
	for _, one := range v.reads {
		each := &plan{typ: p.typ, index: one.index, lead: one.filter}
		rows, err := r.rows(ctx, each, []bson.D{each.scan()}, nil, unlimited, false) // how many they were may have been another time
		if err != nil {
			return err
		}
		ids = append(ids, idsOf(rows)...)
	}
	slices.Sort(ids)
	p.index, p.lead = "", bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: append([]string{}, slices.Compact(ids)...)}}}}
	p.rest = append(p.rest, alive{})
	return nil
}

// contest reads a page of at most limit rows behind from by its plan, or by the rival that turns out to be better, which then is the plan. name
// tells the plan from others of its type, for which of them won is remembered.
func (r *reader) contest(ctx context.Context, p *plan, name string, from *start, limit int, page func() ([]search.Row, error)) ([]search.Row, error) {
	if len(p.rivals) == 0 && len(p.wants) == 0 {
		return page()
	}
	if limit > maxContested { // all rows are read, or many, which an order by the index spares the server to sort
		v, ok, err := r.lesser(ctx, p, manyTerms)
		if err == nil && ok {
			err = r.use(ctx, p, v)
		}
		if err != nil {
			return nil, err
		}
		return page()
	}
	if from == nil {
		name += "first"
	}
	key, err := filterKey(p.typ+"\x00"+name, filter(search.And(p.list)), limit)
	if err != nil {
		return nil, err
	}
	turn, within, walks := 0, firstWithin*limit, true
	n, ok := r.recall(key)
	switch {
	case ok && n > 0 && from == nil: // it is the same page, and a find takes less than what bounds it
		return page()
	case ok && n > 0:
		within = n
	case ok:
		turn, walks = -n, false
	}
	for ; turn <= lastTurn; turn++ {
		scale := 1
		for range turn {
			scale *= growth
		}
		ahead := unlimited // about how many rows there are to the end of the page
		within = min(max(within, firstWithin*limit*scale), unlimited)
		for again := true; walks; again = false {
			p.within, p.met = within, 0
			rows, err := page()
			if !errors.Is(err, errTooFar) {
				r.remember(key, within)
				return rows, err
			}
			if p.met == 0 {
				break
			}
			if ahead = within * limit / p.met; !again || ahead > near*within {
				break
			}
			within = 2 * ahead
		}
		walks = true
		if err := r.want(ctx, p); err != nil {
			return nil, err
		}
		if len(p.rivals) == 0 {
			break
		}
		v, ok, err := r.lesser(ctx, p, min(firstFew*scale, ahead))
		if err != nil {
			return nil, err
		}
		if ok {
			r.remember(key, -turn)
			if err := r.use(ctx, p, v); err != nil {
				return nil, err
			}
			return page()
		}
	}
	p.within = 0
	return page()
}

// lesser returns the rival that finds least, where that is less than few.
func (r *reader) lesser(ctx context.Context, p *plan, few int) (best rival, ok bool, err error) {
	least := few
	for _, v := range p.rivals {
		if v.cost >= few || len(v.reads) > 1 && least > maxReferred { // the ids of so many are not collected
			continue
		}
		n := len(v.ids)
		for _, one := range v.reads {
			if n >= least {
				break
			}
			m, err := r.countRead(ctx, p.typ, one, least)
			if err != nil {
				return best, false, err
			}
			n += m
		}
		if n < least {
			best, least, ok = v, n, true
		}
	}
	return best, ok, nil
}

// countRead returns about how many resources a read finds, up to limit.
func (r *reader) countRead(ctx context.Context, typ string, one read, limit int) (int, error) {
	key, err := filterKey(typ, one.filter, limit)
	if err != nil {
		return 0, err
	}
	return r.remembered(key, func() (int, error) {
		n, err := r.countUpTo(ctx, typ, one.filter, one.index, limit)
		if err == nil && r.told != nil {
			err = r.told.probe(ctx, r, &plan{typ: typ, index: one.index}, one.filter, limit, n)
		}
		return n, err
	})
}

// startsWithTerm returns the condition that one of the terms starts with prefix, in a form that the server tells by keys alone where there is
// one: it knows the bounds of a pattern that is no more than a beginning.
func startsWithTerm(prefix string) bson.D {
	if !utf8.ValidString(prefix) || strings.IndexByte(prefix, 0) >= 0 || len(prefix) > maxPattern {
		return bson.D{{Key: pathTerms, Value: bson.D{{Key: "$elemMatch", Value: startsWith(prefix)}}}}
	}
	return bson.D{{Key: pathTerms, Value: bson.Regex{Pattern: "^" + quoteRegex(prefix)}}}
}
