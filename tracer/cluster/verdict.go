// Package cluster says which addresses of a UTXO chain one transaction shows to
// have one owner: multi-input co-spending (Meiklejohn et al., "A Fistful of
// Bitcoins", IMC 2013), vetoed where the transaction may be a CoinJoin, and change
// outputs. It is pure: one transaction in, joins out. Package entities keeps them.
package cluster

import (
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Verdict says whether the inputs of a transaction may have several owners.
type Verdict uint8

// The verdicts; the first that fits is taken. All but None veto co-spending.
const (
	None       Verdict = iota
	Whirlpool          // Samourai's pools
	Tx0                // the transaction that feeds one; confirmed by the mix that spends it
	Wasabi2            // WabiSabi rounds
	Wasabi1            // ZeroLink rounds
	JoinMarket         // makers and a taker
	Possible           // two owners could have paid equal amounts: a veto, no claim
)

// String prints NONE, WHIRLPOOL, TX0, WASABI2, WASABI1, JOINMARKET or POSSIBLE.
func (v Verdict) String() string {
	return [...]string{"NONE", "WHIRLPOOL", "TX0", "WASABI2", "WASABI1", "JOINMARKET", "POSSIBLE"}[v]
}

// VerdictOf judges a transaction by the rules of docs/method.md, Clusters. Where
// inputs are unknown it leans to the veto.
func VerdictOf(tx *ledger.Tx) Verdict {
	if tx.Coinbase || len(tx.Inputs) == 0 {
		return None
	}
	s := shapeOf(tx)
	switch {
	case s.whirlpool():
		return Whirlpool
	case s.tx0():
		return Tx0
	case s.wasabi2():
		return Wasabi2
	case s.wasabi1():
		return Wasabi1
	case s.joinMarket():
		return JoinMarket
	case s.possible():
		return Possible
	}
	return None
}

// shape is a transaction as the verdicts look at it: values in satoshi.
type shape struct {
	in, out   []coin // out without OP_RETURN
	carriers  int    // outputs that are OP_RETURN
	unknown   int    // inputs whose previous output is not held
	values    map[uint64]int
	inScripts map[ledger.Address]uint64 // what each script of the known inputs brings
	inCounts  map[ledger.Address]int
}

type coin struct {
	owner ledger.Address
	value uint64
}

func shapeOf(tx *ledger.Tx) *shape {
	s := &shape{values: map[uint64]int{}, inScripts: map[ledger.Address]uint64{}, inCounts: map[ledger.Address]int{}}
	for i := range tx.Inputs {
		in := &tx.Inputs[i]
		if !in.Known {
			s.unknown++
			continue
		}
		v := satoshi(in.Value)
		s.in = append(s.in, coin{in.Address, v})
		s.inScripts[in.Address] += v
		s.inCounts[in.Address]++
	}
	for i := range tx.Outputs {
		out := &tx.Outputs[i]
		if carrier(out.Address) {
			s.carriers++
			continue
		}
		v := satoshi(out.Value)
		s.out = append(s.out, coin{out.Address, v})
		s.values[v]++
	}
	return s
}

// carrier reports an OP_RETURN script: it holds data and no coin.
func carrier(a ledger.Address) bool {
	const opReturn = 0x6a
	return a.Kind == ledger.KindScript && len(a.Payload) > 0 && a.Payload[0] == opReturn
}

// satoshi is a value of the chain; there are fewer than 2^51 of them.
func satoshi(a ledger.Amount) uint64 {
	v, _ := a.Uint64()
	return v
}

func distinct(coins []coin) bool {
	seen := make(map[ledger.Address]bool, len(coins))
	for _, c := range coins {
		if seen[c.owner] {
			return false
		}
		seen[c.owner] = true
	}
	return true
}

// pools are the denominations of Whirlpool in satoshi.
func pools() []uint64 {
	return []uint64{100_000, 1_000_000, 2_500_000, 5_000_000, 25_000_000, 50_000_000}
}

// premix is how far an input may lie above its pool's denomination.
const premix = 110_000

func (s *shape) whirlpool() bool {
	n := len(s.in)
	if s.unknown > 0 || n < 5 || n > 10 || n != len(s.out) || s.carriers > 0 {
		return false
	}
	d := s.out[0].value
	if s.values[d] != n || !slices.Contains(pools(), d) || !distinct(s.in) || !distinct(s.out) {
		return false
	}
	return !slices.ContainsFunc(s.in, func(c coin) bool { return c.value < d || c.value > d+premix })
}

// premixOf returns the value that a Tx0 gives its premix outputs, 0 for none.
func (s *shape) premixOf() uint64 {
	for value, count := range s.values {
		if len(s.out)-count > 2 {
			continue
		}
		for _, d := range pools() {
			if value >= d+100 && value <= d+premix {
				return value
			}
		}
	}
	return 0
}

func (s *shape) tx0() bool { return s.carriers == 1 && s.premixOf() > 0 }

// standard are the values that WabiSabi rounds give out.
func standard(v uint64) bool {
	if v < 5_000 || v > 134_375_000_000 {
		return false
	}
	return power(v, 2) || power(v, 3) || v%2 == 0 && power(v/2, 3) || power(v, 10) || v%2 == 0 && power(v/2, 10) || v%5 == 0 && power(v/5, 10)
}

// power reports v = base^i, i >= 0.
func power(v, base uint64) bool {
	for v > 1 && v%base == 0 {
		v /= base
	}
	return v == 1
}

func (s *shape) wasabi2() bool {
	if len(s.in)+s.unknown < 20 || len(s.out) < 10 || !distinct(s.out) {
		return false
	}
	falling := func(a, b coin) int {
		switch {
		case a.value > b.value:
			return -1
		case a.value < b.value:
			return 1
		}
		return 0
	}
	if !slices.IsSortedFunc(s.in, falling) || !slices.IsSortedFunc(s.out, falling) {
		return false
	}
	n := 0
	for _, c := range s.out {
		if standard(c.value) {
			n++
		}
	}
	return n*100 >= 60*len(s.out)
}

// coordinators are the scripts that took Wasabi 1's fees: P2WPKH programs.
func coordinator(a ledger.Address) bool {
	return a.Kind == ledger.KindP2WPKH && (a.Payload == "\x86\x9f\x5c\x7a\x4c\xd7\x77\x6a\xe0\xc0\xfc\xd9\xc3\x31\x5a\xbb\x23\x9a\x9f\x0d" ||
		a.Payload == "\xea\xaa\xb8\x23\x17\x67\x0d\x0e\xe3\x01\x3b\x07\x3b\x25\xa7\xa5\xc7\x80\xf5\x28")
}

func (s *shape) wasabi1() bool {
	mode, count := s.mode()
	if count > 2 && slices.ContainsFunc(s.out, func(c coin) bool { return coordinator(c.owner) }) {
		return true
	}
	if count < 3 || mode < 8_000_000 || mode > 12_000_000 || s.carriers > 0 || len(s.inScripts)+s.unknown < count {
		return false
	}
	witness := func(c coin) bool { return c.owner.Kind == ledger.KindP2WPKH }
	for _, c := range slices.Concat(s.in, s.out) {
		if !witness(c) {
			return false
		}
	}
	for _, n := range s.values {
		if n == 1 {
			return true
		}
	}
	return false
}

// mode returns the most frequent output value, the largest of several.
func (s *shape) mode() (value uint64, count int) {
	for v, n := range s.values {
		if n > count || n == count && v > value {
			value, count = v, n
		}
	}
	return value, count
}

// dust is the greatest value that no participant would mix (judgment, as in the
// detectors of JoinMarket).
const dust = 2_730

func (s *shape) joinMarket() bool {
	in, out := len(s.in)+s.unknown, len(s.out)
	if s.carriers > 0 || in > 100 || out > 100 || in > 4*out {
		return false
	}
	var d uint64
	for v, n := range s.values {
		if n > 1 && d != 0 {
			return false
		}
		if n > 1 {
			d = v
		}
	}
	n := s.values[d]
	if d <= dust || n < 3 || out != 2*n && out != 2*n-1 || !distinct(s.out) || len(s.inScripts)+s.unknown < n {
		return false
	}
	for _, count := range s.inCounts {
		if count*100 > in*34 {
			return false
		}
	}
	return true
}
