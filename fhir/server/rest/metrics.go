package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts requests by interaction and status. No label holds a type, an id or anything else that a client chooses.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	handler  http.Handler
}

// newMetrics registers the metrics of requests with reg; nil means a registry of its own that shows Go's and the process' metrics too.
func newMetrics(reg *prometheus.Registry) (*metrics, error) {
	if reg == nil {
		reg = prometheus.NewRegistry()
		reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fhirgate_requests_total", Help: "Requests by interaction and HTTP status.",
		}, []string{"interaction", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fhirgate_request_seconds", Help: "Time from a request's header to the end of its answer, by interaction.",
			Buckets: []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"interaction"}),
		handler: promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// observe counts one finished request.
func (m *metrics) observe(interaction string, status int, took time.Duration) {
	m.requests.WithLabelValues(interaction, statusText(status)).Inc()
	m.seconds.WithLabelValues(interaction).Observe(took.Seconds())
}

// statusText returns the digits of a status.
func statusText(status int) string {
	switch status {
	case http.StatusOK:
		return "200"
	case http.StatusCreated:
		return "201"
	}
	return strconv.Itoa(status)
}

// showMetrics serves GET /metrics in Prometheus' format.
func (h *Handler) showMetrics(x *exchange) error {
	h.metrics.handler.ServeHTTP(x.w, x.r)
	return nil
}
