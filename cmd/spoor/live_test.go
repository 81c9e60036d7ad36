package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/spoortrace/spoor/internal/btcdtest"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// running is a command that goes on beside the test.
type running struct {
	cancel context.CancelFunc
	status chan int
	lines  chan string // of standard output

	mu  sync.Mutex
	err bytes.Buffer
}

func (r *running) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err.Write(b)
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err.String()
}

// begin starts a command; it is interrupted at the end of the test at the latest.
func begin(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, status: make(chan int, 1), lines: make(chan string, 1000)}
	out, in := io.Pipe()
	go func() {
		r.status <- run(ctx, args, strings.NewReader(""), in, r)
		_ = in.Close()
	}()
	go func() {
		defer close(r.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			r.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { r.end(t) })
	return r
}

// end interrupts a command and wants it to end as if that were its work.
func (r *running) end(t *testing.T) {
	t.Helper()
	if r.cancel == nil {
		return
	}
	r.cancel()
	r.cancel = nil
	select {
	case status := <-r.status:
		if status != statusDone {
			t.Errorf("interrupted: exit status %d\n%s", status, r.said())
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not end when it is interrupted")
	}
}

// until waits for an event of a followed trace.
func (r *running) until(t *testing.T, what string, is func(*spoorv1.TraceEvent) bool) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				t.Fatalf("%s: the trace ended\n%s", what, r.said())
			}
			event := &spoorv1.TraceEvent{}
			if err := protojson.Unmarshal([]byte(line), event); err != nil {
				t.Fatalf("%s: %v in %s", what, err, line)
			}
			if is(event) {
				return
			}
		case <-late:
			t.Fatalf("%s: nothing came\n%s", what, r.said())
		}
	}
}

