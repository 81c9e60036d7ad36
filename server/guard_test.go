package server_test

import (
	"strings"
	"testing"

	"github.com/spoortrace/spoor/entities"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store/memkv"
)

// A change output that would make one owner of what labels give to two is not
// joined, and the answer says why; where they agree, or say nothing, it is.
func TestChangeAgainstLabels(t *testing.T) {
	for _, test := range []struct {
		name, x, rest string // actors
		size          uint64
		tier          string
	}{
		{"no labels", "", "", 3, "T1"},
		{"one owner", "exchange", "exchange", 3, "T1"},
		{"one side", "exchange", "", 3, "T1"},
		{"two owners", "exchange", "mixer", 2, "T0"},
	} {
		w := emptyWorld(t, memkv.New())
		first := block(nil, 0, coins0, spending("genesis", nil, coin{"pool", 50}))
		second := block(first, 1, coins0+10*minute, spending("fund", nil, coin{"x", 1_000_000}, coin{"y", 1_000_000}, coin{"shop", 5}))
		third := block(second, 2, coins0+20*minute, spending("r2", nil, coin{"miner", 50}),
			spending("pay", []ledger.OutPoint{out("fund", 0), out("fund", 1)}, coin{"shop", 1_500_000}, coin{"b", 123_456}))
		w.append(t, first, second, third)
		for name, actor := range map[string]string{"x": test.x, "b": test.rest} {
			if actor == "" {
				continue
			}
			tag := ledger.Tag{Address: named("bitcoin", name), Chain: "bitcoin", Label: actor, Actor: actor, Category: "exchange", Confidence: 90, Definer: true, Source: "a test"}
			source := labels.Source{Name: name, Report: &labels.Report{}, Tags: func(yield func(ledger.Tag, error) bool) { yield(tag, nil) }}
			if _, err := w.labels.Import(t.Context(), source, coins0); err != nil {
				t.Fatal(err)
			}
		}
		set, err := entities.Open(t.TempDir(), memkv.New())
		if err != nil {
			t.Fatal(err)
		}
		cfg := quiet(t, w)
		cfg.Entities = set
		c := serve(t, cfg, server.LocalTrust())
		got, err := c.GetCluster(t.Context(), &spoorv1.GetClusterRequest{Address: qualifiedName("x"), Tier: "T1", Why: named("bitcoin", "b").String()})
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Contains(strings.Join(got.GetLimits(), " "), "different owners")
		if got.GetCluster().GetSize() != test.size || got.GetCluster().GetTier() != test.tier || said != (test.tier == "T0") || (len(got.GetPath()) > 0) != (test.tier == "T1") {
			t.Errorf("%s: size %d at %s, limits %v, path %v", test.name, got.GetCluster().GetSize(), got.GetCluster().GetTier(), got.GetLimits(), got.GetPath())
		}
		page, err := c.ListClusterMembers(t.Context(), &spoorv1.ListClusterMembersRequest{Address: qualifiedName("x"), Tier: "T1"})
		if err != nil || uint64(len(page.GetAddresses())) != test.size {
			t.Errorf("%s: members %v, %v", test.name, page.GetAddresses(), err)
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}
}
