package server

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// boardEvery is the least time between two boards.
const boardEvery = time.Second

// boards is the board of one case as it changes. The first reading is recorded.
type boards struct {
	*caseService
	who cases.Actor
	id  cases.ID

	tips    map[ledger.Chain]ledger.BlockRef // up to which nothing has changed
	labels  uint64
	size    uint64          // of the custody log
	holders map[string]bool // as holdersOf
	sent    *spoorv1.Holdings
}

// FollowHoldings sends the board of a case whenever it changes.
func (s *caseService) FollowHoldings(m *spoorv1.FollowHoldingsRequest, stream grpc.ServerStreamingServer[spoorv1.Holdings]) error {
	ctx := stream.Context()
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return err
	}
	b := &boards{caseService: s, who: who, id: id}
	defer s.asked()()
	tick := time.NewTicker(boardEvery)
	defer tick.Stop()
	for sent := int32(0); ; {
		board, err := b.look(ctx)
		if err != nil {
			return err
		}
		if board != nil {
			if err := stream.Send(board); err != nil {
				return err
			}
			if sent++; sent == m.GetBoards() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// look returns the board if it is another than the last one; nil: it is not.
func (b *boards) look(ctx context.Context) (*spoorv1.Holdings, error) {
	if b.sent != nil {
		if stale, err := b.stale(ctx); err != nil || !stale {
			return nil, err
		}
	}
	release, err := b.slot(ctx)
	if err != nil && b.sent != nil {
		return nil, nil //nolint:nilnil // all are busy: the next look tries again
	}
	if err != nil {
		return nil, err
	}
	defer release()
	size, err := b.cases.Size(b.who, b.id)
	if err != nil {
		return nil, err
	}
	f, d, err := b.traced(ctx, b.who, b.id, filePins{custody: size, again: b.sent != nil})
	if err != nil {
		return nil, err
	}
	defer f.close()
	board, err := b.holdings(ctx, b.who, b.id, f, d)
	if err != nil {
		return nil, err
	}
	if b.tips, err = tipsOf(ctx, f.view); err != nil {
		return nil, err
	}
	if b.size = size; b.sent == nil {
		b.size++ // the entry of this reading
	}
	b.labels, b.holders = f.view.labelSequence(), map[string]bool{}
	for _, a := range holdersOf(d) {
		b.holders[a] = true
	}
	if b.sent != nil && proto.Equal(timeless(b.sent), timeless(board)) {
		return nil, nil //nolint:nilnil // no other board
	}
	b.sent = board
	return board, nil
}

// timeless is a board without what every block changes.
func timeless(m *spoorv1.Holdings) *spoorv1.Holdings {
	m = proto.CloneOf(m)
	m.AsOf = ""
	for _, h := range m.GetHoldings() {
		h.Minutes = 0
	}
	return m
}

// holdersOf are the addresses, NETWORK:ADDRESS, whose transactions change a board.
// A trace ends at a service: what that does with its own wallets changes nothing.
func holdersOf(d *evidence.Dossier) (all []string) {
	for _, h := range d.Holdings {
		if h.Account == "" && h.FreezableBy != byService {
			all = append(all, h.Network+":"+h.Address)
		}
	}
	return all
}

// byService is who can stop money that a service holds, as evidence names it.
const byService = "VASP"

func tipsOf(ctx context.Context, v *view) (map[ledger.Chain]ledger.BlockRef, error) {
	tips := map[ledger.Chain]ledger.BlockRef{}
	for _, c := range v.Chains() {
		tip, err := v.AsOf(ctx, c)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		tips[c] = tip
	}
	return tips, nil
}

// stale reports that the board may be another: the case or the labels changed, a
// block was replaced, or a block touches a holder. It reads the blocks since the
// last look, and no more.
func (b *boards) stale(ctx context.Context) (bool, error) {
	size, err := b.cases.Size(b.who, b.id)
	if err != nil {
		return false, err
	}
	v, err := b.data.view(ctx)
	if err != nil {
		return false, err
	}
	defer v.close()
	tips, err := tipsOf(ctx, v)
	if err != nil || size != b.size || v.labelSequence() != b.labels || len(tips) != len(b.tips) {
		return true, err
	}
	for _, c := range v.Chains() {
		if tips[c] == b.tips[c] {
			continue
		}
		if touched, err := b.touched(ctx, v, b.tips[c], tips[c]); err != nil || touched {
			return true, err
		}
	}
	b.tips = tips
	return false, nil
}

// touched reports that blocks after one touch a holder, or that it was replaced.
func (b *boards) touched(ctx context.Context, v *view, from, to ledger.BlockRef) (bool, error) {
	if extent, err := v.Extent(to.Chain); err != nil || extent.Export || from.Chain != to.Chain {
		return true, err
	}
	ref, err := v.BlockRef(ctx, to.Chain, from.Height)
	if err = ignoreAbsent(err); err != nil || ref.Hash != from.Hash {
		return true, err
	}
	for h := from.Height + 1; h <= to.Height; h++ {
		for tx, err := range v.BlockTxs(ctx, to.Chain, h) {
			if errors.Is(err, ledger.ErrNotFound) {
				return true, nil // a gap
			}
			if err != nil {
				return false, err
			}
			for _, a := range addressesOf(&tx) {
				if b.holders[a.Qualified()] {
					return true, nil
				}
			}
		}
	}
	return false, nil
}
