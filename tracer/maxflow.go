package tracer

import (
	"context"

	"github.com/spoortrace/spoor/ledger"
)

// maxFlow computes greatest flows over one graph by Dinic's algorithm (1970):
// phases of shortest paths, each saturated before the next. Units are integers of
// 256 bits and nothing is rounded.
type maxFlow struct {
	first []int32 // the first arc of a node, -1: none
	arcs  []arc   // the one back beside each
	room  []ledger.Amount
	whole []ledger.Amount // room before any flow
	level []int32
	at    []int32 // the next arc to try
	steps int     // that may still be taken
}

type arc struct{ to, next int32 }

func newMaxFlow(g *flowGraph, steps int) *maxFlow {
	f := &maxFlow{first: make([]int32, g.nodes+2), level: make([]int32, g.nodes+2), at: make([]int32, g.nodes+2), steps: steps}
	for i := range f.first {
		f.first[i] = -1
	}
	for _, e := range g.edges {
		f.add(e.from, e.to, e.room)
		f.add(e.to, e.from, ledger.Amount{})
	}
	f.room = make([]ledger.Amount, len(f.whole))
	return f
}

func (f *maxFlow) add(from, to int, room ledger.Amount) {
	f.arcs = append(f.arcs, arc{int32(to), f.first[from]})
	f.first[from] = int32(len(f.arcs) - 1)
	f.whole = append(f.whole, room)
}

// run returns the greatest flow from a node to those of a set; false when the
// steps are used up.
func (f *maxFlow) run(ctx context.Context, source int, sinks map[int]bool) (total ledger.Amount, ok bool, err error) {
	copy(f.room, f.whole)
	f.steps -= len(f.room)
	for f.steps > 0 && f.layer(source, sinks) {
		if err := ctx.Err(); err != nil {
			return total, false, err
		}
		copy(f.at, f.first)
		f.steps -= len(f.at)
		total = total.Plus(f.push(source, sinks, ledger.Amount{}, true))
	}
	return total, f.steps > 0, nil
}

// layer numbers the nodes by distance; false when no sink is in reach.
func (f *maxFlow) layer(source int, sinks map[int]bool) bool {
	for i := range f.level {
		f.level[i] = -1
	}
	f.steps -= len(f.level)
	f.level[source] = 0
	found := false
	for queue := []int32{int32(source)}; len(queue) > 0; queue = queue[1:] {
		v := queue[0]
		if sinks[int(v)] {
			found = true
			continue
		}
		for a := f.first[v]; a >= 0; a = f.arcs[a].next {
			f.steps--
			if to := f.arcs[a].to; f.level[to] < 0 && !f.room[a].IsZero() {
				f.level[to] = f.level[v] + 1
				queue = append(queue, to)
			}
		}
	}
	return found
}

// push sends what it can from a node along the layers, at most some units. The
// source has no limit of its own.
func (f *maxFlow) push(v int, sinks map[int]bool, most ledger.Amount, unlimited bool) (sent ledger.Amount) {
	if sinks[v] {
		return most
	}
	for ; f.at[v] >= 0; f.at[v] = f.arcs[f.at[v]].next {
		f.steps--
		a := f.at[v]
		to := f.arcs[a].to
		if f.room[a].IsZero() || f.level[to] != f.level[v]+1 || f.steps <= 0 {
			continue
		}
		part := f.room[a]
		if !unlimited {
			part = ledger.Min(part, most.Minus(sent))
		}
		passed := f.push(int(to), sinks, part, false)
		f.room[a] = f.room[a].Minus(passed)
		back, err := f.room[a^1].Add(passed)
		if err != nil {
			back = f.room[a^1] // more than 256 bits of room never binds
		}
		f.room[a^1] = back
		sent = sent.Plus(passed)
		if !unlimited && sent == most {
			return sent // the arc may have more
		}
	}
	return sent
}
