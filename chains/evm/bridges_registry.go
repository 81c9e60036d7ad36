package evm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/ledger"
)

// registryFile is the form of bridges.yaml; the head of that file is its manual.
type registryFile struct {
	Wrapped   map[string]string  `yaml:"wrapped"`
	Protocols []registryProtocol `yaml:"protocols"`
}

type registryProtocol struct {
	Name      string              `yaml:"name"`
	About     string              `yaml:"about"`
	Sources   []string            `yaml:"sources"`
	EIP155    bool                `yaml:"eip155"`
	Numbers   map[string][]string `yaml:"numbers"`
	Contracts []registryContract  `yaml:"contracts"`
	Events    []registryEvent     `yaml:"events"`
}

type registryContract struct {
	Network string `yaml:"network"`
	Role    string `yaml:"role"`
	Address string `yaml:"address"`
}

type registryEvent struct {
	Event     string            `yaml:"event"`
	Role      string            `yaml:"role"`
	Direction string            `yaml:"direction"`
	ID        []string          `yaml:"id"`
	Account   string            `yaml:"account"`
	Peer      string            `yaml:"peer"`
	Asset     string            `yaml:"asset"`
	Amount    string            `yaml:"amount"`
	Network   string            `yaml:"network"`
	Where     map[string]string `yaml:"where"`
	Match     map[string]string `yaml:"match"`
	With      *registryWith     `yaml:"with"`
}

type registryWith struct {
	Event string `yaml:"event"`
	Role  string `yaml:"role"`
	Side  string `yaml:"side"`
}

// protocol is a bridge as its logs are read.
type protocol struct {
	name      string
	eip155    bool
	numbers   map[string]ledger.Chain
	own       map[ledger.Chain]string // the protocol's number of a network
	contracts map[ledger.Chain]map[string][]common.Address
}

// bridgeEvent is one event of one protocol.
type bridgeEvent struct {
	protocol *protocol
	kind     ledger.NoticeKind
	signature
	id                                    []string
	account, peer, asset, amount, network string
	where                                 map[string]string // field -> role
	match                                 map[string]*regexp.Regexp
	with                                  *companion
}

// companion is another log of the same transaction that says the rest.
type companion struct {
	signature
	role  string
	after bool
}

func (b *Bridges) load(text []byte) error {
	var f registryFile
	in := yaml.NewDecoder(bytes.NewReader(text))
	in.KnownFields(true)
	if err := in.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return ledger.Invalid("bridges", "a registry of bridges", err.Error())
	}
	for network, a := range f.Wrapped {
		chain, address, err := contractOf(network, a)
		if err != nil {
			return fmt.Errorf("bridges: wrapped: %w", err)
		}
		b.wrapped[chain] = ledger.AccountAddress(chain, address)
	}
	for i, p := range f.Protocols {
		if err := b.protocol(p); err != nil {
			return fmt.Errorf("bridges: protocol %d %q: %w", i+1, p.Name, err)
		}
	}
	return nil
}

func contractOf(network, text string) (ledger.Chain, common.Address, error) {
	chain, err := ledger.ParseChain(network)
	if err == nil && chain.Family() != ledger.FamilyEVM {
		err = ledger.Invalid("network", "an EVM network", network)
	}
	if err != nil {
		return "", common.Address{}, err
	}
	a, err := ledger.ParseAddress(chain, text)
	if err != nil {
		return "", common.Address{}, err
	}
	return chain, common.Address([]byte(a.Payload)), nil
}

