package replay

import (
	"cmp"
	"encoding/json"
	"math/big"
	"slices"
	"sort"
)

// place is where an event stands in its network's order.
type place struct {
	Height  uint64 `json:"height"`
	TxIndex uint32 `json:"tx_index"`
	Slot    uint32 `json:"slot"`
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.Height, q.Height), cmp.Compare(p.TxIndex, q.TxIndex), cmp.Compare(p.Slot, q.Slot))
}

// amount is a decimal string of base units.
type amount struct{ big.Int }

// UnmarshalJSON takes a string of digits.
func (a *amount) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	return a.UnmarshalText([]byte(s))
}

// UnmarshalText takes digits without a sign or leading zeros, below 2^256; nothing is 0.
func (a *amount) UnmarshalText(text []byte) error {
	for i, c := range text {
		if c < '0' || c > '9' || c == '0' && i == 0 && len(text) > 1 {
			return errDigits
		}
	}
	if len(text) == 0 {
		return nil
	}
	a.SetString(string(text), 10)
	if a.BitLen() > 256 {
		return errDigits
	}
	return nil
}

// flow is one in- or outflow of an account.
type flow struct {
	Place    place  `json:"place"`
	Kind     string `json:"kind"`
	From, To string
	Amount   amount `json:"amount"`
}

type history struct {
	Network  string     `json:"network"`
	Address  string     `json:"address"`
	Asset    string     `json:"asset"`
	From     place      `json:"from"`
	To       place      `json:"to"`
	Opening  amount     `json:"opening"`
	Events   []flow     `json:"events"`
	Complete bool       `json:"complete"`
	before   []*big.Int // balance before each event, and after the last
}

type coinIn struct {
	Tx      string `json:"tx"`
	Index   uint32 `json:"index"`
	Height  uint64 `json:"height"`
	TxIndex uint32 `json:"tx_index"`
	Known   bool   `json:"known"`
	Address string `json:"address"`
	Value   amount `json:"value"`
}

type coinOut struct {
	Address string `json:"address"`
	Value   amount `json:"value"`
	Spent   *struct {
		Height  uint64 `json:"height"`
		TxIndex uint32 `json:"tx_index"`
	} `json:"spent"`
}

type movement struct {
	Slot     uint32 `json:"slot"`
	Index    uint32 `json:"index"`
	Kind     string `json:"kind"`
	From, To string
	Asset    string `json:"asset"`
	Amount   amount `json:"amount"`
}

type transaction struct {
	Network   string     `json:"network"`
	Tx        string     `json:"tx"`
	Height    uint64     `json:"height"`
	TxIndex   uint32     `json:"tx_index"`
	Coinbase  bool       `json:"coinbase"`
	Inputs    []coinIn   `json:"inputs"`
	Outputs   []coinOut  `json:"outputs"`
	Transfers []movement `json:"transfers"`
}

// passage is a transfer that goes on in another asset or network.
type passage struct {
	Network  string   `json:"network"`
	Place    place    `json:"place"`
	Asset    string   `json:"asset"`
	Crossing crossing `json:"crossing"`
}

type crossing struct {
	Kind      string `json:"kind"`
	AmountIn  amount `json:"amount_in"`
	Network   string `json:"network"`
	Tx        string `json:"tx"`
	Index     string `json:"index"`
	Place     place  `json:"place"`
	From      string `json:"from"`
	To        string `json:"to"`
	Asset     string `json:"asset"`
	AmountOut amount `json:"amount_out"`
}

type balanceAt struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Asset   string `json:"asset"`
	Amount  amount `json:"amount"`
}

type clockAt struct {
	Network string `json:"network"`
	Height  uint64 `json:"height"`
	Time    int64  `json:"time"`
}

type record struct {
	Histories    []*history     `json:"histories"`
	Transactions []*transaction `json:"transactions"`
	Balances     []balanceAt    `json:"balances"`
	Clocks       []clockAt      `json:"clocks"`
	Crossings    []passage      `json:"crossings"`

	accounts map[account]*history
	txs      map[txAt]*transaction
	crossed  map[transferAt]*crossing
	clocks   map[clockKey]int64
}

// account is one asset of one account.
type account struct{ network, address, asset string }

type txAt struct {
	network string
	height  uint64
	index   uint32
}

// transferAt is one transfer or output.
type transferAt struct {
	network string
	at      place
	asset   string
}

type clockKey struct {
	network string
	height  uint64
}

// index prepares the record and finds what contradicts itself in it.
func (r *record) index() []finding {
	r.accounts, r.txs = map[account]*history{}, map[txAt]*transaction{}
	r.crossed, r.clocks = map[transferAt]*crossing{}, map[clockKey]int64{}
	var found []finding
	for _, t := range r.Transactions {
		r.txs[txAt{t.Network, t.Height, t.TxIndex}] = t
	}
	for i := range r.Crossings {
		c := &r.Crossings[i]
		r.crossed[transferAt{c.Network, c.Place, c.Asset}] = &c.Crossing
	}
	for _, c := range r.Clocks {
		r.clocks[clockKey{c.Network, c.Height}] = c.Time
	}
	for _, h := range r.Histories {
		r.accounts[account{h.Network, h.Address, h.Asset}] = h
		found = append(found, h.add()...)
	}
	for _, h := range r.Histories {
		found = append(found, r.agree(h)...)
	}
	for _, t := range r.Transactions {
		found = append(found, r.coins(t)...)
	}
	return append(found, r.ends()...)
}

