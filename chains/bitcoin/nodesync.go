package bitcoin

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger"
)

const (
	manyHeaders  = 2000 // the most that Bitcoin Core's REST and btcd give at a time
	batchHeaders = 500
)

// sync brings the chain of headers up to the node's best block.
func (n *Node) sync(ctx context.Context) error {
	n.syncing.Lock()
	defer n.syncing.Unlock()
	var text string
	if err := n.call(ctx, "getbestblockhash", "getbestblockhash", &text); err != nil {
		return err
	}
	best, err := parseHash("getbestblockhash", text)
	if err != nil {
		return err
	}
	height, tip := n.chain.tip() // only sync changes it
	if best == tip.hash {
		return nil
	}
	top, err := n.height(ctx)
	if err != nil {
		return err
	}
	if top < n.chain.first {
		return ledger.Untrue(ledger.FaultLagging, "getblockcount", fmt.Sprintf("the node's chain ends at %d, the headers held begin at %d", top, n.chain.first))
	}
	fork, err := n.fork(ctx, min(height, top))
	if err != nil {
		return err
	}
	if fork < height {
		if err := n.branch(ctx, fork, top); err != nil {
			return err
		}
	}
	return n.grow(ctx, top)
}

func (n *Node) height(ctx context.Context) (uint64, error) {
	const subject, most = "getblockcount", 1<<(64-ledger.IndexBits) - 2
	var height *uint64
	if err := n.call(ctx, subject, subject, &height); err != nil {
		return 0, err
	}
	switch {
	case height == nil:
		return 0, ledger.Untrue(ledger.FaultMalformed, subject, "want a number, got null")
	case *height > most:
		return 0, ledger.Untrue(ledger.FaultContents, subject, fmt.Sprintf("no chain is %d blocks long", *height))
	}
	return *height, nil
}

// fork returns the height of the last block that the node's chain shares with the
// one held, at most from, which is held. It steps back in growing steps, then halves.
func (n *Node) fork(ctx context.Context, from uint64) (uint64, error) {
	shares := func(height uint64) (bool, error) {
		hash, err := n.hashAt(ctx, height)
		return err == nil && hash == n.chain.at(height).hash, err
	}
	low, high := from, from+1 // high: the first one known not to be shared
	for step := uint64(1); ; step *= 2 {
		same, err := shares(low)
		if err != nil {
			return 0, err
		}
		if same {
			break
		}
		if low == n.chain.first {
			return 0, ledger.Untrue(ledger.FaultFinality, fmt.Sprintf("block %d", low), "the node replaced the block that its chain began with")
		}
		high, low = low, max(low-min(step, low), n.chain.first)
	}
	var failed error
	different := sort.Search(int(high-low-1), func(i int) bool {
		same, err := shares(low + 1 + uint64(i))
		failed = errors.Join(failed, err)
		return !same
	})
	return low + uint64(different), failed
}

// branch replaces the blocks above fork by those of the node's best chain, if
// these have more work.
func (n *Node) branch(ctx context.Context, fork, top uint64) error {
	branch := n.chain.clone(fork + 1)
	had := n.chain.workFrom(fork + 1)
	for {
		if has := branch.workFrom(fork + 1); has.Gt(&had) {
			break
		}
		if branch.next > top {
			height, tip := n.chain.tip()
			return ledger.Untrue(ledger.FaultLagging, "getbestblockhash", fmt.Sprintf("a chain of less work than the one of block %d, %s, that it had", height, tip.hash))
		}
		if err := n.advance(ctx, branch, top); err != nil {
			return err
		}
	}
	n.mu.Lock()
	n.chain = branch
	n.mu.Unlock()
	return nil
}

// grow takes in the headers after the tip.
func (n *Node) grow(ctx context.Context, top uint64) error {
	for n.chain.next <= top {
		if err := n.advance(ctx, n.chain, top); err != nil {
			return err
		}
	}
	return nil
}

// advance takes the next headers of the node's best chain into a chain, those up
// to top at most; at least one.
func (n *Node) advance(ctx context.Context, c *headerChain, top uint64) error {
	height, tip := c.tip()
	headers, err := n.headers(ctx, height, tip.hash, min(top-height, manyHeaders))
	if err != nil {
		return err
	}
	subject := fmt.Sprintf("headers after block %d", height)
	if len(headers) == 0 {
		return ledger.Untrue(ledger.FaultLagging, subject, fmt.Sprintf("none, and the node said that its chain ends at %d", top))
	}
	taken, f, err := n.take(c, headers)
	switch {
	case err == nil:
		return nil
	case taken == 0 && f == ledger.FaultWrongParent:
		return n.broken(ctx, height, tip.hash, fault(f, subject, err))
	}
	return fault(f, subject, err)
}

// take proves headers and takes them into a chain until one is refused.
func (n *Node) take(c *headerChain, headers []Header) (taken int, f ledger.Fault, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range headers {
		if f, err = c.extend(h); err != nil {
			return taken, f, err
		}
		taken++
	}
	return taken, "", nil
}