func (b *Bridges) protocol(in registryProtocol) error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`).MatchString(in.Name) {
		return ledger.Invalid("name", "small letters, digits and hyphens, at most 32", in.Name)
	}
	p := &protocol{name: in.Name, eip155: in.EIP155, numbers: map[string]ledger.Chain{}, own: map[ledger.Chain]string{}, contracts: map[ledger.Chain]map[string][]common.Address{}}
	for name, numbers := range in.Numbers {
		chain, err := ledger.ParseChain(name)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			if other, ok := p.numbers[n]; ok {
				return ledger.Invalid("numbers", "one network for "+n, string(other)+" and "+name)
			}
			p.numbers[n] = chain
		}
		if len(numbers) > 0 {
			p.own[chain] = numbers[0]
		}
	}
	for i, c := range in.Contracts {
		chain, address, err := contractOf(c.Network, c.Address)
		if err != nil {
			return fmt.Errorf("contract %d: %w", i+1, err)
		}
		if p.contracts[chain] == nil {
			p.contracts[chain] = map[string][]common.Address{}
		}
		p.contracts[chain][c.Role] = append(p.contracts[chain][c.Role], address)
	}
	for i, e := range in.Events {
		event, err := p.event(e)
		if err == nil {
			err = b.add(event, e.Role)
		}
		if err != nil {
			return fmt.Errorf("event %d %q: %w", i+1, e.Event, err)
		}
	}
	return nil
}

// add lists an event under every contract that may write it.
func (b *Bridges) add(e *bridgeEvent, role string) error {
	for chain, roles := range e.protocol.contracts {
		for _, address := range roles[role] {
			at := emitter{chain, address, e.topic}
			for _, other := range b.events[at] {
				if len(other.match) == 0 || len(e.match) == 0 || other.protocol.name != e.protocol.name {
					return ledger.Invalid("contract", "one reading of an event", address.Hex()+" on "+string(chain))
				}
			}
			b.events[at] = append(b.events[at], e)
		}
	}
	return nil
}

func (p *protocol) event(in registryEvent) (*bridgeEvent, error) {
	e := &bridgeEvent{
		protocol: p, id: in.ID, account: in.Account, peer: in.Peer, asset: in.Asset, amount: in.Amount, network: in.Network,
		where: in.Where, match: map[string]*regexp.Regexp{},
	}
	switch in.Direction {
	case "out":
		e.kind = ledger.NoticeBridgeOut
	case "in":
		e.kind = ledger.NoticeBridgeIn
	default:
		return nil, ledger.Invalid("direction", "out or in", in.Direction)
	}
	var err error
	if e.signature, err = parseSignature(in.Event); err != nil {
		return nil, err
	}
	if in.With != nil {
		if in.With.Side != "before" && in.With.Side != "after" {
			return nil, ledger.Invalid("with: side", "before or after", in.With.Side)
		}
		e.with = &companion{role: in.With.Role, after: in.With.Side == "after"}
		if e.with.signature, err = parseSignature(in.With.Event); err != nil {
			return nil, fmt.Errorf("with: %w", err)
		}
		if !p.hasRole(in.With.Role) {
			return nil, ledger.Invalid("with: role", "that of a contract", in.With.Role)
		}
	}
	for field, text := range in.Match {
		if e.match[field], err = regexp.Compile(text); err != nil {
			return nil, ledger.Invalid("match: "+field, "a regular expression", err.Error())
		}
	}
	if !p.hasRole(in.Role) {
		return nil, ledger.Invalid("role", "that of a contract", in.Role)
	}
	return e, e.check()
}

func (p *protocol) hasRole(role string) bool {
	for _, roles := range p.contracts {
		if len(roles[role]) > 0 {
			return true
		}
	}
	return false
}

// check refuses a name that no field has.
func (e *bridgeEvent) check() error {
	known := slices.Clone(e.names)
	if e.with != nil {
		for _, n := range e.with.names {
			known = append(known, "with."+n)
		}
	}
	for f, m := range e.match {
		if !slices.Contains(known, f) {
			return ledger.Invalid("match", "one of "+strings.Join(known, ", "), f)
		}
		for _, group := range m.SubexpNames() {
			if group != "" {
				known = append(known, group)
			}
		}
	}
	if len(e.id) == 0 {
		return ledger.Invalid("id", "the fields that make it", "none")
	}
	special := []string{"$tx", "$own", "$contract"}
	for _, f := range e.id {
		if !slices.Contains(known, f) && !slices.Contains(special, f) {
			return ledger.Invalid("id", "one of "+strings.Join(append(special, known...), ", "), f)
		}
	}
	for f, role := range e.where {
		if !slices.Contains(known, f) || !e.protocol.hasRole(role) {
			return ledger.Invalid("where", "a field, and the role of a contract", f+": "+role)
		}
	}
	for _, f := range []string{e.account, e.peer, e.asset, e.amount, e.network} {
		if f != "" && f != nativeAsset && !slices.Contains(known, f) {
			return ledger.Invalid("field", "one of "+strings.Join(known, ", "), f)
		}
	}
	return nil
}
