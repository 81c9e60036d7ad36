package archive

import (
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// cacheEntries bounds the memo of parsed cells; base58check costs two hashes.
const cacheEntries = 1 << 16

// maxName bounds symbols and tags, which a file can make up without end.
const maxName = 256

// parser turns records into rows of one Export.
type parser struct {
	layout
	out   *Export
	token string // contract of the whole file, when it has no column for it

	record []string
	where  *csv.Reader

	known    map[[20]byte]uint32
	parsed   map[string]uint32 // cell -> account; emptied when full
	assetIDs map[ledger.Asset]uint32
	tagged   map[claimedTag]bool
	parts    map[string]uint32
}

func newParser(file string, chain ledger.Chain, header []string) (*parser, error) {
	l, err := newLayout(file, header)
	if err != nil {
		return nil, err
	}
	p := &parser{
		layout: l, out: &Export{Name: file, Chain: chain, Ignored: l.ignored},
		known: map[[20]byte]uint32{}, parsed: map[string]uint32{}, assetIDs: map[ledger.Asset]uint32{}, tagged: map[claimedTag]bool{}, parts: map[string]uint32{},
	}
	if p.token = contractInName(chain, file); p.token == "" && !l.has(fieldToken) && !p.native() {
		return nil, ledger.Invalid(place(file, 1, 1), "a column token (or ContractAddress): the contract, empty for the native coin", strings.Join(l.names, ","))
	}
	return p, nil
}

// native reports an export of the chain's own coin, where ContractAddress is a
// contract that was created.
func (p *parser) native() bool { return p.has(fieldIn, fieldParent) }

// cell returns the text of a field, "" where the file has no such column.
func (p *parser) cell(f field) string {
	if p.at[f] < 0 {
		return ""
	}
	return strings.TrimSpace(p.record[p.at[f]])
}

// wrong names the cell, what was wanted and what came.
func (p *parser) wrong(f field, want string) error {
	column := max(p.at[f], 0)
	line, at := p.where.FieldPos(column)
	return ledger.Invalid(place(p.out.Name, line, at), p.names[column]+": "+want, p.cell(f))
}

// wrongBy is wrong with the wish of an error of package ledger.
func (p *parser) wrongBy(f field, err error) error {
	var invalid *ledger.InvalidError
	if errors.As(err, &invalid) {
		return p.wrong(f, invalid.Want)
	}
	return p.wrong(f, err.Error())
}

// parse adds one record.
func (p *parser) parse(where *csv.Reader, record []string) error {
	p.where, p.record = where, record
	if p.out.count >= maxRows {
		return fmt.Errorf("%s: more than %d rows: %w", p.out.Name, maxRows, ledger.ErrExhausted)
	}
	line, _ := where.FieldPos(0)
	r := row{line: uint32(line), log: -1, part: p.part(), internal: p.has(fieldParent)}
	var err error
	if r.tx, err = ledger.ParseTxID(p.cell(fieldTx)); err != nil {
		return p.wrongBy(fieldTx, err)
	}
	if r.time, err = p.time(); err != nil {
		return err
	}
	if r.from, err = p.account(fieldFrom); err != nil {
		return err
	}
	if r.to, err = p.account(p.payee()); err != nil {
		return err
	}
	if r.asset, err = p.asset(); err != nil {
		return err
	}
	if r.amount, err = p.amount(r.asset); err != nil {
		return err
	}
	if r.status, err = p.status(); err != nil {
		return err
	}
	if s := p.cell(fieldLog); s != "" {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil || n < 0 {
			return p.wrong(fieldLog, "a whole number from 0")
		}
		r.log = int32(n)
	}
	if err = p.tag(r.from, fieldFromTag); err == nil {
		err = p.tag(r.to, fieldToTag)
	}
	if err == nil {
		p.out.add(r)
	}
	return err
}

// part numbers the wallets of a file that joins the downloads of several.
func (p *parser) part() uint32 {
	wallet := p.cell(fieldWallet)
	n, ok := p.parts[wallet]
	if !ok {
		n = uint32(len(p.parts))
		p.parts[strings.Clone(wallet)] = n
	}
	return n
}

// payee is the column of the receiver: a transaction that creates a contract
// names it in ContractAddress and leaves To empty.
func (p *parser) payee() field {
	if p.native() && p.cell(fieldTo) == "" && p.cell(fieldToken) != "" {
		return fieldToken
	}
	return fieldTo
}

// account returns the table index of the address in a cell.
func (p *parser) account(f field) (uint32, error) {
	text := p.cell(f)
	if i, ok := p.parsed[text]; ok {
		return i, nil
	}
	a, err := ledger.ParseAddress(p.out.Chain, text)
	if err != nil {
		return 0, p.wrongBy(f, err)
	}
	key := [20]byte([]byte(a.Payload))
	i, ok := p.known[key]
	if !ok {
		i = uint32(len(p.out.accounts))
		p.known[key] = i
		p.out.accounts = append(p.out.accounts, key)
	}
	if len(p.parsed) >= cacheEntries {
		clear(p.parsed)
	}
	p.parsed[strings.Clone(text)] = i
	return i, nil
}

// tag keeps the name that a cell gives an account.
func (p *parser) tag(account uint32, f field) error {
	t := claimedTag{account, p.cell(f)}
	if t.label == "" || p.tagged[t] {
		return nil
	}
	if len(t.label) > maxName {
		return p.wrong(f, "at most 256 bytes")
	}
	t.label = strings.Clone(t.label)
	p.tagged[t] = true
	p.out.tags = append(p.out.tags, t)
	return nil
}
