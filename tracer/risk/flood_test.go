package risk

import (
	"context"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// Dust does not use up what is looked into: neither before the money, nor at a
// middleman, nor after it where the replay has to go on.
func TestFlood(t *testing.T) {
	dust := strings.Repeat("- a 0.000001\n", 40)
	tags := map[string]string{"ofac": "sanctioned_entity", "binance": "exchange"}
	for _, test := range []struct{ name, text, want string }{
		{"before", "- ofac 90\n- binance 10\nbinance a 10\n" + dust + "ofac a 90", "SEVERE 97"},
		{"after, one hop further", "- ofac 90\nofac m 90\nm a 90\n" + dust, "HIGH 82"},
		{"at the middleman", "- ofac 90\nofac m 90\n" + strings.ReplaceAll(dust, "a ", "m ") + "m a 90", "HIGH 82"},
		// One is told nothing of a history that is not read to its end.
		{"no dust", "- binance 90\nbinance a 10\n" + strings.ReplaceAll(dust, "0.000001", "1") + "binance a 10", "TOO_LITTLE_LABELLED"},
	} {
		a, err := Address(t.Context(), transfers(t, test.text, tags), defaults(t), addr("tron", "a"), Options{Events: 10})
		if err != nil {
			t.Fatal(err)
		}
		if got := said(a); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// gap is a world that does not hold all transfers of one address.
type gap struct {
	world
	at ledger.Address
}

// Covered implements Index.
func (g gap) Covered(ctx context.Context, h ledger.Holder, from ledger.Position) (bool, error) {
	if h.Address == g.at {
		return false, nil
	}
	return g.world.Covered(ctx, h, from)
}

// That money rests is known only where all transfers are held; else it is open, and
// counts in full in what an exposure may be.
func TestRestsOnlyWhereCovered(t *testing.T) {
	tags := map[string]string{"thief": "scam"}
	account := transfers(t, "- a 100\na m 100\nm thief 40", tags)
	coin := coins(t, "m: -> a:100000\np: m.0 -> x:100000\nq: p.0 -> thief:40000 m:60000", tags)
	for _, test := range []struct {
		w     world
		chain ledger.Chain
		high  uint64
	}{{account, "tron", 100_000_000}, {coin, "bitcoin", 100_000}} {
		a, err := Address(t.Context(), gap{test.w, addr(test.chain, "m")}, defaults(t), addr(test.chain, "a"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range a.Exposures {
			if e.Category == "scam" && e.High != ledger.NewAmount(test.high) {
				t.Errorf("%s: up to %s of %s, want %d", test.chain, e.High, e.Category, test.high)
			}
		}
		if len(a.Exposures) == 0 {
			t.Errorf("%s: no exposure", test.chain)
		}
	}
}
