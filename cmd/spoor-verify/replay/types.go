package replay

import (
	"encoding/json"
	"time"
)

// dossier is what the JSON files of a package say, as far as figures follow from it. The field names are those of the format.
type dossier struct {
	cover    cover
	method   method
	payments []payment
	ledger   []row
	record   record
	results  []result
	holdings []holding
	awards   []award
	entities []entity
	requests []request
}

// cover is case.json.
type cover struct {
	Format        int            `json:"format"`
	Case          string         `json:"case"`
	Number        string         `json:"number"`
	Title         string         `json:"title"`
	Authority     string         `json:"authority"`
	Author        string         `json:"author"`
	Demonstration string         `json:"demonstration,omitempty"`
	Redaction     string         `json:"redaction"`
	Supersedes    string         `json:"supersedes,omitempty"`
	Changes       []string       `json:"changes,omitempty"`
	Software      string         `json:"software"`
	AsOf          []block        `json:"as_of"`
	LabelSequence uint64         `json:"label_sequence"`
	RuleVersion   string         `json:"rule_version"`
	Assets        []asset        `json:"assets"`
	Networks      []coverNetwork `json:"networks"`
	Warnings      []string       `json:"warnings"`
}

type coverNetwork struct {
	Network  string   `json:"network"`
	Model    string   `json:"model"`
	Coverage string   `json:"coverage"`
	Detail   string   `json:"detail"`
	Missing  []string `json:"missing,omitempty"`
	Export   bool     `json:"export,omitempty"`
}

type block struct {
	Network string    `json:"network"`
	Height  uint64    `json:"height"`
	Hash    string    `json:"hash"`
	Time    time.Time `json:"time"`
}

type asset struct {
	Asset    string `json:"asset"`
	Symbol   string `json:"symbol"`
	Decimals int    `json:"decimals"`
	Known    bool   `json:"known"`
	Dust     amount `json:"dust"`
}

// method is method.json.
type method struct {
	UTXO       policyText `json:"utxo"`
	Account    policyText `json:"account"`
	Allocation string     `json:"allocation"`
	Compared   []string   `json:"compared"`
	Floor      amount     `json:"floor"`
	Stops      []string   `json:"stops"`
	Limits     struct {
		ServicePayees int `json:"service_payees"`
		AccountEvents int `json:"account_events"`
		Hops          int `json:"hops"`
		Events        int `json:"events"`
	} `json:"limits"`
	Heuristics []heuristic `json:"heuristics"`
	Text       []string    `json:"text"`
}

type policyText struct {
	Name   string `json:"name"`
	About  string `json:"about"`
	Reason string `json:"reason"`
}

type heuristic struct {
	ID    string   `json:"id"`
	Tier  string   `json:"tier"`
	Text  string   `json:"text"`
	Rates []string `json:"rates"`
}

