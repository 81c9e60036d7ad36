package render

import (
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func TestPercent(t *testing.T) {
	for _, test := range []struct {
		part, whole uint64
		want        string
	}{
		{0, 0, ""},
		{0, 3, "0%"},
		{1, 3, "33.33%"},
		{2, 3, "66.66%"},
		{3, 3, "100%"},
		{1, 1_000_000, "<0.01%"},
		{999_999, 1_000_000, "99.99%"},
		{1, 4, "25%"},
		{4, 3, ">100%"},
	} {
		if got := percent(ledger.NewAmount(test.part), ledger.NewAmount(test.whole)); got != test.want {
			t.Errorf("%d of %d is %q, want %q", test.part, test.whole, got, test.want)
		}
	}
}

func TestSince(t *testing.T) {
	for seconds, want := range map[int64]string{0: "+0s", 59: "+59s", 60: "+1m00s", 7500: "+2h05m", 86399: "+23h59m", 90061: "+1d01h", -420: "-7m00s"} {
		if got := since(at(seconds), at(0)); got != want {
			t.Errorf("%d seconds: %q, want %q", seconds, got, want)
		}
	}
}

// TestSymbol: a token that calls itself USDT is not printed as USDT.
func TestSymbol(t *testing.T) {
	fake := &spoorv1.Asset{Network: "tron", Contract: wallet, Symbol: "USDT\u202e", Decimals: 6}
	if got, want := money("5000000", fake), `5 "USDT<U+202E>" of `+wallet; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := money("5000000", usdt()); got != "5 USDT" {
		t.Errorf("got %q", got)
	}
}

func TestAddressForms(t *testing.T) {
	const key = "script:410411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac"
	for s, want := range map[string]string{
		key:                                  "P2PK of 12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S",
		"script:6a0568656c6c6f":              "script:6a0568656c6c6f",
		"script:" + strings.Repeat("5", 100): "script of 50 bytes " + strings.Repeat("5", 16) + ".." + strings.Repeat("5", 16),
		"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
	} {
		if got := address("bitcoin", s); got != want {
			t.Errorf("%s: got %q, want %q", s, got, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	height := uint32(170)
	coverage := &spoorv1.Coverage{Network: "bitcoin", State: "COMPLETE", Detail: "every block from 0 to 200 is held"}
	tip := uint32(200)
	asOf := &spoorv1.AsOf{Network: "bitcoin", Height: &tip, BlockHash: "bb", Time: at(50)}
	tx := &spoorv1.Transaction{
		Network: "bitcoin", Tx: "f418", Height: &height, BlockHash: "aa", TxIndex: 1, Time: at(0), Status: "UNKNOWN", Grade: "PROVEN", Fee: "1500",
		Inputs: []*spoorv1.TransactionInput{{PreviousTx: "0437", Address: "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S", Amount: "5000001500"}, {Index: 1, PreviousTx: "0438", PreviousIndex: 7}},
		Outputs: []*spoorv1.TransactionOutput{
			{Address: "1Q2TWHE3GMdB6BZKafqwxXtWAWgFt5Jvm3", Amount: "1000000000", SpendState: "SPENT", SpentByTx: "ea44", SpentByInput: 2},
			{Index: 1, Address: "12cbQLTFMXRnSzktFkuoG3eHoMeFtpTu3S", Amount: "4000000000", SpendState: "UNKNOWN", Labels: label(hostileLabel, "exchange")},
		},
		AsOf: asOf, Coverage: coverage,
	}
	golden(t, "tx.txt", text(t, styled(Transaction, Style{}), tx))
	golden(t, "tx.csv", text(t, TransactionCSV, tx))
	info := &spoorv1.AddressInfo{
		Network: "tron", Address: mule, OtherForms: []string{"41d6", "0xd6"}, Labels: label("Seizure order", "terrorist_financing"), AsOf: &spoorv1.AsOf{Network: "tron", Time: at(9)},
		Coverage: &spoorv1.Coverage{Network: "tron", State: "UNKNOWN"},
		Balances: []*spoorv1.AssetBalance{{Asset: usdt(), Balance: "19844000000", Received: "50000000000", Sent: "31000000000", ReceivedCount: 5, SentCount: 4, First: at(0), Last: at(9), AssumedOpening: "844000000"}},
		Events: []*spoorv1.AddressEvent{
			{Position: &spoorv1.Position{Time: at(9), Tx: "bb"}, Index: "0", Direction: "SENT", Counterparty: wallet, Asset: usdt(), Amount: "1000000"},
			{Position: &spoorv1.Position{Time: at(0), Tx: "aa"}, Index: "0", Direction: "RECEIVED", Counterparty: victim, Asset: usdt(), Amount: "2500000000"},
		},
	}
	golden(t, "address.txt", text(t, styled(Address, Style{}), info))
	golden(t, "address.csv", text(t, AddressCSV, info))
	retracted := append(label(hostileLabel, "exchange"), label("=cmd()", "scam")...)
	retracted[1].RetractedSequence = 9
	golden(t, "labels.txt", text(t, styled(Labels, Style{}), retracted))
	golden(t, "labels.csv", text(t, LabelsCSV, retracted))
	status := &spoorv1.IndexStatusResponse{LabelSequence: 3, Labels: 7249, Networks: []*spoorv1.NetworkStatus{{
		AsOf: asOf, Coverage: coverage, Format: 1, FoldedHeight: &height, Blocks: 201, Transactions: 210, Events: 222, Addresses: 205, Digest: "cc", DiskBytes: 11_349_999,
		Files: []*spoorv1.ImportedFile{{Name: "a.csv", Sha256: "dd", SizeBytes: 999}},
	}}}
	golden(t, "status.txt", text(t, styled(Status, Style{}), status))
	golden(t, "status.csv", text(t, StatusCSV, status))
	verdict := &spoorv1.VerifyIndexResult{Networks: []*spoorv1.NetworkVerification{{Network: "bitcoin", Rows: 12, Digest: "cc", Ok: true}, {Network: "tron", Problems: []string{"row 3: checksum"}}}}
	golden(t, "verify.txt", text(t, Verification, verdict))
	golden(t, "verify.csv", text(t, VerificationCSV, verdict))
	ingested := &spoorv1.IngestResult{Network: "tron", Blocks: 1, Transactions: 4662, Transfers: 4662, Duplicates: 2, Labels: 30, AsOf: asOf, Coverage: coverage, Digest: "cc", Warnings: []string{"x: left out"}}
	golden(t, "ingest.txt", text(t, styled(Ingest, Style{}), ingested))
}
