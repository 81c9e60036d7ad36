package evm

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/consensus/misc/eip4844"
	"github.com/ethereum/go-ethereum/params"

	"github.com/spoortrace/spoor/ledger"
)

// gasPrice is what each gas cost, computed from the transaction and the base fee.
// A receipt that states another is refused where the chain's rule is known, and
// believed elsewhere.
func (m *assembly) gasPrice() (*big.Int, ledger.Grade, error) {
	price, ok := m.tx.price(m.c.h.BaseFee)
	grade := m.out.Grade
	if m.rec.status == ledger.StatusUnknown {
		grade = max(m.c.grade, m.tx.grade) // the fee was paid in any case
	}
	stated := m.rec.price
	if stated == nil || stated.Cmp(price) == 0 || m.tx.kind == depositType && m.tx.std == nil {
		if !ok {
			return nil, 0, fmt.Errorf("it may pay at most %s for gas, the base fee is %s", m.tx.std.GasFeeCap(), m.c.h.BaseFee)
		}
		return price, grade, nil
	}
	if m.d.rules.exact && m.tx.std != nil {
		return nil, 0, fmt.Errorf("effective gas price %s, want %s", stated, price)
	}
	return stated, max(grade, ledger.GradeAttested), nil
}

// blobFee is burnt beside the gas (EIP-4844). Its price follows from the header
// by a schedule that is known for mainnet, up to this version; otherwise the receipt is believed.
func (m *assembly) blobFee() (*big.Int, ledger.Grade, error) {
	price, grade := m.rec.blobPrice, max(m.out.Grade, ledger.GradeAttested)
	if price == nil {
		return nil, 0, fmt.Errorf("its receipt states no price of blob gas")
	}
	if limit := m.tx.std.BlobGasFeeCap(); price.Cmp(limit) > 0 || price.Sign() == 0 {
		return nil, 0, fmt.Errorf("blob gas at %s, it pays at most %s", price, limit)
	}
	if want := m.d.rules.blobPrice(m.c.h); want != nil && want.Cmp(price) == 0 {
		grade = m.out.Grade
	}
	return new(big.Int).Mul(price, new(big.Int).SetUint64(m.tx.std.BlobGas())), grade, nil
}

// blobPrice is mainnet's price of blob gas, nil where it is not known. The bounds
// keep a header that no chain has from costing time: the price is an exponential.
func (r rules) blobPrice(h *header) *big.Int {
	const most = 1 << 32 // of excess blob gas, at which the price has hundreds of digits
	if r.reward != rewardEthereum || h.ExcessBlobGas == nil || *h.ExcessBlobGas > most || h.Time < *params.MainnetChainConfig.CancunTime {
		return nil
	}
	return eip4844.CalcBlobFee(params.MainnetChainConfig, h.Header)
}
