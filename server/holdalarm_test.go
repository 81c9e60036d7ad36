package server_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// TestHoldAlarm: a hold that ends within three days and one that has ended raise an
// alert each, once, to the tenant alone; a longer one and one that was lifted none.
func TestHoldAlarm(t *testing.T) {
	o := guarded(t)
	name := o.filled(t, "12/2026")
	tron, coin, lifted := "tron:native", "bitcoin:native", "ethereum:native"
	for i, one := range []struct {
		asset, held string
		until       time.Duration
	}{{usdt.String(), "5", 24 * time.Hour}, {tron, "6", -time.Hour}, {coin, "7", 73 * time.Hour}, {lifted, "8", time.Hour}, {lifted, "0", time.Hour}} {
		m := &spoorv1.RecordAnswerRequest{Name: name, Request: "R-1", Answer: &spoorv1.CaseAnswer{
			Text: "of " + canary, Held: one.held, Asset: one.asset, HoldExpireTime: timestamppb.New(time.Now().Add(one.until)),
		}}
		if got := o.ask(t, "ann", m); got.err.Err() != nil {
			t.Fatal(i, got.err)
		}
	}
	alerts := func(who string) (all []string) {
		m, err := o.screening().ListAlerts(o.as(t, "screener "+who), &spoorv1.ListAlertsRequest{PageSize: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range m.GetAlerts() {
			all = append(all, fmt.Sprint(a.GetType(), " ", a.GetCase() == name, " ", a.GetRequest(), " ", a.GetFinality()))
		}
		slices.Sort(all)
		return all
	}
	want := []string{"HOLD_EXPIRED true R-1 FINAL", "HOLD_EXPIRING true R-1 FINAL"}
	o.end(t) // holds are looked at once a minute, and at the start
	o.begin(t)
	eventually(t, "the alarms", func() bool { return slices.Equal(alerts("ann"), want) })
	o.end(t)
	o.begin(t)
	eventually(t, "the alarms after a restart", func() bool { return slices.Equal(alerts("ann"), want) })
	if got := alerts("eve"); len(got) > 0 {
		t.Errorf("another tenant sees %v", got)
	}
}
