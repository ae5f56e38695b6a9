package metrics

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes bounds the pages that are made at once; more get 503.
const maxScrapes = 4

// Handler shows the requests of rec, the stages of source, and the Go runtime's and the process's figures, as text for
// Prometheus or in OpenMetrics if that is asked for. A figure that cannot be had is left out and logged. A nil logger is none.
//
// It authenticates nobody: the routes of an API are nobody else's business, so mount it where that is done.
func Handler(rec *Recorder, source Source, log *slog.Logger) http.Handler {
	reg := registry(rec, source)
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		EnableOpenMetrics:   true,
	})
}

// registry is one of our own: the library's default one belongs to everybody.
func registry(rec *Recorder, source Source) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(rec, stages{source}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}
