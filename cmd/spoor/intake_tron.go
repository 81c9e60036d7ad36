package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
)

// tron takes in exports. The network is the set of all its files: it is built
// again from the kept ones and the new ones, beside the one in force. Every
// file is parsed before anything is written.
func (in *intake) tron(ctx context.Context, req *spoorv1.TronCsv, progress progressFunc) (*spoorv1.IngestResult, error) {
	chain, err := network(req.GetNetwork(), "tron", ledger.FamilyTRON, "tron or tron-nile")
	if err != nil {
		return nil, err
	}
	progress(&spoorv1.Progress{Phase: "scan", Network: string(chain), Unit: "files"})
	given, err := readFiles(ctx, req.GetCsvPaths(), chain)
	if err != nil {
		return nil, err
	}
	set, err := in.exportSet(ctx, chain, given)
	if err != nil {
		return nil, err
	}
	claims, err := claimsOf(req.GetComplete(), chain, given)
	if err != nil {
		return nil, err
	}
	result := &spoorv1.IngestResult{Network: string(chain)}
	if added := set.addClaims(claims); added || len(set.fresh) > 0 {
		if err := in.rebuild(ctx, chain, set, result, progress); err != nil {
			return nil, subject(chain, err)
		}
	}
	result.Duplicates = int64(len(given) - len(set.fresh))
	for _, f := range given {
		for _, column := range f.Ignored {
			in.log.Info("a column without a known meaning is not used", "file", f.Name, "column", column)
		}
	}
	return result, in.exportLabels(ctx, given, result)
}

// csvFile is an export that was read, and where to read it again for keeping.
type csvFile struct {
	*archive.Export
	path string
	sum  ledger.Hash // of the file as it is, before gunzip
}

// readFiles parses the files that were named; the first that does not fit ends it.
func readFiles(ctx context.Context, paths []string, chain ledger.Chain) ([]csvFile, error) {
	var files []csvFile
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, ledger.Invalid("csv", "a readable file", err.Error())
		}
		one, err := readFile(ctx, path, f, chain)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		files = append(files, one)
	}
	return files, nil
}

func readFile(ctx context.Context, path string, r io.Reader, chain ledger.Chain) (csvFile, error) {
	sum := sha256.New()
	r = io.TeeReader(r, sum)
	export, err := archive.ReadExport(ctx, filepath.Base(path), r, chain)
	if err != nil {
		return csvFile{}, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return csvFile{}, fmt.Errorf("%s: %w", path, err)
	}
	return csvFile{export, path, ledger.Hash(sum.Sum(nil))}, nil
}

// keep copies the file into the network's folder, as it was when it was read.
func (f csvFile) keep(n *store.Network) (store.File, error) {
	r, err := os.Open(f.path)
	if err != nil {
		return store.File{}, ledger.Invalid("csv", "a readable file", err.Error())
	}
	defer r.Close()
	kept, err := n.KeepFile(f.Name, r)
	if err == nil && kept.SHA256 != f.sum {
		err = fmt.Errorf("%s changed while it was read: %w", f.path, ledger.ErrPrecondition)
	}
	return kept, err
}

// exportSet is a network's set of exports with the new ones.
type exportSet struct {
	contents store.Contents
	exports  []*archive.Export
	fresh    []csvFile // of the given files, those that the set did not have
	rows     int       // that the set had before
}

// exportSet reads the kept files of the network again and adds the given ones.
func (in *intake) exportSet(ctx context.Context, chain ledger.Chain, given []csvFile) (*exportSet, error) {
	s := &exportSet{contents: store.Contents{Export: true}}
	held, err := in.held(ctx, chain)
	if err != nil {
		return nil, err
	}
	known := map[[32]byte]bool{}
	if held != nil {
		if s.contents, err = exportContents(held); err != nil {
			return nil, err
		}
		if s.exports, err = keptExports(ctx, held, s.contents.Files); err != nil {
			return nil, err
		}
		for _, e := range s.exports {
			known[e.SHA256] = true
		}
	}
	if len(s.exports) > 0 {
		before, err := archive.Merge(s.exports...)
		if err != nil {
			return nil, err
		}
		s.rows = before.Rows()
	}
	for _, f := range given {
		if !known[f.SHA256] {
			known[f.SHA256] = true
			s.exports, s.fresh = append(s.exports, f.Export), append(s.fresh, f)
		}
	}
	return s, nil
}

