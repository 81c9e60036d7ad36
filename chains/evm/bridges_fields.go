package evm

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/spoortrace/spoor/ledger"
)

// network reads the protocol's number of a network; empty for one that has no name here.
func (p *protocol) network(number string) ledger.Chain {
	if c, ok := p.numbers[number]; ok || !p.eip155 {
		return c
	}
	id, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return ""
	}
	for _, c := range eip155Networks() {
		if params, _ := c.Params(); params.ChainID == id {
			return c
		}
	}
	c, err := ledger.ParseChain("evm-" + number)
	if err != nil {
		return ""
	}
	return c
}

// eip155Networks are those that have a name besides evm-CHAINID.
func eip155Networks() []ledger.Chain {
	return []ledger.Chain{"ethereum", "bnb", "polygon", "arbitrum", "base", "tron", "tron-nile"}
}

// fields reads a log with its companion; false when it is not the event.
func (r *reading) fields(e *bridgeEvent, at int) (map[string]field, bool) {
	fields, ok := e.decode(r.logs[at])
	if !ok || !r.companion(e, at, fields) {
		return nil, false
	}
	for name, role := range e.where {
		v := fields[name]
		if !v.isAddress || !slices.Contains(e.protocol.contracts[r.tx.Chain][role], common.Address(v.address)) {
			return nil, false
		}
	}
	for name, pattern := range e.match {
		groups := pattern.FindStringSubmatch(fields[name].text)
		if groups == nil {
			return nil, false
		}
		for i, group := range pattern.SubexpNames() {
			if group != "" {
				fields[group] = textField(groups[i])
			}
		}
	}
	return fields, true
}

// textField is what a regular expression found: 40 hex digits are an address.
func textField(text string) field {
	f := field{text: strings.ToLower(text)}
	if b, err := hex.DecodeString(f.text); err == nil && len(b) == 20 {
		f.address, f.isAddress = [20]byte(b), true
	}
	return f
}

// companion adds the fields of the nearest log on the stated side that a
// contract of the role wrote; false when there is none.
func (r *reading) companion(e *bridgeEvent, at int, fields map[string]field) bool {
	if e.with == nil {
		return true
	}
	step := -1
	if e.with.after {
		step = 1
	}
	for i := at + step; i >= 0 && i < len(r.logs); i += step {
		if !slices.Contains(e.protocol.contracts[r.tx.Chain][e.with.role], r.logs[i].Address) {
			continue
		}
		more, ok := e.with.decode(r.logs[i])
		if !ok {
			continue
		}
		for name, v := range more {
			fields["with."+name] = v
		}
		fields["with"] = field{address: r.logs[i].Address, isAddress: true}
		return true
	}
	return false
}

// counter is the protocol's side of the transfer: the contract that where
// names, or the companion's, else the one that wrote the log.
func (e *bridgeEvent) counter(fields map[string]field, emitter common.Address) common.Address {
	for name := range e.where {
		return fields[name].address
	}
	if e.with != nil {
		return fields["with"].address
	}
	return emitter
}

// ref is PROTOCOL:ID. An id of zeros alone names nothing (a ride in a shared
// message): such a notice has a ref of its own, which nothing matches.
func (e *bridgeEvent) ref(r *reading, fields map[string]field, at int) string {
	var parts []string
	empty := true
	for _, name := range e.id {
		var text string
		switch name {
		case "$tx":
			text = r.tx.ID.String()
		case "$own":
			parts, empty = append(parts, e.protocol.number(r.tx.Chain)), false
			continue
		case "$contract":
			text = hex.EncodeToString(r.logs[at].Address[:])
		default:
			f := fields[name]
			if text = f.text; f.isAddress {
				text = hex.EncodeToString(f.address[:])
			}
		}
		empty = empty && strings.Trim(text, "0") == ""
		parts = append(parts, text)
	}
	if empty {
		return fmt.Sprintf("%s:none/%s/%d", e.protocol.name, r.tx.ID, r.logs[at].Index)
	}
	return e.protocol.name + ":" + strings.Join(parts, "/")
}

// number is the protocol's own number of a network.
func (p *protocol) number(c ledger.Chain) string {
	if n, ok := p.own[c]; ok {
		return n
	}
	params, _ := c.Params()
	return strconv.FormatUint(params.ChainID, 10)
}
