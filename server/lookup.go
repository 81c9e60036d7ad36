package server

import (
	"context"
	"errors"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/tracer"
)

// LookupTransaction shows one transaction with labels.
func (s *traces) LookupTransaction(ctx context.Context, m *spoorv1.LookupTransactionRequest) (*spoorv1.Transaction, error) {
	ref, err := parseRef(m.GetRef())
	if err != nil {
		return nil, err
	}
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	txs, err := tracer.Find(ctx, v, v.Chains(), ref)
	if err != nil {
		return nil, err
	}
	l := &lookup{view: v, conv: v.converter(ctx), ctx: ctx}
	return l.transaction(txs)
}

// lookup is one look-up on one view.
type lookup struct {
	view *view
	conv *converter
	ctx  context.Context //nolint:containedctx // one call
}

// transaction shows the records of one transaction: one, or the rows of an
// export, or the last of the duplicate coinbases of before BIP 30.
func (l *lookup) transaction(txs []ledger.Tx) (*spoorv1.Transaction, error) {
	tx := txs[len(txs)-1]
	if l.view.export(tx.Chain) {
		tx = txs[0]
		for _, row := range txs[1:] {
			tx.Transfers = append(tx.Transfers, row.Transfers...)
		}
	}
	m := &spoorv1.Transaction{
		Network: string(tx.Chain), Tx: hashText(tx.Chain, tx.ID), Height: l.conv.height(tx.Chain, tx.Pos), TxIndex: tx.Pos.Index(),
		Time: timeMessage(tx.Time), Status: statusText(tx.Status), Grade: tx.Grade.String(),
	}
	if tx.Coinbase {
		m.TxIndex = 0
	}
	if m.Height != nil {
		ref, err := l.view.BlockRef(l.ctx, tx.Chain, tx.Pos.Height())
		if err != nil {
			return nil, err
		}
		m.BlockHash = hashText(tx.Chain, ref.Hash)
	}
	if err := errors.Join(l.inputs(m, tx), l.outputs(m, tx), l.transfers(m, tx)); err != nil {
		return nil, err
	}
	tags, err := l.view.tags.TxTags(l.ctx, tx.Chain, tx.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range tags {
		m.Labels = append(m.Labels, l.view.labelMessage(t))
	}
	m.AsOf, m.Coverage, err = l.basis(tx.Chain)
	return m, err
}

func statusText(s ledger.Status) string {
	return [...]string{"OK", "FAILED", "UNKNOWN"}[s]
}

// basis says as of what, and on how much of the network, an answer rests.
func (l *lookup) basis(c ledger.Chain) (*spoorv1.AsOf, *spoorv1.Coverage, error) {
	head, err := l.view.AsOf(l.ctx, c)
	if err != nil {
		return nil, nil, err
	}
	coverage, err := l.view.networkCoverage(c)
	return l.view.asOfMessage(head), coverage, err
}

func (l *lookup) inputs(m *spoorv1.Transaction, tx ledger.Tx) (err error) {
	var in, out ledger.Amount
	whole := len(tx.Outputs) > 0 && !tx.Coinbase
	for i, input := range tx.Inputs {
		one := &spoorv1.TransactionInput{Index: uint32(i), PreviousTx: hashText(tx.Chain, input.Prev.Tx), PreviousIndex: input.Prev.Index}
		if whole = whole && input.Known; input.Known {
			one.Address, one.Amount = input.Address.String(), input.Value.String()
			if in, err = in.Add(input.Value); err != nil {
				return err
			}
			if one.Labels, err = l.conv.labels(input.Address, tx.Time); err != nil {
				return err
			}
		}
		m.Inputs = append(m.Inputs, one)
	}
	if tx.Coinbase {
		m.Inputs = []*spoorv1.TransactionInput{{Coinbase: true}}
	}
	for _, o := range tx.Outputs {
		if out, err = out.Add(o.Value); err != nil {
			return err
		}
	}
	if whole {
		m.Fee = in.SubFloor(out).String()
	}
	return nil
}

func (l *lookup) outputs(m *spoorv1.Transaction, tx ledger.Tx) error {
	for i, o := range tx.Outputs {
		one := &spoorv1.TransactionOutput{Index: uint32(i), Address: o.Address.String(), Amount: o.Value.String()}
		var err error
		if one.Labels, err = l.conv.labels(o.Address, tx.Time); err != nil {
			return err
		}
		if err := l.spend(one, tx, o); err != nil {
			return err
		}
		m.Outputs = append(m.Outputs, one)
	}
	return nil
}

// spend says what became of an output; UNSPENT only where every later block is held.
func (l *lookup) spend(m *spoorv1.TransactionOutput, tx ledger.Tx, o ledger.Output) error {
	if o.SpentBy == 0 {
		covered, err := l.view.Covered(l.ctx, ledger.Holder{Address: o.Address, Asset: ledger.NativeAsset(tx.Chain)}, tx.Pos)
		m.SpendState = "UNKNOWN"
		if covered {
			m.SpendState = "UNSPENT"
		}
		return err
	}
	spender, err := l.view.TxAt(l.ctx, tx.Chain, o.SpentBy)
	if err != nil {
		return err
	}
	m.SpendState, m.SpentByTx = "SPENT", hashText(tx.Chain, spender.ID)
	for i, in := range spender.Inputs {
		if in.Prev.Tx == tx.ID && in.Prev.Index == m.GetIndex() {
			m.SpentByInput = uint32(i)
		}
	}
	return nil
}

func (l *lookup) transfers(m *spoorv1.Transaction, tx ledger.Tx) error {
	for _, t := range tx.Transfers {
		asset, err := l.conv.asset(t.Asset)
		if err != nil {
			return err
		}
		one := &spoorv1.Transfer{Index: tracer.IndexText(t.Asset.Chain, t.Kind, t.Index), From: t.From.String(), To: t.To.String(), Asset: asset, Amount: t.Amount.String()}
		if one.FromLabels, err = l.conv.labels(t.From, tx.Time); err != nil {
			return err
		}
		if one.ToLabels, err = l.conv.labels(t.To, tx.Time); err != nil {
			return err
		}
		m.Transfers = append(m.Transfers, one)
	}
	return nil
}
