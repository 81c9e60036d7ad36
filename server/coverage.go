package server

import (
	"context"
	"fmt"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// coverage says of each network of a trace how much of what it needed is held:
// of blocks, every one from the first payment to the as-of; of an export,
// every transfer of every account in which money rests or was assumed.
func (v *view) coverage(ctx context.Context, t *tracer.Trace) ([]*spoorv1.Coverage, error) {
	var all []*spoorv1.Coverage
	for _, ref := range t.AsOf {
		m, err := v.networkCoverage(ref.Chain)
		if err != nil {
			return nil, err
		}
		extent, err := v.Extent(ref.Chain)
		if err != nil {
			return nil, err
		}
		if extent.Export {
			traceOfExport(m, extent, ref.Chain, t)
		} else {
			traceOfBlocks(m, extent, ref, t)
		}
		m.TagSets = v.tagSets()
		all = append(all, m)
	}
	return all, ctx.Err()
}

// networkCoverage describes what a network holds, whatever the question.
func (v *view) networkCoverage(c ledger.Chain) (*spoorv1.Coverage, error) {
	extent, err := v.Extent(c)
	if err != nil {
		return nil, err
	}
	head, err := v.AsOf(context.Background(), c)
	if err != nil {
		return nil, err
	}
	m := &spoorv1.Coverage{Network: string(c), State: ledger.CoveragePartial.String()}
	if extent.Export {
		exportCoverage(m, extent)
		return m, nil
	}
	for i, s := range extent.Spans {
		m.Ranges = append(m.Ranges, &spoorv1.BlockRange{FromHeight: uint32(s.From), ToHeight: uint32(s.To + 1)})
		from := uint64(0)
		if i > 0 {
			from = extent.Spans[i-1].To + 1
		}
		if s.From > from {
			m.Missing = append(m.Missing, fmt.Sprintf("blocks %d to %d", from, s.From-1))
		}
		if s.Partial != "" {
			m.Missing = append(m.Missing, fmt.Sprintf("%s of blocks %d to %d", s.Partial, s.From, s.To))
		}
	}
	if extent.UnknownInputs > 0 {
		m.Missing = append(m.Missing, fmt.Sprintf("the coins of %d inputs", extent.UnknownInputs))
	}
	m.Detail = fmt.Sprintf("blocks up to %d are held in %d runs", head.Height, len(extent.Spans))
	if len(m.Missing) == 0 {
		m.State = ledger.CoverageComplete.String()
		m.Detail = fmt.Sprintf("every block from 0 to %d is held", head.Height)
	}
	return m, nil
}

func exportCoverage(m *spoorv1.Coverage, extent store.Extent) {
	accounts, everything := 0, false
	for _, c := range extent.Claims {
		if c.Account.IsZero() {
			everything = true
			continue
		}
		accounts++
	}
	switch {
	case len(extent.Claims) == 0:
		m.State = ledger.CoverageUnknown.String()
		m.Detail = fmt.Sprintf("%d export files, stated complete for nothing", len(extent.Files))
	case everything:
		m.Detail = fmt.Sprintf("%d export files, stated complete for all accounts in a range of time", len(extent.Files))
	default:
		m.Detail = fmt.Sprintf("%d export files, stated complete for %d accounts", len(extent.Files), accounts)
	}
}

func traceOfExport(m *spoorv1.Coverage, extent store.Extent, c ledger.Chain, t *tracer.Trace) {
	m.Missing = nil
	open := map[ledger.Address]bool{}
	for _, terminal := range t.Terminals {
		if terminal.Reason == tracer.NotCovered && terminal.Asset.Chain == c {
			open[terminal.Address] = true
		}
	}
	if len(open) > 0 {
		m.Missing = append(m.Missing, fmt.Sprintf("later transfers of %d accounts in which money was last seen", len(open)))
	}
	assumed := 0
	for _, o := range t.Openings {
		if o.Holder.Address.Chain == c {
			assumed++
		}
	}
	if assumed > 0 {
		m.Missing = append(m.Missing, fmt.Sprintf("earlier transfers of %d accounts whose opening is a lower bound", assumed))
	}
	if len(m.Missing) == 0 && len(extent.Claims) > 0 {
		m.State = ledger.CoverageComplete.String()
	}
}

func traceOfBlocks(m *spoorv1.Coverage, extent store.Extent, head ledger.BlockRef, t *tracer.Trace) {
	first := head.Height
	for _, s := range t.Seeds {
		if s.Chain == head.Chain {
			first = min(first, s.At.Pos.Height())
		}
	}
	m.Missing, m.State = nil, ledger.CoverageComplete.String()
	if last := extent.Spans[len(extent.Spans)-1]; last.From > first || last.Partial != "" {
		m.Missing = append(m.Missing, fmt.Sprintf("blocks between %d and %d", first, head.Height))
	}
	assumed := 0
	for _, i := range t.Inputs {
		if i.Chain == head.Chain {
			assumed++
		}
	}
	if assumed > 0 {
		m.Missing = append(m.Missing, fmt.Sprintf("the coins of some inputs of %d transactions", assumed))
	}
	if len(m.Missing) > 0 {
		m.State = ledger.CoveragePartial.String()
		return
	}
	m.Detail = fmt.Sprintf("every block from %d to %d is held", first, head.Height)
}
