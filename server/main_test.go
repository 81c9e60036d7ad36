package server_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the package when a test leaves a goroutine behind. A benchmark
// starts the test binary once more as a client that asks a lot.
func TestMain(m *testing.M) {
	if order := os.Getenv(floodOrder); order != "" {
		if err := flooding(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
