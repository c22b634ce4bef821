package storagetest

import (
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Model is what an engine must answer: all versions in maps, and every query a walk over all of them. It is used by one goroutine.
type Model struct {
	versions map[fhir.Key][]storage.Record // oldest first, entries kept
	meta     map[string][]byte
}

// NewModel returns an empty model.
func NewModel() *Model {
	return &Model{versions: map[fhir.Key][]storage.Record{}, meta: map[string][]byte{}}
}

// clone returns a model of the same that changes apart from m.
func (m *Model) clone() *Model {
	out := &Model{versions: make(map[fhir.Key][]storage.Record, len(m.versions)), meta: maps.Clone(m.meta)}
	for k, v := range m.versions {
		out.versions[k] = slices.Clone(v)
	}
	return out
}

// Put adds a version.
func (m *Model) Put(rec storage.Record) { m.versions[rec.Key] = append(m.versions[rec.Key], rec) }

// Erase removes all versions.
func (m *Model) Erase(key fhir.Key) { delete(m.versions, key) }

// Reindex replaces the entries of the current version.
func (m *Model) Reindex(key fhir.Key, entries []search.Entry) {
	v := m.versions[key]
	v[len(v)-1].Entries = entries
}

// Current returns the newest version; Version 0 where there is none.
func (m *Model) Current(key fhir.Key) storage.Record {
	v := m.versions[key]
	if len(v) == 0 {
		return storage.Record{}
	}
	return v[len(v)-1]
}

// Entries implements search.Lookup.
func (m *Model) Entries(key fhir.Key) ([]search.Entry, bool) {
	r := m.Current(key)
	return r.Entries, r.Version > 0 && !r.Deleted
}

// Resources implements search.Lookup.
func (m *Model) Resources(typ string) iter.Seq2[fhir.Key, []search.Entry] {
	return func(yield func(fhir.Key, []search.Entry) bool) {
		for key := range m.versions {
			if e, ok := m.Entries(key); ok && key.Type == typ && !yield(key, e) {
				return
			}
		}
	}
}

// Find answers a query.
func (m *Model) Find(q search.Query) []search.Row {
	var rows []search.Row
	for key := range m.versions {
		entries, ok := m.Entries(key)
		if !ok || !slices.Contains(q.Types, key.Type) || !search.Match(q.Where, key, entries, m) {
			continue
		}
		rec := m.Current(key)
		row := search.Row{Position: search.Position{Key: key}, Version: rec.Version, Updated: rec.Updated}
		for _, s := range q.Sort {
			row.Sort = append(row.Sort, search.ChainSortValue(key, entries, s, m))
		}
		rows = append(rows, row)
	}
	dir := 1
	if q.Reverse {
		dir = -1
	}
	slices.SortFunc(rows, func(a, b search.Row) int { return dir * a.Position.Compare(b.Position, q.Sort) })
	if q.After != nil {
		rows = slices.DeleteFunc(rows, func(r search.Row) bool { return dir*r.Position.Compare(*q.After, q.Sort) <= 0 })
	}
	if q.Limit > 0 && len(rows) > q.Limit {
		rows = rows[:q.Limit]
	}
	return rows
}

// Counts returns the number of current resources by type.
func (m *Model) Counts() map[string]int64 {
	out := map[string]int64{}
	for key := range m.versions {
		if _, ok := m.Entries(key); ok {
			out[key.Type]++
		}
	}
	return out
}

// History answers a query of versions.
func (m *Model) History(q storage.HistoryQuery) []storage.Record {
	var out []storage.Record
	for key, versions := range m.versions {
		if q.Key != (fhir.Key{}) && key != q.Key || q.Key == (fhir.Key{}) && len(q.Types) > 0 && !slices.Contains(q.Types, key.Type) {
			continue
		}
		for _, r := range versions {
			if !q.Since.IsZero() && r.Updated.Before(q.Since) || !q.Until.IsZero() && r.Updated.After(q.Until) {
				continue
			}
			if q.After != nil && compareVersions(r.Updated, r.Key, r.Version, q.After.Updated, q.After.Key, q.After.Version) <= 0 {
				continue
			}
			r.Entries = nil
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b storage.Record) int {
		return compareVersions(a.Updated, a.Key, a.Version, b.Updated, b.Key, b.Version)
	})
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return out
}

// compareVersions is the order of histories.
func compareVersions(at time.Time, ak fhir.Key, av int64, bt time.Time, bk fhir.Key, bv int64) int {
	if c := bt.Compare(at); c != 0 {
		return c
	}
	if c := ak.Compare(bk); c != 0 {
		return c
	}
	return int(bv - av)
}
