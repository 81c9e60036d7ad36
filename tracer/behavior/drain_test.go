package behavior

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// sent reads lines "minute sender from to USDT": a transaction with its fee in ether;
// sender "-" pays none that is known. Who begins with "x" is a labelled exchange.
func sent(t *testing.T, text string) world {
	t.Helper()
	var blocks []*ledger.Block
	var tags []ledger.Tag
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		var minute int64
		var sender, from, to, coins string
		if _, err := fmt.Sscan(line, &minute, &sender, &from, &to, &coins); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if to[0] == 'x' {
			tags = append(tags, ledger.Tag{Address: addr(to), Chain: "ethereum", Label: to, Category: "exchange", Confidence: 50})
		}
		amount, err := ledger.ParseCoins(coins, 6)
		if err != nil {
			t.Fatal(err)
		}
		tx := ledger.Tx{ID: sha256.Sum256(fmt.Append(nil, i)), Chain: "ethereum", Pos: ledger.At(uint64(i+1), 0), Time: (minute + 1) * 60_000}
		if !amount.IsZero() {
			tx.Transfers = append(tx.Transfers, ledger.Transfer{From: addr(from), To: addr(to), Asset: usdt, Amount: amount, Slot: 1})
		}
		if sender != "-" {
			tx.Transfers = append(tx.Transfers, ledger.Transfer{Kind: ledger.TransferFee, From: addr(sender), Asset: ether, Amount: ledger.NewAmount(21_000), Slot: 2})
		}
		blocks = append(blocks, &ledger.Block{Ref: ledger.BlockRef{Chain: "ethereum", Height: uint64(i + 1), Time: tx.Time}, Txs: []ledger.Tx{tx}})
	}
	idx, err := memindex.New(blocks, memindex.Options{Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	return world{idx}
}

func TestApprovalDrain(t *testing.T) {
	// Both victims approved something once (a transaction of nothing), and have 100.
	const before = "0 v v v 0\n1 w w w 0\n2 bank bank v 100\n3 bank bank w 100\n"
	for _, test := range []struct {
		name, text string
		of         string
		found      bool
	}{
		{"two victims", before + "10 thief v loot 100\n20 thief w loot 95", "v", true},
		{"the second of them", before + "10 thief v loot 100\n20 thief w loot 95", "w", true},
		{"who was paid", before + "10 thief v loot 100\n20 thief w loot 95", "loot", true},
		{"paid apart", before + "10 thief v loot 100\n20 thief w cache 95", "w", true},
		{"a bystander", before + "10 thief v loot 100\n20 thief w loot 95", "bank", false},
		{"one victim", before + "10 thief v loot 100", "v", false},
		{"a day later", before + "10 thief v loot 100\n1450 thief w loot 100", "v", true},
		{"more than a day later", before + "10 thief v loot 100\n1451 thief w loot 100", "v", false},
		{"two senders", before + "10 thief v loot 100\n20 other w loot 100", "v", false},
		{"nine tenths", before + "10 thief v loot 90\n20 thief w loot 90", "v", true},
		{"less", before + "10 thief v loot 90\n20 thief w loot 89", "v", false},
		{"sent by themselves", before + "10 v v loot 100\n20 w w loot 100", "v", false},
		{"paid before", before + "4 v v loot 1\n10 thief v loot 99\n20 thief w loot 100", "v", false},
		{"to an exchange", before + "10 thief v xhot 100\n20 thief w xhot 100", "v", false},
		{"nobody is known to have sent", before + "10 - v loot 100\n20 - w loot 100", "v", false},
		{"they never sent a thing", "2 bank bank v 100\n3 bank bank w 100\n10 thief v loot 100\n20 thief w loot 100", "v", false},
	} {
		found, _, err := Patterns(t.Context(), sent(t, test.text), ledger.Holder{Address: addr(test.of), Asset: usdt})
		if err != nil {
			t.Fatal(err)
		}
		shows := false
		for _, f := range found {
			if f.Pattern == "approval_drain" {
				shows = true
				if len(f.Events) != 2 || f.Events[0].From == f.Events[1].From || f.Message == "" {
					t.Errorf("%s: %+v", test.name, f)
				}
			}
		}
		if shows != test.found {
			t.Errorf("%s: found %v, want %v: %+v", test.name, shows, test.found, found)
		}
	}
}
