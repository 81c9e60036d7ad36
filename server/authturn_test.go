package server

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/spoortrace/spoor/access"
)

// TestTurn: the questions of a stream wait for the slots of their payer, and
// not where nobody pays.
func TestTurn(t *testing.T) {
	for range 10 {
		if _, err := turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c := &call{meter: access.NewMeter(4, time.Now), payer: "a", fixed: access.Limits{Rate: 1, Burst: 1, Concurrent: 1}}
	c.ctx = context.WithValue(t.Context(), callKey{}, c)
	var held []func()
	for range 3 { // a quarter is left to others
		release, err := turn(c.ctx)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, release)
	}
	brief, cancel := context.WithTimeout(c.ctx, 200*time.Millisecond)
	defer cancel()
	if _, err := turn(brief); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one too many: %v", err)
	}
	go func() {
		time.Sleep(10 * time.Millisecond)
		held[0]()
	}()
	if _, err := turn(c.ctx); err != nil {
		t.Errorf("when one is released: %v", err)
	}
}
