package evidence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spoortrace/spoor/evidence/proof"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// graded says how far a row is proven.
type graded struct {
	grade ledger.Grade
	why   string
	file  string
}

// prover builds the proofs of transactions from their raw blocks, each once.
type prover struct {
	raw  func(ctx context.Context, c ledger.Chain, height uint64) ([]byte, error)
	made map[txKey]*proven   // nil: there is none
	txs  map[txKey]ledger.Tx // as they were read
	btc  map[uint64]*proof.BitcoinBlock
}

// proven is what a proof shows: one of the three.
type proven struct {
	file    Proof
	block   ledger.Hash
	bitcoin *proof.BitcoinFacts
	evm     *proof.EthereumFacts
	tron    *proof.TronFacts
}

func newProver(raw func(context.Context, ledger.Chain, uint64) ([]byte, error), txs map[txKey]ledger.Tx) *prover {
	return &prover{raw: raw, txs: txs, made: map[txKey]*proven{}, btc: map[uint64]*proof.BitcoinBlock{}}
}

// prove grades a hop by the proof of its transaction, and without one by the
// word of the source.
func (p *prover) prove(ctx context.Context, h tracer.Hop, block string) (graded, error) {
	if h.Grade == ledger.GradeInferred {
		return graded{ledger.GradeInferred, "a rule over attested facts: see heuristic", ""}, nil
	}
	if entity, ok := h.Chain.Service(); ok {
		return graded{ledger.GradeAttested, "disclosed by " + entity + "; the documents are named in cover, networks", ""}, nil
	}
	shown, err := p.of(ctx, h)
	if err != nil {
		return graded{}, err
	}
	if shown == nil {
		return graded{ledger.GradeAttested, "the word of the source that the transfer was read from; no block was kept to prove it", ""}, nil
	}
	if hashText(h.Chain, shown.block) != block {
		return graded{}, fmt.Errorf("proof of %s leads to block %s, the index holds %s: %w", h.Tx, shown.block, block, ledger.ErrCorrupt)
	}
	g := shown.grade(h)
	return graded{g.Grade, g.Why, shown.file.File}, nil
}

func (s *proven) grade(h tracer.Hop) proof.Grade {
	t := ledger.Transfer{Index: h.Index, Kind: h.Kind, From: h.From, To: h.To, Asset: h.Asset, Amount: h.Amount}
	switch {
	case s.bitcoin != nil:
		return s.bitcoin.Grade
	case s.evm != nil:
		return s.evm.GradeOf(t)
	}
	return s.tron.GradeOf(t)
}

func (p *prover) of(ctx context.Context, h tracer.Hop) (*proven, error) {
	key := txKey{h.Chain, h.At.Pos}
	if made, ok := p.made[key]; ok {
		return made, nil
	}
	made, err := p.build(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("proof of %s: %w", h.Tx, err)
	}
	p.made[key] = made
	return made, nil
}

func (p *prover) build(ctx context.Context, h tracer.Hop) (*proven, error) {
	if p.raw == nil {
		return nil, nil //nolint:nilnil // there is no proof
	}
	raw, err := p.raw(ctx, h.Chain, h.At.Pos.Height())
	if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrPrecondition) || (err == nil && len(raw) == 0) {
		return nil, nil //nolint:nilnil // the block was not kept
	}
	if err != nil {
		return nil, err
	}
	made := &proven{file: Proof{File: "proofs/" + string(h.Chain) + "/" + h.Tx.String() + ".json", Network: string(h.Chain), Tx: hashText(h.Chain, h.Tx)}}
	switch h.Chain.Family() {
	case ledger.FamilyBitcoin:
		err = p.bitcoin(ctx, made, h, raw)
	case ledger.FamilyEVM:
		err = made.ethereum(h, raw)
	case ledger.FamilyTRON:
		err = made.fromTron(h, raw)
	}
	return made, err
}

func (p *prover) bitcoin(ctx context.Context, made *proven, h tracer.Hop, raw []byte) error {
	block, err := p.bitcoinBlock(h.At.Pos.Height(), raw)
	if err != nil {
		return err
	}
	w, err := proof.BuildBitcoin(h.Chain, block, h.Tx, p.previous(ctx, h))
	if err != nil {
		return err
	}
	facts, err := proof.VerifyBitcoin(h.Chain, w)
	if err != nil {
		return err
	}
	made.bitcoin, made.block = &facts, facts.Block
	made.file.Content, err = proof.Encode(w)
	return err
}

func (p *prover) bitcoinBlock(height uint64, raw []byte) (*proof.BitcoinBlock, error) {
	if b := p.btc[height]; b != nil {
		return b, nil
	}
	b, err := proof.ReadBitcoinBlock(raw)
	if err == nil && len(p.btc) < 8 { // a block takes megabytes
		p.btc[height] = b
	}
	return b, err
}

// previous finds the block of a transaction that an input spends, where it is kept.
func (p *prover) previous(ctx context.Context, h tracer.Hop) func(ledger.TxID) (*proof.BitcoinBlock, error) {
	inputs := p.txs[txKey{h.Chain, h.At.Pos}].Inputs
	return func(id ledger.TxID) (*proof.BitcoinBlock, error) {
		at := slices.IndexFunc(inputs, func(in ledger.Input) bool { return in.Prev.Tx == id && in.Known })
		if at < 0 {
			return nil, nil //nolint:nilnil // the index does not hold it
		}
		height := inputs[at].PrevPos.Height()
		raw, err := p.raw(ctx, h.Chain, height)
		if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, ledger.ErrPrecondition) {
			return nil, nil //nolint:nilnil // the block was not kept
		}
		if err != nil {
			return nil, err
		}
		return p.bitcoinBlock(height, raw)
	}
}

// ethereum reads a block as the index keeps it: the block, then the list of its receipts.
func (s *proven) ethereum(h tracer.Hop, raw []byte) error {
	block, err := proof.ReadRawEthereumBlock(raw)
	if err != nil {
		return err
	}
	at := slices.Index(block.IDs(), h.Tx)
	if at < 0 {
		return fmt.Errorf("not in its block: %w", ledger.ErrCorrupt)
	}
	w, err := proof.BuildEthereum(h.Chain, block, at)
	if err != nil {
		return err
	}
	facts, err := proof.VerifyEthereum(h.Chain, w)
	if err != nil {
		return err
	}
	s.evm, s.block = &facts, facts.Block
	s.file.Content, err = proof.Encode(w)
	return err
}

func (s *proven) fromTron(h tracer.Hop, raw []byte) error {
	block, err := proof.ReadRawTronBlock(raw)
	if err != nil {
		return err
	}
	at := slices.Index(block.IDs(), h.Tx)
	if at < 0 {
		return fmt.Errorf("not in its block: %w", ledger.ErrCorrupt)
	}
	w, err := proof.BuildTron(h.Chain, block, at)
	if err != nil {
		return err
	}
	facts, err := proof.VerifyTron(h.Chain, w)
	if err != nil {
		return err
	}
	s.tron, s.block = &facts, facts.Block
	s.file.Content, err = proof.Encode(w)
	return err
}

// files are the proofs by name.
func (p *prover) files() []Proof {
	byName := map[string]Proof{}
	for _, m := range p.made {
		if m != nil {
			byName[m.file.File] = m.file
		}
	}
	all := []Proof{}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, byName[name])
	}
	return all
}
