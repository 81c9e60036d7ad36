package server

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spoortrace/spoor/access"
)

// slotsPerCPU is how many calls may work at a time, per processor. More of them
// answer no faster and make each other wait.
const slotsPerCPU = 4

func newMeter() *access.Meter {
	return access.NewMeter(slotsPerCPU*runtime.GOMAXPROCS(0), time.Now)
}

// clientLimits are those of a client without a key.
func clientLimits(perSecond float64) access.Limits {
	return access.Limits{Rate: perSecond, Burst: max(1, int(2*perSecond)), Concurrent: maxStreams}
}

// call is one call or stream that passed the gate.
type call struct {
	ctx    context.Context //nolint:containedctx // of one call
	meter  *access.Meter
	payer  string // who pays; empty: nobody counts
	limits access.Limits
	leave  func()
	audit  audit

	keys *access.Store // where the caller's key is from; nil: it has none
	key  string        // its id
}

func (c *call) enter() error {
	c.leave = func() {}
	if c.payer == "" {
		return nil
	}
	leave, err := c.meter.Enter(c.payer, c.limits)
	if err != nil {
		return c.refuse(err)
	}
	c.leave = leave
	return nil
}

// spend takes one request out of the payer's bucket and says in a header what is left.
func (c *call) spend() error {
	if c.payer == "" {
		return nil
	}
	left, err := c.meter.Spend(c.payer, c.limits)
	if err != nil {
		return c.refuse(err)
	}
	return grpc.SetHeader(c.ctx, metadata.Pairs("x-ratelimit-limit", strconv.Itoa(left.Limit), "x-ratelimit-remaining", strconv.Itoa(left.Remaining)))
}

// still says whether the caller would be let in again, and what its limits are
// by now: a stream ends with its key.
func (c *call) still() (access.Limits, error) {
	if c.keys == nil {
		return c.limits, nil
	}
	tenant, err := c.keys.InForce(c.key)
	if err != nil {
		return access.Limits{}, unauthenticated(err)
	}
	return tenant.Limits(), nil
}

// wait takes one message out of the payer's bucket as soon as there is one.
func (c *call) wait() error {
	if c.payer == "" {
		return nil
	}
	return c.meter.Wait(c.ctx, c.payer, c.limits)
}

// patience is how long a call waits for its slot before it is refused: a client
// that hears of overload at once can turn elsewhere. A message of a stream
// waits for as long as it takes, which holds its sender back.
const patience = 50 * time.Millisecond

// slot waits for the payer's turn to work; no patience waits without end.
func (c *call) slot(patience time.Duration) (release func(), err error) {
	if c.payer == "" {
		return func() {}, nil
	}
	release, err = c.meter.Slot(c.ctx, c.payer, c.limits, patience)
	return release, c.refuse(err)
}

// refuse is the answer to a request beyond a limit: which, whose, and when to
// come back. Other errors pass.
func (c *call) refuse(err error) error {
	var quota *access.QuotaError
	if !errors.As(err, &quota) {
		return err
	}
	// Where the headers have gone out already, RetryInfo says the same.
	_ = grpc.SetHeader(c.ctx, metadata.Pairs("x-ratelimit-limit", strconv.Itoa(quota.Limit), "x-ratelimit-remaining", "0",
		"retry-after", strconv.Itoa(int(math.Ceil(quota.Retry.Seconds())))))
	reason := info("EXCEEDED_RATE_LIMIT")
	reason.Metadata = map[string]string{"limit": quota.What}
	return withDetails(codes.ResourceExhausted, quota, reason, &errdetails.RetryInfo{RetryDelay: durationpb.New(quota.Retry)},
		&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: c.payer, Description: quota.Error()}}})
}
