package main

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gradedRow is what is read of a row of ledger.json.
type gradedRow struct {
	ID         string    `json:"id"`
	Network    string    `json:"network"`
	Tx         string    `json:"tx"`
	Index      string    `json:"index"`
	Place      rowPlace  `json:"place"`
	Block      string    `json:"block"`
	Time       time.Time `json:"time"`
	From       string    `json:"from"`
	FromOthers []string  `json:"from_others"`
	To         string    `json:"to"`
	Asset      string    `json:"asset"`
	Amount     string    `json:"amount"`
	Grade      string    `json:"grade"`
	Proof      string    `json:"proof"`
}

type rowPlace struct {
	Height  uint64 `json:"height"`
	TxIndex uint32 `json:"tx_index"`
	Slot    uint32 `json:"slot"`
}

// recordedTx is what is read of a transaction of record.json.
type recordedTx struct {
	Network   string             `json:"network"`
	Tx        string             `json:"tx"`
	Height    uint64             `json:"height"`
	TxIndex   uint32             `json:"tx_index"`
	Time      time.Time          `json:"time"`
	Coinbase  bool               `json:"coinbase"`
	Inputs    []recordedInput    `json:"inputs"`
	Outputs   []recordedOutput   `json:"outputs"`
	Transfers []recordedTransfer `json:"transfers"`
}

type recordedInput struct {
	Tx      string `json:"tx"`
	Index   uint32 `json:"index"`
	Known   bool   `json:"known"`
	Address string `json:"address"`
	Value   string `json:"value"`
}

type recordedOutput struct {
	Address string `json:"address"`
	Value   string `json:"value"`
}

type recordedTransfer struct {
	Index  uint32 `json:"index"`
	Slot   uint32 `json:"slot"`
	Kind   string `json:"kind"`
	From   string `json:"from"`
	To     string `json:"to"`
	Asset  string `json:"asset"`
	Amount string `json:"amount"`
}

type recordedBlock struct {
	Network string `json:"network"`
	Height  uint64 `json:"height"`
	Hash    string `json:"hash"`
}

const checkNameProofs = "proofs and grades"

// proofCheck collects what is found while rows are held against proofs.
type proofCheck struct {
	shown map[string]shown // by file
	txs   map[string]recordedTx
	found []finding
}

func (c *proofCheck) say(subject, want, got string) {
	c.found = append(c.found, finding{checkNameProofs, subject, want, got})
}

// checkProofs checks every proof, holds the record's transactions against them, and grades each row of the ledger by its proof. A row may claim
// less than its proof shows, never more.
func checkProofs(p *pack) (grades, []finding) {
	c := &proofCheck{shown: map[string]shown{}, txs: map[string]recordedTx{}}
	var rows []gradedRow
	if err := readPart(p, "ledger.json", &rows); err != nil {
		c.say("ledger.json", "rows", err.Error())
	}
	var record struct {
		Blocks       []recordedBlock
		Transactions []recordedTx
	}
	if err := readPart(p, "record.json", &record); err != nil {
		c.say("record.json", "a record", err.Error())
	}
	for _, t := range record.Transactions {
		c.txs[txName(t.Network, t.Tx)] = t
	}
	c.readProofs(p)
	blocks := map[string]string{}
	for _, b := range record.Blocks {
		blocks[fmt.Sprint(b.Network, " ", b.Height)] = b.Hash
	}
	failed := map[string]bool{}
	for _, row := range rows {
		if hash := blocks[fmt.Sprint(row.Network, " ", row.Place.Height)]; hash != row.Block {
			failed[row.ID] = true
			c.say(row.ID, fmt.Sprintf("the record's block %d, %q", row.Place.Height, hash), row.Block)
		}
		if want, got := c.grade(row); want != "" {
			failed[row.ID] = true
			c.say(row.ID, want, got)
		}
	}
	c.sharedProofs(rows, failed)
	return count(rows, failed), c.found
}

func count(rows []gradedRow, failed map[string]bool) (g grades) {
	for _, row := range rows {
		switch {
		case failed[row.ID]:
			g.Failed++
		case row.Grade == "proven":
			g.Proven++
		case row.Grade == "attested":
			g.Attested++
		default:
			g.Inferred++
		}
	}
	return g
}

func txName(network, tx string) string { return network + " " + tx }

