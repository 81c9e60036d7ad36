package bitcoin

import (
	"bytes"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
)

// Block 400000: our decoder with every check, and btcd's with txids and no check.
func BenchmarkDecode(b *testing.B) {
	raw := readGzip(b, "demo/bitcoin/block400000.raw.gz")
	b.Run("spoor", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			if _, err := Decode("bitcoin", raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("wire", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			var msg wire.MsgBlock
			if err := msg.Deserialize(bytes.NewReader(raw)); err != nil {
				b.Fatal(err)
			}
			for _, tx := range msg.Transactions {
				tx.TxHash()
			}
		}
	})
}
