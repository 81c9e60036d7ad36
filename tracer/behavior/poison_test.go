package behavior

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// resembling finds a name whose address ends like another's.
func resembling(name string) string {
	for i := 0; ; i++ {
		if like := fmt.Sprintf("like%d", i); ending(addr(like)) == ending(addr(name)) {
			return like
		}
	}
}

// Dust, a transfer of zero and an unknown token are told where they come from a
// look-alike of a payee, or go to one; from anybody else they are not.
func TestPoisoning(t *testing.T) {
	like := resembling("b")
	fake := ledger.TokenAsset(addr("a contract that calls itself USDT"))
	for _, test := range []struct {
		name, from, to string
		asset          ledger.Asset
		amount         uint64
		want           string
	}{
		{"dust", like, "a", usdt, 1, "dust from an address that ends like one that was paid before"},
		{"dust from a stranger", "c", "a", usdt, 1, ""},
		{"value", like, "a", usdt, 5_000_000, ""},
		{"zero", like, "a", usdt, 0, "a transfer of zero from an address that ends like one that was paid before"},
		{"zero in its name", "a", like, usdt, 0, "a transfer of zero to an address that ends like one that was paid before"},
		{"zero to the payee itself", "a", "b", usdt, 0, ""},
		{"zero from a stranger", "c", "a", usdt, 0, ""},
		{"zero of a token nobody knows", like, "a", fake, 0, "a transfer of zero from an address that ends like one that was paid before"},
		{"a fake token", like, "a", fake, 100_000_000, "an unknown token from an address that ends like one that was paid before"},
		{"a fake token in its name", "a", like, fake, 100_000_000, "an unknown token to an address that ends like one that was paid before"},
		{"a fake token from a stranger", "c", "a", fake, 100_000_000, ""},
	} {
		for _, first := range []bool{false, true} {
			w := poisoned(t, []ledger.Transfer{
				{From: addr("a"), To: addr("b"), Asset: usdt, Amount: ledger.NewAmount(100_000_000)},
				{From: addr(test.from), To: addr(test.to), Asset: test.asset, Amount: ledger.NewAmount(test.amount)},
			}, first)
			found, _, err := Patterns(t.Context(), w, ledger.Holder{Address: addr("a"), Asset: usdt})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, f.Message)
			}
			want := test.want
			if first {
				want = "" // nobody was paid yet
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s, before the payment %v: got %v, want %q", test.name, first, got, want)
			}
		}
	}
}

// poisoned is an index of a transfer a block, in their order or the other.
func poisoned(t *testing.T, transfers []ledger.Transfer, backwards bool) world {
	t.Helper()
	var blocks []*ledger.Block
	for i := range transfers {
		move := transfers[i]
		if backwards {
			move = transfers[len(transfers)-1-i]
		}
		tx := ledger.Tx{ID: ledger.TxID{byte(i), byte(i >> 8)}, Chain: "ethereum", Pos: ledger.At(uint64(i+1), 0), Time: int64(i+1) * 60_000, Transfers: []ledger.Transfer{move}}
		blocks = append(blocks, &ledger.Block{Ref: ledger.BlockRef{Chain: "ethereum", Height: uint64(i + 1), Time: tx.Time}, Txs: []ledger.Tx{tx}})
	}
	idx, err := memindex.New(blocks, memindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return world{idx}
}

// What is not looked at is said, and a look-alike beyond it is not found.
func TestPoisoningIsBounded(t *testing.T) {
	zero := func(from string) ledger.Transfer {
		return ledger.Transfer{From: addr(from), To: addr("a"), Asset: usdt}
	}
	paid := ledger.Transfer{From: addr("a"), To: addr("b"), Asset: usdt, Amount: ledger.NewAmount(100_000_000)}
	for _, test := range []struct{ after, found, limits int }{{maxZeros - 1, 1, 0}, {maxZeros, 0, 1}} {
		moves := []ledger.Transfer{paid, zero(resembling("b"))}
		for range test.after {
			moves = append(moves, zero("a stranger"))
		}
		found, limits, err := Patterns(t.Context(), poisoned(t, moves, false), ledger.Holder{Address: addr("a"), Asset: usdt})
		if err != nil || len(found) != test.found || len(limits) != test.limits {
			t.Errorf("%d more: %d found, limits %v, %v", test.after, len(found), limits, err)
		}
	}
}
