package store_test

import (
	"flag"
	"os"
	"testing"
)

// TestMain sizes the random tests: 25 cases each, or SPOOR_TRIALS. They make
// and model their own crashes, so a folder in memory, where there is one, only
// makes their many syncs cheap; store/crashtest works on the disk.
func TestMain(m *testing.M) {
	trials := os.Getenv("SPOOR_TRIALS")
	if trials == "" {
		trials = "25"
	}
	if err := flag.Set("rapid.checks", trials); err != nil {
		panic(err)
	}
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() && os.Getenv("TMPDIR") == "" {
		if err := os.Setenv("TMPDIR", memory); err != nil {
			panic(err)
		}
	}
	m.Run()
}
