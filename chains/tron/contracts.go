package tron

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// The types of contract that this package reads further than their owner, by
// java-tron's numbers.
const (
	typeAccountCreate    = 0
	typeTransfer         = 1
	typeTransferAsset    = 2
	typeAccountUpdate    = 10
	typeFreeze           = 11
	typeUnfreeze         = 12
	typeWithdrawBalance  = 13
	typeSetAccountID     = 19
	typeCreateSmart      = 30
	typeTriggerSmart     = 31
	typePermissionUpdate = 46
	typeDelegate         = 57
	typeUnDelegate       = 58
)

// manner is how a type of contract is treated.
type manner uint8

const (
	mannerUnknown manner = iota // marks the block
	mannerRead                  // what it does is read
	mannerStill                 // it moves nothing but the fee
	mannerOpaque                // it moves TRX or TRC-10 in ways that are not followed
)

// mannerOf says how a type is treated.
func mannerOf(kind int32) manner {
	switch kind {
	case typeAccountCreate, typeTransfer, typeTransferAsset, typeFreeze, typeUnfreeze, typeWithdrawBalance, typeCreateSmart, typeTriggerSmart, typePermissionUpdate, typeDelegate, typeUnDelegate:
		return mannerRead
	case 3, 4, 5, 8, // VoteAsset, VoteWitness, WitnessCreate, WitnessUpdate
		typeAccountUpdate,
		15, 16, 17, 18, // UpdateAsset, proposals
		typeSetAccountID, 33, 45, 48, 49, // UpdateSetting, UpdateEnergyLimit, ClearABI, UpdateBrokerage
		54, 55, 56, 59: // FreezeBalanceV2, UnfreezeBalanceV2, WithdrawExpireUnfreeze, CancelAllUnfreezeV2
		return mannerStill
	case 6, 9, 14, // AssetIssue, ParticipateAssetIssue, UnfreezeAsset
		41, 42, 43, 44, // exchanges
		51, 52, 53: // ShieldedTransfer, MarketSellAsset, MarketCancelOrder
		return mannerOpaque
	}
	return mannerUnknown
}

// ownerOf is who signed the contract and pays its fee.
func ownerOf(c *protocol.Contract) ([]byte, error) {
	v := c.GetParameter().GetValue()
	switch c.GetType() {
	case typeTransferAsset:
		var m protocol.TransferAssetContract
		err := proto.Unmarshal(v, &m)
		return m.GetOwnerAddress(), err
	case typeAccountUpdate, typeSetAccountID:
		var m protocol.Named
		err := proto.Unmarshal(v, &m)
		return m.GetOwnerAddress(), err
	}
	var m protocol.Owned
	err := proto.Unmarshal(v, &m)
	return m.GetOwnerAddress(), err
}

// account reads 21 bytes that begin with 0x41.
func (b *build) account(p []byte) (ledger.Address, error) {
	if len(p) != 21 || p[0] != 0x41 {
		return ledger.Address{}, fmt.Errorf("want an address of 21 bytes that begins with 41, got %x", p)
	}
	return ledger.AccountAddress(b.chain, [20]byte(p[1:])), nil
}

// trc10 is a TRC-10 token by its id, or, before ids came, by its name.
func (b *build) trc10(name string) (ledger.Asset, error) {
	if name == "" || len(name) > 64 || !utf8.ValidString(name) {
		return ledger.Asset{}, fmt.Errorf("want the id of a TRC-10 token, got %q", name)
	}
	if strings.Trim(name, "0123456789") != "" {
		name = "name:" + name
	}
	return ledger.Asset{Chain: b.chain, TokenID: name}, nil
}

func quantity(n int64) (ledger.Amount, error) {
	if n < 0 {
		return ledger.Amount{}, fmt.Errorf("want an amount of at least 0, got %d", n)
	}
	return ledger.NewAmount(uint64(n)), nil
}

// contract adds what the signed contract does; it has succeeded, or its outcome
// is not known and the caller marks it.
func (m *assembly) contract() error {
	v := m.tx.contract.GetParameter().GetValue()
	switch m.tx.contract.GetType() {
	case typeTransfer:
		var c protocol.TransferContract
		if err := proto.Unmarshal(v, &c); err != nil {
			return err
		}
		return m.pay(c.GetToAddress(), c.GetAmount(), m.b.native())
	case typeTransferAsset:
		var c protocol.TransferAssetContract
		if err := proto.Unmarshal(v, &c); err != nil {
			return err
		}
		asset, err := m.b.trc10(string(c.GetAssetName()))
		if err != nil {
			return err
		}
		return m.pay(c.GetToAddress(), c.GetAmount(), asset)
	case typeTriggerSmart:
		var c protocol.TriggerSmartContract
		if err := proto.Unmarshal(v, &c); err != nil {
			return err
		}
		return m.endow(c.GetContractAddress(), c.GetCallValue(), c.GetCallTokenValue(), c.GetTokenId())
	case typeCreateSmart:
		return m.create(v)
	case typeWithdrawBalance:
		return m.reward(m.info.GetWithdrawAmount())
	}
	return m.notices(v)
}

