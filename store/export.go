package store

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spoortrace/spoor/ledger"
)

// Export writes what a network holds as lines of text: the canonical rows of
// every block (see lines), each transaction followed by its spent outputs as
// "S output spender", and at the end the digest of the tip and the sums. Two
// indexes of the same blocks give the same stream, whatever the engine, the
// sizes of batches and the order of arrival. Hashing the B, T, I, O and X lines
// of a block gives its digest.
func (s *Snapshot) Export(ctx context.Context, c ledger.Chain, to io.Writer) error {
	v, err := s.of(c)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(to, 1<<20)
	if _, err := fmt.Fprintf(w, "spoor-index %d %s\n", formatVersion, c); err != nil {
		return err
	}
	var sums totals
	for b, err := range v.blocks(ctx) {
		if err != nil {
			return err
		}
		if err := v.exportBlock(w, b, &sums); err != nil {
			return err
		}
	}
	for _, claim := range v.meta.Claims {
		var l lines
		l.word("C").owner(claim.Account).uint(claim.Range.From).uint(claim.Range.To)
		if v.meta.Fetched {
			l.word(claim.Asset.String()).word(claim.Tx.String())
		}
		l.end()
		_, _ = w.Write(l.b) // the first error stays for Flush
	}
	for _, f := range v.meta.Files {
		fmt.Fprintf(w, "F %s\n", f.SHA256)
	}
	txs, spends, events := sums.txs.bytes(), sums.spends.bytes(), sums.events.bytes()
	fmt.Fprintf(w, "D %d %s %s\n", v.asOf.ref.Height, v.asOf.ref.Hash, v.asOf.digest)
	fmt.Fprintf(w, "Z %s %s %s\n", hex.EncodeToString(txs[:]), hex.EncodeToString(spends[:]), hex.EncodeToString(events[:]))
	return w.Flush()
}

func (v *view) exportBlock(w io.Writer, b *stored, sums *totals) error {
	digest, hashes := digestOf(b.Block)
	if b.digest != (ledger.Hash{}) && digest != b.digest {
		return corrupt("block %d has digest %s, stored is %s", b.Ref.Height, digest, b.digest)
	}
	var l lines
	l.block(b.Block, len(b.Txs))
	for i := range b.Txs {
		tx := v.spent(b.Txs[i])
		l.tx(&tx)
		for j, out := range tx.Outputs {
			if out.SpentBy != 0 {
				l.word("S").uint(uint64(j)).word(ledger.Point{Pos: out.SpentBy}.String()).end()
			}
		}
		sums.addTx(&tx, hashes[i])
	}
	_, err := w.Write(l.b)
	return err
}

// addTx adds the rows of a transaction as its record gives them.
func (t *totals) addTx(tx *ledger.Tx, hash [32]byte) {
	t.txs.add(hash)
	for i := range tx.Inputs {
		if in := &tx.Inputs[i]; in.PrevPos != 0 && !tx.Coinbase {
			t.spends.add(spendHash(in.PrevPos, in.Prev.Index, tx.Pos))
		}
	}
	for h, e := range eventsOf(tx) {
		t.events.add(eventHash(h, &e))
	}
}
