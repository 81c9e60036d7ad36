package fetch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// Fetcher brings into a data directory's index what traces ask for. It is safe
// for concurrent use.
type Fetcher struct {
	store    *store.Store
	networks map[ledger.Chain]*network
	options  Options
}

// Open opens the logs of answers in a data directory, one for each network that
// has sources. The sources of a network are asked in their order: the next one
// when one fails.
func Open(dir string, s *store.Store, sources []Source, o Options) (*Fetcher, error) {
	f := &Fetcher{store: s, networks: map[ledger.Chain]*network{}, options: o.filled()}
	by := map[ledger.Chain][]Source{}
	for _, one := range sources {
		c := one.Service.Chain()
		for _, other := range by[c] {
			if other.Name == one.Name {
				return nil, ledger.Invalid("sources", "a name for each source of "+string(c), one.Name+" twice")
			}
		}
		by[c] = append(by[c], one)
	}
	for c, of := range by {
		n, err := openNetwork(dir, c, of, f.options)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f.networks[c] = n
	}
	return f, nil
}

// Names are the sources of the networks, by network and in the order in which they
// are asked.
func (f *Fetcher) Names() map[ledger.Chain][]string {
	names := map[ledger.Chain][]string{}
	for c, n := range f.networks {
		for _, s := range n.sources {
			names[c] = append(names[c], s.Name)
		}
	}
	return names
}

// Close makes the logs durable and closes them.
func (f *Fetcher) Close() error {
	var all error
	for _, n := range f.networks {
		if n.log != nil {
			all = errors.Join(all, n.log.Close())
		}
	}
	return all
}

// Budget is what one run may use; 0: no limit.
type Budget struct {
	Requests, Bytes int64
	Time            time.Duration
}

// Run is one trace that is fetched for.
type Run struct {
	Refs   []tracer.Ref // its payments
	Budget Budget
	// Since is when the pin must have been asked for at the earliest: with an older
	// one the newest block is asked for, and whatever may have changed since. Zero:
	// as Options.Fresh says.
	Since time.Time
	// Prove asks for a proof of every transaction that the trace passes, and for those
	// that made the coins that it spends.
	Prove bool
	// Trace traces over a snapshot, which it closes, or over the store where that is
	// nil; several traces where several rules are compared.
	Trace func(ctx context.Context, snap *store.Snapshot) ([]*tracer.Trace, error)
	// Progress hears how far it is, from one goroutine at a time; nil: nobody does.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Requests, Bytes int64
	Round           int           // how often the trace was run
	Hops            int           // that the trace has
	Waiting         int           // transactions and accounts that are still to be asked for, as far as known
	Resolved        int64         // parts of a million of the payments of which it is known where they are
	Left            time.Duration // at the present speed; 0: not known
}

// Outcome is what a run leaves.
type Outcome struct {
	Requests, Bytes int64
	Rounds          int
	Replaced        int // how often a reorganisation took the pin
	// Accounts and Coins say why the money at them is NOT_COVERED.
	Accounts map[ledger.Holder]string
	Coins    map[ledger.OutPoint]string
	// Partial are transactions of accounts on the way of which only some transfers
	// could be had: whether money was exchanged in them is not known.
	Partial  []ledger.TxID
	Sources  []string // of the networks of the run
	Disputes []string // on what sources disagree, of the networks of the run
}

// run is one call of Pursue.
type run struct {
	*Fetcher
	Run
	budget  *budget
	out     *Outcome
	pins    map[ledger.Chain]*pin
	across  *selection
	scratch *store.Store
	// sketched says that the last round ran on what the run has come across.
	sketched bool
	failed   map[string]bool // wants that were given up
	began    time.Time
	asked    int
	spent    error // why nothing more is asked
	guarded  sync.Mutex
}

// Pursue fetches what a trace needs, until nothing is missing or the budget is
// used up; then the index has it, and the outcome says why the rest has not. An
// error means that the trace could not be run: ledger.ErrNotFound for a payment
// that no source knows.
func (f *Fetcher) Pursue(ctx context.Context, r Run) (*Outcome, error) {
	x := f.begin(r)
	if err := x.seeds(ctx); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "spoor-fetch-")
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	if x.scratch, err = store.Open(dir, f.options.Scratch, store.Options{}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	out, err := x.pursue(ctx)
	if err == nil {
		err = x.bring(ctx)
	}
	return out, errors.Join(err, x.scratch.Close(), os.RemoveAll(dir))
}

