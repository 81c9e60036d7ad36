//go:build linux

package crashtest

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/store"
)

// The outcomes of a damage trial.
const (
	right   = "right"   // every answer is that of the undamaged store
	refused = "refused" // a named error, and what was answered before it was right
	wrong   = "wrong"
	died    = "died" // the process ended by a panic or a signal
)

// TestDamage damages one file of a data directory: a flipped bit, a zeroed page
// or a cut end. Then every answer must be right, or an error that names the
// trouble. Two directories are damaged: one closed in order, one of a process
// that was killed.
func TestDamage(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another; the tests without the race detector run it")
	}
	base := t.TempDir()
	o := order{Do: "damage", Dir: filepath.Join(base, "trial"), Seed: rand.Uint64N(1 << 32), Straight: 40, Reorgs: 30, Txs: 30, Batch: 400}
	o.Images = []string{filepath.Join(base, "closed"), filepath.Join(base, "killed")}
	makeImage(t, o, o.Images[0], 0)
	makeImage(t, o, o.Images[1], o.Straight+o.Reorgs)
	o.To = trials(t)
	tally := map[string]map[string]int{}
	for o.From < o.To {
		o.From = runTrials(t, o, tally)
	}
	report(t, o, tally)
}

// makeImage makes a data directory to damage. The child goes to its end in
// order, or kills itself after a number of blocks.
func makeImage(t *testing.T, o order, dir string, killAfter int) {
	t.Helper()
	o.Do, o.Dir, o.Until = "ingest", dir, killAfter
	c := start(t, o, nil)
	lastAck(t, c.reports)
	if err := c.cmd.Wait(); err != nil && !wasKilled(err) {
		t.Fatalf("seed %d: child: %v\n%s", o.Seed, err, c.said())
	}
}

// runTrials runs one child through trials and returns the next one. A child that
// dies or hangs does so in the trial that it reported last.
func runTrials(t *testing.T, o order, tally map[string]map[string]int) int {
	t.Helper()
	if err := os.RemoveAll(o.Dir); err != nil {
		t.Fatal(err)
	}
	c := start(t, o, nil)
	hung := time.AfterFunc(time.Minute, func() { _ = c.cmd.Process.Kill() })
	next, what := o.From, ""
	lines := bufio.NewScanner(c.reports)
	for lines.Scan() {
		hung.Reset(time.Minute)
		event, rest, _ := strings.Cut(lines.Text(), " ")
		if event == "begin" {
			what = rest
			continue
		}
		count(t, tally, what, event, rest)
		what = ""
		next++
	}
	hung.Stop()
	err := errors.Join(c.reports.Close(), c.cmd.Wait())
	switch {
	case what != "":
		count(t, tally, what, died, firstLines(c.said()))
		return next + 1
	case err != nil:
		t.Fatalf("child of trials %d: %v\n%s", o.From, err, c.said())
	}
	return next
}

func count(t *testing.T, tally map[string]map[string]int, what, outcome, detail string) {
	t.Helper()
	kind, _, _ := strings.Cut(what, " ")
	if tally[kind] == nil {
		tally[kind] = map[string]int{}
	}
	tally[kind][outcome]++
	if outcome != right && outcome != refused {
		t.Errorf("%s: %s: %s", what, outcome, detail)
	}
}

func firstLines(text string) string {
	lines := strings.SplitN(text, "\n", 12)
	return strings.Join(lines[:min(len(lines), 11)], "\n")
}

func report(t *testing.T, o order, tally map[string]map[string]int) {
	sum := map[string]int{}
	for _, kind := range slices.Sorted(maps.Keys(tally)) {
		t.Logf("%-14s %v", kind, tally[kind])
		for outcome, n := range tally[kind] {
			sum[outcome] += n
		}
	}
	t.Logf("seed %d: %d trials: %d right, %d refused by name, %d wrong, %d deaths", o.Seed, o.To, sum[right], sum[refused], sum[wrong], sum[died])
}

// damageTrials is what the child does.
func damageTrials(ctx context.Context, o order, out io.Writer) error {
	s := o.script()
	var want []string
	for _, dir := range o.Images {
		if err := errors.Join(os.RemoveAll(o.Dir), copyTree(dir, o.Dir)); err != nil {
			return err
		}
		answers, err := ask(ctx, o.Dir, s)
		if err != nil {
			return fmt.Errorf("the undamaged store: %w", err)
		}
		if want = slices.Compact(append(want, strings.Join(answers, "\n"))); len(want) > 1 {
			return errors.New("the images do not answer alike")
		}
	}
	for i := o.From; i < o.To; i++ {
		rng := rand.New(rand.NewPCG(o.Seed, uint64(i)))
		if err := errors.Join(os.RemoveAll(o.Dir), copyTree(o.Images[i%2], o.Dir)); err != nil {
			return err
		}
		what, err := damage(o.Dir, i/2, rng)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "begin %s of %s, trial %d\n", what, filepath.Base(o.Images[i%2]), i)
		answers, err := ask(ctx, o.Dir, s)
		fmt.Fprintln(out, judge(strings.Split(want[0], "\n"), answers, err))
	}
	return nil
}

