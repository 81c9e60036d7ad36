package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/casetest"
	"github.com/spoortrace/spoor/evidence/export"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
)

func files(t testing.TB, d *evidence.Dossier) map[string][]byte {
	t.Helper()
	parts, err := export.Files(d)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, p := range parts {
		if _, twice := all[p.Path]; twice || p.Role != evidence.RoleRendering {
			t.Errorf("%s: twice, or %s", p.Path, p.Role)
		}
		all[p.Path] = p.Bytes
	}
	return all
}

// rows reads a table as its users do: cells by the names of their columns.
func rows(t testing.TB, text []byte) []map[string]string {
	t.Helper()
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	var all []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			if _, twice := row[name]; twice {
				t.Fatalf("column %s is there twice", name)
			}
			row[name] = line[i]
		}
		all = append(all, row)
	}
	return all
}

func integer(t testing.TB, text string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		t.Fatalf("want an integer, got %q", text)
	}
	return n
}

// cases are random ones of every pair of rules, and what each seed was.
func cases(t *testing.T, check func(t *testing.T, d *evidence.Dossier)) {
	t.Helper()
	for range 30 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { check(t, casetest.Build(t, seed)) })
	}
}

// TestHoldings: what the victims have of a holding adds up to it, and so do the
// results of the policies to the table of terminals.
func TestHoldings(t *testing.T) {
	cases(t, func(t *testing.T, d *evidence.Dossier) {
		all := files(t, d)
		parts := map[string]*big.Int{}
		for _, r := range rows(t, all["apportioned.csv"]) {
			if parts[r["holding"]] == nil {
				parts[r["holding"]] = new(big.Int)
			}
			parts[r["holding"]].Add(parts[r["holding"]], integer(t, r["traced_base"]))
		}
		for i, r := range rows(t, all["holdings.csv"]) {
			if want := integer(t, r["traced_base"]); parts[r["holding"]].Cmp(want) != 0 {
				t.Errorf("%s: victims have %s of %s", r["holding"], parts[r["holding"]], want)
			}
			if r["holding"] != d.Holdings[i].ID || r["balance_now_base"] != d.Holdings[i].BalanceNow {
				t.Errorf("%s: balance %q, want %q of %s", r["holding"], r["balance_now_base"], d.Holdings[i].BalanceNow, d.Holdings[i].ID)
			}
		}
	})
}

// TestSheets: each line of sheets.csv conserves, in base units and in coins, and
// what it says is resting or stopped is what terminals.csv lists.
func TestSheets(t *testing.T) {
	cases(t, func(t *testing.T, d *evidence.Dossier) {
		all := files(t, d)
		listed := map[string]*big.Int{}
		for _, r := range rows(t, all["terminals.csv"]) {
			key := strings.Join([]string{r["utxo_policy"], r["account_policy"], r["asset"], r["bucket"]}, " ")
			if listed[key] == nil {
				listed[key] = new(big.Int)
			}
			listed[key].Add(listed[key], integer(t, r["traced_base"]))
		}
		for _, r := range rows(t, all["sheets.csv"]) {
			sum := new(big.Int)
			for _, c := range []string{"seeded", "converted_in"} {
				sum.Add(sum, integer(t, r[c]))
			}
			for _, c := range []string{"collided", "resting", "stopped", "burnt", "fees", "converted_out", "pruned", "pending"} {
				sum.Sub(sum, integer(t, r[c]))
			}
			if r["conserves"] != "true" || sum.Sign() != 0 {
				t.Errorf("%v: %s is missing", r, sum)
			}
			if r["label"] != "0" {
				continue
			}
			for _, bucket := range []string{"RESTING", "STOPPED", "BURNT", "PENDING"} {
				key := strings.Join([]string{r["utxo_policy"], r["account_policy"], r["asset"], bucket}, " ")
				want := integer(t, r[strings.ToLower(bucket)])
				if got := listed[key]; got == nil && want.Sign() != 0 || got != nil && got.Cmp(want) != 0 {
					t.Errorf("%s: the terminals add up to %v, want %s", key, got, want)
				}
			}
		}
	})
}

