package archive

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// tagConfidence is GraphSense's service_data: data retrieved from a known service.
const tagConfidence = 50

// Blocks yields the transfers in the set's order: a block for each millisecond
// that has any, its height and time the millisecond, its hash the set's
// digest, and in it a transaction record for each row. Rows of one transaction
// share its id. They are attested: nothing in a CSV file can be verified.
//
// The one error is ledger.ErrExhausted: more than 2^20 rows in a millisecond.
func (s *Set) Blocks() iter.Seq2[*ledger.Block, error] {
	digest := s.Digest()
	return func(yield func(*ledger.Block, error) bool) {
		for from := 0; from < len(s.order); {
			ms := s.row(s.order[from]).time
			to := from + 1
			for to < len(s.order) && s.row(s.order[to]).time == ms {
				to++
			}
			if to-from > 1<<ledger.IndexBits {
				yield(nil, fmt.Errorf("%d rows in the millisecond %d: %w", to-from, ms, ledger.ErrExhausted))
				return
			}
			if !yield(s.block(digest, s.order[from:to]), nil) {
				return
			}
			from = to
		}
	}
}

// block makes the records of one millisecond.
func (s *Set) block(digest ledger.Hash, rows []ref) *ledger.Block {
	ms := s.row(rows[0]).time
	b := &ledger.Block{
		Ref:   ledger.BlockRef{Chain: s.Chain, Height: uint64(ms), Hash: digest, Time: ms},
		Grade: ledger.GradeAttested, Txs: make([]ledger.Tx, len(rows)),
	}
	var names []string
	taken := map[ledger.TxID]map[uint32]bool{} // indices of each transaction
	for _, r := range rows {
		x := s.row(r)
		if taken[x.tx] == nil {
			taken[x.tx] = map[uint32]bool{}
		}
		if x.log >= 0 {
			taken[x.tx][uint32(x.log)] = true
		}
	}
	for i, r := range rows {
		x := s.row(r)
		index := uint32(x.log)
		if x.log < 0 {
			for index = 0; taken[x.tx][index]; index++ {
			}
			taken[x.tx][index] = true
		}
		if name := s.files[r.file].Name; !slices.Contains(names, name) {
			names = append(names, name)
		}
		b.Txs[i] = ledger.Tx{
			ID: x.tx, Chain: s.Chain, Pos: ledger.At(uint64(ms), uint32(i)), Time: ms, Status: x.status, Grade: ledger.GradeAttested,
			Transfers: []ledger.Transfer{s.transfer(r, index)},
		}
	}
	b.Source = strings.Join(names, ", ")
	return b
}

func (s *Set) transfer(r ref, index uint32) ledger.Transfer {
	f, x := s.files[r.file], s.row(r)
	asset := f.assets[x.asset].asset
	kind := ledger.TransferToken
	switch {
	case x.internal:
		kind = ledger.TransferInternal
	case asset.Native():
		kind = ledger.TransferNative
	}
	return ledger.Transfer{
		Index: index, Kind: kind, From: f.address(x.from), To: f.address(x.to),
		Asset: asset, Amount: x.amount, Status: x.status, Grade: ledger.GradeAttested,
	}
}

// Assets returns what is known of every asset that occurs, in the order of
// ledger.Asset. Symbol and decimals of a token that package ledger does not
// know are the claim of the first file that makes one; Decimals is 0 without a claim.
func (s *Set) Assets() []ledger.AssetInfo {
	at := map[ledger.Asset]int{}
	var infos []ledger.AssetInfo
	claimed := map[ledger.Asset]bool{}
	for _, f := range s.files {
		for _, c := range f.assets {
			if _, ok := at[c.asset]; !ok {
				at[c.asset] = len(infos)
				infos = append(infos, ledger.InfoOf(c.asset))
			}
			info := &infos[at[c.asset]]
			if info.Known {
				continue
			}
			if info.Symbol == "" {
				info.Symbol = c.symbol
			}
			if c.decimals >= 0 && !claimed[c.asset] {
				info.Decimals, claimed[c.asset] = c.decimals, true
			}
		}
	}
	slices.SortFunc(infos, func(a, b ledger.AssetInfo) int { return a.Asset.Compare(b.Asset) })
	return infos
}

// Tags returns the names that the files give accounts (columns from_tag and
// to_tag, which Tronscan fills), each once, ordered by address and label. Their
// category is tagCategory's. ID and Recorded are for the label log to set.
func (s *Set) Tags() []ledger.Tag {
	type key struct {
		address ledger.Address
		label   string
	}
	seen := map[key]bool{}
	var tags []ledger.Tag
	for _, f := range s.files {
		for _, t := range f.tags {
			k := key{f.address(t.account), t.label}
			if seen[k] {
				continue
			}
			seen[k] = true
			tags = append(tags, ledger.Tag{
				Address: k.address, Chain: s.Chain, Label: t.label, Category: tagCategory(t.label),
				Source: f.Name + " (Tronscan tag)", Pack: f.Name, Creator: "Tronscan", Confidence: tagConfidence,
			})
		}
	}
	slices.SortFunc(tags, func(a, b ledger.Tag) int {
		return cmp.Or(a.Address.Compare(b.Address), strings.Compare(a.Label, b.Label))
	})
	return tags
}
