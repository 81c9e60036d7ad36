package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spoortrace/spoor/labels"
)

// labelMetrics reads the ages of the label sources whenever it is asked. Only
// sources that go stale are told, so that a folder of packs is no thousand series.
type labelMetrics struct {
	log *labels.Log
	now func() time.Time
}

// Describe implements prometheus.Collector: what there is to say depends on the sources.
func (labelMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m labelMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(name, help, source string, value float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, []string{"source"}, nil), prometheus.GaugeValue, value, source)
	}
	for _, s := range m.log.Sources(m.now().UnixMilli()) {
		if s.MaxAge == 0 {
			continue
		}
		stale := 0.0
		if s.Stale {
			stale = 1
		}
		gauge("spoor_label_source_age_seconds", "Since the source of labels was last imported or found unchanged.", s.Name, s.Age.Seconds())
		gauge("spoor_label_source_stale", "1 when the source is older than it may be: import it again.", s.Name, stale)
	}
}
