package archive

import (
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Times outside of these are a mistake of unit or column: Bitcoin's first
// block, and the year 2200.
const (
	minTime = 1_231_006_505_000
	maxTime = 7_258_118_400_000
)

// time reads the best time column that the file has, in milliseconds.
func (p *parser) time() (int64, error) {
	for _, f := range []field{fieldMillis, fieldSeconds, fieldTime, fieldDateUTC} {
		if !p.has(f) {
			continue
		}
		ms, want := readTime(f, p.cell(f))
		if want == "" && (ms < minTime || ms >= maxTime) {
			want = "a time between 2009 and 2200"
		}
		if want != "" {
			return 0, p.wrong(f, want)
		}
		return ms, nil
	}
	return 0, p.wrong(fieldMillis, "a time")
}

// readTime returns milliseconds, or what was wanted.
func readTime(f field, text string) (ms int64, want string) {
	n, err := strconv.ParseInt(text, 10, 64)
	isNumber := err == nil
	switch {
	case f == fieldMillis && isNumber:
		return n, ""
	case f == fieldMillis:
		return 0, "Unix milliseconds"
	case f == fieldSeconds && isNumber && n < maxTime/1000:
		return n * 1000, ""
	case f == fieldSeconds:
		return 0, "Unix seconds"
	case f == fieldTime && isNumber && n < minTime/10: // seconds reach this in the year 5870
		return n * 1000, ""
	case f == fieldTime && isNumber:
		return n, ""
	}
	return readDate(text, f == fieldDateUTC)
}

// readDate reads a date with its zone; where the header says UTC, also one without.
func readDate(text string, utc bool) (ms int64, want string) {
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 UTC"} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UnixMilli(), ""
		}
	}
	if !utc {
		return 0, "Unix seconds, Unix milliseconds or a date with its zone (2022-01-05T17:55:12Z)"
	}
	for _, form := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "1/2/2006 15:04:05", "1/2/2006 3:04:05 PM"} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UnixMilli(), ""
		}
	}
	return 0, "a date such as 2022-01-05 17:55:12"
}

// asset returns the table index of the row's asset. The native coin is an empty
// cell, the coin's symbol, "native", Tronscan's "_" or the zero address.
func (p *parser) asset() (uint32, error) {
	a, err := p.readAsset()
	if err != nil {
		return 0, err
	}
	decimals, err := p.decimals(a)
	if err != nil {
		return 0, err
	}
	if len(p.cell(fieldSymbol)) > maxName {
		return 0, p.wrong(fieldSymbol, "at most 256 bytes")
	}
	i, ok := p.assetIDs[a]
	if !ok {
		i = uint32(len(p.out.assets))
		p.assetIDs[a] = i
		p.out.assets = append(p.out.assets, claimedAsset{asset: a, symbol: strings.Clone(p.cell(fieldSymbol)), decimals: decimals})
	}
	return i, nil
}

func (p *parser) readAsset() (ledger.Asset, error) {
	chain := p.out.Chain
	native := ledger.NativeAsset(chain)
	text := p.cell(fieldToken)
	if p.native() {
		return native, nil
	}
	if !p.has(fieldToken) {
		text = p.token
	}
	coin := ledger.InfoOf(native).Symbol
	if text == "" {
		if s := p.cell(fieldSymbol); s != "" && s != coin {
			return ledger.Asset{}, p.wrong(fieldToken, "the contract of "+s)
		}
		return native, nil
	}
	if text == "_" || strings.EqualFold(text, coin) || strings.EqualFold(text, "native") {
		return native, nil
	}
	contract, err := ledger.ParseAddress(chain, text)
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ()[]", r) }) {
		if err == nil {
			break
		}
		contract, err = ledger.ParseAddress(chain, word) // Tronscan's "Tether USD(TR7N...)"
	}
	if err != nil {
		return ledger.Asset{}, p.wrong(fieldToken, "a token contract, or empty for "+coin+" (TRC-10 ids are not supported)")
	}
	if contract == ledger.AccountAddress(chain, [20]byte{}) {
		return native, nil
	}
	return ledger.TokenAsset(contract), nil
}

