package cases_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/spoortrace/spoor/cases"
)

// childDir names the folder in which a second process of this test works.
const childDir = "SPOOR_TEST_CASES_DIR"

// TestMain works in a folder in memory, where there is one: the tests model
// their own crashes, and their many syncs are cheap there.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() && os.Getenv("TMPDIR") == "" {
		if err := os.Setenv("TMPDIR", memory); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// trials is how often a random test is tried: n, a tenth of it with -short, or SPOOR_TRIALS.
func trials(n int) int {
	if set, err := strconv.Atoi(os.Getenv("SPOOR_TRIALS")); err == nil && set > 0 {
		return set
	}
	if testing.Short() {
		return n / 10
	}
	return n
}

func ann() cases.Actor { return cases.Actor{Tenant: "north", Name: "ann"} }

func opening(number string) cases.Opening {
	return cases.Opening{
		Number: number, Title: "A shop that never shipped", Authority: "Public Prosecutor, North",
		Policy: cases.Policies{
			UTXO:    cases.Policy{Name: "fifo", Reason: "Clayton's case (1816)"},
			Account: cases.Policy{Name: "fifo", Reason: "Clayton's case (1816)"},
		},
		Allocation: cases.Traced,
	}
}

// noon is a clock that stands.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func open(t *testing.T, dir string) *cases.Store {
	t.Helper()
	s, err := cases.Open(dir, cases.Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func begin(t *testing.T, s *cases.Store, number string) cases.ID {
	t.Helper()
	c, err := s.New(ann(), opening(number))
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// row is a payment of a victim in a transaction that n tells apart.
func row(victim string, n int) cases.Row {
	return cases.Row{
		Line: n, Victim: victim, Status: cases.Confirmed, Network: "tron", Tx: fmt.Sprintf("%064x", n), ReportRef: fmt.Sprintf("ref %d", n),
		Amount: "1000000", Asset: "tron:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", BankLeg: "account of " + victim, Note: "a son of " + victim,
	}
}

// must fails the test on an error.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
