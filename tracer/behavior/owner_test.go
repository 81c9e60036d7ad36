package behavior

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// story is a made-up ledger of TRON from its first block on, one transaction a line
// (the first height is 1):
//
//	height minute pay FROM TO COINS ASSET      TRX or USDT
//	height minute keys ACCOUNT PERMISSIONS     "owner 1: bob 1; active 2: x 1, y 1"
//	height minute lend FROM TO                 energy
//	height minute make BY CONTRACT
//	height minute activate BY ACCOUNT
//	label NAME CATEGORY
type story struct {
	blocks []*ledger.Block
	tags   []ledger.Tag
}

func tron(name string) ledger.Address {
	h := sha256.Sum256([]byte(name))
	return ledger.AccountAddress("tron", [20]byte(h[:20]))
}

func read(t testing.TB, text string) story {
	t.Helper()
	var s story
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "label" {
			s.tags = append(s.tags, ledger.Tag{Address: tron(words[1]), Chain: "tron", Label: words[1], Category: words[2], Confidence: 50})
			continue
		}
		var height uint64
		var minute int64
		if _, err := fmt.Sscan(words[0]+" "+words[1], &height, &minute); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		tx := ledger.Tx{ID: sha256.Sum256(fmt.Append(nil, i)), Chain: "tron", Time: (minute + 1) * 60_000}
		act(t, &tx, words[2], words[3:])
		s.add(height, tx)
	}
	return s
}

func (s *story) add(height uint64, tx ledger.Tx) {
	for len(s.blocks) < int(height) {
		n := uint64(len(s.blocks))
		b := &ledger.Block{Ref: ledger.BlockRef{Chain: "tron", Height: n, Time: tx.Time, Hash: ledger.Hash{0: 1, 31: byte(n)}}}
		if n > 0 {
			b.Parent = s.blocks[n-1].Ref.Hash
		}
		s.blocks = append(s.blocks, b)
	}
	b := s.blocks[height-1]
	tx.Pos = ledger.At(height-1, uint32(len(b.Txs)+1))
	b.Txs = append(b.Txs, tx)
}

func act(t testing.TB, tx *ledger.Tx, verb string, words []string) {
	t.Helper()
	n := ledger.Notice{Account: tron(words[0])}
	switch verb {
	case "pay":
		asset := ledger.NativeAsset("tron")
		if words[3] != "TRX" {
			asset, _ = ledger.AssetBySymbol("tron", words[3])
		}
		amount, err := ledger.ParseCoins(words[2], ledger.InfoOf(asset).Decimals)
		if err != nil {
			t.Fatal(err)
		}
		tx.Transfers = []ledger.Transfer{{From: tron(words[0]), To: tron(words[1]), Asset: asset, Amount: amount, Slot: 1}}
		return
	case "keys":
		n.Kind = ledger.NoticePermission
		for i, word := range words[1:] {
			if strings.Trim(word, "0123456789:,;") != "" && word != "owner" && word != "active" && word != "witness" {
				words[i+1] = tron(word).String()
			}
		}
		n.Ref = strings.Join(words[1:], " ")
	case "lend":
		n.Kind, n.Peer, n.Ref = ledger.NoticeDelegated, tron(words[1]), "energy"
	case "make":
		n.Kind, n.Account, n.Peer = ledger.NoticeCreated, tron(words[1]), tron(words[0])
	case "activate":
		n.Kind, n.Account, n.Peer = ledger.NoticeActivated, tron(words[1]), tron(words[0])
	default:
		t.Fatalf("no such verb: %s", verb)
	}
	tx.Notices = []ledger.Notice{n}
}

func (s story) index(t testing.TB, o memindex.Options) *memindex.Index {
	t.Helper()
	o.Tags = s.tags
	idx, err := memindex.New(s.blocks, o)
	if err != nil {
		t.Fatal(err)
	}
	return idx
}

