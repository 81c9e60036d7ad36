package gethtest

import (
	"math/big"
	"testing"
)

// TestNode pays, mines, and reorganises.
func TestNode(t *testing.T) {
	n, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	to := n.Account(1)
	tx, err := n.Send(0, &to, big.NewInt(5), nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := n.Mine()
	if err != nil {
		t.Fatal(err)
	}
	if _, pending, err := n.Client.TransactionByHash(t.Context(), tx.Hash()); err != nil || pending || first.Number.Uint64() != 1 {
		t.Fatalf("block %d, pending %v, %v; want the payment in block 1", first.Number, pending, err)
	}
	if err := n.Fork(first.ParentHash); err != nil {
		t.Fatal(err)
	}
	other, err := n.Mine()
	if err != nil || other.Number.Uint64() != 1 || other.Hash() == first.Hash() {
		t.Fatalf("block %d %s, %v; want another block 1 than %s", other.Number, other.Hash(), err, first.Hash())
	}
}

// TestContracts makes a contract and calls it.
func TestContracts(t *testing.T) {
	n, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	token, err := n.Make(0, "Token", nil, "USDT", big.NewInt(1000))
	if err != nil {
		t.Fatal(err)
	}
	tx, err := n.Call(0, "Token", token, nil, "transfer", n.Account(1), big.NewInt(7))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Mine(); err != nil {
		t.Fatal(err)
	}
	receipt, err := n.Client.TransactionReceipt(t.Context(), tx.Hash())
	if err != nil || receipt.Status != 1 || len(receipt.Logs) != 1 {
		t.Fatalf("receipt %+v, %v; want success and one log", receipt, err)
	}
}