func (f *Fetcher) begin(r Run) *run {
	now := f.options.Now
	return &run{
		Fetcher: f, Run: r, pins: map[ledger.Chain]*pin{}, across: newSelection(), failed: map[string]bool{}, began: now(),
		budget: &budget{o: r.Budget, end: now().Add(r.Budget.Time), now: now},
		out:    &Outcome{Accounts: map[ledger.Holder]string{}, Coins: map[ledger.OutPoint]string{}},
	}
}

// Fetches reports whether a network's index is made of what its sources answered;
// begin: or could be, since nothing is held of it.
func (f *Fetcher) Fetches(ctx context.Context, c ledger.Chain, begin bool) bool {
	if f.networks[c] == nil {
		return false
	}
	n, err := f.store.Network(ctx, c)
	if err != nil {
		return begin && errors.Is(err, ledger.ErrNotFound)
	}
	status, err := n.Status()
	return err == nil && (status.Contents.Fetched || status.Empty && begin)
}

// Look fetches what is missing of the histories of holders, as of a block that was
// asked for at a time or later, and puts it into the index. The outcome says whose
// history is not to be had.
func (f *Fetcher) Look(ctx context.Context, holders []ledger.Holder, since time.Time, b Budget) (*Outcome, error) {
	x := f.begin(Run{Since: since, Budget: b})
	var wants []want
	for _, h := range holders {
		if f.networks[h.Address.Chain] == nil {
			return nil, ledger.Invalid("address", "a network that has a source: "+x.names(), h.Address.Qualified())
		}
		wants = append(wants, want{chain: h.Address.Chain, holder: &h})
	}
	for again := true; again; {
		err := x.fetch(ctx, slices.Clone(wants))
		if err == nil {
			again, err = x.settle(ctx)
		}
		if err == nil && x.overtaken() {
			again, err = true, x.seeds(ctx) // under the newer pin
		}
		if err != nil {
			return nil, err
		}
	}
	x.close(slices.DeleteFunc(wants, func(w want) bool { return !x.incomplete(*w.holder) }), nil)
	return x.out, x.bring(ctx)
}

// pursue runs the trace again and again, each time with more.
func (x *run) pursue(ctx context.Context) (*Outcome, error) {
	for {
		traces, err := x.round(ctx)
		if err != nil {
			return nil, err
		}
		wants := x.wants(traces)
		x.tell(traces[0], len(wants))
		if len(wants) == 0 && !x.used() {
			again, err := x.settle(ctx)
			if err != nil {
				return nil, err
			}
			if again {
				continue
			}
		}
		if len(wants) == 0 || x.used() {
			x.close(wants, traces)
			return x.out, nil
		}
		before := x.came()
		portion := x.portion(wants)
		if err := x.fetch(ctx, portion); err != nil {
			return nil, err
		}
		if x.came() == before {
			for _, w := range portion { // else it would be wanted for ever
				x.giveUp(w, errors.New("all of it was told, and it is not whole"))
			}
		}
	}
}

// came counts what the run has come by.
func (x *run) came() int {
	x.across.mu.Lock()
	n := len(x.across.txs) + len(x.across.holders)
	x.across.mu.Unlock()
	x.guarded.Lock()
	defer x.guarded.Unlock()
	return n + int(x.budget.requests.Load()) + len(x.failed)
}

// round runs the trace. When another run has gone on to a newer pin meanwhile,
// what was asked near the old one is void: the payments are looked up again, and
// the trace runs under the new pin.
func (x *run) round(ctx context.Context) ([]*tracer.Trace, error) {
	for try := 0; ; try++ {
		if x.overtaken() {
			x.failed = map[string]bool{}
			if err := x.seeds(ctx); err != nil {
				return nil, err
			}
		}
		traces, err := x.once(ctx)
		if err == nil || !x.overtaken() || try == mostReplaced {
			return traces, err
		}
	}
}

// overtaken reports that another run has gone on to a newer pin.
func (x *run) overtaken() bool {
	for c, p := range x.pins {
		if x.networks[c].now() != p {
			return true
		}
	}
	return false
}

