package evaluate

import (
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/spoortrace/spoor/chains/evm"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// connector is where the pairs from Ethereum to BNB lie.
const connector = "graphs/connector-crosschain/data/Validation/ETH-BNB"

// bridgePairs measures crossings on real pairs of deposit and payment.
func bridgePairs(_ context.Context, o Options, m *meter) error {
	if err := bridgesByID(filepath.Join(o.Data, connector, "Multi"), m); err != nil {
		return err
	}
	for _, protocol := range []string{"Celer", "Poly"} {
		if err := bridgesByLikeness(filepath.Join(o.Data, connector, protocol), protocol, m); err != nil {
			return err
		}
	}
	return nil
}

// bridgesByID asks of each payment on BNB which source transaction it names.
func bridgesByID(dir string, m *meter) error {
	bridges, err := evm.NewBridges(evm.BundledBridges())
	if err != nil {
		return err
	}
	labelled := map[string]int{}
	pairs, err := readTable(filepath.Join(dir, "label.csv"))
	if err != nil {
		return err
	}
	for _, r := range pairs {
		labelled["multichain:"+strings.TrimPrefix(r[2], "0x")] = 0
	}
	payments, err := readTable(filepath.Join(dir, "input.csv"))
	if err != nil {
		return err
	}
	stray := 0
	for i, r := range payments {
		l, err := arrival(r[1])
		if err != nil {
			return fmt.Errorf("payment %d: %w", i, err)
		}
		notices := bridges.Notices(&ledger.Tx{Chain: "bnb"}, []*types.Log{l})
		if len(notices) != 1 {
			stray++
			continue
		}
		if _, ok := labelled[notices[0].Ref]; !ok {
			stray++
			continue
		}
		labelled[notices[0].Ref]++
	}
	once := 0
	for _, n := range labelled {
		if n == 1 {
			once++
		}
	}
	m.share("bridge by id", "recall of Multichain's pairs", once, len(labelled), fmt.Sprintf("%d payments named no labelled transaction", stray))
	m.share("bridge by id", "payments of Multichain matched wrongly", stray, len(payments), "")
	return nil
}

// arrival is the log that Multichain's router writes for the call
// anySwapInAuto(bytes32,address,address,uint256,uint256).
func arrival(call string) (*types.Log, error) {
	data, err := hex.DecodeString(strings.TrimPrefix(call, "0x"))
	if err != nil || len(data) < 4+5*32 {
		return nil, ledger.Invalid("input", "a call of five words in hex", call)
	}
	word := func(i int) common.Hash { return common.Hash(data[4+32*i : 36+32*i]) }
	event := crypto.Keccak256Hash([]byte("LogAnySwapIn(bytes32,address,address,uint256,uint256,uint256)"))
	return &types.Log{
		Address: common.HexToAddress("0xd1C5966f9F5Ee6881Ff6b261BBeDa45972B1B5f3"), Topics: []common.Hash{event, word(0), word(1), word(2)},
		Data: append(append([]byte{}, data[4+32*3:4+32*5]...), common.LeftPadBytes([]byte{56}, 32)...),
	}, nil
}

// deposit is one decoded event of sample.json.
type deposit struct {
	Args struct {
		Receiver common.Address
		Amount   json.Number
	}
	Timestamp int64
}

// bridgesByLikeness asks how often the rule of tier T2 tells real deposits apart.
// The data has no payments of these protocols: each is taken to arrive after ten
// minutes with a fee of 0.3 %.
func bridgesByLikeness(dir, protocol string, m *meter) error {
	text, err := os.ReadFile(filepath.Join(dir, "sample.json"))
	if err != nil {
		return err
	}
	var deposits []deposit
	if err := json.Unmarshal(text, &deposits); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	type leg struct {
		sent, received ledger.Amount
		at             time.Duration
	}
	byTo := map[common.Address][]leg{}
	for i, d := range deposits {
		sent, err := ledger.ParseAmount(d.Args.Amount.String())
		if err != nil {
			return fmt.Errorf("%s: deposit %d: %w", dir, i, err)
		}
		received, _ := sent.MulDiv(ledger.NewAmount(997), ledger.NewAmount(1000))
		byTo[d.Args.Receiver] = append(byTo[d.Args.Receiver], leg{sent, received, time.Duration(d.Timestamp) * time.Second})
	}
	found, wrong := 0, 0
	for _, legs := range byTo {
		for i := range legs {
			match, matches := 0, 0
			for j := range legs {
				if tracer.BridgeMatches(legs[i].sent, legs[j].received, legs[j].at+10*time.Minute-legs[i].at) {
					match, matches = j, matches+1
				}
			}
			switch {
			case matches == 1 && match == i:
				found++
			case matches == 1:
				wrong++
			}
		}
	}
	note := "payments are simulated: ten minutes later, 0.3 % less; the data has none"
	m.share("bridge by likeness", "recall of "+protocol+"'s deposits", found, len(deposits), note)
	m.share("bridge by likeness", "deposits of "+protocol+" matched to another's payment", wrong, len(deposits), note)
	return nil
}

// readTable reads a CSV file without its header.
func readTable(name string) ([][]string, error) {
	rows, err := readCSV(name)
	if err != nil {
		return nil, err
	}
	return rows[1:], nil
}

// readCSV reads a CSV file that has a header at least.
func readCSV(name string) ([][]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(rows) == 0 {
		return nil, ledger.Invalid(name, "a header and rows", "nothing")
	}
	return rows, nil
}
