package fetch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
)

// Transport sends requests of one API: within its rate, again where what came may
// pass by waiting. It is safe for concurrent use.
type Transport interface {
	// Ask sends a request and has its answer read; an error of read that may pass
	// (*ledger.SourceError) is tried again like one of the connection. The subject
	// names the question in errors.
	Ask(ctx context.Context, subject string, r ask.Request, read func(status int, body []byte) error) error
}

// Source is one API of one network.
type Source struct {
	Name      string // as it stands in the log, and in what an answer rests on
	Service   ask.Service
	Transport Transport
	Parallel  int // requests at a time; 0: 8
}

const defaultParallel = 8

// source is a Source with its health: after several failures in a row it is left
// alone for a while (a circuit breaker), so that the others get the questions.
type source struct {
	Source
	now func() time.Time

	mu      sync.Mutex
	fails   int
	resting time.Time // until when it is left alone
	knows   map[uint64]error
}

const (
	breakAfter = 3
	breakFirst = 5 * time.Second
	breakMost  = 5 * time.Minute
)

func (s *source) well() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.now().Before(s.resting)
}

// hear counts how the source did.
func (s *source) hear(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fault, failed := ledger.FaultOf(err)
	if !failed || fault == ledger.FaultUnsupported {
		s.fails = 0
		return
	}
	if s.fails++; s.fails >= breakAfter {
		rest := breakFirst << min(s.fails-breakAfter, 10)
		s.resting = s.now().Add(min(rest, breakMost))
	}
}

// worthCounting is how many rows the first page of a history has when the account's
// transactions are counted before the others are asked for (judgment: the smallest
// page of the services that are known).
const worthCounting = 50