// TestHistories adds up each account's in- and outflows to the balance printed
// beside each, and the last one of a whole history to that at the cut-off.
func TestHistories(t *testing.T) {
	cases(t, func(t *testing.T, d *evidence.Dossier) {
		balance, tip := map[string]*big.Int{}, map[string]string{}
		lines := 0
		for _, r := range rows(t, files(t, d)["histories.csv"]) {
			key := r["network"] + ":" + r["account"] + " " + r["asset"]
			if r["kind"] == "opening" {
				balance[key] = integer(t, r["balance_base"])
				continue
			}
			lines++
			if r["in_base"] != "" {
				balance[key].Add(balance[key], integer(t, r["in_base"]))
			}
			if r["out_base"] != "" {
				balance[key].Sub(balance[key], integer(t, r["out_base"]))
			}
			if balance[key].Sign() < 0 || balance[key].String() != r["balance_base"] {
				t.Errorf("%v: want a balance of %s", r, balance[key])
			}
			if r["complete"] == "true" {
				tip[key] = r["balance_base"]
			}
		}
		want := 0
		for _, h := range d.Record.Histories {
			want += len(h.Events)
		}
		if lines != want {
			t.Errorf("%d events, want %d", lines, want)
		}
		for _, b := range d.Record.Balances {
			if got, ok := tip[b.Network+":"+b.Address+" "+b.Asset]; ok && got != b.Amount {
				t.Errorf("%s %s: ends at %s, at the cut-off it holds %s", b.Address, b.Asset, got, b.Amount)
			}
		}
	})
}

// TestCoins: whole coins are the base units, digit for digit.
func TestCoins(t *testing.T) {
	d := casetest.Build(t, 7)
	for i, r := range rows(t, files(t, d)["ledger.csv"]) {
		scale := new(big.Int).Exp(big.NewInt(10), integer(t, r["decimals"]), nil)
		coins, ok := new(big.Rat).SetString(r["amount"])
		if !ok {
			t.Fatalf("amount %q", r["amount"])
		}
		if back := coins.Mul(coins, new(big.Rat).SetInt(scale)); !back.IsInt() || back.Num().String() != d.Ledger[i].Amount {
			t.Errorf("%s: %s coins, want %s units", r["row"], r["amount"], d.Ledger[i].Amount)
		}
	}
}

// TestNotKnown: an asset whose decimals the package does not say has no coins,
// one that is only claimed shows whose claim it is, and the rest of what is not
// known is an empty cell.
func TestNotKnown(t *testing.T) {
	d := casetest.Build(t, 7)
	asset := d.Ledger[0].Asset
	d.Cover.Assets[0].Known = false
	r := rows(t, files(t, d)["ledger.csv"])[0]
	if want := "USDT of " + asset; r["symbol"] != want {
		t.Errorf("symbol %q, want %q", r["symbol"], want)
	}
	d.Cover.Assets = nil
	r = rows(t, files(t, d)["ledger.csv"])[0]
	for _, column := range []string{"decimals", "amount", "traced", "usd", "usd_source", "confidence"} {
		if r[column] != "" {
			t.Errorf("%s is %q, want it empty", column, r[column])
		}
	}
	if strings.Contains(string(files(t, d)["exports/stix.json"]), `"amount": 0`) {
		t.Error("STIX: an amount that is not known is 0")
	}
}

// TestPersonal: a table shows what the level shows, and says what it withholds.
func TestPersonal(t *testing.T) {
	d := casetest.Build(t, 7)
	for level, want := range map[evidence.Level][2]string{
		evidence.ForCourt: {"Maria", "R/7"}, evidence.ForExchange: {evidence.Withheld, "R/7"}, evidence.ForPublic: {evidence.Withheld, evidence.Withheld},
	} {
		r := rows(t, files(t, d.Redact(level, ""))["payments.csv"])[0]
		if got := [2]string{r["victim_name"], r["report_ref"]}; got != want || r["bank_leg"] != "" {
			t.Errorf("%s: %v and bank leg %q, want %v and none", level, got, r["bank_leg"], want)
		}
	}
}

