package storagetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/search/searchtest"
	"github.com/fhirgate/fhirgate/storage"
)

// scriptPage is the page size in which scripts read what a search finds, small so that most searches have several.
const scriptPage = 3

// searchScripts runs the scripts of testdata/search against the store: one sentence of the specification a line.
func searchScripts(t *testing.T, b *bench) {
	parameters := search.NewParameters(definition.R4(), search.Options{BaseURLs: []string{"http://example.org/fhir"}})
	searchtest.Run(t, searchtest.Files(t), &scripted{bench: b, parameters: parameters, versions: map[fhir.Key]int64{}})
}

// scripted is a searchtest.Backend over a store.
type scripted struct {
	*bench
	parameters *search.Parameters
	versions   map[fhir.Key]int64 // the last version of each key
	current    []fhir.Key
	clock      time.Time // of _lastUpdated: scripts are written for the first of January 2024
}

// Put implements searchtest.Backend.
func (s *scripted) Put(key fhir.Key, body []byte) error {
	r, err := fhir.ParseResource(body, fhir.Limits{})
	if err != nil {
		return err
	}
	entries, err := s.parameters.Extract(r)
	if err != nil {
		return err
	}
	s.clock = s.clock.Add(tick)
	entries = append(entries, search.LastUpdated(s.clock))
	err = s.s.Update(s.ctx, func(tx storage.Tx) error {
		rec := record(tx, key, s.versions[key], entries...)
		rec.Body = r.Stamp(key.ID, rec.Version, rec.Updated)
		return tx.Put(s.ctx, rec, s.versions[key])
	})
	if err == nil {
		s.versions[key]++
		s.current = append(slices.DeleteFunc(s.current, func(k fhir.Key) bool { return k == key }), key)
	}
	return err
}

// Delete implements searchtest.Backend.
func (s *scripted) Delete(key fhir.Key) error {
	if !slices.Contains(s.current, key) {
		return errors.New("there is no such resource")
	}
	s.remove(key, s.versions[key])
	s.versions[key]++
	s.current = slices.DeleteFunc(s.current, func(k fhir.Key) bool { return k == key })
	return nil
}

// Reset implements searchtest.Backend.
func (s *scripted) Reset() error {
	s.clock = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, key := range slices.Clone(s.current) {
		if err := s.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// Search implements searchtest.Backend.
func (s *scripted) Search(url string) ([]fhir.Key, error) {
	path, raw, _ := strings.Cut(url, "?")
	pairs, err := search.ReadQuery(raw)
	if err != nil {
		return nil, err
	}
	var types []string
	if path != "" {
		types = []string{path}
	}
	var keys []fhir.Key
	err = s.s.View(s.ctx, func(r storage.Reader) error {
		canonicals := search.NewCanonicals(s.ctx, r)
		req, _, err := s.parameters.Parse(types, pairs, search.ParseOptions{
			Now: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC), Canonicals: canonicals, IDs: canonicals,
		})
		if err != nil {
			return err
		}
		var all []search.Row
		for _, q := range s.parameters.Finds(req) {
			for q.Limit = scriptPage; ; {
				rows, err := r.Find(s.ctx, q)
				if err != nil {
					return err
				}
				if all = append(all, rows...); len(rows) < scriptPage {
					break
				}
				q.After = &rows[len(rows)-1].Position
			}
		}
		slices.SortStableFunc(all, func(a, b search.Row) int { return a.Compare(b.Position, req.Sort) })
		keys = nil
		for i := range all {
			keys = append(keys, all[i].Key)
		}
		return nil
	})
	return keys, err
}
