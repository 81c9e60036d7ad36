package tron

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// lie is what a node does to an answer about the real block, and the fault that it ends in.
type lie struct {
	name string
	want ledger.Fault
	tell func(s *server)
}

// call is the info of the first call of USDT that succeeded.
func call(s *server) *protocol.TransactionInfo {
	for _, i := range s.infos[realHeight].TransactionInfo {
		if len(i.Log) > 0 {
			return i
		}
	}
	return nil
}

func lies(t *testing.T) []lie {
	first := func(s *server) *protocol.BlockExtention { return s.blocks[realHeight] }
	code := func(c codes.Code) func(*server) {
		return func(s *server) { s.fail = func(string) error { return status.Error(c, "said so") } }
	}
	return []lie{
		{"lost USDT log", ledger.FaultMissing, func(s *server) { call(s).Log = nil }},
		{"smaller sender", ledger.FaultMissing, func(s *server) { call(s).Log[0].Topics[1][31] ^= 1 }},
		{"larger amount", ledger.FaultMissing, func(s *server) { call(s).Log[0].Data[1] = 1 }},
		{"another contract", ledger.FaultMissing, func(s *server) { call(s).Log[0].Address[0] ^= 1 }},
		{"another recipient", ledger.FaultMissing, func(s *server) { call(s).Log[0].Topics[2][31] ^= 1 }},
		{"a topic lost", ledger.FaultMissing, func(s *server) { call(s).Log[0].Topics = call(s).Log[0].Topics[:2] }},
		{"log of no contract", ledger.FaultContents, func(s *server) { call(s).Log[0].Address = []byte{1} }},
		{"no infos", ledger.FaultMissing, func(s *server) { delete(s.infos, realHeight) }},
		{"one info lost", ledger.FaultMissing, func(s *server) { l := s.infos[realHeight]; l.TransactionInfo = l.TransactionInfo[1:] }},
		{"one info more", ledger.FaultMismatched, func(s *server) { l := s.infos[realHeight]; l.TransactionInfo = append(l.TransactionInfo, call(s)) }},
		{"infos out of order", ledger.FaultMismatched, func(s *server) { l := s.infos[realHeight].TransactionInfo; l[0], l[1] = l[1], l[0] }},
		{"info of another block", ledger.FaultWrongBlock, func(s *server) { call(s).BlockNumber++ }},
		{"info of another time", ledger.FaultWrongBlock, func(s *server) { call(s).BlockTimeStamp++ }},
		{"info of another transaction", ledger.FaultMismatched, func(s *server) { call(s).Id = make([]byte, 32) }},
		{"success called failure", ledger.FaultContents, func(s *server) { call(s).Result = 1 }},
		{"receipt of another outcome", ledger.FaultContents, func(s *server) { call(s).Receipt.Result = 2 }},
		{"failure without a receipt", ledger.FaultContents, func(s *server) { call(s).Receipt = nil }},
		{"negative fee", ledger.FaultContents, func(s *server) { call(s).Fee = -1 }},
		{"fee less than its parts", ledger.FaultContents, func(s *server) { call(s).Fee = 1 }},
		{"negative internal value", ledger.FaultContents, func(s *server) {
			call(s).InternalTransactions = []*protocol.InternalTransaction{{Note: []byte("call"), CallValueInfo: []*protocol.InternalTransaction_CallValueInfo{{CallValue: -1}}}}
		}},
		{"internal value to nobody", ledger.FaultContents, func(s *server) {
			call(s).InternalTransactions = []*protocol.InternalTransaction{{Note: []byte("call"), CallValueInfo: []*protocol.InternalTransaction_CallValueInfo{{CallValue: 1}}}}
		}},
		{"transaction lost", ledger.FaultRoot, func(s *server) { b := first(s); b.Transactions = b.Transactions[1:] }},
		{"all transactions lost", ledger.FaultMissing, func(s *server) { first(s).Transactions = nil }},
		{"transaction twice", ledger.FaultRoot, func(s *server) { b := first(s); b.Transactions = append(b.Transactions, b.Transactions[618]) }},
		{"transactions swapped", ledger.FaultRoot, func(s *server) { l := first(s).Transactions; l[0], l[1] = l[1], l[0] }},
		{"transaction altered", ledger.FaultRoot, func(s *server) { first(s).Transactions[7].Transaction[40] ^= 1 }},
		{"wrong txid", ledger.FaultMismatched, func(s *server) { first(s).Transactions[7].Txid = make([]byte, 32) }},
		{"wrong id", ledger.FaultWrongBlock, func(s *server) { first(s).Blockid[31] ^= 1 }},
		{"header altered", ledger.FaultWrongBlock, func(s *server) { first(s).BlockHeader.RawData[3] ^= 1 }},
		{"header truncated", ledger.FaultMalformed, func(s *server) { h := first(s).BlockHeader; h.RawData = h.RawData[:len(h.RawData)-1] }},
		{"no header", ledger.FaultHeader, func(s *server) { first(s).BlockHeader = nil }},
		{"no signature", ledger.FaultHeader, func(s *server) { first(s).BlockHeader.WitnessSignature = nil }},
		{"signature of zeros", ledger.FaultHeader, func(s *server) { first(s).BlockHeader.WitnessSignature = make([]byte, 65) }},
		{"another block", ledger.FaultWrongBlock, func(s *server) { s.blocks[realHeight] = s.blocks[0] }},
		{"parent of another height", ledger.FaultWrongParent, func(s *server) {
			s.blocks[realHeight] = seal(t, &protocol.HeaderRaw{Number: realHeight, TxTrieRoot: make([]byte, 32), ParentHash: make([]byte, 32), WitnessAddress: make([]byte, 21)}, nil)
		}},
		{"short root", ledger.FaultHeader, func(s *server) {
			s.blocks[realHeight] = seal(t, &protocol.HeaderRaw{Number: realHeight, TxTrieRoot: make([]byte, 31), ParentHash: make([]byte, 32), WitnessAddress: make([]byte, 21)}, nil)
		}},
		{"block gone", ledger.FaultLagging, func(s *server) { delete(s.blocks, realHeight) }},
		{"size bomb", ledger.FaultTooLarge, func(s *server) { first(s).Blockid = make([]byte, maxAnswer+1) }},
		{"unavailable", ledger.FaultUnreachable, code(codes.Unavailable)},
		{"busy", ledger.FaultBusy, code(codes.ResourceExhausted)},
		{"deadline", ledger.FaultTimeout, code(codes.DeadlineExceeded)},
		{"no key", ledger.FaultUnauthorized, code(codes.Unauthenticated)},
		{"wrong key", ledger.FaultUnauthorized, code(codes.PermissionDenied)},
		{"not served", ledger.FaultUnsupported, code(codes.Unimplemented)},
		{"its own error", ledger.FaultServerError, code(codes.Internal)},
	}
}

