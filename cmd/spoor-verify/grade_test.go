package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// value is a JSON object that tests change.
type value = map[string]any

// world is what a package says of the transactions of the test data: every transfer of them is a row.
type world struct {
	rows, txs, blocks, proofs []value
	files                     map[string][]byte
}

// worldOf writes rows and records for all proofs. Each row claims as much as its proof shows.
func worldOf(t testing.TB, networks ...string) *world {
	t.Helper()
	w := &world{files: map[string][]byte{}}
	heights := map[string]bool{}
	for _, name := range networks {
		for i, c := range proofCases(t, name) {
			s, err := readProof(c.Network, c.Proof)
			if err != nil {
				t.Fatal(err)
			}
			file := "proofs/" + c.Network + "/" + strings.TrimPrefix(s.tx, "0x") + ".json"
			w.files[file] = c.Proof
			w.proofs = append(w.proofs, value{"file": file, "network": c.Network, "tx": s.tx})
			height := s.height
			if name == "bitcoin" { // those of early blocks state none
				height = max(height, uint64(i+1))
			}
			if block := fmt.Sprint(c.Network, s.block); !heights[block] || name == "bitcoin" && s.height == 0 {
				heights[block] = true
				w.blocks = append(w.blocks, value{"network": c.Network, "height": height, "hash": s.block})
			}
			w.add(c.Network, file, height, uint32(max(s.index, 7)), s)
		}
	}
	return w
}

func (w *world) add(network, file string, height uint64, index uint32, s shown) {
	if s.index >= 0 {
		index = uint32(s.index)
	}
	if s.outputs != nil && s.index == 0 { // the coinbase stands last
		index = 1 << s.depth
	}
	at := time.UnixMilli(s.time).UTC()
	tx := value{"network": network, "tx": s.tx, "height": height, "tx_index": index, "time": at, "coinbase": s.outputs != nil && s.index == 0}
	row := value{"network": network, "tx": s.tx, "block": s.block, "time": at, "proof": file, "from": "", "grade": "attested"}
	var ins, outs, transfers []value
	for _, in := range s.inputs {
		one := value{"tx": in.tx, "index": in.index, "known": in.known}
		if in.known {
			one["address"], one["value"] = in.address, in.value.String()
			row["from"] = in.address
		}
		ins = append(ins, one)
	}
	put := func(slot int, more value) {
		one := maps.Clone(row)
		maps.Copy(one, more)
		one["id"], one["place"] = fmt.Sprintf("L-%d", len(w.rows)+1), value{"height": height, "tx_index": index, "slot": slot}
		w.rows = append(w.rows, one)
	}
	for i, out := range s.outputs {
		outs = append(outs, value{"address": out.address, "value": out.value.String()})
		grade := "attested"
		if s.amounts {
			grade = "proven"
		}
		put(0, value{"index": fmt.Sprint(i), "to": out.address, "asset": network + ":native", "amount": out.value.String(), "grade": grade})
	}
	for slot, m := range s.moves {
		transfers = append(transfers, value{"slot": slot, "kind": m.kind})
		more := value{"index": "n", "from": m.from, "to": m.to, "asset": m.asset, "amount": m.amount, "grade": "attested"}
		if m.certain {
			more["grade"] = "proven"
		}
		if m.log >= 0 {
			more["index"] = fmt.Sprint(m.log + 3*int(index))
		}
		put(slot, more)
	}
	tx["inputs"], tx["outputs"], tx["transfers"] = ins, outs, transfers
	w.txs = append(w.txs, tx)
}

func (w *world) pack(t testing.TB) *pack {
	t.Helper()
	p := &pack{name: "case-1-court", files: maps.Clone(w.files), tags: map[string][]byte{}}
	for path, v := range map[string]any{
		"ledger.json": w.rows, "record.json": value{"blocks": w.blocks, "transactions": w.txs}, "proofs.json": w.proofs,
		"case.json": value{"case": "case-1", "redaction": "court", "as_of": w.blocks[:1], "networks": []value{}},
	} {
		put(t, p, path, v)
	}
	return p
}

// put writes a file as packages have it: what JSON does not ask to escape is not.
func put(t testing.TB, p *pack, path string, v any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	p.files[path] = b.Bytes()
}

// Every transfer of the test data is graded as its proof allows.
func TestGrades(t *testing.T) {
	w := worldOf(t, "bitcoin", "ethereum", "tron")
	g, found := checkProofs(w.pack(t))
	if len(found) > 0 {
		t.Errorf("got %s", told(found))
	}
	var want grades
	for _, name := range []string{"bitcoin", "ethereum", "tron"} {
		for _, c := range proofCases(t, name) {
			for _, line := range c.Shows[1:] {
				switch {
				case strings.HasPrefix(line, "in "):
				case strings.HasSuffix(line, " true"), strings.HasPrefix(line, "out ") && strings.HasSuffix(c.Shows[0], " true"):
					want.Proven++
				default:
					want.Attested++
				}
			}
		}
	}
	if g != want || want.Proven < 50 || want.Attested < 50 {
		t.Errorf("got %+v, want %+v", g, want)
	}
}

