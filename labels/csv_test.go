package labels

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

func readCSV(t testing.TB, text string) ([]ledger.Tag, error) {
	t.Helper()
	var tags []ledger.Tag
	for tag, err := range ReadCSV(t.Context(), "l.csv", strings.NewReader(text), &Report{}) {
		if err != nil {
			return nil, err
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

func TestCSV(t *testing.T) {
	got, err := readCSV(t, "\xef\xbb\xbflabel,address,network,confidence,category\r\n\"A, B\","+trx+",tron,forensic,39\r\nC,"+locky+",bitcoin,,\r\nC,"+locky+",bitcoin,99,\r\n")
	want := []ledger.Tag{
		{Address: parse(t, "tron", trx), Chain: "tron", Label: "A, B", Source: "l.csv", Pack: "l.csv", Category: "seized_funds", Confidence: 50},
		{Address: parse(t, "bitcoin", locky), Chain: "bitcoin", Label: "C", Source: "l.csv", Pack: "l.csv", Confidence: 5},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// TestCSVTimes reads when a label holds, and what else a row may have.
func TestCSVTimes(t *testing.T) {
	got, err := readCSV(t, "network,address,label,valid_from,valid_to,actor,abuse,context\ntron,"+trx+",x,2020-01-01,2021-01-01T00:00:00Z,binance,scam,seen\n")
	if err != nil || len(got) != 1 || got[0].ValidFrom != 1577836800000 || got[0].ValidTo != 1609459200000 || got[0].Actor != "binance" || got[0].Abuse != "scam" || got[0].Context != "seen" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCSVRefused(t *testing.T) {
	head := "network,address,label,category,source,confidence\n"
	tests := []struct{ name, text, want string }{
		{"empty", "", "a header"},
		{"missing column", "network,address\n", "a column label"},
		{"unknown column", "network,address,label,colour\n", "l.csv:1:4"},
		{"column twice", "network,address,label,label\n", "l.csv:1:4"},
		{"network", head + "litecoin," + locky + ",x,,,\n", "l.csv:2:1: want network"},
		{"address of another network", head + "bitcoin," + trx + ",x,,,\n", "this one is of tron"},
		{"checksum", head + "tron," + trx[:33] + "t,x,,,\n", "l.csv:2:6: want address"},
		{"no label", head + "tron," + trx + ",,,,\n", "label"},
		{"NUL", head + "tron," + trx + ",a\x00b,,,\n", "without NUL"},
		{"category", head + "tron," + trx + ",x,villain,,\n", "category such as"},
		{"confidence", head + "tron," + trx + ",x,,,120\n", "0 to 100"},
		{"date", "network,address,label,valid_to\ntron," + trx + ",x,soon\n", "l.csv:2:43"},
		{"times upside down", "network,address,label,valid_to,valid_from\ntron," + trx + ",x,2020-01-01,2021-01-01\n", "after valid_from"},
		{"short row", head + "tron\n", "l.csv:2:"},
		{"quote", head + "\"tron\n", "quote"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tags, err := readCSV(t, test.text)
			if !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v, want ErrInvalid with %q", tags, err, test.want)
			}
		})
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("network,address,label,category,source,confidence\ntron," + trx + ",x,scam,s,forensic\n")
	f.Fuzz(func(t *testing.T, text string) {
		tags, err := readCSV(t, text)
		if err != nil && !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", text, err)
		}
		for _, tag := range tags {
			if tag.Label == "" || tag.Source == "" || tag.Address.IsZero() || tag.Confidence < 0 || tag.Confidence > 100 {
				t.Errorf("%q: got %+v", text, tag)
			}
		}
	})
}