// add computes balances and checks order.
func (h *history) add() (found []finding) {
	balance := new(big.Int).Set(&h.Opening.Int)
	for i, e := range h.Events {
		h.before = append(h.before, new(big.Int).Set(balance))
		if e.Place.compare(h.From) < 0 || i > 0 && h.Events[i-1].Place.compare(e.Place) >= 0 || !h.Complete && h.To.compare(e.Place) < 0 {
			found = append(found, finding{"record", "history of " + h.Address, "events in order of place", at(e.Place)})
		}
		switch h.Address {
		case e.From:
			if e.To != h.Address {
				balance.Sub(balance, &e.Amount.Int)
			}
		case e.To:
			balance.Add(balance, &e.Amount.Int)
		default:
			found = append(found, finding{"record", "history of " + h.Address, "its own events", e.From + " to " + e.To})
		}
		if balance.Sign() < 0 {
			found = append(found, finding{"record", "history of " + h.Address, "a balance of 0 or more after " + at(e.Place), balance.String()})
		}
	}
	h.before = append(h.before, balance)
	return found
}

func at(p place) string {
	return decimal(p.Height) + ":" + decimal(uint64(p.TxIndex)) + ":" + decimal(uint64(p.Slot))
}

func decimal(n uint64) string { return new(big.Int).SetUint64(n).String() }

// next is the place of the first event at or after a place.
func (h *history) next(from place) int {
	return sort.Search(len(h.Events), func(i int) bool { return h.Events[i].Place.compare(from) >= 0 })
}

// balance is what the account held just before a place.
func (h *history) balance(before place) *big.Int { return h.before[h.next(before)] }

// agree holds a history against those of the other parties, and against transactions.
func (r *record) agree(h *history) (found []finding) {
	for _, e := range h.Events {
		for _, a := range []string{e.From, e.To} {
			o := r.accounts[account{h.Network, a, h.Asset}]
			if o == nil || o == h || e.Place.compare(o.From) < 0 || !o.Complete && o.To.compare(e.Place) < 0 {
				continue
			}
			i := o.next(e.Place)
			if i == len(o.Events) || !sameFlow(o.Events[i], e) {
				found = append(found, finding{"record", "history of " + a, "the transfer at " + at(e.Place), "none, or another"})
			}
		}
		t := r.txs[txAt{h.Network, e.Place.Height, e.Place.TxIndex}]
		if t != nil && !slices.ContainsFunc(t.Transfers, func(m movement) bool {
			return m.Slot == e.Place.Slot && m.Kind == e.Kind && m.From == e.From && m.To == e.To && m.Asset == h.Asset && m.Amount.Cmp(&e.Amount.Int) == 0
		}) {
			found = append(found, finding{"record", "transaction " + t.Tx, "the transfer at " + at(e.Place) + " of " + h.Address, "none, or another"})
		}
	}
	return found
}

func sameFlow(a, b flow) bool {
	return a.Place == b.Place && a.Kind == b.Kind && a.From == b.From && a.To == b.To && a.Amount.Cmp(&b.Amount.Int) == 0
}

// coins holds inputs against the outputs that they spend.
func (r *record) coins(t *transaction) (found []finding) {
	in, out, known := new(big.Int), new(big.Int), true
	for _, c := range t.Inputs {
		known = known && c.Known
		in.Add(in, &c.Value.Int)
		from := r.txs[txAt{t.Network, c.Height, c.TxIndex}]
		if from == nil || from.Tx != c.Tx {
			continue
		}
		if int(c.Index) >= len(from.Outputs) || !c.Known {
			found = append(found, finding{"record", "input of " + t.Tx, "output of " + c.Tx, "none"})
			continue
		}
		o := from.Outputs[c.Index]
		if o.Address != c.Address || o.Value.Cmp(&c.Value.Int) != 0 || o.Spent == nil || o.Spent.Height != t.Height || o.Spent.TxIndex != t.TxIndex {
			found = append(found, finding{"record", "input of " + t.Tx, o.Value.String() + " of " + o.Address + ", spent here", c.Value.String() + " of " + c.Address})
		}
	}
	for i, o := range t.Outputs {
		out.Add(out, &o.Value.Int)
		if o.Spent == nil {
			continue
		}
		by := r.txs[txAt{t.Network, o.Spent.Height, o.Spent.TxIndex}]
		if by != nil && !slices.ContainsFunc(by.Inputs, func(c coinIn) bool { return c.Tx == t.Tx && c.Index == uint32(i) }) {
			found = append(found, finding{"record", "output of " + t.Tx, "to be an input of " + by.Tx, "it is not"})
		}
	}
	if len(t.Outputs) > 0 && known && !t.Coinbase && in.Cmp(out) < 0 {
		found = append(found, finding{"record", "transaction " + t.Tx, "inputs of at least " + out.String(), in.String()})
	}
	return found
}

// ends holds whole histories against the balances at the cut-off.
func (r *record) ends() (found []finding) {
	for _, b := range r.Balances {
		h := r.accounts[account{b.Network, b.Address, b.Asset}]
		if h != nil && h.Complete && h.before[len(h.Events)].Cmp(&b.Amount.Int) != 0 {
			found = append(found, finding{"record", "balance of " + b.Address, h.before[len(h.Events)].String(), b.Amount.String()})
		}
	}
	return found
}

func (r *record) clock(network string, height uint64) int64 {
	return r.clocks[clockKey{network, height}]
}
