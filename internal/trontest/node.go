package trontest

import (
	"context"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Node is a full node with the two ports of java-tron. It is safe for concurrent use.
type Node struct {
	Target string // HOST:PORT of protocol.Wallet and protocol.Database
	Solid  string // HOST:PORT of protocol.WalletSolidity

	servers []*grpc.Server
	serving sync.WaitGroup

	mu     sync.Mutex
	blocks map[uint64][]byte // by height
	tip    uint64
	solid  uint64
}

// Start serves genesis, the real block, which is solidified, and some made blocks after it.
func Start(more int) (*Node, error) {
	n := &Node{blocks: map[uint64][]byte{}, tip: Height, solid: Height}
	for _, height := range []uint64{0, Height} {
		block, err := Recorded(height)
		if err != nil {
			return nil, err
		}
		n.blocks[height] = block
	}
	n.Mine(more)
	var err error
	if n.Target, err = n.serve("/protocol.Wallet/", "/protocol.Database/"); err != nil {
		return nil, err
	}
	if n.Solid, err = n.serve("/protocol.WalletSolidity/", "/protocol.Database/"); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// Close ends both servers.
func (n *Node) Close() {
	for _, s := range n.servers {
		s.Stop()
	}
	n.serving.Wait()
}

// Mine adds made blocks.
func (n *Node) Mine(count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.extend(count, 0)
}

// Reorg replaces the newest blocks by made ones of another branch, one more; those must not be real. With depth 0 it adds a block.
func (n *Node) Reorg(depth int, branch byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for range depth {
		delete(n.blocks, n.tip)
		n.tip--
	}
	n.extend(depth+1, branch)
}

// Solidify makes a block and all below it final.
func (n *Node) Solidify(height uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.solid = height
}

// Tip is the height of the newest block.
func (n *Node) Tip() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.tip
}

func (n *Node) extend(count int, branch byte) {
	for range count {
		n.blocks[n.tip+1] = after(n.blocks[n.tip], branch)
		n.tip++
	}
}

// serve answers the methods of some services at a port of their own.
func (n *Node) serve(services ...string) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := grpc.NewServer(grpc.ForceServerCodec(verbatim{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		var question []byte
		if err := stream.RecvMsg(&question); err != nil {
			return err
		}
		for _, service := range services {
			if answer, ok := n.answer(method, question); ok && len(method) > len(service) && method[:len(service)] == service {
				return stream.SendMsg(&answer)
			}
		}
		return status.Errorf(codes.Unimplemented, "Method not found: %s", method[1:])
	}))
	n.servers = append(n.servers, s)
	n.serving.Go(func() { _ = s.Serve(l) }) // ends by Close
	return l.Addr().String(), nil
}

// answer is what java-tron answers; of a block that it has not, nothing.
func (n *Node) answer(method string, question []byte) ([]byte, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch method {
	case "/protocol.Wallet/GetNowBlock2":
		return n.blocks[n.tip], true
	case "/protocol.WalletSolidity/GetNowBlock2":
		return n.blocks[n.solid], true
	case "/protocol.Wallet/GetBlockByNum2":
		return n.blocks[number(question, 1)], true
	case "/protocol.Wallet/GetTransactionInfoByBlockNum":
		if b := n.blocks[number(question, 1)]; number(at(b, 2, 1), 7) > 0 {
			return infosOf(b), true
		}
		return nil, true // genesis has none
	case "/protocol.Database/GetDynamicProperties":
		return putNumber(nil, 1, n.solid), true
	}
	return nil, false
}

// verbatim is a codec that leaves messages as they are.
type verbatim struct{}

func (verbatim) Marshal(v any) ([]byte, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("trontest: want bytes, got %T", v)
	}
	return *b, nil
}

func (verbatim) Unmarshal(b []byte, v any) error {
	to, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("trontest: want room for bytes, got %T", v)
	}
	*to = append([]byte(nil), b...)
	return nil
}

func (verbatim) Name() string { return "proto" }
