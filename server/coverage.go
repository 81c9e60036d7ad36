package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// coverage says of each network of a trace how much of what it needed is held:
// of blocks, every one from the first payment to the as-of; of an export,
// every transfer of every account that the money came to, but for services.
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
		switch {
		case extent.Fetched:
			err = v.traceOfFetched(ctx, m, ref.Chain, t)
		case extent.Export:
			traceOfExport(m, extent, ref.Chain, t)
		default:
			traceOfBlocks(m, extent, ref, t)
		}
		if err != nil {
			return nil, err
		}
		m.TagSets = v.tagSets()
		all = append(all, m)
	}
	return all, ctx.Err()
}

// coverageBefore is that of an upstream trace: what came before its payments.
func (v *view) coverageBefore(ctx context.Context, t *tracer.Trace) ([]*spoorv1.Coverage, error) {
	var all []*spoorv1.Coverage
	for _, ref := range t.AsOf {
		m, err := v.networkCoverage(ref.Chain)
		if err != nil {
			return nil, err
		}
		if m.GetState() != ledger.CoverageComplete.String() {
			m.Missing = nil
		}
		if open := notCovered(ref.Chain, t); len(open) > 0 {
			m.Missing = append(m.Missing, "earlier transfers of "+plural(len(open), "account")+" of whose money a part is asked for")
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
			m.Missing = append(m.Missing, blockRange(from, s.From-1))
		}
		if s.Partial != "" {
			m.Missing = append(m.Missing, s.Partial+" of "+blockRange(s.From, s.To))
		}
	}
	if extent.UnknownInputs > 0 {
		m.Missing = append(m.Missing, "the coins of "+plural(int(extent.UnknownInputs), "input"))
	}
	m.Detail = fmt.Sprintf("blocks up to %d are held in %s", head.Height, plural(len(extent.Spans), "run"))
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
	case extent.Fetched:
		m.Detail = "what services answered of " + fetchedOf(extent)
	case len(extent.Claims) == 0:
		m.State = ledger.CoverageUnknown.String()
		m.Detail = plural(len(extent.Files), "export file") + ", stated complete for nothing"
	case everything:
		m.Detail = plural(len(extent.Files), "export file") + ", stated complete for all accounts in a range of time"
	default:
		m.Detail = plural(len(extent.Files), "export file") + ", stated complete for " + plural(accounts, "account")
	}
}

// fetchedOf counts what services answered whole: transactions with what became of
// their coins, or histories of accounts.
func fetchedOf(extent store.Extent) string {
	coins := map[ledger.TxID]bool{}
	for _, c := range extent.Claims {
		if c.Tx != (ledger.TxID{}) {
			coins[c.Tx] = true
		}
	}
	if len(coins) > 0 {
		return "the coins of " + plural(len(coins), "transaction")
	}
	if len(extent.Claims) == 1 {
		return "1 history"
	}
	return strconv.Itoa(len(extent.Claims)) + " histories"
}

// traceOfFetched says what a trace lacks of what it asked services for.
func (v *view) traceOfFetched(ctx context.Context, m *spoorv1.Coverage, c ledger.Chain, t *tracer.Trace) error {
	m.Missing = nil
	if open := notCovered(c, t); len(open) > 0 {
		m.Missing = append(m.Missing, "what became of money at "+addresses(len(open)))
	}
	partial := 0
	for _, h := range t.Opened {
		if h.Address.Chain != c {
			continue
		}
		whole, err := v.Covered(ctx, h, ledger.At(0, 1))
		if err != nil {
			return err
		}
		if !whole {
			partial++
		}
	}
	if partial > 0 {
		m.Missing = append(m.Missing, "the history of "+plural(partial, "account")+" that the money passed")
	}
	if len(m.Missing) == 0 {
		m.State = ledger.CoverageComplete.String()
	}
	return nil
}

