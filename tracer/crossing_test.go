package tracer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// story is a few transactions told leg by leg: "alice router USD 100", one
// transaction a line, its legs in order of execution. Each stands in a block of
// its own, a minute after the one before. "=" before a leg makes it a notice.
type story struct {
	chain ledger.Chain
	lines []string
	every int64 // milliseconds from block to block; 0: a minute
}

func (s story) asset(name string) ledger.Asset {
	if name == "COIN" {
		return ledger.NativeAsset(s.chain)
	}
	return ledger.TokenAsset(named(s.chain, "token "+name))
}

func (s story) who(name string) ledger.Address {
	switch {
	case name == "-":
		return ledger.Address{}
	case strings.HasPrefix(name, "token"):
		return named(s.chain, strings.Replace(name, "token", "token ", 1))
	}
	return named(s.chain, name)
}

func (s story) blocks(t rapid.TB) []*ledger.Block {
	t.Helper()
	every := s.every
	if every == 0 {
		every = 60_000
	}
	var all []*ledger.Block
	for i, line := range s.lines {
		height := uint64(i + 1)
		b := &ledger.Block{Ref: ledger.BlockRef{Chain: s.chain, Height: height, Time: int64(height) * every}}
		tx := ledger.Tx{ID: txID(string(s.chain) + line), Chain: s.chain, Pos: ledger.At(height, 0), Time: b.Ref.Time}
		for slot, leg := range strings.Split(line, ",") {
			s.leg(t, &tx, uint32(slot), strings.Fields(leg))
		}
		b.Txs = []ledger.Tx{tx}
		all = append(all, b)
	}
	return all
}

func (s story) leg(t rapid.TB, tx *ledger.Tx, slot uint32, f []string) {
	t.Helper()
	var amount uint64
	if len(f) < 4 {
		t.Fatalf("leg %q", f)
	}
	if _, err := fmt.Sscan(f[3], &amount); err != nil {
		t.Fatalf("leg %q: %v", f, err)
	}
	kinds := map[string]ledger.NoticeKind{
		"wrap": ledger.NoticeWrapped, "unwrap": ledger.NoticeUnwrapped, "out": ledger.NoticeBridgeOut, "in": ledger.NoticeBridgeIn,
		"freeze": ledger.NoticeFrozen, "unfreeze": ledger.NoticeUnfrozen,
	}
	if kind, ok := kinds[f[0]]; ok {
		n := ledger.Notice{Slot: slot, Kind: kind, Account: s.who(f[1]), Asset: s.asset(f[2]), Amount: ledger.NewAmount(amount)}
		if len(f) > 4 {
			n.Ref = f[4]
		}
		tx.Notices = append(tx.Notices, n)
		return
	}
	leg := ledger.Transfer{Index: slot, Slot: slot, From: s.who(f[0]), To: s.who(f[1]), Asset: s.asset(f[2]), Amount: ledger.NewAmount(amount)}
	switch {
	case len(f) > 4 && f[4] == "fee":
		leg.Kind = ledger.TransferFee
	case len(f) > 4 && f[4] == "seized":
		leg.Kind = ledger.TransferSeized
	case leg.Asset.Native():
		leg.Kind = ledger.TransferInternal
	}
	tx.Transfers = append(tx.Transfers, leg)
}

