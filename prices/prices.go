// Package prices says what an amount was worth in US dollars. A price is an
// annotation: it changes no trace, no sum and no order. It comes from a file
// that the user supplies, or from one stated rule: the stablecoins that package
// ledger knows by contract are worth 1 dollar. Else there is none.
package prices

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Stablecoin is the source of a price that no file names.
const Stablecoin = "stablecoin at 1"

// MaxAge is how long a price is in force (judgment: markets are quoted daily).
const MaxAge = 24 * time.Hour

// usdDigits are the digits after the point that a price may have.
const usdDigits = 18

// Table holds prices by asset. The zero Table knows the rule of stablecoins
// alone. It is not changed after Read; then it is safe for concurrent use.
type Table struct {
	rows map[ledger.Asset][]row
}

type row struct {
	at     int64    // Unix milliseconds
	usd    *big.Int // of one whole coin, times 10^18
	source string
	place  string // file:line
}

// Read adds the rows of a CSV file: asset,time,usd,source, with this header. An
// asset is NETWORK:native, NETWORK:SYMBOL of the native coin or a known
// stablecoin, or NETWORK:CONTRACT; a time is RFC 3339 with its zone; usd is the
// price of one whole coin, a decimal of at most 18 digits after the point. Any
// row that does not fit ends in ledger.ErrInvalid with file:line:column, two
// prices of one asset at one time in one that names both places; then nothing of
// the table may be used.
func (t *Table) Read(name string, r io.Reader) error {
	if t.rows == nil {
		t.rows = map[ledger.Asset][]row{}
	}
	in := csv.NewReader(r)
	in.ReuseRecord, in.FieldsPerRecord = true, 4
	header, err := in.Read()
	if err != nil || strings.Join(header, ",") != "asset,time,usd,source" {
		return ledger.Invalid(name+":1", "the header asset,time,usd,source", strings.Join(header, ","))
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return t.sort()
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			return ledger.Invalid(fmt.Sprintf("%s:%d:%d", name, bad.Line, bad.Column), "four fields: asset, time, usd, source", bad.Err.Error())
		}
		if err != nil {
			return fmt.Errorf("prices: %s: %w", name, err)
		}
		if err := t.add(name, in, record); err != nil {
			return err
		}
	}
}

func (t *Table) add(name string, in *csv.Reader, record []string) error {
	place := func(field int) string {
		line, column := in.FieldPos(field)
		return fmt.Sprintf("%s:%d:%d", name, line, column)
	}
	asset, err := assetOf(record[0])
	if err != nil {
		return ledger.Invalid(place(0), "NETWORK:native, NETWORK:SYMBOL or NETWORK:CONTRACT", record[0])
	}
	at, err := time.Parse(time.RFC3339, record[1])
	if err != nil {
		return ledger.Invalid(place(1), "a time with its zone such as 2022-01-05T00:00:00Z", record[1])
	}
	usd, ok := parseUSD(record[2])
	if !ok {
		return ledger.Invalid(place(2), "dollars: digits, with at most 18 after the point", record[2])
	}
	if strings.TrimSpace(record[3]) == "" {
		return ledger.Invalid(place(3), "where the price comes from", record[3])
	}
	line, _ := in.FieldPos(0)
	t.rows[asset] = append(t.rows[asset], row{at.UnixMilli(), usd, strings.Clone(record[3]), fmt.Sprintf("%s:%d", name, line)})
	return nil
}

// sort puts the rows in order of time and refuses two for one time that differ.
func (t *Table) sort() error {
	for asset, rows := range t.rows {
		slices.SortStableFunc(rows, func(a, b row) int { return int(min(max(a.at-b.at, -1), 1)) })
		for i := 1; i < len(rows); i++ {
			if a, b := rows[i-1], rows[i]; a.at == b.at && (a.usd.Cmp(b.usd) != 0 || a.source != b.source) {
				return ledger.Invalid(b.place, "one price of "+asset.String()+" at one time", "another than "+a.place)
			}
		}
	}
	return nil
}

func assetOf(text string) (ledger.Asset, error) {
	name, rest, _ := strings.Cut(text, ":")
	c, err := ledger.ParseChain(name)
	if err != nil {
		return ledger.Asset{}, err
	}
	if rest == "native" {
		return ledger.NativeAsset(c), nil
	}
	if a, ok := ledger.AssetBySymbol(c, rest); ok {
		return a, nil
	}
	if c.UTXO() {
		return ledger.Asset{}, ledger.ErrInvalid
	}
	contract, err := ledger.ParseAddress(c, rest)
	return ledger.TokenAsset(contract), err
}

func parseUSD(text string) (*big.Int, bool) {
	whole, frac, point := strings.Cut(text, ".")
	digits := whole + frac
	if whole == "" || point && frac == "" || len(frac) > usdDigits || len(digits) > 60 || strings.Trim(digits, "0123456789") != "" {
		return nil, false
	}
	return new(big.Int).SetString(digits+strings.Repeat("0", usdDigits-len(frac)), 10)
}

// Value returns what an amount of an asset was worth at a time (Unix
// milliseconds), in dollars and cents, half a cent rounded up, and where the
// price comes from: the last one in the table at or before the time that is not
// older than MaxAge, else the rule of stablecoins. False when there is none.
func (t *Table) Value(amount ledger.Amount, info ledger.AssetInfo, at int64) (usd, source string, ok bool) {
	if at == 0 {
		return "", "", false
	}
	if r, found := t.inForce(info.Asset, at); found {
		return worth(amount, info.Decimals, r.usd), r.source, true
	}
	if known := ledger.InfoOf(info.Asset); known.Known && !info.Asset.Native() {
		one := new(big.Int).Exp(big.NewInt(10), big.NewInt(usdDigits), nil)
		return worth(amount, info.Decimals, one), Stablecoin, true
	}
	return "", "", false
}

func (t *Table) inForce(a ledger.Asset, at int64) (row, bool) {
	if t == nil {
		return row{}, false
	}
	rows := t.rows[a]
	i, found := slices.BinarySearchFunc(rows, at, func(r row, at int64) int { return int(min(max(r.at-at, -1), 1)) })
	if !found {
		i--
	}
	if i < 0 || at-rows[i].at > MaxAge.Milliseconds() {
		return row{}, false
	}
	return rows[i], true
}

// worth multiplies without loss and rounds once.
func worth(amount ledger.Amount, decimals int, usd *big.Int) string {
	cents := new(big.Int).SetBytes(amount.Bytes())
	cents.Mul(cents, usd).Mul(cents, big.NewInt(200))
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals+usdDigits)), nil)
	cents.Add(cents, unit).Quo(cents, unit.Mul(unit, big.NewInt(2)))
	whole, rest := new(big.Int).QuoRem(cents, big.NewInt(100), new(big.Int))
	return fmt.Sprintf("%s.%02d", whole, rest.Int64())
}
