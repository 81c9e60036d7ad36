//go:build linux

package crashtest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/spoortrace/spoor/store"
)

// childEnv holds the order of a child process as JSON.
const childEnv = "SPOOR_CRASH_CHILD"

// order is what a child does.
type order struct {
	Do    string // "ingest", "follow", "rows", "damage", "fill"
	Dir   string
	Batch int

	// The script.
	Seed                  uint64
	Straight, Reorgs, Txs int
	Until                 int // ingest: blocks to take in; then the process kills itself

	// Damage.
	Images   []string
	From, To int

	MiB, Filler int64 // fill: size of the disk, and of what else is on it
}

func (o order) script() *script { return newScript(o.Seed, o.Straight, o.Reorgs, o.Txs) }

// TestChild is the other side of the tests: it does nothing in a run of its own.
// It reports on file descriptor 3, and how it failed on standard error.
func TestChild(t *testing.T) {
	text := os.Getenv(childEnv)
	if text == "" {
		t.Skip("for child processes")
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	pipe := os.NewFile(3, "reports")
	var err error
	switch o.Do {
	case "ingest":
		err = ingest(t.Context(), o, pipe)
	case "follow":
		err = followScript(t.Context(), o, pipe)
	case "rows":
		err = writeRows(t.Context(), o, pipe)
	case "damage":
		err = damageTrials(t.Context(), o, pipe)
	case "fill":
		err = fill(t.Context(), o)
	default:
		err = fmt.Errorf("no such order: %q", o.Do)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		t.Fatal(err)
	}
}

// ingest goes on with a script where the store stands and reports the number of
// every block that Append acknowledges.
func ingest(ctx context.Context, o order, acks io.Writer) error {
	s := o.script()
	st, err := store.Open(o.Dir, engine(), store.Options{MinFree: 1 << 20})
	if err != nil {
		return err
	}
	n, err := st.Create(ctx, s.chain)
	if err != nil {
		return err
	}
	status, err := n.Status()
	if err != nil {
		return err
	}
	from := 0
	if !status.Empty {
		from = s.byHash[status.Tip.Hash] + 1
	}
	until := len(s.blocks)
	if o.Until > 0 {
		until = o.Until
	}
	progress := func(p store.Progress) {
		// A report that is lost only weakens the test.
		_, _ = acks.Write(binary.BigEndian.AppendUint32(nil, uint32(s.byHash[p.Tip.Hash])))
	}
	if err := n.Append(ctx, s.from(from, until), s.options(o.Batch, progress)); err != nil {
		return err
	}
	if o.Until > 0 {
		return killSelf()
	}
	return st.Close()
}

func killSelf() error {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		return err
	}
	select {}
}

// child is a running child process.
type child struct {
	cmd     *exec.Cmd
	reports *os.File
	stderr  *os.File
}

func childCommand(t *testing.T, o order) (*exec.Cmd, *os.File) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.count=1", "-test.timeout=1h")
	cmd.Env = append(os.Environ(), childEnv+"="+string(text), "SPOOR_TRIALS=")
	cmd.ExtraFiles = []*os.File{w}
	return cmd, r
}

func start(t *testing.T, o order, change func(*exec.Cmd)) *child {
	t.Helper()
	cmd, r := childCommand(t, o)
	stderr, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if change != nil {
		change(cmd)
	}
	if err := errors.Join(cmd.Start(), cmd.ExtraFiles[0].Close()); err != nil {
		t.Fatal(err)
	}
	return &child{cmd, r, stderr}
}

// said returns what the child wrote to its standard error.
func (c *child) said() string {
	text, err := os.ReadFile(c.stderr.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// lastAck reads the reports to their end; -1 when there is none.
func lastAck(t *testing.T, reports *os.File) (last, count int) {
	t.Helper()
	raw, err := io.ReadAll(reports)
	if err := errors.Join(err, reports.Close()); err != nil {
		t.Fatal(err)
	}
	last = -1
	for ; len(raw) >= 4; raw = raw[4:] {
		last, count = int(binary.BigEndian.Uint32(raw)), count+1
	}
	return last, count
}