// TestLists: a list of many victims stays whole in its cell, and adds up.
func TestLists(t *testing.T) {
	d := big1000()
	r := rows(t, files(t, d)["holdings.csv"])[0]
	sum := new(big.Int)
	for _, part := range strings.Fields(r["victims"]) {
		_, amount, _ := strings.Cut(part, "=")
		sum.Add(sum, integer(t, amount))
	}
	if n := len(strings.Fields(r["victims"])); n != 1000 || sum.String() != r["traced_base"] {
		t.Errorf("%d victims with %s, want 1000 with %s", n, sum, r["traced_base"])
	}
}

func big1000() *evidence.Dossier {
	d := many(10)
	h := evidence.Holding{ID: "H-1", Network: "tron", Address: account(1), Asset: usdt, Traced: "1000000000000"}
	for i := range 1000 {
		h.Victims = append(h.Victims, evidence.VictimShare{Victim: fmt.Sprint("V-", i+1), Amount: "1000000000"})
	}
	d.Holdings = []evidence.Holding{h}
	return d
}

// TestEntities: an address and an entity that no label is about have their line.
func TestEntities(t *testing.T) {
	d := many(3)
	d.Entities = []evidence.Entity{
		{ID: "E-1", Name: "A", Addresses: []string{"tron:x", "tron:y"}, Evidence: []evidence.Attribution{{Address: "tron:x", Label: "a", Private: true}}},
		{ID: "E-2", Name: "B"},
	}
	var got []string
	for _, r := range rows(t, files(t, d)["entities.csv"]) {
		got = append(got, strings.Join([]string{r["entity"], r["stands"], r["address"], r["label"], r["private"]}, "|"))
	}
	if want := []string{"E-1|evidence|tron:x|a|true", "E-1|address|tron:y||", "E-2|name|||"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestNegative: a history that pays out what is not there is no table.
func TestNegative(t *testing.T) {
	d := many(3)
	d.Record.Histories = []evidence.History{{
		Network: "tron", Address: "a", Asset: usdt, Opening: "5", Events: []evidence.Flow{{From: "a", To: "b", Amount: "6"}},
	}}
	if _, err := export.Files(d); err == nil || !strings.Contains(err.Error(), "6 leave at height 0, where it has 5") {
		t.Errorf("got %v", err)
	}
}

// TestOverflow: amounts beyond 256 bits in a package of somebody else's are an error.
func TestOverflow(t *testing.T) {
	d := many(3)
	most := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)).String()
	for i := range d.Ledger {
		d.Ledger[i].From, d.Ledger[i].To, d.Ledger[i].Traced = "a", "b", most
	}
	if _, err := export.Files(d); !errors.Is(err, ledger.ErrOverflow) {
		t.Errorf("got %v", err)
	}
	d = many(3)
	d.Cover.Assets[0].Decimals = 1 << 40
	if r := rows(t, files(t, d)["ledger.csv"])[0]; r["amount"] != "" {
		t.Errorf("amount %.40q of 2^40 decimals", r["amount"])
	}
	d.Ledger[2].Depth = 1 << 40
	files(t, d)
}

