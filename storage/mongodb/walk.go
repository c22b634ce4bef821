package mongodb

import (
	"context"
	"errors"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// An order is walked until the page is full, which is soon where the conditions that are tried on its rows hold for many of them, and never where
// they hold for none. What another index finds for one of those conditions can be read and sorted instead: the rivals of the walk. Which costs less
// nobody knows beforehand, so they are tried in turn, each within a bound that grows: what is read in all is no more than a few times what the
// better of them needs.

// errTooFar means that a page is not full with the rows that a walk may read.
var errTooFar = errors.New("the page lies beyond what is read")

// bound is how many rows a walk may read for a page; met counts those of the page that were among them.
type bound struct{ rows, met int }

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

// pages reads pages of a query by the candidate that was chosen, or by the rival that turns out to be better, with which it then stays.
type pages struct {
	*planner
	choice choice
	plan   plan
	// name tells the order of the rows from others of its type, for which candidate won is remembered.
	name string
}

// pages chooses how pages are read.
func (pl *planner) pages(ctx context.Context, name string) (*pages, error) {
	c, err := pl.choose(ctx)
	if err != nil {
		return nil, err
	}
	p, err := pl.planOf(ctx, c.candidate)
	return &pages{pl, c, p, name}, err
}

// settle makes a rival what all further pages are read by.
func (g *pages) settle(ctx context.Context, c candidate) (err error) {
	g.choice = choice{candidate: c}
	g.plan, err = g.planOf(ctx, c)
	return err
}

// page returns at most limit rows behind from. walk reads them by a plan.
func (g *pages) page(ctx context.Context, from *start, limit int, walk func(plan) ([]search.Row, error)) ([]search.Row, error) {
	if len(g.choice.rivals) == 0 && len(g.choice.wants) == 0 {
		return walk(g.plan)
	}
	if limit > maxContested { // all rows are read, or many, which an order by the index spares the server to sort
		c, ok, err := g.least(ctx, g.choice.rivals, manyTerms)
		if err == nil && ok {
			err = g.settle(ctx, c)
		}
		if err != nil {
			return nil, err
		}
		return walk(g.plan)
	}
	name := g.name
	if from == nil {
		name += "first"
	}
	key, err := filterKey(g.typ+"\x00"+name, filter(search.And(g.list)), limit)
	if err != nil {
		return nil, err
	}
	turn, within, walks := 0, firstWithin*limit, true
	n, ok := g.r.recall(key)
	switch {
	case ok && n > 0 && from == nil: // it is the same page, and a find takes less than what bounds it
		return walk(g.plan)
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
		if walks {
			var rows []search.Row
			within = min(max(within, firstWithin*limit*scale), unlimited)
			if rows, ahead, err = g.walkFor(within, limit, walk); !errors.Is(err, errTooFar) {
				g.r.remember(key, within)
				return rows, err
			}
		}
		walks = true
		if err := g.makeOrders(ctx, g.choice.wants); err != nil {
			return nil, err
		}
		if len(g.choice.rivals) == 0 {
			break
		}
		c, ok, err := g.least(ctx, g.choice.rivals, min(firstFew*scale, ahead))
		if err != nil {
			return nil, err
		}
		if ok {
			g.r.remember(key, -turn)
			if err := g.settle(ctx, c); err != nil {
				return nil, err
			}
			return walk(g.plan)
		}
	}
	return walk(g.plan)
}

// walkFor walks for a page within a bound, and once more where what it met lets expect that the page is near. With errTooFar it returns about how
// many rows there are to the end of the page.
func (g *pages) walkFor(within, limit int, walk func(plan) ([]search.Row, error)) (rows []search.Row, ahead int, err error) {
	ahead = unlimited
	for again := true; ; again = false {
		b := &bound{rows: within}
		if rows, err = walk(g.plan.within(b)); !errors.Is(err, errTooFar) || b.met == 0 {
			return rows, ahead, err
		}
		if ahead = within * limit / b.met; !again || ahead > near*within {
			return nil, ahead, err
		}
		within = 2 * ahead
	}
}
