package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// ahead is how many addresses of one stream are held at a time: read, worked
// on, or waiting for the one before them to be sent.
const ahead = 64

// ScreenAddresses answers in the order of the questions. A few are worked on at
// a time; a client that does not read stops the reading of its questions.
func (s *screenService) ScreenAddresses(stream spoorv1.ScreeningService_ScreenAddressesServer) error {
	group, ctx := errgroup.WithContext(stream.Context())
	queue := make(chan chan *spoorv1.ScreenAddressesResponse, ahead)
	group.Go(func() error {
		for next := range queue {
			answer, ok := <-next
			if !ok {
				return nil // its worker says why
			}
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
		return nil
	})
	workers := &errgroup.Group{}
	workers.SetLimit(2 * runtime.GOMAXPROCS(0))
	err := s.receiveAddresses(ctx, stream, queue, workers)
	close(queue)
	return errors.Join(err, workers.Wait(), group.Wait())
}

func (s *screenService) receiveAddresses(ctx context.Context, stream spoorv1.ScreeningService_ScreenAddressesServer,
	queue chan<- chan *spoorv1.ScreenAddressesResponse, workers *errgroup.Group,
) error {
	for index := uint64(0); ; index++ {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		done := make(chan *spoorv1.ScreenAddressesResponse, 1)
		select {
		case queue <- done:
		case <-ctx.Done():
			return ctx.Err()
		}
		workers.Go(func() error {
			defer close(done)
			answer, err := s.answerOne(ctx, index, m.GetRequest())
			if err == nil {
				done <- answer
			}
			return err
		})
	}
}

// answerOne answers one address of a stream; an error ends the stream.
func (s *screenService) answerOne(ctx context.Context, index uint64, m *spoorv1.ScreenAddressRequest) (*spoorv1.ScreenAddressesResponse, error) {
	answer := &spoorv1.ScreenAddressesResponse{Index: index, Address: m.GetAddress()}
	release, err := turn(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.guarded(ctx, m)
	release()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		answer.Outcome = &spoorv1.ScreenAddressesResponse_Error{Error: s.screeningError(err)}
		return answer, nil
	}
	answer.Outcome = &spoorv1.ScreenAddressesResponse_Screening{Screening: found}
	return answer, nil
}

// guarded makes an error of a panic: no gate stands around a worker.
func (s *screenService) guarded(ctx context.Context, m *spoorv1.ScreenAddressRequest) (found *spoorv1.Screening, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	return s.ScreenAddress(ctx, m)
}

// panicked is the error of a panic, with its stack for the log.
func panicked(p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }

// screeningError says in a message what a call of its own would have failed with.
func (s *screenService) screeningError(err error) *spoorv1.ScreeningError {
	st := status.Convert(toStatus(s.log, err))
	m := &spoorv1.ScreeningError{Code: codeName(st.Code()), Message: st.Message()}
	for _, d := range st.Details() {
		if i, ok := d.(*errdetails.ErrorInfo); ok {
			m.Reason = i.GetReason()
		}
	}
	return m
}

// codeName is a code as google.rpc.Code spells it; those that toStatus never gives are not here.
func codeName(c codes.Code) string {
	switch c {
	case codes.InvalidArgument:
		return "INVALID_ARGUMENT"
	case codes.NotFound:
		return "NOT_FOUND"
	case codes.FailedPrecondition:
		return "FAILED_PRECONDITION"
	case codes.Unavailable:
		return "UNAVAILABLE"
	case codes.ResourceExhausted:
		return "RESOURCE_EXHAUSTED"
	case codes.DeadlineExceeded:
		return "DEADLINE_EXCEEDED"
	case codes.DataLoss:
		return "DATA_LOSS"
	}
	return "INTERNAL"
}