// payment is one of payments.json. Its place in an output's transaction has slot 0.
type payment struct {
	Label   int       `json:"label"`
	Payment string    `json:"payment"`
	Victim  string    `json:"victim"`
	Status  string    `json:"status"`
	Network string    `json:"network"`
	Tx      string    `json:"tx"`
	Index   string    `json:"index"`
	Place   place     `json:"place"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Asset   string    `json:"asset"`
	Amount  amount    `json:"amount"`
	Paid    amount    `json:"paid"`
	Ledger  string    `json:"ledger"`
	Time    time.Time `json:"time"`
	Collide amount    `json:"collided"`
	USD     string    `json:"usd,omitempty"`
	Source  string    `json:"usd_source,omitempty"`
}

// place is where an event stands in its network's order.
type place struct {
	Height  uint64 `json:"height"`
	TxIndex uint32 `json:"tx_index"`
	Slot    uint32 `json:"slot"`
}

type share struct {
	Label  int    `json:"label"`
	Amount amount `json:"amount,omitempty"`
}

// row is a transfer of ledger.json.
type row struct {
	ID         string    `json:"id"`
	Parent     string    `json:"parent,omitempty"`
	Depth      int       `json:"depth"`
	Network    string    `json:"network"`
	Tx         string    `json:"tx"`
	Index      string    `json:"index"`
	Place      place     `json:"place"`
	Block      string    `json:"block"`
	Time       time.Time `json:"time"`
	From       string    `json:"from"`
	FromOthers []string  `json:"from_others,omitempty"`
	To         string    `json:"to"`
	Asset      string    `json:"asset"`
	Amount     amount    `json:"amount"`
	Traced     amount    `json:"traced"`
	Shares     []share   `json:"shares"`
	Class      string    `json:"class"`
	Grade      string    `json:"grade"`
	Why        string    `json:"why"`
	Proof      string    `json:"proof,omitempty"`
	Heuristic  string    `json:"heuristic,omitempty"`
	Tier       string    `json:"tier,omitempty"`
	Confidence int       `json:"confidence,omitempty"`
	Crossing   *crossing `json:"crossing,omitempty"`
	Ends       string    `json:"ends,omitempty"`
	Check      string    `json:"check"`
	USD        string    `json:"usd,omitempty"`
	USDSource  string    `json:"usd_source,omitempty"`
}

type crossing struct {
	Kind      string `json:"kind"`
	Rule      string `json:"rule"`
	Tier      string `json:"tier"`
	ID        string `json:"id,omitempty"`
	AmountIn  amount `json:"amount_in"`
	TracedIn  amount `json:"traced_in,omitempty"`
	Network   string `json:"network"`
	Tx        string `json:"tx"`
	Index     string `json:"index"`
	Place     place  `json:"place"`
	From      string `json:"from"`
	To        string `json:"to"`
	Asset     string `json:"asset"`
	AmountOut amount `json:"amount_out"`
	TracedOut amount `json:"traced_out,omitempty"`
}

// result is one of results.json.
type result struct {
	UTXO      string        `json:"utxo"`
	Account   string        `json:"account"`
	Terminals []terminal    `json:"terminals"`
	Sheets    []sheet       `json:"sheets"`
	Hops      int           `json:"hops"`
	Digest    string        `json:"digest"`
	Inputs    []assumedForm `json:"assumed_inputs,omitempty"`
}

type assumedForm struct {
	Network string `json:"network"`
	Tx      string `json:"tx"`
	Amount  amount `json:"amount"`
}

type terminal struct {
	Row        string    `json:"row,omitempty"`
	Network    string    `json:"network"`
	Address    string    `json:"address"`
	Asset      string    `json:"asset"`
	Traced     amount    `json:"traced"`
	Shares     []share   `json:"shares"`
	Reason     string    `json:"reason"`
	Bucket     string    `json:"bucket"`
	Tx         string    `json:"tx"`
	Index      string    `json:"index"`
	Place      place     `json:"place"`
	Via        string    `json:"via"`
	ArrivedAt  time.Time `json:"arrived_at"`
	BalanceNow amount    `json:"balance_now"`
	Coin       bool      `json:"coin,omitempty"`
	Rests      bool      `json:"rests,omitempty"`
	ClosedAt   *place    `json:"closed_at,omitempty"`
}

type sheet struct {
	Asset     string     `json:"asset"`
	Conserves bool       `json:"conserves"`
	Rows      []sheetRow `json:"rows"`
}

type sheetRow struct {
	Label        int    `json:"label"`
	Seeded       amount `json:"seeded"`
	Collided     amount `json:"collided"`
	ConvertedIn  amount `json:"converted_in"`
	Resting      amount `json:"resting"`
	Stopped      amount `json:"stopped"`
	Burnt        amount `json:"burnt"`
	Fees         amount `json:"fees"`
	ConvertedOut amount `json:"converted_out"`
	Pruned       amount `json:"pruned"`
	Pending      amount `json:"pending"`
}

// holding is a row of holdings.json.
type holding struct {
	ID          string         `json:"id"`
	Network     string         `json:"network"`
	Address     string         `json:"address,omitempty"`
	Account     string         `json:"account,omitempty"`
	Asset       string         `json:"asset"`
	Holder      string         `json:"holder"`
	FreezableBy string         `json:"freezable_by"`
	Reasons     []string       `json:"reasons"`
	Traced      amount         `json:"traced"`
	Low         amount         `json:"low"`
	High        amount         `json:"high"`
	Under       []policyAmount `json:"under"`
	Shares      []share        `json:"shares"`
	Victims     []victimShare  `json:"victims"`
	Held        bool           `json:"held"`
	BalanceNow  amount         `json:"balance_now,omitempty"`
	Unexplained amount         `json:"unexplained,omitempty"`
	Missing     amount         `json:"missing,omitempty"`
	FirstSeen   time.Time      `json:"first_seen,omitzero"`
	LastSeen    time.Time      `json:"last_seen,omitzero"`
	Minutes     int64          `json:"minutes"`
	Via         []string       `json:"via,omitempty"`
	Entity      string         `json:"entity,omitempty"`
	Contact     string         `json:"contact,omitempty"`
	Rows        []string       `json:"rows"`
	Recoverable amount         `json:"recoverable"`
	Seized      amount         `json:"seized,omitempty"`
	USD         string         `json:"usd,omitempty"`
	USDSource   string         `json:"usd_source,omitempty"`
	Check       string         `json:"check"`
}

type policyAmount struct {
	Policy string `json:"policy"`
	Traced amount `json:"traced"`
}

type victimShare struct {
	Victim string `json:"victim"`
	Amount amount `json:"amount"`
}

// award is a line of restitution.json.
type award struct {
	Victim    string `json:"victim"`
	Asset     string `json:"asset"`
	Lost      amount `json:"lost"`
	Traced    amount `json:"traced"`
	Allocated amount `json:"allocated"`
}

type entity struct {
	ID           string        `json:"id"`
	Name         string        `json:"name"`
	Category     string        `json:"category"`
	Addresses    []string      `json:"addresses"`
	Evidence     []attribution `json:"evidence"`
	Alternatives []attribution `json:"alternatives,omitempty"`
}

type attribution struct {
	Address    string    `json:"address"`
	Label      string    `json:"label"`
	Category   string    `json:"category"`
	Actor      string    `json:"actor,omitempty"`
	Source     string    `json:"source"`
	Pack       string    `json:"pack,omitempty"`
	Confidence int       `json:"confidence"`
	LastMod    time.Time `json:"last_modified,omitzero"`
	Recorded   time.Time `json:"recorded,omitzero"`
	Sequence   uint64    `json:"sequence"`
	Private    bool      `json:"private,omitempty"`
}

type request struct {
	ID       string   `json:"id"`
	Kind     string   `json:"kind"`
	To       string   `json:"to"`
	Holdings []string `json:"holdings"`
	Letter   string   `json:"letter"`
}

// record is record.json. What it says of labels, services and notices decides where traces end, which is taken as stated: it is read for its
// form alone.
type record struct {
	Blocks       []block         `json:"blocks"`
	Histories    []history       `json:"histories"`
	Transactions []transaction   `json:"transactions"`
	Balances     []balance       `json:"balances"`
	Services     json.RawMessage `json:"services"`
	Covered      json.RawMessage `json:"covered"`
	Labels       json.RawMessage `json:"labels"`
	Notices      json.RawMessage `json:"notices"`
	Clocks       []clock         `json:"clocks,omitempty"`
	Crossings    []passage       `json:"crossings,omitempty"`
}

type history struct {
	Network  string `json:"network"`
	Address  string `json:"address"`
	Asset    string `json:"asset"`
	From     place  `json:"from"`
	Opening  amount `json:"opening"`
	Deficit  amount `json:"deficit"`
	To       place  `json:"to"`
	Events   []flow `json:"events"`
	Complete bool   `json:"complete"`
}

type flow struct {
	Place  place  `json:"place"`
	Kind   string `json:"kind"`
	From   string `json:"from"`
	To     string `json:"to"`
	Amount amount `json:"amount"`
}

type transaction struct {
	Network   string     `json:"network"`
	Tx        string     `json:"tx"`
	Height    uint64     `json:"height"`
	TxIndex   uint32     `json:"tx_index"`
	Time      time.Time  `json:"time"`
	Status    string     `json:"status"`
	Grade     string     `json:"grade"`
	Coinbase  bool       `json:"coinbase,omitempty"`
	Inputs    []input    `json:"inputs,omitempty"`
	Outputs   []output   `json:"outputs,omitempty"`
	Transfers []transfer `json:"transfers,omitempty"`
	Notices   []notice   `json:"notices,omitempty"`
}

type input struct {
	Tx      string `json:"tx"`
	Index   uint32 `json:"index"`
	Height  uint64 `json:"height"`
	TxIndex uint32 `json:"tx_index"`
	Known   bool   `json:"known"`
	Address string `json:"address,omitempty"`
	Value   amount `json:"value,omitempty"`
}

type output struct {
	Address string `json:"address"`
	Value   amount `json:"value"`
	Spent   *txAt  `json:"spent,omitempty"`
}

type txAt struct {
	Height  uint64 `json:"height"`
	TxIndex uint32 `json:"tx_index"`
}

type transfer struct {
	Index  uint32 `json:"index"`
	Slot   uint32 `json:"slot"`
	Kind   string `json:"kind"`
	From   string `json:"from"`
	To     string `json:"to"`
	Asset  string `json:"asset"`
	Amount amount `json:"amount"`
	Status string `json:"status"`
	Grade  string `json:"grade"`
}

type notice struct {
	Slot     uint32 `json:"slot"`
	Kind     string `json:"kind"`
	Account  string `json:"account"`
	Peer     string `json:"peer,omitempty"`
	Contract string `json:"contract,omitempty"`
	Asset    string `json:"asset,omitempty"`
	Amount   amount `json:"amount"`
	Network  string `json:"network,omitempty"`
	Ref      string `json:"ref,omitempty"`
	Grade    string `json:"grade"`
}

type balance struct {
	Network string `json:"network"`
	Address string `json:"address"`
	Asset   string `json:"asset"`
	Amount  amount `json:"amount"`
	Deficit amount `json:"deficit"`
}

type clock struct {
	Network string `json:"network"`
	Height  uint64 `json:"height"`
	Time    int64  `json:"time"`
}

// passage is a transfer that goes on in another asset or network.
type passage struct {
	Network  string   `json:"network"`
	Tx       string   `json:"tx"`
	Index    string   `json:"index"`
	Place    place    `json:"place"`
	Asset    string   `json:"asset"`
	Crossing crossing `json:"crossing"`
}
