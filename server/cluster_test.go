package server_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/entities"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store/memkv"
)

// clustered serves the world with an index of clusters. In it "mix" of block 3
// spends coins of x, scam and y.
func clustered(t *testing.T) *client {
	t.Helper()
	w := newWorld(t)
	set, err := entities.Open(t.TempDir(), memkv.New())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := quiet(t, w)
	cfg.Entities = set
	return serve(t, cfg, server.LocalTrust())
}

func TestGetCluster(t *testing.T) {
	c := clustered(t)
	for _, label := range []*spoorv1.Label{
		{Label: "a scam shop", Category: "scam", Address: named("bitcoin", "scam").String()},
		{Label: "of a alone", Category: "exchange", Address: named("bitcoin", "a").String()},
	} {
		label.Network, label.Source, label.Confidence = "bitcoin", "a test", 90
		if _, err := c.AddLabel(t.Context(), &spoorv1.AddLabelRequest{Label: label}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, of, asOf, why string
		size                uint64
		joins               int
		received            string
	}{
		{"three pay together", "x", "", "", 3, 0, "10"},
		{"why", "x", "", "y", 3, 1, "10"},
		{"why, from the other side", "scam", "", "y", 3, 2, "10"},
		{"before they did", "x", "2", "y", 1, 0, "4"},
		{"somebody else", "a", "", "x", 1, 0, "6"},
	} {
		m := &spoorv1.GetClusterRequest{Address: named("bitcoin", test.of).Qualified(), AsOf: test.asOf}
		if test.why != "" {
			m.Why = named("bitcoin", test.why).String()
		}
		got, err := c.GetCluster(t.Context(), m)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		cluster := got.GetCluster()
		if cluster.GetSize() != test.size || len(got.GetPath()) != test.joins || cluster.GetReceived() != test.received || cluster.GetTier() != "T0" {
			t.Errorf("%s: size %d, %d joins, received %s, tier %s; want %d, %d, %s, T0", test.name, cluster.GetSize(), len(got.GetPath()), cluster.GetReceived(), cluster.GetTier(), test.size, test.joins, test.received)
		}
		if got.GetAsOf() == nil || got.GetCoverage() == nil || len(got.GetHeuristics()) == 0 {
			t.Errorf("%s: without its basis: %v", test.name, got)
		}
		if len(cluster.GetLabels()) != 0 {
			t.Errorf("%s: %v spread, and none is of a definer", test.name, cluster.GetLabels())
		}
		if test.of == "scam" && (len(got.GetLabels()) != 1 || got.GetLabels()[0].GetLabel() != "a scam shop") {
			t.Errorf("%s: its own labels are %v", test.name, got.GetLabels())
		}
		for _, j := range got.GetPath() {
			if j.GetHeuristic() != "co-spend" || j.GetTx() != txID("mix").String() || j.GetPosition().GetHeight() != 3 {
				t.Errorf("%s: %v", test.name, j)
			}
		}
	}
}

func TestListClusterMembers(t *testing.T) {
	c := clustered(t)
	var all []string
	token := ""
	for range 5 {
		page, err := c.ListClusterMembers(t.Context(), &spoorv1.ListClusterMembersRequest{Address: qualifiedName("y"), PageSize: 2, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.GetAddresses() {
			all = append(all, who("bitcoin", a))
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	for _, name := range []string{"x", "y", "scam"} {
		if n := strings.Count(strings.Join(all, " ")+" ", name+" "); n != 1 {
			t.Errorf("%s is listed %d times in %v", name, n, all)
		}
	}
	if len(all) != 3 {
		t.Errorf("listed %v", all)
	}
	_, err := c.ListClusterMembers(t.Context(), &spoorv1.ListClusterMembersRequest{Address: qualifiedName("x"), PageToken: "another"})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("a token of another list: %v", err)
	}
}

// On a network without clusters an address stands for itself, and the answer says so.
func TestClusterOfAccounts(t *testing.T) {
	c := clustered(t)
	got, err := c.GetCluster(t.Context(), &spoorv1.GetClusterRequest{Address: named("tron", "m").Qualified(), Tier: "T2"})
	if err != nil || got.GetCluster().GetSize() != 1 || len(got.GetLimits()) == 0 || got.GetCluster().GetTier() != "T2" {
		t.Errorf("%v, %v", got, err)
	}
	for _, m := range []*spoorv1.GetClusterRequest{
		{Address: "bitcoin:nobody"},
		{Address: qualifiedName("x"), Tier: "T9"},
		{Address: qualifiedName("x"), AsOf: "yesterday"},
		{Address: qualifiedName("x"), Why: "nobody"},
		{Address: qualifiedName("x"), Why: named("tron", "m").Qualified()},
	} {
		if _, err := c.GetCluster(t.Context(), m); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", m, err)
		}
	}
}
