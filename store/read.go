package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// stored is a block as the index holds it, with where its raw form lies.
type stored struct {
	*ledger.Block
	raw    rawRef
	digest ledger.Hash // of the block; zero for a block of the overlay
	at     mark
}

// blockAt returns the block of a height, nil when none is held there. Its
// transactions are its receiver's to change; spends are not filled in.
func (v *view) blockAt(height uint64) (*ledger.Block, *stored, error) {
	if y := v.youngAt(height); y != nil {
		s := y.stored()
		return s.Block, s, nil
	}
	row, err := v.block(height)
	if err != nil || row == nil {
		return nil, nil, err
	}
	s, err := v.fill(row)
	if err != nil {
		return nil, nil, err
	}
	return s.Block, s, nil
}

// check compares the block with the digest that was taken when it came.
func (s *stored) check() error {
	if digest, _ := digestOf(s.Block); s.digest != (ledger.Hash{}) && digest != s.digest {
		return corrupt("block %d has digest %s, stored is %s", s.Ref.Height, digest, s.digest)
	}
	return nil
}

func (y *young) stored() *stored {
	return &stored{y.whole(), y.raw, ledger.Hash{}, y.at}
}

// fill reads the transactions of a block of the base.
func (v *view) fill(row *blockRow) (*stored, error) {
	b := row.block
	for _, r := range row.runs {
		for i := range r.n {
			tx, err := v.tx(ledger.At(b.Ref.Height, r.first+i))
			if err != nil {
				return nil, err
			}
			b.Txs = append(b.Txs, tx)
		}
	}
	return &stored{&b, row.raw, row.digest, row.at()}, nil
}

