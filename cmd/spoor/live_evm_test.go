package main

import (
	"math/big"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/spoortrace/spoor/internal/gethtest"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// TestReadGeth reads a real geth through the command: a token payment and one
// of a contract's ether are traced, looked up and added up; a node of another
// chain id is refused, and nothing of it is stored.
func TestReadGeth(t *testing.T) {
	for _, name := range []string{"SPOOR_DATA", "SPOOR_SERVER", "SPOOR_CONFIG"} {
		t.Setenv(name, "")
	}
	n, err := gethtest.Start(gethtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close() //nolint:errcheck // it dies with the test
	token, err := n.Make(0, "Token", nil, "USDT", big.NewInt(1_000_000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Mine(); err != nil {
		t.Fatal(err)
	}
	thief := n.Account(1)
	paid, err := n.Call(0, "Token", token, nil, "transfer", thief, big.NewInt(500_000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Mine(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	good := func(args ...string) string {
		t.Helper()
		out, errOut, status := call(t, append(args, "--data", dir)...)
		if status != statusDone {
			t.Fatalf("%v: exit status %d\n%s", args, status, errOut)
		}
		return out
	}
	if out := good("ingest", "evm", "--network", "evm-1337", "--node", n.URL); !strings.Contains(out, "took in 3 blocks, ") || !strings.Contains(out, "every block from 0 to 2 is held") {
		t.Errorf("ingest: %s", out)
	}
	ref := "evm-1337:" + paid.Hash().String()
	trace := &spoorv1.Trace{}
	if err := protojson.Unmarshal([]byte(good("trace", ref, "-o", "json")), trace); err != nil {
		t.Fatal(err)
	}
	if ends := trace.GetTerminals(); len(ends) != 1 || ends[0].GetDirty() != "500000" || ends[0].GetReason() != "UNSPENT" || ends[0].GetAddress() != thief.Hex() || ends[0].GetAt() != paid.Hash().String()+":0" {
		t.Errorf("trace: %v", trace.GetTerminals())
	}
	if hops := trace.GetHops(); len(hops) != 1 || hops[0].GetGrade() != "proven" || hops[0].GetKey() != ref+":0" || hops[0].GetUsd() != "" {
		t.Errorf("hops: %v", hops)
	}
	if out := good("tx", ref); !strings.Contains(out, thief.Hex()) {
		t.Errorf("tx: %s", out)
	}
	if out := good("address", "evm-1337:"+thief.Hex()); !strings.Contains(out, token.Hex()) {
		t.Errorf("address: %s", out)
	}
	good("index", "verify")
	before := good("index", "export", "evm-1337")
	out, errOut, status := call(t, "ingest", "evm", "--network", "evm-4242", "--node", n.URL, "--data", dir)
	if status != statusForeign || !strings.Contains(errOut, "wrong_chain") {
		t.Errorf("another chain id: exit status %d\n%s%s", status, out, errOut)
	}
	if good("index", "export", "evm-1337") != before || strings.Contains(good("index", "status"), "evm-4242") {
		t.Error("a refused node left something behind")
	}
}
