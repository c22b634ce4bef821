package searchtest

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// Oracle is a Backend that holds resources in a map and asks search.Match and search.ChainSortValue alone: what engines are compared with.
// It is not for concurrent use.
type Oracle struct {
	Parameters *search.Parameters
	// Now is the moment for the prefix ap; the clock where it is zero.
	Now time.Time

	found map[fhir.Key][]search.Entry
	clock time.Time
}

// NewOracle returns an empty Oracle.
func NewOracle(p *search.Parameters) *Oracle {
	return &Oracle{Parameters: p, found: map[fhir.Key][]search.Entry{}, clock: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// Put implements Backend.
func (o *Oracle) Put(key fhir.Key, body []byte) error {
	r, err := fhir.ParseResource(body, fhir.Limits{})
	if err != nil {
		return err
	}
	entries, err := o.Parameters.Extract(r)
	if err != nil {
		return err
	}
	o.clock = o.clock.Add(time.Microsecond)
	o.Set(key, append(entries, search.LastUpdated(o.clock)))
	return nil
}

// Set stores entries as they are.
func (o *Oracle) Set(key fhir.Key, entries []search.Entry) { o.found[key] = entries }

// Delete implements Backend.
func (o *Oracle) Delete(key fhir.Key) error {
	delete(o.found, key)
	return nil
}

// Reset implements Backend.
func (o *Oracle) Reset() error {
	clear(o.found)
	return nil
}

// Entries implements search.Lookup.
func (o *Oracle) Entries(key fhir.Key) ([]search.Entry, bool) {
	e, ok := o.found[key]
	return e, ok
}

// Resources implements search.Lookup.
func (o *Oracle) Resources(typ string) iter.Seq2[fhir.Key, []search.Entry] {
	return func(yield func(fhir.Key, []search.Entry) bool) {
		for k, e := range o.found {
			if k.Type == typ && !yield(k, e) {
				return
			}
		}
	}
}

// Search implements Backend.
func (o *Oracle) Search(url string) ([]fhir.Key, error) {
	path, raw, _ := strings.Cut(url, "?")
	pairs, err := search.ReadQuery(raw)
	if err != nil {
		return nil, err
	}
	var types []string
	if path != "" {
		types = []string{path}
	}
	canonicals := search.NewCanonicals(context.Background(), finder{o})
	req, _, err := o.Parameters.Parse(types, pairs, search.ParseOptions{Now: o.Now, Canonicals: canonicals, IDs: canonicals})
	if err != nil {
		return nil, err
	}
	var rows []search.Row
	for _, q := range o.Parameters.Finds(req) {
		rows = append(rows, o.Find(q)...)
	}
	slices.SortStableFunc(rows, func(a, b search.Row) int { return a.Compare(b.Position, req.Sort) })
	keys := make([]fhir.Key, len(rows))
	for i, r := range rows {
		keys[i] = r.Key
	}
	return keys, nil
}

// finder is an Oracle as a search.Finder.
type finder struct{ *Oracle }

// Find implements search.Finder.
func (f finder) Find(_ context.Context, q search.Query) ([]search.Row, error) {
	return f.Oracle.Find(q), nil
}

// Find returns the rows of q in its order, without Version and Updated.
func (o *Oracle) Find(q search.Query) []search.Row {
	var rows []search.Row
	for key, entries := range o.found {
		if !slices.Contains(q.Types, key.Type) || !search.Match(q.Where, key, entries, o) {
			continue
		}
		row := search.Row{Position: search.Position{Key: key}}
		for _, s := range q.Sort {
			row.Sort = append(row.Sort, search.ChainSortValue(key, entries, s, o))
		}
		if q.After != nil {
			c := row.Compare(*q.After, q.Sort)
			if q.Reverse {
				c = -c
			}
			if c <= 0 {
				continue
			}
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b search.Row) int {
		c := a.Compare(b.Position, q.Sort)
		if q.Reverse {
			c = -c
		}
		return cmp.Compare(c, 0)
	})
	if q.Limit > 0 && len(rows) > q.Limit {
		rows = rows[:q.Limit]
	}
	return rows
}