// decimals returns what the file says of an asset, -1 when it does not. A file
// that contradicts a contract we know has its columns mixed up.
func (p *parser) decimals(a ledger.Asset) (int, error) {
	s := p.cell(fieldDecimals)
	if s == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 77 {
		return 0, p.wrong(fieldDecimals, "a whole number from 0 to 77")
	}
	if info := ledger.InfoOf(a); info.Known && info.Decimals != n {
		return 0, p.wrong(fieldDecimals, strconv.Itoa(info.Decimals)+" for "+info.Symbol)
	}
	return n, nil
}

// amount reads base units, or converts whole coins exactly.
func (p *parser) amount(asset uint32) (ledger.Amount, error) {
	f := fieldCoins
	switch {
	case p.has(fieldRaw):
		a, err := ledger.ParseAmount(p.cell(fieldRaw))
		if err != nil {
			return a, p.wrongBy(fieldRaw, err)
		}
		return a, nil
	case p.has(fieldIn):
		if f = fieldIn; strings.Trim(p.cell(fieldIn), "0.") == "" {
			f = fieldOut
		}
	}
	text, ok := ungroup(p.cell(f))
	if !ok {
		return ledger.Amount{}, p.wrong(f, "whole coins such as 25050.5 or 25,050.5")
	}
	claimed := p.out.assets[asset]
	info := ledger.InfoOf(claimed.asset)
	decimals := info.Decimals
	if !info.Known {
		// The row's own claim, not the first one of the file: both must hold where they differ.
		if decimals, _ = p.decimals(claimed.asset); decimals < 0 || decimals != claimed.decimals {
			return ledger.Amount{}, p.wrong(f, "a column decimals beside it that says the same for every row of "+claimed.asset.String())
		}
	}
	if whole, frac, ok := strings.Cut(text, "."); ok && len(frac) > decimals {
		text = whole + "." + frac[:decimals] + strings.TrimRight(frac[decimals:], "0")
	}
	a, err := ledger.ParseCoins(strings.TrimSuffix(text, "."), decimals)
	if err != nil {
		return a, p.wrongBy(f, err)
	}
	return a, nil
}

// ungroup removes thousands separators, and refuses a comma elsewhere, a sign,
// an exponent or a unit.
func ungroup(s string) (string, bool) {
	if s == "" || strings.Trim(s, "0123456789.,") != "" {
		return "", false
	}
	whole, frac, _ := strings.Cut(s, ".")
	groups := strings.Split(whole, ",")
	for i, g := range groups {
		if len(groups) > 1 && (len(g) > 3 || g == "" || (i > 0 && len(g) != 3)) {
			return "", false
		}
	}
	return strings.ReplaceAll(whole, ",", "") + s[len(whole):], !strings.Contains(frac, ",")
}

// status reads every column that tells a failed transfer.
//
// A number in `status` is Tronscan's mark of the row, not an outcome: 0 is
// plain, 1 and 2 are zero-value and dust rows that it holds for poisoning. All
// 286 rows of the seizure-order data with 1 or 2 have contractRet SUCCESS, and
// without them two wallets spend more than they ever held. So 0, 1 and 2 are ok.
func (p *parser) status() (ledger.Status, error) {
	s := strings.ToLower(p.cell(fieldStatus))
	switch {
	case s == "" || s == "0" || s == "1" || s == "2" || s == "ok" || s == "success" || s == "successful" || s == "confirmed":
	case s == "unknown":
		return ledger.StatusUnknown, nil
	case strings.HasPrefix(s, "error") || strings.HasPrefix(s, "fail") || strings.HasPrefix(s, "revert"):
		return ledger.StatusFailed, nil
	default:
		return 0, p.wrong(fieldStatus, "ok, failed, unknown or Tronscan's 0, 1, 2")
	}
	for _, f := range []field{fieldResult, fieldFinal} {
		if r := p.cell(f); r != "" && !strings.EqualFold(r, "SUCCESS") {
			return ledger.StatusFailed, nil
		}
	}
	if p.cell(fieldIsError) == "1" || p.cell(fieldReceipt) == "0" {
		return ledger.StatusFailed, nil
	}
	if strings.EqualFold(p.cell(fieldConfirmed), "false") {
		return ledger.StatusUnknown, nil
	}
	return ledger.StatusOK, nil
}
