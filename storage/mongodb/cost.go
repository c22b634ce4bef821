package mongodb

import (
	"context"
)

// The costs that candidates are compared by are about how many documents a page takes to be read. What a term finds is counted, up to a few
// hundred, because a count of keys is cheap; how far an order has to be walked until a page is full nobody knows beforehand. A walk therefore
// costs more than few documents that are sorted, and less than many.
const (
	// fewTerms is up to how many matches of a term are rather sorted than looked for in an order.
	fewTerms = 500
	// manyTerms is where counting the matches of a prefix or a range ends.
	manyTerms = 2000

	costCompound = fewTerms + 1 // what is asked by equality comes before the order
	costTerms    = fewTerms + 2
	costOrder    = fewTerms + 3
	costAbsence  = fewTerms + 4
	costAll      = fewTerms + 5
	costSort     = manyTerms // of many that terms find
)

// choice is the candidate that is chosen for the pages of a query, and what may turn out to be better when it is walked.
type choice struct {
	candidate
	rivals []candidate
	// wants are the parameters whose orders would be rivals, and are not there.
	wants []string
}

// choose returns the candidate that costs least for a page.
func (pl *planner) choose(ctx context.Context) (choice, error) {
	if c, ok := pl.byName(); ok {
		return choice{candidate: c}, nil
	}
	walks := pl.byOrder()
	if len(walks) > 0 && walks[0].kind == compound && len(walks[0].served) == len(pl.equal) {
		return pl.contested(walks[0]), nil // which no count could change
	}
	alone := len(pl.terms) == 1 && (pl.by == "" || len(walks) == 0)
	var best candidate
	least := unlimited
	for _, list := range [][]candidate{pl.terms, walks} {
		for _, c := range list {
			cost, err := pl.cost(ctx, c, alone)
			if err != nil {
				return choice{}, err
			}
			if cost < least {
				best, least = c, cost
			}
		}
	}
	switch {
	case least <= fewTerms:
		return choice{candidate: best}, nil
	case best.ordered:
		return pl.contested(best), nil
	}
	if err := pl.makeOrders(ctx, []string{pl.by}); err != nil {
		return choice{}, err
	}
	if least < unlimited {
		return choice{candidate: best}, nil
	}
	best, err := pl.whole(ctx)
	return choice{candidate: best}, err
}

// contested returns a candidate that is walked in an order beside its rivals.
func (pl *planner) contested(c candidate) choice {
	rivals, wants := pl.rivals(c)
	return choice{c, rivals, wants}
}

// cost returns what a page costs by a candidate. One that is alone is not counted: there is nothing to compare it with.
func (pl *planner) cost(ctx context.Context, c candidate, alone bool) (int, error) {
	switch c.kind {
	case terms:
		n := manyTerms
		if !alone {
			var err error
			if n, err = pl.r.frequency(ctx, pl.typ, c.values, fewTerms+1); err != nil {
				return 0, err
			}
		}
		switch {
		case n <= fewTerms:
			return n, nil
		case c.ordered:
			return costTerms, nil
		case pl.by == "": // so many are not merged in the order of ids
			return unlimited, nil
		}
		return costSort, nil
	case compound:
		return costCompound, nil
	case ordering:
		return costOrder, nil
	case absence:
		return costAbsence, nil
	}
	return costAll, nil
}

// whole returns the candidate that costs least where all rows are read, in no order.
func (pl *planner) whole(ctx context.Context) (candidate, error) {
	if c, ok := pl.byName(); ok {
		return c, nil
	}
	found, wants := pl.rivals(candidate{})
	if err := pl.makeOrders(ctx, wants); err != nil {
		return candidate{}, err
	}
	if len(found) == 1 && len(found[0].reads) == 1 {
		return found[0], nil
	}
	for few := firstFew; len(found) > 0 && few < unlimited/growth; few *= growth {
		if best, ok, err := pl.least(ctx, found, few); ok || err != nil {
			return best, err
		}
	}
	return pl.everything(), nil // what several indexes find is more than is collected
}

// least returns the candidate that finds least, where that is less than few.
func (pl *planner) least(ctx context.Context, list []candidate, few int) (best candidate, ok bool, err error) {
	least := few
	for _, c := range list {
		if len(c.reads) > 1 && least > maxReferred { // the ids of so many are not collected
			continue
		}
		if c.keys {
			size, err := pl.size(ctx)
			if err != nil {
				return best, false, err
			}
			if size/keysADocument >= few {
				continue
			}
		}
		n := len(c.ids)
		for _, one := range c.reads {
			if n >= least {
				break
			}
			m, err := pl.r.countAccess(ctx, pl.typ, one, least)
			if err != nil {
				return best, false, err
			}
			n += m
		}
		if n < least {
			best, least, ok = c, n, true
		}
	}
	return best, ok, nil
}

// keysADocument is about how many keys of an order are read in the time of one document.
const keysADocument = 8

// size returns about how many resources the type has.
func (pl *planner) size(ctx context.Context) (int, error) {
	return pl.r.remembered(pl.typ+"\x00size", func() (int, error) {
		n, err := pl.r.s.current(pl.typ).EstimatedDocumentCount(context.WithoutCancel(ctx))
		return int(n), wrap("count", err)
	})
}

// makeOrders makes the orders of parameters, in the background, where the type is large.
func (pl *planner) makeOrders(ctx context.Context, params []string) error {
	if len(params) == 0 {
		return nil
	}
	n, err := pl.r.frequency(ctx, pl.typ, []string{termLive}, manyTerms)
	for _, param := range params {
		if n >= manyTerms {
			pl.r.s.collections.wantOrder(pl.r.s, pl.typ, param)
		}
	}
	return err
}
