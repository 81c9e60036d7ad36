package evm

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/ledger"
)

// trials is the number of trials of a random test: SPOOR_TRIALS, or 1,000, or 100
// in short tests (those under the race detector).
func trials(t testing.TB) int {
	t.Helper()
	if s := os.Getenv("SPOOR_TRIALS"); s != "" {
		return must[int](t)(strconv.Atoi(s))
	}
	if testing.Short() {
		return 100
	}
	return 1_000
}

// TestMutations changes one thing in the answers for a real block:
// what is taken in must be the very block, byte for byte, so that only what is in
// no root and in no row may change unseen.
func TestMutations(t *testing.T) {
	worlds := mutationWorlds(t)
	random := rand.New(rand.NewPCG(1, 2))
	n, refused := trials(t), 0
	faults := map[ledger.Fault]int{}
	for range n {
		w := worlds[random.IntN(len(worlds))]
		a, what := mutate(t, random, w.answers)
		got, err := w.decoder.whole("block", a)
		if err == nil {
			if !reflect.DeepEqual(got, w.want) {
				t.Fatalf("%s was taken in as another block", what)
			}
			continue
		}
		fault, named := ledger.FaultOf(err)
		if !named {
			t.Fatalf("%s: %v, want a named fault", what, err)
		}
		faults[fault]++
		refused++
	}
	if refused < n/2 || len(faults) < 5 {
		t.Errorf("%d of %d refused, as %v; want at least half, in five ways", refused, n, faults)
	}
	t.Logf("%d mutations: %d refused, the others changed nothing that is indexed: %v", n, refused, faults)
}

// TestReceiptMutations changes what the receipts root commits to in the receipts of
// a mainnet block: no change at all may pass.
func TestReceiptMutations(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	b, d := modernBlocks(t)[0], newDecoder(t, "ethereum", Contracts{})
	n := trials(t)
	for range n {
		receipts, which := slices.Clone(b.receipts), random.IntN(len(b.receipts))
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(receipts[which], &fields); err != nil {
			t.Fatal(err)
		}
		name := []string{"status", "cumulativeGasUsed", "logs", "logs", "logs"}[random.IntN(5)]
		fields[name] = mutateText(t, random, fields[name])
		receipts[which] = must[[]byte](t)(json.Marshal(fields))
		_, err := d.rules.decodeReceipts("block", b.h, b.txs, receipts)
		if _, named := ledger.FaultOf(err); !named {
			t.Fatalf("receipt %d with %s %s: %v, want a named fault", which, name, fields[name], err)
		}
	}
	t.Logf("%d of %d refused", n, n)
}

type mutationWorld struct {
	decoder *decoder
	answers *answers
	want    *ledger.Block
}

func mutationWorlds(t *testing.T) []mutationWorld {
	t.Helper()
	var all []mutationWorld
	add := func(d *decoder, a *answers) {
		all = append(all, mutationWorld{d, a, must[*ledger.Block](t)(d.whole("block", a))})
	}
	for _, height := range []int{483920, 1755635} {
		add(newDecoder(t, "ethereum", Contracts{}), mainnet(t, height))
	}
	n := start(t, gethtest.Options{})
	var heights []*answers
	contracts := play(t, n, func(height uint64) { heights = append(heights, ask(t, n, height)) })
	d := newDecoder(t, testChain, contracts)
	d.rules.exact, d.rules.foreign = true, false
	for _, a := range heights[1:5] {
		a.calls = nil // in no root
		add(d, a)
	}
	return all
}

// mutate changes one place of a block, or of one of its receipts.
func mutate(t *testing.T, random *rand.Rand, a *answers) (*answers, string) {
	t.Helper()
	changed := *a
	changed.receipts = slices.Clone(a.receipts)
	which := random.IntN(1 + len(a.receipts))
	if which == 0 {
		changed.block = mutateText(t, random, a.block)
		return &changed, "block: " + string(changed.block)
	}
	if which--; random.IntN(20) == 0 {
		switch other := random.IntN(len(a.receipts)); random.IntN(3) {
		case 0:
			changed.receipts = slices.Delete(changed.receipts, which, which+1)
		case 1:
			changed.receipts = append(changed.receipts, a.receipts[other])
		default:
			changed.receipts[which] = a.receipts[other]
		}
		return &changed, "the list of receipts"
	}
	changed.receipts[which] = mutateText(t, random, a.receipts[which])
	return &changed, "receipt: " + string(changed.receipts[which])
}

func mutateText(t *testing.T, random *rand.Rand, text json.RawMessage) json.RawMessage {
	t.Helper()
	for {
		var tree any
		if err := json.Unmarshal(text, &tree); err != nil {
			t.Fatal(err)
		}
		before, holder := must[[]byte](t)(json.Marshal(tree)), []any{tree}
		var places []func(func(any) any)
		collect(holder, nil, &places)
		places[random.IntN(len(places))](func(v any) any { return mutateValue(random, v) })
		if after := must[[]byte](t)(json.Marshal(holder[0])); !bytes.Equal(before, after) {
			return after
		}
	}
}

// collect lists the places of a JSON tree, each as a function that changes it.
func collect(v any, change func(func(any) any), places *[]func(func(any) any)) {
	if change != nil {
		*places = append(*places, change)
	}
	switch x := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			collect(x[k], func(f func(any) any) { x[k] = f(x[k]) }, places)
		}
	case []any:
		for i := range x {
			collect(x[i], func(f func(any) any) { x[i] = f(x[i]) }, places)
		}
	}
}

func mutateValue(random *rand.Rand, v any) any {
	switch x := v.(type) {
	case string:
		if len(x) < 3 {
			return "0x1"
		}
		switch random.IntN(6) {
		case 0:
			return x[:len(x)-1] // an odd number of digits, or a tenth of it
		case 1:
			return x + "00"
		case 2:
			return nil
		default: // one digit
			at := 2 + random.IntN(len(x)-2)
			return x[:at] + string("0123456789abcdef"[random.IntN(16)]) + x[at+1:]
		}
	case []any:
		if len(x) == 0 {
			return []any{"0x1234"}
		}
		i := random.IntN(len(x))
		switch random.IntN(4) {
		case 0:
			return slices.Delete(slices.Clone(x), i, i+1)
		case 1:
			return append(slices.Clone(x), x[i])
		case 2:
			return nil
		}
		y, j := slices.Clone(x), random.IntN(len(x))
		y[i], y[j] = y[j], y[i]
		return y
	case bool:
		return !x
	case nil:
		return "0x5"
	}
	return nil
}
