package letter_test

import (
	"strings"
	"time"

	"github.com/spoortrace/spoor/evidence"
)

const (
	usdt  = "tron:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
	mule  = "TMuleMuleMuleMuleMuleMuleMuleMuleM"
	dep1  = "TDepositOneDepositOneDepositOneDep"
	dep2  = "TDepositTwoDepositTwoDepositTwoDep"
	hot   = "THotHotHotHotHotHotHotHotHotHotHot"
	payer = "TPayerPayerPayerPayerPayerPayerPay"
	bc    = "bc1qexampleexampleexampleexampleexample"
)

func at(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }

func hash(digit string) string { return strings.Repeat(digit, 64) }

// sample is an invented case: 100 USDT of two victims. 40 rest at a mule, 50 are
// in an exchange's wallet by two deposit addresses and a victim's own payment,
// and 0.0001 BTC with a key; one wallet is frozen already.
func sample() *evidence.Dossier {
	row := func(id, digit, from, to, traced string, depth, minute int, shares ...evidence.Share) evidence.Row {
		return evidence.Row{
			ID: id, Depth: depth, Network: "tron", Tx: hash(digit), Index: "0", Place: evidence.Place{Height: 80_000_000 + uint64(minute)}, Block: "0000" + hash(digit)[4:],
			Time: at(minute), From: from, To: to, Asset: usdt, Amount: traced, Traced: traced, Shares: shares,
		}
	}
	d := &evidence.Dossier{
		Cover: evidence.Cover{
			Number: "12/2026", Title: "Example", Authority: "Public Prosecutor", Demonstration: "invented",
			AsOf:     []evidence.Block{{Network: "bitcoin", Height: 900_000, Hash: hash("9"), Time: at(59)}, {Network: "tron", Height: 80_000_059, Hash: hash("8"), Time: at(59)}},
			Assets:   []evidence.Asset{{Asset: "bitcoin:native", Symbol: "BTC", Decimals: 8, Known: true}, {Asset: usdt, Symbol: "USDT", Decimals: 6, Known: true}},
			Networks: []evidence.Network{{Network: "bitcoin"}, {Network: "tron"}},
		},
		Method:   evidence.Method{Stops: []string{"exchange", "seized_funds"}, UTXO: evidence.Policy{Name: "fifo"}, Account: evidence.Policy{Name: "libr"}},
		Payments: []evidence.Payment{{Label: 1, Payment: "P-1", Victim: "V-1"}, {Label: 2, Payment: "P-2", Victim: "V-2"}},
		Personal: []evidence.Personal{{Subject: "P-1", Field: "report_ref", Value: "R/7"}, {Subject: "V-1", Field: "name", Value: "Canary Yak"}},
		Ledger: []evidence.Row{
			row("L-1", "1", payer, mule, "90000000", 1, 1, evidence.Share{Label: 1, Amount: "90000000"}),
			row("L-2", "2", payer, hot, "10000000", 1, 2, evidence.Share{Label: 2, Amount: "10000000"}),
			row("L-3", "3", dep1, hot, "30000000", 3, 20, evidence.Share{Label: 1, Amount: "30000000"}),
			row("L-4", "4", dep2, hot, "10000000", 3, 25, evidence.Share{Label: 1, Amount: "10000000"}),
			{ID: "L-5", Depth: 2, Network: "bitcoin", Tx: hash("5"), Index: "1", Place: evidence.Place{Height: 899_990}, Block: hash("7"), Time: at(30), From: "bc1qfrom", To: bc, Asset: "bitcoin:native", Traced: "10000"},
		},
		Entities: []evidence.Entity{{ID: "E-1", Name: "Example Exchange", Category: "exchange", Addresses: []string{"tron:" + hot}}},
	}
	d.Ledger[3].USD, d.Ledger[3].USDSource = "10.00", "prices.csv"
	d.Holdings = []evidence.Holding{
		{
			ID: "H-1", Network: "tron", Address: hot, Asset: usdt, FreezableBy: "VASP", Reasons: []string{"SERVICE"}, Traced: "50000000", Entity: "E-1", Rows: []string{"L-2", "L-3", "L-4"},
			Victims: []evidence.VictimShare{{Victim: "V-1", Amount: "40000000"}, {Victim: "V-2", Amount: "10000000"}}, FirstSeen: at(2), LastSeen: at(25),
		},
		{
			ID: "H-2", Network: "tron", Address: mule, Asset: usdt, FreezableBy: "ISSUER", Reasons: []string{"UNSPENT"}, Traced: "40000000", Held: true, BalanceNow: "41500000", Rows: []string{"L-1"},
			Victims: []evidence.VictimShare{{Victim: "V-1", Amount: "40000000"}}, FirstSeen: at(1), LastSeen: at(1),
		},
		{
			ID: "H-3", Network: "bitcoin", Address: bc, Asset: "bitcoin:native", FreezableBy: "KEY", Reasons: []string{"UNSPENT"}, Traced: "10000", Held: true, BalanceNow: "10000", Rows: []string{"L-5"},
			Victims: []evidence.VictimShare{{Victim: "V-2", Amount: "10000"}}, FirstSeen: at(30), LastSeen: at(30),
		},
		{ID: "H-4", Network: "tron", Address: "TFrozen", Asset: usdt, FreezableBy: "DONE", Reasons: []string{"FROZEN"}, Traced: "1"},
	}
	return d
}

const contactsFile = `contacts:
  - entity: Example Exchange Ltd
    aliases: [example exchange, Example-Hot 1]
    country: SC
    class: exchange
    portal: https://example.com/law-enforcement
    email: le@example.com
    languages: [th, en]
`

const agencyFile = `agency: Public Prosecutor
unit: Cybercrime
officer: A. Example
rank: Investigator
phone: "+41 44 000 00 00"
email: cyber@example.org
country: CH
language: en
legal_basis: >
  Art. 263 of the code
  of criminal procedure
no_tip_off: Please do not inform the customer.
reference: "2026/12"
answer_by: 24 hours from receipt
signature: |
  signed on paper
  seal
`
