//go:build linux && amd64

package crashtest

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// tracer watches the syncs of a process with ptrace, and kills it when it is
// about to make one of them.
type tracer struct {
	disk    *disk
	pid     int
	threads map[int]*thread
	killAt  int
	syncs   int
	err     error
}

// thread is between the entry and the exit of a system call, or not.
type thread struct {
	inside  bool
	pending *synced
}

const (
	exitKill   = 0x00100000 // PTRACE_O_EXITKILL
	waitAll    = 0x40000000 // __WALL
	syscallBit = 0x80       // PTRACE_O_TRACESYSGOOD
)

// trace runs a child from its first instruction to its end. It must be called on
// a locked thread, which becomes the tracer.
func trace(o *disk, name string, argv []string, attr *os.ProcAttr, killAt int) (*tracer, syscall.WaitStatus, error) {
	attr.Sys = &syscall.SysProcAttr{Ptrace: true}
	p, err := os.StartProcess(name, argv, attr)
	if err != nil {
		return nil, 0, err
	}
	t := &tracer{disk: o, pid: p.Pid, threads: map[int]*thread{}, killAt: killAt}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(p.Pid, &ws, 0, nil); err != nil {
		return nil, 0, err
	}
	options := syscall.PTRACE_O_TRACESYSGOOD | syscall.PTRACE_O_TRACECLONE | exitKill
	if err := errors.Join(syscall.PtraceSetOptions(p.Pid, options), syscall.PtraceSyscall(p.Pid, 0)); err != nil {
		return nil, 0, err
	}
	for {
		tid, err := syscall.Wait4(-1, &ws, waitAll, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if ws.Exited() || ws.Signaled() {
			delete(t.threads, tid)
			if tid == p.Pid {
				return t, ws, t.err
			}
			continue
		}
		t.stopped(tid, ws)
	}
}

// stopped handles one stop of a thread and lets it go on.
func (t *tracer) stopped(tid int, ws syscall.WaitStatus) {
	th, known := t.threads[tid]
	if !known {
		th = &thread{}
		t.threads[tid] = th
	}
	signal := 0
	switch sig := ws.StopSignal(); {
	case sig == syscall.SIGTRAP|syscallBit:
		th.inside = !th.inside
		t.err = errors.Join(t.err, t.call(tid, th))
	case sig == syscall.SIGTRAP: // an event, such as a new thread
	case sig == syscall.SIGSTOP && !known: // how a new thread begins
	default:
		signal = int(sig)
	}
	// The thread may have been killed meanwhile.
	_ = syscall.PtraceSyscall(tid, signal)
}

// call looks at the entry or the exit of a system call.
func (t *tracer) call(tid int, th *thread) error {
	if !th.inside && th.pending == nil {
		return nil
	}
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(tid, &regs); errors.Is(err, syscall.ESRCH) {
		return nil // killed
	} else if err != nil {
		return err
	}
	if !th.inside {
		if regs.Rax == 0 {
			t.disk.commit(th.pending)
		}
		th.pending = nil
		return nil
	}
	path, err := t.syncing(regs)
	if err != nil || path == "" {
		return err
	}
	if th.pending, err = t.disk.before(path, regs.Orig_rax != unix.SYS_MSYNC); err != nil || th.pending == nil {
		return err
	}
	if t.syncs++; t.syncs == t.killAt {
		return syscall.Kill(t.pid, syscall.SIGKILL)
	}
	return nil
}

// syncing returns the file that a system call is about to sync.
func (t *tracer) syncing(regs syscall.PtraceRegs) (string, error) {
	switch regs.Orig_rax {
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		// A bad descriptor has no path, and nothing to sync.
		path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", t.pid, regs.Rdi))
		return path, nil
	case unix.SYS_MSYNC:
		return t.mappedAt(regs.Rdi)
	}
	return "", nil
}

func (t *tracer) mappedAt(address uint64) (string, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", t.pid))
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		from, to, _ := strings.Cut(fields[0], "-")
		low, err1 := strconv.ParseUint(from, 16, 64)
		high, err2 := strconv.ParseUint(to, 16, 64)
		if err := errors.Join(err1, err2); err != nil {
			return "", err
		}
		if low <= address && address < high && len(fields) == 6 {
			return fields[5], nil
		}
	}
	return "", lines.Err()
}

