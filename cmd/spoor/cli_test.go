package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// call runs the command in this process.
func call(t *testing.T, args ...string) (out, errOut string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(""), &o, &e)
	return o.String(), e.String(), status
}

// demoIndex makes the index of spoor demo.
func demoIndex(t *testing.T) (dir string) {
	t.Helper()
	for _, name := range []string{"SPOOR_DATA", "SPOOR_SERVER", "SPOOR_CONFIG"} {
		t.Setenv(name, "")
	}
	dir = t.TempDir()
	if _, errOut, status := call(t, "demo", "--data", dir); status != 0 {
		t.Fatalf("demo: exit status %d\n%s", status, errOut)
	}
	return dir
}

const (
	usdtHash  = "4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c"
	satoshi   = "0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9"
	seized    = "tron:TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRs"
	absent    = "0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c0"
	lockyHash = "2d7b8af1d0043da6149508f6faf34d4e130451169300ad3fc5e1f8a5d65f9ccb"
)

// TestBadInput is the list of bad inputs: what the message says, and the exit
// status. Each is refused within a second, without a half-done thing.
func TestBadInput(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another; the tests without the race detector run it")
	}
	dir := demoIndex(t)
	key := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(key, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte("datta: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   string
		status int
		want   string // regular expression over stderr
	}{
		{"hash of 63 digits", "trace " + usdtHash[1:], 2, `64 hex digits, got "` + usdtHash[1:]},
		{"Bitcoin hash as TRON", "trace tron:" + satoshi, 1, `is not of tron, it is of bitcoin`},
		{"unknown transaction", "trace " + absent, 1, `not in the index; bitcoin indexed to height 400000`},
		{"unknown transaction, look-up", "tx " + absent, 1, `not in the index`},
		{"no REF", "trace x", 2, `ref: want NETWORK:TX`},
		{"no REF at all", "trace", 2, `at least 1 arg`},
		{"a page that is none", "trace https://example.com/tx/" + usdtHash, 2, `ref: want a transaction page of`},
		{"unknown network", "trace dogecoin:" + usdtHash, 2, `dogecoin`},
		{"unknown policy", "trace " + usdtHash + " --policy lilo", 2, `policy: want one of dirty-first, fifo, .*, got "lilo"`},
		{"negative amount", "trace " + usdtHash + " --amount -1", 2, `amount: want whole coins .*, got "-1"`},
		{"exponent", "trace " + usdtHash + " --amount 1e3", 2, `amount: want whole coins .*, got "1e3"`},
		{"too many decimals", "trace " + usdtHash + " --amount 1.0000001", 2, `amount: want at most 6 decimals, got "1.0000001"`},
		{"more than was paid", "trace " + usdtHash + " --amount 25051", 2, `amount: want at most what was paid, 25,050 USDT, got "25051"`},
		{"above 2^256", "trace " + usdtHash + " --amount " + strings.Repeat("9", 79) + "u", 2, `amount: want `},
		{"nothing of it", "trace " + usdtHash + " --amount 0", 2, `amount: want more than 0, got "0"`},
		{"no hops", "trace " + usdtHash + " --max-hops 0", 2, `max_hops`},
		{"less than no hops", "trace " + usdtHash + " --max-hops -1", 2, `max_hops`},
		{"endless hops", "trace " + usdtHash + " --max-hops 1000000000", 2, `max_hops`},
		{"hops in words", "trace " + usdtHash + " --max-hops many", 2, `invalid argument "many" for "--max-hops"`},
		{"time without zone", "trace " + usdtHash + " --as-of 2022-01-05", 2, `as_of: want a height or a time with zone .*, got "2022-01-05"`},
		{"as-of above the tip", "trace " + satoshi + ":0 --as-of 400001", 1, `bitcoin is indexed to height 400000`},
		{"as-of before the payment", "trace " + satoshi + ":0 --as-of 5", 1, `paid at height 9, after the as-of height 5`},
		{"another asset", "trace " + usdtHash + " --asset native", 2, `asset`},
		{"a fake USDT", "trace " + usdtHash + " --asset TXYZopYRdj2D9XRtbG411XZZ3kM5VkAeBf", 2, `is not`},
		{"stop at nowhere", "trace " + usdtHash + " --stop-at tron:T", 2, `stop_at: want a tron address`},
		{"wrong sheet", "trace " + usdtHash + " --sheet x", 2, `--sheet: want hops, terminals or conservation, got "x"`},
		{"bad TRON checksum", "address tron:TV6MuMXfmLbBqPZvBHdwFsDnQeVfnmiuSj", 2, `checksum`},
		{"bad Bitcoin checksum", "address bitcoin:1BoatSLRHtKNngkdXEeobR76b53LETtpyX", 2, `checksum`},
		{"testnet address", "address bitcoin:tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", 2, `this one is of another network`},
		{"mixed case", "address bitcoin:bc1QW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 2, `mixed|case`},
		{"EIP-55 checksum", "labels show ethereum:0xdAC17F958D2ee523a2206206994597C13D831eC7", 2, `checksum mismatch at character`},
		{"address without network", "labels show TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRs", 2, `address: want NETWORK:ADDRESS`},
		{"unknown category", "labels add " + seized + " x --category y", 2, `category: want a category such as`},
		{"no category", "labels add " + seized + " x", 2, `--category: want what kind of owner`},
		{"confidence in words", "labels add " + seized + " x --category scam --confidence sure", 2, `--confidence: want`},
		{"label that is none", "labels retract 999999", 1, `999999`},
		{"label file that is none", "labels import " + key, 2, `want|yaml|csv`},
		{"no such label file", "labels import " + dir + "/none.csv", 2, `none.csv`},
		{"no files", "ingest tron", 2, `want at least one file`},
		{"no blocks", "ingest bitcoin", 2, `want at least one file`},
		{"no such file", "ingest tron --csv " + dir + "/none.csv", 2, `csv: want a readable file`},
		{"no export", "ingest tron --csv " + config, 2, `config.yaml`},
		{"a network of another family", "ingest bitcoin --network tron --blocks " + key, 2, `network: want bitcoin or one of its test networks, got "tron"`},
		{"no block", "ingest bitcoin --blocks " + key, 2, `key.pem`},
		{"export of a network that is not held", "index export ethereum", 1, `not in the index`},
		{"no such format", "index status -o xml", 2, `--output: want one of table, json, csv, got "xml"`},
		{"no graph of this", "index status -o dot", 2, `got "dot"`},
		{"no such zone", "index status --tz Mars/Base", 2, `--tz: want a zone such as Asia/Bangkok, got "Mars/Base"`},
		{"no such directory", "index status --data " + dir + "/none", 1, `is no data directory`},
		{"two places", "index status --server 127.0.0.1:1", 2, `--server: want one of the two`},
		{"unknown key in the settings", "index status --config " + config, 2, `field datta not found`},
		{"no settings", "index status --config " + dir + "/none.yaml", 2, `none.yaml`},
		{"plaintext to the world", "serve --listen 0.0.0.0:0", 2, `where there is no TLS, got "0.0.0.0:0"(.|\n)*hint: .*--insecure`},
		{"key that others can read", "serve --listen 127.0.0.1:0 --tls-cert " + key + " --tls-key " + key, 2, `--tls-key: want a file that others cannot read`},
		{"no key", "serve --listen 127.0.0.1:0 --tls-cert " + key + " --tls-key " + dir + "/none", 2, `--tls-key: want a readable file`},
		{"no such role", "serve --listen 127.0.0.1:0 --role root", 2, `--role: want reader, investigator, screener or admin, got "root"`},
		{"no such command", "tracee", 2, `unknown command "tracee"`},
		{"half a command", "index", 2, `want one of`},
		{"no such flag", "trace --uphill " + usdtHash, 2, `unknown flag: --uphill`},
		{"no upstream answer", "trace --upstream --policy libr " + usdtHash, 1, `those that have: fifo, lifo, haircut, poison`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := strings.Fields(test.args)
			if !strings.Contains(test.args, "--data") {
				args = append(args, "--data", dir)
			}
			out, errOut, status := call(t, args...)
			if status != test.status || !regexp.MustCompile(test.want).MatchString(errOut) || !strings.HasPrefix(errOut, "spoor: ") {
				t.Errorf("spoor %s\ngot exit status %d, stderr %s\nwant %d, %s", test.args, status, errOut, test.status, test.want)
			}
			if out != "" || strings.Contains(errOut, "rpc error") {
				t.Errorf("spoor %s: stdout %q, stderr %s", test.args, out, errOut)
			}
		})
	}
}