// TestFlow compares the graph in its three forms with the ledger: what comes to a
// node over its edges is what the rows pay it.
func TestFlow(t *testing.T) {
	cases(t, func(t *testing.T, d *evidence.Dossier) {
		all := files(t, d)
		var flow struct {
			Nodes []struct {
				ID          string
				Column, Row int
			}
			Edges []struct {
				From, To, Asset, Traced, Crossing string
				Rows                              []string
			}
		}
		if err := json.Unmarshal(all["flow.json"], &flow); err != nil {
			t.Fatal(err)
		}
		want, got := map[string]*big.Int{}, map[string]*big.Int{}
		add := func(sums map[string]*big.Int, key, amount string) {
			if sums[key] == nil {
				sums[key] = new(big.Int)
			}
			sums[key].Add(sums[key], integer(t, amount))
		}
		for _, r := range d.Ledger {
			add(want, r.Network+":"+r.To+" "+r.Asset, r.Traced)
		}
		for _, e := range flow.Edges {
			if e.Crossing == "" {
				add(got, e.To+" "+e.Asset, e.Traced)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("edges bring %v, rows %v", got, want)
		}
		places := map[[2]int]string{}
		for _, n := range flow.Nodes {
			at := [2]int{n.Column, n.Row}
			if other, taken := places[at]; taken {
				t.Errorf("%s and %s are both at %v", n.ID, other, at)
			}
			places[at] = n.ID
		}
		if n, e := elements(t, all["flow.graphml"], "node"), elements(t, all["flow.graphml"], "edge"); n != len(flow.Nodes) || e != len(flow.Edges) {
			t.Errorf("GraphML: %d nodes and %d edges, want %d and %d", n, e, len(flow.Nodes), len(flow.Edges))
		}
		if n := elements(t, all["flow.svg"], "g"); n != len(flow.Nodes) {
			t.Errorf("SVG: %d nodes, want %d", n, len(flow.Nodes))
		}
	})
}

// TestBridge: what goes over a bridge stays in one piece.
func TestBridge(t *testing.T) {
	d := many(3)
	d.Ledger[1].Crossing = &evidence.Crossing{Kind: "BRIDGE", Network: "ethereum", From: "0xrelay", To: "0xout"}
	var flow struct{ Edges []map[string]any }
	if err := json.Unmarshal(files(t, d)["flow.json"], &flow); err != nil {
		t.Fatal(err)
	}
	for _, e := range flow.Edges {
		if e["crossing"] == "BRIDGE" && e["from"] == "tron:"+d.Ledger[1].To && e["to"] == "ethereum:0xrelay" && e["traced"] == d.Ledger[1].Traced {
			return
		}
	}
	t.Errorf("no edge over the bridge in %v", flow.Edges)
}

// TestLarge: a drawing of very many edges says how many it leaves out, and takes
// the largest of each asset, since those of two assets do not compare.
func TestLarge(t *testing.T) {
	d := many(2000)
	d.Cover.Assets = append(d.Cover.Assets, evidence.Asset{Asset: "bitcoin:native", Symbol: "BTC", Decimals: 8, Known: true})
	small := &d.Ledger[77]
	small.Network, small.Asset, small.Traced = "bitcoin", "bitcoin:native", "3"
	svg := files(t, d)["flow.svg"]
	if n := elements(t, svg, "path"); n != 300+1 { // and the arrow
		t.Errorf("%d paths", n)
	}
	for _, text := range []string{"The 300 largest of ", " more are in flow.graphml", "0.00000003 BTC"} {
		if !bytes.Contains(svg, []byte(text)) {
			t.Errorf("the drawing does not say %q", text)
		}
	}
}

func elements(t testing.TB, text []byte, name string) (n int) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == name {
			n++
		}
	}
}

// TestSame: the bytes are the same again, whatever the order of maps.
func TestSame(t *testing.T) {
	d := casetest.Hostile(t, 3)
	want := files(t, d)
	for range 20 {
		for path, text := range files(t, d) {
			if !bytes.Equal(text, want[path]) {
				t.Errorf("%s differs", path)
			}
		}
	}
}

// active names the first element or attribute that could act in a viewer.
func active(t testing.TB, text []byte) string {
	t.Helper()
	harmless := []string{"svg", "title", "rect", "defs", "marker", "path", "text", "g", "graphml", "key", "graph", "node", "edge", "data"}
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.Directive:
			return "<!" + string(e)
		case xml.StartElement:
			if !slices.Contains(harmless, e.Name.Local) {
				return "<" + e.Name.Local
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(strings.ToLower(a.Name.Local), "on") || a.Name.Local == "href" || a.Name.Local == "style" {
					return a.Name.Local + "=" + a.Value
				}
			}
		}
	}
}

// TestHostile: whatever things are called, no format acts on it, and all is
// still read.
func TestHostile(t *testing.T) {
	for _, d := range []*evidence.Dossier{casetest.Hostile(t, 12), hostile()} {
		for path, text := range files(t, d) {
			if i := bytes.IndexAny(text, "\x00\x07\x1b\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u200f\ufeff"); i >= 0 && !strings.Contains(path, "json") && !strings.Contains(path, "exports/") {
				t.Errorf("%s: %q", path, text[i:min(len(text), i+20)])
			}
			switch {
			case strings.HasSuffix(path, ".csv"):
				for _, r := range rows(t, text) {
					for column, cell := range r {
						if begin := strings.TrimSpace(cell); begin != "" && strings.ContainsRune("=+-@＝＋－＠|%\t\r", []rune(begin)[0]) {
							t.Errorf("%s %s: a cell begins a formula: %.40q", path, column, cell)
						}
					}
				}
			case strings.HasSuffix(path, "svg"), strings.HasSuffix(path, "graphml"):
				if found := active(t, text); found != "" {
					t.Errorf("%s: %s", path, found)
				}
			case strings.HasSuffix(path, ".json"), strings.HasSuffix(path, ".jsonld"):
				if !json.Valid(text) {
					t.Errorf("%s is no JSON", path)
				}
			}
		}
	}
}

