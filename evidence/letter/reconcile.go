package letter

import (
	"fmt"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/ledger"
)

// Reconciled is a holding with what was taken of it: Seized + Left - Beyond =
// Traced.
type Reconciled struct {
	Holding string // H-1
	Traced  ledger.Amount
	Seized  ledger.Amount
	Left    ledger.Amount // traced and not taken
	Beyond  ledger.Amount // taken and not traced to this case
}

// Reconcile lays executed seizures beside the holdings, by address or account
// and asset. A seizure that fits no holding is returned, not dropped: it was
// taken elsewhere, or its address is wrong.
func Reconcile(holdings []evidence.Holding, seizures []cases.Seizure) (rows []Reconciled, unmatched []cases.Seizure, err error) {
	type holder struct{ address, asset string }
	at := map[holder]int{}
	rows, unmatched = []Reconciled{}, []cases.Seizure{}
	for i, h := range holdings {
		traced, err := ledger.ParseAmount(h.Traced)
		if err != nil {
			return nil, nil, fmt.Errorf("reconcile: holding %s: %w", h.ID, err)
		}
		rows = append(rows, Reconciled{Holding: h.ID, Traced: traced})
		if h.Account != "" {
			at[holder{h.Account, h.Asset}] = i
			continue
		}
		at[holder{h.Network + ":" + h.Address, h.Asset}] = i
	}
	for _, s := range seizures {
		n, err := ledger.ParseAmount(s.Amount)
		if err != nil {
			return nil, nil, fmt.Errorf("reconcile: seizure %d at %s: %w", s.Sequence, s.Address, err)
		}
		i, ok := at[holder{s.Address, s.Asset}]
		if !ok {
			unmatched = append(unmatched, s)
			continue
		}
		if rows[i].Seized, err = rows[i].Seized.Add(n); err != nil {
			return nil, nil, fmt.Errorf("reconcile: seizure %d at %s: %w", s.Sequence, s.Address, err)
		}
	}
	for i, r := range rows {
		rows[i].Left, rows[i].Beyond = r.Traced.SubFloor(r.Seized), r.Seized.SubFloor(r.Traced)
	}
	return rows, unmatched, nil
}
