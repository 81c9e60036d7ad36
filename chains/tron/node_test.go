package tron

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/sha3"
	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/store/sourcetest"
)

func dial(t testing.TB, s *server) *Node {
	t.Helper()
	n, err := Dial(t.Context(), NodeOptions{Chain: "tron", Target: s.serve(t)})
	if err != nil {
		t.Fatal(err)
	}
	n.pause = time.Millisecond
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// The whole real block: 619 transactions proven by its root, 152 transfers of USDT
// by transfer(), which its signer pays, and 2 by transferFrom().
func TestRealBlock(t *testing.T) {
	n := dial(t, newServer(t, 0))
	b, err := n.Block(t.Context(), realHeight)
	if err != nil {
		t.Fatal(err)
	}
	usdt, _ := ledger.AssetBySymbol("tron", "USDT")
	var tokens, others, native, delegations int
	for _, x := range b.Txs {
		signer := x.Transfers[len(x.Transfers)-1].From // of the fee
		for _, tr := range x.Transfers {
			switch {
			case tr.Asset == usdt && tr.Kind == ledger.TransferToken:
				tokens++
				if tr.From != signer {
					others++
				}
				if tr.Grade != ledger.GradeAttested {
					t.Errorf("%s: a token transfer is graded %s", x.ID, tr.Grade)
				}
			case tr.Kind == ledger.TransferNative && tr.Asset.Native():
				native++
			}
		}
		for _, nt := range x.Notices {
			if nt.Kind == ledger.NoticeDelegated {
				delegations++
			}
		}
	}
	if len(b.Txs) != 619 || tokens != 152+2 || others != 2 || native != 230 || delegations != 125 {
		t.Errorf("got %d transactions, %d transfers of USDT, %d by others, %d of TRX, %d delegations; want 619, 154, 2, 230, 125", len(b.Txs), tokens, others, native, delegations)
	}
	if b.Partial != ledger.PartialInternal {
		t.Errorf("partial: got %q, want %q: no internal transaction came", b.Partial, ledger.PartialInternal)
	}
}

// Without infos the same transfers of USDT are inferred from what was called.
func TestRealBlockWithoutInfos(t *testing.T) {
	n, err := Dial(t.Context(), NodeOptions{Chain: "tron", Target: newServer(t, 0).serve(t), NoInfos: true})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close() //nolint:errcheck // of a test
	b, err := n.Block(t.Context(), realHeight)
	if err != nil {
		t.Fatal(err)
	}
	usdt, _ := ledger.AssetBySymbol("tron", "USDT")
	tokens := 0
	for _, x := range b.Txs {
		for _, tr := range x.Transfers {
			if tr.Asset == usdt && tr.Grade == ledger.GradeInferred {
				tokens++
			}
		}
	}
	if want := ledger.PartialReceipts + " and " + ledger.PartialInternal; tokens != 152+2 || b.Partial != want {
		t.Errorf("got %d inferred transfers, partial %q; want 154, %q", tokens, b.Partial, want)
	}
}

func TestNodeConforms(t *testing.T) {
	sourcetest.Conform(t, dial(t, newServer(t, 4)), memkv.New(), sourcetest.Span{From: realHeight})
}

func TestGenesis(t *testing.T) {
	b, err := dial(t, newServer(t, 0)).Block(t.Context(), 0)
	if err != nil || len(b.Txs) != 3 || b.Partial != "" {
		t.Fatalf("got %+v, %v; want 3 transactions, whole", b, err)
	}
	if got := b.Txs[0].Transfers[0]; !got.From.IsZero() || got.Amount.String() != "99000000000000000" {
		t.Errorf("first allotment: got %+v", got)
	}
}

func TestFinality(t *testing.T) {
	for name, lie := range map[string]func(*server){
		"back":           func(s *server) { s.solid = realHeight },
		"above the head": func(s *server) { s.solid, s.tip = realHeight+2, realHeight+2; s.fail = lagging(s) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, 2)
			s.solid = realHeight + 1
			n := dial(t, s)
			h, err := n.Head(t.Context())
			if err != nil || *h.Final != realHeight+1 || h.Tip.Height != realHeight+2 {
				t.Fatalf("got %+v, %v", h, err)
			}
			lie(s)
			if _, err := n.Head(t.Context()); !errors.Is(err, ledger.ErrUntrue) || fault(err) != ledger.FaultFinality {
				t.Errorf("got %v, want finality", err)
			}
		})
	}
}

// lagging makes the head an older block than the solidified one that was given.
func lagging(s *server) func(string) error {
	return func(method string) error {
		if method == "now" {
			s.blocks[realHeight+2] = s.blocks[realHeight]
		}
		return nil
	}
}

