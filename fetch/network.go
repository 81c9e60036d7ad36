package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
	"github.com/spoortrace/spoor/store"
)

// Options of a Fetcher. Zero values: see each.
type Options struct {
	// Compare is how many of a hundred questions are put to a second source, too; 0: 2,
	// below 0: none. Which ones follows from the question.
	Compare int
	// MaxHistory is how many transfers an account may have to be read whole; 0:
	// 20,000. Beyond it is a super-node: money that comes there ends NOT_COVERED.
	MaxHistory int
	// Fresh is how old a pin may be to be gone on with; 0: an hour.
	Fresh time.Duration
	// Scratch is the engine of the indexes that a run traces on before it is done.
	Scratch store.Engine
	// Now is the clock; nil: the system's.
	Now func() time.Time
}

const (
	defaultCompare    = 2
	defaultMaxHistory = 20_000
	defaultFresh      = time.Hour
)

func (o Options) filled() Options {
	if o.Compare == 0 {
		o.Compare = defaultCompare
	}
	if o.MaxHistory == 0 {
		o.MaxHistory = defaultMaxHistory
	}
	if o.Fresh == 0 {
		o.Fresh = defaultFresh
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// TooManyError says that an account has more transfers than are read.
type TooManyError struct {
	Holder      ledger.Holder
	Count, Most uint64
	Seen        bool // so many were read, and there are more; else the service counted them
}

func (e *TooManyError) Error() string {
	if e.Seen {
		return fmt.Sprintf("%s has more than %d transfers; accounts of up to %d are read", e.Holder.Address, e.Count, e.Most)
	}
	return fmt.Sprintf("%s has about %d transactions; accounts of up to %d are read", e.Holder.Address, e.Count, e.Most)
}

// ErrBudget says that a run has used what it was given.
var ErrBudget = errors.New("the budget is used up")

// budget is what one run may still use.
type budget struct {
	requests, bytes atomic.Int64
	o               Budget
	end             time.Time
	now             func() time.Time
}

func (b *budget) take() error {
	switch {
	case b.o.Requests > 0 && b.requests.Load() >= b.o.Requests:
		return fmt.Errorf("%w: %d requests", ErrBudget, b.o.Requests)
	case b.o.Bytes > 0 && b.bytes.Load() >= b.o.Bytes:
		return fmt.Errorf("%w: %d bytes", ErrBudget, b.o.Bytes)
	case b.o.Time > 0 && b.now().After(b.end):
		return fmt.Errorf("%w: %s", ErrBudget, b.o.Time)
	}
	b.requests.Add(1)
	return nil
}

// pin is the block that everything is as of.
type pin struct {
	ref    ledger.BlockRef
	seq    uint64 // its number: one above that of the last answer before it
	source string
	time   int64 // Unix milliseconds, when it was asked for
}

// anew is a pin under which nothing was asked yet: answers under it are no facts,
// as long as nothing names it a pin.
func (p *pin) anew(l *Log) *pin {
	return &pin{ref: p.ref, source: p.source, seq: uint64(len(l.Records())) + 1}
}

// network is what is known of one network, and who is asked.
type network struct {
	chain   ledger.Chain
	clocked bool
	options Options
	sources []*source
	file    string // of the log
	log     *Log   // opened when it is first needed

	mu    sync.Mutex // guards what follows
	pin   *pin
	facts *facts
	// base are the facts of earlier pins that hold on any branch; under is what was
	// answered under this one.
	base  *facts
	under []admission
	built bool // the index is that of the facts
	// flights are the questions under way.
	flights map[ask.Question]*flight
}

func openNetwork(dir string, c ledger.Chain, sources []Source, o Options) (*network, error) {
	n := &network{chain: c, options: o, file: filepath.Join(dir, Folder, string(c)+".answers"), flights: map[ask.Question]*flight{}}
	for _, s := range sources {
		if s.Parallel == 0 {
			s.Parallel = defaultParallel
		}
		n.sources = append(n.sources, &source{Source: s, now: o.Now})
		n.clocked = s.Service.Clocked()
	}
	for _, s := range n.sources {
		if s.Service.Clocked() != n.clocked {
			return nil, ledger.Invalid("sources", "sources of "+string(c)+" that all tell heights, or all tell times", s.Name)
		}
	}
	return n, nil
}

func (n *network) source(name string) *source {
	for _, s := range n.sources {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// admission is a question with its answers.
type admission struct {
	q       ask.Question
	answers []answered
}

// start settles on a pin: the last one where it was asked for at a time or later,
// else the newest block that a source has now. A newest block that is the last
// pin's goes on with it.
func (n *network) start(ctx context.Context, since time.Time, b *budget) (*pin, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.log == nil {
		log, err := OpenLog(n.file)
		if err != nil {
			return nil, err
		}
		n.log = log
	}
	if n.pin == nil {
		if err := n.recall(); err != nil {
			return nil, err
		}
	}
	if n.pin != nil && n.pin.time >= since.UnixMilli() {
		return n.pin, nil
	}
	var failed []error
	for _, s := range n.inTurn() {
		p, err := n.newest(ctx, s, b)
		switch {
		case err == nil && n.pin != nil && n.pin.ref == p.ref:
			n.pin.time = p.time
			return n.pin, nil
		case err == nil:
			return p, n.goOn(ctx, p, b)
		}
		if ctx.Err() != nil || errors.Is(err, ErrBudget) {
			return nil, err
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

// newest asks a source for its head.
func (n *network) newest(ctx context.Context, s *source, b *budget) (*pin, error) {
	all, err := n.walk(ctx, s, (&pin{}).anew(n.log), ask.Question{Kind: ask.Head}, b)
	if err != nil {
		return nil, err
	}
	return pinOf(all)
}

// pinOf reads a pin from the answers to a question for the head.
func pinOf(all []answered) (*pin, error) {
	for _, a := range all {
		if a.Head != nil {
			return &pin{ref: a.Head.Tip, seq: all[0].Pin, source: a.Source, time: a.Time}, nil
		}
	}
	return nil, ledger.Untrue(ledger.FaultContents, "head", "no answer names the newest block")
}

// goOn goes on to a newer pin. The block of the one before tells whether the chain
// is still the same up to it.
func (n *network) goOn(ctx context.Context, p *pin, b *budget) error {
	stood := false
	if n.pin != nil && n.clocked {
		stood = p.ref.Height >= n.pin.ref.Height
	} else if n.pin != nil && p.ref.Height > n.pin.ref.Height {
		all, err := n.walk(ctx, n.source(p.source), p, n.pinQuestion(n.pin), b)
		if ctx.Err() != nil || errors.Is(err, ErrBudget) {
			return err
		}
		stood = err == nil && n.samePin(all, n.pin, p.source) == nil
	}
	n.advance(p, stood)
	return nil
}

// advance takes a pin. Of what was answered before, everything stays but that coins
// are unspent where the chain is the same; else what is deep enough.
func (n *network) advance(p *pin, stood bool) {
	if n.base == nil {
		n.base = newFacts(n.chain, n.clocked, ledger.BlockRef{Chain: n.chain, Height: math.MaxUint64})
	}
	for _, a := range n.under {
		n.base.admit(a.q, a.answers, n.pin.ref.Height, false)
	}
	if stood {
		n.facts.pin = p.ref
		maps.DeleteFunc(n.facts.spends, func(_ ledger.OutPoint, s ask.Spend) bool { return !s.Spent })
	} else {
		n.facts = n.base.at(p.ref)
	}
	n.pin, n.under, n.built = p, nil, false
}

// recall goes through the pins of the log and what was answered under each, up to
// the last one. The first answer of a pin names it; one that names the block of
// the pin before goes on with it.
func (n *network) recall() error {
	records := n.log.Records()
	pins, named, under, newest := []*pin{}, map[uint64]bool{}, map[uint64][]Record{}, map[ask.Question]uint64{}
	disputes := map[ask.Question]string{}
	for _, r := range records {
		newest[r.Question] = r.Seq
		s := n.source(r.Source)
		if r.Source == comparison {
			body, err := n.log.Body(r)
			if err != nil {
				return err
			}
			disputes[r.Question] = string(body)
		}
		if s == nil || r.Question.Part != "" || r.Question.Cursor != "" {
			continue // of a source that is not asked any more, or a further page
		}
		under[r.Pin] = append(under[r.Pin], r)
		if r.Question.Kind != ask.Head || named[r.Pin] {
			continue
		}
		p, err := n.pinUnder(r)
		if err != nil {
			return err
		}
		if p != nil {
			pins, named[r.Pin] = append(pins, p), true
		}
	}
	for _, p := range pins {
		if n.pin == nil || n.pin.ref != p.ref {
			n.advance(p, n.pin != nil && n.stood(p))
			maps.Copy(n.base.disputes, disputes)
			maps.Copy(n.facts.disputes, disputes)
		}
		n.pin.time = p.time
		for _, r := range under[p.seq] {
			if r.Question.Kind == ask.Spends && newest[r.Question] != r.Seq {
				continue // it was asked again
			}
			all, err := n.retrace(n.source(r.Source), r.Pin, r.Question)
			switch {
			case errors.Is(err, ledger.ErrCorrupt):
				return err
			case err == nil: // else it was not read to its end
				n.admit(r.Question, all)
			}
		}
	}
	return nil
}

// stood reads from the log what goOn found.
func (n *network) stood(p *pin) bool {
	if n.clocked {
		return p.ref.Height >= n.pin.ref.Height
	}
	all, err := n.retrace(n.source(p.source), p.seq, n.pinQuestion(n.pin))
	return err == nil && p.ref.Height > n.pin.ref.Height && n.samePin(all, n.pin, p.source) == nil
}

// admit takes in what was answered under the present pin.
func (n *network) admit(q ask.Question, all []answered) {
	n.under = append(n.under, admission{q, all})
	n.facts.admit(q, all, n.pin.ref.Height, true)
}

// pinUnder reads the pin that an answer begins; nil where it was not read to its
// end: nothing was asked under it.
func (n *network) pinUnder(r Record) (*pin, error) {
	all, err := n.retrace(n.source(r.Source), r.Pin, r.Question)
	switch {
	case errors.Is(err, ledger.ErrCorrupt):
		return nil, err
	case err != nil:
		return nil, nil //nolint:nilnil,nilerr // absent
	}
	return pinOf(all)
}

// retrace reads a question's answers from the log alone, of one pin.
func (n *network) retrace(s *source, pin uint64, q ask.Question) ([]answered, error) {
	var all []answered
	todo, seen := []ask.Question{q}, map[ask.Question]bool{}
	for len(todo) > 0 {
		r, ok := n.log.Find(s.Name, todo[0], pin)
		if !ok || seen[todo[0]] {
			return nil, fmt.Errorf("answer to %s: %w", todo[0], ledger.ErrNotFound)
		}
		seen[todo[0]] = true
		a, err := n.readAgain(s, r)
		if err != nil {
			return nil, err
		}
		all, todo = append(all, a), append(todo[1:], a.Next...)
	}
	return all, nil
}

// take admits the answers to a question.
func (n *network) take(q ask.Question, all []answered, under *pin, dispute string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if dispute != "" {
		n.facts.disputes[q], n.base.disputes[q] = dispute, dispute
		return fmt.Errorf("%s: %w: %s", q, ErrDispute, dispute)
	}
	if under.seq == n.pin.seq {
		n.admit(q, all)
	} else {
		n.base.admit(q, all, under.ref.Height, false)
		n.facts.admit(q, all, under.ref.Height, false)
	}
	n.built = false
	return nil
}

// ErrDispute says that two sources answer a question differently. Neither answer
// is taken.
var ErrDispute = errors.New("sources disagree")

// comparison is the name under which disagreements stand in the log.
const comparison = "comparison"

// compare puts a question to a second source where its turn has come, and returns
// in which way the answers differ; nothing where they agree, or nobody else knows.
func (n *network) compare(ctx context.Context, first *source, pin *pin, q ask.Question, all []answered, b *budget) (string, error) {
	sum := fnv.New32a()
	fmt.Fprint(sum, q.String())
	if q.Kind == ask.Count || int(sum.Sum32()%100) >= n.options.Compare {
		return "", nil
	}
	for _, s := range n.inTurn() {
		if s == first || !s.well() {
			continue
		}
		err := n.ready(ctx, s, pin, b)
		var other []answered
		if err == nil {
			other, err = n.walk(ctx, s, pin, q, b)
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err != nil {
			continue
		}
		said := n.differ(pin, q, all, other)
		if said == "" {
			return "", nil
		}
		said = fmt.Sprintf("%s and %s: %s", first.Name, s.Name, said)
		_, err = n.log.Append(Record{Source: comparison, Pin: pin.seq, Question: q, Time: n.options.Now().UnixMilli()}, []byte(said))
		return said, err
	}
	return "", nil
}

// differ says what two sources' answers do not have in common, as far as both tell it.
func (n *network) differ(pin *pin, q ask.Question, a, b []answered) string {
	sides := [2][]string{}
	for i, answers := range [][]answered{a, b} {
		f := newFacts(n.chain, n.clocked, pin.ref)
		f.admit(q, answers, pin.ref.Height, true)
		sides[i] = f.lines(q)
	}
	for i, line := range sides[0] {
		if i >= len(sides[1]) || sides[1][i] != line {
			return "one says " + line
		}
	}
	if len(sides[1]) > len(sides[0]) {
		return "the other says " + sides[1][len(sides[0])]
	}
	return ""
}

// lines print what facts say in answer to a question, sorted.
func (f *facts) lines(q ask.Question) []string {
	var all []string
	for id, t := range f.txs {
		if q.Kind == ask.Spends {
			break
		}
		for i, o := range t.Tx.Outputs {
			all = append(all, fmt.Sprintf("%s at %d: output %d is %s to %s", id, t.Block.Height, i, o.Value, o.Address))
		}
		for _, in := range t.Tx.Inputs {
			all = append(all, fmt.Sprintf("%s at %d spends %s:%d", id, t.Block.Height, in.Prev.Tx, in.Prev.Index))
		}
		for _, m := range t.Tx.Transfers {
			if q.Kind != ask.History || m.Asset == q.Holder.Asset && (m.From == q.Holder.Address || m.To == q.Holder.Address) {
				all = append(all, fmt.Sprintf("%s at %d: %s of %s from %s to %s", id, t.Block.Height, m.Amount, m.Asset, m.From, m.To))
			}
		}
	}
	for of, s := range f.spends {
		if q.Kind == ask.Spends {
			all = append(all, fmt.Sprintf("%s:%d is spent %t by %s at %d", of.Tx, of.Index, s.Spent, s.By, s.Height))
		}
	}
	slices.SortFunc(all, strings.Compare)
	return all
}

// bring makes the index that of the facts.
func (n *network) bring(ctx context.Context, s *store.Store) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.built {
		return nil
	}
	if err := n.log.Sync(); err != nil {
		return err
	}
	if err := n.facts.build(ctx, s, nil); err != nil {
		return err
	}
	n.built = true
	return nil
}

// sketch makes an index of what one run has come across.
func (n *network) sketch(ctx context.Context, s *store.Store, of *selection) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.facts.build(ctx, s, of)
}

// parallel is how many questions are worth asking at a time.
func (n *network) parallel() int {
	most := 0
	for _, s := range n.sources {
		most = max(most, s.Parallel)
	}
	return most
}

// byAmount puts what most money waits for first.
func byAmount(a, b want) int {
	return cmp.Or(b.dirty.Cmp(a.dirty), cmp.Compare(a.key(), b.key()))
}
