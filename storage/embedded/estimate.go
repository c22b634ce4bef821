package embedded

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// estimateScan returns about how many rows a scan has: the counters of its value where there are such, else the rows of the index, of the
// sample and of the sparse sample, each read so far that the next is not too sparse.
func (r *reader) estimateScan(s *scan) (float64, error) {
	if s.sorted() && s.columns == 1 {
		switch s.variant {
		case byCode, byID, byURI:
			n, err := r.known.get("+"+string(s.lower), func() (int64, error) { return r.sumCounters(s.lower) })
			if err != nil || n >= 0 {
				return float64(n), err
			}
		}
	}
	least := 0.0 // what the denser table has shown
	for _, t := range [...]struct {
		table byte
		rate  float64
		walk  int
	}{{tableIndex, 1, 48}, {tableSample, sampleRate, 64}, {tableSparse, sparseRate, 64}} {
		n, err := r.walk(t.table, s, t.walk)
		if err != nil {
			return 0, err
		}
		est := max(least, float64(n)*t.rate)
		if n < t.walk || t.table == tableSparse {
			return est, nil
		}
		least = est
	}
	return 0, nil
}

// walk counts a scan's rows in a table up to a limit.
func (r *reader) walk(table byte, s *scan, limit int) (int, error) {
	in, err := r.rows(table, s)
	if err != nil {
		return 0, err
	}
	defer in.it.Close()
	n := 0
	for ok := in.first(); ok && n < limit; ok = in.next() {
		n++
	}
	return n, in.it.Error()
}

// sumCounters adds up the counters of one value; it is negative where the value has too many systems to look at all.
func (r *reader) sumCounters(prefix []byte) (sum int64, err error) {
	it, err := r.iter(tableCount, prefix, prefixEnd(prefix))
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for ok, n := it.First(), 0; ok; ok, n = it.Next(), n+1 {
		if n == 16 {
			return -1, nil
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return 0, err
		}
		sum += countOf(v)
	}
	return sum, it.Error()
}

// Estimate returns about how many rows q has.
func (r *reader) Estimate(ctx context.Context, q search.Query) (int64, error) {
	if err := r.ready(ctx); err != nil {
		return 0, err
	}
	var sum float64
	for _, typ := range q.Types {
		n, err := r.estimateType(ctx, typ, q.Where)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return int64(sum + 0.5), nil
}

// estimateType returns about how many resources of a type satisfy a condition.
func (r *reader) estimateType(ctx context.Context, typ string, where search.Expr) (float64, error) {
	p, err := r.planType(ctx, typ, where)
	if err != nil {
		return 0, err
	}
	return p.matches(), nil
}

// planType is plan, by the name of the type; the plan of a type that was never stored finds nothing.
func (r *reader) planType(ctx context.Context, typ string, where search.Expr) (*planner, error) {
	num, ok := r.s.dict.find(typ, "")
	if !ok {
		return &planner{r: r, typ: typ, fixed: []*source{{kind: "keys", index: typ, open: func(_ context.Context, reverse bool, _ *explainer) (ids, error) {
			return newListIDs(nil, true, reverse), nil
		}}}}, nil
	}
	return r.plan(ctx, typ, num, where)
}
