package cluster

import (
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

func TestContradiction(t *testing.T) {
	for _, test := range []struct{ parts, want string }{
		{"", ""},
		{"binance", ""},
		{"binance|", ""},
		{"binance|binance", ""},
		{"binance|kraken", "binance kraken"},
		{"|binance||kraken", "binance kraken"},
		{"binance kraken", ""},
		{"binance kraken|kraken", ""},
		{"binance kraken|huobi", "binance huobi"},
		{"-|binance", ""},
	} {
		var parts [][]ledger.Tag
		for part := range strings.SplitSeq(test.parts, "|") {
			var tags []ledger.Tag
			for _, actor := range strings.Fields(part) {
				tags = append(tags, ledger.Tag{Actor: strings.Trim(actor, "-")})
			}
			parts = append(parts, tags)
		}
		got := ""
		if x, y, found := Contradiction(parts); found {
			got = x.Actor + " " + y.Actor
		}
		if got != test.want {
			t.Errorf("%q: got %q, want %q", test.parts, got, test.want)
		}
	}
}
