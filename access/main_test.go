package access_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the package when a test leaves a goroutine behind. The tests
// model their own crashes, so a folder in memory, where there is one, only makes
// their many syncs cheap.
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
	goleak.VerifyTestMain(m)
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