// told answers what became of a payment: the first leg of the first line of the
// first story.
func told(t *testing.T, policy string, heuristics bool, stories ...story) (*tracer.Trace, *memindex.Index, tracer.Request) {
	t.Helper()
	var blocks []*ledger.Block
	for _, s := range stories {
		blocks = append(blocks, s.blocks(t)...)
	}
	idx, err := memindex.New(blocks, memindex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tx := stories[0].blocks(t)[0].Txs[0]
	leg := tx.Transfers[0]
	seed := tracer.Seed{Ref: "payment", Chain: tx.Chain, Tx: tx.ID, At: ledger.Point{Pos: tx.Pos}, From: leg.From, Address: leg.To, Asset: leg.Asset, Amount: leg.Amount, Time: tx.Time, Kind: leg.Kind}
	req := byDefault(t, policy, seed)
	req.Heuristics = heuristics
	req.Floors = map[ledger.Asset]ledger.Amount{}
	for _, s := range stories {
		for _, name := range []string{"COIN", "USD", "EUR", "GBP", "WCOIN"} {
			req.Floors[s.asset(name)] = ledger.Amount{}
		}
	}
	tr, err := tracer.Run(t.Context(), idx, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	lawful(t, req, tr)
	return tr, idx, req
}

// whereabouts lists the terminals: amount, asset, reason, holder.
func whereabouts(tr *tracer.Trace, stories ...story) []string {
	var all []string
	for _, x := range tr.Terminals {
		asset, who := x.Asset.String(), x.Address.String()
		for _, s := range stories {
			for _, name := range []string{"COIN", "USD", "EUR", "GBP", "WCOIN"} {
				if s.asset(name) == x.Asset {
					asset = name
				}
			}
			for _, name := range []string{"alice", "bob", "pool", "pool2", "pool3", "router", "taker", "mule", "bridge", "maker"} {
				if s.who(name) == x.Address {
					who = name
				}
			}
		}
		all = append(all, fmt.Sprintf("%s %s %s %s", x.Dirty, asset, x.Reason, who))
	}
	slices.Sort(all)
	return all
}

func TestCrossings(t *testing.T) {
	eth := func(lines ...string) []story { return []story{{chain: "ethereum", lines: lines}} }
	for _, test := range []struct {
		name    string
		stories []story
		policy  string
		guess   bool
		want    []string
		crosses []string // kinds in order
	}{
		{
			name:    "swap with a pool",
			stories: eth("maker alice USD 100", "alice pool USD 100, pool alice EUR 50"),
			want:    []string{"50 EUR UNSPENT alice"}, crosses: []string{"SWAP"},
		},
		{
			name:    "the pool pays first",
			stories: eth("maker alice USD 100", "pool alice EUR 50, alice pool USD 100", "alice bob EUR 20"),
			want:    []string{"20 EUR UNSPENT bob", "30 EUR UNSPENT alice"}, crosses: []string{"SWAP"},
		},
		{
			name:    "a router that is paid for it, two pools on the way",
			stories: eth("maker alice USD 100", "alice router USD 100, router taker USD 1, router pool USD 99, pool router EUR 60, router pool2 EUR 60, pool2 router GBP 40, router alice GBP 40"),
			want:    []string{"1 USD UNSPENT taker", "40 GBP UNSPENT alice"}, crosses: []string{"SWAP"},
		},
		{
			name:    "part of what is swapped is traced",
			stories: eth("maker alice USD 30", "bob alice USD 70", "alice pool USD 100, pool alice EUR 7"),
			policy:  "haircut", want: []string{"2 EUR UNSPENT alice"}, crosses: []string{"SWAP"}, // floor(7*30/100)
		},
		{
			name:    "two parts of one swap add up to the floor of the whole",
			stories: eth("maker alice USD 3", "alice pool USD 1, alice pool2 USD 2, pool alice EUR 4, pool2 alice EUR 6"),
			want:    []string{"10 EUR UNSPENT alice"}, crosses: []string{"SWAP", "SWAP"},
		},
		{
			name:    "two swaps in one call",
			stories: eth("maker alice USD 100", "alice pool USD 100, pool alice EUR 50, alice pool2 GBP 9, pool2 alice COIN 8"),
			want:    []string{"50 EUR UNSPENT alice"}, crosses: []string{"SWAP"},
		},
		{
			name:    "the router gives the rest back",
			stories: eth("maker alice USD 100", "alice router USD 100, router pool USD 80, pool router EUR 40, router alice EUR 40, router alice USD 20"),
			want:    []string{"20 USD UNSPENT alice", "40 EUR UNSPENT alice"}, crosses: []string{"SWAP"},
		},
		{
			name:    "to somebody else, signed by who pays",
			stories: eth("maker alice USD 100", "alice pool USD 100, pool bob EUR 50, alice - COIN 1 fee"),
			want:    []string{"50 EUR UNSPENT bob"}, crosses: []string{"SWAP"},
		},
		{
			name:    "to somebody else, signed by nobody known: two payments",
			stories: eth("maker alice USD 100", "alice pool USD 100, pool bob EUR 50"),
			want:    []string{"100 USD UNSPENT pool"},
		},
		{
			name:    "two are paid: nothing is guessed",
			stories: eth("maker alice USD 100", "alice pool USD 100, pool alice EUR 50, pool bob EUR 1"),
			want:    []string{"100 USD CONTRACT pool"},
		},
		{
			name:    "liquidity is no swap",
			stories: eth("maker alice USD 100", "alice pool USD 100, alice pool EUR 50, - alice GBP 7"),
			want:    []string{"100 USD UNSPENT pool"},
		},
		{
			name:    "wrapped",
			stories: eth("maker alice COIN 100", "alice tokenWCOIN COIN 100, - alice WCOIN 100, wrap alice WCOIN 100", "alice bob WCOIN 60"),
			want:    []string{"40 WCOIN UNSPENT alice", "60 WCOIN UNSPENT bob"}, crosses: []string{"WRAP"},
		},
		{
			name:    "unwrapped",
			stories: eth("maker alice WCOIN 100", "alice - WCOIN 100, tokenWCOIN alice COIN 100, unwrap alice WCOIN 100"),
			want:    []string{"100 COIN UNSPENT alice"}, crosses: []string{"UNWRAP"},
		},
		{
			name:    "coin in, wrapped on the way, token out",
			stories: eth("maker alice COIN 100", "alice router COIN 100, router tokenWCOIN COIN 100, - router WCOIN 100, wrap router WCOIN 100, router pool WCOIN 100, pool alice USD 300"),
			want:    []string{"300 USD UNSPENT alice"}, crosses: []string{"SWAP"},
		},
		{
			name: "over a bridge, less its fee",
			stories: []story{
				{chain: "ethereum", lines: []string{"maker alice USD 100", "alice bridge USD 100, out alice USD 100 poly:7"}},
				{chain: "bnb", lines: []string{"maker maker USD 1", "maker maker USD 1", "bridge alice USD 97, in alice USD 97 poly:7", "alice bob USD 10"}},
			},
			want: []string{"10 USD UNSPENT bob", "87 USD UNSPENT alice"}, crosses: []string{"BRIDGE"},
		},
		{
			name: "half of what went over the bridge is traced",
			stories: []story{
				{chain: "ethereum", lines: []string{"maker alice USD 50", "bob alice USD 50", "alice bridge USD 100, out alice USD 100 poly:7"}},
				{chain: "bnb", lines: []string{"maker maker USD 1", "maker maker USD 1", "maker maker USD 1", "bridge alice USD 97, in alice USD 97 poly:7"}},
			},
			policy: "haircut", want: []string{"48 USD UNSPENT alice"}, crosses: []string{"BRIDGE"},
		},
		{
			name:    "a bridge without its other side",
			stories: eth("maker alice USD 100", "alice bridge USD 100, out alice USD 100 poly:7"),
			want:    []string{"100 USD BRIDGE_UNMATCHED bridge"},
		},
		{
			name: "another id is another transfer",
			stories: []story{
				{chain: "ethereum", lines: []string{"maker alice USD 1000", "alice bridge USD 1000, out alice USD 1000 poly:7"}},
				{chain: "bnb", lines: []string{"maker maker USD 1", "maker maker USD 1", "bridge alice USD 995, in alice USD 995 poly:8"}},
			},
			want: []string{"1000 USD BRIDGE_UNMATCHED bridge"},
		},
		{
			name: "recipient, amount and time, where they may be asked",
			stories: []story{
				{chain: "ethereum", lines: []string{"maker alice USD 1000", "alice bridge USD 1000, out alice USD 1000 poly:7"}},
				{chain: "bnb", lines: []string{"maker maker USD 1", "maker maker USD 1", "bridge alice USD 995, in alice USD 995 poly:8"}},
			},
			guess: true, want: []string{"995 USD UNSPENT alice"}, crosses: []string{"BRIDGE"},
		},
		{
			name: "two that could be it are none",
			stories: []story{
				{chain: "ethereum", lines: []string{"maker alice USD 1000", "alice bridge USD 1000, out alice USD 1000 poly:7"}},
				{chain: "bnb", lines: []string{"maker maker USD 1", "maker maker USD 1", "bridge alice USD 995, in alice USD 995 poly:8", "bridge alice USD 996, in alice USD 996 poly:9"}},
			},
			guess: true, want: []string{"1000 USD BRIDGE_UNMATCHED bridge"},
		},
		{
			name:    "frozen where it rests",
			stories: eth("maker alice USD 100", "freeze alice USD 0, maker maker EUR 1"),
			want:    []string{"100 USD FROZEN alice"},
		},
		{
			name:    "frozen, and released",
			stories: eth("maker alice USD 100", "freeze alice USD 0, maker maker EUR 1", "unfreeze alice USD 0, maker maker EUR 1"),
			want:    []string{"100 USD UNSPENT alice"},
		},
		{
			name:    "destroyed by the issuer",
			stories: eth("maker alice USD 100", "freeze alice USD 0, maker maker EUR 1", "alice - USD 100 seized"),
			want:    []string{"100 USD SEIZED "},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy := test.policy
			if policy == "" {
				policy = "fifo"
			}
			tr, idx, req := told(t, policy, test.guess, test.stories...)
			if got := whereabouts(tr, test.stories...); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			var kinds []string
			for _, h := range tr.Hops {
				if h.Crossing != nil {
					kinds = append(kinds, h.Crossing.Kind)
				}
			}
			if !slices.Equal(kinds, test.crosses) {
				t.Errorf("crossings %q, want %q", kinds, test.crosses)
			}
			for _, p := range tracer.Policies() {
				req.Policy = p
				again, err := tracer.Run(t.Context(), idx, req, nil)
				if err != nil {
					t.Fatalf("%s: %v", p.Name, err)
				}
				lawful(t, req, again)
			}
			extendedStories(t, req, test.stories)
		})
	}
}

// extendedStories replays block by block and wants what one replay says.
func extendedStories(t *testing.T, req tracer.Request, stories []story) {
	t.Helper()
	var blocks []*ledger.Block
	for _, s := range stories {
		blocks = append(blocks, s.blocks(t)...)
	}
	slices.SortStableFunc(blocks, func(a, b *ledger.Block) int { return int(a.Ref.Time - b.Ref.Time) })
	for _, policy := range tracer.Policies() {
		req.Policy = policy
		state, err := tracer.NewReplay(req)
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= len(blocks); n++ {
			if len(stories) > 1 && n < len(stories) {
				continue // a network that nothing is held of yet
			}
			idx, err := memindex.New(blocks[:n], memindex.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if fits, err := state.Fits(t.Context(), idx); err != nil {
				t.Fatal(err)
			} else if !fits {
				if state, err = tracer.NewReplay(req); err != nil {
					t.Fatal(err)
				}
			}
			if err := state.Advance(t.Context(), idx); err != nil {
				t.Fatal(err)
			}
			got, err := state.Result(t.Context(), idx)
			if err != nil {
				t.Fatal(err)
			}
			want, err := tracer.Run(t.Context(), idx, req, nil)
			if err != nil {
				t.Fatal(err)
			}
			if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
				t.Fatalf("%s, %d of %d blocks, extended:\n%s\nstarted again:\n%s", policy.Name, n, len(blocks), g, w)
			}
		}
	}
}
