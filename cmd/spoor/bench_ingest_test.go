package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spoortrace/spoor/internal/simchain"
)

// The measures T1 and T2 of docs/performance.md: the same blocks into our index
// and into btcd's, with and without its two indexes. Each program is a process of
// its own; its CPU time is what the kernel charges.
//
//	SPOOR_BENCH_TXS=200000,1000000 go test ./cmd/spoor -run '^$' -bench BenchmarkIngest -benchtime 1x -count 3 -timeout 0

// benchTxs are the sizes of chains to measure with.
func benchTxs(b *testing.B, variable, otherwise string) (sizes []int) {
	b.Helper()
	text := os.Getenv(variable)
	if text == "" {
		text = otherwise
	}
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			b.Fatalf("%s: want numbers of transactions with commas, got %q", variable, text)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// simFile writes a chain and returns its file and counts.
func simFile(b *testing.B, txs int) (string, simchain.Stats) {
	b.Helper()
	name := filepath.Join(b.TempDir(), "chain.dat")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	stats, err := simchain.Write(f, simchain.Options{Txs: txs, Seed: 42})
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return name, stats
}

// built compiles a program into a directory of the benchmark's.
func built(b *testing.B, pkg string) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "program")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, pkg).CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return program
}

// cost is what a process took.
type cost struct {
	cpu      time.Duration
	rss      int64 // bytes at most
	written  int64 // bytes that it gave to the disk
	occupied int64 // bytes of files afterwards
}

// costOf runs a process that fills dir.
func costOf(b *testing.B, dir, program string, args ...string) cost {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), program, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", filepath.Base(program), err, out)
	}
	use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("no resource usage")
	}
	c := cost{cpu: cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime(), rss: use.Maxrss << 10, written: use.Oublock * 512}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		var st syscall.Stat_t
		err = syscall.Stat(name, &st)
		c.occupied += st.Blocks * 512
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkIngest is T1 and T2.
func BenchmarkIngest(b *testing.B) {
	spoor, addblock := built(b, "."), built(b, "github.com/btcsuite/btcd/cmd/addblock")
	for _, txs := range benchTxs(b, "SPOOR_BENCH_TXS", "20000") {
		b.Run(fmt.Sprintf("txs=%d", txs), func(b *testing.B) {
			chain, stats := simFile(b, txs)
			for b.Loop() {
				dirs := [3]string{b.TempDir(), b.TempDir(), b.TempDir()}
				ours := costOf(b, dirs[0], spoor, "--data", dirs[0], "ingest", "bitcoin", "--network", "bitcoin-simnet", "--blocks", chain)
				plain := costOf(b, dirs[1], addblock, "--simnet", "-b", dirs[1], "-i", chain, "-p", "0")
				theirs := costOf(b, dirs[2], addblock, "--simnet", "-b", dirs[2], "-i", chain, "-p", "0", "--txindex", "--addrindex")
				n := float64(stats.Txs)
				b.ReportMetric(n/ours.cpu.Seconds(), "tx/cpu-s")
				b.ReportMetric(n/theirs.cpu.Seconds(), "btcd-tx/cpu-s")
				b.ReportMetric(theirs.cpu.Seconds()/ours.cpu.Seconds(), "T1-total")
				b.ReportMetric((theirs.cpu-plain.cpu).Seconds()/ours.cpu.Seconds(), "T1-marginal")
				b.ReportMetric(float64(ours.occupied)/n, "B/tx")
				b.ReportMetric(float64(ours.occupied)/float64(theirs.occupied), "T2")
				b.ReportMetric(float64(ours.written)/float64(ours.occupied), "written/held")
				b.ReportMetric(float64(ours.rss)/1e6, "MB-rss")
				b.ReportMetric(float64(theirs.rss)/1e6, "btcd-MB-rss")
			}
		})
	}
}

// BenchmarkIngestSlope is the cost law of ingest: rows a CPU-second and bytes
// written, by size. A row is a transaction, an input or an output.
//
//	SPOOR_BENCH_SLOPE=180000,900000,9000000 go test ./cmd/spoor -run '^$' -bench BenchmarkIngestSlope -benchtime 1x -timeout 0
func BenchmarkIngestSlope(b *testing.B) {
	spoor := built(b, ".")
	for _, txs := range benchTxs(b, "SPOOR_BENCH_SLOPE", "20000,40000") {
		b.Run(fmt.Sprintf("txs=%d", txs), func(b *testing.B) {
			chain, stats := simFile(b, txs)
			rows := float64(stats.Txs + stats.Inputs + stats.Outputs)
			for b.Loop() {
				dir := b.TempDir()
				ours := costOf(b, dir, spoor, "--data", dir, "ingest", "bitcoin", "--network", "bitcoin-simnet", "--blocks", chain)
				b.ReportMetric(rows, "rows")
				b.ReportMetric(rows/ours.cpu.Seconds(), "rows/cpu-s")
				b.ReportMetric(float64(ours.occupied)/rows, "B/row")
				b.ReportMetric(float64(ours.written)/float64(ours.occupied), "written/held")
				b.ReportMetric(float64(ours.rss)/1e6, "MB-rss")
			}
		})
	}
}
