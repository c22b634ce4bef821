package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
)

// newMetrics returns the registry that /metrics shows: Go's, the process' and, where engine is not nil, the embedded store's figures. The HTTP edge adds its own.
// MongoDB has metrics of its own, and would count its resources one by one.
func newMetrics(engine *embedded.Store) (*prometheus.Registry, error) {
	reg := prometheus.NewRegistry()
	all := []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}
	if engine != nil {
		all = append(all, engineMetrics{engine}, resourceMetrics{engine})
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return reg, nil
}

// resourceMetrics shows how many resources of each type are stored, out of the store's counters.
type resourceMetrics struct{ store storage.Store }

var resourcesDesc = prometheus.NewDesc("fhirgate_resources", "Current resources by type.", []string{"type"}, nil)

// Describe implements prometheus.Collector.
func (resourceMetrics) Describe(ch chan<- *prometheus.Desc) { ch <- resourcesDesc }

// Collect implements prometheus.Collector. A store that can't be read shows nothing.
func (m resourceMetrics) Collect(ch chan<- prometheus.Metric) {
	var counts map[string]int64
	ctx := context.Background()
	err := m.store.View(ctx, func(r storage.Reader) (err error) {
		counts, err = r.Counts(ctx)
		return err
	})
	if err != nil {
		return
	}
	for name, n := range counts {
		ch <- prometheus.MustNewConstMetric(resourcesDesc, prometheus.GaugeValue, float64(n), name)
	}
}

// engineMetrics shows the figures of the embedded store.
type engineMetrics struct{ store *embedded.Store }

// figure is one of the embedded store's metrics.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(embedded.Metrics) float64
}

// figures are the embedded store's metrics.
var figures = []figure{
	gauge("disk_bytes", "Size of the data folder.", func(m embedded.Metrics) float64 { return float64(m.DiskBytes) }),
	gauge("log_bytes", "Size of the log that a restart reads.", func(m embedded.Metrics) float64 { return float64(m.LogBytes) }),
	gauge("cache_bytes", "Size of the block cache.", func(m embedded.Metrics) float64 { return float64(m.CacheBytes) }),
	counter("cache_hits_total", "Blocks read from the cache.", func(m embedded.Metrics) float64 { return float64(m.CacheHits) }),
	counter("cache_misses_total", "Blocks read from files.", func(m embedded.Metrics) float64 { return float64(m.CacheMisses) }),
	gauge("memtable_bytes", "Size of what is written and not flushed.", func(m embedded.Metrics) float64 { return float64(m.MemTableBytes) }),
	counter("flushes_total", "Flushes of memory to files.", func(m embedded.Metrics) float64 { return float64(m.Flushes) }),
	counter("compactions_total", "Compactions.", func(m embedded.Metrics) float64 { return float64(m.Compactions) }),
	gauge("compaction_debt_bytes", "Bytes that compactions have still to rewrite.", func(m embedded.Metrics) float64 { return float64(m.CompactionDebt) }),
	gauge("read_amplification", "Sorted runs that a read may have to look at.", func(m embedded.Metrics) float64 { return float64(m.ReadAmplification) }),
	gauge("broken", "1 where the log failed: writes are refused until a restart.", func(m embedded.Metrics) float64 {
		if m.Broken {
			return 1
		}
		return 0
	}),
}

// gauge returns a metric that goes up and down.
func gauge(name, help string, of func(embedded.Metrics) float64) figure {
	return figure{prometheus.NewDesc("fhirgate_storage_"+name, help, nil, nil), prometheus.GaugeValue, of}
}

// counter returns a metric that only goes up.
func counter(name, help string, of func(embedded.Metrics) float64) figure {
	return figure{prometheus.NewDesc("fhirgate_storage_"+name, help, nil, nil), prometheus.CounterValue, of}
}

// Describe implements prometheus.Collector.
func (engineMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range figures {
		ch <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (m engineMetrics) Collect(ch chan<- prometheus.Metric) {
	now := m.store.Metrics()
	for _, f := range figures {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.of(now))
	}
}
