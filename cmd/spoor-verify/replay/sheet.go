package replay

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
)

const checkNamePolicies = "policies recomputed"

// column is one of a conservation sheet.
type column int

const (
	seeded column = iota
	collided
	convertedIn
	resting
	stopped
	burnt
	fees
	convertedOut
	prunedAway
	pending
	columns
)

func (c column) String() string {
	return [...]string{"seeded", "collided", "converted_in", "resting", "stopped", "burnt", "fees", "converted_out", "pruned", "pending"}[c]
}

// pruned is the reason of what was too small to follow: the only end that is no hop.
const pruned = "PRUNED"

// reasons are those for which units are where they are, with the column that counts them.
func reasons() map[string]column {
	return map[string]column{
		"UNSPENT": resting, "FROZEN": resting, "NOT_COVERED": resting, "BURN": burnt, pruned: prunedAway, "PENDING": pending,
		"SERVICE": stopped, "SUSPECTED_SERVICE": stopped, "DEPOSIT_ADDRESS": stopped, "MIXER": stopped, "COINJOIN": stopped,
		"BRIDGE_UNMATCHED": stopped, "CONTRACT": stopped, "SEIZED": stopped, "STOPPED_BY_USER": stopped, "UNSUPPORTED_ASSET": stopped,
	}
}

func bucketOf(reason string) column {
	if c, ok := reasons()[reason]; ok {
		return c
	}
	return stopped
}

func bucketName(c column) string {
	return map[column]string{resting: "RESTING", stopped: "STOPPED", burnt: "BURNT", prunedAway: "PRUNED", pending: "PENDING"}[c]
}

// sums is a sheet while it is added up: of all labels (0), and of each.
type sums struct{ rows map[int]*[columns]*big.Int }

func (p *tracing) sumsOf(asset string) *sums {
	if p.sums[asset] == nil {
		p.sums[asset] = &sums{map[int]*[columns]*big.Int{}}
	}
	return p.sums[asset]
}

func (s *sums) add(c column, label int, units *big.Int) {
	for _, l := range []int{0, label} {
		if s.rows[l] == nil {
			s.rows[l] = &[columns]*big.Int{}
			for i := range s.rows[l] {
				s.rows[l][i] = new(big.Int)
			}
		}
		s.rows[l][c] = plus(s.rows[l][c], units)
	}
}

func (s *sums) addAll(c column, units lots) {
	for _, one := range units {
		if one.label != 0 {
			s.add(c, one.label, one.units)
		}
	}
}

// numbers are the columns of a stated row.
func (r sheetRow) numbers() [columns]*big.Int {
	var all [columns]*big.Int
	for i, a := range []amount{r.Seeded, r.Collided, r.ConvertedIn, r.Resting, r.Stopped, r.Burnt, r.Fees, r.ConvertedOut, r.Pruned, r.Pending} {
		all[i] = a.units()
	}
	return all
}

// readds says whether what came is what is accounted for: seeded - collided + converted in, and everything else.
func readds(row [columns]*big.Int) (in, out *big.Int, ok bool) {
	in = minus(plus(row[seeded], row[convertedIn]), row[collided])
	out = sumOf(row[resting:])
	return in, out, in.Cmp(out) == 0
}

// checkSheets holds the stated sheets against themselves: every row re-adds, and the rows of labels sum to that of all.
func checkSheets(r *result) (found []Finding) {
	name := policy{r.UTXO, r.Account}.name()
	say := func(subject, want, got string) {
		found = append(found, Finding{checkNameSums, name + ": sheet of " + subject, want, got})
	}
	for _, s := range r.Sheets {
		if conserves := r.UTXO != "poison" && r.Account != "poison"; s.Conserves != conserves {
			say(s.Asset, fmt.Sprintf("conserves: %v", conserves), fmt.Sprint(s.Conserves))
		}
		var total [columns]*big.Int
		for c := range total {
			total[c] = new(big.Int)
		}
		for i, row := range s.Rows {
			numbers := row.numbers()
			subject := fmt.Sprintf("%s, label %d", s.Asset, row.Label)
			if i == 0 && row.Label != 0 || i > 0 && row.Label <= s.Rows[i-1].Label {
				say(subject, "rows in order of labels, from 0", fmt.Sprintf("row %d", i+1))
			}
			if in, out, ok := readds(numbers); !ok && s.Conserves {
				say(subject, in.String()+", which came", out.String()+" accounted for")
			}
			for c := range total {
				if row.Label != 0 {
					total[c] = plus(total[c], numbers[c])
				}
			}
		}
		if len(s.Rows) > 1 && s.Conserves {
			for c, n := range s.Rows[0].numbers() {
				if n.Cmp(total[c]) != 0 {
					say(fmt.Sprintf("%s, %s", s.Asset, column(c)), total[c].String()+", the sum of its labels", n.String())
				}
			}
		}
	}
	return found
}

// compareSheets holds what was added up against the stated sheets. A sheet of nothing is none.
func (p *tracing) compareSheets(r *result) {
	stated := map[string]map[int][columns]*big.Int{}
	for _, s := range r.Sheets {
		if stated[s.Asset] != nil {
			p.say("sheet of "+s.Asset, "one", "another")
		}
		stated[s.Asset] = map[int][columns]*big.Int{}
		for _, row := range s.Rows {
			stated[s.Asset][row.Label] = row.numbers()
		}
	}
	assets := slices.Collect(maps.Keys(stated))
	for asset := range p.sums {
		if stated[asset] == nil {
			assets = append(assets, asset)
		}
	}
	slices.Sort(assets)
	for _, asset := range assets {
		p.compareSheet(asset, stated[asset])
	}
}

func (p *tracing) compareSheet(asset string, stated map[int][columns]*big.Int) {
	own := p.sumsOf(asset).rows
	labels := slices.Collect(maps.Keys(own))
	for label := range stated {
		if own[label] == nil {
			labels = append(labels, label)
		}
	}
	slices.Sort(labels)
	for _, label := range labels {
		for c := range columns {
			want, got := new(big.Int), new(big.Int)
			if own[label] != nil {
				want = own[label][c]
			}
			if row, ok := stated[label]; ok {
				got = row[c]
			}
			if want.Cmp(got) != 0 {
				p.say(fmt.Sprintf("sheet of %s, label %d, %s", asset, label, c), want.String(), got.String())
			}
		}
	}
}
