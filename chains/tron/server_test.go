package tron

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/internal/trontest"
)

const realHeight = trontest.Height

// server speaks as java-tron does. Blocks 0 and 79072107 are real, those after it
// are made and signed by a test key; infos are all made, from what the blocks say.
type server struct {
	protocol.UnimplementedWalletServer
	protocol.UnimplementedWalletSolidityServer

	mu     sync.Mutex
	blocks map[int64]*protocol.BlockExtention
	infos  map[int64]*protocol.TransactionInfoList
	tip    int64
	solid  int64
	plain  bool // protocol.WalletSolidity is at a port of its own, as java-tron has it
	fail   func(method string) error
}

func (s *server) answer(method string, height int64) (*protocol.BlockExtention, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		if err := s.fail(method); err != nil {
			return nil, err
		}
	}
	if b, ok := s.blocks[height]; ok && height <= s.tip {
		return b, nil
	}
	return &protocol.BlockExtention{}, nil
}

func (s *server) GetNowBlock2(context.Context, *protocol.EmptyMessage) (*protocol.BlockExtention, error) {
	return s.answer("now", s.tip)
}

func (s *server) GetBlockByNum2(_ context.Context, q *protocol.NumberMessage) (*protocol.BlockExtention, error) {
	return s.answer("block", q.GetNum())
}

func (s *server) GetTransactionInfoByBlockNum(_ context.Context, q *protocol.NumberMessage) (*protocol.TransactionInfoList, error) {
	if _, err := s.answer("infos", q.GetNum()); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.infos[q.GetNum()]; ok {
		return l, nil
	}
	return &protocol.TransactionInfoList{}, nil
}

// solidity is the other service of the same node.
type solidity struct {
	protocol.UnimplementedWalletSolidityServer
	s *server
}

func (s solidity) GetNowBlock2(context.Context, *protocol.EmptyMessage) (*protocol.BlockExtention, error) {
	return s.s.answer("solid", s.s.solid)
}

// database is the service at every port of the same node.
type database struct {
	protocol.UnimplementedDatabaseServer
	s *server
}

func (d database) GetDynamicProperties(context.Context, *protocol.EmptyMessage) (*protocol.DynamicProperties, error) {
	if _, err := d.s.answer("solid height", d.s.solid); err != nil {
		return nil, err
	}
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return &protocol.DynamicProperties{LastSolidityBlockNum: d.s.solid}, nil
}

// newServer serves genesis, the real block and n made after it.
func newServer(t testing.TB, n int) *server {
	t.Helper()
	s := &server{blocks: map[int64]*protocol.BlockExtention{}, infos: map[int64]*protocol.TransactionInfoList{}, tip: realHeight, solid: realHeight}
	s.blocks[0] = readBlock(t, 0)
	s.blocks[realHeight] = readBlock(t, realHeight)
	s.infos[realHeight] = inform(t, s.blocks[realHeight])
	for range n {
		s.extend(t)
	}
	return s
}

// extend adds a block without transactions.
func (s *server) extend(t testing.TB) {
	t.Helper()
	parent, err := readHeader("parent", s.blocks[s.tip])
	if err != nil {
		t.Fatal(err)
	}
	s.tip++
	s.blocks[s.tip] = seal(t, &protocol.HeaderRaw{
		Timestamp: parent.time + 3000, TxTrieRoot: make([]byte, 32), ParentHash: parent.id[:], Number: s.tip, WitnessAddress: append([]byte{0x41}, make([]byte, 20)...),
	}, nil)
}

// seal signs a header as a producer does.
func seal(t testing.TB, h *protocol.HeaderRaw, txs []*protocol.TransactionExtention) *protocol.BlockExtention {
	t.Helper()
	raw, err := proto.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	seed := sha256.Sum256([]byte("a producer of test blocks"))
	key, _ := btcec.PrivKeyFromBytes(seed[:])
	digest := sha256.Sum256(raw)
	c := ecdsa.SignCompact(key, digest[:], false)
	return &protocol.BlockExtention{Transactions: txs, BlockHeader: &protocol.BlockHeader{RawData: raw, WitnessSignature: append(c[1:], c[0]-27)}}
}

// serve listens on loopback until the test ends.
func (s *server) serve(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.MaxSendMsgSize(1 << 30))
	protocol.RegisterWalletServer(g, s)
	protocol.RegisterDatabaseServer(g, database{s: s})
	if !s.plain {
		protocol.RegisterWalletSolidityServer(g, solidity{s: s})
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = g.Serve(l) }()
	t.Cleanup(func() { g.Stop(); <-ended })
	return l.Addr().String()
}

func readBlock(t testing.TB, height uint64) *protocol.BlockExtention {
	t.Helper()
	plain, err := trontest.Recorded(height)
	if err != nil {
		t.Fatal(err)
	}
	b := &protocol.BlockExtention{}
	if err := proto.Unmarshal(plain, b); err != nil {
		t.Fatal(err)
	}
	return b
}

// inform makes the infos of a block: outcome and a log for each transfer() that
// succeeded, a fee of 345 for each transaction.
func inform(t testing.TB, b *protocol.BlockExtention) *protocol.TransactionInfoList {
	t.Helper()
	h, err := readHeader("block", b)
	if err != nil {
		t.Fatal(err)
	}
	list := &protocol.TransactionInfoList{}
	for _, e := range b.GetTransactions() {
		x, err := readTx(e.GetTransaction())
		if err != nil {
			t.Fatal(err)
		}
		info := &protocol.TransactionInfo{
			Id: x.id[:], Fee: 345, BlockNumber: int64(h.number), BlockTimeStamp: h.time, Receipt: &protocol.ResourceReceipt{NetFee: 345},
		}
		if x.calls() {
			info.Receipt.Result = x.said
		}
		if x.failed() {
			info.Result = 1
		}
		owner, _ := ownerOf(x.contract)
		m := &assembly{b: &build{chain: "tron"}, tx: x, info: info}
		m.owner, _ = m.b.account(owner)
		if o, ok := m.order(); ok && !x.failed() {
			info.Log = append(info.Log, transferLog(o.Asset.Contract.Payload, o.From.Payload, o.To.Payload, o.Amount.Bytes()))
		}
		list.TransactionInfo = append(list.TransactionInfo, info)
	}
	return list
}

func transferLog(contract, from, to string, amount []byte) *protocol.TransactionInfo_Log {
	topic, _ := hex.DecodeString(topicTransfer)
	pad := func(b string) []byte { return append(make([]byte, 32-len(b)), b...) }
	return &protocol.TransactionInfo_Log{Address: []byte(contract), Topics: [][]byte{topic, pad(from), pad(to)}, Data: pad(string(amount))}
}
