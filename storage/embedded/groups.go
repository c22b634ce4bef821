package embedded

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// maxGroups bounds the groups that an atom over ranges is read from.
const maxGroups = 32

// groupScans returns scans that read what an atom over ranges accepts in the order of ids: one for each group of Lo within its bounds, and
// what reads the wide ranges that begin before them. ok is false where there are too many groups, or none is saved.
func (r *reader) groupScans(typ string, a atom) (out []*scan, ok bool, err error) {
	num, found := r.s.dict.find(typ, a.param)
	if !found || r.s.dict.shapeOf(num).shape&shapeForms != shapeRange {
		return nil, false, nil
	}
	cs, ok := choices(r.s.dict.shapeOf(num), a.expr)
	if !ok || len(cs) == 0 || cs[0].letter != byLo {
		return nil, false, nil
	}
	b := cs[0].b
	if !b.hasLow && !b.hasHigh {
		return nil, false, nil
	}
	all := newScan(num, byGroup, string(byGroup))
	it, err := r.iter(tableIndex, all.lower, all.upper)
	if err != nil {
		return nil, false, err
	}
	defer it.Close()
	at := tabled(tableIndex, all.lower)
	base := len(at)
	if b.hasLow {
		at = appendEscaped(at, group(b.low))
	}
	for more := it.SeekGE(at); more; {
		end := columnEnd(it.Key()[base:])
		if end < 0 {
			return nil, false, errDamaged
		}
		g := string(columnValue(it.Key()[base : base+end]))
		if b.hasHigh && g > b.high && !(b.prefix && strings.HasPrefix(g, b.high)) {
			break
		}
		if len(out) == maxGroups {
			return nil, false, nil
		}
		s, err := r.groupScan(num, a, g, cs[0])
		if err != nil {
			return nil, false, err
		}
		out = append(out, s)
		more = it.SeekGE(prefixEnd(it.Key()[:base+end]))
	}
	if err := it.Error(); err != nil {
		return nil, false, err
	}
	for _, c := range cs[1:] {
		s := newScan(num, c.letter, string(c.letter))
		s.params = []string{a.param}
		s.setFilter([]search.Expr{a.expr}, []search.Expr{a.expr})
		s.narrowBy(c)
		out = append(out, s)
	}
	return out, len(out) > 0, nil
}

// groupScan returns the scan of one group. Of a group at the edge of the bounds, where few of its rows are within, those are read by Lo:
// whoever looks for the first of few in a group may read all of it.
func (r *reader) groupScan(num uint32, a atom, g string, c choice) (*scan, error) {
	scanOf := func(letter byte, b bounds) *scan {
		s := newScan(num, letter, string(letter))
		s.params = []string{a.param}
		s.setFilter([]search.Expr{a.expr}, []search.Expr{a.expr})
		s.narrowTo(b)
		return s
	}
	whole := scanOf(byGroup, bounds{low: g, high: g, hasLow: true, hasHigh: true})
	edge := c.b
	if len(g) < groupBytes || (!edge.hasLow || edge.low <= g) && (!edge.hasHigh || edge.prefix || edge.high > g && !strings.HasPrefix(edge.high, g)) {
		return whole, nil
	}
	if !edge.hasLow || edge.low < g {
		edge.low, edge.hasLow = g, true
	}
	if !edge.hasHigh || edge.prefix || !strings.HasPrefix(edge.high, g) {
		edge.high, edge.hasHigh, edge.prefix = g, true, true
	}
	part := scanOf(byLo, edge)
	few, err := r.estimateScan(part)
	if err != nil {
		return nil, err
	}
	all, err := r.estimateScan(whole)
	if err != nil || few > all/4 {
		return whole, err
	}
	return part, nil
}

// jointGroups returns scans that read in the order of ids what scans of composites and compounds read in the order of their last column,
// and the scans of wide ranges as they are. ok is false where there are too many groups, or a scan has none.
func (r *reader) jointGroups(scans []*scan) (out []*scan, ok bool, err error) {
	for _, s := range scans {
		if s.variant != byParts {
			if s.few, err = r.estimateScan(s); err != nil {
				return nil, false, err
			}
			out = append(out, s)
			continue
		}
		if s.fixed != s.columns-1 || s.letters[len(s.letters)-1] != byLo || !isGrouped(s.letters[0]) || s.filter == nil || !s.last.hasLow && !s.last.hasHigh {
			return nil, false, nil
		}
		groups, err := r.groupsWithin(s)
		if err != nil || len(out)+len(groups) > maxGroups {
			return nil, false, err
		}
		for _, g := range groups {
			one, err := r.jointGroup(s, g, len(groups))
			if err != nil {
				return nil, false, err
			}
			out = append(out, one)
		}
	}
	return out, true, nil
}

// grouped is a scan of the groups of s: of all of them, to be narrowed.
func grouped(s *scan) *scan {
	g := *s
	g.variant, g.letters = byPartsGroup, s.letters[:len(s.letters)-1]+string(byGroup)
	g.lower = append([]byte(nil), s.lower[:s.prefix]...)
	g.lower[numberSize] = byPartsGroup
	g.upper = prefixEnd(g.lower)
	return &g
}

// groupsWithin returns the groups of Lo within the bounds of a scan, one more than there may be at most.
func (r *reader) groupsWithin(s *scan) (out []string, err error) {
	all := grouped(s)
	it, err := r.iter(tableIndex, all.lower, all.upper)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	b := s.last
	at := tabled(tableIndex, all.lower)
	base := len(at)
	if b.hasLow {
		at = appendEscaped(at, group(b.low))
	}
	for more := it.SeekGE(at); more && len(out) <= maxGroups; {
		end := columnEnd(it.Key()[base:])
		if end < 0 {
			return nil, errDamaged
		}
		g := string(columnValue(it.Key()[base : base+end]))
		if b.hasHigh && g > b.high && !(b.prefix && strings.HasPrefix(g, b.high)) {
			break
		}
		out = append(out, g)
		more = it.SeekGE(prefixEnd(it.Key()[:base+end]))
	}
	return out, it.Error()
}

// jointGroup returns the scan of one of a number of groups. Where there are few, and few of its rows are within the bounds, those are read
// whole instead.
func (r *reader) jointGroup(s *scan, g string, of int) (*scan, error) {
	whole := grouped(s)
	whole.narrowTo(bounds{low: g, high: g, hasLow: true, hasHigh: true})
	edge := s.last
	if of > 2 || len(g) < groupBytes || (!edge.hasLow || edge.low <= g) && (!edge.hasHigh || edge.prefix || edge.high > g && !strings.HasPrefix(edge.high, g)) {
		return whole, nil
	}
	if !edge.hasLow || edge.low < g {
		edge.low, edge.hasLow = g, true
	}
	if !edge.hasHigh || edge.prefix || !strings.HasPrefix(edge.high, g) {
		edge.high, edge.hasHigh, edge.prefix = g, true, true
	}
	part := *s
	part.lower, part.upper = append([]byte(nil), s.lower[:s.prefix]...), prefixEnd(s.lower[:s.prefix])
	part.narrowTo(edge)
	var err error
	if part.few, err = r.estimateScan(&part); err != nil {
		return nil, err
	}
	all, err := r.estimateScan(whole)
	if err != nil || part.few > all/4 {
		return whole, err
	}
	return &part, nil
}