// readProofs checks that proofs.json lists the files of proofs/, and each of them by itself and against the record.
func (c *proofCheck) readProofs(p *pack) {
	var list []struct{ File, Network, Tx string }
	if err := readPart(p, "proofs.json", &list); err != nil {
		c.say("proofs.json", "a list of proofs", err.Error())
	}
	listed := map[string]bool{}
	for _, one := range list {
		if want := "proofs/" + one.Network + "/" + strings.TrimPrefix(one.Tx, "0x") + ".json"; one.File != want || listed[one.File] {
			c.say("proofs.json", want+", once", one.File)
		}
		listed[one.File] = true
		s, err := readProof(one.Network, p.files[one.File])
		if err != nil {
			c.say(one.File, "a proof of "+one.Tx, err.Error())
			continue
		}
		if s.tx != one.Tx {
			c.say(one.File, "a proof of "+one.Tx, "of "+s.tx)
			continue
		}
		c.shown[one.File] = s
		if t, ok := c.txs[txName(one.Network, one.Tx)]; ok {
			c.compareRecord(one.File, t, s)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.files)) {
		if strings.HasPrefix(path, "proofs/") && !listed[path] {
			c.say(path, "a file that proofs.json lists", "it does not")
		}
	}
}

// compareRecord: what a proof shows of a transaction is what the record says of it, and with it every policy is recomputed.
func (c *proofCheck) compareRecord(file string, t recordedTx, s shown) {
	n, _ := networkOf(t.Network)
	if why := s.misplaced(n, t.Height, t.TxIndex, t.Time); why != "" {
		c.say(file, "the record's transaction: "+why, s.where())
	}
	if n.family != familyBitcoin {
		return
	}
	want, got := []string{fmt.Sprint("coinbase ", t.Coinbase)}, []string{fmt.Sprint("coinbase ", s.index == 0)}
	for i, out := range t.Outputs {
		want = append(want, fmt.Sprintf("output %d: %s to %s", i, out.Value, out.Address))
	}
	for i, out := range s.outputs {
		got = append(got, fmt.Sprintf("output %d: %s to %s", i, out.value, out.address))
	}
	for i, in := range t.Inputs {
		want = append(want, fmt.Sprintf("input %d: %s %d", i, in.Tx, in.Index))
	}
	for i, in := range s.inputs {
		got = append(got, fmt.Sprintf("input %d: %s %d", i, in.tx, in.index))
		if i < len(t.Inputs) && in.known {
			want = append(want, fmt.Sprintf("input %d: %s of %s", i, t.Inputs[i].Value, t.Inputs[i].Address))
			got = append(got, fmt.Sprintf("input %d: %s of %s", i, in.value, in.address))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			c.say(file, "the record's transaction, with "+lineOf(want, i), lineOf(got, i))
			return
		}
	}
}

func lineOf(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "nothing more"
}

func (s shown) where() string {
	return fmt.Sprintf("height %d, place %d in a tree of depth %d, time %d", s.height, s.index, s.depth, s.time)
}

// misplaced says how a stated place and time differ from what is shown of them. Before height 227,931 coinbases of mainnet were free to state
// any height, and other networks have other rules.
func (s shown) misplaced(n network, height uint64, index uint32, at time.Time) string {
	stated := s.height != 0 && (n.family != familyBitcoin || n.prefix == "bc" && height >= 227_931)
	switch {
	case stated && s.height != height:
		return fmt.Sprintf("height %d", height)
	case !s.standsAt(index):
		return fmt.Sprintf("place %d in its block", index)
	case s.time != at.UnixMilli():
		return "time " + at.UTC().Format(time.RFC3339Nano)
	}
	return ""
}

// standsAt says whether a place is the shown one. A package has the coinbase last in its block, since the fees of all others pay it: its place is
// the number of the block's transactions, of which the depth of the tree shows the order of size.
func (s shown) standsAt(index uint32) bool {
	if s.outputs != nil && s.index == 0 {
		return index <= 1<<s.depth && index > 1<<s.depth>>1
	}
	return s.index < 0 || int64(s.index) == int64(index)
}

// grade says what a row claims that does not hold: what it wants of the proof, and what the proof shows. Empty where nothing is wrong.
func (c *proofCheck) grade(row gradedRow) (want, got string) {
	if !slices.Contains([]string{"proven", "attested", "inferred"}, row.Grade) {
		return "proven, attested or inferred", row.Grade
	}
	if row.Proof == "" {
		if row.Grade == "proven" {
			return "a proof, since it is graded proven", "none is named"
		}
		return "", ""
	}
	s, ok := c.shown[row.Proof]
	if !ok {
		return "the proof " + row.Proof, "there is none that holds"
	}
	n, _ := networkOf(row.Network)
	if !strings.HasPrefix(row.Proof, "proofs/"+row.Network+"/") || s.tx != row.Tx {
		return "a proof of " + row.Tx, "of " + s.tx
	}
	if s.block != row.Block {
		return "a proof that leads to block " + row.Block, "to " + s.block
	}
	if why := s.misplaced(n, row.Place.Height, row.Place.TxIndex, row.Time); why != "" {
		return "a proof of " + why, s.where()
	}
	if row.Grade != "proven" {
		return "", ""
	}
	if n.family == familyBitcoin {
		return s.paysRow(row)
	}
	if len(c.matches(row, s)) == 0 {
		return fmt.Sprintf("a proof that %s pays %s %s of %s", row.From, row.To, row.Amount, row.Asset), "it does not show that"
	}
	return "", ""
}

