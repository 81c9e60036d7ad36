package cases

import (
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Row is one payment as a spreadsheet has it. It names the victim: it is kept
// nowhere but sealed.
type Row struct {
	Line      int // of the file, from 1
	ReportRef string
	Victim    string
	Status    Status
	Network   ledger.Chain
	Tx        string // 64 hex digits in lower case, or the first of them, or none
	TxSuffix  string // the last digits, where the middle was cut out
	Index     string
	To        string
	Amount    string // base units
	Asset     string // as ledger.Asset prints it
	Time      time.Time
	Precision TimePrecision
	BankLeg   string
	Note      string
}

// NeedsCandidates says that the transaction must be looked for.
func (r Row) NeedsCandidates() bool { return len(r.Tx) != 64 }

func (r Row) payment(id, victim string) Payment {
	return Payment{
		ID: id, Victim: victim, ReportRef: r.ReportRef, Status: r.Status, Network: r.Network, Tx: r.Tx, TxSuffix: r.TxSuffix, Index: r.Index,
		To: r.To, Amount: r.Amount, Asset: r.Asset, Time: r.Time, Precision: r.Precision,
	}
}
