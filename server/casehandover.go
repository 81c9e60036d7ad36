package server

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// maxHandover bounds a file that is taken in.
const maxHandover = 8 << 30

// ExportCase writes the file, records that it was, and streams it.
func (s *caseService) ExportCase(m *spoorv1.ExportCaseRequest, stream grpc.ServerStreamingServer[spoorv1.ExportCaseResponse]) (err error) {
	who, id, err := s.open(stream.Context(), m.GetName())
	if err != nil {
		return err
	}
	file, err := nameless()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	c, err := s.cases.Export(who, id, m.GetTo(), m.GetPassphrase(), file)
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	buffer := make([]byte, chunk)
	for {
		n, err := io.ReadFull(file, buffer)
		if n > 0 {
			if err := stream.Send(&spoorv1.ExportCaseResponse{Chunk: buffer[:n]}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return stream.Send(&spoorv1.ExportCaseResponse{Sha256: c.Handovers[len(c.Handovers)-1].SHA256})
		}
		if err != nil {
			return err
		}
	}
}

// ImportCase reads a file to its end before anything of it is kept.
func (s *caseService) ImportCase(stream grpc.ClientStreamingServer[spoorv1.ImportCaseRequest, spoorv1.ImportCaseResponse]) (err error) {
	who, err := s.actor(stream.Context())
	if err != nil {
		return err
	}
	file, err := nameless()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	first, size, err := received(stream, file)
	if err != nil {
		return err
	}
	c, receipt, err := s.cases.Import(who, file, size, first.GetAgency(), first.GetPassphrase())
	if err != nil {
		return err
	}
	return stream.SendAndClose(&spoorv1.ImportCaseResponse{Case: caseMessage(c), Receipt: string(receipt)})
}

// received writes what a client sends and returns its first message.
func received(stream grpc.ClientStreamingServer[spoorv1.ImportCaseRequest, spoorv1.ImportCaseResponse], file io.Writer) (first *spoorv1.ImportCaseRequest, size int64, err error) {
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) && first == nil {
			return nil, 0, ledger.Invalid("chunk", "a file of a hand-over", "nothing")
		}
		if errors.Is(err, io.EOF) {
			return first, size, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if first == nil {
			first = &spoorv1.ImportCaseRequest{Passphrase: m.GetPassphrase(), Agency: m.GetAgency()}
		}
		if size += int64(len(m.GetChunk())); size > maxHandover {
			return nil, 0, fmt.Errorf("a file of more than %d bytes: %w", int64(maxHandover), ledger.ErrExhausted)
		}
		if _, err := file.Write(m.GetChunk()); err != nil {
			return nil, 0, err
		}
	}
}

// RecordReceipt records a receipt.
func (s *caseService) RecordReceipt(ctx context.Context, m *spoorv1.RecordReceiptRequest) (*spoorv1.Case, error) {
	who, id, err := s.open(ctx, m.GetName())
	if err != nil {
		return nil, err
	}
	return caseAnswer(s.cases.AddReceipt(who, id, m.GetRequestId(), []byte(m.GetReceipt())))
}
