package labels

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

func readPack(t testing.TB, text string) ([]ledger.Tag, Report, error) {
	t.Helper()
	var report Report
	var tags []ledger.Tag
	for tag, err := range ReadTagPack(t.Context(), "pack.yaml", strings.NewReader(text), &report) {
		if err != nil {
			return nil, report, err
		}
		tags = append(tags, tag)
	}
	return tags, report, nil
}

const packHead = "title: A pack\ncreator: Me\nsource: https://example.org\ncurrency: BTC\nlabel: L\n"

func TestTagPack(t *testing.T) {
	tags, report, err := readPack(t, `---
title: A pack   # a comment
creator: Me
description: >
  tags: not here
source: https://example.org
lastmod: 2021-11-14
confidence: forensic
currency: BTC
abuse: ransomware
tags:
# first
- address: `+locky+`
  label: Locky
  is_cluster_definer: true
  context:
    b: 1
    a: [x]
- address: '0xDE0B295669A9FD93d5f28d9ec85e40f4cb697bae'
  network: ETH
  currency: USDT
  label: |
    - two
    lines
  confidence: 70
  category: exchange
  concepts: [hot_wallet]
  actor: someone
  lastmod: 2022-01-05T17:55:12Z
  tag_type: actor
  context: '{"valid_from": "2022-01-01", "valid_to": "2023-01-01"}'

- {address: `+trx+`, currency: USDT, label: T, abuse: sanction}
- {address: `+trx+`, currency: USDT, label: T, abuse: sanction}
- {address: rGeyCsqc6vKXuyTGF39WJxmTRemoV3c97h, currency: XRP, label: R}
- {address: 13NrgYhtjgMtPpGdtPpxV4WX3S7azfeD49, label: bad}
- {tx_hash: `+strings.Repeat("ab", 32)+`, label: tx}
`)
	if err != nil {
		t.Fatal(err)
	}
	tx := ledger.TxID([32]byte([]byte(strings.Repeat("\xab", 32))))
	base := ledger.Tag{Source: "https://example.org", Pack: "A pack", Creator: "Me", Confidence: 50, LastMod: 1636848000000, Abuse: "ransomware", Category: "ransomware", Concepts: []string{"ransomware"}}
	want := []ledger.Tag{base, base, base, base}
	want[0].Address, want[0].Chain, want[0].Label, want[0].Definer, want[0].Context = parse(t, "bitcoin", locky), "bitcoin", "Locky", true, `{"a":["x"],"b":1}`
	want[1].Address, want[1].Chain, want[1].Label, want[1].Confidence = parse(t, "ethereum", "0xde0b295669a9fd93d5f28d9ec85e40f4cb697bae"), "ethereum", "- two\nlines\n", 70
	want[1].Concepts, want[1].Actor, want[1].LastMod = []string{"ransomware", "exchange", "hot_wallet"}, "someone", 1641405312000
	want[1].Context, want[1].ValidFrom, want[1].ValidTo = `{"valid_from": "2022-01-01", "valid_to": "2023-01-01"}`, 1640995200000, 1672531200000
	want[2].Address, want[2].Chain, want[2].Label = parse(t, "tron", trx), "tron", "T"
	want[2].Abuse, want[2].Category, want[2].Concepts = "sanction", "sanctioned_entity", []string{"sanction"}
	want[3].Tx, want[3].Chain, want[3].Label = &tx, "bitcoin", "tx"
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Error(diff)
	}
	if report.Repeated != 1 || report.Skipped["XRP"] != 1 || report.Refused != 1 || !strings.Contains(report.Refusals[0], "pack.yaml:36") {
		t.Errorf("got %+v, want 1 repeated, 1 of XRP skipped, 1 refused at line 36", report)
	}
}

// TestTagTypes: a tag says what it claims; a mention claims nothing of the owner.
func TestTagTypes(t *testing.T) {
	tags, _, err := readPack(t, packHead+"category: exchange\ntags:\n- {address: "+locky+", tag_type: actor, label: a}\n- {address: "+locky+", tag_type: event, label: b}\n- {address: "+locky+", tag_type: mention, label: c}\n")
	if err != nil || len(tags) != 3 || tags[0].Type != "" || tags[1].Type != "event" || tags[2].Type != "mention" {
		t.Fatalf("got %+v, %v, want the types \"\", event, mention", tags, err)
	}
	if tags[0].Category != "exchange" || tags[1].Category != "exchange" || tags[2].Category != "" || len(tags[2].Concepts) != 1 {
		t.Errorf("got %+v, want a mention without a category", tags)
	}
}

