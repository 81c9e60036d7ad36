package server

import (
	"strings"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// SandboxAddress returns the address that always answers the same for a sandbox
// tenant, on networks with accounts: number 1 is SEVERE, 2 HIGH, 3 MEDIUM, 4
// LOW, 5 unscored, and a transfer to or from 6 stays PENDING. Their 20 bytes
// are "spoor sandbox", zeros, and the number.
func SandboxAddress(c ledger.Chain, number byte) ledger.Address {
	var b [20]byte
	copy(b[:], "spoor sandbox")
	b[19] = number
	return ledger.AccountAddress(c, b)
}

// sandboxScreening is the fixed answer to a sandbox address, nil for any other.
func sandboxScreening(a ledger.Address) *spoorv1.Screening {
	if a.Chain.UTXO() || len(a.Payload) != 20 || !strings.HasPrefix(a.Payload, "spoor sandbox\x00") {
		return nil
	}
	m := &spoorv1.Screening{Network: string(a.Chain), Address: a.String(), State: "SCORED", RiskReason: "fixed answer of the sandbox", RuleVersion: "sandbox", Finality: final}
	levels := []struct {
		level, category string
		score           uint32
	}{{"SEVERE", "sanctioned_entity", 100}, {"HIGH", "stolen_funds", 85}, {"MEDIUM", "gambling", 50}, {"LOW", "exchange", 10}}
	switch n := int(a.Payload[19]); {
	case n >= 1 && n <= len(levels):
		l := levels[n-1]
		m.Risk, m.RiskScore = l.level, &l.score
		m.Triggers = []*spoorv1.Trigger{{RuleId: "sandbox-" + strings.ToLower(l.level), RuleVersion: "sandbox", Category: l.category, Risk: l.level, Score: l.score, Message: m.GetRiskReason()}}
	case n == 5:
		m.State = "TOO_LITTLE_LABELLED"
	case n == 6:
		m.State = "PENDING"
	default:
		return nil
	}
	return m
}
