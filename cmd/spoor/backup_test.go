package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store/backup"
)

// TestBackupServed backs up what a server has open, restores it, and compares
// every answer that rests on the directory.
func TestBackupServed(t *testing.T) {
	dir := demoIndex(t)
	address, stop := serve(t, "--data", dir, "--role", "admin")
	owned(t, dir, func(l *link) { openCases(t, l, 2) }) // through the socket file
	file := filepath.Join(t.TempDir(), "one.backup")
	for _, args := range [][]string{
		{"key", "new", "--tenant", "desk", "--role", "screener", "--name", "one", "--data", dir},
		{"index", "backup", file, "--data", dir},
	} {
		if _, errOut, status := call(t, args...); status != 0 {
			t.Fatalf("%v: exit status %d\n%s", args, status, errOut)
		}
	}
	if _, errOut, status := call(t, "index", "backup", file+"2", "--server", address); status != 2 || !strings.Contains(errOut, "--data") {
		t.Errorf("by --server: exit status %d, %s", status, errOut)
	}
	if _, errOut, status := call(t, "index", "backup", file, "--data", dir); status != 2 || !strings.Contains(errOut, "no file there yet") {
		t.Errorf("over a file: exit status %d, %s", status, errOut)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	stop()
	restored := filepath.Join(t.TempDir(), "data")
	if _, errOut, status := call(t, "index", "restore", file, "--data", restored); status != 0 {
		t.Fatalf("restore: exit status %d\n%s", status, errOut)
	}
	for _, c := range []string{
		"index verify -o json", "index export bitcoin", "index export tron", "labels list -o json", "key list -o json", "trace tron:" + usdtHash + " -o json", "case list -o json",
	} {
		if want, got := outcome(t, c, "--data", dir), outcome(t, c, "--data", restored); got != want || !strings.HasSuffix(got, "exit 0") {
			t.Errorf("%s: %.500s\nwant %.500s", c, got, want)
		}
	}
	if out, errOut, status := call(t, "case", "victims", "2/2026", "--data", restored); status != 0 || !strings.Contains(out, "Canary Zebra") {
		t.Errorf("the victims' names: exit status %d\n%s%s", status, out, errOut)
	}
	if _, errOut, status := call(t, "index", "restore", file, "--data", restored); status == 0 || !strings.Contains(errOut, "not empty") {
		t.Errorf("a second restore: exit status %d, %s", status, errOut)
	}
}

// TestBackupIsLocal: an admin on a listener gets no backup, by whatever path.
func TestBackupIsLocal(t *testing.T) {
	dir := demoIndex(t)
	address := serving(t, "--data", dir, "--role", "admin")
	a := &app{serverAddr: address}
	l, err := a.dialServer()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "stolen")
	if _, err := a.backupBy(t.Context(), l, &spoorv1.BackupIndexRequest{Path: file}); err == nil || !strings.Contains(err.Error(), "only on the server's own machine") {
		t.Errorf("a backup over the network: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file: %v", err)
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

// TestKilledBackup kills backups and restores at random moments: at the path there
// is a whole one or none.
func TestKilledBackup(t *testing.T) {
	if testing.Short() {
		t.Skip("one process after another; the tests without the race detector run it")
	}
	kills := 10
	if n, err := strconv.Atoi(os.Getenv("SPOOR_TRIALS")); err == nil && n > 0 {
		kills = max(n/10, 1)
	}
	dir := t.TempDir()
	spoor, data := program(t, dir)
	random := rand.New(rand.NewPCG(5, 6))
	run := func(limit time.Duration, args ...string) bool {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		text, err := exec.CommandContext(ctx, spoor, args...).CombinedOutput()
		if err != nil && ctx.Err() == nil {
			t.Fatalf("%v: %v: %s", args, err, text)
		}
		return err == nil
	}
	file := filepath.Join(dir, "whole")
	run(time.Minute, "index", "backup", file, "--data", data)
	digests := outcome(t, "index verify -o csv", "--data", data)
	made, restored := 0, 0
	for i := range kills {
		limit := time.Duration(100+random.IntN(900)) * time.Millisecond
		one := filepath.Join(dir, fmt.Sprint("backup", i))
		if run(limit, "index", "backup", one, "--data", data) {
			made++
		}
		if f, err := os.Open(one); err == nil {
			if err := errors.Join(backup.Check(f), f.Close()); err != nil {
				t.Fatalf("a killed backup left %v", err)
			}
		}
		target := filepath.Join(dir, "restored")
		if run(limit, "index", "restore", file, "--data", target) {
			restored++
		}
		if _, err := os.Stat(target); err == nil {
			if got := outcome(t, "index verify -o csv", "--data", target); got != digests {
				t.Fatalf("a killed restore left %s", got)
			}
		}
		if err := os.RemoveAll(target); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d backups and %d restores came to their end", made, kills, restored)
	if run(time.Minute, "index", "restore", file, "--data", filepath.Join(dir, "restored")); outcome(t, "index verify -o csv", "--data", filepath.Join(dir, "restored")) != digests {
		t.Error("the last restore differs")
	}
}
