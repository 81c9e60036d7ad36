package risk

import (
	"errors"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

const goodRules = `version: "1"
min_labelled: "40.5"
rules:
  - {id: r1, category: scam, exposure: direct, direction: received, asset: "tron:USDT", min_amount: "10.5", max_amount: "20", percentage: "0.0001", level: HIGH, score: "80"}
  - {id: r2, category: mixing, exposure: indirect, direction: any, min_usd: "1000", level: MEDIUM, score: "31"}
  - {id: r3, category: ransomware, exposure: ownership, level: SEVERE, score: "100"}
`

func TestParseRules(t *testing.T) {
	s, err := ParseRules("r.yaml", []byte(goodRules))
	if err != nil {
		t.Fatal(err)
	}
	r := s.Rules[0]
	if s.MinLabelledPPM != 405_000 || r.MinPPM != 1 || r.MinAmount.String() != "10500000" || r.Direction != Received || !s.Rules[1].AnySide || s.Rules[1].MinMicros.String() != "1000000000" {
		t.Errorf("read as %+v", s)
	}
	for _, test := range []struct{ old, new, want string }{
		{`version: "1"`, `version: ""`, "version"},
		{"rules:", "extra: 1\nrules:", "extra"},
		{"id: r2", "id: r1", "one that no other rule has"},
		{"category: mixing", "category: evil", "category"},
		{"exposure: direct", "exposure: near", "ownership, direct or indirect"},
		{"direction: any", "direction: up", "received, sent or any"},
		{`"tron:USDT"`, `"tron:XYZ"`, "asset"},
		{`asset: "tron:USDT", `, "", "asset"},
		{`"10.5"`, `"10.5000001"`, "min_amount"},
		{`"10.5"`, `"1e3"`, "min_amount"},
		{`"0.0001"`, `"0.00001"`, "percentage"},
		{`"0.0001"`, `"101"`, "percentage"},
		{`score: "80"`, `score: "91"`, "71 to 90 for HIGH"},
		{`level: MEDIUM`, `level: BAD`, "LOW, MEDIUM, HIGH or SEVERE"},
		{"exposure: ownership", `exposure: ownership, percentage: "1"`, "no threshold beside ownership"},
		{"rules:", "rules: &a", "no alias and no anchor"},
		{"min_labelled", "version", "version"},
		{"id: r2", "id: r2, note: x", "note"},
		{"id: r2", "id: r2, id: r4", "id"},
		{"id: r2", "id: [r2]", "rules"},
	} {
		text := strings.Replace(goodRules, test.old, test.new, 1)
		if _, err := ParseRules("r.yaml", []byte(text)); !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s for %s: got %v, want it to name %q", test.new, test.old, err, test.want)
		}
	}
}

// A set that is read is sound: every rule has a level that fits its score.
func FuzzParseRules(f *testing.F) {
	f.Add([]byte(goodRules))
	f.Add(defaultRules)
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseRules("f", text)
		if err != nil {
			if !errors.Is(err, ledger.ErrInvalid) {
				t.Fatalf("%v is no refusal", err)
			}
			return
		}
		for _, r := range s.Rules {
			if r.Level == None || r.Score > 100 || r.ID == "" || r.MinPPM > 1_000_000 {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func TestUSD(t *testing.T) {
	s, err := ParseRules("r.yaml", []byte(strings.Replace(goodRules, `asset: "tron:USDT", min_amount: "10.5", max_amount: "20", percentage: "0.0001"`, `min_usd: "100"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	trx := ledger.NativeAsset("tron")
	for _, test := range []struct {
		asset               ledger.Asset
		amount              uint64
		triggered, unpriced int
	}{{usdt, 100_000_000, 1, 0}, {usdt, 99_999_999, 0, 0}, {trx, 100_000_000, 0, 1}} {
		e := []Exposure{{Category: "scam", Kind: Direct, Asset: test.asset, Amount: ledger.NewAmount(test.amount)}}
		yes, not := s.Evaluate(e, nil, 0)
		if len(yes) != test.triggered || len(not) != test.unpriced {
			t.Errorf("%s %d: triggered %d, not evaluated %d", test.asset, test.amount, len(yes), len(not))
		}
	}
}
