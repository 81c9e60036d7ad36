package server

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// LookupAddress shows the balances, labels and events of one address.
func (s *traces) LookupAddress(ctx context.Context, m *spoorv1.LookupAddressRequest) (*spoorv1.AddressInfo, error) {
	a, err := ledger.ParseQualified(m.GetAddress())
	if err != nil {
		return nil, err
	}
	v, cursor, err := s.addressView(ctx, a, m.GetPageToken())
	if err != nil {
		return nil, err
	}
	defer v.close()
	l := &lookup{view: v, conv: v.converter(ctx), ctx: ctx}
	answer := &spoorv1.AddressInfo{Network: string(a.Chain), Address: a.String(), OtherForms: otherForms(a)}
	if answer.AsOf, answer.Coverage, err = l.basis(a.Chain); err != nil {
		return nil, err
	}
	if err := l.balances(answer, a); err != nil {
		return nil, err
	}
	history, err := s.data.labels.History(ctx, a, Principal(ctx).Tenant)
	if err != nil {
		return nil, err
	}
	for _, e := range history {
		answer.Labels = append(answer.Labels, labelMessage(e))
	}
	next, err := l.events(answer, a, cursor, pageSize(m.GetPageSize()))
	if err != nil || next == nil {
		return answer, err
	}
	height, digest, err := l.pin(a.Chain)
	answer.NextPageToken = s.pages.of(ctx).token("address "+a.Qualified(), append([]uint64{height, digest}, next...)...)
	return answer, err
}

// pin names the state of a network: its height and what is held up to there.
func (l *lookup) pin(c ledger.Chain) (height, digest uint64, err error) {
	head, err := l.view.AsOf(l.ctx, c)
	if err != nil {
		return 0, 0, err
	}
	sum, err := l.view.DigestAt(l.ctx, c, head.Height)
	return head.Height, binary.BigEndian.Uint64(sum[:]), err
}

// addressView pins the network at its tip, or, for a later page, at the height
// that the first page saw; where other blocks or rows are held up to there by
// now, the token is of a list that is no more. The cursor is nil for the first page.
func (s *traces) addressView(ctx context.Context, a ledger.Address, token string) (*view, []uint64, error) {
	v, err := s.data.view(ctx)
	if err != nil || token == "" {
		return v, nil, err
	}
	defer v.close()
	cursor, err := s.pages.of(ctx).cursor("address "+a.Qualified(), token, 5)
	if err != nil {
		return nil, nil, err
	}
	snap, err := s.data.store.Snapshot(ctx, map[ledger.Chain]uint64{a.Chain: cursor[0]})
	if err != nil {
		return nil, nil, err
	}
	pinned := &view{Snapshot: snap, tags: v.tags, data: v.data}
	height, digest, err := (&lookup{view: pinned, ctx: ctx}).pin(a.Chain)
	if err == nil && height == cursor[0] && digest == cursor[1] {
		return pinned, cursor[2:], nil
	}
	pinned.close()
	if err == nil || errors.Is(err, ledger.ErrNotFound) {
		err = badToken(token)
	}
	return nil, nil, err
}

// otherForms lists the other ways to write an account or to name a script's owner.
func otherForms(a ledger.Address) []string {
	switch {
	case a.Chain.Family() == ledger.FamilyTRON:
		digits := hex.EncodeToString([]byte(a.Payload))
		return []string{"41" + digits, "0x" + digits}
	case a.Chain.UTXO():
		return []string{"scripthash:" + hex.EncodeToString(a.Key())}
	}
	return nil
}

func (l *lookup) balances(m *spoorv1.AddressInfo, a ledger.Address) error {
	sums, err := l.view.AddressSummary(l.ctx, a)
	if err != nil {
		return err
	}
	for _, sum := range sums {
		asset, err := l.conv.asset(sum.Asset)
		if err != nil {
			return err
		}
		one := &spoorv1.AssetBalance{
			Asset: asset, Balance: sum.Amount.String(), Received: sum.Received.String(), Sent: sum.Sent.String(),
			ReceivedCount: count(sum.Ins), SentCount: count(sum.Outs), AssumedOpening: sum.Deficit.String(),
		}
		for _, end := range []struct {
			at ledger.Point
			to **timestamppb.Timestamp
		}{{sum.First, &one.First}, {sum.Last, &one.Last}} {
			tx, err := l.view.TxAt(l.ctx, a.Chain, end.at.Pos)
			if err != nil {
				return fmt.Errorf("event of %s: %w", a, err)
			}
			*end.to = timeMessage(tx.Time)
		}
		m.Balances = append(m.Balances, one)
	}
	return nil
}

// events adds a page of events, the latest first: the assets one after the
// other as in balances, each backwards in time. The cursor is (number of the
// asset, position, slot) of the event before; the next one is returned.
func (l *lookup) events(m *spoorv1.AddressInfo, a ledger.Address, cursor []uint64, size int) ([]uint64, error) {
	sums, err := l.view.AddressSummary(l.ctx, a)
	if err != nil {
		return nil, err
	}
	first, before := 0, ledger.Point{Pos: ^ledger.Position(0)}
	if cursor != nil {
		first, before = int(cursor[0]), ledger.Point{Pos: ledger.Position(cursor[1]), Slot: uint32(cursor[2])}
	}
	var last []uint64
	for i := first; i < len(sums); i++ {
		for e, err := range l.view.EventsBefore(l.ctx, ledger.Holder{Address: a, Asset: sums[i].Asset}, before) {
			if err != nil {
				return nil, err
			}
			if len(m.Events) == size {
				return last, nil
			}
			one, err := l.event(a, sums[i].Asset, e)
			if err != nil {
				return nil, err
			}
			m.Events = append(m.Events, one)
			last = []uint64{uint64(i), uint64(e.At.Pos), uint64(e.At.Slot)}
		}
		before = ledger.Point{Pos: ^ledger.Position(0)}
	}
	return nil, nil
}

func (l *lookup) event(a ledger.Address, asset ledger.Asset, e ledger.Event) (*spoorv1.AddressEvent, error) {
	tx, err := l.view.TxAt(l.ctx, a.Chain, e.At.Pos)
	if err != nil {
		return nil, err
	}
	message, err := l.conv.asset(asset)
	if err != nil {
		return nil, err
	}
	m := &spoorv1.AddressEvent{Position: l.conv.position(a.Chain, e.At.Pos), Asset: message, Amount: e.Amount.String(), Direction: "RECEIVED", Counterparty: e.From.String()}
	m.Position.Tx, m.Position.Time = hashText(a.Chain, tx.ID), timeMessage(tx.Time)
	if e.From == a {
		m.Direction, m.Counterparty = "SENT", e.To.String()
	}
	m.Index = eventIndex(tx, e.At.Slot)
	return m, nil
}

// eventIndex is the place inside the transaction as a REF writes it: of an
// output, an input, or a transfer.
func eventIndex(tx ledger.Tx, slot uint32) string {
	for _, t := range tx.Transfers {
		if t.Slot == slot {
			return tracer.IndexText(t.Asset.Chain, t.Kind, t.Index)
		}
	}
	if inputs := uint32(len(tx.Inputs)); slot >= inputs {
		return indexText(slot - inputs)
	}
	return indexText(slot)
}