// TestTagPackChunks has tags on both sides of many chunk borders, indented or not.
func TestTagPackChunks(t *testing.T) {
	for _, indent := range []string{"", "    "} {
		var text strings.Builder
		text.WriteString(packHead + "tags:\n")
		for i := range 3*chunkTags + 7 {
			tx := strings.Repeat("0", 60) + string("0123456789abcdef"[i>>12&15]) + string("0123456789abcdef"[i>>8&15]) + string("0123456789abcdef"[i>>4&15]) + string("0123456789abcdef"[i&15])
			text.WriteString(indent + "- tx_hash: '" + tx + "'\n" + indent + "  context: |\n" + indent + "    - a list, it seems\n\n" + indent + "  # remark\n")
		}
		tags, _, err := readPack(t, text.String())
		if err != nil || len(tags) != 3*chunkTags+7 || tags[700].Context != "- a list, it seems\n" {
			t.Errorf("indent %q: got %d tags, %v", indent, len(tags), err)
		}
	}
}

func TestTagPackRefused(t *testing.T) {
	address := "- address: " + locky + "\n"
	tests := []struct{ name, text, want string }{
		{"empty", "", "a list under tags"},
		{"no title", "creator: Me\nsource: s\ncurrency: BTC\nlabel: L\ntags:\n" + address, "title"},
		{"no creator", "title: Me\nsource: s\ncurrency: BTC\nlabel: L\ntags:\n" + address, "creator"},
		{"no label", "title: A\ncreator: Me\nsource: s\ncurrency: BTC\ntags:\n" + address, "pack.yaml:6: want the mandatory field label"},
		{"no source", "title: A\ncreator: Me\nlabel: s\ncurrency: BTC\ntags:\n" + address, "source"},
		{"no currency", "title: A\ncreator: Me\nlabel: s\nsource: BTC\ntags:\n" + address, "currency"},
		{"neither address nor hash", packHead + "tags:\n- actor: a\n", "exactly one of address and tx_hash"},
		{"address and hash", packHead + "tags:\n" + address + "  tx_hash: " + strings.Repeat("ab", 32) + "\n", "exactly one"},
		{"unknown header field", packHead + "colour: red\ntags:\n" + address, "pack.yaml:6: want a field of a TagPack, got \"colour\""},
		{"unknown tag field", packHead + "tags:\n" + address + "  colour: red\n", "pack.yaml:8"},
		{"header field in a tag", packHead + "tags:\n" + address + "  title: red\n", "field of a TagPack"},
		{"null", packHead + "tags:\n" + address + "  actor:\n", "not null"},
		{"tilde", packHead + "actor: ~\ntags:\n" + address, "not null"},
		{"NUL", packHead + "actor: \"a\\0b\"\ntags:\n" + address, "NUL"},
		{"alias", packHead + "tags:\n" + address + "  actor: &a x\n- address: " + locky + "\n  label: *a\n", "aliases or anchors"},
		{"anchor in the header", "title: &a A\ncreator: *a\ntags:\n" + address, "aliases or anchors"},
		{"merge key", packHead + "tags:\n- <<: {label: x}\n  address: " + locky + "\n", "field of a TagPack"},
		{"key twice", packHead + "tags:\n" + address + "  actor: a\n  actor: b\n", "each field once"},
		{"header key twice", packHead + "label: M\ntags:\n" + address, "each field once"},
		{"text is a list", packHead + "tags:\n" + address + "  actor: [a]\n", "actor: text"},
		{"text is a truth", packHead + "tags:\n" + address + "  actor: true\n", "actor: text"},
		{"definer is text", packHead + "tags:\n" + address + "  is_cluster_definer: maybe\n", "true or false"},
		{"date", packHead + "lastmod: yesterday\ntags:\n" + address, "a date"},
		{"confidence", packHead + "confidence: sure\ntags:\n" + address, "confidence scale"},
		{"confidence over 100", packHead + "confidence: 101\ntags:\n" + address, "confidence scale"},
		{"category", packHead + "category: villain\ntags:\n" + address, "taxonomy"},
		{"concepts", packHead + "tags:\n" + address + "  concepts: [exchange, villain]\n", "taxonomy"},
		{"tag type", packHead + "tags:\n" + address + "  tag_type: thing\n", "actor, event"},
		{"flow list", packHead + "tags: []\n", "block list"},
		{"field after the tags", packHead + "tags:\n" + address + "actor: late\n", "nothing after"},
		{"second document", packHead + "---\ntitle: B\ntags:\n" + address, "one YAML document"},
		{"no list", packHead + "tags:\n  a: b\n", "a list of tags"},
		{"scalar in the list", packHead + "tags:\n- just text\n", "a tag: fields"},
		{"tab", packHead + "tags:\n" + address + " \tlabel: x\n", "YAML"},
		{"unclosed quote", packHead + "tags:\n" + address + "  actor: \"x\n", "YAML"},
		{"include", "header: !include header.yaml\ntags:\n" + address, "field of a TagPack"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tags, _, err := readPack(t, test.text)
			if !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v, want ErrInvalid with %q\n%s", tags, err, test.want, test.text)
			}
		})
	}
}