// A call of transfer shows what was asked for; that the contract moved it is known of one contract, and only where success is stated.
func TestTronCertainty(t *testing.T) {
	field := func(number byte, b []byte) []byte { return append([]byte{number<<3 | 2, byte(len(b))}, b...) }
	n, _ := networkOf("tron")
	usdt, err := hex.DecodeString("41a614f803b6fd780986a42c78ec9c7f77e6ded13c")
	if err != nil {
		t.Fatal(err)
	}
	caller := append([]byte{0x41}, make([]byte, 20)...)
	data := append([]byte{0xa9, 0x05, 0x9c, 0xbb}, make([]byte, 64)...)
	data[4+11], data[4+31], data[4+63] = 0x41, 7, 9
	for _, test := range []struct {
		contract, outcome []byte
		moves             int
		certain           bool
	}{
		{usdt, []byte{0x18, 1}, 1, true},
		{usdt, nil, 1, false},
		{caller, []byte{0x18, 1}, 1, false},
		{usdt, []byte{0x18, 2}, 0, false},
		{usdt, []byte{0x10, 1, 0x18, 1}, 0, false},
	} {
		call := slices.Concat(field(1, caller), field(2, test.contract), field(4, data))
		parameter := slices.Concat(field(1, []byte("/protocol.TriggerSmartContract")), field(2, call))
		// What is longer than 127 bytes has a length of two.
		long := append([]byte{0x12, byte(len(parameter)&127 | 128), byte(len(parameter) >> 7)}, parameter...)
		contract := append([]byte{0x08, 31}, long...)
		raw := append([]byte{0x5a, byte(len(contract)&127 | 128), byte(len(contract) >> 7)}, contract...)
		moves := n.tronMoves("tron", raw, test.outcome)
		if len(moves) != test.moves || test.moves == 1 && (moves[0].certain != test.certain || moves[0].amount != "9") {
			t.Errorf("contract %x, outcome %x: got %+v", test.contract, test.outcome, moves)
		}
	}
}

// first is a row of a network with a grade, whose index has a form.
func (w *world) first(network, grade string, fits func(row value) bool) value {
	at := slices.IndexFunc(w.rows, func(row value) bool { return row["network"] == network && row["grade"] == grade && fits(row) })
	return w.rows[at]
}

func always(value) bool { return true }

func isLog(row value) bool { return row["index"] != "n" }

