package labels

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// input is a file on its way through a format.
type input struct {
	name   string
	text   *bounded
	opt    Options
	report *Report
	seen   map[[16]byte]bool
	// edition is what the file is one of; a format that knows better says so before
	// it gives the first tag.
	edition Edition
}

// newInput unzips, drops a byte order mark and bounds the text.
func newInput(name string, r io.Reader, opt Options, report *Report) (*input, error) {
	text, err := gunzip(name, r)
	if err != nil {
		return nil, err
	}
	return &input{name: name, text: &bounded{name: name, in: skipBOM(text), left: maxItem}, opt: opt, report: report, seen: map[[16]byte]bool{}}, nil
}

// maxItem bounds one record of a stream: a JSON value, an XML token.
const maxItem = 4 << 20

// bounded ends a text that is over the limit of a file, or one record of it that
// is over the limit of a record, with an error and not with silence.
type bounded struct {
	name string
	in   io.Reader
	size int
	left int // of the record; next sets it back
	// failed is the error that the text ended with, if it is not its end: a disk's,
	// or that of a limit. Without it, a decoder's error is the text's fault.
	failed error
}

func (b *bounded) next() { b.left = maxItem }

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, b.fail(ledger.Invalid(b.name, "records of at most 4 MiB", "more"))
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	if b.size += n; b.size > maxPack {
		return 0, b.fail(ledger.Invalid(b.name, "at most 200 MiB", "more"))
	}
	return n, b.fail(err)
}

func (b *bounded) fail(err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = err
	}
	return err
}

// walk is a format: it gives every tag of a file to take, whose error it returns.
type walk func(ctx context.Context, in *input, take func(ledger.Tag) error) error

// tags turns a walk into a sequence that ends with the error.
func tags(ctx context.Context, in *input, w walk) iter.Seq2[ledger.Tag, error] {
	return func(yield func(ledger.Tag, error) bool) {
		n := 0
		err := w(ctx, in, func(t ledger.Tag) error {
			if n++; n%1024 == 0 && ctx.Err() != nil {
				return fmt.Errorf("%s: %w", in.name, ctx.Err())
			}
			if !yield(t, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(ledger.Tag{}, err)
		}
	}
}

// claim is what a list says of one address, in the list's words.
type claim struct {
	place            string // file:line
	network, address string // network "": by the address's form
	tag              ledger.Tag
	confidence       int // of the format, where neither tag nor options have one
}

// give completes a claim from the options and the file's name, and takes it
// unless it is counted and left out: of a network that is not indexed, twice in
// the file, or with an address that does not parse.
func (in *input) give(c claim, take func(ledger.Tag) error) error {
	t := c.tag
	if strings.ContainsRune(t.Label+t.Source+t.Actor+t.Context+c.address, 0) {
		return ledger.Invalid(c.place, "text without NUL", t.Label)
	}
	network := orElse(c.network, in.opt.Network)
	chain, ok := networkOf(network, c.address)
	if network == "" {
		chain, ok = chainOfForm(c.address)
		network = "UNKNOWN"
	}
	if !ok {
		in.report.skip(network)
		return nil
	}
	t.Chain, t.Pack = chain, orElse(t.Pack, in.name)
	if err := identify(&t, c.address, ""); err != nil && !byChecksum(&t, c.address) {
		in.report.refuse(fmt.Errorf("%s: %w", c.place, err))
		return nil
	}
	if t.Label = orElse(t.Label, in.opt.Label); t.Label == "" {
		return ledger.Invalid(c.place, "a label, or one given for the whole file", "none")
	}
	t.Source, t.Category = orElse(t.Source, orElse(in.opt.Source, in.name)), orElse(t.Category, in.opt.Category)
	for _, n := range []int{in.opt.Confidence, c.confidence, confidences["unknown"]} {
		if t.Confidence == 0 {
			t.Confidence = n
		}
	}
	key := uniqueKey(t)
	if in.seen[key] {
		in.report.Repeated++
		return nil
	}
	in.seen[key] = true
	return take(t)
}

// byChecksum reads an address whose network is stated wrongly: OFAC lists a TRON
// address under XBT. Only a network whose addresses carry a checksum of 32 bits
// over its own prefix is certain enough.
func byChecksum(t *ledger.Tag, address string) bool {
	chain, ok := chainOfForm(address)
	if !ok || chain == t.Chain || chain.Family() == ledger.FamilyEVM {
		return false
	}
	moved := *t
	moved.Chain = chain
	if identify(&moved, address, "") != nil {
		return false
	}
	*t = moved
	return true
}

func orElse(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

// clip bounds a text that a file gives without limit, at a character's end.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxOption)], "") }
