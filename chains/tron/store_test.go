package tron

import (
	"context"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/sha3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// A lying node gets no row written.
func TestNoRowOfALie(t *testing.T) {
	for name, lie := range map[string]func(*server){
		"root":    func(s *server) { s.blocks[realHeight].Transactions[5].Transaction[40] ^= 1 },
		"missing": func(s *server) { delete(s.infos, realHeight) },
		"header":  func(s *server) { s.blocks[realHeight].BlockHeader.WitnessSignature = nil },
		"unauthorized": func(s *server) {
			s.fail = func(method string) error {
				if method == "infos" {
					return status.Error(codes.Unauthenticated, "no key")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, 2)
			n := dial(t, s)
			lie(s)
			index, err := store.Open(t.TempDir(), memkv.New(), store.Options{MinFree: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer index.Close() //nolint:errcheck // of a test
			network, err := index.Create(t.Context(), "tron")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			from := uint64(realHeight)
			err = store.Follow(ctx, network, []store.Source{n}, store.FollowOptions{From: &from, Poll: 5 * time.Millisecond})
			if string(fault(err)) != name {
				t.Errorf("got %v, want fault %s", err, name)
			}
			if st, err := network.Status(); err != nil || st.Blocks != 0 {
				t.Errorf("got %d blocks, %v; want none", st.Blocks, err)
			}
		})
	}
}

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