// pay moves an asset from the owner, as he signed.
func (m *assembly) pay(to []byte, value int64, asset ledger.Asset) error {
	payee, err := m.b.account(to)
	if err != nil {
		return err
	}
	if m.b.h.number == 0 && value < 0 {
		return nil // genesis opens the black hole with the least number there is
	}
	amount, err := quantity(value)
	if err != nil {
		return err
	}
	m.move(ledger.Transfer{Kind: ledger.TransferNative, From: m.owner, To: payee, Asset: asset, Amount: amount, Grade: ledger.GradeProven})
	return nil
}

// endow pays a contract what its call carries.
func (m *assembly) endow(contract []byte, value, tokens, id int64) error {
	if value != 0 {
		if err := m.pay(contract, value, m.b.native()); err != nil {
			return err
		}
	}
	if tokens == 0 {
		return nil
	}
	asset, err := m.b.trc10(strconv.FormatInt(id, 10))
	if err != nil {
		return err
	}
	return m.pay(contract, tokens, asset)
}

// create reads the creation of a contract, whose address is in the info alone.
func (m *assembly) create(v []byte) error {
	var c protocol.CreateSmartContract
	if err := proto.Unmarshal(v, &c); err != nil {
		return err
	}
	if m.info == nil {
		return nil // the block is marked as lacking receipts
	}
	at, err := m.b.account(m.info.GetContractAddress())
	if err != nil {
		return err
	}
	m.note(ledger.Notice{Kind: ledger.NoticeCreated, Account: at, Peer: m.owner, Grade: ledger.GradeAttested})
	first := len(m.out.Transfers)
	err = m.endow(m.info.GetContractAddress(), c.GetNewContract().GetCallValue(), c.GetCallTokenValue(), c.GetTokenId())
	for i := range m.out.Transfers[first:] {
		m.out.Transfers[first+i].Grade = ledger.GradeAttested
	}
	return err
}

// reward pays the owner what he earned by votes or blocks; nobody pays it.
func (m *assembly) reward(value int64) error {
	amount, err := quantity(value)
	if err == nil && value > 0 {
		m.move(ledger.Transfer{Kind: ledger.TransferInternal, To: m.owner, Asset: m.b.native(), Amount: amount, Grade: ledger.GradeAttested})
	}
	return err
}

func (m *assembly) notices(v []byte) error {
	switch kind := m.tx.contract.GetType(); kind {
	case typeAccountCreate:
		var c protocol.AccountCreateContract
		if err := proto.Unmarshal(v, &c); err != nil {
			return err
		}
		made, err := m.b.account(c.GetAccountAddress())
		if err == nil {
			m.note(ledger.Notice{Kind: ledger.NoticeActivated, Account: made, Peer: m.owner})
		}
		return err
	case typeDelegate, typeUnDelegate:
		var c protocol.DelegateResourceContract
		if err := proto.Unmarshal(v, &c); err != nil {
			return err
		}
		return m.delegated(kind == typeDelegate, c.GetReceiverAddress(), c.GetBalance(), resource(c.GetResource()))
	case typeFreeze, typeUnfreeze:
		return m.lent(kind == typeFreeze, v)
	case typePermissionUpdate:
		var c protocol.AccountPermissionUpdateContract
		if err := proto.Unmarshal(v, &c); err != nil {
			return err
		}
		ref, err := m.b.keys(&c)
		if err == nil {
			m.note(ledger.Notice{Kind: ledger.NoticePermission, Account: m.owner, Ref: ref})
		}
		return err
	}
	return nil
}

// keys writes permissions in one form: "owner 2: T... 1, T... 1; active 1: T... 1",
// the threshold after the name, the weight after the key, in the order signed.
func (b *build) keys(c *protocol.AccountPermissionUpdateContract) (string, error) {
	var parts []string
	add := func(name string, p *protocol.Permission) error {
		if p == nil {
			return nil
		}
		var keys []string
		for _, k := range p.GetKeys() {
			a, err := b.account(k.GetAddress())
			if err != nil {
				return err
			}
			keys = append(keys, a.String()+" "+strconv.FormatInt(k.GetWeight(), 10))
		}
		parts = append(parts, fmt.Sprintf("%s %d: %s", name, p.GetThreshold(), strings.Join(keys, ", ")))
		return nil
	}
	if err := add("owner", c.GetOwner()); err != nil {
		return "", err
	}
	if err := add("witness", c.GetWitness()); err != nil {
		return "", err
	}
	for _, p := range c.GetActives() {
		if err := add("active", p); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, "; "), nil
}
