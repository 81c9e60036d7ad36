package proof

import (
	"fmt"

	"github.com/spoortrace/spoor/ledger"
)

// ReadRawEthereumBlock reads a block as nodes exchange it (header, transactions
// and more), followed by the RLP list of its receipts.
func ReadRawEthereumBlock(raw []byte) (*EthereumBlock, error) {
	block, rest, err := readItem(raw)
	if err != nil {
		return nil, err
	}
	parts, err := readItems(block.body)
	if err != nil {
		return nil, err
	}
	receipts, rest, err := readItem(rest)
	if err != nil {
		return nil, err
	}
	const least = 3
	if !block.list || !receipts.list || len(rest) > 0 || len(parts) < least || !parts[1].list {
		return nil, ledger.Invalid("ethereum block", "a block and the list of its receipts", fmt.Sprintf("%d parts and %d bytes more", len(parts), len(rest)))
	}
	txs, err := typed(parts[1])
	if err != nil {
		return nil, err
	}
	made, err := typed(receipts)
	if err != nil {
		return nil, err
	}
	return ReadEthereumBlock(parts[0].raw, txs, made)
}

// typed are the bytes of a list's items as EIP-2718 has them: typed ones
// stand in it as strings.
func typed(list item) ([][]byte, error) {
	items, err := readItems(list.body)
	if err != nil {
		return nil, err
	}
	all := make([][]byte, 0, len(items))
	for _, it := range items {
		if it.list {
			all = append(all, it.raw)
			continue
		}
		all = append(all, it.body)
	}
	return all, nil
}
