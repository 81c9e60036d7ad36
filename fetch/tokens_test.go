package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/chains/evm/etherscan"
	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/chains/tron/trongrid"
	"github.com/spoortrace/spoor/chains/tron/tronscan"
	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/internal/publicapi"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// tokens is the bundled export of real USDT transfers, held whole, of TRON or as if
// they had been made on another network. What was signed of its transactions is
// not in it: it is made, and their ids with it.
func tokens(t testing.TB, c ledger.Chain) (*full, publicapi.Signed) {
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
	w := &full{chain: c}
	usdt, _ := ledger.AssetBySymbol(c, "USDT")
	contract := usdt.Contract.String()
	column := slices.Index(rows[0], "tx_id")
	for _, row := range rows[1:] {
		raw, id := sign(t, row[column])
		raws[id], row[column] = raw, id.String()
		if token := slices.Index(rows[0], "token"); row[token] == "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t" {
			row[token] = contract
		}
		for _, name := range []string{"from_address", "to_address", "token"} {
			a, err := ledger.ParseAddress("tron", row[slices.Index(rows[0], name)])
			if row[slices.Index(rows[0], name)] == contract {
				a, err = usdt.Contract, nil
			}
			if err != nil {
				t.Fatal(err)
			}
			row[slices.Index(rows[0], name)] = ledger.AccountAddress(c, [20]byte([]byte(a.Payload))).String()
		}
		w.ids = append(w.ids, id)
	}
	var out bytes.Buffer
	if err := csv.NewWriter(&out).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	e, err := archive.ReadExport(t.Context(), "usdt.csv", &out, c)
	if err != nil {
		t.Fatal(err)
	}
	set, err := archive.Merge(e)
	if err != nil {
		t.Fatal(err)
	}
	n := network(t, c)
	contents := store.Contents{Export: true, Assets: set.Assets()}
	if err := n.Rebuild(t.Context(), set.Blocks(), contents, store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	contents.Claims = solvent(t, snapshot(t, n), c, rows)
	if err := n.Rebuild(t.Context(), set.Blocks(), contents, store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	w.snap = snapshot(t, n)
	return w, func(id ledger.TxID) ([]byte, bool) { raw, ok := raws[id]; return raw, ok }
}

// solvent claims the accounts whole that do not pay out more USDT than the export
// has come in: of the others it lacks a part.
func solvent(t testing.TB, snap *store.Snapshot, c ledger.Chain, rows [][]string) []ledger.Claim {
	t.Helper()
	usdt, _ := ledger.AssetBySymbol(c, "USDT")
	seen := map[ledger.Address]bool{}
	var claims []ledger.Claim
	for _, name := range []string{"from_address", "to_address"} {
		column := slices.Index(rows[0], name)
		for _, row := range rows[1:] {
			a, err := ledger.ParseAddress(c, row[column])
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

func (w *full) etherscan(t testing.TB, most int) *api {
	t.Helper()
	service, err := etherscan.New(w.chain, nil)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, service, publicapi.Etherscan(w.snap, w.chain, most), nil)
}

// natives is the same as if it had been paid in a network's native coin, half of it
// by contracts, with fees. Whoever is in it was sent some coins for fees before, by
// somebody who was paid by the network itself.
func natives(t testing.TB, c ledger.Chain) (*full, publicapi.Signed) {
	t.Helper()
	w, _ := tokens(t, c)
	rich, coin, raws := ledger.AccountAddress(c, [20]byte{0xee}), ledger.NativeAsset(c), map[ledger.TxID][]byte{}
	usdt, _ := ledger.AssetBySymbol(c, "USDT")
	unit := ledger.NewAmount(1) // of a millionth
	if c.Family() == ledger.FamilyEVM {
		unit = ledger.NewAmount(1_000_000_000_000)
	}
	var all []ledger.Tx
	begin := func(at int64, index uint32) *ledger.Tx {
		all = append(all, ledger.Tx{Chain: c, Pos: ledger.At(uint64(at), index), Time: at, Grade: ledger.GradeAttested})
		return &all[len(all)-1]
	}
	move := func(tx *ledger.Tx, kind ledger.TransferKind, from, to ledger.Address, amount ledger.Amount) {
		n := uint32(len(tx.Transfers))
		wei, _ := amount.MulDiv(unit, ledger.NewAmount(1))
		tx.Transfers = append(tx.Transfers, ledger.Transfer{Index: n, Slot: n, Kind: kind, From: from, To: to, Asset: coin, Amount: wei, Grade: ledger.GradeAttested})
	}
	end := func(tx *ledger.Tx, payer ledger.Address) {
		if !payer.IsZero() {
			move(tx, ledger.TransferFee, payer, ledger.Address{}, ledger.NewAmount(21))
		}
		raw := signNative(t, tx, rich)
		tx.ID = sha256.Sum256(raw)
		raws[tx.ID] = raw
	}
	accounts := map[ledger.Address]bool{}
	first := int64(0)
	for pass := range 2 { // who there is, then what they did
		for height, err := range w.snap.Heights(t.Context(), c) {
			if err != nil {
				t.Fatal(err)
			}
			for tx, err := range w.snap.BlockTxs(t.Context(), c, height) {
				if err != nil {
					t.Fatal(err)
				}
				tx.Transfers = slices.DeleteFunc(tx.Transfers, func(m ledger.Transfer) bool { return m.Asset != usdt || m.Amount.IsZero() })
				if len(tx.Transfers) == 0 {
					continue // some other token
				}
				for _, m := range tx.Transfers {
					accounts[m.From], accounts[m.To] = true, true
				}
				if first == 0 {
					first = tx.Time
				}
				if pass == 0 {
					continue
				}
				one, payer := begin(tx.Time, tx.Pos.Index()), rich // a contract pays, whom somebody called
				for i, m := range tx.Transfers {
					kind := ledger.TransferInternal
					if i == 0 && tx.ID[0]%2 == 0 {
						kind, payer = ledger.TransferNative, m.From
					}
					move(one, kind, m.From, m.To, m.Amount)
				}
				end(one, payer)
			}
		}
		if pass == 1 {
			break
		}
		start := first - 1000*int64(len(accounts)+1)
		credit := begin(start, 0)
		credit.Coinbase = c.Family() == ledger.FamilyEVM
		move(credit, ledger.TransferInternal, ledger.Address{}, rich, ledger.NewAmount(10_000_000_000_000))
		end(credit, ledger.Address{})
		for i, a := range slices.SortedFunc(maps.Keys(accounts), ledger.Address.Compare) {
			one := begin(start+1000*int64(i+1), 0)
			move(one, ledger.TransferNative, rich, a, ledger.NewAmount(1_000_000))
			end(one, rich)
		}
	}
	var ids []ledger.TxID
	for _, tx := range all[1+len(accounts):] {
		ids = append(ids, tx.ID)
	}
	n := network(t, c)
	blocks := func(yield func(*ledger.Block, error) bool) {
		for rest := all; len(rest) > 0; {
			height, k := rest[0].Pos.Height(), 1
			for k < len(rest) && rest[k].Pos.Height() == height {
				k++
			}
			b := &ledger.Block{Ref: ledger.BlockRef{Chain: c, Height: height, Hash: sha256.Sum256(fmt.Append(nil, height)), Time: rest[0].Time}, Grade: ledger.GradeAttested, Partial: ledger.PartialRows, Txs: rest[:k]}
			if rest = rest[k:]; !yield(b, nil) {
				return
			}
		}
	}
	if err := n.Rebuild(t.Context(), blocks, store.Contents{Export: true}, store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	held := snapshot(t, n)
	var claims []ledger.Claim
	for _, a := range append(slices.Collect(maps.Keys(accounts)), rich) {
		b, err := held.Balance(t.Context(), ledger.Holder{Address: a, Asset: coin}, ledger.Point{})
		if err != nil {
			t.Fatal(err)
		}
		if b.Deficit.IsZero() {
			claims = append(claims, ledger.Claim{Account: a, Range: ledger.Range{To: 1 << 43}})
		}
	}
	slices.SortFunc(claims, func(a, b ledger.Claim) int { return a.Account.Compare(b.Account) })
	if err := n.Rebuild(t.Context(), blocks, store.Contents{Export: true, Claims: claims}, store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	return &full{network: n, chain: c, snap: snapshot(t, n), ids: ids}, func(id ledger.TxID) ([]byte, bool) { raw, ok := raws[id]; return raw, ok }
}

// signNative makes what was signed of a transaction, in TRON's form: a transfer, a
// call of a contract that carries coins or not, or the withdrawal of a reward.
func signNative(t testing.TB, tx *ledger.Tx, caller ledger.Address) []byte {
	t.Helper()
	bytes21 := func(a ledger.Address) []byte { return append([]byte{0x41}, a.Payload...) }
	m, kind := tx.Transfers[0], int32(31)
	value, _ := m.Amount.Uint64()
	var signed proto.Message
	switch {
	case m.From.IsZero():
		kind, signed = 13, &protocol.Owned{OwnerAddress: bytes21(m.To)}
	case m.Kind == ledger.TransferNative && len(tx.Transfers) == 2:
		kind, signed = 1, &protocol.TransferContract{OwnerAddress: bytes21(m.From), ToAddress: bytes21(m.To), Amount: int64(value)}
	case m.Kind == ledger.TransferNative:
		signed = &protocol.TriggerSmartContract{OwnerAddress: bytes21(m.From), ContractAddress: bytes21(m.To), CallValue: int64(value)}
	default:
		signed = &protocol.TriggerSmartContract{OwnerAddress: bytes21(caller), ContractAddress: bytes21(m.From)}
	}
	body, err := proto.Marshal(signed)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(&protocol.TransactionRaw{Contract: []*protocol.Contract{{Type: kind, Parameter: &protocol.Parameter{Value: body}}}})
	if err != nil {
		t.Fatal(err)
	}
	raw = protowire.AppendTag(raw, 10, protowire.BytesType) // a memo makes it some transaction's and no other's
	return protowire.AppendBytes(raw, fmt.Append(nil, tx.Pos))
}

// TestNativesEqual: the same of a native coin, whose history is joined of lists.
func TestNativesEqual(t *testing.T) {
	w, signed := natives(t, "tron")
	t.Run("trongrid", func(t *testing.T) { tokensEqual(t, w, w.tronGrid(t, signed, 200, nil), 100) })
	t.Run("trongrid in silent pages of 11", func(t *testing.T) { tokensEqual(t, w, w.tronGrid(t, signed, 11, nil), 20) })
	w, _ = natives(t, "ethereum")
	t.Run("etherscan", func(t *testing.T) { tokensEqual(t, w, w.etherscan(t, 0), 100) })
	t.Run("etherscan in silent pages of 50", func(t *testing.T) { tokensEqual(t, w, w.etherscan(t, 50), 20) })
}

// TestTokensEqual: traces of real USDT payments over an index that was fetched for
// them equal those over the whole export, in pages of any size.
func TestTokensEqual(t *testing.T) {
	w, signed := tokens(t, "tron")
	t.Run("trongrid", func(t *testing.T) { tokensEqual(t, w, w.tronGrid(t, signed, 200, nil), 100) })
	t.Run("trongrid in silent pages of 11", func(t *testing.T) { tokensEqual(t, w, w.tronGrid(t, signed, 11, nil), 20) })
	w, _ = tokens(t, "ethereum")
	t.Run("etherscan", func(t *testing.T) { tokensEqual(t, w, w.etherscan(t, 0), 100) })
	t.Run("etherscan in silent pages of 50", func(t *testing.T) { tokensEqual(t, w, w.etherscan(t, 50), 20) })
}

func (w *full) tronscan(t testing.TB) *api {
	t.Helper()
	service, err := tronscan.New("tron")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, service, publicapi.Tronscan(w.snap, "tron"), nil)
}

// TestTronscan: what TronGrid does not list, Tronscan does, and traces equal; and it
// counts an account that has too many transfers to be read.
func TestTronscan(t *testing.T) {
	w, signed := tokens(t, "tron")
	mute := w.tronGrid(t, signed, 200, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/v1/") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	b := w.tronscan(t)
	p := open(t, t.TempDir(), fetch.Options{}, mute.source(t, "grid"), b.source(t, "scan"))
	for _, id := range draw(w.ids, 12) {
		ref := tracer.Ref{Text: id.String(), Chain: w.chain, Tx: id}
		got, _, err := p.pursue(t.Context(), ref, "fifo", fetch.Run{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, ref.Text, got, w.whole(t, ref, "fifo"))
	}
	if b.requests.Load() == 0 {
		t.Error("the second source was never asked")
	}
	asked := map[bool]int64{}
	for _, counts := range []bool{false, true} {
		grid := w.tronGrid(t, signed, 60, nil)
		sources := []fetch.Source{grid.source(t, "grid")}
		if counts {
			sources = append(sources, b.source(t, "scan"))
		}
		p := open(t, t.TempDir(), fetch.Options{MaxHistory: 400, Compare: -1}, sources...)
		about, seen := 0, 0
		for _, id := range draw(w.ids, 20) {
			_, out, err := p.pursue(t.Context(), tracer.Ref{Text: id.String(), Chain: w.chain, Tx: id}, "fifo", fetch.Run{})
			if err != nil {
				t.Fatal(err)
			}
			for _, why := range out.Accounts {
				about += strings.Count(why, "has about")
				seen += strings.Count(why, "has more than")
			}
		}
		asked[counts] = grid.requests.Load()
		if (about > 0) != counts || (seen > 0) == counts {
			t.Errorf("counted %t: %d accounts were counted, %d read until there were too many", counts, about, seen)
		}
	}
	if asked[true] >= asked[false] {
		t.Errorf("%d requests for lists where accounts are counted, %d where not", asked[true], asked[false])
	}
}

// shower is a service that tells no history and shows blocks: of those of a world.
type shower struct {
	*etherscan.Etherscan
	world *full
}

func (s *shower) Request(q ask.Question) (ask.Request, error) {
	switch q.Kind {
	case ask.Proof:
		return ask.Request{Path: "?chainid=1&action=eth_blockNumber"}, nil // what it shows is in no request of the stand-in
	case ask.Head, ask.Block:
		return s.Etherscan.Request(q)
	case ask.Tx, ask.Spends, ask.History, ask.Count:
	}
	return ask.Request{}, ask.Unsupported(q, "shower")
}

func (s *shower) Read(q ask.Question, status int, body []byte) (ask.Answer, error) {
	if q.Kind != ask.Proof {
		return s.Etherscan.Read(q, status, body)
	}
	txs, err := s.world.snap.FindTx(context.Background(), s.world.chain, q.Tx)
	if err != nil {
		return ask.Answer{}, err
	}
	second := uint64(txs[0].Time) / 1000
	p := &ask.Proven{Tx: q.Tx, Block: ledger.BlockRef{Chain: s.world.chain, Height: second, Hash: ledger.Hash(crypto.Keccak256(fmt.Append(nil, second)))}, Index: txs[0].Pos.Index()}
	for _, m := range txs[0].Transfers {
		if m.Kind != ledger.TransferInternal {
			m.Grade = ledger.GradeProven
			p.Transfers = append(p.Transfers, m)
		}
	}
	return ask.Answer{Proven: p}, nil
}

// TestProvenAccounts: with proofs by a second source, what its blocks show of a hop's
// transaction is proven, and what contracts sent stays attested.
func TestProvenAccounts(t *testing.T) {
	w, _ := natives(t, "ethereum")
	a := w.etherscan(t, 0)
	told, err := etherscan.New(w.chain, nil)
	if err != nil {
		t.Fatal(err)
	}
	shown := a.source(t, "shower")
	shown.Service = &shower{told, w}
	p := open(t, t.TempDir(), fetch.Options{}, a.source(t, "one"), shown)
	ref := w.widest(t, draw(w.ids, 30))
	got, _, err := p.pursue(t.Context(), ref, "fifo", fetch.Run{Prove: true})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "with proofs", got, w.whole(t, ref, "fifo"))
	kinds := map[string]int{}
	for _, h := range got.Hops {
		kinds[fmt.Sprintf("%d %s", h.Kind, h.Grade)]++
	}
	native, inner := fmt.Sprintf("%d proven", ledger.TransferNative), fmt.Sprintf("%d attested", ledger.TransferInternal)
	if kinds[native] == 0 || kinds[inner] == 0 || kinds[native]+kinds[inner] != len(got.Hops) {
		t.Errorf("%v of %d hops", kinds, len(got.Hops))
	}
}

// TestPartial: where the whole of a transaction is not to be had, the trace goes on
// by what is known, and says that it is not all.
func TestPartial(t *testing.T) {
	w, signed := tokens(t, "tron")
	seed := w.widest(t, draw(w.ids, 30)).Tx
	a := w.tronGrid(t, signed, 200, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.Method == http.MethodPost && !bytes.Contains(body, []byte(seed.String())) {
				_, _ = io.WriteString(w, `{"Error":"class org.tron.core.exception"}`)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			h.ServeHTTP(w, r)
		})
	})
	ref := tracer.Ref{Text: seed.String(), Chain: "tron", Tx: seed}
	p := open(t, t.TempDir(), fetch.Options{}, a.source(t, "one"))
	got, out, err := p.pursue(t.Context(), ref, "fifo", fetch.Run{})
	if err != nil {
		t.Fatal(err)
	}
	txs := map[ledger.TxID]bool{}
	for _, h := range got.Hops {
		txs[h.Tx] = true
	}
	if len(txs) < 2 || len(out.Partial) != len(txs)-1 || slices.Contains(out.Partial, seed) {
		t.Errorf("%d transactions, %d partial", len(txs), len(out.Partial))
	}
}

func tokensEqual(t *testing.T, w *full, a *api, payments int) {
	t.Helper()
	p := open(t, t.TempDir(), fetch.Options{}, a.source(t, "one"))
	edges, read := 0, int64(0)
	for i, id := range draw(w.ids, trials(payments)) {
		ref := tracer.Ref{Text: id.String(), Chain: w.chain, Tx: id}
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
		read += out.Bytes
	}
	t.Logf("%d payments, %d edges, %d requests: %d and %d KB per 1,000 edges", trials(payments), edges, a.requests.Load(), 1000*a.requests.Load()/int64(edges), read/int64(edges))
}
