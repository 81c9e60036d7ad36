package evm

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/spoortrace/spoor/ledger"
)

// signature is an event as Solidity declares it.
type signature struct {
	topic   common.Hash
	indexed []abi.Argument // by name and type
	data    abi.Arguments
	names   []string // of every field; those of a tuple as TUPLE.FIELD
}

// parseSignature reads NAME(TYPE [indexed] NAME, ...); a tuple is written (TYPE
// NAME, ...) NAME. Every field has a name of its own. Indexed fields are of
// static types, since of others a log has the hash alone.
func parseSignature(text string) (signature, error) {
	name, rest, ok := strings.Cut(strings.TrimSpace(text), "(")
	if !ok || !strings.HasSuffix(rest, ")") || !regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`).MatchString(name) {
		return signature{}, ledger.Invalid("event", "NAME(TYPE [indexed] NAME, ...)", text)
	}
	params, err := parseParams(strings.TrimSuffix(rest, ")"))
	if err != nil {
		return signature{}, err
	}
	var s signature
	var kinds []string
	for _, p := range params {
		kinds = append(kinds, p.selector())
		t, err := abi.NewType(p.kind(), "", p.components())
		if err != nil {
			return signature{}, ledger.Invalid("event", "types of the ABI", p.text+": "+err.Error())
		}
		arg := abi.Argument{Name: p.name, Type: t, Indexed: p.indexed}
		switch {
		case !p.indexed:
			s.data = append(s.data, arg)
		case t.T == abi.IntTy || t.T == abi.UintTy || t.T == abi.BoolTy || t.T == abi.AddressTy || t.T == abi.FixedBytesTy:
			s.indexed = append(s.indexed, arg)
		default:
			return signature{}, ledger.Invalid("event", "indexed fields of static types", p.text)
		}
		s.names = append(s.names, p.fields()...)
	}
	for i, n := range s.names {
		for _, m := range s.names[:i] {
			if m == n {
				return signature{}, ledger.Invalid("event", "a name for each field", text)
			}
		}
	}
	if len(s.indexed) > 3 {
		return signature{}, ledger.Invalid("event", "at most three indexed fields", text)
	}
	s.topic = crypto.Keccak256Hash([]byte(name + "(" + strings.Join(kinds, ",") + ")"))
	return s, nil
}

// param is one field of an event or of a tuple.
type param struct {
	text, base, name string
	indexed          bool
	tuple            []param
}

func parseParams(text string) ([]param, error) {
	var all []param
	for _, part := range splitParams(text) {
		p := param{text: strings.TrimSpace(part)}
		words := p.text
		if strings.HasPrefix(words, "(") {
			end := strings.LastIndex(words, ")")
			if end < 0 {
				return nil, ledger.Invalid("event", "a closing bracket", p.text)
			}
			var err error
			if p.tuple, err = parseParams(words[1:end]); err != nil {
				return nil, err
			}
			words = "tuple" + words[end+1:]
		}
		fields := strings.Fields(words)
		if len(fields) == 3 && fields[1] == "indexed" {
			p.indexed, fields = true, []string{fields[0], fields[2]}
		}
		if len(fields) != 2 || p.tuple == nil && strings.HasPrefix(fields[0], "tuple") || strings.ContainsAny(fields[0], "[]") {
			return nil, ledger.Invalid("event", "TYPE [indexed] NAME; no arrays", p.text)
		}
		p.base, p.name = fields[0], fields[1]
		if p.base == "uint" || p.base == "int" {
			p.base += "256"
		}
		all = append(all, p)
	}
	return all, nil
}

// splitParams cuts at the commas outside of brackets.
func splitParams(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var parts []string
	depth, start := 0, 0
	for i, ch := range text {
		switch {
		case ch == '(':
			depth++
		case ch == ')':
			depth--
		case ch == ',' && depth == 0:
			parts, start = append(parts, text[start:i]), i+1
		}
	}
	return append(parts, text[start:])
}

func (p param) kind() string { return p.base }

func (p param) selector() string {
	if p.tuple == nil {
		return p.base
	}
	var kinds []string
	for _, q := range p.tuple {
		kinds = append(kinds, q.selector())
	}
	return "(" + strings.Join(kinds, ",") + ")"
}

func (p param) components() []abi.ArgumentMarshaling {
	var all []abi.ArgumentMarshaling
	for _, q := range p.tuple {
		all = append(all, abi.ArgumentMarshaling{Name: q.name, Type: q.kind(), Components: q.components()})
	}
	return all
}

func (p param) fields() []string {
	if p.tuple == nil {
		return []string{p.name}
	}
	var names []string
	for _, q := range p.tuple {
		for _, n := range q.fields() {
			names = append(names, p.name+"."+n)
		}
	}
	return names
}

// field is a value of an event, in the forms in which a notice needs it.
type field struct {
	text      string // numbers in decimal, bytes in hex without 0x, text as it is
	amount    ledger.Amount
	isAmount  bool
	address   [20]byte // of an address, of 20 bytes, or of 32 with twelve zeros before it
	isAddress bool
}

// decode reads a log that is exactly this event: the number of topics, and
// data that encodes again to the same bytes.
func (s *signature) decode(l *types.Log) (map[string]field, bool) {
	if len(l.Topics) != len(s.indexed)+1 || l.Topics[0] != s.topic {
		return nil, false
	}
	out := map[string]field{}
	for i, arg := range s.indexed {
		one := abi.Arguments{arg}
		one[0].Indexed = false
		if !unpack(one, l.Topics[i+1][:], out) {
			return nil, false
		}
	}
	return out, unpack(s.data, l.Data, out)
}

func unpack(args abi.Arguments, data []byte, out map[string]field) bool {
	values, err := args.UnpackValues(data)
	if err != nil {
		return false
	}
	again, err := args.PackValues(values)
	if err != nil || !bytes.Equal(again, data) {
		return false
	}
	for i, arg := range args {
		flatten(arg.Name, arg.Type, reflect.ValueOf(values[i]), out)
	}
	return true
}

// flatten puts a value, or those of a tuple, into the fields.
func flatten(name string, t abi.Type, v reflect.Value, out map[string]field) {
	if t.T == abi.TupleTy {
		for i, part := range t.TupleElems {
			flatten(name+"."+t.TupleRawNames[i], *part, v.Field(i), out)
		}
		return
	}
	out[name] = fieldOf(v.Interface())
}

func fieldOf(v any) field {
	switch v := v.(type) {
	case common.Address:
		return field{text: hex.EncodeToString(v[:]), address: v, isAddress: true}
	case string:
		return field{text: v}
	case bool:
		return field{text: map[bool]string{false: "0", true: "1"}[v]}
	case []byte:
		return bytesField(v)
	case *big.Int:
		return numberField(v)
	}
	value := reflect.ValueOf(v)
	if value.Kind() == reflect.Array { // bytes1 to bytes32
		b := make([]byte, value.Len())
		reflect.Copy(reflect.ValueOf(b), value)
		return bytesField(b)
	}
	n, _ := new(big.Int).SetString(fmt.Sprint(v), 10) // what is left are numbers of up to 64 bits
	return numberField(n)
}

func numberField(n *big.Int) field {
	f := field{text: n.String()}
	if n.Sign() >= 0 {
		a, err := ledger.AmountFromBytes(n.Bytes())
		f.amount, f.isAmount = a, err == nil
	}
	return f
}

func bytesField(b []byte) field {
	f := field{text: hex.EncodeToString(b)}
	if len(b) == 20 || len(b) == 32 && bytes.Equal(b[:12], make([]byte, 12)) {
		f.address, f.isAddress = [20]byte(b[len(b)-20:]), true
	}
	return f
}
