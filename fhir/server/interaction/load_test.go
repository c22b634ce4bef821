package interaction

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/validation"
)

// synthea returns at most limit of the corpus' transaction bundles; it skips the test where the corpus is absent.
func synthea(t testing.TB, limit int) [][]byte {
	t.Helper()
	names := corpustest.Files(t, "synthea/*.json.gz")
	var out [][]byte
	for _, name := range names[:min(limit, len(names))] {
		out = append(out, corpustest.Read(t, name))
	}
	return out
}

// onDisk opens a Service on a durable store.
func onDisk(t testing.TB, opt Options) (*Service, storage.Store) {
	t.Helper()
	store, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reg := definition.R4()
	validator, err := validation.New(reg, validation.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(store, reg, search.NewParameters(reg, search.Options{BaseURLs: []string{base}}), validator, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, store
}

// each calls f for each bundle, from clients goroutines.
func each(bundles [][]byte, clients int, f func([]byte)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(bundles); i = int(next.Add(1)) - 1 {
				f(bundles[i])
			}
		})
	}
	all.Wait()
}

func TestSyntheaBundlesLoad(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	for _, raw := range synthea(t, 3) {
		r := resource(t, "%s", raw)
		b, err := s.Bundle(ctx, BundleRequest{Base: base, Bundle: r})
		if err != nil {
			t.Fatal(err)
		}
		got := decode(t, b)
		if len(got.Entry) != r.Get("entry").Len() {
			t.Fatalf("%d answers to %d entries", len(got.Entry), r.Get("entry").Len())
		}
		for i := range got.Entry {
			if bytes.Contains([]byte(body(t, s, got.location(i))), []byte(`"reference":"urn:uuid:`)) {
				t.Fatalf("entry %d keeps a urn", i)
			}
		}
	}
}

// BenchmarkLoad stores the corpus durably, by four clients: as transactions without and with base validation, and as the raw write of the same
// records, one Update a bundle, which is what the engine alone costs.
//
//	go test ./fhir/server/interaction -run NONE -bench Load -benchtime 1x
func BenchmarkLoad(b *testing.B) {
	bundles := synthea(b, 77)
	const clients = 4
	for name, level := range map[string]validation.Level{"off": validation.Off, "base": validation.Base} {
		b.Run("validation="+name, func(b *testing.B) {
			b.ReportAllocs()
			var n atomic.Int64
			for b.Loop() {
				b.StopTimer()
				s, _ := onDisk(b, Options{Level: level})
				b.StartTimer()
				each(bundles, clients, func(raw []byte) {
					r, err := fhir.ParseResource(raw, fhir.Limits{})
					if err == nil {
						_, err = s.Bundle(b.Context(), BundleRequest{Base: base, Bundle: r})
					}
					if err != nil {
						b.Error(err)
					}
					n.Add(int64(r.Get("entry").Len()))
				})
			}
			b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "resources/s")
		})
	}
	b.Run("raw", func(b *testing.B) {
		var together sync.Mutex
		var records [][]storage.Record
		s, store := onDisk(b, Options{})
		each(bundles, clients, func(raw []byte) {
			r, _ := fhir.ParseResource(raw, fhir.Limits{})
			var list []storage.Record
			for e := range r.Get("entry").Children() {
				res, _ := fhir.AsResource(e.Get("resource"))
				d, err := s.extract(res, nil)
				if err != nil {
					b.Error(err)
					return
				}
				list = append(list, storage.Record{Key: fhir.Key{Type: res.Type(), ID: s.ids.next()}, Version: 1, Method: "POST", Entries: d.entries, Body: []byte(res.Raw())})
			}
			together.Lock()
			records = append(records, list)
			together.Unlock()
		})
		_ = store
		b.ReportAllocs()
		b.ResetTimer()
		n := 0
		for b.Loop() {
			b.StopTimer()
			_, store := onDisk(b, Options{})
			var next atomic.Int64
			b.StartTimer()
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					for i := int(next.Add(1)) - 1; i < len(records); i = int(next.Add(1)) - 1 {
						err := store.Update(b.Context(), func(tx storage.Tx) error {
							for _, rec := range records[i] {
								rec.Updated = tx.Now()
								rec.Entries = stampEntries(rec.Entries, 1, rec.Updated)
								if err := tx.Put(b.Context(), rec, 0); err != nil {
									return err
								}
							}
							return nil
						})
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			for i := range records {
				n += len(records[i])
			}
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "resources/s")
	})
}
