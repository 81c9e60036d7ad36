package evidence

import (
	"encoding/json"
	"time"
)

// Format is the version of the files that this program writes.
const Format = 1

// Dossier is a finished case. Amounts are decimal strings of base units; times
// are UTC; networks, addresses and hashes are as their users print them; an
// asset is NETWORK:native or NETWORK:CONTRACT and is described in Cover.Assets.
type Dossier struct {
	Cover     Cover      // case.json
	Method    Method     // method.json
	Payments  []Payment  // payments.json
	Personal  []Personal // personal.json
	Ledger    []Row      // ledger.json
	Record    Record     // record.json
	Results   []Result   // results.json, that of the case's policies first
	Holdings  []Holding  // holdings.json
	Shares    []Award    // restitution.json
	Entities  []Entity   // entities.json
	Requests  []Request  // requests.json
	Proofs    []Proof    // proofs/, one file each
	Custody   Custody    // custody.json
	Reproduce Reproduce  // reproduce.json
}

// Cover says what the package is about.
type Cover struct {
	Format        int       `json:"format"`
	Case          string    `json:"case"`   // id
	Number        string    `json:"number"` // as the authority counts it
	Title         string    `json:"title"`
	Authority     string    `json:"authority"`
	Author        string    `json:"author"`                  // who made the package
	Demonstration string    `json:"demonstration,omitempty"` // why it is none of a real case; printed on every page
	Redaction     Level     `json:"redaction"`
	Supersedes    string    `json:"supersedes,omitempty"` // SHA-256 of the package before
	Changes       []string  `json:"changes,omitempty"`    // figures that differ from it
	Software      string    `json:"software"`             // name and version
	AsOf          []Block   `json:"as_of"`                // data cut-off, one per network
	LabelSequence uint64    `json:"label_sequence"`       // last entry of the label log that was read
	RuleVersion   string    `json:"rule_version"`
	Assets        []Asset   `json:"assets"`
	Networks      []Network `json:"networks"`
	Warnings      []string  `json:"warnings"` // what is not known, in sentences
}

// Network says what the index holds of a network.
type Network struct {
	Network  string   `json:"network"`
	Model    string   `json:"model"`    // utxo or account
	Coverage string   `json:"coverage"` // COMPLETE, PARTIAL or UNKNOWN
	Detail   string   `json:"detail"`
	Missing  []string `json:"missing,omitempty"`
	Export   bool     `json:"export,omitempty"` // made of files without blocks: height is Unix milliseconds
}

// Block names a block.
type Block struct {
	Network string    `json:"network"`
	Height  uint64    `json:"height"` // of an export: Unix milliseconds
	Hash    string    `json:"hash"`   // of an export: digest of its files
	Time    time.Time `json:"time"`
}

// Asset is what a unit of an amount is.
type Asset struct {
	Asset    string `json:"asset"`
	Symbol   string `json:"symbol"`
	Decimals int    `json:"decimals"`
	Known    bool   `json:"known"` // symbol and decimals are not merely claimed by a file or contract
	Dust     string `json:"dust"`
}

// Method says by which rules the figures came about.
type Method struct {
	UTXO       Policy   `json:"utxo"`
	Account    Policy   `json:"account"`
	Allocation string   `json:"allocation"` // traced or pro-rata
	Compared   []string `json:"compared"`   // policies shown beside
	Floor      string   `json:"floor"`      // traced units of a transfer below which it is not followed; 0: all are
	Stops      []string `json:"stops"`      // categories of labels that end a trace
	Limits     Limits   `json:"limits"`
	Heuristics []Rule   `json:"heuristics"` // every rule that a figure rests on
	Text       []string `json:"text"`       // paragraphs for people
}

// Policy is an accounting rule with its reason in law.
type Policy struct {
	Name   string `json:"name"`
	About  string `json:"about"`
	Reason string `json:"reason"`
}

// Limits are those of the trace. 0: none.
type Limits struct {
	ServicePayees int `json:"service_payees"`
	AccountEvents int `json:"account_events"`
	Hops          int `json:"hops"`
	Events        int `json:"events"`
}

// Rule is a heuristic with its measured error rates.
type Rule struct {
	ID    string   `json:"id"`
	Tier  string   `json:"tier"`
	Text  string   `json:"text"`
	Rates []string `json:"rates"` // sentences; "NAME: not measured" where there is none
}

