//go:build linux

package crashtest

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// run is a script on its way through crashes.
type run struct {
	order
	script *script
	after  []ledger.Hash
	export [32]byte
	done   int // blocks that the store holds
}

func newRun(t *testing.T, do string, seed uint64) *run {
	t.Helper()
	r := &run{order: order{Do: do, Dir: filepath.Join(t.TempDir(), "data"), Seed: seed, Straight: 120, Reorgs: 120, Txs: 30}}
	if do == "follow" { // reorgs above all
		r.Straight, r.Reorgs, r.Txs = 20, 200, 10
	}
	r.script = r.order.script()
	r.after, r.export = r.script.digests(t)
	return r
}

func (r *run) finished() bool { return r.done == len(r.script.blocks) }

// check opens the store after a crash: it must be sound, hold at least what was
// acknowledged and stand at one of the states of an undisturbed run.
func (r *run) check(t *testing.T, acked int) {
	t.Helper()
	st, err := store.Open(r.Dir, engine(), store.Options{MinFree: 1 << 20})
	if err != nil {
		t.Fatalf("seed %d: open after a crash: %v", r.Seed, err)
	}
	n, err := st.Create(t.Context(), r.script.chain)
	if err != nil {
		t.Fatalf("seed %d: network after a crash: %v", r.Seed, err)
	}
	status, err := n.Status()
	if err != nil {
		t.Fatalf("seed %d: status after a crash: %v", r.Seed, err)
	}
	at := -1
	if !status.Empty {
		at = r.script.byHash[status.Tip.Hash]
	}
	switch {
	case at < acked:
		t.Fatalf("seed %d: block %d was acknowledged, the store stands at %d", r.Seed, acked, at)
	case at < r.done-1:
		t.Fatalf("seed %d: the store held %d blocks and stands at %d", r.Seed, r.done, at)
	case at >= 0 && status.Digest != r.after[at]:
		t.Fatalf("seed %d: digest after block %d is %s, undisturbed %s", r.Seed, at, status.Digest, r.after[at])
	}
	if err := n.Verify(t.Context(), nil); err != nil {
		t.Fatalf("seed %d: verify at block %d: %v", r.Seed, at, err)
	}
	r.done = at + 1
	if r.finished() && exported(t, n) != r.export {
		t.Fatalf("seed %d: the export differs from that of an undisturbed run", r.Seed)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestKill kills a process at random moments, again and again, until the script
// is through; then it starts with the next.
func TestKill(t *testing.T) { kill(t, "ingest", trials(t)) }

// TestKillFollow does the same to a process that follows a source through its
// reorgs, folding as it goes: it is killed in reorgs, in folds, and while it
// recovers from the kill before.
func TestKillFollow(t *testing.T) { kill(t, "follow", max(1, trials(t)/5)) }

func kill(t *testing.T, do string, cycles int) {
	seed := rand.Uint64N(1 << 32)
	rng := rand.New(rand.NewPCG(seed, 1))
	r := newRun(t, do, seed)
	killed, acks, scripts := 0, 0, 0
	for range cycles {
		r.Batch = 500 + rng.IntN(4000)
		c := start(t, r.order, nil)
		time.Sleep(time.Duration(20+rng.IntN(200)) * time.Millisecond)
		// The child may be through already.
		_ = c.cmd.Process.Kill()
		err := c.cmd.Wait()
		if wasKilled(err) {
			killed++
		} else if err != nil {
			t.Fatalf("seed %d: child: %v\n%s", r.Seed, err, c.said())
		}
		acked, n := lastAck(t, c.reports)
		acks += n
		r.check(t, acked)
		if r.finished() {
			if err := os.RemoveAll(r.Dir); err != nil {
				t.Fatal(err)
			}
			scripts++
			r = newRun(t, do, r.Seed+1)
		}
	}
	t.Logf("%d cycles, %d processes killed, %d publications acknowledged, %d scripts to their end, 0 lost, 0 torn", cycles, killed, acks, scripts)
	if killed == 0 {
		t.Error("no child was killed while it worked")
	}
}

// wasKilled tells the end by a signal from a failure.
func wasKilled(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == -1
}
