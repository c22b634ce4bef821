package mongodb

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// order reads the rows of one plan by the value of one parameter. The rows with a value come first: ascending in one stream by the least value
// of each, descending in two, those with one value and those with several by their greatest. Then those without a value, by id.
type order struct {
	r             *reader
	pages         *pages
	p             plan
	desc, reverse bool
	member        string // the sort key's path, with a point behind it
}

// order chooses how the order that is asked for is read.
func (pl *planner) order(ctx context.Context, desc, reverse bool) (*order, error) {
	pages, err := pl.pages(ctx, fmt.Sprint(pl.by, "\x00", desc, reverse))
	return &order{r: pl.r, pages: pages, desc: desc, reverse: reverse, member: pathSort + keyName(pl.by) + "."}, err
}

// page returns up to limit rows behind from.
func (o *order) page(ctx context.Context, from *start, limit int) ([]search.Row, error) {
	return o.pages.page(ctx, from, limit, func(p plan) ([]search.Row, error) {
		by := *o
		by.p = p
		return by.walk(ctx, from, limit)
	})
}

// walk returns up to limit rows behind from, as the plan says.
func (o *order) walk(ctx context.Context, from *start, limit int) ([]search.Row, error) {
	parts := []func(context.Context, *start, int) ([]search.Row, error){o.present, o.missing}
	if o.reverse {
		slices.Reverse(parts)
	}
	if from != nil && len(from.keys) > 0 && from.keys[0].Missing != o.reverse { // the position is in the second part
		parts = parts[1:]
	}
	var out []search.Row
	for _, part := range parts {
		if len(out) >= limit {
			break
		}
		rows, err := part(ctx, from, limit-len(out))
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
		from = nil
	}
	return out, nil
}

// missing returns the rows without a value.
func (o *order) missing(ctx context.Context, from *start, limit int) ([]search.Row, error) {
	behind, some := o.behind(from)
	if !some || o.p.places != nil { // where a range is asked for there is a value
		return nil, nil
	}
	none := bson.D{{Key: o.member + memberWidth, Value: nil}, {Key: o.member + memberLeast, Value: nil}}
	return o.r.rows(ctx, o.p, []bson.D{o.p.scan(none, behind, live)}, bson.D{{Key: fieldID, Value: direction(o.reverse)}}, limit, o.desc)
}

// behind returns the condition on the ids of rows whose keys equal those of from; false where none of them follows.
func (o *order) behind(from *start) (bson.D, bool) {
	switch {
	case from == nil || !from.here && from.equal:
		return nil, true
	case from.here:
		return idBehind(from, o.reverse), true
	}
	return nil, false
}

// present returns the rows with a value.
func (o *order) present(ctx context.Context, from *start, limit int) ([]search.Row, error) {
	if !o.desc {
		return o.stream(ctx, memberLeast, widthSeveral, widthNone, from, limit)
	}
	rows, err := o.stream(ctx, memberLeast, widthFar, widthNone, from, limit)
	if err != nil {
		return nil, err
	}
	several, err := o.stream(ctx, memberMost, widthSeveral, widthSeveral, from, limit)
	if err != nil || len(several) == 0 {
		return rows, err
	}
	rows = append(rows, several...)
	sorts := []search.Sort{{Desc: true}}
	slices.SortFunc(rows, func(a, b search.Row) int { return inOrder(a.Position.Compare(b.Position, sorts), o.reverse) })
	return rows[:min(len(rows), limit)], nil
}

// stream returns rows of some widths in the order of one member of the sort key.
func (o *order) stream(ctx context.Context, member string, lo, hi int32, from *start, limit int) ([]search.Row, error) {
	if from == nil {
		return o.ordered(ctx, member, lo, hi, interval{open: true}, limit)
	}
	value := from.keys[0].Value
	var out []search.Row
	if behind, some := o.behind(from); some {
		var err error
		if out, err = o.equal(ctx, member, lo, hi, value, behind, limit); err != nil {
			return nil, err
		}
	}
	if len(out) >= limit {
		return out, nil
	}
	beyond := interval{lo: value + next, open: true}
	if o.desc != o.reverse {
		beyond = interval{hi: value}
	}
	rows, err := o.ordered(ctx, member, lo, hi, beyond, limit-len(out))
	return append(out, rows...), err
}

// equal returns rows of one value, by id.
func (o *order) equal(ctx context.Context, member string, lo, hi int32, value string, behind bson.D, limit int) ([]search.Row, error) {
	branches := o.branches(member, lo, hi, interval{lo: value, hi: value + next}, behind)
	return o.r.rows(ctx, o.p, branches, bson.D{{Key: fieldID, Value: direction(o.reverse)}}, limit, o.desc)
}

// ordered returns rows whose value lies in an interval, in order. An index gives equal values by id in the direction in which it is read: where
// that is not the order asked for, one row more is read, which tells whether the last value is complete.
func (o *order) ordered(ctx context.Context, member string, lo, hi int32, in interval, limit int) ([]search.Row, error) {
	down := o.desc != o.reverse
	n := limit
	if o.desc && n < unlimited {
		n++
	}
	by := bson.D{{Key: o.member + member, Value: direction(down)}, {Key: fieldID, Value: direction(down)}}
	rows, err := o.r.rows(ctx, o.p, o.branches(member, lo, hi, in, nil), by, n, o.desc)
	if err != nil || !o.desc {
		return rows, err
	}
	for i := 0; i < len(rows); {
		j := i + 1
		for j < len(rows) && rows[j].Sort[0] == rows[i].Sort[0] {
			j++
		}
		if j == n && j-i > 1 {
			// The last value may have more rows, and those first by id.
			value := rows[i].Sort[0].Value
			equal, err := o.equal(ctx, member, lo, hi, value, nil, limit-i)
			return append(rows[:i], equal...), err
		}
		slices.Reverse(rows[i:j])
		i = j
	}
	return rows[:min(len(rows), limit)], nil
}

// branches returns the scans of a plan: for each group of widths with the same intervals one for each interval, cut to in.
func (o *order) branches(member string, lo, hi int32, in interval, behind bson.D) []bson.D {
	widths := bson.D{{Key: "$gte", Value: lo}, {Key: "$lte", Value: hi}}
	value := func(s interval) bson.D { return bson.D{{Key: o.member + member, Value: s.condition()}} }
	if o.p.blocks {
		return []bson.D{o.p.scan(bson.D{{Key: o.member + memberWidth, Value: widths}}, value(in), behind)}
	}
	type group struct {
		widths    []int32
		intervals []interval
	}
	var groups []group
	for w := lo; w <= hi; w++ {
		intervals := []interval{in}
		if o.p.places != nil && member == memberLeast && w != widthSeveral {
			intervals = intersected(o.p.places[w], intervals)
		}
		if len(intervals) == 0 {
			continue
		}
		i := slices.IndexFunc(groups, func(g group) bool { return slices.Equal(g.intervals, intervals) })
		if i < 0 {
			groups = append(groups, group{intervals: intervals})
			i = len(groups) - 1
		}
		groups[i].widths = append(groups[i].widths, w)
	}
	var out []bson.D
	for _, g := range groups {
		w := bson.D{{Key: o.member + memberWidth, Value: g.widths[0]}}
		if len(g.widths) > 1 {
			w = bson.D{{Key: o.member + memberWidth, Value: bson.D{{Key: "$in", Value: g.widths}}}}
		}
		for _, s := range g.intervals {
			out = append(out, o.p.scan(w, value(s), behind))
		}
	}
	return out
}