// judge compares the answers that were given with the right ones.
func judge(want, got []string, err error) string {
	for i, a := range got {
		if a != want[i] {
			return wrong + fmt.Sprintf(" answer %d: got %s, want %s", i, a, want[i])
		}
	}
	if err == nil {
		return right
	}
	for _, named := range []error{ledger.ErrCorrupt, ledger.ErrForeign, ledger.ErrNewer} {
		if errors.Is(err, named) {
			return refused + " " + strings.ReplaceAll(err.Error(), "\n", "; ")
		}
	}
	return wrong + " error without a name: " + strings.ReplaceAll(err.Error(), "\n", "; ")
}

// ask opens a store and puts questions to it, one line an answer; it stops at the
// first error. Verify comes last: what is answered before must be right by itself.
func ask(ctx context.Context, dir string, s *script) (answers []string, err error) {
	st, err := store.Open(dir, engine(), store.Options{MinFree: 1 << 20})
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := st.Close(); err == nil {
			err = cerr
		}
	}()
	n, err := st.Network(ctx, s.chain)
	if errors.Is(err, ledger.ErrNotFound) {
		return []string{"no network"}, nil
	}
	if err != nil {
		return nil, err
	}
	snap, err := n.Snapshot(0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := snap.Close(); err == nil {
			err = cerr
		}
	}()
	for _, question := range questions(ctx, snap, s) {
		a, err := question()
		if err != nil {
			return answers, err
		}
		answers = append(answers, a)
	}
	return answers, n.Verify(ctx, nil)
}

func questions(ctx context.Context, snap *store.Snapshot, s *script) []func() (string, error) {
	var list []func() (string, error)
	list = append(list, func() (string, error) {
		at, err := snap.AsOf(ctx, s.chain)
		return fmt.Sprint(at), err
	})
	for i, b := range s.blocks {
		tx := b.Txs[i%len(b.Txs)]
		list = append(list, func() (string, error) {
			found, err := snap.FindTx(ctx, s.chain, tx.ID)
			if errors.Is(err, ledger.ErrNotFound) { // of a branch that was left
				return "not found", nil
			}
			return fmt.Sprint(found), err
		}, func() (string, error) { return history(ctx, snap, s.chain, holder(tx)) })
		if i%8 == 0 {
			list = append(list, func() (string, error) {
				raw, err := snap.Raw(ctx, s.chain, b.Ref.Height)
				if errors.Is(err, ledger.ErrNotFound) { // the last tip may be lower
					return "not found", nil
				}
				return fmt.Sprintf("%x", sha256.Sum256(raw)), err
			})
		}
	}
	return append(list, func() (string, error) {
		h := sha256.New()
		err := snap.Export(ctx, s.chain, h)
		return fmt.Sprintf("%x", h.Sum(nil)), err
	})
}

// holder is somebody whom a transaction pays.
func holder(tx ledger.Tx) ledger.Holder {
	if len(tx.Transfers) > 0 {
		return ledger.Holder{Address: tx.Transfers[0].To, Asset: tx.Transfers[0].Asset}
	}
	return ledger.Holder{Address: tx.Outputs[0].Address, Asset: ledger.NativeAsset(tx.Chain)}
}

func history(ctx context.Context, snap *store.Snapshot, c ledger.Chain, h ledger.Holder) (string, error) {
	hash := sha256.New()
	if !c.UTXO() {
		for e, err := range snap.Events(ctx, h, ledger.Point{}) {
			if err != nil {
				return "", err
			}
			fmt.Fprintln(hash, e)
		}
	}
	balance, err := snap.Balance(ctx, h, ledger.Point{Pos: ledger.EndOf(1 << 30)})
	if err != nil {
		return "", err
	}
	summary, err := snap.AddressSummary(ctx, h.Address)
	return fmt.Sprintf("%x %v %v", hash.Sum(nil), balance, summary), err
}

// damage changes one file and says which and how. The kinds of files take turns.
func damage(dir string, turn int, rng *rand.Rand) (string, error) {
	kinds := map[string][]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() > 0 {
			kind := kindOf(path)
			kinds[kind] = append(kinds[kind], path)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	names := slices.Sorted(maps.Keys(kinds))
	kind := names[turn%len(names)]
	path := kinds[kind][rng.IntN(len(kinds[kind]))]
	im, err := readImage(path)
	if err != nil {
		return "", err
	}
	how := im.damage(rng)
	return fmt.Sprintf("%s %s: %s", kind, filepath.Base(path), how), im.write(path)
}

// kindOf is the extension, or the name of a file that has none.
func kindOf(path string) string {
	if ext := filepath.Ext(path); ext != "" {
		return ext
	}
	return filepath.Base(path)
}

func (im *image) damage(rng *rand.Rand) string {
	pages := slices.Sorted(maps.Keys(im.pages))
	if len(pages) == 0 || rng.IntN(3) == 0 {
		im.size = rng.Int64N(im.size)
		return "cut to " + strconv.FormatInt(im.size, 10)
	}
	p := pages[rng.IntN(len(pages))]
	if rng.IntN(2) == 0 {
		delete(im.pages, p)
		return "page zeroed at " + strconv.FormatInt(p, 10)
	}
	at := rng.Int64N(min(page, im.size-p))
	im.pages[p] = slices.Clone(im.pages[p])
	im.pages[p][at] ^= 1 << rng.IntN(8)
	return "bit flipped at " + strconv.FormatInt(p+at, 10)
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, below), 0o700)
		}
		im, err := readImage(path)
		if err != nil {
			return err
		}
		return im.write(filepath.Join(to, below))
	})
}
