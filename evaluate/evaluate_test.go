package evaluate

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// write makes a data folder of small made-up files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		put(t, dir, name, text)
	}
	return dir
}

// put writes one file of a folder, and packs it where its name says so.
func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z := gzip.NewWriter(f)
		_, err = z.Write([]byte(text))
		err = errors.Join(err, z.Close())
	} else {
		_, err = f.WriteString(text)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// line is a transaction in the form of the CoinJoin lists: n inputs of scripts of
// their own, the outputs as they are told.
func line(id byte, inputs []uint64, outputs []uint64) string {
	hash := strings.Repeat(fmt.Sprintf("%02x", id), 32)
	var in, out []string
	for i, v := range inputs {
		in = append(in, fmt.Sprintf("%s-%d-%d+0014%038x%02x+x", hash, i, v, id, i))
	}
	for i, v := range outputs {
		out = append(out, fmt.Sprintf("%d+0014%036x%02xff+x", v, id, i))
	}
	return strings.Join([]string{hash, hash, "1", "1700000000", strings.Join(in, "}{"), strings.Join(out, "}{")}, ":::") + "\n"
}

func TestRun(t *testing.T) {
	mix := []uint64{1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000}
	records := "Timestamp,Block,Tx_hash,From,From_label,To,To_label,Value_in_USD\n" +
		"2024-01-01 00:00:00,10,0x" + strings.Repeat("11", 32) + ",0x" + strings.Repeat("a1", 20) + ",,0x" + strings.Repeat("b2", 20) + ",,100.5\n" +
		"2024-01-01 00:01:00,11,0x" + strings.Repeat("22", 32) + ",0x" + strings.Repeat("b2", 20) + ",,0x" + strings.Repeat("c3", 20) + ",,50.25\n" +
		"2024-01-01 00:02:00,12,0x" + strings.Repeat("33", 32) + ",0x" + strings.Repeat("d4", 20) + ",,0x" + strings.Repeat("c3", 20) + ",,7\n"
	dir := write(t, map[string]string{
		"coinjoin/a.SamouraiCoinJoins.txt.gz": line(1, []uint64{1_000_000, 1_000_000, 1_000_000, 1_010_000, 1_010_000}, mix) + line(2, mix[:4], mix[:4]),
		"coinjoin/a.PostMixTxs.txt.gz":        line(3, []uint64{5_000, 6_000, 7_000}, []uint64{17_000}),
		"launder/x/flow-records.csv":          records,
		"launder/x/source-addresses.csv":      "0x" + strings.Repeat("a1", 20) + "\n",
		"launder/x/terminal-addresses.csv":    "0x" + strings.Repeat("c3", 20) + "\n",
	})
	for name, from := range map[string]string{"test_txs.json": "txs.json", "reference/address_ids.json": "address_ids.json", "reference/address_cluster_with_coinjoin.json": "address_cluster_with_coinjoin.json"} {
		text, err := os.ReadFile(filepath.Join("../tracer/cluster/testdata/graphsense", from))
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir, filepath.Join(graphsense, name), string(text))
	}
	all, err := Run(t.Context(), Options{Data: dir, Date: "2026-01-02", Build: nil})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range all {
		got[m.Heuristic+": "+m.Measure] = fmt.Sprintf("%d of %d%s", m.Hits, m.N, m.Note)
		if m.NotWhy == "" && (len(m.SHA256) != 64 || m.Date != "2026-01-02") {
			t.Errorf("%+v", m)
		}
	}
	for name, want := range map[string]string{
		"coinjoin: named WHIRLPOOL rightly":                                      "1 of 2verdicts: POSSIBLE 1, WHIRLPOOL 1",
		"coinjoin: false negatives of WHIRLPOOL: not vetoed":                     "0 of 2verdicts: POSSIBLE 1, WHIRLPOOL 1",
		"coinjoin: ordinary spends vetoed as POSSIBLE":                           "0 of 1verdicts: NONE 1",
		"co-spend: scripts in the largest cluster that the CoinJoin veto leaves": "3 of 3of all input scripts of the set",
		"flow: recall of records of x":                                           "2 of 3dirty-first, a closed world; 5025 of 5725 cents recorded into terminals were traced there",
		"flow: recall of terminals of x":                                         "1 of 1dirty-first, a closed world; 5025 of 5725 cents recorded into terminals were traced there",
		"co-spend: addresses whose cluster is that of GraphSense's reference":    "15 of 156 of them share theirs with another; a made-up ledger",
		"fan_in: laundering accounts that show it of x":                          "0 of 3the set holds the laundering alone: what an ordinary account shows is not in it",
		"structuring: laundering accounts that show it of x":                     "",
		"bridge: ":              "0 of 0",
		"deposit reuse, TRON: ": "0 of 0",
	} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
}

// Data that is there and does not read is an error that names the place.
func TestRunRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"coinjoin/a.PostMixTxs.txt.gz": "what is this\n",
		"coinjoin/a.Unheard.txt.gz":    "",
		"launder/x/flow-records.csv":   "a,b\n",
	} {
		dir := write(t, map[string]string{name: text})
		if _, err := Run(context.Background(), Options{Data: dir, Date: "2026-01-02"}); err == nil || !strings.Contains(err.Error(), filepath.Base(name)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Run(context.Background(), Options{Data: "/nowhere"}); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("no folder: got %v", err)
	}
}
