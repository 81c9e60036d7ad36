// Package sourcetest has what tests of sources need: Conform, which every
// implementation of store.Source must pass, and Chain, a source in memory whose
// reorgs, lag and faults a test scripts.
package sourcetest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/spoortrace/spoor/ledger"
)

// Call is a question to a source.
type Call struct {
	Method string // "Head", "Hash", "Block"
	Height uint64 // 0 for Head
}

// Chain is a source in memory. The zero value is not usable; see New. It is safe
// for concurrent use, and every change is seen whole.
type Chain struct {
	name ledger.Chain

	mu     sync.Mutex
	blocks []*ledger.Block
	lag    int
	brag   uint64
	final  *uint64
	fault  func(context.Context, Call) error
	change func(*ledger.Block) *ledger.Block
	calls  map[string]int
	hints  chan struct{}
}

// New returns a source of linked blocks, in order of height without gaps.
func New(name ledger.Chain, blocks ...*ledger.Block) *Chain {
	return &Chain{name: name, blocks: slices.Clone(blocks), calls: map[string]int{}, hints: make(chan struct{}, 1)}
}

// Set replaces the whole chain: a reorg, to one of any length.
func (c *Chain) Set(blocks ...*ledger.Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocks = slices.Clone(blocks)
}

// Extend adds blocks at the end.
func (c *Chain) Extend(blocks ...*ledger.Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocks = append(c.blocks, blocks...)
}

// Lag hides the last n blocks.
func (c *Chain) Lag(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lag = n
}

// Brag lets Head claim n blocks more than there are.
func (c *Chain) Brag(n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.brag = n
}

// Finalize sets the height that Head calls final; nil: it names none.
func (c *Chain) Finalize(height *uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.final = height
}

// Fail lets calls fail: f is asked before each, nil lets it pass. It may block
// until its context ends, as a connection that is half open does.
func (c *Chain) Fail(f func(context.Context, Call) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = f
}

// Lie changes what Block returns; f gets a copy.
func (c *Chain) Lie(f func(*ledger.Block) *ledger.Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change = f
}

// Calls returns how often a method was called.
func (c *Chain) Calls(method string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[method]
}

// Hint lets Wait return.
func (c *Chain) Hint() {
	select {
	case c.hints <- struct{}{}:
	default:
	}
}

// Wait implements store.Hinter.
func (c *Chain) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.hints:
		return nil
	}
}

// Chain implements store.Source.
func (c *Chain) Chain() ledger.Chain { return c.name }

// String names the source.
func (c *Chain) String() string { return "scripted " + string(c.name) }

// Head implements store.Source.
func (c *Chain) Head(ctx context.Context) (ledger.Head, error) {
	visible, err := c.ask(ctx, Call{Method: "Head"})
	if err != nil {
		return ledger.Head{}, err
	}
	if len(visible) == 0 {
		return ledger.Head{}, ledger.Untrue(ledger.FaultLagging, "head", "no block")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	tip := visible[len(visible)-1].Ref
	if c.brag > 0 {
		tip.Height, tip.Hash[0] = tip.Height+c.brag, tip.Hash[0]^1
	}
	return ledger.Head{Tip: tip, Final: c.final}, nil
}

// Hash implements store.Source.
func (c *Chain) Hash(ctx context.Context, height uint64) (ledger.Hash, error) {
	visible, err := c.ask(ctx, Call{"Hash", height})
	if err != nil {
		return ledger.Hash{}, err
	}
	b, err := at(visible, height)
	if err != nil {
		return ledger.Hash{}, err
	}
	return b.Ref.Hash, nil
}

// Block implements store.Source.
func (c *Chain) Block(ctx context.Context, height uint64) (*ledger.Block, error) {
	visible, err := c.ask(ctx, Call{"Block", height})
	if err != nil {
		return nil, err
	}
	b, err := at(visible, height)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	change := c.change
	c.mu.Unlock()
	copied := *b
	if change != nil {
		return change(&copied), nil
	}
	return &copied, nil
}

// ask counts a call, lets it fail, and returns the blocks that the source shows.
func (c *Chain) ask(ctx context.Context, call Call) ([]*ledger.Block, error) {
	c.mu.Lock()
	c.calls[call.Method]++
	fault := c.fault
	c.mu.Unlock()
	if fault != nil {
		if err := fault(ctx, call); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.blocks[:max(len(c.blocks)-c.lag, 0)], ctx.Err()
}

func at(blocks []*ledger.Block, height uint64) (*ledger.Block, error) {
	if len(blocks) == 0 || height < blocks[0].Ref.Height || height-blocks[0].Ref.Height >= uint64(len(blocks)) {
		return nil, ledger.Untrue(ledger.FaultLagging, fmt.Sprintf("block %d", height), "not on the chain of the source")
	}
	return blocks[height-blocks[0].Ref.Height], nil
}
