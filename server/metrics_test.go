package server

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// TestFollowedNetworks: the board of followed networks speaks through health, the
// index status and the metrics, and lets one reader at a time at a network.
func TestFollowedNetworks(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	follows := NewFollows(func() time.Time { return now })
	s, err := New(Config{Follows: follows})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context())
	health := func(want grpc_health_v1.HealthCheckResponse_ServingStatus) {
		t.Helper()
		got, err := s.health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: HealthName("bitcoin")})
		if err != nil || got.GetStatus() != want {
			t.Errorf("health: got %v, %v, want %v", got, err, want)
		}
	}
	end, err := follows.Begin("bitcoin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := follows.Begin("bitcoin"); err == nil || !strings.Contains(err.Error(), "is read from a node already") {
		t.Errorf("a second reader: got %v", err)
	}
	height, sealed := uint32(90), uint64(80)
	report := func(lag uint64, trouble string) {
		follows.Report(&spoorv1.FollowStatus{
			Network: "bitcoin", HeadHeight: 90 + lag, LagBlocks: lag, FinalHeight: &sealed, Replaced: 2, Trouble: trouble,
			AsOf: &spoorv1.AsOf{Network: "bitcoin", Height: &height, Time: timestamppb.New(now.Add(-30 * time.Second))},
		})
	}
	report(11, "")
	health(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	report(10, "")
	health(grpc_health_v1.HealthCheckResponse_SERVING)
	report(0, "unreachable")
	health(grpc_health_v1.HealthCheckResponse_SERVING)
	now = now.Add(61 * time.Second)
	report(0, "unreachable")
	health(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	follows.Fault("bitcoin", ledger.FaultUnreachable)
	follows.Fault("bitcoin", ledger.FaultUnreachable)
	w := httptest.NewRecorder()
	s.Metrics().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`spoor_following{network="bitcoin"} 1`, `spoor_tip_height{network="bitcoin"} 90`, `spoor_head_height{network="bitcoin"} 90`,
		`spoor_final_height{network="bitcoin"} 80`, `spoor_lag_blocks{network="bitcoin"} 0`, `spoor_tip_age_seconds{network="bitcoin"} 30`,
		`spoor_replaced_blocks_total{network="bitcoin"} 8`, `spoor_source_faults_total{fault="unreachable",network="bitcoin"} 2`, "spoor_traces_running 0",
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("metrics lack %s\n%s", want, w.Body)
		}
	}
	end(ledger.Untrue(ledger.FaultRoot, "block 91", "x"))
	health(grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	if m := follows.Status("bitcoin"); !strings.Contains(m.GetTrouble(), "halted: block 91: root") {
		t.Errorf("status: %v", m)
	}
	if end, err = follows.Begin("bitcoin"); err != nil {
		t.Fatal(err)
	}
	end(nil)
	if m := follows.Status("bitcoin"); m != nil {
		t.Errorf("after an end that was asked for: %v", m)
	}
}
