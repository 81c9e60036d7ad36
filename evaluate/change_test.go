package evaluate

import (
	"testing"

	"github.com/spoortrace/spoor/ledger"
)

// paid makes a transaction; who is "x..." has another type of address.
func paid(id byte, in, out map[string]uint64, order ...string) *ledger.Tx {
	tx := &ledger.Tx{ID: ledger.TxID{id}, Chain: "bitcoin", Time: int64(id)}
	owner := func(name string) ledger.Address {
		kind := ledger.KindP2WPKH
		if name[0] == 'x' {
			kind = ledger.KindP2PKH
		}
		return ledger.Address{Chain: "bitcoin", Kind: kind, Payload: name}
	}
	for _, name := range order {
		if v, ok := in[name]; ok {
			tx.Inputs = append(tx.Inputs, ledger.Input{Known: true, Address: owner(name), Value: ledger.NewAmount(v)})
		}
		if v, ok := out[name]; ok {
			tx.Outputs = append(tx.Outputs, ledger.Output{Address: owner(name), Value: ledger.NewAmount(v)})
		}
	}
	return tx
}

// What T1 says is compared with what the set shows later, and with change that went
// back to a payer and is hidden from it.
func TestGuesses(t *testing.T) {
	txs := []*ledger.Tx{
		// Change to c, which is spent together with a afterwards.
		paid(1, map[string]uint64{"a": 900_000, "b": 800_000}, map[string]uint64{"xshop": 1_500_000, "c": 123_456}, "a", "b", "xshop", "c"),
		paid(2, map[string]uint64{"a": 5_000, "c": 123_456}, map[string]uint64{"xshop": 120_000}, "a", "c", "xshop"),
		// Change to the payer itself, by rules that would have found it.
		paid(3, map[string]uint64{"d": 900_000, "e": 800_000}, map[string]uint64{"xshop": 1_500_000, "d": 123_456}, "d", "e", "xshop"),
		// The same, and nothing points at it.
		paid(4, map[string]uint64{"f": 900_000}, map[string]uint64{"g": 500_001, "f": 300_001}, "f", "g"),
	}
	past, owners := newLists(txs), newUnion()
	for _, tx := range txs {
		owners.join(tx)
	}
	var got guesses
	for _, tx := range txs {
		if err := got.see(tx, past, func(a ledger.Address) (ledger.Address, error) { return owners.find(a), nil }); err != nil {
			t.Fatal(err)
		}
	}
	want := guesses{payments: 3, all: 1, revealed: 1, named: 1, right: 1, returned: 2, namedHidden: 1, rightHidden: 1}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
