package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/store"
)

// admin implements the AdminService.
type admin struct {
	spoorv1.UnimplementedAdminServiceServer
	data    *data
	keys    *access.Store // nil: there are none
	ingest  IngestFunc
	backup  BackupFunc
	follows *Follows
	now     func() time.Time
}

// Ingest brings files into the index and reports how far it has come.
func (s *admin) Ingest(m *spoorv1.IngestRequest, stream spoorv1.AdminService_IngestServer) error {
	if s.ingest == nil {
		return status.Error(codes.Unimplemented, "this server takes in nothing")
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	result, err := s.ingest(ctx, m, func(e *spoorv1.IngestEvent) {
		if err := stream.Send(e); err != nil {
			cancel(err)
		}
	})
	if err != nil {
		return err
	}
	if err := s.describe(ctx, result); err != nil {
		return err
	}
	return stream.Send(&spoorv1.IngestEvent{Event: &spoorv1.IngestEvent_Result{Result: result}})
}

// describe adds what the network holds after an ingest.
func (s *admin) describe(ctx context.Context, r *spoorv1.IngestResult) error {
	n, err := s.networkStatus(ctx, ledger.Chain(r.GetNetwork()))
	if err != nil {
		return err
	}
	r.AsOf, r.Coverage, r.Digest = n.GetAsOf(), n.GetCoverage(), n.GetDigest()
	return nil
}

// chosen returns the network that was named, or all.
func (s *admin) chosen(name string) ([]ledger.Chain, error) {
	if name == "" {
		return s.data.store.Chains()
	}
	c, err := ledger.ParseChain(name)
	return []ledger.Chain{c}, err
}

// IndexStatus says what the index holds.
func (s *admin) IndexStatus(ctx context.Context, m *spoorv1.IndexStatusRequest) (*spoorv1.IndexStatusResponse, error) {
	chains, err := s.chosen(m.GetNetwork())
	if err != nil {
		return nil, err
	}
	answer := &spoorv1.IndexStatusResponse{LabelSequence: s.data.labels.Sequence()}
	for _, c := range chains {
		n, err := s.networkStatus(ctx, c)
		if err != nil {
			return nil, err
		}
		answer.Networks = append(answer.Networks, n)
	}
	for _, i := range s.data.labels.Imports() {
		answer.Labels += int64(i.Tags)
		if i.Retracts != 0 {
			answer.Labels--
		}
	}
	return answer, nil
}

func (s *admin) networkStatus(ctx context.Context, c ledger.Chain) (*spoorv1.NetworkStatus, error) {
	network, err := s.data.store.Network(ctx, c)
	if err != nil {
		return nil, err
	}
	st, err := network.Status()
	if err != nil {
		return nil, err
	}
	m := &spoorv1.NetworkStatus{
		Format: st.Format, Blocks: count(st.Blocks), Transactions: count(st.Txs), Events: count(st.Events),
		Addresses: count(st.Addresses), Digest: st.Digest.String(), DiskBytes: count(st.Bytes),
		AsOf: &spoorv1.AsOf{Network: string(c)}, Coverage: &spoorv1.Coverage{Network: string(c), State: ledger.CoverageUnknown.String(), Detail: "holds nothing"},
	}
	m.Follow = s.follows.Status(c)
	if params, ok := c.Params(); ok && !st.Export {
		m.Genesis = params.Genesis
	}
	for _, f := range st.Contents.Files {
		m.Files = append(m.Files, &spoorv1.ImportedFile{Name: f.Name, Sha256: f.SHA256.String(), SizeBytes: count(f.Size)})
	}
	if st.Empty {
		return m, nil
	}
	if !st.Export {
		folded := uint32(st.Folded)
		m.FoldedHeight = &folded
	}
	v, err := s.data.view(ctx)
	if err != nil {
		return nil, err
	}
	defer v.close()
	m.AsOf = v.asOfMessage(st.Tip)
	m.AsOf.Lag = durationpb.New(s.now().Sub(time.UnixMilli(st.Tip.Time)).Round(time.Second))
	m.Coverage, err = v.networkCoverage(c)
	return m, err
}

// count narrows a figure to the wire's type; no index comes near its end.
func count(n uint64) int64 {
	return int64(min(n, math.MaxInt64))
}

// VerifyIndex recomputes the digests from records and from lists.
func (s *admin) VerifyIndex(m *spoorv1.VerifyIndexRequest, stream spoorv1.AdminService_VerifyIndexServer) error {
	ctx := stream.Context()
	chains, err := s.chosen(m.GetNetwork())
	if err != nil {
		return err
	}
	result := &spoorv1.VerifyIndexResult{Ok: true}
	for _, c := range chains {
		one, err := s.verify(ctx, c, func(p *spoorv1.Progress) error {
			return stream.Send(&spoorv1.VerifyIndexEvent{Event: &spoorv1.VerifyIndexEvent_Progress{Progress: p}})
		})
		if err != nil {
			return err
		}
		result.Networks = append(result.Networks, one)
		result.Ok = result.Ok && one.GetOk()
	}
	return stream.Send(&spoorv1.VerifyIndexEvent{Event: &spoorv1.VerifyIndexEvent_Result{Result: result}})
}

// verifyStep is how many blocks a message of progress stands for.
const verifyStep = 1000

// verify turns damage into a finding; other errors stay errors.
func (s *admin) verify(ctx context.Context, c ledger.Chain, progress func(*spoorv1.Progress) error) (*spoorv1.NetworkVerification, error) {
	m := &spoorv1.NetworkVerification{Network: string(c)}
	network, err := s.data.store.Network(ctx, c)
	if err == nil {
		var sent error
		seen := 0
		err = network.Verify(ctx, func(p store.Progress) {
			if seen++; sent == nil && seen%verifyStep == 1 {
				sent = progress(&spoorv1.Progress{Phase: "verify", Network: string(c), Done: count(p.Blocks), Unit: "blocks"})
			}
		})
		err = errors.Join(err, sent)
	}
	switch {
	case errors.Is(err, ledger.ErrCorrupt):
		m.Problems = append(m.Problems, err.Error())
		return m, nil
	case err != nil:
		return nil, err
	}
	st, err := network.Status()
	m.Ok, m.Digest, m.Rows = err == nil, st.Digest.String(), count(st.Txs)
	return m, err
}

// ExportIndex writes the logical rows of one network in canonical order.
func (s *admin) ExportIndex(m *spoorv1.ExportIndexRequest, stream spoorv1.AdminService_ExportIndexServer) error {
	c, err := ledger.ParseChain(m.GetNetwork())
	if err != nil {
		return err
	}
	v, err := s.data.view(stream.Context())
	if err != nil {
		return err
	}
	defer v.close()
	out := &chunks{send: func(b []byte) error { return stream.Send(&spoorv1.ExportIndexResponse{Chunk: b}) }}
	if err := v.Export(stream.Context(), c, out); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return out.flush()
}

// chunks collects what is written into messages of one size.
type chunks struct {
	buffer []byte
	send   func([]byte) error
}

const chunkSize = 256 << 10

// Write implements io.Writer.
func (c *chunks) Write(b []byte) (int, error) {
	c.buffer = append(c.buffer, b...)
	if len(c.buffer) < chunkSize {
		return len(b), nil
	}
	return len(b), c.flush()
}

func (c *chunks) flush() error {
	if len(c.buffer) == 0 {
		return nil
	}
	b := c.buffer
	c.buffer = nil
	return c.send(b)
}

// BackupIndex writes a backup on this machine. It holds the keys of the cases and
// the key that signs custody: an admin's key that was stolen must not be enough to
// make one, and a slow client must not be able to hold a view open. So only who
// could read the data directory itself may ask.
func (s *admin) BackupIndex(m *spoorv1.BackupIndexRequest, stream spoorv1.AdminService_BackupIndexServer) error {
	ctx := stream.Context()
	if !Principal(ctx).local {
		return withDetails(codes.PermissionDenied, errors.New("backup: only on the server's own machine, by --data: a backup has the keys of the cases"), info("LOCAL_ONLY"))
	}
	if s.backup == nil {
		return status.Error(codes.Unimplemented, "this server makes no backups")
	}
	if !filepath.IsAbs(m.GetPath()) {
		return ledger.Invalid("path", "an absolute path", m.GetPath())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	result, err := s.backup(ctx, m, func(p *spoorv1.Progress) {
		if err := stream.Send(&spoorv1.BackupIndexEvent{Event: &spoorv1.BackupIndexEvent_Progress{Progress: p}}); err != nil {
			cancel(err)
		}
	})
	if err != nil {
		return err
	}
	return stream.Send(&spoorv1.BackupIndexEvent{Event: &spoorv1.BackupIndexEvent_Result{Result: result}})
}
