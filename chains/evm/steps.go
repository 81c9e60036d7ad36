package evm

import (
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/spoortrace/spoor/ledger"
)

// step is one thing that happened in a transaction, in the order of execution.
type step struct {
	kind     stepKind
	from, to common.Address
	value    *big.Int
	log      int // index in the receipt
	// caller is who called the contract that wrote the log; known from a trace.
	caller *common.Address
}

type stepKind uint8

const (
	stepValue    stepKind = iota // the transaction's own value
	stepInternal                 // value sent by a contract
	stepBurn                     // value that a self-destruct made vanish
	stepCreate                   // from made the contract to
	stepLog
)

// steps orders what a transaction did: by its trace when there is one, else its
// own value first, then the logs.
func (h *header) steps(subject string, i int, tx *transaction, rec *receipt, top *frame) ([]step, error) {
	if top != nil {
		return h.traced(subject, i, tx, rec, top)
	}
	var all []step
	if tx.to == nil && rec.status == ledger.StatusOK {
		all = append(all, step{kind: stepCreate, from: tx.from, to: tx.target()})
	}
	all = append(all, step{kind: stepValue, from: tx.from, to: tx.target(), value: tx.value})
	for k := range rec.logs {
		all = append(all, step{kind: stepLog, log: k})
	}
	return all, nil
}

// walk collects the steps of a trace. A frame that failed moved nothing, nor did
// anything below it, whatever became of its own caller.
type walk struct {
	steps []step
	next  int // the next log of the receipt
	made  []common.Address
	gone  []destroyed
	keeps bool // see header.keeps
	burns bool // see header.burnsNothing
}

// destroyed is an account that vanishes at the end of the transaction.
type destroyed struct {
	account common.Address
	at      int // steps before
}

func (h *header) traced(subject string, i int, tx *transaction, rec *receipt, top *frame) ([]step, error) {
	if err := agree(subject, i, tx, rec, top); err != nil {
		return nil, err
	}
	w := walk{keeps: h.keeps(), burns: !h.burnsNothing()}
	if top.failed() {
		return []step{{kind: stepValue, from: tx.from, to: tx.target(), value: tx.value}}, nil
	}
	if !w.frame(rec, top, stepValue) || w.next != len(rec.logs) && top.ordered {
		return nil, refuse(ledger.FaultContents, subject, "transaction %d: log %d of its trace is not that of its receipt", i, w.next)
	}
	for ; w.next < len(rec.logs); w.next++ {
		w.steps = append(w.steps, step{kind: stepLog, log: w.next})
	}
	if w.burns {
		w.burnRest()
	}
	return w.steps, nil
}

// frame adds what a call did, interleaving its logs with the calls that it made.
// False when a log is not the receipt's.
func (w *walk) frame(rec *receipt, f *frame, value stepKind) bool {
	if f.creates() {
		w.made = append(w.made, f.to)
		w.steps = append(w.steps, step{kind: stepCreate, from: f.from, to: f.to})
	}
	switch {
	case f.kind == "SELFDESTRUCT":
		w.destroy(f)
	case value == stepValue || f.moves():
		w.steps = append(w.steps, step{kind: value, from: f.from, to: f.to, value: f.value})
	}
	logs := f.logs
	for k := range f.calls {
		for ; len(logs) > 0 && logs[0].position <= k; logs = logs[1:] {
			if !w.log(rec, f, &logs[0]) {
				return false
			}
		}
		if sub := &f.calls[k]; !sub.failed() && !w.frame(rec, sub, stepInternal) {
			return false
		}
	}
	for k := range logs {
		if !w.log(rec, f, &logs[k]) {
			return false
		}
	}
	return true
}

func (w *walk) log(rec *receipt, f *frame, l *frameLog) bool {
	if w.next >= len(rec.logs) || !l.equal(rec.logs[w.next]) {
		return false
	}
	caller := f.from
	w.steps = append(w.steps, step{kind: stepLog, log: w.next, caller: &caller})
	w.next++
	return true
}

// destroy sends what the contract holds to its heir. With itself as its heir, it
// is burnt if the contract vanishes, and stays otherwise.
func (w *walk) destroy(f *frame) {
	vanishes := !w.keeps || slices.Contains(w.made, f.from)
	switch {
	case f.from != f.to && f.value.Sign() > 0:
		w.steps = append(w.steps, step{kind: stepInternal, from: f.from, to: f.to, value: f.value})
	case f.from == f.to && vanishes && w.burns && f.value.Sign() > 0:
		w.steps = append(w.steps, step{kind: stepBurn, from: f.from, value: f.value})
	}
	if vanishes && !slices.ContainsFunc(w.gone, func(d destroyed) bool { return d.account == f.from }) {
		w.gone = append(w.gone, destroyed{f.from, len(w.steps)})
	}
}

// burnRest burns what came to a vanishing contract after it had self-destructed.
func (w *walk) burnRest() {
	for _, d := range w.gone {
		rest := new(big.Int)
		for _, s := range w.steps[d.at:] {
			if s.kind == stepLog || s.kind == stepCreate || s.from == s.to {
				continue
			}
			if s.to == d.account && s.kind != stepBurn {
				rest.Add(rest, s.value)
			}
			if s.from == d.account {
				rest.Sub(rest, s.value)
			}
		}
		if rest.Sign() > 0 {
			w.steps = append(w.steps, step{kind: stepBurn, from: d.account, value: rest})
		}
	}
}

// agree holds a trace against what the roots have proven. What a transaction of a
// foreign type says is attested itself, and its chain may run it in its own way.
func agree(subject string, i int, tx *transaction, rec *receipt, top *frame) error {
	foreign := tx.std == nil && tx.kind != depositType || tx.unrooted
	switch {
	case foreign && rec.status != ledger.StatusUnknown:
		return nil
	case foreign:
	case top.from != tx.from || top.to != tx.target() && !top.failed():
		return refuse(ledger.FaultContents, subject, "transaction %d: traced from %s to %s, want %s to %s", i, top.from, top.to, tx.from, tx.target())
	case top.value.Cmp(tx.value) != 0:
		return refuse(ledger.FaultContents, subject, "transaction %d: traced value %s, want %s", i, top.value, tx.value)
	case rec.status != ledger.StatusUnknown && top.failed() != (rec.status == ledger.StatusFailed):
		return refuse(ledger.FaultContents, subject, "transaction %d: its trace ends with %q, its receipt says otherwise", i, top.err)
	}
	rec.status = ledger.StatusOK
	if top.failed() {
		rec.status = ledger.StatusFailed
	}
	return nil
}