// once runs the trace: at first on the store, where it may find all that it needs,
// then on what the run has come across.
func (x *run) once(ctx context.Context) ([]*tracer.Trace, error) {
	x.out.Rounds++
	if x.out.Rounds == 1 && x.stand() {
		return x.Trace(ctx, nil)
	}
	x.sketched = true
	for _, c := range slices.Sorted(maps.Keys(x.pins)) {
		if err := x.networks[c].sketch(ctx, x.scratch, x.across); err != nil {
			return nil, err
		}
	}
	snap, err := x.scratch.Snapshot(ctx, nil)
	if err != nil {
		return nil, err
	}
	return x.Trace(ctx, snap)
}

// now is the network's pin.
func (n *network) now() *pin {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pin
}

// stand reports that the store has all that was answered so far.
func (x *run) stand() bool {
	for c := range x.pins {
		n := x.networks[c]
		n.mu.Lock()
		built := n.built
		n.mu.Unlock()
		if !built {
			return false
		}
	}
	return true
}

// settle looks, at the end, whether the pins still stand. One that was replaced by
// a reorganisation while it was asked under is given up: what was near it is asked
// for again under a new one, and the trace runs again.
func (x *run) settle(ctx context.Context) (again bool, err error) {
	for _, c := range slices.Sorted(maps.Keys(x.pins)) {
		n := x.networks[c]
		stands, err := n.stands(ctx, x.pins[c], x.budget)
		if errors.Is(err, ErrBudget) {
			x.spent = err
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if stands {
			continue
		}
		if x.out.Replaced++; x.out.Replaced > mostReplaced {
			return false, fmt.Errorf("block %d of %s was replaced %d times while it was asked under: %w", x.pins[c].ref.Height, c, x.out.Replaced, ledger.ErrUnavailable)
		}
		if x.pins[c], err = n.start(ctx, x.options.Now().Add(time.Hour), x.budget); err != nil {
			return false, err
		}
		x.failed, again = map[string]bool{}, true
	}
	if again {
		return true, x.seeds(ctx)
	}
	return false, nil
}

// mostReplaced is how often a run begins again because its pin was replaced.
const mostReplaced = 3

// portion is how much of what is wanted is asked for before the trace runs again:
// little at first, so that the first hops are there at once, and at most a
// quarter of what is held later, so that running the trace costs little beside
// the asking.
func (x *run) portion(wants []want) []want {
	held := 0
	for c := range x.pins {
		n := x.networks[c]
		n.mu.Lock()
		held += len(n.facts.txs)
		n.mu.Unlock()
	}
	return wants[:min(len(wants), max(16, held/4))]
}

// seeds asks for the payments' transactions, under the networks' present pins.
func (x *run) seeds(ctx context.Context) error {
	for try := 0; ; try++ {
		for c := range x.pins {
			x.pins[c] = x.networks[c].now()
		}
		var err error
		for i := 0; i < len(x.Refs) && err == nil; i++ {
			err = x.seed(ctx, x.Refs[i])
		}
		if !x.overtaken() || try == mostReplaced || ctx.Err() != nil {
			return err
		}
	}
}

func (x *run) seed(ctx context.Context, ref tracer.Ref) error {
	chains := slices.Sorted(maps.Keys(x.networks))
	if ref.Chain != "" {
		chains = []ledger.Chain{ref.Chain}
	}
	var missing error
	for _, c := range chains {
		n := x.networks[c]
		if n == nil {
			return ledger.Invalid("ref", "a network that has a source: "+x.names(), string(c))
		}
		p, err := x.pin(ctx, n)
		if err != nil {
			return err
		}
		q := ask.Question{Kind: ask.Tx, Tx: ref.Tx}
		x.across.tx(ref.Tx)
		if n.holds(ref.Tx) {
			return nil
		}
		err = n.resolve(ctx, p, q, x.budget)
		if err == nil {
			return n.confirmed(ref)
		}
		if !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
		missing = errors.Join(missing, fmt.Errorf("%s: %w", c, err))
	}
	if missing == nil {
		return ledger.Invalid("ref", "a network that has a source; there is none", ref.Text)
	}
	return missing
}

func (x *run) names() string {
	text := ""
	for _, c := range slices.Sorted(maps.Keys(x.networks)) {
		text += " " + string(c)
	}
	if text == "" {
		return "there is none in the settings"
	}
	return text[1:]
}

// pin is the network's pin for this run, settled on at its first use.
func (x *run) pin(ctx context.Context, n *network) (*pin, error) {
	if p := x.pins[n.chain]; p != nil {
		return p, nil
	}
	if err := vacant(ctx, x.store, n.chain); err != nil {
		return nil, err
	}
	since := x.Since
	if since.IsZero() {
		since = x.options.Now().Add(-x.options.Fresh)
	}
	p, err := n.start(ctx, since, x.budget)
	if err == nil {
		x.pins[n.chain] = p
	}
	return p, err
}

// holds reports a transaction that is held whole.
func (n *network) holds(id ledger.TxID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.facts.txs[id]
	return t != nil && t.Whole
}

// confirmed refuses a payment that is in no block up to the pin.
func (n *network) confirmed(ref tracer.Ref) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.facts.txs[ref.Tx] == nil {
		return fmt.Errorf("%s is in no block of %s up to %d: %w", ref.Text, n.chain, n.pin.ref.Height, ledger.ErrPrecondition)
	}
	return nil
}

