package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/bag"
	"github.com/spoortrace/spoor/evidence/pack"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// packageFlags are those of spoor case package that stay on this side.
type packageFlags struct {
	out, key, of                string
	contacts, agency, templates string
	all                         bool
	stampQuery                  bool
}

func (a *app) casePackageCommand() *cobra.Command {
	m := &spoorv1.BuildPackageRequest{}
	var flags packageFlags
	cmd := &cobra.Command{
		Use:   "package CASE... [--out DIR]",
		Short: "Make evidence packages",
		Long: `Make evidence packages: the trace of a case under its policies and others, the seizure table, proofs, letters, and all that is needed to check them.

Equal pins (--as-of, --label-sequence, --custody-size) give equal bytes. Several cases, or --all, are a batch: each package is written whole or not at
all, one that is there already is not made again unless its case was changed, and a case that fails does not stop the others. What a run that was killed
had begun is finished by the next run to the same folder: the package that was recorded is made again of its pins, and is not recorded again.
Exit status 4: some cases failed.`,
		Example: `  spoor case package 12/2026 --out packages --key examiner.key
  spoor case package --all --out packages --demonstration "made of public data"`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.packages(cmd.Context(), args, m, flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.out, "out", ".", "`DIR` to write to")
	f.BoolVar(&flags.all, "all", false, "all of your cases")
	f.StringVar(&flags.key, "key", "", "`FILE` with the examiner's private key (minisign) to sign with; without it: sign with any minisign tool")
	f.BoolVar(&flags.stampQuery, "timestamp-query", false, "also write NAME.zip.tsq, the question for a time-stamping authority")
	letterFlags(cmd, &flags.contacts, &flags.agency, &flags.templates)
	f.StringVar(&m.Redaction, "redaction", "court", "for whom: court, agency, exchange, defence, victim or public")
	f.StringVar(&m.Subject, "for", "", "the exchange, or the victim (V-1), whose letters or facts stay in a redacted package")
	f.StringVar(&flags.of, "of", "", "full `PACKAGE` of the case, to derive a redacted one of: it takes the place of the pins")
	f.StringVar(&m.AsOf, "as-of", "", "data cut-off: a height, a time, or NETWORK=HEIGHT,NETWORK=HEIGHT (default: the tip)")
	f.Uint64Var(&m.LabelSequence, "label-sequence", 0, "last entry of the label log to read (default: the last)")
	f.Uint64Var(&m.CustodySize, "custody-size", 0, "entries of the custody log to read (default: all)")
	f.StringVar(&m.Demonstration, "demonstration", "", "why this is no real case; printed on every page")
	f.StringVar(&m.Supersedes, "supersedes", "", "SHA-256 of the package that it takes the place of")
	f.StringVar(&m.Author, "author", "", "the examiner's name (default: yours)")
	return cmd
}

func (a *app) packages(ctx context.Context, args []string, m *spoorv1.BuildPackageRequest, flags packageFlags) error {
	if (len(args) == 0) != flags.all {
		return &usageError{errors.New("want cases, or --all")}
	}
	var err error
	if m.Contacts, m.Agency, m.Templates, err = letterFiles(flags.contacts, flags.agency, flags.templates); err != nil {
		return err
	}
	if flags.of != "" {
		if err := pinsOf(flags.of, args, m); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(flags.out, 0o700); err != nil {
		return &usageError{err}
	}
	l, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	err = a.batch(ctx, l, args, m, flags)
	return errors.Join(err, l.close())
}

// pinsOf asks for the same as a full package was made of.
func pinsOf(name string, args []string, m *spoorv1.BuildPackageRequest) error {
	if len(args) != 1 {
		return &usageError{errors.New("--of: want one case")}
	}
	b, _, err := openPackage(name)
	if err != nil {
		return err
	}
	d, err := pack.Read(b)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if d.Cover.Redaction != evidence.ForCourt {
		return ledger.Invalid("--of", "a full package, for the court", "one for "+string(d.Cover.Redaction))
	}
	var heights []string
	for _, n := range d.Reproduce.Networks {
		heights = append(heights, n.Network+"="+strconv.FormatUint(n.Height, 10))
	}
	m.AsOf, m.LabelSequence, m.CustodySize = strings.Join(heights, ","), d.Cover.LabelSequence, d.Custody.Size
	m.Author, m.Demonstration, m.Supersedes = d.Cover.Author, d.Cover.Demonstration, d.Cover.Supersedes
	return nil
}

// batch makes the packages of several cases one after another.
func (a *app) batch(ctx context.Context, l *link, args []string, m *spoorv1.BuildPackageRequest, flags packageFlags) error {
	if flags.all {
		all, err := allCases(ctx, l)
		if err != nil {
			return err
		}
		for _, c := range all.GetCases() {
			args = append(args, c.GetName())
		}
	}
	failed := 0
	for i, name := range args {
		m.Name = caseName(name)
		sum, err := a.onePackage(ctx, l, m, flags, flags.all || len(args) > 1)
		switch {
		case err != nil && len(args) == 1:
			return err
		case ctx.Err() != nil:
			return err
		case err != nil:
			failed++
			fmt.Fprintf(a.errOut, "spoor: %d of %d, %s: %s\n", i+1, len(args), render.Clean(name), render.Clean(err.Error()))
		default:
			if err := a.printPackage(sum, flags.out); err != nil {
				return err
			}
		}
	}
	if failed > 0 {
		return &partialError{fmt.Sprintf("%d of %d cases failed", failed, len(args))}
	}
	return nil
}

// onePackage makes a package: first what a run that died had begun, then, unless
// that or what is in the folder is it, a new one.
func (a *app) onePackage(ctx context.Context, l *link, m *spoorv1.BuildPackageRequest, flags packageFlags, batch bool) (*spoorv1.PackageSum, error) {
	c, err := l.cases.GetCase(ctx, &spoorv1.GetCaseRequest{Name: m.GetName()})
	if err != nil {
		return nil, err
	}
	base := c.GetName()[len("cases/"):] + "-" + m.GetRedaction()
	left, err := deadDrafts(flags.out, base)
	if err != nil {
		return nil, err
	}
	for _, d := range left {
		if _, err := a.finish(ctx, l, m, flags, d); err != nil {
			if !refused(err) { // it may be recorded: a new one would be a second
				return nil, err
			}
			fmt.Fprintf(a.errOut, "spoor: what an earlier run had begun is not finished: %s\n", render.Clean(err.Error()))
		}
	}
	if len(left) > 0 {
		if c, err = l.cases.GetCase(ctx, &spoorv1.GetCaseRequest{Name: m.GetName()}); err != nil {
			return nil, err
		}
	}
	if batch || len(left) > 0 {
		if done, err := madeAlready(c, m, filepath.Join(flags.out, base)); err != nil || done != nil {
			return done, err
		}
	}
	d, err := newDraft(flags.out, base)
	if err != nil {
		return nil, err
	}
	return a.finish(ctx, l, m, flags, d)
}

// finish makes, signs and moves one package into place. The draft stays, empty,
// where the package may be recorded: the next run asks for that one again.
func (a *app) finish(ctx context.Context, l *link, m *spoorv1.BuildPackageRequest, flags packageFlags, d *draft) (*spoorv1.PackageSum, error) {
	m = proto.CloneOf(m)
	m.RequestId = d.request
	sum, err := receive(ctx, l, m, d.file)
	if err != nil && refused(err) {
		return nil, errors.Join(err, os.Remove(d.file.Name()), d.file.Close())
	}
	if err == nil {
		err = d.file.Sync()
	}
	if err == nil {
		if err = derivedOf(d.file.Name(), flags.of); err != nil { // it would not be another time either
			return nil, errors.Join(err, os.Remove(d.file.Name()), d.file.Close())
		}
		err = a.place(d.file.Name(), sum, flags)
	}
	if err != nil {
		return nil, errors.Join(err, d.file.Truncate(0), d.file.Close())
	}
	return sum, d.file.Close()
}

// refused reports an error which says that nothing was recorded, and would come again.
func refused(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.PermissionDenied, codes.FailedPrecondition, codes.Unauthenticated, codes.OutOfRange, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// derivedOf holds a redacted package against the full one.
func derivedOf(made, full string) error {
	if full == "" {
		return nil
	}
	b, _, err := openPackage(made)
	if err != nil {
		return err
	}
	of, _, err := openPackage(full)
	if err != nil {
		return err
	}
	if b.Sum() == of.Sum() {
		return nil // the full package itself, made again
	}
	if err := pack.Derived(b, of); err != nil {
		return fmt.Errorf("--of %s: the case, the index or the program is no longer the same: %w", full, err)
	}
	return nil
}

// madeAlready finds the package of a case in the folder, if its custody log says
// that this very file is its newest package of that kind, and that nothing was
// added since but readings.
func madeAlready(c *spoorv1.Case, m *spoorv1.BuildPackageRequest, name string) (*spoorv1.PackageSum, error) {
	at := -1
	for i, p := range c.GetPackages() {
		if sameKind(p, m) {
			at = i
		}
	}
	if at < 0 || c.GetPackages()[at].GetCustodySize() < c.GetChanged() {
		return nil, nil //nolint:nilnil // there is none of the case as it is
	}
	f, err := os.Open(name + ".zip")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // it is not there
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	if err != nil {
		return nil, err
	}
	if sha := hex.EncodeToString(hash.Sum(nil)); sha == c.GetPackages()[at].GetSha256() {
		return &spoorv1.PackageSum{FileName: filepath.Base(name), Sha256: sha, Size: size}, nil
	}
	return nil, nil //nolint:nilnil // another one
}

// sameKind reports whether a package was made as is asked; what is left open may
// be anything.
func sameKind(p *spoorv1.CasePackage, m *spoorv1.BuildPackageRequest) bool {
	return p.GetRedaction() == m.GetRedaction() && p.GetSubject() == m.GetSubject() && p.GetSupersedes() == m.GetSupersedes() &&
		p.GetDemonstration() == m.GetDemonstration() && (m.GetAsOf() == p.GetAskedAsOf() || m.GetAsOf() == p.GetAsOf()) &&
		(m.GetAuthor() == "" || m.GetAuthor() == p.GetAuthor()) && (m.GetLabelSequence() == 0 || m.GetLabelSequence() == p.GetLabelSequence()) &&
		(m.GetCustodySize() == 0 || m.GetCustodySize() == p.GetCustodySize())
}

// receive writes the stream to a file and compares its hash.
func receive(ctx context.Context, l *link, m *spoorv1.BuildPackageRequest, to io.Writer) (*spoorv1.PackageSum, error) {
	stream, err := l.cases.BuildPackage(ctx, m)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	for {
		part, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if sum := part.GetSum(); sum != nil {
			if got := hex.EncodeToString(hash.Sum(nil)); got != sum.GetSha256() {
				return nil, fmt.Errorf("package arrived with sha256 %s, it was made with %s: %w", got, sum.GetSha256(), ledger.ErrCorrupt)
			}
			return sum, nil
		}
		if _, err := io.MultiWriter(to, hash).Write(part.GetChunk()); err != nil {
			return nil, err
		}
	}
}

// place signs a package and gives it its name.
func (a *app) place(made string, sum *spoorv1.PackageSum, flags packageFlags) error {
	name := filepath.Join(flags.out, sum.GetFileName()+".zip")
	if flags.key != "" {
		if err := sign(made, name, flags.key); err != nil {
			return err
		}
	}
	if flags.stampQuery {
		query, err := bag.TimestampQuery(sum.GetSha256())
		if err != nil {
			return err
		}
		if err := os.WriteFile(name+".tsq", query, 0o600); err != nil {
			return err
		}
	}
	return os.Rename(made, name)
}

func sign(made, name, key string) error {
	text, err := os.ReadFile(key)
	if err != nil {
		return &usageError{err}
	}
	k, err := bag.ReadKey(text, os.Getenv("SPOOR_KEY_PASSWORD"))
	if err != nil {
		return err
	}
	f, err := os.Open(made)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := bag.Open(f, info.Size())
	if err != nil {
		return err
	}
	signature, err := bag.Sign(k, b)
	if err != nil {
		return err
	}
	return os.WriteFile(name+".minisig", signature, 0o600) //nolint:gosec // the folder is the user's, a case's name has no path parts
}

func (a *app) printPackage(sum *spoorv1.PackageSum, dir string) error {
	if a.output == "json" {
		return render.JSONLine(a.out, sum)
	}
	_, err := fmt.Fprintf(a.out, "%s  sha256 %s, %d bytes; transfers: %d proven, %d attested, %d inferred\n",
		filepath.Join(dir, sum.GetFileName()+".zip"), sum.GetSha256(), sum.GetSize(), sum.GetProven(), sum.GetAttested(), sum.GetInferred())
	return err
}
