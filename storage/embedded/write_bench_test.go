package embedded

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"

	"github.com/fhirgate/fhirgate/storage"
)

// bundleSize is the resources of one Update in the benchmarks of writing.
const bundleSize = 250

// BenchmarkUpdate writes durable Updates of bundleSize resources from four goroutines; BenchmarkRawBatch writes the same keys and values to
// the same database directly. The budget is twice the latter.
func BenchmarkUpdate(b *testing.B) {
	recs := bundles(200)
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	round(b, len(recs), func(i int) { putAll(b, s, recs[i]) })
}

func BenchmarkRawBatch(b *testing.B) {
	recs := bundles(200)
	batches := recorded(b, recs)
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	round(b, len(recs), func(i int) {
		w := s.db.NewBatchWithSize(256 << 10)
		r, _ := batchrepr.Read(batches[i]), 0
		for {
			kind, key, value, ok, err := r.Next()
			if err != nil || !ok {
				break
			}
			if kind == pebble.InternalKeyKindSet {
				w.Set(key, value, nil)
			}
		}
		if err := w.Commit(pebble.Sync); err != nil {
			b.Error(err)
		}
		w.Close()
	})
}

// bundles returns the records of n Updates.
func bundles(n int) [][]storage.Record {
	p := newPopulation(n * bundleSize)
	out := make([][]storage.Record, n)
	for i := range out {
		for j := range bundleSize {
			out[i] = append(out[i], p.Record(i*bundleSize+j))
		}
	}
	return out
}

// round runs f over all bundles from four goroutines, b.N/len times; another round writes over other keys of no interest.
func round(b *testing.B, n int, f func(i int)) {
	b.Helper()
	b.N = n
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(n*bundleSize)/b.Elapsed().Seconds(), "resources/s")
}

// recorded returns the batches that the engine makes of the records.
func recorded(b *testing.B, recs [][]storage.Record) [][]byte {
	s := openMemory(b)
	defer s.Close()
	var out [][]byte
	for _, r := range recs {
		<-s.writer
		t := newTx(s)
		for _, rec := range r {
			rec.Updated = t.Now()
			if err := t.Put(context.Background(), rec, 0); err != nil {
				b.Fatal(err)
			}
		}
		if err := t.finish(); err != nil {
			b.Fatal(err)
		}
		out = append(out, bytes.Clone(t.batch.Repr()))
		if err := s.db.Apply(t.batch, pebble.NoSync); err != nil {
			b.Fatal(err)
		}
		s.cache.apply(t.totals)
		s.last = t.now
		t.close()
		s.writer <- struct{}{}
	}
	return out
}

// BenchmarkSingle writes durable Updates of one resource from n goroutines: they share syncs.
func BenchmarkSingle(b *testing.B) {
	for _, n := range []int{1, 8, 64} {
		b.Run(fmt.Sprint("clients", n), func(b *testing.B) {
			p := newPopulation(1 << 30)
			s, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var next atomic.Int64
			b.SetParallelism((n + 1) / 2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := int(next.Add(1))
					p.Put(b, s, i, i+1)
				}
			})
		})
	}
}
