package mongodb

import (
	"cmp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// interval is a range of strings from lo, which belongs to it, to hi, which does not; open has no end.
type interval struct {
	lo, hi string
	open   bool
}

func (s interval) empty() bool { return !s.open && s.lo >= s.hi }

func (s interval) intersect(o interval) interval {
	out := interval{lo: max(s.lo, o.lo), hi: s.hi, open: s.open}
	if !o.open && (s.open || o.hi < s.hi) {
		out.hi, out.open = o.hi, false
	}
	return out
}

// next appended to a string makes the least one above it.
const next = "\x00"

// condition returns it as a condition on a string.
func (s interval) condition() any {
	if !s.open && s.hi == s.lo+next {
		return s.lo
	}
	d := bson.D{{Key: "$gte", Value: s.lo}}
	if !s.open {
		d = append(d, bson.E{Key: "$lt", Value: s.hi})
	}
	return d
}

// united sorts intervals and joins those that touch.
func united(list []interval) []interval {
	slices.SortFunc(list, func(a, b interval) int { return cmp.Compare(a.lo, b.lo) })
	var out []interval
	for _, s := range list {
		if s.empty() {
			continue
		}
		if n := len(out); n > 0 && (out[n-1].open || s.lo <= out[n-1].hi) {
			last := &out[n-1]
			if s.open || !last.open && s.hi > last.hi {
				last.hi, last.open = s.hi, last.open || s.open
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

func intersected(a, b []interval) []interval {
	var out []interval
	for _, x := range a {
		for _, y := range b {
			if s := x.intersect(y); !s.empty() {
				out = append(out, s)
			}
		}
	}
	return united(out)
}

// places are for each width of ranges the intervals of lo in which matches lie, by which they are sorted.
type places [widthNone + 1][]interval

// placesOf returns for each width the intervals of lo in which resources with a single range of param can lie that satisfy list; nil where list says
// nothing about it. Of width several nothing is known but that it can be anywhere.
func placesOf(list []search.Expr, param string) *places {
	var out places
	for w := range out {
		out[w] = []interval{{open: true}}
	}
	found := false
	for _, c := range list {
		alternatives, ok := rangesOn(c, param)
		if !ok {
			continue
		}
		found = true
		for w := widthFar; w <= widthNone; w++ {
			var any []interval
			for _, where := range alternatives {
				any = append(any, placeIn(where, int32(w)))
			}
			out[w] = intersected(out[w], united(any))
		}
	}
	if !found {
		return nil
	}
	return &out
}

// rangesOn returns the alternatives of a conjunct that is about one entry of param with bounds.
func rangesOn(c search.Expr, param string) ([][]search.Comparison, bool) {
	var list search.Or
	switch c := c.(type) {
	case search.Some:
		list = search.Or{c}
	case search.Or:
		list = c
	default:
		return nil, false
	}
	var out [][]search.Comparison
	for _, alt := range list {
		s, ok := alt.(search.Some)
		if !ok || s.Param != param || !slices.ContainsFunc(s.Where, isBound) {
			return nil, false
		}
		out = append(out, s.Where)
	}
	return out, len(out) > 0
}

func isBound(c search.Comparison) bool {
	return c.Part == 0 && (c.Field == search.Lo || c.Field == search.Hi)
}

// placeIn returns where lo of a range of width w can lie whose bounds satisfy where. What has no range sorts by something else, and satisfies
// conditions on bounds where "" does.
func placeIn(where []search.Comparison, w int32) interval {
	s := interval{open: true}
	if w == widthNone {
		for _, c := range where {
			if isBound(c) && !holds(c, "") {
				return interval{}
			}
		}
		return s
	}
	for _, c := range where {
		if !isBound(c) {
			continue
		}
		var o interval
		switch {
		case c.Field == search.Lo:
			switch c.Op {
			case search.Eq:
				o = interval{lo: c.Value, hi: c.Value + next}
			case search.Lt:
				o = interval{hi: c.Value}
			case search.Le:
				o = interval{hi: c.Value + next}
			case search.Gt:
				o = interval{lo: c.Value + next, open: true}
			case search.Ge:
				o = interval{lo: c.Value, open: true}
			case search.Prefix:
				o = interval{lo: c.Value, hi: after(c.Value)}
				o.open = o.hi == ""
			default:
				continue
			}
		case c.Op == search.Lt || c.Op == search.Le: // lo is not above hi
			o = interval{hi: c.Value + next}
		case c.Op == search.Eq:
			o = interval{lo: least(c.Value, w), hi: c.Value + next}
		case c.Op == search.Gt || c.Op == search.Ge:
			o = interval{lo: least(c.Value, w), open: true}
		default:
			continue
		}
		s = s.intersect(o)
	}
	return s
}

// least returns the least lo that a range of width w can have whose hi is value or above it: where lo is below value, value shares the bytes
// that lo and hi share.
func least(value string, w int32) string {
	switch w {
	case widthFar, widthSeveral:
		return ""
	case widthPoint: // lo is value, or a beginning of it behind which stands no more than the mark
		for i := range len(value) {
			if value[i] <= pointMark[0] {
				return value[:i]
			}
		}
		return value
	}
	return value[:min(len(value), shared[w])]
}