// A row that claims more than its proof shows is found, and counted as failed.
func TestLies(t *testing.T) {
	for name, test := range map[string]struct {
		lie  func(w *world)
		want string
	}{
		"attested as proven, amounts not shown": {func(w *world) { w.first("bitcoin", "attested", always)["grade"] = "proven" }, "some are not shown"},
		"proven without a proof":                {func(w *world) { w.first("tron", "proven", always)["proof"] = "" }, "none is named"},
		"a proof that is not there":             {func(w *world) { w.first("tron", "proven", always)["proof"] = "proofs/tron/0.json" }, "none that holds"},
		"a grade that is none":                  {func(w *world) { w.first("tron", "proven", always)["grade"] = "certain" }, "certain"},
		"a proof of another":                    {func(w *world) { w.first("tron", "proven", always)["proof"] = w.rows[0]["proof"] }, "a proof of"},
		"another payer": {func(w *world) {
			w.first("bitcoin", "proven", func(r value) bool { return r["from"] != "" })["from"] = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNx"
		}, "payers among the owners"},
		"another payer beside": {func(w *world) {
			w.first("bitcoin", "proven", always)["from_others"] = []string{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNx"}
		}, "payers among the owners"},
		"a coinbase in front of its block": {func(w *world) {
			w.first("bitcoin", "proven", func(r value) bool { return r["from"] == "" })["place"].(value)["tx_index"] = 0
		}, "place 0 in its block"},
		"another block in row and record": {func(w *world) { b := w.blocks[0]; b["hash"] = strings.Repeat("0", 64); w.rows[0]["block"] = b["hash"] }, "a proof that leads to block"},
		"a log twice":                     {func(w *world) { w.twice(w.first("ethereum", "proven", isLog)) }, "indices are not those"},
		"a log at another place": {func(w *world) {
			row := w.first("ethereum", "proven", func(r value) bool { return isLog(r) && r["place"].(value)["tx_index"] == uint32(0) })
			row["index"] = "1"
		}, "indices are not those"},
		"its own value twice":             {func(w *world) { w.twice(w.first("ethereum", "proven", func(r value) bool { return !isLog(r) })) }, "rest on the same one"},
		"a call twice":                    {func(w *world) { w.twice(w.first("tron", "proven", always)) }, "rest on the same one"},
		"an internal transfer as its own": {func(w *world) { w.txs[len(w.txs)-1]["transfers"].([]value)[0]["kind"] = "internal" }, "does not show that"},
		"a proof that is not listed":      {func(w *world) { w.proofs = w.proofs[1:] }, "a file that proofs.json lists"},
		"a list of a proof twice":         {func(w *world) { w.proofs = append(w.proofs, w.proofs[0]) }, "once"},
		"another amount in the record":    {func(w *world) { w.txs[0]["outputs"].([]value)[0]["value"] = "1" }, "the record's transaction"},
		"another payee in the record":     {func(w *world) { w.txs[0]["outputs"].([]value)[0]["address"] = "script:6a" }, "the record's transaction"},
		"another input in the record":     {func(w *world) { w.txs[0]["inputs"].([]value)[0]["value"] = "1" }, "the record's transaction"},
		"an input less in the record":     {func(w *world) { w.txs[0]["inputs"] = []value{} }, "the record's transaction"},
		"another time in the record":      {func(w *world) { w.txs[0]["time"] = time.UnixMilli(0) }, "the record's transaction"},
	} {
		w := worldOf(t, "bitcoin", "ethereum", "tron")
		test.lie(w)
		if _, found := checkProofs(w.pack(t)); !strings.Contains(told(found), test.want) {
			t.Errorf("%s: got %s, want %q in it", name, told(found), test.want)
		}
	}
}

func (w *world) twice(row value) {
	other := maps.Clone(row)
	other["id"], other["index"] = "L-0", "9999"
	w.rows = append(w.rows, other)
}

// Of 10,000 random edits of what proven rows say each is found, and the row fails.
func TestEditedRowsFail(t *testing.T) {
	const seed = 17
	w := worldOf(t, "bitcoin", "ethereum", "tron")
	honest, found := checkProofs(w.pack(t))
	if len(found) > 0 {
		t.Fatal(told(found))
	}
	r := rand.New(rand.NewPCG(seed, 5))
	c := &proofCheck{shown: map[string]shown{}, txs: map[string]recordedTx{}}
	p := w.pack(t)
	var record struct{ Transactions []recordedTx }
	if err := readPart(p, "record.json", &record); err != nil {
		t.Fatal(err)
	}
	for _, tx := range record.Transactions {
		c.txs[txName(tx.Network, tx.Tx)] = tx
	}
	c.readProofs(p)
	var proven []value
	for _, row := range w.rows {
		if row["grade"] == "proven" {
			proven = append(proven, row)
		}
	}
	if len(proven) != honest.Proven {
		t.Fatalf("%d rows, want %d", len(proven), honest.Proven)
	}
	for made := 0; made < 10_000; made++ {
		row := maps.Clone(proven[r.IntN(len(proven))])
		field := []string{"network", "tx", "block", "from", "to", "asset", "amount", "proof", "tx_index", "time"}[r.IntN(10)]
		if field == "from" && row["from"] == "" {
			field = "to"
		}
		switch field {
		case "tx_index":
			place := maps.Clone(row["place"].(value))
			place["tx_index"] = place["tx_index"].(uint32) + 1 + r.Uint32N(9) // for a coinbase: more than its tree holds
			row["place"] = place
			if row["network"] == "tron" {
				field, row["amount"] = "amount", row["amount"].(string)+"0"
			}
		case "time":
			row["time"] = row["time"].(time.Time).Add(time.Duration(1+r.IntN(1000)) * time.Millisecond)
		default:
			text := []byte(row[field].(string))
			at := r.IntN(max(1, len(text)))
			text = append(text[:at:at], append([]byte{"0123456789abcdefX"[r.IntN(17)]}, text[min(len(text), at+r.IntN(2)):]...)...)
			if string(text) == row[field] {
				text = append(text, '0')
			}
			row[field] = string(text)
		}
		b, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		var edited gradedRow
		if err := json.Unmarshal(b, &edited); err != nil {
			t.Fatal(err)
		}
		if want, _ := c.grade(edited); want == "" {
			t.Errorf("edit %d of seed %d, of %s, is not found: %s", made, seed, field, b)
		}
	}
	t.Logf("seed %d: 10000 edits of %d rows found", seed, len(proven))
}

// Blocks are compared with a list; what is not in it is said, too.
func TestBlocks(t *testing.T) {
	p := worldOf(t, "ethereum", "tron").pack(t)
	hash := "1dec87ec1ba8e65b7773bb6f62249468948a28a427efd3d896a2ff7d7c591a67"
	list := "network,height,hash\nethereum,483920,0x246edb4b351d93c27926f4649bcf6c24366e2a7c7c718dc9158eea20c03bc6ae\nethereum,1755635," + hash + "\n"
	if got := told(checkBlocks(p, strings.NewReader(list))); strings.Count(got, "\n") != 2 || !strings.Contains(got, "tron block 79072107") || !strings.Contains(got, "ethereum block 20000000") {
		t.Errorf("got %s", got)
	}
	if got := told(checkBlocks(p, strings.NewReader(strings.Replace(list, "1dec", "1ded", 1)))); !strings.Contains(got, "Want:1ded") {
		t.Errorf("got %s", got)
	}
	for _, bad := range []string{"a,b\n", "ethereum,1,00\n", list + "ethereum,x," + hash, list + "ethereum,1755635," + strings.Repeat("0", 64)} {
		if found := checkBlocks(p, strings.NewReader(bad)); len(found) != 1 || found[0].Subject != "the list of blocks" {
			t.Errorf("%q: got %s", bad, told(found))
		}
	}
}
