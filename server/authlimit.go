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
const slotsPerCPU = 2

func newMeter() *access.Meter {
	return access.NewMeter(slotsPerCPU*runtime.GOMAXPROCS(0), time.Now)
}

// clientLimits are those of a client without a key.
func clientLimits(perSecond float64) access.Limits {
	return access.Limits{Rate: perSecond, Burst: max(1, int(2*perSecond)), Concurrent: maxStreams}
}

// call is one call or stream that passed the gate.
type call struct {
	ctx   context.Context //nolint:containedctx // of one call
	meter *access.Meter
	payer string        // who pays; empty: nobody counts
	fixed access.Limits // of a payer without a key
	leave func()
	audit audit

	keys *access.Store // where the caller's key is from; nil: it has none
	key  string        // its id
}

// limits are those of the payer at the moment.
func (c *call) limits() access.Limits {
	if c.keys == nil {
		return c.fixed
	}
	tenant, _ := c.keys.InForce(c.key) // whether it still is, still says
	return tenant.Limits()
}

func (c *call) enter() error {
	c.leave = func() {}
	if c.payer == "" {
		return nil
	}
	leave, err := c.meter.Enter(c.payer, c.limits())
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
	left, err := c.meter.Spend(c.payer, c.limits())
	if err != nil {
		return c.refuse(err)
	}
	return grpc.SetHeader(c.ctx, metadata.Pairs("x-ratelimit-limit", strconv.Itoa(left.Limit), "x-ratelimit-remaining", strconv.Itoa(left.Remaining)))
}

// still says whether the caller would be let in again: a stream ends with its key.
func (c *call) still() error {
	if c.keys == nil {
		return nil
	}
	if _, err := c.keys.InForce(c.key); err != nil {
		return unauthenticated(err)
	}
	return nil
}

// wait takes one message out of the payer's bucket as soon as there is one.
func (c *call) wait() error {
	if c.payer == "" {
		return nil
	}
	return c.meter.Wait(c.ctx, c.payer, c.limits())
}

// patience is how long a call waits for its slot before it is refused: a client
// that hears of overload at once can turn elsewhere.
const patience = 50 * time.Millisecond

// slot waits for the payer's turn to work; no patience waits as long as ctx does.
func (c *call) slot(ctx context.Context, patience time.Duration) (release func(), err error) {
	if c.payer == "" {
		return func() {}, nil
	}
	release, err = c.meter.Slot(ctx, c.payer, c.limits(), patience)
	return release, c.refuse(err)
}

// callKey is where a context keeps its call.
type callKey struct{}

// turn waits for the caller's turn to work on one question of a stream, and is
// to be released when that is answered, before the answer is sent: who does not
// read must hold no slot. A stream that takes its turns leaves others theirs;
// it is held back, never refused.
func turn(ctx context.Context) (release func(), err error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return func() {}, nil
	}
	return c.slot(ctx, 0)
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