// Payment is a victim's payment as it was traced. Label is its number in shares.
type Payment struct {
	Label   int       `json:"label"`   // from 1
	Payment string    `json:"payment"` // P-1
	Victim  string    `json:"victim"`  // V-1
	Status  string    `json:"status"`  // suspected or confirmed
	Network string    `json:"network"`
	Tx      string    `json:"tx"`
	Index   string    `json:"index"` // output or transfer within the transaction, as in a REF
	Place   Place     `json:"place"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Asset   string    `json:"asset"`
	Amount  string    `json:"amount"`   // the victim's
	Paid    string    `json:"paid"`     // whole transfer
	Ledger  string    `json:"ledger"`   // L-1: its row; empty when the trace did not reach it
	Time    time.Time `json:"time"`     // of the block
	Collide string    `json:"collided"` // part that was already an earlier payment's
	USD     string    `json:"usd,omitempty"`
	Source  string    `json:"usd_source,omitempty"`
}

// Personal is one fact about a person or a free text: the only kind of content
// that redaction withholds. Commitment is SHA-256 of salt (32 bytes) and value.
// A withheld one has neither salt nor value.
type Personal struct {
	Subject    string `json:"subject"` // V-1, P-3, N-2 (a note), X-1 (an exhibit), E (the examiner)
	Field      string `json:"field"`   // name, contact, text, report_ref, bank_leg, note, description
	Value      string `json:"value,omitempty"`
	Salt       string `json:"salt,omitempty"` // hex
	Commitment string `json:"commitment"`     // hex
}

// Place is where an event stands in its network's total order.
type Place struct {
	Height  uint64 `json:"height"`
	TxIndex uint32 `json:"tx_index"`
	Slot    uint32 `json:"slot"`
}

// Share is the part of one payment in an amount. Under poison it has no amount.
type Share struct {
	Label  int    `json:"label"`
	Amount string `json:"amount,omitempty"`
}

// Row is a transfer of the ledger: one hop of the money.
type Row struct {
	ID         string    `json:"id"`               // L-1
	Parent     string    `json:"parent,omitempty"` // the row that first brought traced units to the payer
	Depth      int       `json:"depth"`            // 1: a payment itself
	Network    string    `json:"network"`
	Tx         string    `json:"tx"`
	Index      string    `json:"index"`
	Place      Place     `json:"place"`
	Block      string    `json:"block"` // hash; empty in an export
	Time       time.Time `json:"time"`
	From       string    `json:"from"`
	FromOthers []string  `json:"from_others,omitempty"` // other owners of traced inputs
	To         string    `json:"to"`
	Asset      string    `json:"asset"`
	Amount     string    `json:"amount"` // whole transfer
	Traced     string    `json:"traced"` // part of it that is the victims', under the case's policies
	Shares     []Share   `json:"shares"`
	Class      string    `json:"class"` // F fact, H heuristic, A attribution, D disclosed by a service, I inference
	Grade      string    `json:"grade"` // proven, attested or inferred
	Why        string    `json:"why"`   // the grade's reason
	Proof      string    `json:"proof,omitempty"`
	Heuristic  string    `json:"heuristic,omitempty"`
	Tier       string    `json:"tier,omitempty"`
	Confidence int       `json:"confidence,omitempty"` // of the label that class A rests on, 0-100
	Crossing   *Crossing `json:"crossing,omitempty"`   // how the money went on in another asset or network
	Ends       string    `json:"ends,omitempty"`       // why the trace ends with this transfer
	Check      string    `json:"check"`                // the plain request that any node or explorer answers
	USD        string    `json:"usd,omitempty"`
	USDSource  string    `json:"usd_source,omitempty"`
}

// Crossing is a change of asset or network in which traced value goes on.
type Crossing struct {
	Kind      string `json:"kind"` // WRAP, UNWRAP, SWAP or BRIDGE
	Rule      string `json:"rule"`
	Tier      string `json:"tier"`
	ID        string `json:"id,omitempty"`
	AmountIn  string `json:"amount_in"`
	TracedIn  string `json:"traced_in,omitempty"`
	Network   string `json:"network"` // of the other leg
	Tx        string `json:"tx"`
	Index     string `json:"index"`
	Place     Place  `json:"place"` // at which what was received is laid over what was paid out
	From      string `json:"from"`  // who paid it out
	To        string `json:"to"`
	Asset     string `json:"asset"`
	AmountOut string `json:"amount_out"`
	TracedOut string `json:"traced_out,omitempty"`
}

// Result is where everything is under one pair of policies.
type Result struct {
	UTXO      string     `json:"utxo"`
	Account   string     `json:"account"`
	Terminals []Terminal `json:"terminals"`
	Sheets    []Sheet    `json:"sheets"`
	Hops      int        `json:"hops"`   // rows that carried traced units
	Digest    string     `json:"digest"` // SHA-256 of its hops, one line each (docs/package.md)
	Inputs    []Assumed  `json:"assumed_inputs,omitempty"`
}

// Assumed is a UTXO transaction with inputs whose amounts are not known. They
// are taken to hold what the outputs need beyond the known ones: a lower bound.
type Assumed struct {
	Network string `json:"network"`
	Tx      string `json:"tx"`
	Amount  string `json:"amount"`
}

// Terminal is a place where traced units are, or left the trace.
type Terminal struct {
	Row        string    `json:"row,omitempty"` // L-1 that brought them; in the case's own result alone
	Network    string    `json:"network"`
	Address    string    `json:"address"`
	Asset      string    `json:"asset"`
	Traced     string    `json:"traced"`
	Shares     []Share   `json:"shares"`
	Reason     string    `json:"reason"`
	Bucket     string    `json:"bucket"` // RESTING, STOPPED, BURNT, PRUNED or PENDING
	Tx         string    `json:"tx"`
	Index      string    `json:"index"`
	Place      Place     `json:"place"`
	Via        string    `json:"via"`
	ArrivedAt  time.Time `json:"arrived_at"`
	BalanceNow string    `json:"balance_now"`
	Coin       bool      `json:"coin,omitempty"`      // an output of a UTXO transaction
	Rests      bool      `json:"rests,omitempty"`     // what an account or an unspent coin still holds; else the end of one transfer
	ClosedAt   *Place    `json:"closed_at,omitempty"` // the event before which an account's ledger was closed with all it held
}

// Sheet is the conservation of one asset: seeded - collided + converted_in =
// resting + stopped + burnt + fees + converted_out + pruned + pending, in each row.
type Sheet struct {
	Asset     string     `json:"asset"`
	Conserves bool       `json:"conserves"` // false under poison
	Rows      []SheetRow `json:"rows"`      // label 0: all payments together
}

// SheetRow is one line of a Sheet.
type SheetRow struct {
	Label        int    `json:"label"`
	Seeded       string `json:"seeded"`
	Collided     string `json:"collided"`
	ConvertedIn  string `json:"converted_in"`
	Resting      string `json:"resting"`
	Stopped      string `json:"stopped"`
	Burnt        string `json:"burnt"`
	Fees         string `json:"fees"`
	ConvertedOut string `json:"converted_out"`
	Pruned       string `json:"pruned"`
	Pending      string `json:"pending"`
}

// Holding is a row of the seizure table: traced units of one asset with one
// holder. Traced + Unexplained - Missing = BalanceNow where that is known.
type Holding struct {
	ID          string         `json:"id"` // H-1, most urgent first
	Network     string         `json:"network"`
	Address     string         `json:"address,omitempty"`
	Account     string         `json:"account,omitempty"` // of a service's customer: ENTITY:UID
	Asset       string         `json:"asset"`
	Holder      string         `json:"holder"`       // as in the table of reasons
	FreezableBy string         `json:"freezable_by"` // ISSUER, VASP, KEY, NONE or DONE
	Reasons     []string       `json:"reasons"`
	Traced      string         `json:"traced"` // under the case's policies
	Low         string         `json:"low"`    // least and most under the policies shown
	High        string         `json:"high"`
	Under       []PolicyAmount `json:"under"` // each of Results, in its order
	Shares      []Share        `json:"shares"`
	Victims     []VictimShare  `json:"victims"`
	Held        bool           `json:"held"`                  // the balance is the holder's own: it can be compared with the traced amount
	BalanceNow  string         `json:"balance_now,omitempty"` // at the cut-off; absent where not known
	Unexplained string         `json:"unexplained,omitempty"` // balance that no payment of this case explains
	Missing     string         `json:"missing,omitempty"`     // traced units beyond the balance
	FirstSeen   time.Time      `json:"first_seen,omitzero"`   // traced units first arrived
	LastSeen    time.Time      `json:"last_seen,omitzero"`
	Minutes     int64          `json:"minutes"` // from the last arrival to the cut-off
	Via         []string       `json:"via,omitempty"`
	Entity      string         `json:"entity,omitempty"`  // E-1
	Contact     string         `json:"contact,omitempty"` // class: issuer, exchange, custodian, none
	Rows        []string       `json:"rows"`              // L-1 ... that brought it
	Recoverable string         `json:"recoverable"`       // min(traced, balance) where somebody can freeze it, else 0
	Seized      string         `json:"seized,omitempty"`  // recorded as seized
	USD         string         `json:"usd,omitempty"`
	USDSource   string         `json:"usd_source,omitempty"`
	Check       string         `json:"check"`
}

// PolicyAmount is what a policy puts with a holder.
type PolicyAmount struct {
	Policy string `json:"policy"` // UTXO rule + account rule where they differ
	Traced string `json:"traced"`
}

// VictimShare is a victim's part of a holding.
type VictimShare struct {
	Victim string `json:"victim"`
	Amount string `json:"amount"`
}

// Award is a line of the restitution schedule, of one victim and asset.
type Award struct {
	Victim    string `json:"victim"`
	Asset     string `json:"asset"`
	Lost      string `json:"lost"`      // paid in and not collided
	Traced    string `json:"traced"`    // recoverable and traced to this victim
	Allocated string `json:"allocated"` // under the case's allocation
}

// Entity is somebody who is named in the package.
type Entity struct {
	ID           string        `json:"id"` // E-1
	Name         string        `json:"name"`
	Category     string        `json:"category"`
	Addresses    []string      `json:"addresses"` // NETWORK:ADDRESS
	Evidence     []Attribution `json:"evidence"`  // what says so
	Alternatives []Attribution `json:"alternatives,omitempty"`
}

// Attribution is a label as it was recorded.
type Attribution struct {
	Address    string    `json:"address"`
	Label      string    `json:"label"`
	Category   string    `json:"category"`
	Actor      string    `json:"actor,omitempty"`
	Source     string    `json:"source"`
	Pack       string    `json:"pack,omitempty"`
	Confidence int       `json:"confidence"`
	LastMod    time.Time `json:"last_modified,omitzero"`
	Recorded   time.Time `json:"recorded,omitzero"`
	Sequence   uint64    `json:"sequence"` // in the label log
	Private    bool      `json:"private,omitempty"`
}

// Request is a letter. Its text is the file that Letter names.
type Request struct {
	ID       string   `json:"id"`
	Kind     string   `json:"kind"` // issuer_freeze, exchange_freeze, mutual_assistance, warrant_schedule
	To       string   `json:"to"`   // entity
	Holdings []string `json:"holdings"`
	Letter   string   `json:"letter"` // letters/R-1.txt
	Text     string   `json:"-"`
}

// Proof is a file of proofs/: what a network's own data proves of a transaction.
type Proof struct {
	File    string          `json:"file"` // proofs/NETWORK/TX.json
	Network string          `json:"network"`
	Tx      string          `json:"tx"`
	Content json.RawMessage `json:"-"`
}

// Custody is the excerpt of the case's custody log.
type Custody struct {
	Origin     string         `json:"origin"`
	Key        string         `json:"key"`        // public, of the checkpoint's signature
	Checkpoint string         `json:"checkpoint"` // signed note
	Size       uint64         `json:"size"`       // entries of the log that the excerpt ends at
	Entries    []CustodyEntry `json:"entries"`    // all up to Size
}

// CustodyEntry is a line of the custody log.
type CustodyEntry struct {
	Number uint64          `json:"number"`
	Body   json.RawMessage `json:"body"` // its bytes are what the tree's leaf is made of
}

// Reproduce says how to make the package again.
type Reproduce struct {
	Command  []string    `json:"command"`
	Program  string      `json:"program_sha256,omitempty"`
	Packs    []LabelPack `json:"label_packs"`
	Networks []Digest    `json:"networks"`
}

// LabelPack is a source of labels.
type LabelPack struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256,omitempty"`
}

// Digest is the index digest of a network at the cut-off.
type Digest struct {
	Network string `json:"network"`
	Height  uint64 `json:"height"`
	Digest  string `json:"digest"`
}
