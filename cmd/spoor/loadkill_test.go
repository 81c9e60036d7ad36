package main

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/spoortrace/spoor/internal/simchain"
)

// TestKilledLoad kills an ingest that sorts again and again, wherever it is, and
// lets the last run end: the index is whole, it is the same as of an undisturbed
// run, and nothing of the work lies about.
func TestKilledLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("one process after another; the tests without the race detector run it")
	}
	kills := 3
	if n, err := strconv.Atoi(os.Getenv("SPOOR_TRIALS")); err == nil && n > 0 {
		kills = max(n/5, 1)
	}
	dir := t.TempDir()
	spoor, chain, config := filepath.Join(dir, "spoor"), filepath.Join(dir, "chain.dat"), filepath.Join(dir, "spoor.yaml")
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, spoor)
	}
	if err == nil {
		err = os.WriteFile(config, []byte("sort_megabytes: 16\n"), 0o600) // segments of 2 MiB
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(chain)
	if err != nil {
		t.Fatal(err)
	}
	stats, err := simchain.Write(f, simchain.Options{Txs: 110_000, PerBlock: 300, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil || stats.Bytes < leastSorted {
		t.Fatalf("%d bytes, want %d, so that they are sorted; %v", stats.Bytes, leastSorted, err)
	}
	run := func(ctx context.Context, data string, args ...string) string {
		cmd := exec.CommandContext(ctx, spoor, append([]string{"--config", config, "--data", data}, args...)...)
		out, err := cmd.Output()
		if err != nil && ctx.Err() == nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return string(out)
	}
	ingest := []string{"ingest", "bitcoin", "--network", "bitcoin-simnet", "--blocks", chain}
	calm, killed := filepath.Join(dir, "calm"), filepath.Join(dir, "killed")
	run(t.Context(), calm, ingest...)
	random := rand.New(rand.NewPCG(9, 10))
	var left []int
	for range kills {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(150+random.IntN(3000))*time.Millisecond)
		run(ctx, killed, ingest...) // killed, or done
		cancel()
		segments, _ := filepath.Glob(filepath.Join(killed, "networks/bitcoin-simnet/load-*/segment-*"))
		left = append(left, len(segments))
	}
	t.Logf("segments left by each kill: %v", left)
	run(t.Context(), killed, ingest...)
	run(t.Context(), killed, "index", "verify")
	export := []string{"index", "export", "bitcoin-simnet"}
	if run(t.Context(), killed, export...) != run(t.Context(), calm, export...) {
		t.Error("another index than of an undisturbed run")
	}
	if rest, _ := filepath.Glob(filepath.Join(killed, "networks/bitcoin-simnet/load-*")); len(rest) > 0 {
		t.Errorf("left: %v", rest)
	}
}