// broken tells a node whose chain changed between two calls from one that lies
// about what follows a block.
func (n *Node) broken(ctx context.Context, height uint64, tip ledger.Hash, err error) error {
	hash, failed := n.hashAt(ctx, height)
	switch {
	case failed != nil:
		return failed
	case hash != tip:
		return &ledger.SourceError{Fault: ledger.FaultLagging, Subject: fmt.Sprintf("block %d", height), Detail: "the chain changed while it was read", Err: err}
	}
	return err
}

// headers asks for the headers after a block, in the cheapest way that the node serves.
func (n *Node) headers(ctx context.Context, height uint64, after ledger.Hash, count uint64) ([]Header, error) {
	if n.serves.rest {
		return n.restHeaders(ctx, after, count)
	}
	if n.serves.getHeaders && count > 1 {
		headers, err := n.btcdHeaders(ctx, after, count)
		var e *rpc.Error
		if !errors.As(err, &e) {
			return headers, err
		}
		n.serves.getHeaders = false // by its own word: another kind of node
	}
	return n.batchHeaders(ctx, height, min(count, batchHeaders))
}

func (n *Node) restHeaders(ctx context.Context, after ledger.Hash, count uint64) ([]Header, error) {
	// The answer begins with the block that is named.
	count = min(count+1, manyHeaders)
	path := fmt.Sprintf("/rest/headers/%d/%s.bin", count, after)
	raw, err := n.client.Get(ctx, path, int64(count)*HeaderSize)
	if err != nil {
		return nil, err
	}
	if len(raw)%HeaderSize != 0 {
		return nil, ledger.Untrue(ledger.FaultMalformed, path, fmt.Sprintf("want headers of 80 bytes, got %d bytes", len(raw)))
	}
	if len(raw) == 0 {
		return nil, nil // the block left the best chain
	}
	var headers []Header
	for ; len(raw) > 0; raw = raw[HeaderSize:] {
		h, err := ParseHeader(raw)
		if err != nil {
			return nil, err
		}
		headers = append(headers, h)
	}
	if headers[0].Hash != after {
		return nil, ledger.Untrue(ledger.FaultWrongBlock, path, "the answer begins with "+headers[0].Hash.String())
	}
	return headers[1:], nil
}

// btcdHeaders uses getheaders, which btcd has and Bitcoin Core has not.
func (n *Node) btcdHeaders(ctx context.Context, after ledger.Hash, count uint64) ([]Header, error) {
	const subject = "getheaders"
	var texts []string
	// Not through call: the code of an error decides what is asked next.
	if err := n.client.Call(ctx, subject, &texts, []string{after.String()}, ""); err != nil {
		return nil, err
	}
	if len(texts) > manyHeaders {
		return nil, ledger.Untrue(ledger.FaultTooLarge, subject, fmt.Sprintf("want at most %d headers, got %d", manyHeaders, len(texts)))
	}
	texts = texts[:min(uint64(len(texts)), count)]
	headers := make([]Header, len(texts))
	for i, text := range texts {
		var err error
		if headers[i], err = readHeader(subject, text); err != nil {
			return nil, err
		}
	}
	return headers, nil
}

// batchHeaders works with every node: the hashes of some heights, then their headers.
func (n *Node) batchHeaders(ctx context.Context, height, count uint64) ([]Header, error) {
	texts, calls := make([]string, count), make([]*rpc.Call, count)
	for i := range calls {
		calls[i] = &rpc.Call{Method: "getblockhash", Params: []any{height + 1 + uint64(i)}, Result: &texts[i]}
	}
	if err := n.batch(ctx, calls, func(i int) string { return fmt.Sprintf("getblockhash of block %d", height+1+uint64(i)) }); err != nil {
		return nil, err
	}
	hashes, headers := make([]ledger.Hash, count), make([]Header, count)
	for i := range hashes {
		var err error
		if hashes[i], err = parseHash("getblockhash", texts[i]); err != nil {
			return nil, err
		}
		calls[i] = &rpc.Call{Method: "getblockheader", Params: []any{hashes[i].String(), false}, Result: &texts[i]}
	}
	subject := func(i int) string { return "getblockheader of " + hashes[i].String() }
	if err := n.batch(ctx, calls, subject); err != nil {
		return nil, err
	}
	for i := range headers {
		var err error
		if headers[i], err = parseHeader(subject(i), texts[i], hashes[i]); err != nil {
			return nil, err
		}
	}
	return headers, nil
}

// batch makes calls that must all succeed.
func (n *Node) batch(ctx context.Context, calls []*rpc.Call, subject func(int) string) error {
	if err := n.client.Batch(ctx, calls); err != nil {
		return err
	}
	for i, c := range calls {
		if c.Err != nil {
			return named(subject(i), c.Err)
		}
	}
	return nil
}
