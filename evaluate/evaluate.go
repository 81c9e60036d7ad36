// Package evaluate measures how often each heuristic is right, on real data that
// is not part of the project: a folder in the form of docs/method.md, section
// Error rates. Every figure comes with its count, a Wilson 95 % interval and the
// hash of the files that it was measured on.
package evaluate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/rates"
	"github.com/spoortrace/spoor/tracer/behavior"
)

// Load is what an index is to be built from; one of them.
type Load struct {
	Bitcoin  []string // block files or folders
	EVM      []string // ethereum-etl tables
	TRON     []string // transfer exports
	Complete []string // what these are complete for, as on the command line
	Labels   []string // TagPacks
}

// Index is what heuristics are measured on.
type Index interface {
	behavior.Index
	// Heights yields the heights of a network's blocks, ascending.
	Heights(ctx context.Context, c ledger.Chain) iter.Seq2[uint64, error]
	Cluster(ctx context.Context, a ledger.Address) (ledger.Cluster, error)
}

// Options say where the data lies and who builds indexes.
type Options struct {
	Data string // the folder
	Date string // of the measurement, 2006-01-02
	// Build makes an index in a place of its own; close removes it.
	Build func(ctx context.Context, l Load) (idx Index, close func() error, err error)
}

// Measured is a figure, or the reason why there is none.
type Measured struct {
	rates.Rate
	Note   string // one sentence on how to read it; may be empty
	NotWhy string // why it was not measured; empty: it was
}

// measurement is one set of figures. A further one is a function and a row.
type measurement struct {
	name string
	// needs are files and folders of the data folder; what they hold is hashed.
	needs []string
	run   func(ctx context.Context, o Options, m *meter) error
}

func measurements() []measurement {
	return []measurement{
		{"coinjoin", []string{"coinjoin"}, coinJoins},
		{"co-spend", []string{"btc/btcd-mainnet-0-14131"}, coSpends},
		{"co-spend, GraphSense", []string{graphsense}, graphSense},
		{"peel_chain", []string{"btc/btcd-mainnet-0-14131"}, coinPatterns},
		{"change, blocks", []string{"btc/btcd-mainnet-0-14131"}, changes},
		{"change, one block", wholeBlock(), changesOfSingle},
		{"change, lists", []string{"coinjoin"}, changesOfSet},
		{"flow", []string{"launder"}, launder},
		{"deposit reuse, Ethereum", []string{"derived/ship/eth-mainnet-3300000-3300999.csv", "labels/graphsense-tagpacks/packs/etherscan-wordcloud-exchange.yaml"}, depositsEVM},
		{"deposit reuse, TRON", []string{"derived/ship/tron-usdt-aso-ship.csv"}, depositsTRON},
		{"bridge", []string{connector}, bridgePairs},
	}
}

// meter collects the figures of one measurement.
type meter struct {
	data, sha, date string
	all             []Measured
}

func (m *meter) share(heuristic, measure string, hits, n int, note string) {
	if n == 0 {
		m.without(heuristic, measure, "the data has no case; "+note)
		return
	}
	low, high := Wilson(hits, n)
	m.all = append(m.all, Measured{Rate: rates.Rate{
		Heuristic: heuristic, Measure: measure, Data: m.data, Hits: hits, N: n, Low: low, High: high, SHA256: m.sha, Date: m.date,
	}, Note: note})
}

// without says of a share why there is none.
func (m *meter) without(heuristic, measure, why string) {
	m.all = append(m.all, Measured{Rate: rates.Rate{Heuristic: heuristic, Measure: measure, Data: m.data}, NotWhy: measure + ": " + why})
}

// Run makes every measurement whose data is there; the others come back with the
// reason why not. It fails on data that is there and cannot be read.
func Run(ctx context.Context, o Options) ([]Measured, error) {
	if info, err := os.Stat(o.Data); err != nil || !info.IsDir() {
		return nil, ledger.Invalid("data", "a folder in the form of docs/method.md, Error rates", o.Data)
	}
	var all []Measured
	for _, one := range measurements() {
		sha, err := hashOf(o.Data, one.needs)
		if errors.Is(err, fs.ErrNotExist) {
			all = append(all, Measured{Rate: rates.Rate{Heuristic: one.name}, NotWhy: err.Error()})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("evaluate: %s: %w", one.name, err)
		}
		m := &meter{data: one.needs[0], sha: sha, date: o.Date}
		if err := one.run(ctx, o, m); err != nil {
			return nil, fmt.Errorf("evaluate: %s: %w", one.name, err)
		}
		all = append(all, m.all...)
	}
	return all, nil
}

// hashOf is the SHA-256 over names and contents of all files, in order of names.
func hashOf(dir string, needs []string) (string, error) {
	var names []string
	for _, need := range needs {
		err := filepath.WalkDir(filepath.Join(dir, need), func(name string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		relative, err := filepath.Rel(dir, name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n", filepath.ToSlash(relative), len(text))
		sum.Write(text)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
