package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/screening"
)

// TestKilledImport kills an import of past deposits again and again, wherever it
// is, and lets the last one end: every row is registered, and none twice.
func TestKilledImport(t *testing.T) {
	if testing.Short() {
		t.Skip("one process after another; the tests without the race detector run it")
	}
	const rows, kills = 3000, 4
	dir := t.TempDir()
	spoor, data := program(t, dir)
	file := filepath.Join(dir, "deposits.csv")
	var b strings.Builder
	b.WriteString("user_id,network,transfer_reference,direction,amount\n")
	for i := range rows {
		fmt.Fprintf(&b, "u%d,bitcoin,%064x:0,received,1\n", i%7, i+1)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, spoor, "transfers", "import", file, "--data", data)
		out, err := cmd.CombinedOutput()
		if err != nil && ctx.Err() == nil {
			t.Fatalf("%v: %s", err, out)
		}
		return err
	}
	random := rand.New(rand.NewPCG(5, 6))
	var held []int
	for range kills {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(400+random.IntN(900))*time.Millisecond)
		_ = run(ctx) // killed, or done
		cancel()
		held = append(held, registered(t, data))
	}
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := registered(t, data); got != rows {
		t.Errorf("%d rows are registered, want %d; after each kill there were %v", got, rows, held)
	}
	t.Logf("after each kill there were %v of %d", held, rows)
}

// registered counts the transfers of a data directory, each of which is there once
// and in the chain of registrations.
func registered(t *testing.T, data string) int {
	t.Helper()
	dir := filepath.Join(data, "screening")
	if _, err := os.Stat(dir); err != nil {
		return 0
	}
	kept, err := openScreening(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close() //nolint:errcheck // it was only read
	tenants, err := kept.Tenants()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, tenant := range tenants {
		if err := kept.Each(t.Context(), tenant, func(one screening.Transfer) bool {
			if seen[one.Reference] {
				t.Errorf("%s is there twice", one.Reference)
			}
			seen[one.Reference] = true
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if n, err := kept.VerifyChain(t.Context(), tenant); err != nil || n != uint64(len(seen)) {
			t.Errorf("chain of %d registrations, %d are there: %v", n, len(seen), err)
		}
	}
	return len(seen)
}