// serving runs spoor serve until the test ends and returns its address.
func serving(t *testing.T, args ...string) string {
	t.Helper()
	address, stop := serve(t, args...)
	t.Cleanup(stop)
	return address
}

// serve runs spoor serve until it is stopped and returns its address.
func serve(t *testing.T, args ...string) (address string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	lines, log := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), strings.NewReader(""), io.Discard, log)
		_ = log.Close() // a pipe's never fails
	}()
	found := make(chan string, 1)
	go func() {
		var seen bytes.Buffer
		buffer := make([]byte, 4096)
		for {
			n, err := lines.Read(buffer)
			seen.Write(buffer[:n])
			if m := regexp.MustCompile(`address=(\S+)`).FindSubmatch(seen.Bytes()); m != nil && len(found) == 0 {
				found <- string(m[1])
			}
			if err != nil {
				return
			}
		}
	}()
	stop = func() {
		cancel()
		if status := <-ended; status != 0 {
			t.Errorf("serve: exit status %d", status)
		}
	}
	select {
	case address := <-found:
		return address, stop
	case <-time.After(20 * time.Second):
		stop()
		t.Fatal("serve does not say where it listens")
		return "", nil
	}
}

// TestServerEqualsDirect: every answer is the same bytes whether the command
// opens the directory itself, asks its owner at the socket file, or a server.
func TestServerEqualsDirect(t *testing.T) {
	dir := demoIndex(t)
	commands := []string{
		"trace tron:" + usdtHash + " -o json",
		"trace tron:" + usdtHash + " --policy haircut --all-policies -o json",
		"trace tron:" + usdtHash + " --all-policies --wide --all --tz Asia/Bangkok",
		"trace tron:" + usdtHash + " -o csv --sheet terminals",
		"trace tron:" + usdtHash + " -o dot",
		"trace tron:" + usdtHash + " -o svg",
		"trace tron:" + usdtHash + " --upstream --policy fifo -o graphml",
		"trace " + satoshi + ":0 --as-of 14131 -o json",
		"trace " + satoshi + ":0 tron:" + usdtHash + " -o json",
		"trace " + lockyHash + ":13NrgYhtjgMtPpGdtPpxV4WX3S7azfeD48 -o json",
		"tx " + lockyHash + " -o json",
		"tx " + usdtHash,
		"address " + seized + " --events 0 -o json",
		"address bitcoin:12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S -o json",
		"labels show " + seized + " -o json",
		"labels list -o json",
		"index status -o csv",
		"index verify -o json",
		"index export tron",
		"trace " + absent,
		"trace " + usdtHash + " --policy lilo",
	}
	direct := map[string]string{}
	for _, c := range commands {
		direct[c] = outcome(t, c, "--data", dir)
	}
	address := serving(t, "--data", dir, "--role", "admin")
	for _, c := range commands {
		t.Run(c, func(t *testing.T) {
			if diff := cmp.Diff(direct[c], outcome(t, c, "--server", address)); diff != "" {
				t.Errorf("by --server: %s", diff)
			}
			if diff := cmp.Diff(direct[c], outcome(t, c, "--data", dir)); diff != "" {
				t.Errorf("by the socket file: %s", diff)
			}
		})
	}
}