// bring puts what was answered into the index.
func (x *run) bring(ctx context.Context) error {
	for _, c := range slices.Sorted(maps.Keys(x.pins)) {
		if err := x.networks[c].bring(ctx, x.store); err != nil {
			return err
		}
	}
	return nil
}

// want is something that a trace ends at for want of data.
type want struct {
	chain  ledger.Chain
	coin   *ledger.OutPoint // what became of it
	holder *ledger.Holder   // its history
	tx     *ledger.TxID     // the whole of it
	proof  *ledger.TxID     // that it is in its block
	dirty  ledger.Amount    // traced units that wait for it
}

// key names a want.
func (w want) key() string {
	switch {
	case w.coin != nil:
		return "coin " + w.coin.Tx.String() + ":" + strconv.FormatUint(uint64(w.coin.Index), 10)
	case w.holder != nil:
		return "account " + w.holder.Address.Qualified() + " " + w.holder.Asset.String()
	case w.proof != nil:
		return "proof " + w.proof.String()
	}
	return "tx " + w.tx.String()
}

// wants are what the traces miss, most money first.
func (x *run) wants(traces []*tracer.Trace) []want {
	all := map[string]want{}
	add := func(w want) {
		k := w.key()
		if old, ok := all[k]; ok {
			w.dirty = ledger.Max(w.dirty, old.dirty)
		}
		if !x.failed[k] {
			all[k] = w
		}
	}
	for _, t := range traces {
		if x.Prove {
			x.proofs(t, add)
		}
		for i := range t.Terminals {
			if e := &t.Terminals[i]; e.Reason == tracer.NotCovered && e.Coin {
				add(want{chain: e.Asset.Chain, coin: &ledger.OutPoint{Tx: e.Tx, Index: e.Index}, dirty: e.Dirty})
			}
		}
		came := map[ledger.Holder]ledger.Amount{}
		for _, h := range t.Hops {
			k := ledger.Holder{Address: h.To, Asset: h.Asset}
			if sum, err := came[k].Add(h.Dirty); err == nil {
				came[k] = sum
			}
			if x.partial(h.Chain, h.Tx) {
				add(want{chain: h.Chain, tx: &h.Tx, dirty: h.Dirty})
			}
		}
		for _, h := range t.Opened {
			if x.incomplete(h) || x.sketched && !x.seen(h) {
				add(want{chain: h.Address.Chain, holder: &h, dirty: came[h]})
			}
		}
	}
	return slices.SortedFunc(maps.Values(all), byAmount)
}

// proofs wants what proves the transactions on the way.
func (x *run) proofs(t *tracer.Trace, add func(want)) {
	for _, h := range t.Hops {
		n := x.networks[h.Chain]
		if n == nil || x.pins[h.Chain] == nil {
			continue
		}
		n.mu.Lock()
		f := n.facts.txs[h.Tx]
		if f != nil && f.Whole && !f.proven {
			add(want{chain: h.Chain, proof: &h.Tx})
		}
		for i := 0; f != nil && i < len(f.Tx.Inputs); i++ {
			if made := f.Tx.Inputs[i].Prev.Tx; n.facts.txs[made] == nil {
				add(want{chain: h.Chain, tx: &made})
			}
		}
		n.mu.Unlock()
	}
}

