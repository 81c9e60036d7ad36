package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store/memkv"
)

// keyBlocks is a TRON network of four blocks: in each of the first three, one account
// gives its money into the hands of the next; in the last, b takes it back.
func keyBlocks() []*ledger.Block {
	var blocks []*ledger.Block
	for i, line := range []string{"a b", "b c", "c d", "b b"} {
		from, to, _ := strings.Cut(line, " ")
		height := uint64(i)
		b := &ledger.Block{Ref: ledger.BlockRef{Chain: "tron", Height: height, Time: export0 + int64(i)*3000, Hash: ledger.Hash{1, byte(i)}}, Source: "test", Grade: ledger.GradeProven}
		if i > 0 {
			b.Parent = blocks[i-1].Ref.Hash
		}
		n := ledger.Notice{Kind: ledger.NoticePermission, Account: named("tron", from), Ref: fmt.Sprintf("owner 1: %s 1; active 1: %s 1", named("tron", to), named("tron", from))}
		if from == to {
			n.Ref = fmt.Sprintf("owner 1: %s 1", named("tron", to))
		}
		b.Txs = []ledger.Tx{{ID: txID(line), Chain: "tron", Pos: ledger.At(height, 1), Time: b.Ref.Time, Notices: []ledger.Notice{n}}}
		blocks = append(blocks, b)
	}
	return blocks
}

func TestAccountCluster(t *testing.T) {
	w := emptyWorld(t, memkv.New())
	w.append(t, keyBlocks()...)
	gang := ledger.Tag{Address: named("tron", "c"), Chain: "tron", Label: "the gang", Category: "scam", Source: "a test", Confidence: 90, Definer: true}
	if _, err := w.labels.Add(gang, 1); err != nil {
		t.Fatal(err)
	}
	c := local(t, w)
	for _, test := range []struct {
		of, asOf, why string
		members, path string
	}{
		{"a", "0", "", "ab", "ab"},
		{"a", "2", "", "abcd", "ab bc cd"},
		{"d", "2", "a", "abcd", "dc cb ba"},
		{"a", "2", "x", "abcd", ""},
		{"a", "", "", "ab", "ab"}, // b is its own master again
		{"c", "", "", "cd", "cd"},
	} {
		m := &spoorv1.GetClusterRequest{Address: named("tron", test.of).Qualified(), AsOf: test.asOf}
		if test.why != "" {
			m.Why = named("tron", test.why).String()
		}
		got, err := c.GetCluster(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		var path []string
		for _, j := range got.GetPath() {
			path = append(path, who("tron", j.GetFrom())+who("tron", j.GetTo()))
			if j.GetHeuristic() != "permission key" || j.GetTier() != "T0" || j.GetTx() == "" {
				t.Errorf("%+v: join %v", test, j)
			}
		}
		if got.GetCluster().GetSize() != uint64(len(test.members)) || strings.Join(path, " ") != test.path || got.GetCluster().GetTier() != "T0" {
			t.Errorf("%+v: size %d, path %v", test, got.GetCluster().GetSize(), path)
		}
		if !slices.Contains(got.GetHeuristics(), "permission key: not measured") || got.GetCoverage() == nil {
			t.Errorf("%+v: without its basis: %v", test, got)
		}
		// The definer's label spreads to its cluster, and to no other.
		if spreads := len(got.GetCluster().GetLabels()) == 1; spreads != strings.Contains(test.members, "c") {
			t.Errorf("%+v: labels %v", test, got.GetCluster().GetLabels())
		}
		if listed := pages(t, c, m); listed != test.members {
			t.Errorf("%+v: listed %s", test, listed)
		}
	}
}

// pages reads the members one a page and returns their names, sorted.
func pages(t *testing.T, c *client, m *spoorv1.GetClusterRequest) string {
	t.Helper()
	var all []string
	token := ""
	for {
		page, err := c.ListClusterMembers(t.Context(), &spoorv1.ListClusterMembersRequest{Address: m.GetAddress(), AsOf: m.GetAsOf(), PageSize: 1, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.GetAddresses() {
			all = append(all, who("tron", a))
		}
		if token = page.GetNextPageToken(); token == "" {
			slices.Sort(all)
			return strings.Join(all, "")
		}
	}
}
