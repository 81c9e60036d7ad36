package fetch_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/chains/archive"
	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/chains/tron/trongrid"
	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/internal/publicapi"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// tokens is the bundled export of real USDT transfers, held whole. What was signed
// of its transactions is not in it: it is made, and their ids with it.
func tokens(t testing.TB) (*full, publicapi.Signed) {
	t.Helper()
	f, err := os.Open("../testdata/demo/tron/tron-usdt-aso-ship.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	raws := map[ledger.TxID][]byte{}
	w := &full{chain: "tron"}
	column := slices.Index(rows[0], "tx_id")
	for _, row := range rows[1:] {
		raw, id := sign(t, row[column])
		raws[id], row[column] = raw, id.String()
		w.ids = append(w.ids, id)
	}
	var out bytes.Buffer
	if err := csv.NewWriter(&out).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	e, err := archive.ReadExport(t.Context(), "usdt.csv", &out, "tron")
	if err != nil {
		t.Fatal(err)
	}
	set, err := archive.Merge(e)
	if err != nil {
		t.Fatal(err)
	}
	n := network(t, "tron")
	contents := store.Contents{Export: true, Assets: set.Assets()}
	if err := n.Rebuild(t.Context(), set.Blocks(), contents, store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	contents.Claims = solvent(t, snapshot(t, n), rows)
	if err := n.Rebuild(t.Context(), set.Blocks(), contents, store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	w.snap = snapshot(t, n)
	return w, func(id ledger.TxID) ([]byte, bool) { raw, ok := raws[id]; return raw, ok }
}

// solvent claims the accounts whole that do not pay out more USDT than the export
// has come in: of the others it lacks a part.
func solvent(t testing.TB, snap *store.Snapshot, rows [][]string) []ledger.Claim {
	t.Helper()
	usdt, _ := ledger.AssetBySymbol("tron", "USDT")
	seen := map[ledger.Address]bool{}
	var claims []ledger.Claim
	for _, name := range []string{"from_address", "to_address"} {
		column := slices.Index(rows[0], name)
		for _, row := range rows[1:] {
			a, err := ledger.ParseAddress("tron", row[column])
			if err != nil {
				t.Fatal(err)
			}
			b, err := snap.Balance(t.Context(), ledger.Holder{Address: a, Asset: usdt}, ledger.Point{})
			if err != nil {
				t.Fatal(err)
			}
			if !seen[a] && b.Deficit.IsZero() {
				claims = append(claims, ledger.Claim{Account: a, Range: ledger.Range{To: 1 << 43}})
			}
			seen[a] = true
		}
	}
	return claims
}

// sign makes a call of a contract that is some transaction's and no other's.
func sign(t testing.TB, was string) (raw []byte, id ledger.TxID) {
	t.Helper()
	call, err := proto.Marshal(&protocol.TriggerSmartContract{
		OwnerAddress: append([]byte{0x41}, make([]byte, 20)...), ContractAddress: append([]byte{0x41}, make([]byte, 20)...), Data: []byte(was),
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err = proto.Marshal(&protocol.TransactionRaw{Contract: []*protocol.Contract{{Type: 31, Parameter: &protocol.Parameter{Value: call}}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw, sha256.Sum256(raw)
}

func (w *full) tronGrid(t testing.TB, signed publicapi.Signed, most int, twist func(http.Handler) http.Handler) *api {
	t.Helper()
	service, err := trongrid.New("tron")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, service, publicapi.TronGrid(w.snap, signed, "tron", most), twist)
}

// TestTokensEqual: traces of real USDT payments over an index that was fetched for
// them equal those over the whole export, in pages of any size.
func TestTokensEqual(t *testing.T) {
	w, signed := tokens(t)
	for most, payments := range map[int]int{200: trials(100), 11: trials(20)} {
		a := w.tronGrid(t, signed, most, nil)
		p := open(t, t.TempDir(), fetch.Options{}, a.source(t, "one"))
		edges := 0
		for i, id := range draw(w.ids, payments) {
			ref := tracer.Ref{Text: id.String(), Chain: "tron", Tx: id}
			policy := []string{"dirty-first", "fifo", "libr"}[i%3]
			got, out, err := p.pursue(t.Context(), ref, policy, fetch.Run{})
			if err != nil {
				t.Fatalf("payment %d %s: %v", i, id, err)
			}
			for h, why := range out.Accounts {
				if !strings.Contains(why, "pays out more than came in") {
					t.Fatalf("payment %d %s: %s could not be had: %s", i, id, h.Address, why)
				}
			}
			same(t, ref.Text+" under "+policy, got, w.whole(t, ref, policy))
			edges += len(got.Hops)
		}
		t.Logf("pages of %d: %d payments, %d edges, %d requests: %d per 1,000 edges", most, payments, edges, a.requests.Load(), 1000*a.requests.Load()/int64(edges))
	}
}