// partial reports a transaction of accounts of which only some transfers are held.
func (x *run) partial(c ledger.Chain, id ledger.TxID) bool {
	n := x.networks[c]
	if n == nil || c.UTXO() || x.pins[c] == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.facts.txs[id]
	return t != nil && !t.Whole
}

// incomplete reports an account whose history is not held up to the pin.
func (x *run) incomplete(h ledger.Holder) bool {
	n := x.networks[h.Address.Chain]
	if n == nil || x.pins[h.Address.Chain] == nil {
		return n != nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_, is := n.facts.missing(h)
	return is
}

// seen reports an account that the run has come across.
func (x *run) seen(h ledger.Holder) bool {
	x.across.mu.Lock()
	defer x.across.mu.Unlock()
	return x.across.holders[h] || x.networks[h.Address.Chain] == nil
}

// fetch asks for wants, several at a time, in their order.
func (x *run) fetch(ctx context.Context, wants []want) error {
	wants = slices.DeleteFunc(wants, func(w want) bool {
		_, err := x.pin(ctx, x.networks[w.chain])
		if err != nil {
			x.giveUp(w, err)
		}
		return err != nil
	})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan want)
	var wait sync.WaitGroup
	for range x.parallel() {
		wait.Go(func() {
			for w := range work {
				if err := x.get(ctx, w); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, w := range wants {
		select {
		case work <- w:
		case <-ctx.Done():
		}
		if ctx.Err() != nil || x.used() {
			break
		}
	}
	close(work)
	wait.Wait()
	return context.Cause(ctx)
}

func (x *run) parallel() int {
	most := 1
	for c := range x.pins {
		most = max(most, x.networks[c].parallel())
	}
	return most
}

func (x *run) used() bool {
	x.guarded.Lock()
	defer x.guarded.Unlock()
	return x.spent != nil
}

// get asks for one want. What fails is given up for this run, with the reason;
// only the context's end, or an answer that could not be kept, is an error.
func (x *run) get(ctx context.Context, w want) error {
	n, p := x.networks[w.chain], x.pins[w.chain]
	var err error
	switch {
	case w.coin != nil:
		err = n.spender(ctx, p, *w.coin, x.budget, x.across)
	case w.holder != nil:
		x.across.holder(*w.holder)
		err = n.history(ctx, p, *w.holder, x.budget)
	case w.proof != nil:
		err = n.resolve(ctx, p, ask.Question{Kind: ask.Proof, Tx: *w.proof}, x.budget)
	default:
		x.across.tx(*w.tx)
		if !n.holds(*w.tx) {
			err = n.resolve(ctx, p, ask.Question{Kind: ask.Tx, Tx: *w.tx}, x.budget)
		}
	}
	x.guarded.Lock()
	defer x.guarded.Unlock()
	x.asked++
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrBudget):
		x.spent = err
		return nil
	case errors.Is(err, ledger.ErrCorrupt):
		return err
	case n.now() != p:
		return nil // it was asked under a pin that is no more; the next round asks again
	}
	x.giveUp(w, err)
	return nil
}

// giveUp records why a want is not to be had.
func (x *run) giveUp(w want, err error) {
	x.failed[w.key()] = true
	switch {
	case w.coin != nil:
		x.out.Coins[*w.coin] = err.Error()
	case w.holder != nil:
		x.out.Accounts[*w.holder] = err.Error()
	case w.tx != nil && !w.chain.UTXO():
		x.out.Partial = append(x.out.Partial, *w.tx)
	}
}

// spender finds out what became of a coin, and gets the transaction that spends
// it; and the same of the owner's other coins of that transaction, since an index
// is complete for all of them or for none.
func (n *network) spender(ctx context.Context, p *pin, coin ledger.OutPoint, b *budget, across *selection) error {
	if _, known := n.spend(coin); !known {
		if err := n.resolve(ctx, p, ask.Question{Kind: ask.Spends, Tx: coin.Tx}, b); err != nil {
			return err
		}
	}
	for _, one := range n.alike(coin) {
		s, known := n.spend(one)
		if !known {
			return ledger.Untrue(ledger.FaultMissing, "spends "+one.Tx.String(), fmt.Sprintf("nothing is said of output %d", one.Index))
		}
		if !s.Spent {
			continue
		}
		across.tx(s.By)
		if n.holds(s.By) {
			continue
		}
		if err := n.resolve(ctx, p, ask.Question{Kind: ask.Tx, Tx: s.By}, b); err != nil {
			return err
		}
	}
	return nil
}

func (n *network) spend(coin ledger.OutPoint) (ask.Spend, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, known := n.facts.spends[coin]
	return s, known
}

// alike are the outputs of a coin's transaction that its owner got, itself first.
func (n *network) alike(coin ledger.OutPoint) []ledger.OutPoint {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := []ledger.OutPoint{coin}
	t := n.facts.txs[coin.Tx]
	if t == nil || int(coin.Index) >= len(t.Tx.Outputs) {
		return all
	}
	for i, o := range t.Tx.Outputs {
		if o.Address == t.Tx.Outputs[coin.Index].Address && uint32(i) != coin.Index {
			all = append(all, ledger.OutPoint{Tx: coin.Tx, Index: uint32(i)})
		}
	}
	return all
}

// history gets what is missing of an account's history, unless it is too long.
func (n *network) history(ctx context.Context, p *pin, h ledger.Holder, b *budget) error {
	n.mu.Lock()
	r, is := n.facts.missing(h)
	n.mu.Unlock()
	if !is {
		return nil
	}
	if n.chain.UTXO() { // a list of coins can be held against their number
		if err := n.few(ctx, p, h, b); err != nil {
			return err
		}
	}
	return n.resolve(ctx, p, ask.Question{Kind: ask.History, Holder: h, Range: r}, b)
}

// few refuses an account that has too many transactions, where a source counts them.
func (n *network) few(ctx context.Context, p *pin, h ledger.Holder, b *budget) error {
	n.mu.Lock()
	count, counted := n.facts.counts[h]
	n.mu.Unlock()
	if !counted {
		err := n.resolve(ctx, p, ask.Question{Kind: ask.Count, Holder: h}, b)
		if fault, _ := ledger.FaultOf(err); err != nil && fault != ledger.FaultUnsupported {
			return err
		}
		n.mu.Lock()
		count = n.facts.counts[h]
		n.mu.Unlock()
	}
	if count > uint64(n.options.MaxHistory) {
		return &TooManyError{Holder: h, Count: count, Most: uint64(n.options.MaxHistory)}
	}
	return nil
}

// tell reports progress.
func (x *run) tell(t *tracer.Trace, waiting int) {
	x.out.Requests, x.out.Bytes = x.budget.requests.Load(), x.budget.bytes.Load()
	if x.Progress == nil {
		return
	}
	p := Progress{Requests: x.out.Requests, Bytes: x.out.Bytes, Round: x.out.Rounds, Hops: len(t.Hops), Waiting: waiting, Resolved: resolved(t)}
	if x.asked > 0 {
		p.Left = x.options.Now().Sub(x.began) / time.Duration(x.asked) * time.Duration(waiting)
	}
	x.Progress(p)
}

// resolved is the part of the first payment's asset of which it is known where it is.
func resolved(t *tracer.Trace) int64 {
	var all, open ledger.Amount
	for _, e := range t.Terminals {
		if e.Asset != t.Seeds[0].Asset {
			continue
		}
		all = all.Plus(e.Dirty)
		if e.Reason == tracer.NotCovered {
			open = open.Plus(e.Dirty)
		}
	}
	if all.IsZero() {
		return 0
	}
	part, _ := all.Minus(open).MulDiv(ledger.NewAmount(1_000_000), all)
	n, _ := part.Uint64()
	return int64(n)
}

// close says of what is left why it was not asked for.
func (x *run) close(left []want, traces []*tracer.Trace) {
	x.out.Requests, x.out.Bytes = x.budget.requests.Load(), x.budget.bytes.Load()
	for _, w := range left {
		if x.spent != nil {
			x.giveUp(w, x.spent)
		}
	}
	for c := range x.pins {
		n := x.networks[c]
		for _, s := range n.sources {
			x.out.Sources = append(x.out.Sources, s.Name)
		}
		n.mu.Lock()
		for _, t := range traces {
			for _, h := range t.Opened {
				if n.facts.refused[h] {
					x.out.Accounts[h] = "its history, as it was told, pays out more than came in: it is not whole"
				}
			}
		}
		for q, said := range n.facts.disputes {
			x.out.Disputes = append(x.out.Disputes, q.String()+": "+said)
		}
		n.mu.Unlock()
	}
	slices.Sort(x.out.Sources)
	slices.Sort(x.out.Disputes)
}
