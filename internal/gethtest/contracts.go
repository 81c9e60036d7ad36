package gethtest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

// The sources lie beside it; compiled with solc 0.8.30, optimizer at 200 runs,
// evmVersion paris, without metadata.
//
//go:embed contracts/contracts.json
var compiled []byte

// Contract is a compiled contract of the folder contracts: Token, Wrapped,
// Tether, Teller, Mortal, Liar, Pool, Router, EagerPool, EagerRouter, Gate.
type Contract struct {
	ABI  abi.ABI
	Code []byte // creation code, without arguments
}

// ContractOf returns the contract of a name.
func ContractOf(name string) (*Contract, error) {
	var all map[string]struct {
		ABI      json.RawMessage `json:"abi"`
		Bytecode hexutil.Bytes   `json:"bytecode"`
	}
	if err := json.Unmarshal(compiled, &all); err != nil {
		return nil, err
	}
	one, ok := all[name]
	if !ok {
		return nil, fmt.Errorf("gethtest: no contract %q", name)
	}
	parsed, err := abi.JSON(bytes.NewReader(one.ABI))
	return &Contract{ABI: parsed, Code: one.Bytecode}, err
}

// Make sends the creation of a contract from the i-th account; it is there after the next Mine.
func (n *Node) Make(from int, name string, value *big.Int, args ...any) (common.Address, error) {
	c, err := ContractOf(name)
	if err != nil {
		return common.Address{}, err
	}
	packed, err := c.ABI.Pack("", args...)
	if err != nil {
		return common.Address{}, err
	}
	at, _, err := n.Deploy(from, append(c.Code, packed...), value)
	return at, err
}

// Call sends a call of a contract's method from the i-th account.
func (n *Node) Call(from int, name string, at common.Address, value *big.Int, method string, args ...any) (*types.Transaction, error) {
	data, err := Pack(name, method, args...)
	if err != nil {
		return nil, err
	}
	return n.Send(from, &at, value, data)
}

// Pack makes the input of a call.
func Pack(name, method string, args ...any) ([]byte, error) {
	c, err := ContractOf(name)
	if err != nil {
		return nil, err
	}
	return c.ABI.Pack(method, args...)
}