// owner asks a story and returns the names of the members, of those with one letter.
func owner(t testing.TB, idx Index, q Question, text string) ([]string, *Cluster) {
	t.Helper()
	c, err := ClusterOf(t.Context(), idx, q)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range c.Members {
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n,;:", r) }) {
			if len(word) == 1 && tron(word) == m && !slices.Contains(all, word) {
				all = append(all, word)
			}
		}
	}
	slices.Sort(all)
	return all, c
}

func crowdOf(n int, format string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("\n" + strings.ReplaceAll(format, "%n", fmt.Sprint(i)))
	}
	return b.String()
}

const ends = `
1 0 keys a owner 1: k 1
2 0 keys b owner 1: k 1`

func TestClusterOfAccounts(t *testing.T) {
	funded := "1 0 pay f a 5 TRX\n1 0 pay f b 5 TRX\n"
	for _, test := range []struct{ name, text, t0, t2 string }{
		{"one key", ends, "a b k", "a b k"},
		{"active keys", "1 0 keys a owner 1: a 1; active 1: k 1\n2 0 keys b owner 1: b 1; active 1: k 1", "a b k", "a b k"},
		{"a key that blocks are made with", "1 0 keys a owner 1: a 1; witness 1: k 1\n2 0 keys b owner 1: b 1; witness 1: k 1", "a", "a"},
		{"its own key", "1 0 keys a owner 1: a 1; active 1: a 1", "a", "a"},
		{"a key that was replaced", ends + "\n3 0 keys b owner 1: z 1", "a k", "a k"},
		{"and its holder's own", ends + "\n3 0 keys k owner 1: z 1", "a b", "a b"},
		{"a co-signer", "1 0 keys a owner 2: a 1, k 1\n2 0 keys b owner 2: b 1, k 1", "a", "a"},
		{"all signers", "1 0 keys a owner 2: j 1, k 1\n2 0 keys b owner 2: k 1, j 1", "a b", "a b"},
		{"a key of a service", ends + "\nlabel k exchange", "a", "a"},
		{"a key of twenty", ends + crowdOf(18, "3 0 keys c%n owner 1: k 1"), "a b k", "a b k"},
		{"a key of twenty-one", ends + crowdOf(19, "3 0 keys c%n owner 1: k 1"), "a", "a"},
		{"a chain of keys", ends + "\n3 0 keys c owner 1: b 1\n4 0 keys d owner 1: l 1; active 1: k 1\n5 0 keys e owner 1: l 1", "a b d e k l", "a b d e k l"},
		{"a service in the middle", "1 0 keys a owner 1: s 1\n2 0 keys b owner 1: s 1\nlabel s exchange", "a", "a"},

		{"a contract", "1 0 make a c\n2 0 make a d", "a c d", "a c d"},
		{"a contract and its maker's other account", "1 0 make b c\n2 0 keys a owner 1: b 1", "a b c", "a b c"},
		{"a factory of contracts", "1 0 make b a\n2 0 make a c\n3 0 make a d", "a b", "a b"},
		{"who makes twenty", crowdOf(19, "1 0 make x c%n") + "\n2 0 make x a", "a x", "a x"},
		{"who makes twenty-one", crowdOf(20, "1 0 make x c%n") + "\n2 0 make x a", "a", "a"},
		{"an account that was paid for is no contract", "1 0 activate b a", "a", "a"},

		{"funded, and nothing else", funded, "a", "a"},
		{"swept to one", funded + "2 0 pay u a 50 USDT\n3 0 pay a w 50 USDT\n4 0 pay v b 60 USDT\n5 9000 pay b w 55 USDT", "a", "a b"},
		{"swept by half", funded + "2 0 pay u a 50 USDT\n3 0 pay a w 50 USDT\n4 0 pay v b 60 USDT\n5 9000 pay b w 30 USDT", "a", "a"},
		{"swept to a service", funded + "2 0 pay u a 50 USDT\n3 0 pay a w 50 USDT\n4 0 pay v b 60 USDT\n5 9000 pay b w 55 USDT\nlabel w exchange", "a", "a"},
		{"swept to a contract", funded + "1 0 make z w\n2 0 pay u a 50 USDT\n3 0 pay a w 50 USDT\n4 0 pay v b 60 USDT\n5 9000 pay b w 55 USDT", "a", "a"},
		{"paid the same first", funded + "2 0 pay u a 50 USDT\n3 0 pay a w 5 USDT\n4 0 pay v b 60 USDT\n5 1440 pay b w 5 USDT", "a", "a b"},
		{"paid the same first, a day later", funded + "2 0 pay u a 50 USDT\n3 0 pay a w 5 USDT\n4 0 pay v b 60 USDT\n5 1441 pay b w 5 USDT", "a", "a"},
		{"paid the same second", funded + "2 0 pay u a 50 USDT\n3 0 pay a w 5 USDT\n4 0 pay v b 60 USDT\n5 0 pay b y 5 USDT\n6 0 pay b w 5 USDT", "a", "a"},
		{"swept to whom twenty pay", funded + crowdOf(18, "1 0 pay c%n w 5 USDT") + "\n2 0 pay u a 50 USDT\n3 0 pay a w 50 USDT\n4 0 pay v b 60 USDT\n5 9000 pay b w 55 USDT", "a", "a b"},
		{"swept to whom twenty-one pay", funded + crowdOf(19, "1 0 pay c%n w 5 USDT") + "\n2 0 pay u a 50 USDT\n3 0 pay a w 50 USDT\n4 0 pay v b 60 USDT\n5 9000 pay b w 55 USDT", "a", "a"},
		{"funded by two", "1 0 pay f a 5 TRX\n1 0 pay g b 5 TRX\n2 0 pay a w 4.9 TRX\n3 0 pay b w 4.9 TRX", "a", "a"},
		{"activated", "1 0 activate f a\n2 0 activate f b\n3 0 keys a owner 2: a 1, k 1\n4 0 keys b owner 2: b 1, k 1", "a", "a b"},
		{"funded by a service", funded + "2 0 pay a w 4.9 TRX\n3 0 pay b w 4.9 TRX\nlabel f exchange", "a", "a"},
		{"funded by a faucet", funded + crowdOf(19, "1 0 pay f c%n 5 TRX") + "\n2 0 pay a w 4.9 TRX\n3 0 pay b w 4.9 TRX", "a", "a"},
		{"funded by who funds twenty", funded + crowdOf(18, "1 0 pay f c%n 5 TRX") + "\n2 0 pay a w 4.9 TRX\n3 0 pay b w 4.9 TRX", "a", "a b"},
		{"funded by a market", funded + crowdOf(21, "1 0 lend f c%n") + "\n2 0 pay a w 4.9 TRX\n3 0 pay b w 4.9 TRX", "a", "a"},

		{"lent three times", "1 0 lend b a\n2 0 lend b a\n3 0 lend b a", "a", "a b"},
		{"lent twice", "1 0 lend b a\n2 0 lend b a", "a", "a"},
		{"who lends three times", "1 0 lend a b\n2 0 lend a b\n3 0 lend a b", "a", "a b"},
		{"lent by a market", "1 0 lend b a\n2 0 lend b a\n3 0 lend b a" + crowdOf(20, "4 0 lend b c%n"), "a", "a"},

		{"two victims", "label a scam.romance\nlabel b scam\n1 0 pay u a 5 USDT\n2 0 pay u b 5 USDT\n3 0 pay v b 5 USDT\n4 0 pay v a 5 TRX", "a", "a b"},
		{"one victim", "label a scam.romance\nlabel b scam\n1 0 pay u a 5 USDT\n2 0 pay u b 5 USDT\n3 0 pay v b 5 USDT", "a", "a"},
		{"two victims of one that is not labelled", "label a scam.romance\n1 0 pay u a 5 USDT\n2 0 pay u b 5 USDT\n3 0 pay v b 5 USDT\n4 0 pay v a 5 USDT", "a", "a"},
		{"two victims through exchanges", "label u exchange\nlabel v exchange\nlabel a scam.romance\nlabel b scam\n1 0 pay u a 5 USDT\n2 0 pay u b 5 USDT\n3 0 pay v b 5 USDT\n4 0 pay v a 5 USDT", "a", "a"},
		{"dust", "label a scam\nlabel b scam\n1 0 pay u a 5 USDT\n2 0 pay u b 0.5 USDT\n3 0 pay v b 5 USDT\n4 0 pay v a 5 USDT", "a", "a"},
		{"one consolidation", "label a scam\nlabel b scam\n1 0 pay u a 100 USDT\n2 10 pay v b 100 USDT\n3 1440 pay a w 80 USDT\n4 1450 pay b w 90 USDT", "a", "a b"},
		{"too late", "label a scam\nlabel b scam\n1 0 pay u a 100 USDT\n2 10 pay v b 100 USDT\n3 1441 pay a w 80 USDT\n4 1450 pay b w 90 USDT", "a", "a"},
		{"too little", "label a scam\nlabel b scam\n1 0 pay u a 100 USDT\n2 10 pay v b 100 USDT\n3 1440 pay a w 79.999999 USDT\n4 1450 pay b w 90 USDT", "a", "a"},
		{"consolidated at a service", "label w exchange\nlabel a scam\nlabel b scam\n1 0 pay u a 100 USDT\n2 10 pay v b 100 USDT\n3 1440 pay a w 80 USDT\n4 1450 pay b w 90 USDT", "a", "a"},

		{"one deposit address", "label x exchange\n1 0 pay a d 5 USDT\n2 0 pay d x 5 USDT\n3 0 pay b d 6 USDT\n4 0 pay d x 6 USDT", "a", "a b"},
		{"a money changer's deposit address", "label x exchange\nlabel d terrorist_financing\n1 0 pay a d 5 USDT\n2 0 pay d x 5 USDT\n3 0 pay b d 6 USDT\n4 0 pay d x 6 USDT", "a", "a"},
		{"a scam that pays one", "label x exchange\nlabel b scam\n1 0 pay a d 5 USDT\n2 0 pay d x 5 USDT\n3 0 pay b d 6 USDT\n4 0 pay d x 6 USDT", "a", "a b"},
	} {
		idx := read(t, test.text).index(t, memindex.Options{})
		for tier, want := range map[ledger.Tier]string{ledger.TierExact: test.t0, ledger.TierBehavior: test.t2} {
			got, c := owner(t, idx, Question{Of: tron("a"), Tier: tier}, test.text)
			if strings.Join(got, " ") != want {
				t.Errorf("%s, %s: got %v, want %s; limits %v", test.name, tier, got, want, c.Limits)
			}
			for _, j := range c.Joins {
				if j.Tier > tier || j.Tx == (ledger.TxID{}) || j.Detail == "" {
					t.Errorf("%s, %s: %+v", test.name, tier, j)
				}
			}
		}
	}
}

func TestHeuristics(t *testing.T) {
	for _, test := range []struct {
		chain ledger.Chain
		tier  ledger.Tier
		want  string
	}{
		{"tron", ledger.TierExact, "permission key, contract creator"},
		{"ethereum", ledger.TierChange, "contract creator"},
		{"ethereum", ledger.TierBehavior, "contract creator, deposit reuse, funder, scam collectors"},
		{"tron", ledger.TierBehavior, "permission key, contract creator, deposit reuse, TRON deposit signature, funder, energy delegation, scam collectors"},
	} {
		if got := strings.Join(Heuristics(test.chain, test.tier), ", "); got != test.want {
			t.Errorf("%s, %s: got %s, want %s", test.chain, test.tier, got, test.want)
		}
	}
}
