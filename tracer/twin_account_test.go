package tracer_test

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// twinAccount is one account of the twin. Under fifo lots is what was credited
// and gone counts the units at its front that have left; under lifo lots is a
// stack; else it is a lot per label.
type twinAccount struct {
	lots []lot
	gone *big.Int
	set  map[int]bool
}

type twinEvent struct {
	at       ledger.Point
	fee      bool
	from, to ledger.Address
	n        *big.Int
}

// history is everything that ever happened to one asset, with the least
// opening of each account that keeps its balance from falling below 0.
type history struct {
	events   []twinEvent
	deficits map[ledger.Address]*big.Int
}

func historyOf(txs []ledger.Tx, asset ledger.Asset) history {
	events := eventsOf(txs, asset)
	return history{events, deficits(events)}
}

func eventsOf(txs []ledger.Tx, asset ledger.Asset) []twinEvent {
	var events []twinEvent
	for _, tx := range txs {
		for _, t := range tx.Transfers {
			if t.Asset == asset && t.Status != ledger.StatusFailed {
				events = append(events, twinEvent{ledger.Point{Pos: tx.Pos, Slot: t.Slot}, t.Kind == ledger.TransferFee, t.From, t.To, integer(t.Amount)})
			}
		}
	}
	slices.SortFunc(events, func(a, b twinEvent) int {
		if a.at.Pos != b.at.Pos {
			return int(int64(a.at.Pos) - int64(b.at.Pos))
		}
		return int(a.at.Slot) - int(b.at.Slot)
	})
	return events
}

func deficits(events []twinEvent) map[ledger.Address]*big.Int {
	balance, worst := map[ledger.Address]*big.Int{}, map[ledger.Address]*big.Int{}
	move := func(a ledger.Address, n *big.Int) {
		if balance[a] == nil {
			balance[a], worst[a] = new(big.Int), new(big.Int)
		}
		balance[a].Add(balance[a], n)
		worst[a] = maxOf(worst[a], new(big.Int).Neg(balance[a]))
	}
	for _, e := range events {
		if e.from != e.to {
			move(e.from, new(big.Int).Neg(e.n))
			move(e.to, e.n)
		}
	}
	return worst
}

func (w *twin) accounts(h history) {
	accounts := map[ledger.Address]*twinAccount{}
	for a, n := range h.deficits {
		accounts[a] = &twinAccount{lots: []lot{{0, n}}, gone: new(big.Int)}
	}
	for _, e := range h.events {
		if e.from == e.to || e.n.Sign() == 0 {
			continue
		}
		l := load{lots: []lot{{0, e.n}}}
		if !e.from.IsZero() {
			l = w.take(accounts[e.from], e.n)
		}
		l = w.seed(l, e.at, -1)
		place := ""
		if l.dirty() {
			place = fmt.Sprintf("%d:%d", e.at.Pos, e.at.Slot)
		}
		switch {
		case e.fee:
			w.note("", "fees", l)
		case e.to.IsZero() || e.to.Burn():
			w.note("hop "+place, "", l)
			w.note("burnt "+place, "burnt", l)
		default:
			w.note("hop "+place, "", l)
			w.credit(accounts[e.to], l)
		}
	}
	for a, acct := range accounts {
		rest := load{lots: acct.lots, set: acct.set}
		if w.policy == "fifo" {
			rest.lots = cut(acct.lots, acct.gone, new(big.Int).Sub(sum(acct.lots, false), acct.gone))
		}
		w.note("rests "+a.String(), "resting", rest)
	}
}

func (w *twin) credit(a *twinAccount, l load) {
	if w.policy == "lifo" || w.policy == "fifo" {
		a.lots = append(a.lots, l.lots...)
		return
	}
	a.lots = append([]lot{{0, clean(append(slices.Clone(a.lots), l.lots...))}}, perLabel(append(slices.Clone(a.lots), l.lots...))...)
	if w.policy == "poison" && l.dirty() {
		set := map[int]bool{}
		for k := range a.set {
			set[k] = true
		}
		for k := range l.set {
			set[k] = true
		}
		a.set, a.lots = set, []lot{{-1, sum(a.lots, false)}}
	} else if w.policy == "poison" && (load{lots: a.lots}).dirty() {
		a.lots = []lot{{-1, sum(a.lots, false)}}
	}
}

func clean(lots []lot) *big.Int {
	return new(big.Int).Sub(sum(lots, false), sum(lots, true))
}

// take moves x units out of an account.
func (w *twin) take(a *twinAccount, x *big.Int) load {
	switch w.policy {
	case "fifo":
		return load{lots: a.popFirst(x)}
	case "lifo":
		return load{lots: a.popLast(x)}
	}
	balance, dirty := sum(a.lots, false), sum(a.lots, true)
	q := new(big.Int)
	switch w.policy {
	case "poison":
		if dirty.Sign() == 0 {
			break
		}
		a.lots = []lot{{-1, new(big.Int).Sub(balance, x)}}
		l := load{lots: []lot{{-1, x}}, set: a.set}
		if a.lots[0].n.Sign() == 0 {
			a.set = nil
		}
		return l
	case "haircut":
		if balance.Sign() > 0 {
			q.Div(new(big.Int).Mul(dirty, x), balance)
		}
	case "dirty-first", "tiho":
		q = minOf(dirty, x)
	case "libr":
		q = maxOf(q, new(big.Int).Sub(dirty, new(big.Int).Sub(balance, x)))
	default:
		panic(w.policy)
	}
	pool := perLabel(a.lots)
	part := overLabels(pool, q)
	paidClean := new(big.Int).Sub(x, q)
	left := new(big.Int).Sub(new(big.Int).Sub(balance, dirty), paidClean)
	a.lots = append([]lot{{0, left}}, pool...)
	return load{lots: append([]lot{{0, paidClean}}, part...)}
}

// popFirst cuts the next x units by their ordinals; lots that have left wholly are dropped.
func (a *twinAccount) popFirst(x *big.Int) []lot {
	part := cut(a.lots, a.gone, x)
	a.gone = new(big.Int).Add(a.gone, x)
	for len(a.lots) > 0 && a.lots[0].n.Cmp(a.gone) <= 0 {
		a.gone.Sub(a.gone, a.lots[0].n)
		a.lots = a.lots[1:]
	}
	return part
}

func (a *twinAccount) popLast(x *big.Int) []lot {
	var out []lot
	left := new(big.Int).Set(x)
	for left.Sign() > 0 {
		top := &a.lots[len(a.lots)-1]
		n := new(big.Int).Set(minOf(top.n, left))
		out = append(out, lot{top.label, n})
		left.Sub(left, n)
		top.n = new(big.Int).Sub(top.n, n)
		if top.n.Sign() == 0 {
			a.lots = a.lots[:len(a.lots)-1]
		}
	}
	return out
}
