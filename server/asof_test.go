package server_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store/memkv"
)

func at(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// TestAsOf: the answer is of the block that the as-of names and says so; the
// clock of block 4 stands before that of block 3.
func TestAsOf(t *testing.T) {
	c := local(t, newWorld(t))
	blocks := coinBlocks()
	for asOf, want := range map[string]struct {
		height uint32
		rests  string
	}{
		"":                          {5, "c 3"},
		"5":                         {5, "c 3"},
		"4":                         {4, "a 3"},
		"3":                         {3, "a 3"},
		"2":                         {2, "scam 3"},
		at(coins0 + 20*minute):      {2, "scam 3"},
		at(coins0 + 30*minute - 1):  {2, "scam 3"},
		at(coins0 + 30*minute):      {4, "a 3"},
		at(coins0 + 40*minute):      {4, "a 3"},
		at(coins0 + 50*minute - 1):  {4, "a 3"},
		at(coins0 + 50*minute):      {5, "c 3"},
		"2030-01-01T00:00:00+07:00": {5, "c 3"},
	} {
		got := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("bitcoin", "pay", "")}, MinValue: "0", AsOf: asOf})
		head := got.GetAsOf()[0]
		if term := got.GetTerminals()[0]; who("bitcoin", term.GetAddress())+" "+term.GetDirty() != want.rests || head.GetHeight() != want.height {
			t.Errorf("as of %q: %s %s at height %d, want %s at %d", asOf, who("bitcoin", term.GetAddress()), term.GetDirty(), head.GetHeight(), want.rests, want.height)
		}
		ref := blocks[want.height].Ref
		if head.GetNetwork() != "bitcoin" || head.GetBlockHash() != ref.Hash.String() || head.GetTime().AsTime().UnixMilli() != ref.Time || head.GetLag() != nil {
			t.Errorf("as of %q: says %v, want block %v", asOf, head, ref)
		}
	}
	export := c.trace(t, &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0", AsOf: at(export0 + 3500)})
	head := export.GetAsOf()[0]
	if head.Height != nil || head.GetTime().AsTime().UnixMilli() != export0+3000 || head.GetBlockHash() != exportBlocks(accountRows())[0].Ref.Hash.String() {
		t.Errorf("export as of its row o2: %v", head)
	}
}

// TestAsOfRefused: an as-of that the index cannot answer is refused, and is never the tip in disguise.
func TestAsOfRefused(t *testing.T) {
	c := local(t, newWorld(t))
	for name, test := range map[string]struct {
		ref, asOf string
		code      codes.Code
		want      string
	}{
		"above the tip":        {ref("bitcoin", "pay", ""), "6", codes.FailedPrecondition, "as_of 6: bitcoin is indexed to height 5"},
		"before the payment":   {ref("bitcoin", "pay", ""), "1", codes.FailedPrecondition, "paid at height 2, after the as-of height 1"},
		"genesis":              {ref("bitcoin", "pay", ""), "0", codes.FailedPrecondition, "after the as-of height 0"},
		"time before genesis":  {ref("bitcoin", "pay", ""), at(coins0 - 1), codes.FailedPrecondition, "holds no block up to that time"},
		"before 1970":          {ref("bitcoin", "pay", ""), "1969-12-31T00:00:00Z", codes.FailedPrecondition, "holds no block up to that time"},
		"row not paid yet":     {ref("tron", "v1", ""), at(export0), codes.FailedPrecondition, "paid at 2022-01-05T17:55:13Z, after the as-of 2022-01-05T17:55:12Z"},
		"export, before it":    {ref("tron", "v1", ""), at(export0 - 1), codes.FailedPrecondition, "as-of"},
		"export, before 1970":  {ref("tron", "v1", ""), "1969-12-31T00:00:00Z", codes.FailedPrecondition, "as-of"},
		"height of an export":  {ref("tron", "v1", ""), "5", codes.InvalidArgument, "as_of: want a time with zone: tron is held as exports"},
		"without zone":         {ref("bitcoin", "pay", ""), "2022-01-05T17:55:12", codes.InvalidArgument, "as_of: want a height or a time with zone"},
		"negative":             {ref("bitcoin", "pay", ""), "-1", codes.InvalidArgument, "as_of: want a height"},
		"above every position": {ref("bitcoin", "pay", ""), "9223372036854775807", codes.FailedPrecondition, "indexed to height 5"},
	} {
		_, err := c.stream(t.Context(), &spoorv1.TraceRequest{Refs: []string{test.ref}, MinValue: "0", AsOf: test.asOf})
		if s := status.Convert(err); s.Code() != test.code || !strings.Contains(s.Message(), test.want) {
			t.Errorf("%s: got %v, want %v: %s", name, err, test.code, test.want)
		}
	}
}

// TestAsOfClock: on a chain that keeps Bitcoin's rule (a block is younger than
// the median of the eleven before it, and its clock may run two hours ahead),
// a time names the last block whose clock is not after it.
func TestAsOfClock(t *testing.T) {
	w := emptyWorld(t, memkv.New())
	times := []int64{coins0, coins0 + minute}
	rapid.Check(t, func(rt *rapid.T) {
		if len(times) > 2 {
			return // one chain is enough; rapid chooses it
		}
		for range 150 {
			last := slices.Clone(times[max(0, len(times)-11):])
			slices.Sort(last)
			next := last[len(last)/2] + rapid.Int64Range(1, 20).Draw(rt, "step")*minute
			if rapid.IntRange(0, 5).Draw(rt, "ahead") == 0 {
				next += 120 * minute
			}
			times = append(times, next)
		}
	})
	var blocks []*ledger.Block
	for i, ms := range times {
		var before *ledger.Block
		if i > 0 {
			before = blocks[i-1]
		}
		blocks = append(blocks, block(before, uint64(i), ms, spending("reward "+at(ms)+string(rune(i)), nil, coin{"miner", 50})))
	}
	w.append(t, blocks...)
	c := local(t, w)
	for ms := times[0]; ms < slices.Max(times)+minute; ms += 7 * minute {
		want := uint32(0)
		for h, clock := range times {
			if clock <= ms {
				want = uint32(h)
			}
		}
		got, err := c.stream(t.Context(), &spoorv1.TraceRequest{Refs: []string{"bitcoin:" + blocks[0].Txs[0].ID.String()}, MinValue: "0", AsOf: at(ms)})
		if err != nil {
			t.Fatal(err)
		}
		if height := got.result.GetAsOf()[0].GetHeight(); height != want {
			t.Errorf("as of %s: height %d, want %d", at(ms), height, want)
		}
	}
}