// mined is a coin that a node's key can spend, ripe after 100 blocks.
func mined(t *testing.T, n *btcdtest.Node, count int) []btcdtest.Coin {
	t.Helper()
	blocks, err := n.Mine(t.Context(), count)
	if err != nil {
		t.Fatal(err)
	}
	var coins []btcdtest.Coin
	for _, b := range blocks {
		c, err := n.Reward(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		coins = append(coins, c)
	}
	return coins
}

func pay(t *testing.T, n *btcdtest.Node, from btcdtest.Key, coin btcdtest.Coin, to btcdtest.Key, fee int64) btcdtest.Coin {
	t.Helper()
	raw, id, err := from.Spend([]btcdtest.Coin{coin}, btcdtest.Pay{Value: coin.Value - fee, Script: to.Script()})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Send(t.Context(), raw); err != nil {
		t.Fatalf("send %s: %v", hex.EncodeToString(raw), err)
	}
	return btcdtest.Coin{Tx: id, Value: coin.Value - fee}
}

// TestFollowBtcd is the day of an investigator with a node: the index follows
// it, a payment is traced before it is mined, its spend arrives, a second node
// takes the spend back, and what is deep enough becomes final.
func TestFollowBtcd(t *testing.T) {
	for _, name := range []string{"SPOOR_DATA", "SPOOR_SERVER", "SPOOR_CONFIG"} {
		t.Setenv(name, "")
	}
	program, err := btcdtest.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	victim, mule, boss := btcdtest.NewKey(1), btcdtest.NewKey(2), btcdtest.NewKey(3)
	var nodes [2]*btcdtest.Node
	for i := range nodes {
		if nodes[i], err = btcdtest.Start(t.Context(), btcdtest.Options{Program: program, Dir: t.TempDir(), Mining: victim.Address()}); err != nil {
			t.Fatal(err)
		}
		defer nodes[i].Close() //nolint:errcheck // it dies with the test
	}
	near, far := nodes[0], nodes[1]
	coins := mined(t, near, 105)
	join(t, near, far)
	dir := t.TempDir()
	url := strings.Replace(near.URL, "http://", "http://"+btcdtest.User+":"+btcdtest.Pass+"@", 1)
	follow := begin(t, "ingest", "bitcoin", "--network", "bitcoin-simnet", "--data", dir, "--node", url, "--follow", "--reorg-bound", "3")
	waitFor(t, dir, 105)
	payment := pay(t, near, victim, coins[0], mule, 1000)
	trace := begin(t, "trace", "bitcoin-simnet:"+payment.Tx+":0", "--data", dir, "--follow", "-o", "json")
	trace.until(t, "before it is mined", func(e *spoorv1.TraceEvent) bool { return e.GetProgress() != nil })
	mined(t, near, 1)
	trace.until(t, "the payment", func(e *spoorv1.TraceEvent) bool {
		return e.GetHop().GetTx() == payment.Tx && e.GetHop().GetFinality() == "TENTATIVE" && e.GetHop().GetDirty() == strconv.FormatInt(payment.Value, 10)
	})
	trace.until(t, "where it rests", rests(payment.Tx, "UNSPENT"))
	join(t, near, far)
	if err := near.Disconnect(t.Context(), far); err != nil {
		t.Fatal(err)
	}
	spend := pay(t, near, mule, payment, boss, 1000)
	mined(t, near, 1)
	trace.until(t, "its spend", func(e *spoorv1.TraceEvent) bool { return e.GetHop().GetTx() == spend.Tx })
	trace.until(t, "where it went", rests(spend.Tx, "UNSPENT"))
	mined(t, far, 2) // without the spend
	join(t, near, far)
	trace.until(t, "the spend taken back", func(e *spoorv1.TraceEvent) bool {
		s := e.GetSettlement()
		return s.GetFinality() == "RETRACTED" && len(s.GetKeys()) == 1 && s.GetKeys()[0] == "bitcoin-simnet:"+spend.Tx+":0"
	})
	trace.until(t, "back where it was", rests(payment.Tx, "UNSPENT"))
	mined(t, near, 4) // its own mempool has the spend again
	trace.until(t, "the payment final", func(e *spoorv1.TraceEvent) bool {
		s := e.GetSettlement()
		return s.GetFinality() == "FINAL" && len(s.GetKeys()) > 0 && s.GetKeys()[0] == "bitcoin-simnet:"+payment.Tx+":0"
	})
	trace.until(t, "the spend again", rests(spend.Tx, "UNSPENT"))
	if out, _, status := call(t, "index", "status", "--data", dir); status != statusDone || !strings.Contains(out, "whose head is") {
		t.Errorf("index status: %d\n%s", status, out)
	}
	trace.end(t)
	follow.end(t)
	if out, errOut, status := call(t, "index", "verify", "--data", dir); status != statusDone {
		t.Errorf("index verify: %d\n%s%s", status, out, errOut)
	}
	wrongNodes(t, url)
}

// rests wants the answer of an extension: the one place where it is.
func rests(tx, reason string) func(*spoorv1.TraceEvent) bool {
	return func(e *spoorv1.TraceEvent) bool {
		ends := e.GetResult().GetTerminals()
		return len(ends) == 1 && ends[0].GetReason() == reason && strings.HasPrefix(ends[0].GetAt(), tx)
	}
}

func join(t *testing.T, a, b *btcdtest.Node) {
	t.Helper()
	if err := errors.Join(a.Connect(t.Context(), b), a.Agree(t.Context(), b)); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until the index, asked through its socket file, has a height.
func waitFor(t *testing.T, dir string, height uint64) {
	t.Helper()
	var out, errOut string
	for range 300 {
		out, errOut, _ = call(t, "index", "status", "--data", dir, "-o", "json")
		status := &spoorv1.IndexStatusResponse{}
		if err := protojson.Unmarshal([]byte(out), status); err == nil && len(status.GetNetworks()) > 0 {
			if uint64(status.GetNetworks()[0].GetAsOf().GetHeight()) >= height {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the index does not reach height %d\n%s%s", height, out, errOut)
}

// wrongNodes are nodes that cannot be read, and ways to ask that make no sense.
func wrongNodes(t *testing.T, url string) {
	t.Helper()
	for _, test := range []struct {
		name, args string
		status     int
		want       string
	}{
		{"another network", "bitcoin --network bitcoin-regtest --node " + url, statusForeign, string(ledger.FaultWrongChain)},
		{"another protocol", "evm --node " + url, statusForeign, "eth_chainId"},
		{"nobody there", "bitcoin --network bitcoin-simnet --node http://127.0.0.1:1", statusFailed, string(ledger.FaultUnreachable)},
		{"wrong password", "bitcoin --network bitcoin-simnet --node " + strings.Replace(url, btcdtest.Pass, "guess", 1), statusForeign, string(ledger.FaultUnauthorized)},
		{"no URL", "bitcoin --node 127.0.0.1:8332", statusUsage, "want a URL"},
		{"files and a node", "bitcoin --node " + url + " --blocks x", statusUsage, "not both"},
		{"follow with an end", "evm --node " + url + " --follow --to 5", statusUsage, "--follow"},
		{"a header without a name", "evm --node " + url + " --header secret", statusUsage, "header: want Name: value"},
	} {
		out, errOut, status := call(t, append([]string{"ingest", "--data", t.TempDir()}, strings.Fields(test.args)...)...)
		if status != test.status || !strings.Contains(errOut, test.want) {
			t.Errorf("%s: exit status %d, want %d and %q\n%s%s", test.name, status, test.status, test.want, out, errOut)
		}
		if strings.Contains(errOut+out, btcdtest.Pass) || strings.Contains(errOut, "secret") {
			t.Errorf("%s: tells a secret\n%s", test.name, errOut)
		}
	}
}