// hostile has the texts where networks and labels can bring them: addresses,
// hashes, names of policies.
func hostile() *evidence.Dossier {
	d := many(40)
	texts := casetest.HostileTexts()
	for i := range d.Ledger {
		text := texts[i%len(texts)]
		r := &d.Ledger[i]
		r.From, r.To, r.Tx, r.Index, r.Why, r.Heuristic, r.Check, r.Class, r.Grade, r.Ends = text, text+text, text, text, text, text, text, text, text, text
		d.Payments = append(d.Payments, evidence.Payment{Label: i, Payment: text, Victim: text, Network: "tron", Tx: text, To: text, From: text, Asset: text, Amount: "1"})
		d.Holdings = append(d.Holdings, evidence.Holding{ID: text, Network: "tron", Address: text, Asset: text, Traced: "1", Reasons: []string{text}, Holder: text, Entity: text})
		d.Custody.Entries = append(d.Custody.Entries, evidence.CustodyEntry{Number: uint64(i), Body: json.RawMessage(fmt.Sprintf(`{"by":%q}`, "x"))})
	}
	d.Cover.Assets[0].Symbol = "<script>=1+1\u202e"
	return d
}

// TestTagPack: this project's reader of TagPacks, which refuses what GraphSense's
// schema does, takes every tag.
func TestTagPack(t *testing.T) {
	for seed := range uint64(20) {
		for _, d := range []*evidence.Dossier{casetest.Build(t, seed), casetest.Hostile(t, seed)} {
			var report labels.Report
			var got []string
			text := files(t, d)["exports/tagpack.yaml"]
			for tag, err := range labels.ReadTagPack(t.Context(), "tagpack.yaml", bytes.NewReader(text), &report) {
				if err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, text)
				}
				got = append(got, string(tag.Chain)+":"+tag.Address.String())
			}
			for _, h := range d.Holdings {
				if h.Address != "" && !slices.Contains(got, h.Network+":"+h.Address) {
					t.Errorf("seed %d: no tag for %s", seed, h.Address)
				}
			}
			if left := report.Refused + report.Repeated + len(report.Skipped); left != 0 {
				t.Errorf("seed %d: %d tags left out: %+v", seed, left, report)
			}
		}
	}
}

// TestSTIX: ids are those that STIX and the published extensions derive from an
// object's own fields, every reference is to an object of the bundle, and this
// project's reader of STIX finds the wallets.
func TestSTIX(t *testing.T) {
	d := casetest.Build(t, 7)
	var bundle struct {
		Objects []map[string]any
	}
	if err := json.Unmarshal(files(t, d)["exports/stix.json"], &bundle); err != nil {
		t.Fatal(err)
	}
	ids, wallets, exact := map[string]bool{}, 0, 0
	for _, o := range bundle.Objects {
		ids[o["id"].(string)] = true
	}
	var refs func(v any)
	refs = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				if id, ok := x.(string); ok && strings.HasSuffix(k, "_ref") && !ids[id] {
					t.Errorf("%s: no object %s", k, id)
				}
				refs(x)
			}
		case []any:
			for _, x := range v {
				refs(x)
			}
		}
	}
	for _, o := range bundle.Objects {
		refs(o)
		switch o["type"] {
		case "cryptocurrency-wallet":
			wallets++
			if o["value"] == "TSs4hyMc2njJweQtsEzuVvc1eE8Pi5HxdM" && o["id"] != "cryptocurrency-wallet--612dbaf6-806f-5186-8bc2-dcc13c63b7fe" {
				t.Errorf("id %s", o["id"])
			}
		case "cryptocurrency-transaction":
			for _, x := range o["extensions"].(map[string]any) {
				if amounts, ok := x.(map[string]any)["amounts"].([]any); ok {
					exact += len(amounts)
				}
			}
		}
	}
	if wallets == 0 || exact != len(d.Ledger) {
		t.Errorf("%d wallets, %d exact amounts of %d rows", wallets, exact, len(d.Ledger))
	}
}

