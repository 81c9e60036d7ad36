package server

import (
	"net/http"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/spoortrace/spoor/ledger"
)

// Metrics answers Prometheus: how far each network is followed, the faults of
// its nodes, the traces that run, and the calls by method. No label holds an
// address, a hash or a client.
func (s *Server) Metrics() http.Handler {
	return promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{})
}

// newMetrics returns a registry of its own, and the counters of calls.
func newMetrics(follows *Follows, slots chan struct{}) (*prometheus.Registry, *grpcprom.ServerMetrics) {
	calls := grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram())
	registry := prometheus.NewRegistry()
	registry.MustRegister(calls, &networkMetrics{follows}, prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Name: "spoor_traces_running", Help: "Traces that run at the moment."}, func() float64 { return float64(len(slots)) },
	))
	return registry, calls
}

// networkMetrics reads the board of followed networks whenever it is asked.
type networkMetrics struct{ follows *Follows }

// Describe implements prometheus.Collector: what there is to say depends on the networks.
func (networkMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *networkMetrics) Collect(out chan<- prometheus.Metric) {
	f := m.follows
	f.mu.Lock()
	defer f.mu.Unlock()
	for c, n := range f.networks {
		m.network(out, c, n)
	}
}

func (m *networkMetrics) network(out chan<- prometheus.Metric, c ledger.Chain, n *followed) {
	gauge := func(name, help string, value float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, []string{"network"}, nil), prometheus.GaugeValue, value, string(c))
	}
	following := 0.0
	if n.active {
		following = 1
	}
	gauge("spoor_following", "1 while the network is read from a node, 0 after that has ended.", following)
	count := prometheus.NewDesc("spoor_replaced_blocks_total", "Blocks that reorganisations replaced.", []string{"network"}, nil)
	out <- prometheus.MustNewConstMetric(count, prometheus.CounterValue, float64(n.replaced), string(c))
	faults := prometheus.NewDesc("spoor_source_faults_total", "Answers of nodes that failed or did not hold, by the fault's name.", []string{"network", "fault"}, nil)
	for fault, times := range n.faults {
		out <- prometheus.MustNewConstMetric(faults, prometheus.CounterValue, float64(times), string(c), string(fault))
	}
	if n.status == nil {
		return
	}
	gauge("spoor_head_height", "Height of the node's head.", float64(n.status.GetHeadHeight()))
	gauge("spoor_lag_blocks", "Blocks between the index and the node's head.", float64(n.status.GetLagBlocks()))
	if n.status.FinalHeight != nil {
		gauge("spoor_final_height", "Height up to which the node calls blocks final.", float64(n.status.GetFinalHeight()))
	}
	if tip := n.status.GetAsOf(); tip != nil {
		gauge("spoor_tip_height", "Height of the last block of the index.", float64(tip.GetHeight()))
		gauge("spoor_tip_age_seconds", "Age of the last block of the index by its own clock.", m.follows.now().Sub(tip.GetTime().AsTime()).Seconds())
	}
}

// Fault counts a fault of a network's node.
func (f *Follows) Fault(c ledger.Chain, fault ledger.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.networks[c]
	if n == nil {
		return
	}
	if n.faults == nil {
		n.faults = map[ledger.Fault]uint64{}
	}
	n.faults[fault]++
}
