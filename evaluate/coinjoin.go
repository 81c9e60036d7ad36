package evaluate

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/cluster"
)

// wanted says what the transactions of a file are; the empty verdict stands for
// ordinary ones. The kinds are those of the lists' makers: Dumplings' scanner
// for Whirlpool and Wasabi, a rule for JoinMarket.
func wanted() []struct{ suffix, kind string } {
	return []struct{ suffix, kind string }{
		{"SamouraiCoinJoins", "WHIRLPOOL"},
		{"SamouraiTx0s", "TX0"},
		{"Wasabi2CoinJoins", "WASABI2"},
		{"WasabiCoinJoins", "WASABI1"},
		{"OtherCoinJoins", "JOINMARKET"},
		{"PostMixTxs", ""},
	}
}

// coinJoins runs the verdicts over every transaction of every file.
func coinJoins(ctx context.Context, o Options, m *meter) error {
	names, err := filepath.Glob(filepath.Join(o.Data, "coinjoin", "*.txt.gz"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	verdicts := map[string]map[string]int{} // by kind that is wanted
	largest := newUnion()
	for _, name := range names {
		kind, ok := kindOf(name)
		if !ok {
			return ledger.Invalid(name, "a file of a known kind", filepath.Base(name))
		}
		if verdicts[kind] == nil {
			verdicts[kind] = map[string]int{}
		}
		err := readTxs(ctx, name, func(tx *ledger.Tx) {
			v := cluster.VerdictOf(tx)
			verdicts[kind][v.String()]++
			if v == cluster.None {
				largest.join(tx)
			}
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(verdicts)) {
		m.confusion(kind, verdicts[kind])
	}
	scripts, size := largest.largest()
	m.share("co-spend", "scripts in the largest cluster that the CoinJoin veto leaves", size, scripts, "of all input scripts of the set")
	return nil
}

// confusion prints one row of the matrix: what became of the transactions of a kind.
func (m *meter) confusion(kind string, verdicts map[string]int) {
	n := 0
	for _, count := range verdicts {
		n += count
	}
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(verdicts)) {
		parts = append(parts, fmt.Sprintf("%s %d", v, verdicts[v]))
	}
	note := "verdicts: " + strings.Join(parts, ", ")
	if kind == "" {
		m.share("coinjoin", "false positives: ordinary spends named a CoinJoin", n-verdicts["NONE"]-verdicts["POSSIBLE"], n, note)
		m.share("coinjoin", "ordinary spends vetoed as POSSIBLE", verdicts["POSSIBLE"], n, note)
		return
	}
	m.share("coinjoin", "false negatives of "+kind+": not vetoed", verdicts["NONE"], n, note)
	m.share("coinjoin", "named "+kind+" rightly", verdicts[kind], n, note)
}

func kindOf(name string) (string, bool) {
	base := strings.TrimSuffix(filepath.Base(name), ".txt.gz")
	for _, w := range wanted() {
		if strings.HasSuffix(base, w.suffix) {
			return w.kind, true
		}
	}
	return "", false
}

// readTxs reads "txid:::block hash:::index:::time:::input}{input...:::output}{output...".
func readTxs(ctx context.Context, name string, see func(*ledger.Tx)) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	lines := bufio.NewReader(z)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			tx, bad := readTx(line)
			if bad != nil {
				return fmt.Errorf("line %d: %w", n, bad)
			}
			see(tx)
		}
		if errors.Is(err, io.EOF) {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

func readTx(line string) (*ledger.Tx, error) {
	parts := strings.Split(line, ":::")
	if len(parts) != 6 {
		return nil, ledger.Invalid("transaction", "six parts", strconv.Itoa(len(parts)))
	}
	id, err := ledger.ParseTxID(parts[0])
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseInt(parts[3], 10, 64)
	if err != nil {
		return nil, ledger.Invalid("time", "Unix seconds", parts[3])
	}
	tx := &ledger.Tx{ID: id, Chain: "bitcoin", Time: seconds * 1000}
	for in := range strings.SplitSeq(parts[4], "}{") {
		outpoint, script, ok := strings.Cut(in, "+")
		fields := strings.Split(outpoint, "-")
		if !ok || len(fields) != 3 {
			return nil, ledger.Invalid("input", "txid-index-value+script+type", in)
		}
		prev, err := ledger.ParseTxID(fields[0])
		if err != nil {
			return nil, err
		}
		index, err := strconv.ParseUint(fields[1], 10, 32)
		if err != nil {
			return nil, ledger.Invalid("input", "an index", in)
		}
		owner, value, err := readCoin(fields[2], script)
		if err != nil {
			return nil, err
		}
		tx.Inputs = append(tx.Inputs, ledger.Input{Prev: ledger.OutPoint{Tx: prev, Index: uint32(index)}, Address: owner, Value: value, Known: true})
	}
	for out := range strings.SplitSeq(parts[5], "}{") {
		value, script, _ := strings.Cut(out, "+")
		owner, amount, err := readCoin(value, script)
		if err != nil {
			return nil, err
		}
		tx.Outputs = append(tx.Outputs, ledger.Output{Address: owner, Value: amount})
	}
	return tx, nil
}

// readCoin reads a value in satoshi and "script hex+type".
func readCoin(value, script string) (ledger.Address, ledger.Amount, error) {
	text, _, _ := strings.Cut(script, "+")
	raw, err := hex.DecodeString(text)
	if err != nil {
		return ledger.Address{}, ledger.Amount{}, ledger.Invalid("script", "hex", text)
	}
	amount, err := ledger.ParseAmount(value)
	return ledger.ScriptAddress("bitcoin", raw), amount, err
}

// union joins input scripts by a plain union-find with path halving: a second
// implementation beside the index of clusters.
type union struct {
	parent map[ledger.Address]ledger.Address
	size   map[ledger.Address]int
}

func newUnion() *union {
	return &union{map[ledger.Address]ledger.Address{}, map[ledger.Address]int{}}
}

func (u *union) find(a ledger.Address) ledger.Address {
	if _, ok := u.parent[a]; !ok {
		u.parent[a], u.size[a] = a, 1
	}
	for u.parent[a] != a {
		u.parent[a] = u.parent[u.parent[a]]
		a = u.parent[a]
	}
	return a
}

// join makes one of the known inputs' owners.
func (u *union) join(tx *ledger.Tx) {
	var first ledger.Address
	for i := range tx.Inputs {
		in := &tx.Inputs[i]
		if !in.Known || in.Address.IsZero() {
			continue
		}
		if first.IsZero() {
			first = in.Address
		}
		u.unite(first, in.Address)
	}
}

func (u *union) unite(x, y ledger.Address) {
	a, b := u.find(x), u.find(y)
	if a == b {
		return
	}
	if u.size[a] < u.size[b] {
		a, b = b, a
	}
	u.parent[b] = a
	u.size[a] += u.size[b]
}

// largest returns how many scripts there are and the size of the largest set.
func (u *union) largest() (scripts, size int) {
	for a := range u.parent {
		if u.parent[a] == a {
			size = max(size, u.size[a])
		}
	}
	return len(u.parent), size
}