// outcome is all that a command says, but for lines of the log, which have the time.
func outcome(t *testing.T, command string, more ...string) string {
	t.Helper()
	out, errOut, status := call(t, append(strings.Fields(command), more...)...)
	errOut = regexp.MustCompile(`(?m)^time=.*\n`).ReplaceAllString(errOut, "")
	return fmt.Sprintf("%s%sexit %d", out, errOut, status)
}

// TestRoles: what a listener grants, and that the socket file grants all.
func TestRoles(t *testing.T) {
	dir := demoIndex(t)
	address := serving(t, "--data", dir)
	if out, errOut, status := call(t, "trace", usdtHash, "--server", address); status != 0 || !strings.Contains(out, "15,248") && !strings.Contains(out, "10,261") {
		t.Errorf("trace by --server: exit status %d\n%s%s", status, out, errOut)
	}
	if _, errOut, status := call(t, "index", "verify", "--server", address); status != 1 || !strings.Contains(errOut, "needs the role") || !strings.Contains(errOut, "hint: ") {
		t.Errorf("verify by --server of an investigator: exit status %d, %s", status, errOut)
	}
	if out, errOut, status := call(t, "index", "verify", "--data", dir); status != 0 || !strings.Contains(out, "tron: holds") {
		t.Errorf("verify by the socket file: exit status %d\n%s%s", status, out, errOut)
	}
	info, err := os.Stat(filepath.Join(dir, socketName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket file: %v, %v", info, err)
	}
}

// TestStaleSocket: a file that a dead owner left is no owner, and a directory
// that is in use without a socket says who has it.
func TestStaleSocket(t *testing.T) {
	dir := demoIndex(t)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "unix", filepath.Join(dir, socketName))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if out, errOut, status := call(t, "index", "status", "--data", dir); status != 0 || !strings.Contains(out, "label log") {
		t.Errorf("exit status %d\n%s%s", status, out, errOut)
	}
	far := filepath.Join(t.TempDir(), strings.Repeat("long", 25))
	if err := os.CopyFS(far, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	serving(t, "--data", far)
	_, errOut, status := call(t, "index", "status", "--data", far)
	if status != 1 || !regexp.MustCompile(`in use by pid \d+`).MatchString(errOut) {
		t.Errorf("without a socket file: exit status %d, %s", status, errOut)
	}
}
