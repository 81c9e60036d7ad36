//go:build linux

package crashtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/badgerkv"
)

// TestFullDisk fills a disk of its own. Writing must stop with
// ledger.ErrExhausted before Badger runs into the end, which would kill the
// process with SIGBUS; what was published must stay readable; and once there is
// room, writing must go on by itself.
func TestFullDisk(t *testing.T) {
	runs := max(1, trials(t)/20)
	for i := range runs {
		o := order{Do: "fill", Dir: t.TempDir(), MiB: 46 + rand.Int64N(20), Filler: 16}
		text, err := fillInNamespace(t, o)
		switch {
		case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSYS):
			t.Skip("a mount namespace is not permitted: ", err)
		case err != nil:
			t.Fatalf("run %d, disk of %d MiB: %v\n%s", i, o.MiB, err, firstLines(text))
		}
	}
	t.Logf("%d disks filled, freed and written again, 0 processes killed by SIGBUS", runs)
}

func fillInNamespace(t *testing.T, o order) (string, error) {
	t.Helper()
	cmd, reports := childCommand(t, o)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	text, err := cmd.CombinedOutput()
	return string(text), errors.Join(err, cmd.ExtraFiles[0].Close(), reports.Close(), noProcess(err))
}

// noProcess tells a child that failed from one that the system did not start.
func noProcess(err error) error {
	var exit *exec.ExitError
	var refused *os.PathError
	if errors.As(err, &exit) || !errors.As(err, &refused) {
		return nil
	}
	return refused.Err
}

// fill is what the child does.
func fill(ctx context.Context, o order) error {
	if err := syscall.Mount("tmpfs", o.Dir, "tmpfs", 0, fmt.Sprintf("size=%dm", o.MiB)); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	filler := filepath.Join(o.Dir, "filler")
	if err := os.WriteFile(filler, make([]byte, o.Filler<<20), 0o600); err != nil {
		return err
	}
	if err := fillRows(ctx, o.Dir, filler); err != nil {
		return fmt.Errorf("rows: %w", err)
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(o.Dir, "rows")), os.WriteFile(filler, make([]byte, o.Filler<<20), 0o600)); err != nil {
		return err
	}
	if err := fillStore(ctx, o, filler); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// tight is an engine with the reserve of its defaults.
func tight() store.Engine { return badgerkv.New(badgerkv.Options{MemTable: 1 << 20, Cache: 4 << 20}) }

func fillRows(ctx context.Context, dir, filler string) error {
	dir = filepath.Join(dir, "rows")
	kv, err := tight()(dir)
	if err != nil {
		return err
	}
	last, err := untilFull(ctx, kv, 1)
	if err != nil {
		return err
	}
	for n := uint64(1); n <= last; n++ {
		if err := checkBatch(kv, n); err != nil {
			return fmt.Errorf("on the full disk: %w", err)
		}
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	more, err := untilFull(ctx, kv, last+1)
	if err != nil {
		return err
	}
	if more == last {
		return fmt.Errorf("no batch was written after the disk was freed")
	}
	if err := kv.Close(); err != nil {
		return err
	}
	if kv, err = tight()(dir); err != nil {
		return fmt.Errorf("open on the full disk: %w", err)
	}
	for n := uint64(1); n <= more; n++ {
		if err := checkBatch(kv, n); err != nil {
			return fmt.Errorf("after reopening: %w", err)
		}
	}
	return kv.Close()
}

// untilFull publishes batches until the disk is full, and returns the last one.
func untilFull(ctx context.Context, kv store.KV, from uint64) (uint64, error) {
	for n := from; ; n++ {
		ops := make([]store.Op, rowsOfBatch)
		for i := range ops {
			ops[i] = store.Op{Partition: pointer(n), Sort: binary.BigEndian.AppendUint16(nil, uint16(i)), Value: rowValue(n, i)}
		}
		err := kv.Write(ctx, ops)
		if err == nil {
			err = kv.Publish(ctx, []byte("head"), nil, pointer(n-1), pointer(n), 1)
		}
		if errors.Is(err, ledger.ErrExhausted) {
			return n - 1, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func fillStore(ctx context.Context, o order, filler string) error {
	s := newScript(uint64(o.MiB), 400, 0, 10)
	for i, b := range s.blocks {
		b.Raw = noise(fmt.Sprint(i), 150<<10)
	}
	dir := filepath.Join(o.Dir, "data")
	st, err := store.Open(dir, tight(), store.Options{MinFree: 16 << 20})
	if err != nil {
		return err
	}
	n, err := st.Create(ctx, s.chain)
	if err != nil {
		return err
	}
	reached, err := appendUntilFull(ctx, n, s)
	if err != nil {
		return err
	}
	if err := n.Verify(ctx, nil); err != nil {
		return fmt.Errorf("verify on the full disk: %w", err)
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	more, err := appendUntilFull(ctx, n, s)
	if err != nil {
		return err
	}
	if more <= reached {
		return fmt.Errorf("ingest does not go on after the disk was freed: block %d, then %d", reached, more)
	}
	if err := errors.Join(n.Verify(ctx, nil), st.Close()); err != nil {
		return err
	}
	return reopenFull(ctx, o, dir, s.chain)
}

// reopenFull opens a store on a full disk. It may say that it has no room to
// finish a batch; then it must open once there is.
func reopenFull(ctx context.Context, o order, dir string, c ledger.Chain) error {
	st, err := store.Open(dir, tight(), store.Options{MinFree: 16 << 20})
	if err != nil {
		return err
	}
	n, err := st.Network(ctx, c)
	if errors.Is(err, ledger.ErrExhausted) {
		if err := syscall.Mount("tmpfs", o.Dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dm", 2*o.MiB)); err != nil {
			return fmt.Errorf("remount: %w", err)
		}
		n, err = st.Network(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("open on the full disk: %w", err)
	}
	return errors.Join(n.Verify(ctx, nil), st.Close())
}

// appendUntilFull goes on with the script and returns the number of the block at
// which the disk was full.
func appendUntilFull(ctx context.Context, n *store.Network, s *script) (int, error) {
	status, err := n.Status()
	if err != nil {
		return 0, err
	}
	from := 0
	if !status.Empty {
		from = s.byHash[status.Tip.Hash] + 1
	}
	err = n.Append(ctx, s.from(from, len(s.blocks)), s.options(1000, nil))
	if err == nil {
		return 0, errors.New("append: the script ended before the disk was full")
	}
	if !errors.Is(err, ledger.ErrExhausted) {
		return 0, fmt.Errorf("append: %w", err)
	}
	if status, err = n.Status(); err != nil || status.Empty {
		return -1, err
	}
	return s.byHash[status.Tip.Hash], nil
}
