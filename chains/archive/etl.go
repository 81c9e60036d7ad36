package archive

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/spoortrace/spoor/ledger"
)

// EtlOptions name the exports of ethereum-etl that make one set.
type EtlOptions struct {
	Chain ledger.Chain // of the EVM family
	// Paths are CSV files, plain or gzipped, in any order: transactions,
	// token_transfers, traces, blocks, logs and receipts, told apart by their columns.
	Paths []string
	// Complete are ranges of heights, "FROM..TO" with TO not included, of which
	// the files hold every row of each table that is given at all. A height in
	// such a range without rows is an empty block; at its end, where nothing tells
	// the hash of one, the range ends before it.
	Complete []string
	// Logs reads a log, given payer and payee of its transaction, as
	// evm.LogReader.Read: a transfer, if it is one, and what it says besides. nil:
	// transfers of ERC-20 alone, without a wrapped coin's deposits and withdrawals.
	Logs func(l *types.Log, from, to [20]byte) (ledger.Transfer, bool, []ledger.Notice)
	// Notices reads what the logs of a transaction say besides transfers (bridges),
	// as evm.TxNotices; nil: nothing.
	Notices func(*ledger.Tx, []*types.Log) []ledger.Notice
}

// EtlSet is what exports of ethereum-etl say together: the same for any order
// of the files, and for rows that several of them hold.
//
// Its blocks have heights and transaction indices, so they are blocks of the
// chain as a node would give them, but nothing in them is verified: they are
// graded attested, and what the tables lack is their Partial.
type EtlSet struct {
	Chain ledger.Chain

	o        EtlOptions
	files    []string // base names
	heights  map[uint64]*etlHeight
	order    []uint64       // ascending, those of claims without rows included
	complete []ledger.Range // ascending, none touches another
	lacks    []etlLacks     // of each
	tables   [etlTables]bool
	report   EtlReport
}

// EtlReport says what was read.
type EtlReport struct {
	Rows       map[string]int // by table: "transactions": 11280
	Duplicates int            // rows that another row says already
	NoHash     int            // blocks whose hash no table has (see NoHash)
}

// ReadEtl reads exports of ethereum-etl (https://github.com/blockchain-etl/ethereum-etl,
// docs/schema.md) and of the BigQuery tables of the same schema. It is all or
// nothing: the first row that does not fit ends in an error that names
// file:line:column, what was wanted and what came; rows that contradict each
// other in one that names both places (both ledger.ErrInvalid). More than
// 4,194,304 rows are ledger.ErrExhausted.
//
// Every row must be of a transaction that a file of transactions has. What the
// tables cannot tell: token_transfers lists NFTs like amounts, their ids as
// values (with logs beside it they are left out), and without traces an outcome
// may be unknown: such a transfer is followed, graded inferred.
func ReadEtl(ctx context.Context, o EtlOptions) (*EtlSet, error) {
	if o.Chain.Family() != ledger.FamilyEVM {
		return nil, ledger.Invalid("network", "an EVM network for exports of ethereum-etl", string(o.Chain))
	}
	s := &EtlSet{Chain: o.Chain, o: o, heights: map[uint64]*etlHeight{}, report: EtlReport{Rows: map[string]int{}}}
	if err := s.claim(o.Complete); err != nil {
		return nil, err
	}
	for _, path := range o.Paths {
		if err := s.readPath(ctx, path); err != nil {
			return nil, err
		}
	}
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	return s, s.check(ctx)
}

// check builds every block once: whatever can be wrong is found before anything
// is stored, and what any block of a complete range lacks, the range lacks.
func (s *EtlSet) check(ctx context.Context) error {
	for _, height := range s.order {
		b, err := s.build(height)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		for i, r := range s.complete {
			if r.From <= height && height < r.To {
				s.lacks[i] = s.lacks[i].and(b.lacks())
			}
		}
	}
	return nil
}

func (s *EtlSet) readPath(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return ledger.Invalid("csv", "a readable file", err.Error())
	}
	defer f.Close()
	s.files = append(s.files, filepath.Base(path))
	return s.read(ctx, len(s.files)-1, f)
}

// Len is the number of blocks.
func (s *EtlSet) Len() int { return len(s.order) }

// Range spans the heights; zero for a set without rows.
func (s *EtlSet) Range() ledger.Range {
	if len(s.order) == 0 {
		return ledger.Range{}
	}
	return ledger.Range{From: s.order[0], To: s.order[len(s.order)-1] + 1}
}

