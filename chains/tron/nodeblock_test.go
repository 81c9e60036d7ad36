package tron

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// A port without protocol.WalletSolidity says how far the chain is final, too.
func TestPlainPort(t *testing.T) {
	s := newServer(t, 2)
	s.plain, s.solid = true, realHeight+1
	n := dial(t, s)
	h, err := n.Head(t.Context())
	if err != nil || h.Final == nil || *h.Final != realHeight+1 || h.Tip.Height != realHeight+2 {
		t.Fatalf("got %+v, %v; want a final block at %d", h, err, realHeight+1)
	}
	for _, height := range []int64{realHeight, realHeight + 3, -1} {
		s.mu.Lock()
		s.solid = height
		s.mu.Unlock()
		want := ledger.FaultFinality
		if height < 0 {
			want = ledger.FaultContents
		}
		if _, err := n.Head(t.Context()); fault(err) != want {
			t.Errorf("solidified height %d: got %v, want %s", height, err, want)
		}
	}
}

// A node that tells nothing of finality is read all the same.
func TestNoFinality(t *testing.T) {
	s := newServer(t, 1)
	s.plain = true
	s.fail = func(method string) error {
		if method == "solid height" {
			return status.Error(codes.Unavailable, "this API is unavailable due to config")
		}
		return nil
	}
	h, err := dial(t, s).Head(t.Context())
	if err != nil || h.Final != nil || h.Tip.Height != realHeight+1 {
		t.Errorf("got %+v, %v; want a head at %d, nothing final", h, err, realHeight+1)
	}
}

// What java-tron's operator switched off does not come back by waiting.
func TestSwitchedOff(t *testing.T) {
	for text, want := range map[string]ledger.Fault{
		"this API is unavailable due to config":                       ledger.FaultUnsupported,
		"this API is closed because this node is a lite fullnode":     ledger.FaultUnsupported,
		"connection error: desc = \"transport: error while dialing\"": ledger.FaultUnreachable,
	} {
		if got := faultOf(status.Error(codes.Unavailable, text)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// Infos that a block above the solidified one has none of yet are waited for
// (blockbook #1576); a final block without them is a lie.
func TestInfosNotYet(t *testing.T) {
	s := newServer(t, 0)
	delete(s.infos, realHeight)
	s.blocks[realHeight-1] = seal(t, &protocol.HeaderRaw{Number: realHeight - 1, TxTrieRoot: make([]byte, 32), ParentHash: parentAt(realHeight - 2), WitnessAddress: make([]byte, 21)}, nil)
	for solid, want := range map[int64]ledger.Fault{realHeight - 1: ledger.FaultLagging, realHeight: ledger.FaultMissing} {
		s.mu.Lock()
		s.solid = solid
		s.mu.Unlock()
		n := dial(t, s)
		if _, err := n.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b, err := n.Block(t.Context(), realHeight); b != nil || fault(err) != want {
			t.Errorf("solidified at %d: got %v, want %s", solid, err, want)
		}
	}
}

// parentAt is an id that names a height.
func parentAt(height int64) []byte {
	id := make([]byte, 32)
	for i := range 8 {
		id[7-i] = byte(height >> (8 * i))
	}
	return id
}

// A quiet block is whole where internal transactions came just before its stretch,
// in whatever order blocks are asked for.
func TestInternalsKept(t *testing.T) {
	first := int64(realHeight / stretch * stretch)
	for _, c := range []struct {
		at    int64
		block int64 // the block that its info names
		want  string
	}{
		{first - 1, first - 1, ""},
		{first - probes, first - probes, ""},
		{first - probes - 1, first - probes - 1, ledger.PartialInternal}, // too far off
		{first - 1, first - 2, ledger.PartialInternal},                   // of another block
	} {
		s := newServer(t, 0)
		s.blocks[c.at] = &protocol.BlockExtention{}
		s.infos[c.at] = &protocol.TransactionInfoList{TransactionInfo: []*protocol.TransactionInfo{
			{BlockNumber: c.block, InternalTransactions: []*protocol.InternalTransaction{{Note: []byte("call")}}},
		}}
		n := dial(t, s)
		for range 2 {
			b, err := n.Block(t.Context(), realHeight)
			if err != nil || b.Partial != c.want {
				t.Errorf("seen %d blocks before the stretch: got partial %q, %v; want %q", first-c.at, b.Partial, err, c.want)
			}
		}
	}
}

// What a contract that self-destructs leaves to itself is burnt, and what it gets
// back of its stake is in what it leaves to its heir already.
func TestSelfDestruct(t *testing.T) {
	in := func(note string, to byte, value int64) *protocol.InternalTransaction {
		return &protocol.InternalTransaction{
			CallerAddress: account(3), TransferToAddress: account(to), Note: []byte(note),
			CallValueInfo: []*protocol.InternalTransaction_CallValueInfo{{CallValue: value}},
		}
	}
	call := &protocol.TriggerSmartContract{OwnerAddress: account(1), ContractAddress: account(3)}
	for want, list := range map[string][]*protocol.InternalTransaction{
		"internal 03>- 7 TRX attested | ":  {in("suicide", 3, 7)},
		"internal 03>04 7 TRX attested | ": {in("suicide", 4, 7), in("withdrawExpireUnfreezeWhileSuiciding", 4, 5)},
		"internal 03>03 7 TRX attested | ": {in("call", 3, 7)},
	} {
		if got := told(made(t, typeTriggerSmart, call, 1, &protocol.TransactionInfo{InternalTransactions: list})); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
