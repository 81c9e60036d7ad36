package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/entities"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/tracer"
)

// domain is what ErrorInfo calls this service.
const domain = "spoor"

// internalText is all that clients hear of what is wrong inside.
const internalText = "internal error; the server's log has it"

// maxListed bounds the items of one error detail. Details travel in the
// trailers, and clients refuse trailers of more than 8 to 16 KiB; the message
// says how many more there are.
const maxListed = 20

// retryAfter is what a client is told to wait when a limit was reached.
const retryAfter = 2 * time.Second

// toStatus is the one place that maps errors to gRPC codes and details. What
// is not meant for users is logged and not sent.
func toStatus(log *slog.Logger, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	var ambiguous *tracer.AmbiguousError
	var invalid *ledger.InvalidError
	var behind *entities.BehindError
	switch {
	case errors.As(err, &behind):
		return withDetails(codes.Unavailable, behind, info("CLUSTERS_BEHIND"), &errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "the time given for the answer is over")
	case errors.Is(err, store.ErrDeepReorg):
		return withDetails(codes.FailedPrecondition, err, info("DEEP_REORG"))
	case errors.Is(err, ledger.ErrUntrue):
		return withDetails(codes.FailedPrecondition, err, faultInfo("SOURCE_UNTRUE", err))
	case errors.Is(err, ledger.ErrUnavailable):
		return withDetails(codes.Unavailable, err, faultInfo("SOURCE_UNAVAILABLE", err), &errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
	case errors.As(err, &ambiguous):
		return withDetails(codes.InvalidArgument, err, info("AMBIGUOUS"), candidates(ambiguous))
	case errors.As(err, &invalid):
		return withDetails(codes.InvalidArgument, err, info(reasonOf(invalid)), violation(invalid))
	case errors.Is(err, ledger.ErrInvalid):
		return withDetails(codes.InvalidArgument, err, info("INVALID_ARGUMENT"))
	case errors.Is(err, ledger.ErrAmbiguous):
		return withDetails(codes.InvalidArgument, err, info("AMBIGUOUS"))
	case errors.Is(err, ledger.ErrUnsupportedAsset):
		return withDetails(codes.InvalidArgument, err, info("UNSUPPORTED_ASSET"))
	case errors.Is(err, ledger.ErrNotFound):
		return withDetails(codes.NotFound, err, info("NOT_IN_BLOCKCHAIN"))
	case errors.Is(err, ledger.ErrForeign):
		return withDetails(codes.FailedPrecondition, err, info("WRONG_NETWORK"))
	case errors.Is(err, ledger.ErrNewer):
		return withDetails(codes.FailedPrecondition, err, info("NEWER_FORMAT"))
	case errors.Is(err, cases.ErrRole):
		return withDetails(codes.PermissionDenied, err, info("CASE_ROLE"))
	case errors.Is(err, ledger.ErrPrecondition):
		return withDetails(codes.FailedPrecondition, err, info("FAILED_PRECONDITION"))
	case errors.Is(err, ledger.ErrBusy):
		return withDetails(codes.Unavailable, err, info("IN_USE"))
	case errors.Is(err, ledger.ErrExhausted):
		return withDetails(codes.ResourceExhausted, err, info("EXCEEDED_RATE_LIMIT"), &errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
	case errors.Is(err, ledger.ErrCorrupt), errors.Is(err, ledger.ErrOverflow):
		log.Error("stored data contradicts itself", "error", err)
		return withDetails(codes.DataLoss, err, info("CORRUPT"))
	}
	log.Error("internal", "error", err)
	return status.Error(codes.Internal, internalText)
}

func withDetails(code codes.Code, err error, details ...protoadapt.MessageV1) error {
	s, bad := status.New(code, err.Error()).WithDetails(details...)
	if bad != nil {
		return status.Error(code, err.Error())
	}
	return s.Err()
}

// absent is the answer to the name of something that this server does not
// have, a trace or a label; what a chain does not have is NOT_IN_BLOCKCHAIN.
func absent(kind, name, text string) error {
	return withDetails(codes.NotFound, fmt.Errorf("%s: %s", name, text), info("NOT_FOUND"),
		&errdetails.ResourceInfo{ResourceType: kind, ResourceName: name, Description: text})
}

func info(reason string) *errdetails.ErrorInfo {
	return &errdetails.ErrorInfo{Reason: reason, Domain: domain}
}

// faultInfo names what was wrong with a node's answer.
func faultInfo(reason string, err error) *errdetails.ErrorInfo {
	fault, _ := ledger.FaultOf(err)
	return &errdetails.ErrorInfo{Reason: reason, Domain: domain, Metadata: map[string]string{"fault": string(fault)}}
}

// reasonOf gives the reasons that users of other services know by name.
func reasonOf(e *ledger.InvalidError) string {
	switch e.Field {
	case "address":
		return "INVALID_ADDRESS"
	case "asset":
		return "UNSUPPORTED_ASSET"
	}
	return "INVALID_ARGUMENT"
}

func violation(e *ledger.InvalidError) *errdetails.BadRequest {
	return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: e.Field, Description: e.Error()}}}
}

func candidates(e *tracer.AmbiguousError) *spoorv1.AmbiguousRef {
	m := &spoorv1.AmbiguousRef{Ref: e.Ref}
	for _, c := range e.Candidates[:min(len(e.Candidates), maxListed)] {
		m.Candidates = append(m.Candidates, &spoorv1.Candidate{
			Ref: c.Ref, From: c.From.String(), To: c.Address.String(), Asset: assetMessage(ledger.InfoOf(c.Asset)), Amount: c.Amount.String(),
		})
	}
	return m
}
