package tron

import (
	"strconv"

	"google.golang.org/protobuf/proto"

	protocol "github.com/spoortrace/spoor/chains/tron/proto"
	"github.com/spoortrace/spoor/ledger"
)

// lent reads stakes of the first kind, which name whom the resource is lent to.
// Without one the owner keeps it, and nothing is to be told.
func (m *assembly) lent(given bool, v []byte) error {
	var c protocol.FreezeBalanceContract
	if err := proto.Unmarshal(v, &c); err != nil || len(c.GetReceiverAddress()) == 0 {
		return err
	}
	if given {
		return m.delegated(true, c.GetReceiverAddress(), c.GetFrozenBalance(), resource(c.GetResource()))
	}
	// What was taken back is in the info alone.
	err := m.delegated(false, c.GetReceiverAddress(), m.info.GetUnfreezeAmount(), resource(c.GetResource()))
	for i := range m.out.Notices {
		m.out.Notices[i].Grade = ledger.GradeAttested
	}
	return err
}

func (m *assembly) delegated(lent bool, receiver []byte, value int64, what string) error {
	to, err := m.b.account(receiver)
	if err != nil {
		return err
	}
	amount, err := quantity(value)
	if err != nil {
		return err
	}
	n := ledger.Notice{Kind: ledger.NoticeUndelegated, Account: m.owner, Peer: to, Asset: m.b.native(), Amount: amount, Ref: what}
	if lent {
		n.Kind = ledger.NoticeDelegated
	}
	m.note(n)
	return nil
}

func resource(n int32) string {
	switch n {
	case 0:
		return "bandwidth"
	case 1:
		return "energy"
	}
	return "resource " + strconv.Itoa(int(n))
}