// Report says what was read.
func (s *EtlSet) Report() EtlReport { return s.report }

// Blocks yields the blocks in order of height, as often as it is asked.
// store.AppendOptions.ReorgBound must be 0 for them: no block that lacks a
// parent may wait in the overlay. ReadEtl has seen every error it could yield.
//
// Where only the next lower height's row tells the parent, it is that row's
// hash; a hash that no table has is NoHash.
func (s *EtlSet) Blocks() iter.Seq2[*ledger.Block, error] {
	return func(yield func(*ledger.Block, error) bool) {
		for i, height := range s.order {
			built, err := s.build(height)
			if err != nil {
				yield(nil, err)
				return
			}
			b := built.block
			b.Partial = s.partial(height, built.lacks())
			if b.Parent == (ledger.Hash{}) && i > 0 && s.order[i-1]+1 == height {
				b.Parent = s.hashAt(s.order[i-1])
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// NoHash stands for the hash of a block that no table has: an empty one
// without a row in blocks.csv. It is the height in the last eight bytes, which
// no block's hash looks like.
func NoHash(height uint64) ledger.Hash {
	var h ledger.Hash
	for i := range 8 {
		h[31-i] = byte(height >> (8 * i))
	}
	return h
}

// etlPlace is where a row stands.
type etlPlace struct {
	file int32
	line uint32
}

func (s *EtlSet) place(p etlPlace) string { return fmt.Sprintf("%s:%d", s.files[p.file], p.line) }

// contradiction names two rows that cannot both hold.
func (s *EtlSet) contradiction(a, b etlPlace, what string) error {
	return ledger.Invalid(s.place(b), "what "+s.place(a)+" says", what)
}

// claim reads the complete ranges and joins those that touch.
func (s *EtlSet) claim(specs []string) error {
	for _, spec := range specs {
		r, err := parseHeights(spec)
		if err != nil {
			return err
		}
		s.complete = append(s.complete, r)
	}
	slices.SortFunc(s.complete, func(a, b ledger.Range) int { return cmp.Compare(a.From, b.From) })
	joined := s.complete[:0]
	for _, r := range s.complete {
		if n := len(joined); n > 0 && r.From <= joined[n-1].To {
			joined[n-1].To = max(joined[n-1].To, r.To)
			continue
		}
		joined = append(joined, r)
	}
	s.complete, s.lacks = joined, make([]etlLacks, len(joined))
	return nil
}

// partial is ledger.Block.Partial of a height.
func (s *EtlSet) partial(height uint64, own etlLacks) string {
	for i, r := range s.complete {
		if r.From <= height && height < r.To {
			return s.lacks[i].String()
		}
	}
	own.transactions = true
	return own.String()
}

// whole reports a height that the files are said to hold every row of.
func (s *EtlSet) whole(height uint64) bool {
	return slices.ContainsFunc(s.complete, func(r ledger.Range) bool { return r.From <= height && height < r.To })
}

// etlLacks is what rows do not say.
type etlLacks struct{ transactions, receipts, internal bool }

func (l etlLacks) and(m etlLacks) etlLacks {
	return etlLacks{l.transactions || m.transactions, l.receipts || m.receipts, l.internal || m.internal}
}

func (l etlLacks) String() string {
	var all []string
	for _, lack := range []struct {
		is   bool
		name string
	}{{l.transactions, ledger.PartialRows}, {l.receipts, ledger.PartialReceipts}, {l.internal, ledger.PartialInternal}} {
		if lack.is {
			all = append(all, lack.name)
		}
	}
	return strings.Join(all, " and ")
}

// parseHeights reads FROM..TO.
func parseHeights(spec string) (ledger.Range, error) {
	var r ledger.Range
	from, to, ok := strings.Cut(spec, "..")
	wanted := "FROM..TO, two heights, the second not included"
	if !ok {
		return r, ledger.Invalid("--complete", wanted, spec)
	}
	for i, end := range []*uint64{&r.From, &r.To} {
		n, err := ledger.ParseAmount([]string{from, to}[i])
		height, fits := n.Uint64()
		if err != nil || !fits || height > maxEtlHeight {
			return r, ledger.Invalid("--complete", wanted, spec)
		}
		*end = height
	}
	switch {
	case r.From >= r.To:
		return r, ledger.Invalid("--complete", "FROM below TO", spec)
	case r.To-r.From > maxEtlRange:
		return r, ledger.Invalid("--complete", fmt.Sprintf("at most %d blocks", maxEtlRange), spec)
	}
	return r, nil
}
