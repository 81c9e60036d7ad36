package server

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// exactDigits is how many significant digits a JSON number surely has: a double
// carries 15. Beyond them an amount has been through arithmetic on doubles.
const exactDigits = 15

// kytNumber is an amount as clients send it: a number, or a text of one.
type kytNumber struct {
	text   string // as it came, without quotes; empty: none
	quoted bool
}

// UnmarshalJSON takes a number, a text or null.
func (n *kytNumber) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	n.text = string(b)
	if b[0] == '"' {
		n.quoted = true
		return json.Unmarshal(b, &n.text)
	}
	var number json.Number
	err := json.Unmarshal(b, &number)
	n.text = number.String()
	return err
}

// decimal is the amount without an exponent. It is empty, which leaves the
// amount to the chain, where a number has more digits than a double can have
// kept: such an amount would only ever contradict the chain's.
func (n kytNumber) decimal() string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(n.text), "e")
	shift, err := strconv.Atoi(exponent)
	if exponent == "" {
		shift, err = 0, nil
	}
	if mantissa == "" || err != nil || shift < -100 || shift > 100 || strings.Trim(mantissa, "0123456789.") != "" {
		return n.text // which the service refuses by its own words
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	digits, point := whole+frac, len(whole)+shift
	if point < 0 {
		digits, point = strings.Repeat("0", -point)+digits, 0
	}
	digits += strings.Repeat("0", max(0, point-len(digits)))
	if !n.quoted && len(strings.Trim(digits, "0")) > exactDigits {
		return ""
	}
	whole, frac = strings.TrimLeft(digits[:point], "0"), strings.TrimRight(digits[point:], "0")
	if whole == "" {
		whole = "0"
	}
	if frac == "" {
		return whole
	}
	return whole + "." + frac
}

// kytTime reads the times that clients send: ISO 8601, in UTC unless it says otherwise.
func kytTime(field, text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // absent
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return timestamppb.New(t.UTC()), nil
		}
	}
	return nil, ledger.Invalid(field, "a time such as 2026-01-02T15:04:05Z", text)
}

// stampText is when a transfer was updated, as KYT writes it: without a zone, in
// microseconds; nil: null.
func stampText(t *timestamppb.Timestamp) *string { return timeText(t, "2006-01-02T15:04:05.000000") }

// momentText is any other time, as KYT writes it; nil: null.
func momentText(t *timestamppb.Timestamp) *string {
	return timeText(t, "2006-01-02T15:04:05.000-07:00")
}

func timeText(t *timestamppb.Timestamp, layout string) *string {
	if t == nil {
		return nil
	}
	text := t.AsTime().UTC().Format(layout)
	return &text
}

// ourNetwork is our name of a network: KYT writes Bitcoin, we bitcoin.
func ourNetwork(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// theirNetwork is KYT's name of a network in answers: BITCOIN.
func theirNetwork(name string) string { return strings.ToUpper(name) }

// ourAsset is our name of an asset: the contract where one is given, else the
// symbol without the standard that some add to it.
func ourAsset(symbol, contract string) string {
	if contract != "" {
		return contract
	}
	for _, standard := range []string{"TRC20", "ERC20"} {
		if s, ok := strings.CutSuffix(strings.ToUpper(symbol), standard); ok && len(s) > 1 {
			return strings.TrimRight(s, "_- ")
		}
	}
	return symbol
}

// theirCategory is KYT's name of a category: words, without our finer kinds.
func theirCategory(id string) *string {
	name, _, _ := strings.Cut(id, ".")
	return word(strings.ReplaceAll(name, "_", " "))
}

// word is a text that is null when it is empty.
func word(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// number is a decimal as a JSON number, digit by digit; null when it is empty.
func number(decimal string) json.RawMessage {
	if _, ok := new(big.Rat).SetString(decimal); !ok || strings.ContainsAny(decimal, "/eExX_") {
		return json.RawMessage("null")
	}
	if !json.Valid([]byte(decimal)) {
		return json.RawMessage("null")
	}
	return json.RawMessage(decimal)
}

// coinsNumber is base units as a JSON number of whole coins; null while unknown.
func coinsNumber(base string, asset *spoorv1.Asset) json.RawMessage {
	amount, err := ledger.ParseAmount(base)
	if base == "" || err != nil {
		return json.RawMessage("null")
	}
	return number(amount.Decimal(int(asset.GetDecimals())))
}

// networkOf tells the network of an address by its form; screening in KYT's
// form names none.
func networkOf(address string) (string, error) {
	switch {
	case len(address) == 42 && strings.HasPrefix(strings.ToLower(address), "0x"):
		return "ethereum", nil
	case len(address) == 34 && address[0] == 'T':
		return "tron", nil
	case strings.HasPrefix(strings.ToLower(address), "bc1"), len(address) >= 26 && len(address) <= 35 && (address[0] == '1' || address[0] == '3'):
		return "bitcoin", nil
	}
	return "", ledger.Invalid("address", "an address of Bitcoin, Ethereum or TRON", address)
}
