package tracer_test

import (
	"context"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// transaction reads "TX @H ..." of either model.
func (s *script) transaction(words []string) {
	s.t.Helper()
	if len(words) < 4 || !strings.HasPrefix(words[1], "@") {
		s.fatal("want TX @HEIGHT and what it moves, got %q", words)
	}
	b := s.block(s.number(words[1][1:]))
	tx := ledger.Tx{ID: txID(words[0]), Chain: s.chain, Pos: ledger.At(b.Ref.Height, uint32(len(b.Txs))), Time: b.Ref.Time}
	s.txs[tx.ID] = words[0]
	rest := strings.Join(words[2:], " ")
	if s.chain.UTXO() {
		from, to, _ := strings.Cut(rest, "->")
		s.inputs(&tx, from)
		s.outputs(&tx, to)
	} else {
		for i, part := range strings.Split(rest, ";") {
			tx.Transfers = append(tx.Transfers, s.transfer(i, strings.Fields(part)))
		}
	}
	b.Txs = append(b.Txs, tx)
}

// transfer reads "FROM -> TO AMOUNT [fee|failed|native|unknown|ASSET]".
func (s *script) transfer(i int, words []string) ledger.Transfer {
	s.t.Helper()
	if len(words) < 4 || words[1] != "->" {
		s.fatal("want FROM -> TO AMOUNT, got %q", words)
	}
	t := ledger.Transfer{
		Index: uint32(i), Slot: uint32(i), From: s.person(words[0]), To: s.person(words[2]),
		Asset: s.asset, Amount: ledger.NewAmount(s.number(words[3])),
	}
	if t.Asset.Native() {
		t.Kind = ledger.TransferNative
	}
	for _, word := range words[4:] {
		switch word {
		case "fee":
			t.Kind = ledger.TransferFee
		case "failed":
			t.Status = ledger.StatusFailed
		case "unknown":
			t.Status = ledger.StatusUnknown
		default:
			t.Asset = s.assetOf(word)
		}
	}
	return t
}

// inputs reads "coinbase", or inputs with + between them: TX:INDEX, "?NAME"
// that nobody knows, "?NAME=VALUE" that only undo data knows.
func (s *script) inputs(tx *ledger.Tx, text string) {
	for _, word := range strings.Split(text, "+") {
		word = strings.TrimSpace(word)
		outside, unknown := strings.CutPrefix(word, "?")
		switch {
		case word == "coinbase":
			tx.Coinbase, tx.Inputs = true, []ledger.Input{{}}
		case unknown:
			name, value, known := strings.Cut(outside, "=")
			in := ledger.Input{Prev: ledger.OutPoint{Tx: txID("outside " + name)}, Known: known}
			if known {
				in.Value, in.Address = ledger.NewAmount(s.number(value)), s.person(name)
			}
			tx.Inputs = append(tx.Inputs, in)
		default:
			name, index, _ := strings.Cut(word, ":")
			tx.Inputs = append(tx.Inputs, ledger.Input{Prev: ledger.OutPoint{Tx: txID(name), Index: uint32(s.number(index))}})
		}
	}
}

func (s *script) outputs(tx *ledger.Tx, text string) {
	for _, part := range strings.Split(text, ",") {
		words := strings.Fields(part)
		if len(words) != 2 {
			s.fatal("want OWNER VALUE, got %q", part)
		}
		tx.Outputs = append(tx.Outputs, ledger.Output{Address: s.person(words[0]), Value: ledger.NewAmount(s.number(words[1]))})
	}
}

// request reads seeds (TX, TX:INDEX, each with =AMOUNT for a part) and limits.
func (s *script) request(idx tracer.Index, words []string) (tracer.Request, bool) {
	req := tracer.Request{
		Policy: policyOf(s.t, "dirty-first"), Floors: map[ledger.Asset]ledger.Amount{s.asset: {}},
		Through: map[ledger.Address]bool{}, StopAt: map[ledger.Address]bool{},
	}
	bounds := false
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "policy":
			req.Policy = policyOf(s.t, value)
		case "floor":
			delete(req.Floors, s.asset)
			if value != "dust" {
				req.Floors[s.asset] = ledger.NewAmount(s.number(value))
			}
		case "payees":
			req.ServicePayees = int(s.number(value))
		case "events":
			req.AccountEvents = int(s.number(value))
		case "hops":
			req.Hops = int(s.number(value))
		case "budget":
			req.Events = int(s.number(value))
		case "through":
			req.Through[s.person(value)] = true
		case "stop":
			req.StopAt[s.person(value)] = true
		case "fees":
			req.FeesToCoinbase = value == "coinbase"
		case "bounds":
			bounds = true
		case "upstream":
		default:
			req.Seeds = append(req.Seeds, s.seedsOf(idx, key, value)...)
		}
	}
	return req, bounds
}

func (s *script) seedsOf(idx tracer.Index, name, amount string) []tracer.Seed {
	s.t.Helper()
	tx, pick, _ := strings.Cut(name, ":")
	text := string(s.chain) + ":" + txID(tx).String()
	if pick != "" {
		text += ":" + pick
	}
	ref, err := tracer.ParseRef(text)
	if err != nil {
		s.fatal("%v", err)
	}
	seeds, err := tracer.Resolve(context.Background(), idx, nil, ref, nil)
	if err != nil {
		s.fatal("%v", err)
	}
	if amount != "" {
		seeds[0].Amount = ledger.NewAmount(s.number(amount))
	}
	return seeds
}