// TestPowerCut kills a process as it is about to make its N-th sync, and leaves
// of every file only what was synced before, or a random part of the rest.
func TestPowerCut(t *testing.T) { powerCut(t, "ingest", max(1, trials(t)/4)) }

// TestPowerCutFollow does the same to a process that follows a source.
func TestPowerCutFollow(t *testing.T) { powerCut(t, "follow", max(1, trials(t)/10)) }

func powerCut(t *testing.T, do string, cycles int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := identify(t.TempDir()); err != nil {
		t.Skip(err)
	}
	seed := rand.Uint64N(1 << 32)
	rng := rand.New(rand.NewPCG(seed, 2))
	r := newRun(t, do, seed)
	base := filepath.Dir(r.Dir)
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cuts, syncs, acks, scripts := 0, 0, 0, 0
	for i := range cycles {
		r.Batch = 500 + rng.IntN(4000)
		d, err := newDisk(r.Dir)
		if err != nil {
			t.Fatal(err)
		}
		tr, acked, n := cutPower(t, r.order, d, 1+rng.IntN(150))
		syncs, acks = syncs+tr.syncs, acks+n
		if tr.syncs >= tr.killAt {
			cuts++
			next := filepath.Join(base, fmt.Sprintf("data-%d", i))
			if err := d.cut(next, rng.IntN(2) == 0, rng); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(r.Dir); err != nil {
				t.Fatal(err)
			}
			r.Dir = next
		}
		r.check(t, acked)
		if r.finished() {
			scripts++
			r = newRun(t, do, r.Seed+1)
			base = filepath.Dir(r.Dir)
			if err := os.MkdirAll(r.Dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d cycles, %d power cuts after %d syncs, %d publications acknowledged, %d scripts to their end, 0 lost, 0 torn", cycles, cuts, syncs, acks, scripts)
}

// TestPowerCutRows does the same below the store, with batches that fill several
// write buffers.
func TestPowerCutRows(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := identify(t.TempDir()); err != nil {
		t.Skip(err)
	}
	rng := rand.New(rand.NewPCG(rand.Uint64(), 3))
	base := t.TempDir()
	o := order{Do: "rows", Dir: filepath.Join(base, "rows")}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cycles, syncs, acks := max(1, trials(t)/10), 0, 0
	for i := range cycles {
		d, err := newDisk(o.Dir)
		if err != nil {
			t.Fatal(err)
		}
		tr, acked, n := cutPower(t, o, d, 1+rng.IntN(100))
		syncs, acks = syncs+tr.syncs, acks+n
		next := filepath.Join(base, fmt.Sprintf("rows-%d", i))
		if err := errors.Join(d.cut(next, rng.IntN(2) == 0, rng), os.RemoveAll(o.Dir)); err != nil {
			t.Fatal(err)
		}
		o.Dir = next
		if err := checkRows(o.Dir, acked); err != nil {
			t.Fatalf("cycle %d, cut before sync %d: %v", i, tr.killAt, err)
		}
	}
	t.Logf("%d power cuts after %d syncs, %d publications acknowledged, 0 lost, 0 torn", cycles, syncs, acks)
}

func cutPower(t *testing.T, o order, d *disk, killAt int) (tr *tracer, acked, acks int) {
	t.Helper()
	cmd, reports := childCommand(t, o)
	stderr, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	attr := &os.ProcAttr{Env: cmd.Env, Files: []*os.File{nil, stderr, stderr, cmd.ExtraFiles[0]}}
	tr, ws, err := trace(d, cmd.Path, cmd.Args, attr, killAt)
	if err := errors.Join(err, cmd.ExtraFiles[0].Close()); err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skip("ptrace is not permitted: ", err)
		}
		t.Fatal(err)
	}
	if !ws.Signaled() && ws.ExitStatus() != 0 {
		text, rerr := os.ReadFile(stderr.Name())
		t.Fatalf("%s: child: %v %v\n%s", o.Do, ws, rerr, text)
	}
	acked, acks = lastAck(t, reports)
	return tr, acked, acks
}