func exportContents(n *store.Network) (store.Contents, error) {
	status, err := n.Status()
	if err != nil {
		return store.Contents{}, err
	}
	if !status.Export && !status.Empty { // what was fetched is an export, too
		return store.Contents{}, fmt.Errorf("%s holds blocks, not exports: %w", n.Chain(), ledger.ErrPrecondition)
	}
	contents := n.Contents()
	if contents.Fetched {
		contents = store.Contents{}
	}
	contents.Export = true
	return contents, nil
}

func keptExports(ctx context.Context, n *store.Network, files []store.File) ([]*archive.Export, error) {
	var exports []*archive.Export
	for _, f := range files {
		r, err := n.OpenFile(f)
		if err != nil {
			return nil, err
		}
		e, err := archive.ReadExport(ctx, f.Name, r, n.Chain())
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, fmt.Errorf("kept file %s: %w", f.Name, err)
		}
		exports = append(exports, e)
	}
	return exports, nil
}

// claimsOf reads what the given files are said to be complete for.
func claimsOf(specs []string, chain ledger.Chain, given []csvFile) ([]ledger.Claim, error) {
	var exports []*archive.Export
	for _, f := range given {
		exports = append(exports, f.Export)
	}
	set, err := archive.Merge(exports...)
	if err != nil {
		return nil, err
	}
	var claims []ledger.Claim
	for _, spec := range specs {
		more, err := archive.ParseComplete(spec, chain, set.Range())
		if err != nil {
			return nil, err
		}
		claims = append(claims, more...)
	}
	return claims, nil
}

// addClaims adds those that the set does not have, and says whether there were any.
func (s *exportSet) addClaims(claims []ledger.Claim) bool {
	n := len(s.contents.Claims)
	for _, c := range claims {
		if !slices.Contains(s.contents.Claims, c) {
			s.contents.Claims = append(s.contents.Claims, c)
		}
	}
	return len(s.contents.Claims) > n
}

// sort makes the set the same whatever the order in which its files came.
func (s *exportSet) sort() {
	slices.SortFunc(s.contents.Files, func(a, b store.File) int { return slices.Compare(a.SHA256[:], b.SHA256[:]) })
	slices.SortFunc(s.contents.Claims, func(a, b ledger.Claim) int {
		return cmp.Or(a.Account.Compare(b.Account), cmp.Compare(a.Range.From, b.Range.From), cmp.Compare(a.Range.To, b.Range.To))
	})
}

// rebuild keeps the new files and puts the network that all of them make in force.
func (in *intake) rebuild(ctx context.Context, chain ledger.Chain, s *exportSet, result *spoorv1.IngestResult, progress progressFunc) error {
	set, err := archive.Merge(s.exports...)
	if err != nil {
		return err
	}
	n, err := in.create(ctx, chain)
	if err != nil {
		return err
	}
	for _, f := range s.fresh {
		kept, err := f.keep(n)
		if err != nil {
			return err
		}
		s.contents.Files = append(s.contents.Files, kept)
	}
	s.contents.Assets = set.Assets()
	s.sort()
	o := store.AppendOptions{Memory: in.memory, Progress: in.reporter(chain, "write", int64(set.Rows()), "rows", progress, func(p store.Progress) int64 { return int64(p.Txs) })}
	if err := n.Rebuild(ctx, set.Blocks(), s.contents, o); err != nil {
		return err
	}
	result.Blocks = int64(len(s.fresh))
	result.Transfers = int64(set.Rows() - s.rows)
	result.Transactions = result.Transfers
	return nil
}

// exportLabels puts the names that the files give accounts into the label log.
// A file whose names the log has already adds nothing, so that a repeated
// ingest makes up for one that was cut off before this step.
func (in *intake) exportLabels(ctx context.Context, given []csvFile, result *spoorv1.IngestResult) error {
	for _, f := range given {
		set, err := archive.Merge(f.Export)
		if err != nil {
			return err
		}
		tags := set.Tags()
		if len(tags) == 0 {
			continue
		}
		done, err := in.labels.Import(ctx, labels.Source{Name: f.Name + " (tags)", SHA256: f.SHA256, Tags: each(tags)}, in.now().UnixMilli())
		if err != nil {
			return err
		}
		if !done.Known {
			result.Labels += int64(done.Tags)
		}
	}
	return nil
}

func each(tags []ledger.Tag) iter.Seq2[ledger.Tag, error] {
	return func(yield func(ledger.Tag, error) bool) {
		for _, t := range tags {
			if !yield(t, nil) {
				return
			}
		}
	}
}