// walk asks one question of the source to its end: page by page, part by part.
// What the log has is not asked again.
func (n *network) walk(ctx context.Context, s *source, pin *pin, q ask.Question, b *budget) ([]answered, error) {
	var all []answered
	todo, seen, rows := []ask.Question{q}, map[ask.Question]bool{}, 0
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		if seen[next] {
			return nil, ledger.Untrue(ledger.FaultContents, q.String(), s.Name+" goes in circles: a page names itself as the next")
		}
		seen[next] = true
		a, err := n.one(ctx, s, pin, next, b)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
		todo = append(todo, a.Next...)
		for _, t := range a.Txs {
			rows += max(1, len(t.Tx.Transfers))
		}
		if q.Kind != ask.History || len(todo) == 0 {
			continue
		}
		if rows > n.options.MaxHistory {
			return nil, &TooManyError{q.Holder, uint64(rows), uint64(n.options.MaxHistory), true}
		}
		if len(all) == 1 && rows >= worthCounting && !n.chain.UTXO() { // the rest of a long list is asked for when it is not too long
			if err := n.few(ctx, pin, q.Holder, b); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// one is a single request: from the log, or from the source into the log.
func (n *network) one(ctx context.Context, s *source, pin *pin, q ask.Question, b *budget) (answered, error) {
	if r, ok := n.log.Find(s.Name, q, pin.seq); ok {
		a, err := n.readAgain(s, r)
		if err == nil || errors.Is(err, ledger.ErrCorrupt) {
			return a, err
		}
	}
	request, err := s.Service.Request(q)
	if err != nil {
		return answered{}, err
	}
	if err := b.take(); err != nil {
		return answered{}, err
	}
	var got answered
	var body []byte
	err = s.Transport.Ask(ctx, q.String(), request, func(status int, raw []byte) error {
		a, err := s.Service.Read(q, status, raw)
		got.Answer, got.Status, body = a, status, raw
		return err
	})
	b.bytes.Add(int64(len(body)))
	s.hear(err)
	if err != nil {
		return answered{}, err
	}
	got.Record, err = n.log.Append(Record{
		Source: s.Name, Pin: pin.seq, Question: q, Request: request, Time: s.now().UnixMilli(), Status: got.Status,
	}, body)
	return got, err
}

// readAgain reads a recorded answer.
func (n *network) readAgain(s *source, r Record) (answered, error) {
	body, err := n.log.Body(r)
	if err != nil {
		return answered{}, err
	}
	a, err := s.Service.Read(r.Question, r.Status, body)
	return answered{r, a}, err
}

// ready makes sure that a source has the pin's block: what a source that lags, or
// that is on another branch, says of an address up to the pin is no answer.
func (n *network) ready(ctx context.Context, s *source, pin *pin, b *budget) error {
	if pin.source == s.Name {
		return nil
	}
	s.mu.Lock()
	err, known := s.knows[pin.seq]
	s.mu.Unlock()
	if known {
		return err
	}
	all, err := n.walk(ctx, s, pin, n.pinQuestion(pin), b)
	if err == nil {
		err = n.samePin(all, pin, s.Name)
	}
	if fault, _ := ledger.FaultOf(err); err != nil && (fault.Transient() && fault != ledger.FaultLagging || fault == "") {
		return err // may be asked again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.knows = map[uint64]error{pin.seq: err}
	return err
}

// pinQuestion asks for the pin's block; where a service tells no heights, for the
// newest one.
func (n *network) pinQuestion(pin *pin) ask.Question {
	if n.clocked {
		return ask.Question{Kind: ask.Head}
	}
	return ask.Question{Kind: ask.Block, Range: ledger.Range{From: pin.ref.Height, To: pin.ref.Height + 1}}
}

// stands asks anew whether the pin's block is still there: its own source, or
// another where that one does not answer.
func (n *network) stands(ctx context.Context, pin *pin, b *budget) (bool, error) {
	if n.clocked {
		return true, nil // there is no hash to compare
	}
	var failed []error
	for _, s := range append([]*source{n.source(pin.source)}, n.inTurn()...) {
		all, err := n.walk(ctx, s, pin.anew(n.log), n.pinQuestion(pin), b)
		if err == nil {
			return n.samePin(all, pin, s.Name) == nil, nil
		}
		if fault, _ := ledger.FaultOf(err); fault == ledger.FaultLagging || errors.Is(err, ledger.ErrNotFound) {
			return false, nil // it had the block before
		}
		if ctx.Err() != nil || errors.Is(err, ErrBudget) {
			return false, err
		}
		failed = append(failed, err)
	}
	return false, errors.Join(failed...)
}

func (n *network) samePin(all []answered, pin *pin, name string) error {
	for _, a := range all {
		if a.Head == nil {
			continue
		}
		tip := a.Head.Tip
		if n.clocked && tip.Height >= pin.ref.Height || !n.clocked && tip.Height == pin.ref.Height && tip.Hash == pin.ref.Hash {
			return nil
		}
	}
	return &ledger.SourceError{Fault: ledger.FaultLagging, Subject: "block " + pin.ref.Hash.String(), Detail: name + " has another block there, or none yet"}
}

// resolve asks a question once, however many ask for it at the same time, and
// takes the answer in. ledger.ErrNotFound: every source that answered does not
// know it.
func (n *network) resolve(ctx context.Context, pin *pin, q ask.Question, b *budget) error {
	n.mu.Lock()
	other := n.flights[q]
	if other == nil {
		own := &flight{done: make(chan struct{})}
		n.flights[q] = own
		n.mu.Unlock()
		own.err = n.inquire(ctx, pin, q, b)
		n.mu.Lock()
		delete(n.flights, q)
		n.mu.Unlock()
		close(own.done)
		return own.err
	}
	n.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-other.done:
	}
	if errors.Is(other.err, ErrBudget) || errors.Is(other.err, context.Canceled) {
		return n.resolve(ctx, pin, q, b) // that one gave up
	}
	return other.err
}

// flight is a question that is being asked.
type flight struct {
	done chan struct{}
	err  error
}

// inquire asks the sources in turn until one answers.
func (n *network) inquire(ctx context.Context, pin *pin, q ask.Question, b *budget) error {
	var failed []error
	missing := 0
	for _, s := range n.inTurn() {
		err := n.ready(ctx, s, pin, b)
		var all []answered
		if err == nil {
			all, err = n.walk(ctx, s, pin, q, b)
		}
		if err == nil {
			err = n.whole(q, all)
		}
		if err == nil {
			dispute, err := n.compare(ctx, s, pin, q, all, b)
			if err != nil {
				return err
			}
			return n.take(q, all, pin, dispute)
		}
		var many *TooManyError
		if ctx.Err() != nil || errors.Is(err, ErrBudget) || errors.As(err, &many) {
			return err
		}
		if errors.Is(err, ledger.ErrNotFound) {
			missing++
		}
		failed = append(failed, err)
	}
	if missing > 0 {
		for _, err := range failed {
			if errors.Is(err, ledger.ErrNotFound) {
				return err
			}
		}
	}
	return errors.Join(failed...)
}

// whole refuses a list that cannot be all.
func (n *network) whole(q ask.Question, all []answered) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if lacks := n.facts.lacks(q, all); lacks != "" {
		return ledger.Untrue(ledger.FaultMissing, q.String(), lacks)
	}
	return nil
}

// inTurn are the sources, those that are well first.
func (n *network) inTurn() []*source {
	var well, resting []*source
	for _, s := range n.sources {
		if s.well() {
			well = append(well, s)
		} else {
			resting = append(resting, s)
		}
	}
	return append(well, resting...)
}