// TestCASE: every id that is pointed to is there once, each row is a
// relationship, and each entry of the custody log an action.
func TestCASE(t *testing.T) {
	d := casetest.Build(t, 7)
	d.Custody.Entries = []evidence.CustodyEntry{
		{Number: 1, Body: json.RawMessage(`{"time":"2026-01-02T03:04:05Z","by":"ana","kind":"opened"}`)},
		{Number: 2, Body: json.RawMessage(`{"time":"2026-01-02T03:04:06Z","by":"ana","kind":"read"}`)},
		{Number: 3, Body: json.RawMessage(`[]`)},
	}
	d.Holdings = append(d.Holdings, evidence.Holding{ID: "H-99", Account: "Exchange:7", Asset: d.Ledger[0].Asset, Traced: "1"})
	var doc struct {
		Graph []map[string]any `json:"@graph"`
	}
	if err := json.Unmarshal(files(t, d)["exports/case-uco.jsonld"], &doc); err != nil {
		t.Fatal(err)
	}
	types, ids, pointed := map[string]int{}, map[string]int{}, map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if id, ok := v["@id"].(string); ok {
				if len(v) == 1 {
					pointed[id] = true
				} else {
					ids[id]++
				}
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	for _, o := range doc.Graph {
		types[fmt.Sprint(o["@type"])]++
		walk(o)
	}
	for id := range pointed {
		if ids[id] != 1 {
			t.Errorf("%s is there %d times", id, ids[id])
		}
	}
	for kind, want := range map[string]int{
		"uco-observable:ObservableRelationship": len(d.Ledger), "case-investigation:InvestigativeAction": 1 + 3, "case-investigation:ProvenanceRecord": 1,
		"uco-identity:Identity": 1, "uco-identity:Organization": len(d.Entities),
	} {
		if types[kind] != want {
			t.Errorf("%s: %d, want %d", kind, types[kind], want)
		}
	}
}

const usdt = "tron:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"

func account(i int) string { return fmt.Sprintf("T%033d", i) }

// many is a case of so many rows, ten hops deep, for what a small one does not show.
func many(n int) *evidence.Dossier {
	d := &evidence.Dossier{Cover: evidence.Cover{
		Case: "case-00000001", Number: "1/26", Title: "t", Authority: "a", Demonstration: "made up",
		AsOf:   []evidence.Block{{Network: "tron", Time: time.Unix(1_700_000_000, 0).UTC()}},
		Assets: []evidence.Asset{{Asset: usdt, Symbol: "USDT", Decimals: 6, Known: true}},
	}}
	h := evidence.History{Network: "tron", Address: account(0), Asset: usdt, Opening: "0"}
	for i := range n {
		amount := fmt.Sprint(1_000_000 + i)
		d.Ledger = append(d.Ledger, evidence.Row{
			ID: fmt.Sprint("L-", i+1), Depth: 1 + i%10, Network: "tron", Tx: fmt.Sprintf("%064x", i), Index: "0", Place: evidence.Place{Height: uint64(i)}, Time: time.Unix(1_600_000_000+int64(i), 0).UTC(),
			From: account(i), To: account(i*7/5 + 1), Asset: usdt, Amount: amount, Traced: amount, Shares: []evidence.Share{{Label: 1, Amount: amount}}, Class: "F", Grade: "attested",
		})
		h.Events = append(h.Events, evidence.Flow{Place: evidence.Place{Height: uint64(i)}, Kind: "token", From: account(i), To: account(0), Amount: amount})
	}
	if n > 0 {
		h.Events[0].From = "x" // account 0 pays nobody
	}
	d.Record.Histories = []evidence.History{h}
	return d
}

// BenchmarkFiles: all formats of cases that grow tenfold.
func BenchmarkFiles(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n, " rows"), func(b *testing.B) {
			d := many(n)
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				size = 0
				for _, text := range files(b, d) {
					size += len(text)
				}
			}
			b.ReportMetric(float64(size)/(1<<20), "MiB")
		})
	}
}
