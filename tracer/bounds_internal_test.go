package tracer

import (
	"context"

	"github.com/spoortrace/spoor/ledger"
)

// At returns what a trace puts at the place of another's terminal.
func At(t *Trace, x *Terminal) ledger.Amount { return t.spots()[x.spot()] }

// MaxFlow returns the greatest flow through edges (from, to, room) between nodes 1 to n.
func MaxFlow(n int, edges [][3]int, from, to int) (ledger.Amount, error) {
	g := newFlowGraph(len(edges))
	g.nodes = n
	for _, e := range edges {
		g.edge(e[0], e[1], ledger.NewAmount(uint64(e[2])), 0)
	}
	flow, _, err := newMaxFlow(g, 1<<20).run(context.Background(), from, map[int]bool{to: true})
	return flow, err
}
