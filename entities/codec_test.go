package entities

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

// Whatever bytes a row holds, it is refused or read as something that is written
// and read again as the same.
func FuzzRows(f *testing.F) {
	lone := node{address: owner(1), entered: 7, first: 3}
	joined := lone
	joined.parent, joined.height, joined.link = string(owner(2).Key()), 9, 4
	joined.join = ledger.Join{
		A: owner(1), B: owner(2), Tier: ledger.TierChange, Heuristic: "change",
		Detail: "3 of 4 rules agree", Tx: ledger.TxID{5}, Pos: ledger.At(9, 1),
	}
	total := sums{size: 2, name: joined.parent, nameFirst: 3, in: ledger.NewAmount(500), out: ledger.NewAmount(20), events: 4, first: ledger.At(3, 0), last: ledger.At(9, 1)}
	for _, b := range [][]byte{lone.encode(), joined.encode(), total.encode(), head{9, ledger.Hash{1}, 4}.encode()} {
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, ok := decodeNode("bitcoin", b); ok {
			again, ok := decodeNode("bitcoin", n.encode())
			if d := cmp.Diff(n, again, cmp.AllowUnexported(node{})); !ok || d != "" {
				t.Fatalf("member: read again %v\n%s", ok, d)
			}
		}
		if s, ok := decodeSums(b); ok {
			if again, ok := decodeSums(s.encode()); !ok || again != s {
				t.Fatalf("sums: %+v, read again as %+v", s, again)
			}
		}
		if h, ok := decodeHead(b); ok {
			if again, ok := decodeHead(h.encode()); !ok || again != h {
				t.Fatalf("head: %+v, read again as %+v", h, again)
			}
		}
	})
}

// A row that lost its end, or has a byte too many, is refused.
func TestCutRows(t *testing.T) {
	n := node{address: owner(1), entered: 7, first: 3, parent: string(owner(2).Key()), height: 9, link: 4, join: ledger.Join{A: owner(1), B: owner(2), Tx: ledger.TxID{5}}}
	for cut := range len(n.encode()) {
		if _, ok := decodeNode("bitcoin", n.encode()[:cut]); ok {
			t.Errorf("a member of %d bytes is read from %d", len(n.encode()), cut)
		}
	}
	long := append(bytes.Clone(n.encode()), 0)
	if _, ok := decodeNode("bitcoin", long); ok {
		t.Error("a member with a byte too many is read")
	}
}
