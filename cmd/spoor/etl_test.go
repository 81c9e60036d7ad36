package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestEtlTablesLater: tables of ethereum-etl that come later complete the blocks
// that are held, and what they make is what all of them at once would have made.
func TestEtlTablesLater(t *testing.T) {
	for _, name := range []string{"SPOOR_DATA", "SPOOR_SERVER", "SPOOR_CONFIG"} {
		t.Setenv(name, "")
	}
	table := func(name string) string {
		return filepath.Join("../../chains/archive/testdata/etl", "483920-"+name+".csv")
	}
	all := []string{table("transactions"), table("blocks"), table("receipts"), table("logs"), table("token_transfers")}
	digest := func(dir string, files ...string) string {
		t.Helper()
		args := append([]string{"ingest", "evm", "--data", dir, "--complete", "483920..483921", "-o", "json", "--csv"}, files...)
		out, errOut, status := call(t, args...)
		if status != statusDone {
			t.Fatalf("%v: exit status %d\n%s", files, status, errOut)
		}
		var result struct {
			Digest   string `json:"digest"`
			Blocks   string `json:"blocks"`
			Coverage struct {
				Missing []string `json:"missing"`
			} `json:"coverage"`
		}
		if err := json.Unmarshal([]byte(out), &result); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d files: %s blocks, lacks %s", len(files), result.Blocks, strings.Join(result.Coverage.Missing, "; "))
		return result.Digest
	}
	once := digest(t.TempDir(), all...)
	dir := t.TempDir()
	part := digest(dir, all[:2]...)
	if part == once {
		t.Fatal("fewer tables make the same blocks")
	}
	if got := digest(dir, all...); got != once {
		t.Errorf("all tables after some: digest %s, want %s", got, once)
	}
	if got := digest(dir, all...); got != once {
		t.Errorf("again: digest %s, want %s", got, once)
	}
}
