package archive

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/spoortrace/spoor/ledger"
)

// Set is what a number of exports of one chain say together. It is the same for
// any order of its files, and for a file that is given twice.
type Set struct {
	Chain ledger.Chain
	files []*Export // by rank
	order []ref     // the rows that stand, in the set's order
}

// ref names a row: rank of the file and index in it.
type ref struct{ file, row uint32 }

func (s *Set) row(r ref) *row { return s.files[r.file].row(r.row) }

// place names a row for messages.
func (s *Set) place(r ref) string {
	return fmt.Sprintf("%s:%d", s.files[r.file].Name, s.row(r).line)
}

// Merge joins exports of one chain. Rows are ordered by time, then by the rank
// of their file (time of its first row, then its SHA-256), then as in the file.
//
// A transfer that several files hold counts once: rows that agree in
// transaction, payer, payee, asset and amount stand as often as the file that
// has most of them (a file with a column wallet is several: it has a transfer
// between two of its wallets twice), where rows that give the same log index are one. What
// files say of one transaction must agree: another time, another outcome or
// another transfer at the same log index is an error that names both places.
func Merge(exports ...*Export) (*Set, error) {
	s := &Set{}
	total := 0
	for _, e := range exports {
		if s.Chain == "" {
			s.Chain = e.Chain
		}
		if e.Chain != s.Chain {
			return nil, ledger.Invalid(e.Name, "an export of "+string(s.Chain)+" as the others", string(e.Chain))
		}
		s.files = append(s.files, e)
	}
	slices.SortStableFunc(s.files, func(a, b *Export) int {
		return cmp.Or(cmp.Compare(a.first(), b.first()), bytes.Compare(a.SHA256[:], b.SHA256[:]), cmp.Compare(a.Name, b.Name))
	})
	s.files = slices.CompactFunc(s.files, func(a, b *Export) bool { return a.SHA256 == b.SHA256 })
	for _, e := range s.files {
		total += e.count
	}
	if total > maxRows {
		return nil, fmt.Errorf("%d rows in %d files, at most %d: %w", total, len(s.files), maxRows, ledger.ErrExhausted)
	}
	return s, s.merge(total)
}

// first is the time of the file's first row.
func (e *Export) first() int64 {
	if e.count == 0 {
		return 0
	}
	return e.row(0).time
}

func (s *Set) merge(total int) error {
	all := make([]ref, 0, total)
	for f, e := range s.files {
		for i := range e.count {
			all = append(all, ref{uint32(f), uint32(i)})
		}
	}
	slices.SortFunc(all, func(a, b ref) int {
		return cmp.Or(s.compareFacts(a, b), cmp.Compare(a.file, b.file), cmp.Compare(s.row(a).part, s.row(b).part), cmp.Compare(a.row, b.row))
	})
	kept := all[:0] // never ahead of what is read: a group keeps at most its own rows
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && s.row(all[to]).tx == s.row(all[from]).tx {
			to++
		}
		if err := s.agree(all[from:to]); err != nil {
			return err
		}
		for from < to {
			end := from + 1
			for end < to && s.compareFacts(all[from], all[end]) == 0 {
				end++
			}
			kept = append(kept, s.stand(all[from:end])...)
			from = end
		}
	}
	slices.SortFunc(kept, func(a, b ref) int {
		return cmp.Or(cmp.Compare(s.row(a).time, s.row(b).time), cmp.Compare(a.file, b.file), cmp.Compare(a.row, b.row))
	})
	s.order = kept
	return nil
}

// compareFacts orders rows by transaction, then by what makes two rows the same transfer.
func (s *Set) compareFacts(a, b ref) int {
	x, y := s.row(a), s.row(b)
	if c := bytes.Compare(x.tx[:], y.tx[:]); c != 0 {
		return c
	}
	f, g := s.files[a.file], s.files[b.file]
	if c := bytes.Compare(f.accounts[x.from][:], g.accounts[y.from][:]); c != 0 {
		return c
	}
	if c := bytes.Compare(f.accounts[x.to][:], g.accounts[y.to][:]); c != 0 {
		return c
	}
	return cmp.Or(f.assets[x.asset].asset.Compare(g.assets[y.asset].asset), x.amount.Cmp(y.amount))
}

// agree checks the rows of one transaction against each other.
func (s *Set) agree(rows []ref) error {
	first := s.row(rows[0])
	var logs map[int32]ref
	for _, r := range rows {
		x := s.row(r)
		if x.time != first.time {
			return s.conflict(rows[0], r, fmt.Sprintf("time %d and %d", first.time, x.time))
		}
		if x.status != first.status && x.status != ledger.StatusUnknown && first.status != ledger.StatusUnknown {
			return s.conflict(rows[0], r, "one says ok, the other failed")
		}
		if x.log < 0 {
			continue
		}
		if logs == nil {
			logs = map[int32]ref{}
		}
		if o, ok := logs[x.log]; ok && s.compareFacts(o, r) != 0 {
			return s.conflict(o, r, fmt.Sprintf("two transfers with log %d", x.log))
		}
		logs[x.log] = r
	}
	return nil
}

func (s *Set) conflict(a, b ref, what string) error {
	return ledger.Invalid(s.place(b), "what "+s.place(a)+" says of transaction "+s.row(a).tx.String(), what)
}

// stand returns which of several equal rows stand: one for each log index that
// any file gives, and beyond that the rows of the file that has most of them.
func (s *Set) stand(equal []ref) []ref {
	if len(equal) == 1 {
		return equal
	}
	var logged, most []ref
	for from := 0; from < len(equal); {
		to := from
		var distinct, plain []ref
		for ; to < len(equal) && equal[to].file == equal[from].file && s.row(equal[to]).part == s.row(equal[from]).part; to++ {
			switch log := s.row(equal[to]).log; {
			case log < 0:
				plain = append(plain, equal[to])
			case !s.hasLog(distinct, log):
				distinct = append(distinct, equal[to])
			}
		}
		for _, r := range distinct {
			if !s.hasLog(logged, s.row(r).log) {
				logged = append(logged, r)
			}
		}
		if n := slices.Concat(distinct, plain); len(n) > len(most) {
			most = n
		}
		from = to
	}
	for _, r := range most {
		if len(logged) < len(most) && s.row(r).log < 0 {
			logged = append(logged, r)
		}
	}
	return logged
}

func (s *Set) hasLog(rows []ref, log int32) bool {
	return slices.ContainsFunc(rows, func(r ref) bool { return s.row(r).log == log })
}

// Rows returns the number of transfers that stand.
func (s *Set) Rows() int { return len(s.order) }

// Files returns the exports by rank, each once.
func (s *Set) Files() []*Export { return s.files }

// Digest names the set: SHA-256 over the SHA-256 of its files in ascending order.
func (s *Set) Digest() ledger.Hash {
	var sums [][]byte
	for _, e := range s.files {
		sums = append(sums, e.SHA256[:])
	}
	slices.SortFunc(sums, bytes.Compare)
	return sha256.Sum256(bytes.Join(sums, nil))
}

// Range spans the transfers: from the first one's millisecond to just after the last one's.
func (s *Set) Range() ledger.Range {
	if len(s.order) == 0 {
		return ledger.Range{}
	}
	first, last := s.row(s.order[0]), s.row(s.order[len(s.order)-1])
	return ledger.Range{From: uint64(first.time), To: uint64(last.time) + 1}
}
