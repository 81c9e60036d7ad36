package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
)

// shown is what a proof shows of its transaction. Hashes, addresses and assets are as the package prints them.
type shown struct {
	block, tx string
	height    uint64 // 0: not stated
	index     int    // in the block; -1: not shown
	depth     int    // Bitcoin: of the block's tree
	time      int64  // of the block, Unix milliseconds
	inputs    []shownInput
	outputs   []shownOutput
	amounts   bool // the inputs' amounts are all shown; a coinbase has none to show
	moves     []shownMove
}

// shownInput spends an output; what it held is shown where the spent transaction is proven, too.
type shownInput struct {
	tx      string
	index   uint32
	known   bool
	address string
	value   *big.Int
}

type shownOutput struct {
	address string
	value   *big.Int
}

// shownMove is a transfer between accounts that the proof shows.
type shownMove struct {
	kind                    string // native or token
	log                     int    // its place in the receipt; -1: in none
	from, to, asset, amount string
	certain                 bool // else only that it was asked for
}

// readProof checks a proof of a network's transaction and says what it shows.
func readProof(name string, text []byte) (shown, error) {
	n, ok := networkOf(name)
	if !ok {
		return shown{}, fmt.Errorf("%q is no network whose proofs are known", name)
	}
	switch n.family {
	case familyBitcoin:
		var p bitcoinProof
		if err := oneForm(text, &p); err != nil {
			return shown{}, err
		}
		return n.showBitcoin(p)
	case familyEVM:
		var p ethereumProof
		if err := oneForm(text, &p); err != nil {
			return shown{}, err
		}
		return n.showEthereum(name, p)
	}
	var p tronProof
	if err := oneForm(text, &p); err != nil {
		return shown{}, err
	}
	return n.showTron(name, p)
}

// oneForm reads JSON that is written as Go writes it, with or without a line break at its end: fields in order, none more, no spaces.
func oneForm(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands behind the proof")
	}
	again, err := json.Marshal(into)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, bytes.TrimSuffix(text, []byte("\n"))) {
		return errors.New("not in the one form that a proof has")
	}
	return nil
}

// hexBytes reads lower-case hex.
func hexBytes(text string) ([]byte, error) {
	b, err := hex.DecodeString(text)
	if err != nil || hex.EncodeToString(b) != text {
		return nil, fmt.Errorf("%.80q is no lower-case hex", text)
	}
	return b, nil
}

func hexHash(text string) (h [32]byte, err error) {
	b, err := hexBytes(text)
	if err != nil {
		return h, err
	}
	if len(b) != len(h) {
		return h, fmt.Errorf("%.80q is no hash of 32 bytes", text)
	}
	return [32]byte(b), nil
}

// agree refuses a stated hash that is not the one that was computed.
func agree(what, stated string, computed [32]byte) error {
	if hex.EncodeToString(computed[:]) != stated {
		return fmt.Errorf("%s: it says %.80q, and its bytes make %x", what, stated, computed)
	}
	return nil
}