func addresses(n int) string {
	if n == 1 {
		return "1 address"
	}
	return strconv.Itoa(n) + " addresses"
}

func traceOfExport(m *spoorv1.Coverage, extent store.Extent, c ledger.Chain, t *tracer.Trace) {
	m.Missing = nil
	open := notCovered(c, t)
	if len(open) > 0 {
		m.Missing = append(m.Missing, "later transfers of "+plural(len(open), "account")+" in which money was last seen")
	}
	if gaps := gapsOnTheWay(c, extent.Claims, t, open); gaps > 0 {
		m.Missing = append(m.Missing, "transfers of "+plural(gaps, "account")+" that passed it on")
	}
	assumed := 0
	for _, o := range t.Openings {
		if o.Holder.Address.Chain == c {
			assumed++
		}
	}
	if assumed > 0 {
		m.Missing = append(m.Missing, "earlier transfers of "+plural(assumed, "account")+" whose opening is a lower bound")
	}
	if len(m.Missing) == 0 && len(extent.Claims) > 0 {
		m.State = ledger.CoverageComplete.String()
	}
}

// notCovered are the addresses where money was last seen before a gap.
func notCovered(c ledger.Chain, t *tracer.Trace) map[ledger.Address]bool {
	open := map[ledger.Address]bool{}
	for _, terminal := range t.Terminals {
		if terminal.Reason == tracer.NotCovered && terminal.Asset.Chain == c {
			open[terminal.Address] = true
		}
	}
	return open
}

// stay is how long an account that passed money on had it, in heights.
type stay struct{ from, to uint64 }

// gapsOnTheWay counts the accounts that passed money on and may have had
// transfers meanwhile that the export does not hold: with them, other money
// would have left.
func gapsOnTheWay(c ledger.Chain, claims []ledger.Claim, t *tracer.Trace, known map[ledger.Address]bool) int {
	arrived, stays := map[ledger.Address]uint64{}, map[ledger.Address]stay{}
	for _, h := range t.Hops {
		if h.Chain != c {
			continue
		}
		if from, ok := arrived[h.From]; ok && !known[h.From] {
			stays[h.From] = stay{from, h.At.Pos.Height()}
		}
		if _, ok := arrived[h.To]; !ok {
			arrived[h.To] = h.At.Pos.Height()
		}
	}
	ranges := map[ledger.Address][]ledger.Range{}
	for _, c := range claims {
		ranges[c.Account] = append(ranges[c.Account], c.Range)
	}
	gaps := 0
	for a, s := range stays {
		if !s.within(slices.Concat(ranges[ledger.Address{}], ranges[a])) {
			gaps++
		}
	}
	return gaps
}

// within reports whether ranges that touch each other hold over the stay.
func (s stay) within(ranges []ledger.Range) bool {
	slices.SortFunc(ranges, func(x, y ledger.Range) int { return cmp.Compare(x.From, y.From) })
	for _, r := range ranges {
		if r.From <= s.from {
			s.from = max(s.from, r.To)
		}
	}
	return s.from > s.to
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
	if len(m.Missing) == 0 && len(notCovered(head.Chain, t)) > 0 { // a sample: its last block says nothing of later ones
		m.Missing = append(m.Missing, fmt.Sprintf("blocks after %d", head.Height))
	}
	assumed := 0
	for _, i := range t.Inputs {
		if i.Chain == head.Chain {
			assumed++
		}
	}
	if assumed > 0 {
		m.Missing = append(m.Missing, "the coins of some inputs of "+plural(assumed, "transaction"))
	}
	if len(m.Missing) > 0 {
		m.State = ledger.CoveragePartial.String()
		return
	}
	m.Detail = fmt.Sprintf("every block from %d to %d is held", first, head.Height)
}

// plural prints a count with its noun.
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// blockRange names heights, both ends included.
func blockRange(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("block %d", from)
	}
	return fmt.Sprintf("blocks %d to %d", from, to)
}