// paysRow: the output at the row's index has its address and amount, and all input amounts are shown, the payers' among them.
func (s shown) paysRow(row gradedRow) (want, got string) {
	i, err := strconv.ParseUint(row.Index, 10, 32)
	if err != nil || i >= uint64(len(s.outputs)) || row.Index != strconv.FormatUint(i, 10) {
		return "output " + row.Index, fmt.Sprintf("%d outputs", len(s.outputs))
	}
	if want, got := row.Amount+" to "+row.To, s.outputs[i].value.String()+" to "+s.outputs[i].address; want != got {
		return want, got
	}
	if row.Asset != row.Network+":native" {
		return row.Network + ":native", row.Asset
	}
	if !s.amounts {
		return "the amounts of all inputs, since it is graded proven", "some are not shown"
	}
	payers := map[string]bool{"": len(s.inputs) == 0}
	for _, in := range s.inputs {
		payers[in.address] = true
	}
	for _, from := range append([]string{row.From}, row.FromOthers...) {
		if !payers[from] {
			return "payers among the owners of its inputs", from
		}
	}
	return "", ""
}

// matches are the transfers that a proof shows and that are this row's.
func (c *proofCheck) matches(row gradedRow, s shown) []shownMove {
	kind := ""
	for _, t := range c.txs[txName(row.Network, row.Tx)].Transfers {
		if t.Slot == row.Place.Slot {
			kind = t.Kind
		}
	}
	var all []shownMove
	for _, m := range s.moves {
		if m.certain && m.kind == kind && m.from == row.From && m.to == row.To && m.asset == row.Asset && m.amount == row.Amount {
			all = append(all, m)
		}
	}
	return all
}

// sharedProofs finds rows of different transfers that rest on the same one: they have different indices. (What came through a crossing, and what
// was carried along besides, can be two rows of one transfer.) A transaction's own value, and a call, are one transfer. Logs are told apart by their
// place: a row's index counts the logs of the block, a proof's those of the receipt, so that the difference is the same for all rows.
func (c *proofCheck) sharedProofs(rows []gradedRow, failed map[string]bool) {
	byProof := map[string][]gradedRow{}
	for _, row := range rows {
		if s, ok := c.shown[row.Proof]; ok && row.Grade == "proven" && s.outputs == nil && !failed[row.ID] {
			byProof[row.Proof] = append(byProof[row.Proof], row)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(byProof)) {
		if why := c.shared(byProof[file], c.shown[file]); why != "" {
			for _, row := range byProof[file] {
				failed[row.ID] = true
			}
			c.say(file, fmt.Sprintf("a transfer for each of %d rows", len(byProof[file])), why)
		}
	}
}

func (c *proofCheck) shared(rows []gradedRow, s shown) string {
	taken := map[string]gradedRow{}
	var logs []gradedRow
	for _, row := range rows {
		one := c.matches(row, s)[0]
		if one.log >= 0 {
			logs = append(logs, row)
			continue
		}
		if other, ok := taken[one.kind]; ok && other.Index != row.Index {
			return other.ID + " and " + row.ID + " rest on the same one"
		}
		taken[one.kind] = row
	}
	if len(logs) == 0 {
		return ""
	}
	for _, first := range c.matches(logs[0], s) {
		if base, ok := logBase(logs[0], first); ok && c.atBase(logs, s, base) {
			return ""
		}
	}
	return "the rows' indices are not those of its logs"
}

// logBase is the number of logs in the block before the transaction's own, if a row is this log.
func logBase(row gradedRow, m shownMove) (*big.Int, bool) {
	index, ok := new(big.Int).SetString(row.Index, 10)
	if !ok || index.String() != row.Index {
		return nil, false
	}
	base := index.Sub(index, big.NewInt(int64(m.log)))
	return base, base.Sign() >= 0 && (row.Place.TxIndex > 0 || base.Sign() == 0)
}

// atBase says whether each row is the log at its place, with so many before the transaction's.
func (c *proofCheck) atBase(rows []gradedRow, s shown, base *big.Int) bool {
	for _, row := range rows {
		fits := slices.ContainsFunc(c.matches(row, s), func(m shownMove) bool {
			b, ok := logBase(row, m)
			return ok && b.Cmp(base) == 0
		})
		if !fits {
			return false
		}
	}
	return true
}
