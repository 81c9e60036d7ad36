package tracer_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// TestScripts runs testdata/*.txt, whose README.txt says how they are read. The
// expected answers were worked out by hand from docs/method.md.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d scripts: %v", len(files), err)
	}
	update := flag.Lookup("update").Value.String() == "true"
	for _, name := range files {
		if filepath.Base(name) == "README.txt" {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) { runScript(t, name, update) })
	}
}

// TestMain registers -update. SPOOR_TRIALS is the number of random ledgers of
// each law, 100 without it.
func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the answers of testdata/*.txt")
	if n := os.Getenv("SPOOR_TRIALS"); n != "" {
		if err := flag.Set("rapid.checks", n); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	os.Exit(m.Run())
}

// runScript reads a file: the ledger's lines, and after each question its answer up to a blank line.
func runScript(t *testing.T, name string, update bool) {
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	s := newScript(t)
	var out, want, answer []string
	inAnswer := false
	lines := bufio.NewScanner(strings.NewReader(string(raw)))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch {
		case inAnswer && line == "":
			s.compare(name, want, answer)
			out, inAnswer = append(out, append(answer, "")...), false
		case inAnswer:
			want = append(want, line)
		case line == "----":
			out, want, inAnswer = append(out, line), nil, true
		default:
			out = append(out, line)
			if text, _, _ := strings.Cut(line, "#"); strings.TrimSpace(text) != "" {
				s.line = fmt.Sprintf("%s:%d", name, n)
				answer = s.do(strings.Fields(text))
			}
		}
	}
	if inAnswer {
		s.compare(name, want, answer)
		out = append(out, answer...)
	}
	if update {
		if err := os.WriteFile(name, []byte(strings.Join(out, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *script) compare(name string, want, got []string) {
	s.t.Helper()
	if !slices.Equal(want, got) && flag.Lookup("update").Value.String() != "true" {
		s.t.Errorf("%s: %s\n-- want\n%s\n-- got\n%s", s.line, name, strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

// script is the ledger that a file has described so far.
type script struct {
	t       *testing.T
	line    string
	chain   ledger.Chain
	asset   ledger.Asset
	blocks  map[uint64]*ledger.Block
	options memindex.Options
	missing map[uint64]bool
	last    uint64
	people  map[ledger.Address]string
	txs     map[ledger.TxID]string
}

func newScript(t *testing.T) *script {
	return &script{
		t: t, blocks: map[uint64]*ledger.Block{}, missing: map[uint64]bool{},
		people: map[ledger.Address]string{{}: "nobody"}, txs: map[ledger.TxID]string{},
	}
}

func (s *script) fatal(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s: %s", s.line, fmt.Sprintf(format, args...))
}

func (s *script) number(text string) uint64 {
	s.t.Helper()
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		s.fatal("%v", err)
	}
	return n
}

func (s *script) do(words []string) []string {
	switch words[0] {
	case "chain":
		s.chain = ledger.Chain(words[1])
		s.asset = ledger.NativeAsset(s.chain)
	case "asset":
		s.asset = s.assetOf(words[1])
	case "last":
		s.last = s.number(words[1])
	case "missing":
		s.missing[s.number(words[1])] = true
	case "export":
		s.claim(words[1:])
	case "tag":
		s.tag(words[1], words[2], words[3:])
	case "many":
		s.many(words[1:])
	case "trace":
		return s.trace(words[1:])
	default:
		s.transaction(words)
	}
	return nil
}

func (s *script) assetOf(name string) ledger.Asset {
	switch name {
	case "usdt":
		a, _ := ledger.AssetBySymbol(s.chain, "USDT")
		return a
	case "steth":
		a, err := ledger.ParseAddress("ethereum", "0xae7ab96520DE3A18E5e111B5EaAb095312D7fE84")
		if err != nil {
			s.fatal("%v", err)
		}
		return ledger.TokenAsset(a)
	}
	return ledger.TokenAsset(s.person(name))
}

func (s *script) person(name string) ledger.Address {
	a := named(s.chain, name)
	switch name {
	case "nobody":
		return ledger.Address{}
	case "zero":
		a = ledger.AccountAddress(s.chain, [20]byte{})
	case "return":
		a = ledger.ScriptAddress(s.chain, []byte{0x6a, 1, 7})
	}
	s.people[a] = name
	return a
}

// claim makes the chain an export: "nothing", or NAME FROM..TO.
func (s *script) claim(words []string) {
	if s.options.Claims == nil {
		s.options.Claims = map[ledger.Chain][]ledger.Claim{s.chain: {}}
	}
	if len(words) < 2 {
		return
	}
	from, to, _ := strings.Cut(words[1], "..")
	c := ledger.Claim{Account: s.person(words[0]), Range: ledger.Range{From: s.number(from), To: s.number(to)}}
	s.options.Claims[s.chain] = append(s.options.Claims[s.chain], c)
}

// timeOf is a second a block.
func timeOf(height uint64) int64 { return int64(height) * 1000 }

func (s *script) tag(name, category string, options []string) {
	tag := ledger.Tag{Address: s.person(name), Category: category, Confidence: 50}
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "confidence":
			tag.Confidence = int(s.number(value))
		case "from":
			tag.ValidFrom = timeOf(s.number(value))
		case "to":
			tag.ValidTo = timeOf(s.number(value))
		case "concept":
			tag.Concepts = append(tag.Concepts, value)
		default:
			s.fatal("a tag has no %s", key)
		}
	}
	s.options.Tags = append(s.options.Tags, tag)
}

// many is "many N TX @H FROM -> TO AMOUNT": N transactions to N payees, numbered from 1.
func (s *script) many(words []string) {
	for i := range s.number(words[0]) {
		n := fmt.Sprint(i + 1)
		s.transaction([]string{words[1] + n, words[2], words[3], "->", words[5] + n, words[6]})
	}
}

// build returns the blocks in order; what is not missing is held, empty or not.
func (s *script) build() *memindex.Index {
	w := &world{chain: s.chain}
	first := s.last
	for h := range s.blocks {
		s.last, first = max(s.last, h), min(first, h)
	}
	for h := first; h <= s.last; h++ {
		if b := s.blocks[h]; b != nil || !s.missing[h] {
			w.blocks = append(w.blocks, s.block(h))
		}
	}
	for _, b := range w.blocks { // the coinbase last
		slices.SortStableFunc(b.Txs, func(x, y ledger.Tx) int { return order(x) - order(y) })
		for i := range b.Txs {
			b.Txs[i].Pos = ledger.At(b.Ref.Height, uint32(i))
		}
	}
	return w.index(s.t, s.options)
}

func order(tx ledger.Tx) int {
	if tx.Coinbase {
		return 1
	}
	return 0
}

func (s *script) block(height uint64) *ledger.Block {
	if s.blocks[height] == nil {
		s.blocks[height] = &ledger.Block{Ref: ledger.BlockRef{Chain: s.chain, Height: height, Time: timeOf(height)}}
	}
	return s.blocks[height]
}

func (s *script) trace(words []string) []string {
	idx := s.build()
	req, bounds := s.request(idx, words)
	run := func() (*tracer.Trace, error) { return tracer.Run(context.Background(), idx, req, nil) }
	if slices.Contains(words, "upstream") {
		run = func() (*tracer.Trace, error) { return tracer.Upstream(context.Background(), idx, req, nil) }
	}
	tr, err := run()
	if err != nil {
		return []string{"error: " + err.Error()}
	}
	if bounds {
		all, err := tracer.RunAll(context.Background(), idx, req, tracer.ComparedPolicies())
		if err != nil {
			s.fatal("%v", err)
		}
		tr.SetBounds(all)
	}
	return s.render(tr, bounds)
}