// blocks yields the held blocks in order of height, proving that none is
// missing: every block names the height of the one before it.
func (v *view) blocks(ctx context.Context) iter.Seq2[*stored, error] {
	return func(yield func(*stored, error) bool) {
		var previous uint64
		for row, err := range v.blockRows() {
			var s *stored
			if err == nil && row.previous != previous {
				err = corrupt("block %d follows height %d, wanted %d", row.block.Ref.Height, int64(row.previous)-1, int64(previous)-1)
			}
			if err == nil {
				previous = row.block.Ref.Height + 1
				s, err = v.fill(row)
			}
			if err == nil {
				err = ctx.Err()
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
		want := v.asOf
		if len(v.held) > 0 {
			want = v.held[0].prev
		}
		if want.set && previous != want.ref.Height+1 {
			yield(nil, corrupt("blocks end at height %d, the base at %d", int64(previous)-1, want.ref.Height))
			return
		}
		for _, y := range v.held {
			if !yield(y.stored(), ctx.Err()) {
				return
			}
		}
	}
}

// blockRows yields the block rows of the base in order of height.
func (v *view) blockRows() iter.Seq2[*blockRow, error] {
	return func(yield func(*blockRow, error) bool) {
		for count, err := range v.reader.Scan([]byte{tableBlocks}, nil, nil, false) {
			if err != nil {
				yield(nil, err)
				return
			}
			bucket := beOf(count.Sort)
			if _, err := unseal(blocksKey(bucket), count.Value); err != nil {
				yield(nil, err)
				return
			}
			for row, err := range v.reader.Scan(partition(tableBlock, bucket), nil, nil, false) {
				if err != nil {
					yield(nil, err)
					return
				}
				height := beOf(row.Sort)
				if ledger.At(height, 0) >= v.limit {
					return
				}
				value, err := unseal(v.blockKey(height), row.Value)
				var b *blockRow
				if err == nil {
					b, err = decodeBlockRow(v.head.chain, height, value)
				}
				if !yield(b, err) || err != nil {
					return
				}
			}
		}
	}
}

// BlockRef returns the block held at a height.
func (s *Snapshot) BlockRef(_ context.Context, c ledger.Chain, height uint64) (ledger.BlockRef, error) {
	v, err := s.of(c)
	if err != nil {
		return ledger.BlockRef{}, err
	}
	ref, _, err := v.digestAt(height)
	return ref, err
}

// Origin says where the block of a height came from: a file, or a node's software and address.
func (s *Snapshot) Origin(_ context.Context, c ledger.Chain, height uint64) (string, error) {
	v, err := s.of(c)
	if err != nil {
		return "", err
	}
	b, _, err := v.header(height)
	if err == nil && b == nil {
		err = notFound("block "+itoa(height), v.asOf.ref)
	}
	if err != nil {
		return "", err
	}
	return b.Source, nil
}

// DigestAt returns the digest of the tip at a height: of everything that the
// network holds up to and including that block.
func (s *Snapshot) DigestAt(_ context.Context, c ledger.Chain, height uint64) (ledger.Hash, error) {
	v, err := s.of(c)
	if err != nil {
		return ledger.Hash{}, err
	}
	_, digest, err := v.digestAt(height)
	return digest, err
}

func (v *view) digestAt(height uint64) (ledger.BlockRef, ledger.Hash, error) {
	if height == v.asOf.ref.Height {
		return v.asOf.ref, v.asOf.digest, nil
	}
	if y := v.youngAt(height); y != nil {
		return y.at.ref, y.at.digest, nil
	}
	row, err := v.block(height)
	if err == nil && row == nil {
		err = notFound("block "+itoa(height), v.asOf.ref)
	}
	if err != nil {
		return ledger.BlockRef{}, ledger.Hash{}, err
	}
	return row.block.Ref, row.tip, nil
}

// Raw returns the raw block of a height, read again and checked against the hash
// that was taken when it came. ledger.ErrNotFound when it is not kept; the
// message names the source that it came from.
func (s *Snapshot) Raw(_ context.Context, c ledger.Chain, height uint64) ([]byte, error) {
	v, err := s.of(c)
	if err != nil {
		return nil, err
	}
	b, ref, err := v.header(height)
	switch {
	case err != nil:
		return nil, err
	case b == nil:
		return nil, notFound("block "+itoa(height), v.asOf.ref)
	case !ref.kept:
		return nil, fmt.Errorf("store: raw form of block %d: %w; it came from %s and was not kept", height, ledger.ErrNotFound, b.Source)
	}
	return readRaw(v.dir, ref)
}

func (v *view) header(height uint64) (*ledger.Block, rawRef, error) {
	if y := v.youngAt(height); y != nil {
		return y.block, y.raw, nil
	}
	row, err := v.block(height)
	if err != nil || row == nil {
		return nil, rawRef{}, err
	}
	return &row.block, row.raw, nil
}

// AssetInfo returns what is known of an asset; for a token that the program does
// not know, the symbol and decimals that an imported file claims.
func (s *Snapshot) AssetInfo(_ context.Context, a ledger.Asset) (ledger.AssetInfo, error) {
	info := ledger.InfoOf(a)
	if info.Known {
		return info, nil
	}
	v, err := s.held(a.Chain)
	if err != nil || v == nil {
		return info, err
	}
	for _, claim := range v.meta.Assets {
		if claim.Asset == a {
			info.Symbol, info.Decimals = claim.Symbol, claim.Decimals
		}
	}
	return info, nil
}

// FindPrefix returns the hashes of held transactions that begin with hex digits,
// ascending, at most limit of them. An upper-case or odd prefix is fine.
func (s *Snapshot) FindPrefix(_ context.Context, c ledger.Chain, prefix string, limit int) ([]ledger.TxID, error) {
	v, err := s.of(c)
	if err != nil {
		return nil, err
	}
	prefix = strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(prefix, "0x"), "0X"))
	if strings.Trim(prefix, "0123456789abcdef") != "" || len(prefix) > 64 || prefix == "" {
		return nil, ledger.Invalid("transaction hash", "1 to 64 hex digits", prefix)
	}
	found := map[ledger.TxID]bool{}
	for _, y := range v.held {
		for id := range y.byTx {
			if strings.HasPrefix(id.String(), prefix) {
				found[id] = true
			}
		}
	}
	if err := v.prefix(prefix, limit, found); err != nil {
		return nil, err
	}
	ids := make([]ledger.TxID, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b ledger.TxID) int { return slices.Compare(a[:], b[:]) })
	return ids[:min(len(ids), limit)], nil
}

// prefix adds at least the limit lowest matches of the base, or all of them.
func (v *view) prefix(prefix string, limit int, found map[ledger.TxID]bool) error {
	from := [32]byte{}
	padded, err := hex.DecodeString(prefix + strings.Repeat("0", 64-len(prefix)))
	if err != nil {
		return err
	}
	copy(from[:], padded)
	for n := 0; n < limit; {
		b, depth, err := v.dicts.tx.leaf(v.dicts.tx.loader(v.rows), from[:8], v.head.txs)
		if err != nil {
			return err
		}
		for i := range b.entries {
			pos := ledger.Position(b.entries[i].value)
			digits := hex.EncodeToString(b.entries[i].key)
			if pos >= v.limit || !strings.HasPrefix(digits, prefix[:min(len(prefix), 16)]) {
				continue
			}
			rec, err := v.record(pos)
			if err != nil {
				return err
			}
			if id := rec.txid(); strings.HasPrefix(id.String(), prefix) && !found[id] {
				found[id] = true
				n++
			}
		}
		if !nextLeaf(from[:8], depth) || !strings.HasPrefix(hex.EncodeToString(from[:]), prefix[:min(len(prefix), 16)]) {
			return nil
		}
	}
	return nil
}

// nextLeaf moves a hash to the first of the next leaf; false after the last.
func nextLeaf(hash []byte, depth int) bool {
	if depth == 0 {
		return false
	}
	shift := 64 - 2*depth
	next := (beOf(hash)>>shift + 1) << shift
	copy(hash, be64(next))
	return next != 0
}
