package main

import (
	"strings"
	"testing"
	"time"
)

// saidWorld is a payment on Ethereum that goes on once, and rests.
func saidWorld(t testing.TB) (p *pack, said map[string][]value) {
	t.Helper()
	at := func(minute int) time.Time { return time.Date(2025, 1, 2, 3, minute, 0, 0, time.UTC) }
	place := func(height, slot int) value { return value{"height": height, "tx_index": 1, "slot": slot} }
	tx := func(height int, transfers ...value) value {
		return value{"network": "ethereum", "tx": "0x" + strings.Repeat("a", height), "height": height, "tx_index": 1, "time": at(height), "transfers": transfers}
	}
	row := func(id, parent string, depth, height int, index, from, to string) value {
		id2 := "0x" + strings.Repeat("a", height)
		return value{
			"id": id, "parent": parent, "depth": depth, "network": "ethereum", "tx": id2, "index": index, "place": place(height, 0), "time": at(height),
			"from": from, "to": to, "asset": "ethereum:native", "check": "eth_getTransactionReceipt " + id2,
		}
	}
	said = map[string][]value{
		"txs": {
			tx(5, value{"index": 0, "slot": 0, "kind": "native", "from": "A", "to": "B", "asset": "ethereum:native", "amount": "10"}),
			tx(6, value{"index": 3, "slot": 0, "kind": "internal", "from": "B", "to": "C", "asset": "ethereum:native", "amount": "7"}),
		},
		"ledger": {row("L-1", "", 1, 5, "n", "A", "B"), row("L-2", "L-1", 2, 6, "i3", "B", "C")},
		"payments": {{
			"payment": "P-1", "status": "confirmed", "network": "ethereum", "tx": "0xaaaaa", "index": "n", "place": place(5, 0), "from": "A", "to": "B",
			"asset": "ethereum:native", "paid": "10", "ledger": "L-1", "time": at(5),
		}},
		"terminals": {{
			"row": "L-2", "network": "ethereum", "address": "C", "asset": "ethereum:native", "reason": "UNSPENT", "bucket": "RESTING", "tx": "0xaaaaaa", "index": "i3",
			"place": place(6, 0), "via": "B", "arrived_at": at(6), "balance_now": "9", "rests": true,
		}},
		"holdings": {{
			"id": "H-1", "network": "ethereum", "address": "C", "asset": "ethereum:native", "reasons": []string{"UNSPENT"}, "first_seen": at(6), "last_seen": at(6),
			"minutes": 4, "via": []string{"B"}, "rows": []string{"L-2"}, "under": []value{{"policy": "fifo+libr"}},
		}},
		"balances": {{"network": "ethereum", "address": "C", "asset": "ethereum:native", "amount": "9"}},
		"as_of":    {{"network": "ethereum", "time": at(10)}},
	}
	return &pack{files: map[string][]byte{}}, said
}

func writeSaid(t testing.TB, p *pack, said map[string][]value) {
	t.Helper()
	put(t, p, "record.json", value{"transactions": said["txs"], "balances": said["balances"]})
	put(t, p, "payments.json", said["payments"])
	put(t, p, "ledger.json", said["ledger"])
	put(t, p, "results.json", []value{{"utxo": "fifo", "account": "libr", "terminals": said["terminals"]}})
	put(t, p, "holdings.json", said["holdings"])
	put(t, p, "case.json", value{"as_of": said["as_of"]})
}

// Each thing that is said twice is found when one of the two is changed.
func TestReferences(t *testing.T) {
	p, said := saidWorld(t)
	writeSaid(t, p, said)
	if found := checkReferences(p); len(found) > 0 {
		t.Fatalf("got %s", told(found))
	}
	for list, fields := range map[string]string{
		"payments":  "status tx index from to asset paid ledger",
		"ledger":    "id parent tx index check",
		"terminals": "row tx index reason via balance_now address",
		"holdings":  "id address reasons",
	} {
		for field := range strings.FieldsSeq(fields) {
			p, said := saidWorld(t)
			last := said[list][len(said[list])-1]
			if text, ok := last[field].(string); ok {
				last[field] = text + "0"
			} else {
				last[field] = []string{"another"}
			}
			writeSaid(t, p, said)
			if found := checkReferences(p); len(found) == 0 {
				t.Errorf("%s, %s: another is not found", list, field)
			}
		}
	}
	for name, change := range map[string]func(said map[string][]value){
		"time of a payment":   func(s map[string][]value) { s["payments"][0]["time"] = time.UnixMilli(1) },
		"time of a row":       func(s map[string][]value) { s["ledger"][0]["time"] = time.UnixMilli(1) },
		"time of arrival":     func(s map[string][]value) { s["terminals"][0]["arrived_at"] = time.UnixMilli(1) },
		"first seen":          func(s map[string][]value) { s["holdings"][0]["first_seen"] = time.UnixMilli(1) },
		"minutes":             func(s map[string][]value) { s["holdings"][0]["minutes"] = 5 },
		"policies":            func(s map[string][]value) { s["holdings"][0]["under"] = []value{{"policy": "fifo"}} },
		"depth":               func(s map[string][]value) { s["ledger"][1]["depth"] = 3 },
		"place":               func(s map[string][]value) { s["ledger"][1]["place"] = value{"height": 9, "tx_index": 1} },
		"no row for terminal": func(s map[string][]value) { s["terminals"][0]["row"] = "" },
		"an unknown row":      func(s map[string][]value) { s["holdings"][0]["rows"] = []string{"L-1"} },
	} {
		p, said := saidWorld(t)
		change(said)
		writeSaid(t, p, said)
		if found := checkReferences(p); len(found) == 0 {
			t.Errorf("%s: another is not found", name)
		}
	}
}
