package mongodb

import (
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// A query of one type is planned in three steps: its candidates are collected (source.go), one of them is chosen by its cost (cost.go), and it is
// made a plan, which is read. The plan names its index to the server and leaves it nothing to choose: its own choice would be made by trial, kept
// for other values, and at times be a bad one.

// planner knows a query of one type: its condition, by the conjuncts, and the order of its rows. Nothing changes it once it is made.
type planner struct {
	r    *reader
	typ  string
	list []search.Expr
	// by is the parameter whose order is asked for; "" for that of the id.
	by string
	// places are where in the order of by a match can lie; nil for anywhere.
	places *places
	// equal are the conjuncts that terms serve, terms the candidates that read them.
	equal []equality
	terms []candidate
	// orders are the names of the indexes that the type has for orders.
	orders map[string]bool
}

// planner returns the planner of a query; nil where no resource can satisfy the condition, which must have no chains.
func (r *reader) planner(typ string, where search.Expr, by string) *planner {
	pl := &planner{r: r, typ: typ, by: by, list: search.Conjuncts(where), orders: r.s.collections.orders(typ)}
	for _, c := range pl.list {
		switch c := c.(type) {
		case search.Or:
			if len(c) == 0 {
				return nil
			}
		case search.KeyIn:
			if len(c.IDs) == 0 {
				return nil
			}
		}
	}
	if by != "" {
		pl.places = placesOf(pl.list, by)
	}
	pl.equal = equalities(pl.list)
	pl.terms = pl.byTerms()
	return pl
}

// plan is a candidate that is ready to be read: one index, and the conditions that are tried on what it finds. It is a value.
type plan struct {
	typ string
	// index is the name of the index that is read; "" for the one on _id.
	index string
	// lead are the conditions that the index begins with.
	lead bson.D
	// by is the parameter that the rows are ordered by; "" for the id. blocks is set where the index does not give that order, so that the server
	// sorts what it finds.
	by     string
	blocks bool
	places *places
	// alive is set where the index may find deleted resources.
	alive bool
	tests []test
	// bound ends the reading of a page; nil for none.
	bound *bound
}

// test is a condition that is tried on what an index finds. found is set where the index found it by that condition, or where the condition
// bounds its scan.
type test struct {
	expr  search.Expr
	found bool
}

// planOf makes a candidate ready. What several indexes find is read here, and becomes a condition on ids.
func (pl *planner) planOf(ctx context.Context, c candidate) (plan, error) {
	p := plan{typ: pl.typ, by: pl.by, blocks: pl.by != "" && !c.ordered, places: pl.places, alive: c.deleted}
	if len(c.reads) == 1 {
		p.index, p.lead = c.reads[0].index, c.reads[0].filter
	} else {
		ids := slices.Clone(c.ids)
		for _, one := range c.reads {
			each := plan{typ: pl.typ, index: one.index, lead: one.filter}
			rows, err := pl.r.rows(ctx, each, []bson.D{each.scan()}, nil, unlimited, false) // how many they were may have been another time
			if err != nil {
				return plan{}, err
			}
			ids = append(ids, idsOf(rows)...)
		}
		slices.Sort(ids)
		p.lead, p.alive = filter(search.KeyIn{IDs: slices.Compact(ids)}), true
	}
	p.tests = pl.tests(c)
	return p, nil
}

// tests returns the conditions that are tried on what a candidate finds.
func (pl *planner) tests(c candidate) (out []test) {
	for i, e := range pl.list {
		if !slices.Contains(c.served, i) {
			out = append(out, test{e, i == c.about || c.ordered && pl.bounds(i)})
		}
	}
	return out
}

// planWhole returns the plan that reads all rows, in no order.
func (pl *planner) planWhole(ctx context.Context) (plan, error) {
	c, err := pl.whole(ctx)
	if err != nil {
		return plan{}, err
	}
	return pl.planOf(ctx, c)
}

// bounds reports whether a conjunct bounds a scan in the order that is asked for.
func (pl *planner) bounds(i int) bool {
	if pl.by == "" {
		return false
	}
	_, ok := rangesOn(pl.list[i], pl.by)
	return ok
}

// within returns the plan for a page that is given up when so much is read.
func (p plan) within(b *bound) plan {
	p.bound = b
	return p
}

// filter returns the filter of the plan.
func (p plan) filter(also ...bson.D) bson.D { return p.whole(p.scan(also...)) }

// whole returns the filter of a scan of the plan.
func (p plan) whole(scan bson.D) bson.D {
	var list bson.A
	if len(scan) > 0 {
		list = append(list, scan)
	}
	for _, c := range p.tried() {
		list = append(list, hidden(c.(bson.D)))
	}
	return and(list)
}

// scan returns the filter of what is read of the index: lead, and further conditions behind it.
func (p plan) scan(also ...bson.D) bson.D {
	var list bson.A
	if len(p.lead) > 0 {
		list = append(list, p.lead)
	}
	for _, f := range also {
		if len(f) > 0 {
			list = append(list, f)
		}
	}
	if p.alive {
		list = append(list, live)
	}
	return and(list)
}

// tried returns the filters that are tried on what is read.
func (p plan) tried() bson.A {
	var list bson.A
	for _, t := range p.tests {
		if f := filter(t.expr); len(f) > 0 {
			list = append(list, f)
		}
	}
	return list
}

// hidden keeps a condition away from the server's planner: it is tried on what the index finds.
func hidden(f bson.D) bson.D {
	return bson.D{{Key: "$nor", Value: bson.A{bson.D{{Key: "$nor", Value: bson.A{f}}}}}}
}

// projection is what a find returns of a plan's rows.
func (p plan) projection() bson.D {
	projection := bson.D{{Key: fieldVersion, Value: 1}, {Key: fieldUpdated, Value: 1}}
	if p.by != "" {
		projection = append(projection, bson.E{Key: pathSort + keyName(p.by), Value: 1})
	}
	return projection
}

// hint returns the index as the server knows it.
func (p plan) hint() any {
	if p.index == "" {
		return bson.D{{Key: fieldID, Value: 1}}
	}
	return p.index
}

// describe returns the index for people.
func (p plan) describe() string {
	if p.index == "" {
		return p.typ + ": _id"
	}
	return p.typ + ": " + strings.TrimSpace(p.index)
}