// TestTooLong ends a line, and a file, without end.
func TestTooLong(t *testing.T) {
	if _, _, err := readPack(t, packHead+"description: "+strings.Repeat("x", maxLine)+"\n"); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	var report Report
	for _, err := range ReadTagPack(t.Context(), "p", &endless{line: []byte("# comment, and nothing else, for ever and ever and ever and ever\n")}, &report) {
		if !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("got %v, want ErrInvalid", err)
		}
	}
}

// endless repeats a line.
type endless struct {
	line []byte
	at   int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.line[e.at:])
	e.at = (e.at + n) % len(e.line)
	return n, nil
}

// TestDemoPack reads the bundled pack: 7,178 addresses, one of them the demo's.
func TestDemoPack(t *testing.T) {
	l := open(t, t.TempDir())
	done, err := l.ImportFile(t.Context(), "../testdata/demo/labels/ransomware.yaml.gz", Options{}, 1)
	if err != nil || done.Tags+done.Repeated+done.Refused != 7178 {
		t.Fatalf("got %+v, %v, want 7178 tags", done, err)
	}
	v, _ := l.View(0)
	tags, err := v.Tags(t.Context(), parse(t, "bitcoin", locky))
	if err != nil || len(tags) != 1 || tags[0].Label != "Locky" || tags[0].Category != "ransomware" || tags[0].Confidence != 50 || !tags[0].Definer {
		t.Errorf("got %+v, %v, want Locky, ransomware, 50", tags, err)
	}
}

// TestTables: every concept maps onto a category, every KYT id of api.md is accepted.
func TestTables(t *testing.T) {
	if len(concepts) != 93 {
		t.Errorf("got %d concepts, want 93", len(concepts))
	}
	for id, ours := range concepts {
		if _, ok := CategoryOf(ours); !ok && ours != "" {
			t.Errorf("%s maps to %q, which is no category", id, ours)
		}
	}
	for _, kyt := range []string{"9", "10", "14", "15", "30", "36", "38", "42", "43", "45", "46", "999", "18", "10004"} {
		if _, ok := ParseCategory(kyt); !ok {
			t.Errorf("KYT id %s is not known", kyt)
		}
	}
	for _, bad := range []string{"8", "", "villain", "-1"} {
		if c, ok := ParseCategory(bad); ok {
			t.Errorf("%q: got %v, want none", bad, c)
		}
	}
	seen := map[string]bool{}
	for _, c := range Categories() {
		if seen[c.ID] || c.KYT == 0 {
			t.Errorf("%v is twice or has no KYT id", c)
		}
		seen[c.ID] = true
	}
	if got := categorise([]string{"exchange", "service_hack"}); got != "stolen_funds" {
		t.Errorf("a hacked exchange: got %q, want stolen_funds", got)
	}
	if got := categorise([]string{"dark_web", "market"}); got != "darknet_market" {
		t.Errorf("a market of the dark web: got %q, want darknet_market", got)
	}
}

func FuzzTagPack(f *testing.F) {
	f.Add(packHead + "tags:\n- address: " + locky + "\n  concepts: [exchange]\n")
	f.Add("\x1f\x8b")                                     // a gzip's magic and no more
	f.Add("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x4b") // a gzip cut off in its text
	f.Add(packHead + "tags:\n  - {tx_hash: " + strings.Repeat("ab", 32) + ", context: {a: 1}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		tags, _, err := readPack(t, text)
		if err != nil && !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%q: got %v, want ErrInvalid", text, err)
		}
		for _, tag := range tags {
			if tag.Label == "" || tag.Source == "" || tag.Chain == "" || (tag.Tx == nil) == tag.Address.IsZero() || strings.ContainsRune(tag.Label, 0) {
				t.Errorf("%q: got %+v", text, tag)
			}
		}
	})
}

func TestFind(t *testing.T) {
	files, err := Find("../testdata/demo/labels")
	want := []string{"../testdata/demo/labels/ransomware.yaml.gz", "../testdata/demo/labels/seizure-orders.csv"}
	if diff := cmp.Diff(want, files); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := Find(t.TempDir()); !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("an empty folder: got %v, want ErrInvalid", err)
	}
	if _, err := Find("nowhere"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
}
