package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
	"github.com/spoortrace/spoor/tracer/behavior"
	"github.com/spoortrace/spoor/tracer/memindex"
)

// record is one row of a flow with ground truth, in the form of LaunderNetEvm41.
// Its value is in cents of a dollar at the time: prices drift between hops, so
// that what an account pays may be more than what it was paid.
type record struct {
	block    uint64
	time     int64
	tx       ledger.TxID
	from, to ledger.Address
	cents    ledger.Amount
}

// launder replays each case in a world that holds nothing but its records: the
// payments of the thief's first addresses are the seeds.
func launder(ctx context.Context, o Options, m *meter) error {
	dirs, err := filepath.Glob(filepath.Join(o.Data, "launder", "*", "flow-records.csv"))
	if err != nil {
		return err
	}
	for _, name := range dirs {
		if err := launderCase(ctx, filepath.Dir(name), m); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func launderCase(ctx context.Context, dir string, m *meter) error {
	records, err := readRecords(filepath.Join(dir, "flow-records.csv"))
	if err != nil {
		return err
	}
	sources, err := readAddresses(filepath.Join(dir, "source-addresses.csv"))
	if err != nil {
		return err
	}
	ends, err := readAddresses(filepath.Join(dir, "terminal-addresses.csv"))
	if err != nil {
		return err
	}
	idx, req, err := closedWorld(records, sources)
	if err != nil {
		return err
	}
	t, err := tracer.Run(ctx, idx, req, nil)
	if err != nil {
		return err
	}
	carried := map[ledger.Position]bool{}
	for i := range t.Hops {
		carried[t.Hops[i].At.Pos] = true
	}
	reached, traced := map[ledger.Address]bool{}, ledger.Amount{}
	for i := range t.Hops {
		if h := &t.Hops[i]; ends[h.To] {
			reached[h.To] = true
			traced = traced.Plus(h.Dirty)
		}
	}
	recorded := ledger.Amount{}
	for i := range records {
		if ends[records[i].to] {
			recorded = recorded.Plus(records[i].cents)
		}
	}
	name := filepath.Base(dir)
	note := fmt.Sprintf("dirty-first, a closed world; %s of %s cents recorded into terminals were traced there", traced, recorded)
	m.share("flow", "recall of records of "+name, len(carried), len(records), note)
	m.share("flow", "recall of terminals of "+name, len(reached), len(ends), note)
	return mules(ctx, idx, records, ends, name, m)
}

// mules measures every pattern on the accounts of a case: those between the thief
// and the terminals launder, by the word of the set; terminals are services.
func mules(ctx context.Context, idx *memindex.Index, records []record, ends map[ledger.Address]bool, name string, m *meter) error {
	asset, err := cents()
	if err != nil {
		return err
	}
	between := map[ledger.Address]bool{}
	for i := range records {
		for _, a := range []ledger.Address{records[i].from, records[i].to} {
			between[a] = !ends[a]
		}
	}
	shown, right := map[string]int{}, map[string]int{}
	n := 0
	for a, launders := range between {
		if launders {
			n++
		}
		found, _, err := behavior.Patterns(ctx, idx, ledger.Holder{Address: a, Asset: asset})
		if err != nil {
			return err
		}
		for _, f := range found {
			shown[f.Pattern]++
			if launders {
				right[f.Pattern]++
			}
		}
	}
	note := "the set holds the laundering alone: what an ordinary account shows is not in it"
	for _, pattern := range behavior.Names("ethereum") {
		if why := blind(pattern, asset); why != "" || pattern == "address_poisoning" {
			continue // a world of cents that somebody laundered shows none
		}
		m.share(pattern, "laundering accounts that show it of "+name, right[pattern], n, note)
		if shown[pattern] > 0 {
			m.share(pattern, "launderers, not terminals, among those that show it of "+name, right[pattern], shown[pattern], note)
		}
	}
	return nil
}

// cents is a token that no table knows: its dust is one base unit, so that nothing
// is pruned.
func cents() (ledger.Asset, error) {
	contract, err := ledger.ParseAddress("ethereum", "0x"+strings.Repeat("0", 39)+"1")
	return ledger.TokenAsset(contract), err
}

// closedWorld holds nothing but the records; the payments of the thief's first
// addresses are the victims'.
func closedWorld(records []record, sources map[ledger.Address]bool) (*memindex.Index, tracer.Request, error) {
	asset, err := cents()
	if err != nil {
		return nil, tracer.Request{}, err
	}
	policy, err := tracer.PolicyByName("dirty-first")
	if err != nil {
		return nil, tracer.Request{}, err
	}
	req := tracer.Request{Policy: policy}
	var blocks []*ledger.Block
	for i := range records {
		r := &records[i]
		if len(blocks) == 0 || blocks[len(blocks)-1].Ref.Height != r.block {
			ref := ledger.BlockRef{Chain: "ethereum", Height: r.block, Time: r.time}
			blocks = append(blocks, &ledger.Block{Ref: ref, Partial: ledger.PartialRows})
		}
		b := blocks[len(blocks)-1]
		at := ledger.Point{Pos: ledger.At(r.block, uint32(len(b.Txs)))}
		b.Txs = append(b.Txs, ledger.Tx{ID: r.tx, Chain: "ethereum", Pos: at.Pos, Time: r.time, Transfers: []ledger.Transfer{
			{From: r.from, To: r.to, Asset: asset, Amount: r.cents},
		}})
		if sources[r.from] {
			req.Seeds = append(req.Seeds, tracer.Seed{
				Ref: r.tx.String(), Chain: "ethereum", Tx: r.tx, At: at, From: r.from, Address: r.to, Asset: asset, Amount: r.cents, Time: r.time,
			})
		}
	}
	idx, err := memindex.New(blocks, memindex.Options{})
	return idx, req, err
}

// readRecords returns the rows that carry value, in the order of blocks, then of
// the file: the set has no order inside a block.
func readRecords(name string) ([]record, error) {
	rows, err := readCSV(name)
	if err != nil {
		return nil, err
	}
	want := []string{"Timestamp", "Block", "Tx_hash", "From", "From_label", "To", "To_label", "Value_in_USD"}
	if !slices.Equal(rows[0], want) {
		return nil, ledger.Invalid(name, "the columns "+strings.Join(want, ","), "others")
	}
	var all []record
	for i, row := range rows[1:] {
		r, err := readRecord(row)
		if err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", name, i+2, err)
		}
		if !r.cents.IsZero() {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b record) int { return cmp.Compare(a.block, b.block) })
	return all, nil
}

func readRecord(row []string) (r record, err error) {
	at, err := time.Parse(time.DateTime, row[0])
	if err != nil {
		return r, ledger.Invalid("Timestamp", "a time such as 2024-08-02 00:24:23", row[0])
	}
	r.time = at.UnixMilli()
	if r.block, err = strconv.ParseUint(row[1], 10, 40); err != nil {
		return r, ledger.Invalid("Block", "a height", row[1])
	}
	if r.tx, err = ledger.ParseTxID(row[2]); err != nil {
		return r, err
	}
	if r.from, err = ledger.ParseAddress("ethereum", row[3]); err != nil {
		return r, err
	}
	if r.to, err = ledger.ParseAddress("ethereum", row[5]); err != nil {
		return r, err
	}
	whole, part, _ := strings.Cut(row[7], ".")
	if len(part) > 2 {
		return r, ledger.Invalid("Value_in_USD", "at most two decimals", row[7])
	}
	r.cents, err = ledger.ParseAmount(whole + (part + "00")[:2])
	return r, err
}

// readAddresses reads one address a line.
func readAddresses(name string) (map[ledger.Address]bool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	all := map[ledger.Address]bool{}
	for i, line := range strings.Fields(string(text)) {
		a, err := ledger.ParseAddress("ethereum", line)
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, i+1, err)
		}
		all[a] = true
	}
	return all, nil
}
