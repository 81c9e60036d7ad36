package labels

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/spoortrace/spoor/ledger"
)

// TestHostile: what is no label file, or would cost more than it is worth, is
// refused with ledger.ErrInvalid and the place.
func TestHostile(t *testing.T) {
	head := strings.Replace(actorPack, "lastmod: 2022-11-29\n", "", 1)
	tests := []struct{ name, file, text, want string }{
		{"empty", "x.txt", "", "x.txt"},
		{"binary", "x.xml", "<Sanctions\x00>", "NUL bytes"},
		{"program", "x.csv", "\x7fELF\x02", "x.csv"},
		{"prose", "x.txt", "this is no list\n", "x.txt"},
		{"transfers", "x.csv", "from,to,value\na,b,1\n", "x.csv"},
		{"list without label", "x.txt", locky + "\n", "--label"},
		{"XML of a version to come", "x.xml", `<?xml version="0"?><Sanctions/>`, "XML 1.0"},
		{"doctype", "x.xml", `<!DOCTYPE Sanctions [<!ENTITY a "b">]><Sanctions>&a;</Sanctions>`, "no DOCTYPE"},
		{"external entity", "x.xml", `<!DOCTYPE Sanctions SYSTEM "file:///etc/passwd"><Sanctions/>`, "no DOCTYPE"},
		{"entity", "x.xml", `<Sanctions>&lol;</Sanctions>`, "x.xml:1"},
		{"cut off", "x.xml", sdn[:len(sdn)/2], "x.xml:"},
		{"another root", "x.xml", `<Other><Sanctions/></Other>`, "element Sanctions"},
		{"mismatched", "x.xml", `<Sanctions><a></b></Sanctions>`, "x.xml:1"},
		{"latin 1", "x.xml", `<?xml version="1.0" encoding="iso-8859-1"?><Sanctions/>`, "UTF-8"},
		{"deep XML", "x.xml", "<Sanctions>" + strings.Repeat("<a>", 100), "64 elements"},
		{"huge token", "x.xml", `<Sanctions><a b="` + strings.Repeat("x", 5<<20), "at most 4 MiB"},
		{"huge text", "x.xml", `<Sanctions><a>` + strings.Repeat("x", 5<<20), "at most 4 MiB"},
		{"deep JSON", "x.json", `{"type":"bundle","x":` + strings.Repeat("[", 20_000), "x.json: byte"},
		{"huge JSON", "x.json", `{"type":"bundle","x":"` + strings.Repeat("x", 5<<20), "at most 4 MiB"},
		{"key twice", "x.json", `{"type":"bundle","objects":[],"objects":[]}`, "each key once"},
		{"key twice in a value", "x.json", `{"` + evm + `":{"name":"a","labels":[],"name":"b"}}`, "each key once: name"},
		{"key twice in an object", "x.json", `{"type":"bundle","objects":[{"type":"cryptocurrency-wallet","id":"a","value":"` + locky + `","Value":"` + trx + `"}]}`, "each key once: Value"},
		{"key twice far in", "x.json", `{"type":"bundle","x":[{"a":[1,{"b":"b","c":{},"b":2}]}],"objects":[]}`, "each key once: b"},
		{"key twice in an entity", "x.jsonl", `{"id":"a","schema":"CryptoWallet","properties":{"publicKey":["` + locky + `"],"publicKey":["` + trx + `"]}}`, "each key once"},
		{"key twice in a context", "x.yaml", packHead + "tags:\n- {address: " + locky + `, context: '{"valid_to":"2020-01-01","valid_to":"2030-01-01"}'}` + "\n", "each key once"},
		{"two values", "x.json", `{"type":"bundle","objects":[]} {}`, "one JSON value"},
		{"no objects", "x.json", `{"type":"bundle"}`, "a list of objects"},
		{"object without id", "x.json", `{"type":"bundle","objects":[{"type":"malware"}]}`, "type and id"},
		{"objects are a text", "x.json", `{"type":"bundle","objects":"x"}`, "x.json: byte"},
		{"NUL in JSON", "x.json", `{"` + evm + `":{"name":"a\u0000b","labels":[]}}`, "without NUL"},
		{"entity is a list", "x.jsonl", `{"id":"a","schema":"CryptoWallet","properties":[]}`, "x.jsonl:1"},
		{"second line", "x.jsonl", `{"id":"a","schema":"Person"}` + "\n{", "x.jsonl:2"},
		{"no label", "x.json", `{"` + evm + `":{"name":"","labels":[]}}`, "a label"},
		{"short row", "x.csv", "banned_address,wallet_tag,data_source\n" + evm + "\n", "x.csv:2"},
		{"missing column", "x.csv", "contract_address,contract_tagged\n" + evm + ",a\n", "contract_tag"},
		{"sentence in a list", "x.txt", locky + "\nnot an address\n", "--label"},
		{"JSON list of numbers", "x.json", `["` + locky + `",1]`, "--label"},
		{"actor twice", "a.yaml", strings.Replace(head, "id: hydra", "id: binance", 1), "each actor once"},
		{"actor without id", "a.yaml", strings.Replace(head, "- id: binance\n  uri", "- uri", 1), "mandatory field id"},
		{"actor without categories", "a.yaml", strings.Replace(head, ", categories: [market, dark_web]", "", 1), "mandatory field categories"},
		{"country", "a.yaml", strings.Replace(head, "KY", "Cayman", 1), "country codes"},
		{"field of a tag", "a.yaml", strings.Replace(head, "aliases: [bnc]", "currency: BTC", 1), "field of an ActorPack"},
		{"concept", "a.yaml", strings.Replace(head, "[exchange]", "[villain]", 1), "taxonomy"},
		{"alias", "a.yaml", strings.Replace(head, "[exchange]", "&a [exchange]", 1), "aliases or anchors"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tags, _, err := read(t, test.file, test.text, Options{})
			if !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %d tags, %v, want ErrInvalid with %q", len(tags), err, test.want)
			}
		})
	}
}

