package evm

import (
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/spoortrace/spoor/ledger"
)

// topics are the first topics of the events that the adapter reads.
type topics struct {
	transfer                               common.Hash
	deposit, withdrawal                    common.Hash // WETH9
	blacklist, unblacklist, destroy        common.Hash // TetherToken
	issue, redeem                          common.Hash
	circleBlacklisted, circleUnblacklisted common.Hash // FiatToken
	// ether writes a Transfer for every movement of the native coin since Amsterdam
	// (EIP-7708). It is no token.
	ether common.Address
}

func newTopics() topics {
	of := func(event string) common.Hash { return crypto.Keccak256Hash([]byte(event)) }
	return topics{
		transfer: of("Transfer(address,address,uint256)"),
		deposit:  of("Deposit(address,uint256)"), withdrawal: of("Withdrawal(address,uint256)"),
		blacklist: of("AddedBlackList(address)"), unblacklist: of("RemovedBlackList(address)"), destroy: of("DestroyedBlackFunds(address,uint256)"),
		issue: of("Issue(uint256)"), redeem: of("Redeem(uint256)"),
		circleBlacklisted: of("Blacklisted(address)"), circleUnblacklisted: of("UnBlacklisted(address)"),
		ether: common.HexToAddress("0xfffffffffffffffffffffffffffffffffffffffe"),
	}
}

// said is what one log says: at most one transfer, and notices.
type said struct {
	moves    bool
	transfer ledger.Transfer
	notices  []ledger.Notice
}

// read decodes a log. caller is who called the contract that wrote it, nil when
// no trace tells; tx is the transaction.
//
// A Transfer is one of ERC-20 if it has exactly three topics, addresses with
// twelve zero bytes before them, and 32 bytes of data. With a fourth topic it is
// ERC-721's, which moves no amount. Events that only an issuer or a wrapped coin
// means so are read from their contracts alone: anybody can write the same.
func (d *decoder) read(l *types.Log, tx *transaction, caller *common.Address) said {
	if len(l.Topics) == 0 || l.Address == d.topics.ether {
		return said{}
	}
	if l.Topics[0] == d.topics.transfer {
		return d.erc20(l)
	}
	switch {
	case slices.Contains(d.rules.wrapped, l.Address):
		return d.wrappedCoin(l)
	case slices.Contains(d.rules.tether, l.Address):
		return d.tetherEvent(l, tx, caller)
	case slices.Contains(d.rules.circle, l.Address):
		return d.circleEvent(l)
	}
	return said{}
}

func (d *decoder) erc20(l *types.Log) said {
	if len(l.Topics) != 3 || len(l.Data) != 32 {
		return said{}
	}
	from, ok1 := word(l.Topics[1])
	to, ok2 := word(l.Topics[2])
	if !ok1 || !ok2 {
		return said{}
	}
	return d.moved(l, from, to, l.Data)
}

// moved makes a token transfer; the zero address is nobody: a mint or a burn.
func (d *decoder) moved(l *types.Log, from, to common.Address, data []byte) said {
	value, err := ledger.AmountFromBytes(data)
	if err != nil {
		return said{}
	}
	return said{moves: true, transfer: ledger.Transfer{
		Kind: ledger.TransferToken, From: d.party(from), To: d.party(to), Asset: d.rules.token(l.Address), Amount: value,
	}}
}

func (d *decoder) party(a common.Address) ledger.Address {
	if a == (common.Address{}) {
		return ledger.Address{}
	}
	return d.rules.address(a)
}

// wrappedCoin reads WETH9's deposit and withdrawal: they change balances without
// a Transfer, so one is made.
func (d *decoder) wrappedCoin(l *types.Log) said {
	if len(l.Topics) != 2 || len(l.Data) != 32 {
		return said{}
	}
	who, ok := word(l.Topics[1])
	if !ok {
		return said{}
	}
	n := ledger.Notice{Account: d.rules.address(who), Contract: d.rules.address(l.Address), Asset: d.rules.token(l.Address)}
	var s said
	switch l.Topics[0] {
	case d.topics.deposit:
		s, n.Kind = d.moved(l, common.Address{}, who, l.Data), ledger.NoticeWrapped
	case d.topics.withdrawal:
		s, n.Kind = d.moved(l, who, common.Address{}, l.Data), ledger.NoticeUnwrapped
	default:
		return said{}
	}
	n.Amount = s.transfer.Amount
	s.notices = []ledger.Notice{n}
	return s
}

// tetherEvent reads what TetherToken does without a Transfer: blocking accounts,
// destroying what they hold, and issuing to and redeeming from its owner.
func (d *decoder) tetherEvent(l *types.Log, tx *transaction, caller *common.Address) said {
	switch l.Topics[0] {
	case d.topics.blacklist, d.topics.unblacklist:
		return d.blocked(l, l.Topics[0] == d.topics.blacklist)
	case d.topics.destroy:
		who, rest, ok := firstAddress(l)
		if !ok || len(rest) != 32 {
			return said{}
		}
		s := d.moved(l, who, common.Address{}, rest)
		s.transfer.Kind = ledger.TransferSeized
		return s
	case d.topics.issue, d.topics.redeem:
		if len(l.Topics) != 1 || len(l.Data) != 32 {
			return said{}
		}
		owner, grade := d.owner(l, tx, caller)
		s := d.moved(l, owner, common.Address{}, l.Data)
		if l.Topics[0] == d.topics.issue {
			s = d.moved(l, common.Address{}, owner, l.Data)
		}
		s.transfer.Grade = grade
		return s
	}
	return said{}
}

// owner is who TetherToken's onlyOwner let in: its caller. Without a trace that
// is the sender when he called it himself, else, inferred, the known owner.
func (d *decoder) owner(l *types.Log, tx *transaction, caller *common.Address) (common.Address, ledger.Grade) {
	switch {
	case tx.to != nil && *tx.to == l.Address:
		return tx.from, ledger.GradeProven
	case caller != nil:
		return *caller, ledger.GradeAttested
	}
	return d.rules.tetherOwner, ledger.GradeInferred
}

func (d *decoder) circleEvent(l *types.Log) said {
	switch l.Topics[0] {
	case d.topics.circleBlacklisted:
		return d.blocked(l, true)
	case d.topics.circleUnblacklisted:
		return d.blocked(l, false)
	}
	return said{}
}

func (d *decoder) blocked(l *types.Log, on bool) said {
	who, rest, ok := firstAddress(l)
	if !ok || len(rest) != 0 {
		return said{}
	}
	kind := ledger.NoticeUnfrozen
	if on {
		kind = ledger.NoticeFrozen
	}
	return said{notices: []ledger.Notice{{
		Kind: kind, Account: d.rules.address(who), Contract: d.rules.address(l.Address), Asset: d.rules.token(l.Address),
	}}}
}

// firstAddress reads an address that is indexed or comes first in the data, and
// returns the data after it.
func firstAddress(l *types.Log) (common.Address, []byte, bool) {
	if len(l.Topics) == 2 {
		a, ok := word(l.Topics[1])
		return a, l.Data, ok
	}
	if len(l.Topics) != 1 || len(l.Data) < 32 {
		return common.Address{}, nil, false
	}
	a, ok := word(common.BytesToHash(l.Data[:32]))
	return a, l.Data[32:], ok
}

// word reads an address of the ABI: twelve zero bytes before it.
func word(h common.Hash) (common.Address, bool) {
	for _, b := range h[:12] {
		if b != 0 {
			return common.Address{}, false
		}
	}
	return common.BytesToAddress(h[12:]), true
}
