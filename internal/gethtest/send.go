package gethtest

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
)

// Account is the address of the i-th key.
func (n *Node) Account(i int) common.Address { return crypto.PubkeyToAddress(n.Keys[i].PublicKey) }

// Send sends a call with value and 1,000,000 gas from the i-th account; to nil makes a contract. It is mined by the next Mine.
func (n *Node) Send(from int, to *common.Address, value *big.Int, data []byte) (*types.Transaction, error) {
	return n.SendTx(n.Keys[from], &types.DynamicFeeTx{To: to, Value: value, Data: data, Gas: 1_000_000})
}

// SendTx signs and sends a transaction of any type; chain id, nonce, and prices that are nil are filled in.
func (n *Node) SendTx(key *ecdsa.PrivateKey, inner types.TxData) (*types.Transaction, error) {
	ctx, from := context.Background(), crypto.PubkeyToAddress(key.PublicKey)
	nonce, ok := n.nonces[from]
	if !ok {
		var err error
		if nonce, err = n.Client.NonceAt(ctx, from, nil); err != nil {
			return nil, err
		}
	}
	if err := n.fill(inner, nonce); err != nil {
		return nil, err
	}
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(n.chainID), inner)
	if err != nil {
		return nil, err
	}
	if err := n.Client.SendTransaction(ctx, tx); err != nil {
		return nil, err
	}
	n.nonces[from] = nonce + 1
	// The pool makes it ready for a block in its own time; a transaction that it
	// holds back is not waited for long.
	for end := time.Now().Add(200 * time.Millisecond); !n.ready(from, tx) && time.Now().Before(end); {
		time.Sleep(100 * time.Microsecond)
	}
	return tx, nil
}

// ready reports that the pool would put the transaction into the next block.
func (n *Node) ready(from common.Address, tx *types.Transaction) bool {
	pending, _ := n.backend.TxPool().ContentFrom(from)
	return slices.ContainsFunc(pending, func(p *types.Transaction) bool { return p.Hash() == tx.Hash() })
}

func (n *Node) fill(inner types.TxData, nonce uint64) error {
	price, tip := big.NewInt(100*params.GWei), big.NewInt(2*params.GWei)
	switch tx := inner.(type) {
	case *types.LegacyTx:
		tx.Nonce, tx.Value = nonce, orZero(tx.Value)
		if tx.GasPrice == nil {
			tx.GasPrice = price
		}
	case *types.AccessListTx:
		tx.ChainID, tx.Nonce, tx.Value = n.chainID, nonce, orZero(tx.Value)
		if tx.GasPrice == nil {
			tx.GasPrice = price
		}
	case *types.DynamicFeeTx:
		tx.ChainID, tx.Nonce, tx.Value = n.chainID, nonce, orZero(tx.Value)
		if tx.GasFeeCap == nil {
			tx.GasFeeCap, tx.GasTipCap = price, tip
		}
	default:
		return errors.New("gethtest: a type of transaction that it cannot fill in")
	}
	return nil
}

func orZero(v *big.Int) *big.Int {
	if v == nil {
		return new(big.Int)
	}
	return v
}

// Deploy makes a contract from its creation code; it is there after the next Mine.
func (n *Node) Deploy(from int, code []byte, value *big.Int) (common.Address, *types.Transaction, error) {
	tx, err := n.SendTx(n.Keys[from], &types.DynamicFeeTx{Value: value, Data: code, Gas: 5_000_000})
	if err != nil {
		return common.Address{}, nil, err
	}
	return crypto.CreateAddress(n.Account(from), tx.Nonce()), tx, nil
}

// Withdraw queues a payment by the consensus layer, in gwei, for the next block.
func (n *Node) Withdraw(to common.Address, gwei uint64) error {
	return n.RPC.Call(nil, "dev_addWithdrawal", &types.Withdrawal{Index: gwei, Validator: 7, Address: to, Amount: gwei})
}
