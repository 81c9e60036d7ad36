package store

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/ledger"
	"pgregory.net/rapid"
)

// TestUnsealFindsForeignRows wants a value refused under every key but its own.
func TestUnsealFindsForeignRows(t *testing.T) {
	own := key{[]byte("ab"), []byte("c")}
	stored := seal(own, []byte("value"))
	if got, err := unseal(own, stored); err != nil || string(got) != "value" {
		t.Fatalf("own key: got %q, %v", got, err)
	}
	for _, k := range []key{{[]byte("a"), []byte("bc")}, {[]byte("abc"), nil}, {nil, []byte("abc")}, {[]byte("ab"), []byte("d")}} {
		if got, err := unseal(k, stored); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("key %s: got %q, %v, want %v", k, got, err, ledger.ErrCorrupt)
		}
	}
	for n := range stored {
		if _, err := unseal(own, stored[:n]); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("cut at %d: got %v, want %v", n, err, ledger.ErrCorrupt)
		}
	}
}

// FuzzRows feeds every decoder with any bytes: no panic, and what decodes and is
// encoded again decodes to the same.
func FuzzRows(f *testing.F) {
	chain := ledger.Chain("tron")
	holder := account{asset: 3, tail: group{entries: []entry{{at: ledger.Point{Pos: 9, Slot: 1}, peer: 4, amount: ledger.NewAmount(7)}}}}
	var e encoder
	holder.encode(&e)
	f.Add(e.b)
	f.Add((&home{assets: 1, first: &holder}).encode())
	f.Add((&payees{ids: []uint64{1, 2}, at: []ledger.Point{{Pos: 1}, {Pos: 2}}}).encode())
	f.Add((&record{body: (&body{nOutputs: 1}).encode(), outputs: []output{{owner: 1, spender: 99}}}).encode(5))
	f.Add((&blockRow{runs: []run{{1, 2}}}).encode())
	f.Add((&Contents{Claims: []ledger.Claim{{Range: ledger.Range{To: 5}}}, Files: []File{{Name: "x"}}}).encode())
	f.Add(dict{keyLen: 8}.encode(&bucket{entries: []dictEntry{{[]byte("12345678"), 7}}}))
	f.Add(encodeList([][]byte{nil, []byte("ab")}))
	young := newYoung(&ledger.Block{Ref: ledger.BlockRef{Chain: chain, Height: 7}, Txs: []ledger.Tx{{Chain: chain, Transfers: []ledger.Transfer{{Slot: 1}}}}}, mark{})
	f.Add(young.ops()[0].Value)
	f.Fuzz(func(t *testing.T, in []byte) {
		again(t, "account", in, func(b []byte) (*account, error) {
			d := decoder{b: b}
			a := decodeAccount(&d)
			return a, d.end("account")
		}, func(a *account) []byte {
			var e encoder
			a.encode(&e)
			return e.b
		})
		again(t, "record", in, func(b []byte) (*record, error) { return decodeRecord(b, 5) }, func(r *record) []byte { return r.encode(5) })
		again(t, "body", in, func(b []byte) (*body, error) { return decodeBody(b, 5) }, (*body).encode)
		again(t, "contents", in, func(b []byte) (*Contents, error) { return decodeContents(chain, b) }, (*Contents).encode)
		again(t, "bucket", in, dict{keyLen: 8}.decode, dict{keyLen: 8}.encode)
		again(t, "list", in, decodeList, encodeList)
		again(t, "head", seal(headKey(), in), decodeHead, (*head).encode)
		if y, err := decodeYoung(chain, in); err == nil {
			y.ops()
		}
		_, _ = decodeBlockRow(chain, 7, in)
		_, _ = parseAnchor(in)
	})
}

func again[T any](t *testing.T, what string, in []byte, decode func([]byte) (T, error), encode func(T) []byte) {
	t.Helper()
	first, err := decode(bytes.Clone(in))
	if err != nil {
		return
	}
	second, err := decode(encode(first))
	if err != nil || !reflect.DeepEqual(first, second) {
		t.Fatalf("%s of %x: got %+v, %v, want %+v", what, in, second, err, first)
	}
}

func TestWide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 0, 32)
		a, _ := ledger.AmountFromBytes(raw.Draw(t, "a"))
		b, _ := ledger.AmountFromBytes(raw.Draw(t, "b"))
		sum, err := wideOf(a).add(wideOf(b))
		if err != nil {
			t.Fatalf("%s + %s: %v", a, b, err)
		}
		if got := wideFromBytes(sum.bytes()); got != sum {
			t.Fatalf("bytes of %s + %s: got %x, want %x", a, b, got, sum)
		}
		want, overflow := a.Add(b)
		if got, err := sum.amount(); got != want || (err == nil) != (overflow == nil) {
			t.Fatalf("%s + %s: got %s, %v, want %s, %v", a, b, got, err, want, overflow)
		}
		if got := sum.sub(wideOf(b)); got != wideOf(a) {
			t.Fatalf("%s + %s - %s: got %x", a, b, b, got)
		}
		if got := wideOf(a).less(wideOf(b)); got != a.Less(b) {
			t.Fatalf("%s < %s: got %v", a, b, got)
		}
	})
	full := wideFromBytes(bytes.Repeat([]byte{0xff}, 40))
	if _, err := full.add(wide{1}); !errors.Is(err, ledger.ErrOverflow) {
		t.Errorf("2^320-1 + 1: got %v, want %v", err, ledger.ErrOverflow)
	}
}

// TestDictionary inserts hashes that share any prefix and finds each again.
func TestDictionary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, rows := dict{tableTxID, 8}, map[string]*bucket{}
		load := func(k key) (*bucket, error) {
			if b := rows[string(k.partition)]; b != nil {
				return b, nil
			}
			return nil, ErrAbsent
		}
		want := map[string][]uint64{}
		shared := strings.Repeat("\x5a", rapid.IntRange(0, 8).Draw(t, "shared"))
		total := rapid.IntRange(1, 400).Draw(t, "entries")
		for i := range total {
			hash := []byte(shared + string(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "hash")))[:8]
			put := func(k key, b *bucket) { rows[string(k.partition)] = b }
			if err := d.insert(load, put, hash, uint64(i), uint64(i)); err != nil {
				t.Fatalf("insert %x: %v", hash, err)
			}
			want[string(hash)] = append(want[string(hash)], uint64(i))
		}
		for hash, values := range want {
			for _, n := range []uint64{0, uint64(total), 1 << 40} { // a wrong count costs reads, never answers
				if n == 0 && rows[string(d.key(nil, 0).partition)] == nil {
					continue
				}
				if got, err := d.find(load, []byte(hash), n); err != nil || !reflect.DeepEqual(got, values) {
					t.Fatalf("find %x of %d: got %v, %v, want %v", hash, n, got, err, values)
				}
			}
		}
		for name, b := range rows {
			if b2, err := d.decode(d.encode(b)); err != nil || len(b2.entries) != len(b.entries) {
				t.Fatalf("bucket %x: %v", name, err)
			}
		}
	})
}
