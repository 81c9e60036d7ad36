package tracer

import (
	"github.com/spoortrace/spoor/ledger"
)

// flowGraph is what traced units can move through, whatever the rule: a replay
// under poison walks everything that any of them can reach, and records it. A
// node is a payment, a UTXO transaction, or an account between two of its
// payments; an edge carries at most what was paid, or the balance that was left.
// Places where traced units end are nodes that others only lead to.
type flowGraph struct {
	edges  []flowEdge
	nodes  int         // they count from 1
	depth  map[int]int // the most ledgers that can lie before a node
	source map[ledger.Asset]int
	ends   map[spot]int
	// crossed are assets that some of it came into by a crossing: their shares are
	// rounded and no flow.
	crossed map[ledger.Asset]bool
	most    int // edges; beyond, full is set and nothing more is recorded
	full    bool
	pending bool // a budget ended somewhere
}

type flowEdge struct {
	from, to int
	room     ledger.Amount
}

func newFlowGraph(most int) *flowGraph {
	return &flowGraph{depth: map[int]int{}, source: map[ledger.Asset]int{}, ends: map[spot]int{}, crossed: map[ledger.Asset]bool{}, most: most}
}

func (g *flowGraph) node() int {
	g.nodes++
	return g.nodes
}

func (g *flowGraph) edge(from, to int, room ledger.Amount, deeper int) {
	if len(g.edges) >= g.most {
		g.full = true
		return
	}
	if from != 0 && to != 0 && !room.IsZero() {
		g.edges = append(g.edges, flowEdge{from, to, room})
		g.depth[to] = max(g.depth[to], g.depth[from]+deeper)
	}
}

// paid records a payment by an account that may hold traced units, or by
// nobody who does, with the seeds that stand on it.
func (g *flowGraph) paid(payer *account, asset ledger.Asset, amount ledger.Amount, seeds []Seed) int {
	if g == nil {
		return 0
	}
	v := g.node()
	if payer != nil {
		g.edge(payer.node, v, amount, 0)
		rest := g.node()
		g.edge(payer.node, rest, payer.sum, 0)
		payer.node = rest
	}
	g.seeded(v, asset, seeds)
	return v
}

// made records an output that may carry traced units.
func (g *flowGraph) made(tx int, asset ledger.Asset, value ledger.Amount, seeds []Seed) int {
	if g == nil {
		return 0
	}
	v := g.node()
	g.edge(tx, v, value, 1)
	g.seeded(v, asset, seeds)
	return v
}

func (g *flowGraph) seeded(v int, asset ledger.Asset, seeds []Seed) {
	for _, s := range seeds {
		if g.source[asset] == 0 {
			g.source[asset] = g.node()
		}
		g.edge(g.source[asset], v, s.Amount, 1)
	}
}

// end records that what passes a node ends at a place.
func (g *flowGraph) end(v int, at spot, room ledger.Amount) {
	if g == nil {
		return
	}
	if g.ends[at] == 0 {
		g.ends[at] = g.node()
	}
	g.edge(v, g.ends[at], room, 0)
}

// leak records that a rule may leave fewer units than are followed in a payment.
func (g *flowGraph) leak(a *arrival, floor ledger.Amount) {
	if g != nil && !floor.IsZero() {
		g.end(a.node, spot{a.To, a.Asset, a.At}, ledger.Min(a.Amount, floor.Minus(ledger.NewAmount(1))))
	}
}

// reach is the most ledgers that can lie one behind the other.
func (g *flowGraph) reach() (most int) {
	for _, d := range g.depth {
		most = max(most, d)
	}
	return most
}