// TestDisk: a disk that fails is no bad input, whatever the format.
func TestDisk(t *testing.T) {
	broken := errors.New("the disk is gone")
	rest := strings.Repeat(" ", 2*headSize)
	for name, text := range map[string]string{
		"x.xml": "<Sanctions>" + rest, "b.json": `{"type":"bundle","objects":[` + rest, "e.json": `{"` + evm + `":{"name":"a"},` + rest, "l.json": `["` + locky + `",` + rest,
		"x.jsonl": `{"id":"a","schema":"Person"}` + "\n" + rest, "l.txt": locky + "\n" + rest, "l.csv": "network,address,label\n\"" + rest, "p.yaml": packHead + rest,
		"f.csv": "banned_address,wallet_tag\n\"" + rest, "a.yaml": "title: a\ncreator: b\nactors:\n" + rest,
	} {
		src, err := sourceOf(t.Context(), name, io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), Options{Label: "L"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, e := range src.Tags {
			err = e
		}
		if src.Actors != nil {
			for _, e := range src.Actors {
				err = e
			}
		}
		if !errors.Is(err, broken) || errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: got %v, want the disk's error", name, err)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	for name, opt := range map[string]Options{
		"network": {Network: "atlantis"}, "category": {Category: "villain"}, "confidence": {Confidence: 101}, "max_age": {MaxAge: -1},
		"label": {Label: "a\x00b"}, "source": {Source: strings.Repeat("x", 2000)},
	} {
		if err := opt.check(); !errors.Is(err, ledger.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	for path, want := range map[string]string{
		"a/labels/1/x.csv": "ethereum", "labels/10/x.csv": "OP", "/d/labels/56/x.csv": "bnb", "labels/x.csv": "", "labels/7/x.csv": "", "x.csv": "",
		"data/polygonscan/combined/combinedAllLabels.json": "polygon", `c:\data\etherscan\combined\a.json`: "ethereum", "data/other/combined/a": "",
		"data/avalanche/combined/combinedAllLabels.json": "AVAX",
	} {
		if got := NetworkOf(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// fuzzFormats: no text makes a reader panic, fail with anything but ErrInvalid, or give a tag without its parts.
func fuzzFormats(t *testing.T, name, text string) {
	t.Helper()
	tags, _, err := read(t, name, text, Options{Label: "L"})
	if err != nil && !errors.Is(err, ledger.ErrInvalid) {
		t.Errorf("%q: got %v, want ErrInvalid", text, err)
	}
	for _, tag := range tags {
		if tag.Label == "" || tag.Source == "" || tag.Chain == "" || (tag.Tx == nil) == tag.Address.IsZero() || strings.ContainsRune(tag.Label+tag.Source, 0) || tag.Confidence < 0 || tag.Confidence > 100 {
			t.Errorf("%q: got %+v", text, tag)
		}
	}
}

func FuzzOFAC(f *testing.F) {
	f.Add(sdn)
	f.Add(`<!DOCTYPE a><Sanctions/>`)
	f.Add(`<?xml version="0"?><Sanctions`)
	f.Fuzz(func(t *testing.T, text string) { fuzzFormats(t, "x.xml", text) })
}

func FuzzFTM(f *testing.F) {
	f.Add(`{"id":"w","schema":"CryptoWallet","properties":{"publicKey":["` + locky + `"],"holder":["a",{"caption":"b"}]}}`)
	f.Fuzz(func(t *testing.T, text string) { fuzzFormats(t, "x.jsonl", text) })
}

func FuzzSTIX(f *testing.F) {
	f.Add(`{"type":"bundle","objects":[{"type":"cryptocurrency-wallet","id":"a","value":"` + locky + `"},{"type":"relationship","id":"r","source_ref":"a","target_ref":"a"}]}`)
	f.Add(`{"type":"bundle","objects":[{"type":"indicator","id":"i","pattern":"[cryptocurrency-wallet:value = '` + trx + `']"}]}`)
	f.Fuzz(func(t *testing.T, text string) { fuzzFormats(t, "x.json", text) })
}

func FuzzLists(f *testing.F) {
	f.Add(`{"` + evm + `":{"name":"a","labels":["dex"]}}`)
	f.Add("banned_address,wallet_tag,data_source\n" + evm + ",a,b\n")
	f.Add(locky + "\n# x\n" + trx)
	f.Add(`["` + locky + `"]`)
	f.Fuzz(func(t *testing.T, text string) { fuzzFormats(t, "x", text) })
}

func FuzzActorPack(f *testing.F) {
	f.Add(actorPack)
	f.Fuzz(func(t *testing.T, text string) { fuzzFormats(t, "a.yaml", text) })
}
