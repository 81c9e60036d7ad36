package server_test

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// world is a small index with its label log.
type world struct {
	store  *store.Store
	labels *labels.Log
}

func emptyWorld(t testing.TB, engine store.Engine) *world {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(dir, engine, store.Options{MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	l, err := labels.Open(dir + "/labels")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{s, l}
}

// counting is an engine whose reads a test can count.
type counting struct {
	store.KV
	reads *atomic.Int64
}

func (k counting) View() (store.Reader, func()) {
	r, done := k.KV.View()
	return countingReader{r, k.reads}, done
}

type countingReader struct {
	store.Reader
	reads *atomic.Int64
}

func (r countingReader) Get(partition, sort []byte) ([]byte, error) {
	r.reads.Add(1)
	return r.Reader.Get(partition, sort)
}

func (r countingReader) Scan(partition, from, to []byte, reverse bool) iter.Seq2[store.Row, error] {
	r.reads.Add(1)
	return r.Reader.Scan(partition, from, to, reverse)
}

// countedWorld is newWorld with the number of rows read since.
func countedWorld(t testing.TB) (*world, *atomic.Int64) {
	t.Helper()
	reads, engine := &atomic.Int64{}, memkv.New()
	w := emptyWorld(t, func(dir string) (store.KV, error) {
		kv, err := engine(dir)
		return counting{kv, reads}, err
	})
	w.fill(t)
	return w, reads
}

// newWorld holds coinBlocks and the export of accountRows.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := emptyWorld(t, memkv.New())
	w.fill(t)
	return w
}

func (w *world) fill(t testing.TB) {
	t.Helper()
	w.append(t, coinBlocks()...)
	w.export(t, accountRows(), ledger.Claim{Range: ledger.Range{From: uint64(export0), To: uint64(export0 + 3_600_000)}})
}

func (w *world) append(t testing.TB, blocks ...*ledger.Block) {
	t.Helper()
	n, err := w.store.Create(t.Context(), blocks[0].Ref.Chain)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Append(t.Context(), series(blocks), store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
}

// export makes the tron network of rows, complete for what is claimed.
func (w *world) export(t testing.TB, rows []row, claims ...ledger.Claim) {
	t.Helper()
	n, err := w.store.Create(t.Context(), "tron")
	if err != nil {
		t.Fatal(err)
	}
	c := store.Contents{Export: true, Claims: claims, Assets: []ledger.AssetInfo{{Asset: fake, Symbol: "USDT", Decimals: 3}}}
	if err := n.Rebuild(t.Context(), series(exportBlocks(rows)), c, store.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
}

func series(blocks []*ledger.Block) iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		for _, b := range blocks {
			if !yield(b, nil) {
				return
			}
		}
	}
}

// named returns the address that a test calls by a name.
func named(c ledger.Chain, name string) ledger.Address {
	h := sha256.Sum256([]byte("address " + name))
	if c.UTXO() {
		return ledger.Address{Chain: c, Kind: ledger.KindP2PKH, Payload: string(h[:20])}
	}
	return ledger.AccountAddress(c, [20]byte(h[:20]))
}

// who names the address of a text again, so that failures read.
func who(c ledger.Chain, text string) string {
	for _, name := range strings.Fields("alice bob carol x y victim victim2 scam m a b c d e shop miner pool") {
		if named(c, name).String() == text {
			return name
		}
	}
	return text
}

func txID(name string) ledger.TxID { return sha256.Sum256([]byte("transaction " + name)) }

// ref writes a REF of a transaction by its name.
func ref(c ledger.Chain, name, rest string) string {
	return string(c) + ":" + txID(name).String() + rest
}

// coin is an output of a test transaction, named "tx:index".
type coin struct {
	to    string
	value uint64
}

// spending makes a transaction from coins of named transactions.
func spending(name string, from []ledger.OutPoint, to ...coin) ledger.Tx {
	tx := ledger.Tx{ID: txID(name), Chain: "bitcoin"}
	for _, p := range from {
		tx.Inputs = append(tx.Inputs, ledger.Input{Prev: p})
	}
	for _, c := range to {
		tx.Outputs = append(tx.Outputs, ledger.Output{Address: named("bitcoin", c.to), Value: ledger.NewAmount(c.value)})
	}
	return tx
}

func out(name string, index uint32) ledger.OutPoint {
	return ledger.OutPoint{Tx: txID(name), Index: index}
}

// block makes a block after another; the coinbase is the first of the
// transactions, and nil as the one before begins a run of its own.
func block(before *ledger.Block, height uint64, ms int64, txs ...ledger.Tx) *ledger.Block {
	b := &ledger.Block{Header: []byte("header"), Source: "test", Grade: ledger.GradeProven, Parent: ledger.Hash{0xee, byte(height)}}
	b.Ref = ledger.BlockRef{Chain: "bitcoin", Height: height, Time: ms}
	if before != nil {
		b.Parent = before.Ref.Hash
	}
	sum := sha256.New()
	fmt.Fprint(sum, height, ms, b.Parent)
	for i, tx := range txs {
		tx.Pos, tx.Time, tx.Grade = ledger.At(height, uint32(i)), ms, ledger.GradeProven
		if i == 0 {
			tx.Coinbase, tx.Pos = true, ledger.At(height, uint32(len(txs)))
		}
		fmt.Fprint(sum, tx.ID)
		b.Txs = append(b.Txs, tx)
	}
	b.Ref.Hash = ledger.Hash(sum.Sum(nil))
	return b
}

const (
	coins0  = int64(1_300_000_000_000) // time of block 0, Unix milliseconds
	minute  = int64(60_000)
	export0 = int64(1_641_405_312_000) // time of the first row of the export
)

// coinBlocks is the second worked example of the policies in method.md: inputs
// of 4 clean, 3 traced and 3 clean units pay 6, 3 and a fee of 1; then the 6
// move on. The clock of block 4 stands before that of block 3.
func coinBlocks() []*ledger.Block {
	reward := func(name string, value uint64) ledger.Tx { return spending(name, nil, coin{"miner", value}) }
	var blocks []*ledger.Block
	add := func(ms int64, txs ...ledger.Tx) {
		var before *ledger.Block
		if len(blocks) > 0 {
			before = blocks[len(blocks)-1]
		}
		blocks = append(blocks, block(before, uint64(len(blocks)), ms, txs...))
	}
	add(coins0, spending("genesis", nil, coin{"pool", 50}))
	add(coins0+10*minute, spending("fund", nil, coin{"x", 4}, coin{"victim", 3}, coin{"y", 3}))
	add(coins0+20*minute, reward("r2", 50), spending("pay", []ledger.OutPoint{out("fund", 1)}, coin{"scam", 3}))
	add(coins0+40*minute, reward("r3", 51), spending("mix", []ledger.OutPoint{out("fund", 0), out("pay", 0), out("fund", 2)}, coin{"a", 6}, coin{"b", 3}))
	add(coins0+30*minute, reward("r4", 50))
	add(coins0+50*minute, reward("r5", 50), spending("on", []ledger.OutPoint{out("mix", 0)}, coin{"c", 6}))
	return blocks
}

// row is a line of an export: "from to amount" of USDT, or of the asset given.
type row struct {
	tx, from, to string
	amount       uint64
	second       int64
	asset        ledger.Asset
	failed       bool
}

// usdt is the token that the program knows, fake one that only says so.
var (
	usdt, _ = ledger.AssetBySymbol("tron", "USDT")
	fake    = ledger.TokenAsset(named("tron", "fake contract"))
)

// accountRows is the worked example of an account in method.md: 100 clean in,
// 60 traced in, 50 to a, 80 to b, 40 clean in, 30 to c; then what cannot be a
// victim's payment, and two payments in one transaction.
func accountRows() []row {
	return []row{
		{tx: "p1", from: "x", to: "m", amount: 100, second: 0},
		{tx: "v1", from: "victim", to: "m", amount: 60, second: 1},
		{tx: "o1", from: "m", to: "a", amount: 50, second: 2},
		{tx: "o2", from: "m", to: "b", amount: 80, second: 3},
		{tx: "p2", from: "y", to: "m", amount: 40, second: 4},
		{tx: "o3", from: "m", to: "c", amount: 30, second: 5},
		{tx: "zero", from: "victim", to: "scam", amount: 0, second: 6},
		{tx: "failed", from: "victim", to: "scam", amount: 9, second: 6, failed: true},
		{tx: "fake", from: "victim", to: "scam", amount: 9000, second: 7, asset: fake},
		{tx: "two", from: "victim", to: "d", amount: 7, second: 8},
		{tx: "two", from: "victim", to: "e", amount: 8, second: 8},
		{tx: "twice", from: "victim", to: "d", amount: 1, second: 9},
		{tx: "twice", from: "victim", to: "d", amount: 2, second: 9},
	}
}

func exportBlocks(rows []row) []*ledger.Block {
	sum := sha256.Sum256(fmt.Append(nil, rows))
	count := map[string]uint32{}
	var blocks []*ledger.Block
	for _, r := range rows {
		ms := export0 + r.second*1000
		if n := len(blocks); n == 0 || blocks[n-1].Ref.Time != ms {
			blocks = append(blocks, &ledger.Block{Ref: ledger.BlockRef{Chain: "tron", Height: uint64(ms), Hash: sum, Time: ms}, Grade: ledger.GradeAttested, Source: "rows.csv"})
		}
		b := blocks[len(blocks)-1]
		asset, state := r.asset, ledger.StatusOK
		if asset == (ledger.Asset{}) {
			asset = usdt
		}
		if r.failed {
			state = ledger.StatusFailed
		}
		b.Txs = append(b.Txs, ledger.Tx{
			ID: txID(r.tx), Chain: "tron", Pos: ledger.At(uint64(ms), uint32(len(b.Txs))), Time: ms, Status: state, Grade: ledger.GradeAttested,
			Transfers: []ledger.Transfer{{
				Index: count[r.tx], Kind: ledger.TransferToken, From: named("tron", r.from), To: named("tron", r.to),
				Asset: asset, Amount: ledger.NewAmount(r.amount), Status: state, Grade: ledger.GradeAttested,
			}},
		})
		count[r.tx]++
	}
	return slices.Clip(blocks)
}