func fault(err error) ledger.Fault {
	f, _ := ledger.FaultOf(err)
	return f
}

func TestDialRefuses(t *testing.T) {
	s := newServer(t, 0)
	if _, err := Dial(t.Context(), NodeOptions{Chain: "tron-nile", Target: s.serve(t)}); fault(err) != ledger.FaultWrongChain {
		t.Errorf("mainnet as Nile: got %v, want %s", err, ledger.FaultWrongChain)
	}
	for _, o := range []NodeOptions{{Chain: "bitcoin", Target: "localhost:1"}, {Chain: "tron", Target: "http://x"}, {Chain: "tron", Target: "x:1", Headers: []string{"key"}}} {
		if _, err := Dial(t.Context(), o); err == nil {
			t.Errorf("%+v: got no error", o)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, NodeOptions{Chain: "tron", Target: s.serve(t)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context canceled", err)
	}
}

// A rejected internal transaction moves nothing, one that is not does (blockbook #1660);
// what a contract delegates is no payment.
func TestInternal(t *testing.T) {
	s := newServer(t, 0)
	who := func(b byte) []byte { return append([]byte{0x41}, append(make([]byte, 19), b)...) }
	in := func(note string, rejected bool, value int64) *protocol.InternalTransaction {
		return &protocol.InternalTransaction{
			CallerAddress: who(1), TransferToAddress: who(2), Note: []byte(note), Rejected: rejected,
			CallValueInfo: []*protocol.InternalTransaction_CallValueInfo{{CallValue: value}},
		}
	}
	var at int
	for i, info := range s.infos[realHeight].TransactionInfo {
		if len(info.Log) > 0 {
			at = i
			info.InternalTransactions = []*protocol.InternalTransaction{in("call", true, 1), in("call", false, 2), in("delegateResourceOfEnergy", false, 4), in("suicide", false, 8)}
			break
		}
	}
	b, err := dial(t, s).Block(t.Context(), realHeight)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tr := range b.Txs[at].Transfers {
		if tr.Kind == ledger.TransferInternal {
			got = append(got, tr.Amount.String())
		}
	}
	if len(got) != 2 || got[0] != "2" || got[1] != "8" || b.Partial != "" {
		t.Errorf("got internal transfers of %v, partial %q; want 2 and 8, whole", got, b.Partial)
	}
}

// The constants are the hashes of their signatures.
func TestTopics(t *testing.T) {
	for signature, want := range map[string]string{
		"Transfer(address,address,uint256)": topicTransfer, "AddedBlackList(address)": topicBlacklist, "RemovedBlackList(address)": topicUnblacklist,
		"DestroyedBlackFunds(address,uint256)": topicDestroy, "Issue(uint256)": topicIssue, "Redeem(uint256)": topicRedeem,
		"transfer(address,uint256)": selectTransfer, "transferFrom(address,address,uint256)": selectTransferFrom,
	} {
		h := sha3.NewLegacyKeccak256()
		h.Write([]byte(signature))
		if got := hex.EncodeToString(h.Sum(nil))[:len(want)]; got != want {
			t.Errorf("%s: got %s, want %s", signature, want, got)
		}
	}
}

func TestMerkleRoot(t *testing.T) {
	a, b, c := [32]byte{1}, [32]byte{2}, [32]byte{3}
	ab := sha256.Sum256(append(a[:], b[:]...))
	want := sha256.Sum256(append(ab[:], c[:]...))
	if got := merkleRoot([][32]byte{a, b, c}); got != want {
		t.Errorf("three leaves: got %x, want %x", got, want)
	}
}

func FuzzBlock(f *testing.F) {
	for _, height := range []uint64{0, realHeight} {
		b, err := proto.Marshal(readBlock(f, height))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[len(b)-400:])
	}
	small, err := proto.Marshal(readBlock(f, realHeight).Transactions[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := readTx(data)
		if err != nil {
			return
		}
		h := &header{number: 1}
		answer := &protocol.BlockExtention{Transactions: []*protocol.TransactionExtention{{Transaction: data}}}
		var info protocol.TransactionInfo
		infos := []*protocol.TransactionInfo{&info}
		if proto.Unmarshal(data, &info) != nil || len(data)%2 == 0 {
			infos = nil
		}
		b, err := (&build{chain: "tron", h: h, subject: "fuzz", noInfos: infos == nil}).block("fuzz", answer, []*tx{x}, infos)
		if err == nil && len(b.Txs) != 1 || err != nil && fault(err) == "" {
			t.Errorf("got %+v, %v", b, err)
		}
	})
}
