package access_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/access"
)

// childDir names the folder in which a second process of this test works.
const childDir = "SPOOR_TEST_ACCESS_DIR"

// child makes keys and records them until it is killed, and prints each token
// after both are durable.
func child(dir string) error {
	s, err := access.Open(dir, time.Now)
	if err != nil {
		return err
	}
	a, err := access.OpenAudit(dir, time.Now, 4096)
	if err != nil {
		return err
	}
	for {
		k, token, err := s.NewKey(plainKey, "child")
		if err == nil {
			err = a.Record(access.Event{Method: "made", Key: k.ID, Outcome: "OK"})
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, token)
	}
}

// TestKill kills a process that makes keys, again and again in the same folder:
// every key that it gave out is in force, and every record of one is there.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(3, 4))
	given := map[string]bool{}
	for range min(trials(20), 200) { // it reads all keys again each time
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for before := len(given); lines.Scan(); {
			given[lines.Text()] = true
			if len(given) == before+1 { // it is under way
				time.AfterFunc(time.Duration(r.IntN(20_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the other process ended by itself: %v", err)
		}
	}
	s := open(t, dir, &clock{time.Now()})
	for token := range given {
		if !strings.HasPrefix(token, "spoor_") || len(token) != 87 {
			continue // the line was cut off when it was killed
		}
		if _, _, err := s.Authenticate(token); err != nil {
			t.Errorf("a key that was given out: %v", err)
		}
	}
	openAudit(t, dir)
	_, events, err := verify(dir, access.AuditCheck{})
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string]bool{}
	for _, e := range events {
		recorded[e.Key] = true
	}
	for token := range given {
		if len(token) == 87 && !recorded[token[6:22]] {
			t.Errorf("the key %s is not recorded", token[6:22])
		}
	}
	t.Logf("%d keys given out, %d kept", len(given), len(s.Keys()))
}