// Every lie ends in its named fault.
func TestLies(t *testing.T) {
	for _, c := range lies(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, 0)
			n := dial(t, s)
			s.mu.Lock()
			c.tell(s)
			s.mu.Unlock()
			b, err := n.Block(t.Context(), realHeight)
			if f, _ := ledger.FaultOf(err); f != c.want || b != nil {
				t.Errorf("got %v, want fault %s", err, c.want)
			}
		})
	}
}

// And none leaves a row behind: the index is asked through store.Follow.
func TestNoRowOfALie(t *testing.T) {
	for _, c := range lies(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, 2)
			n := dial(t, s)
			s.mu.Lock()
			c.tell(s)
			s.mu.Unlock()
			follow(t, n, c.want)
		})
	}
}

// follow reads a node that cannot be believed into an empty index, which must stay so.
func follow(t *testing.T, n *Node, want ledger.Fault) {
	t.Helper()
	index, err := store.Open(t.TempDir(), memkv.New(), store.Options{MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close() //nolint:errcheck // of a test
	network, err := index.Create(t.Context(), "tron")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	from := uint64(realHeight)
	err = store.Follow(ctx, network, []store.Source{n}, store.FollowOptions{From: &from, Poll: 5 * time.Millisecond})
	if fault(err) != want {
		t.Errorf("got %v, want fault %s", err, want)
	}
	if st, err := network.Status(); err != nil || st.Blocks != 0 || !st.Empty {
		t.Errorf("got %d blocks, %v; want none", st.Blocks, err)
	}
}
