package tron

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/sha3"
	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// A hundred real headers hash to their ids, link, and were signed: most by the
// producer's own key, some by that of its witness permission, which is why the
// signer cannot be held against the address in the header.
func TestRealHeaders(t *testing.T) {
	text, err := os.ReadFile("testdata/headers-78000000.txt")
	if err != nil {
		t.Fatal(err)
	}
	var parent ledger.Hash
	own, others := 0, 0
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var parts [4][]byte
		for k, f := range strings.Fields(line) {
			if parts[k], err = hex.DecodeString(f); err != nil {
				t.Fatal(err)
			}
		}
		h, err := readHeader("header", &protocol.BlockExtention{
			Blockid: parts[0], BlockHeader: &protocol.BlockHeader{RawData: parts[1], WitnessSignature: parts[2]},
		})
		if err != nil {
			t.Fatalf("header %d: %v", i, err)
		}
		if i > 0 && h.parent != parent {
			t.Errorf("header %d: parent is %s, want %s", i, h.parent, parent)
		}
		parent = h.id
		var m protocol.HeaderRaw
		if err := proto.Unmarshal(parts[1], &m); err != nil {
			t.Fatal(err)
		}
		key, _ := signer(parts[1], parts[2])
		k := sha3.NewLegacyKeccak256()
		k.Write(key)
		if got := k.Sum(nil)[12:]; string(got) != string(parts[3]) {
			t.Errorf("header %d: signed by %x, want %x", i, got, parts[3])
		}
		if string(parts[3]) == string(m.GetWitnessAddress()[1:]) {
			own++
		} else {
			others++
		}
	}
	if own != 76 || others != 24 {
		t.Errorf("signed by the producer's own key: %d, by another: %d; want 76, 24", own, others)
	}
}
