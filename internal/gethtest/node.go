package gethtest

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/eth/tracers"
	_ "github.com/ethereum/go-ethereum/eth/tracers/native" // callTracer
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
)

// Options shape the chain. The zero value is a chain with id 1337 on every fork
// that mainnet has, where ten accounts hold 1,000 ether each.
type Options struct {
	ChainID uint64 // 0: 1337
	// BeforeCancun leaves out Cancun and what came after: contracts then vanish when they self-destruct.
	BeforeCancun bool
	// WithoutDebug leaves out the debug namespace, as hosted nodes do.
	WithoutDebug bool
}

// Node is a running node.
type Node struct {
	URL    string
	Client *ethclient.Client
	RPC    *rpc.Client
	Keys   []*ecdsa.PrivateKey // of the accounts that hold ether
	Miner  common.Address      // who is paid the tips

	chainID *big.Int
	stack   *node.Node
	beacon  *catalyst.SimulatedBeacon
	backend *eth.Ethereum
	nonces  map[common.Address]uint64
	final   *types.Header // named by Finalize
}

const (
	accounts = 10
	gasLimit = 60_000_000
)

// Start runs a node until Close.
func Start(o Options) (*Node, error) {
	log.SetDefault(log.NewLogger(slog.DiscardHandler))
	n := &Node{
		chainID: new(big.Int).SetUint64(max(o.ChainID, 1)), Miner: common.HexToAddress("0x00000000000000000000000000000000c01bba5e"),
		nonces: map[common.Address]uint64{},
	}
	if o.ChainID == 0 {
		n.chainID.SetUint64(1337)
	}
	for i := range accounts {
		key, err := crypto.ToECDSA(crypto.Keccak256(fmt.Appendf(nil, "gethtest account %d", i)))
		if err != nil {
			return nil, err
		}
		n.Keys = append(n.Keys, key)
	}
	if err := n.start(o); err != nil {
		return nil, errors.Join(fmt.Errorf("gethtest: %w", err), n.Close())
	}
	return n, nil
}

func (n *Node) start(o Options) error {
	modules := []string{"eth", "net", "web3", "debug"}
	if o.WithoutDebug {
		modules = modules[:3]
	}
	var err error
	n.stack, err = node.New(&node.Config{
		P2P: p2p.Config{NoDiscovery: true, NoDial: true}, HTTPHost: "127.0.0.1", HTTPModules: modules, BatchRequestLimit: 1000, BatchResponseMaxSize: 25_000_000,
	})
	if err != nil {
		return err
	}
	conf := ethconfig.Defaults
	conf.SyncMode, conf.TxPool.NoLocals, conf.LogNoHistory = ethconfig.FullSync, true, true
	conf.StateScheme, conf.NoPruning = "hash", true // an archive node: every block can be traced
	conf.TrieCleanCache, conf.TrieDirtyCache, conf.SnapshotCache, conf.DatabaseCache = 16, 16, 8, 16
	if err := n.genesis(&conf, o); err != nil {
		return err
	}
	if n.backend, err = eth.New(n.stack, &conf); err != nil {
		return err
	}
	n.stack.RegisterAPIs(append(tracers.APIs(n.backend.APIBackend), rpc.API{
		Namespace: "eth", Service: filters.NewFilterAPI(filters.NewFilterSystem(n.backend.APIBackend, filters.Config{})),
	}))
	// A period, whose loop nobody starts, keeps the beacon from mining by itself whenever something is sent.
	if n.beacon, err = catalyst.NewSimulatedBeacon(1, n.Miner, n.backend); err != nil {
		return err
	}
	catalyst.RegisterSimulatedBeaconAPIs(n.stack, n.beacon)
	if err := n.stack.Start(); err != nil {
		return err
	}
	n.URL, n.RPC = n.stack.HTTPEndpoint(), n.stack.Attach()
	n.Client = ethclient.NewClient(n.RPC)
	return n.beacon.Fork(n.backend.BlockChain().GetCanonicalHash(0))
}

// genesis goes through JSON, since its type lies in a package that the house rules keep out.
func (n *Node) genesis(conf *ethconfig.Config, o Options) error {
	chain := *params.AllDevChainProtocolChanges
	chain.ChainID, chain.BogotaTime = n.chainID, nil
	if o.BeforeCancun {
		chain.CancunTime, chain.PragueTime, chain.OsakaTime, chain.BlobScheduleConfig = nil, nil, nil, nil
	}
	alloc := types.GenesisAlloc{
		params.BeaconRootsAddress:        {Nonce: 1, Code: params.BeaconRootsCode, Balance: common.Big0},
		params.HistoryStorageAddress:     {Nonce: 1, Code: params.HistoryStorageCode, Balance: common.Big0},
		params.WithdrawalQueueAddress:    {Nonce: 1, Code: params.WithdrawalQueueCode, Balance: common.Big0},
		params.ConsolidationQueueAddress: {Nonce: 1, Code: params.ConsolidationQueueCode, Balance: common.Big0},
	}
	for _, key := range n.Keys {
		alloc[crypto.PubkeyToAddress(key.PublicKey)] = types.Account{Balance: new(big.Int).Mul(big.NewInt(1_000), big.NewInt(params.Ether))}
	}
	text, err := json.Marshal(map[string]any{
		"config": &chain, "alloc": alloc, "gasLimit": hexutil.Uint64(gasLimit), "difficulty": "0x0", "baseFeePerGas": "0x3b9aca00",
	})
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &conf.Genesis)
}

// Close ends the node.
func (n *Node) Close() error {
	var err error
	if n.beacon != nil {
		err = n.beacon.Stop()
	}
	if n.RPC != nil {
		n.RPC.Close()
	}
	if n.stack != nil {
		err = errors.Join(err, n.stack.Close())
	}
	return err
}

// Mine seals a block with what was sent, and returns its header.
func (n *Node) Mine() (*types.Header, error) {
	n.beacon.Commit()
	if n.final != nil {
		n.Finalize(n.final)
	}
	return n.Client.HeaderByNumber(context.Background(), nil)
}

// Later seals an empty block that is that much later than its parent.
func (n *Node) Later(d time.Duration) error {
	if err := n.backend.TxPool().Sync(); err != nil { // it takes notice of what was mined in its own time
		return err
	}
	return n.beacon.AdjustTime(d)
}

// Left reports that something that was sent is in no block yet: the pool works
// in its own time, and Mine may come before it.
func (n *Node) Left() (bool, error) {
	for a, nonce := range n.nonces {
		mined, err := n.Client.NonceAt(context.Background(), a, nil)
		if err != nil || mined < nonce {
			return true, err
		}
	}
	return false, nil
}

// Fork makes an earlier block the head; what is mined next replaces the blocks
// after it. Transactions that were sent and not mined, and those of the blocks
// that are left, are dropped.
func (n *Node) Fork(parent common.Hash) error {
	n.beacon.Rollback()
	if err := n.beacon.Fork(parent); err != nil {
		return err
	}
	clear(n.nonces)
	if err := n.backend.TxPool().Sync(); err != nil {
		return err
	}
	n.beacon.Rollback()
	return n.backend.TxPool().Sync()
}

// Finalize names a block as finalized (and safe), as a consensus client would.
// Without it block 0 is, and from 32 on every 32nd block. While Mine is at work
// that is what the node says for a moment: do not ask it for its head meanwhile.
func (n *Node) Finalize(h *types.Header) {
	n.final = h
	n.backend.BlockChain().SetFinalized(h)
	n.backend.BlockChain().SetSafe(h)
}
