package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// last reads a stream to its end and returns its last message.
func last[M any](t *testing.T, s grpc.ServerStreamingClient[M], err error) (*M, error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var found *M
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		found = m
	}
}

func TestIndexStatus(t *testing.T) {
	w := newWorld(t)
	c := local(t, w)
	got, err := c.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{})
	if err != nil || len(got.GetNetworks()) != 2 {
		t.Fatalf("got %v, %v", got, err)
	}
	coins, export := got.GetNetworks()[0], got.GetNetworks()[1]
	if coins.GetAsOf().GetHeight() != 5 || coins.GetAsOf().GetNetwork() != "bitcoin" || coins.GetBlocks() != 6 || coins.GetCoverage().GetState() != "COMPLETE" || len(coins.GetGenesis()) != 64 {
		t.Errorf("bitcoin: %v", coins)
	}
	if lag := coins.GetAsOf().GetLag().AsDuration(); lag < time.Since(time.UnixMilli(coinBlocks()[5].Ref.Time))-time.Minute {
		t.Errorf("bitcoin: lag %s", lag)
	}
	if export.AsOf.Height != nil || export.GetFoldedHeight() != 0 || export.GetGenesis() != "" || export.GetTransactions() != int64(len(accountRows())) {
		t.Errorf("tron: %v", export)
	}
	for _, n := range got.GetNetworks() {
		network, err := w.store.Network(t.Context(), ledger.Chain(n.GetAsOf().GetNetwork()))
		if err != nil {
			t.Fatal(err)
		}
		want, err := network.Status()
		if err != nil || n.GetDigest() != want.Digest.String() || n.GetTransactions() != int64(want.Txs) || n.GetEvents() != int64(want.Events) || n.GetFormat() != want.Format || n.GetBlocks() != int64(want.Blocks) {
			t.Errorf("%v\nthe store says %+v, %v", n, want, err)
		}
	}
	one, err := c.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{Network: "tron"})
	if err != nil || len(one.GetNetworks()) != 1 {
		t.Errorf("one network: %v, %v", one, err)
	}
	_, err = c.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{Network: "ethereum"})
	refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "ethereum"}.check(t, "not held", err)
	_, err = c.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{Network: "x"})
	refusal{invalid, wrong, "network", `got "x"`}.check(t, "unknown", err)
	empty := local(t, emptyWorld(t, memkv.New()))
	if none, err := empty.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{}); err != nil || len(none.GetNetworks()) != 0 {
		t.Errorf("an empty directory: %v, %v", none, err)
	}
	_, err = empty.stream(t.Context(), &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}})
	refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "no network is indexed"}.check(t, "a trace of nothing", err)
}

// TestExport: what the server sends is what the store writes, in pieces of at most 1 MiB.
func TestExport(t *testing.T) {
	w := longWorld(t, 4000)
	w.append(t, coinBlocks()...)
	c := local(t, w)
	for _, chain := range []ledger.Chain{"bitcoin", "tron"} {
		snap, err := w.store.Snapshot(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := errors.Join(snap.Export(t.Context(), chain, &want), snap.Close()); err != nil {
			t.Fatal(err)
		}
		stream, err := c.ExportIndex(t.Context(), &spoorv1.ExportIndexRequest{Network: string(chain)})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		pieces := 0
		for {
			m, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || len(m.GetChunk()) > 1<<20 || len(m.GetChunk()) == 0 {
				t.Fatalf("%s: piece of %d bytes, %v", chain, len(m.GetChunk()), err)
			}
			got.Write(m.GetChunk())
			pieces++
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) || chain == "tron" && pieces < 2 {
			t.Errorf("%s: %d bytes in %d pieces, the store writes %d", chain, got.Len(), pieces, want.Len())
		}
	}
	for network, want := range map[string]refusal{
		"":         {invalid, wrong, "network", "network: "},
		"x":        {invalid, wrong, "network", `got "x"`},
		"ethereum": {codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "ethereum"},
	} {
		s, err := c.ExportIndex(t.Context(), &spoorv1.ExportIndexRequest{Network: network})
		_, err = last(t, s, err)
		want.check(t, "export of "+network, err)
	}
}

// tampering is an engine whose rows a test can change behind the store's back.
type tampering struct {
	store.KV
	rows map[string]store.Op
}

func (k *tampering) Write(ctx context.Context, ops []store.Op) error {
	for _, op := range ops {
		k.rows[fmt.Sprintf("%x/%x", op.Partition, op.Sort)] = op
	}
	return k.KV.Write(ctx, ops)
}

// TestVerify: an index that holds is ok; with any one row changed it is not,
// and the finding is an answer, not an error.
func TestVerify(t *testing.T) {
	var kv *tampering
	engine := memkv.New()
	w := emptyWorld(t, func(dir string) (store.KV, error) {
		inner, err := engine(dir)
		kv = &tampering{inner, map[string]store.Op{}}
		return kv, err
	})
	w.export(t, accountRows(), ledger.Claim{Range: ledger.Range{From: 0, To: uint64(export0 + 3_600_000)}})
	c := local(t, w)
	verify := func(network string) (*spoorv1.VerifyIndexResult, error) {
		s, err := c.VerifyIndex(t.Context(), &spoorv1.VerifyIndexRequest{Network: network})
		m, err := last(t, s, err)
		return m.GetResult(), err
	}
	got, err := verify("")
	if err != nil || !got.GetOk() || len(got.GetNetworks()) != 1 || got.GetNetworks()[0].GetRows() != int64(len(accountRows())) || len(got.GetNetworks()[0].GetProblems()) != 0 {
		t.Fatalf("an index that holds: %v, %v", got, err)
	}
	digest := got.GetNetworks()[0].GetDigest()
	if st, err := c.IndexStatus(t.Context(), &spoorv1.IndexStatusRequest{}); err != nil || st.GetNetworks()[0].GetDigest() != digest || len(digest) != 64 {
		t.Errorf("digest %s, status %v, %v", digest, st, err)
	}
	tried := 0
	for key, op := range kv.rows {
		if len(op.Value) == 0 || op.Delete {
			continue
		}
		damaged := op
		damaged.Value = bytes.Clone(op.Value)
		damaged.Value[len(op.Value)/2] ^= 1
		if err := kv.KV.Write(t.Context(), []store.Op{damaged}); err != nil {
			t.Fatal(err)
		}
		if got, err := verify("tron"); err != nil || got.GetOk() || len(got.GetNetworks()[0].GetProblems()) == 0 || got.GetNetworks()[0].GetOk() {
			t.Errorf("row %s with a bit flipped: %v, %v", key, got, err)
		}
		if err := kv.KV.Write(t.Context(), []store.Op{op}); err != nil {
			t.Fatal(err)
		}
		if tried++; tried == 60 {
			break
		}
	}
	if got, err := verify(""); err != nil || !got.GetOk() || tried < 20 {
		t.Errorf("mended after %d rows: %v, %v", tried, got, err)
	}
	_, err = verify("ethereum")
	refusal{codes.NotFound, "NOT_IN_BLOCKCHAIN", "", "ethereum"}.check(t, "not held", err)
}

// TestCorruptTrace: damage under a trace is DATA_LOSS, and what is damaged is in the answer's words.
func TestCorruptTrace(t *testing.T) {
	var kv *tampering
	engine := memkv.New()
	w := emptyWorld(t, func(dir string) (store.KV, error) {
		inner, err := engine(dir)
		kv = &tampering{inner, map[string]store.Op{}}
		return kv, err
	})
	w.export(t, accountRows())
	c := local(t, w)
	var ops []store.Op
	for _, op := range kv.rows {
		if len(op.Value) > 0 && !op.Delete {
			op.Value = bytes.Clone(op.Value)
			op.Value[len(op.Value)/2] ^= 1
			ops = append(ops, op)
		}
	}
	if err := kv.KV.Write(t.Context(), ops); err != nil {
		t.Fatal(err)
	}
	_, err := c.stream(t.Context(), &spoorv1.TraceRequest{Refs: []string{ref("tron", "v1", "")}, MinValue: "0"})
	refusal{codes.DataLoss, "CORRUPT", "", "corrupt"}.check(t, "a trace", err)
}

// TestIngest: progress comes through, the result says what the network holds
// afterwards, a refusal keeps its details, and a client that goes away ends the work.
func TestIngest(t *testing.T) {
	w := emptyWorld(t, memkv.New())
	cfg := quiet(t, w)
	ended := make(chan error, 1)
	cfg.Ingest = func(ctx context.Context, m *spoorv1.IngestRequest, report func(*spoorv1.IngestEvent)) (*spoorv1.IngestResult, error) {
		progress := func(p *spoorv1.Progress) {
			report(&spoorv1.IngestEvent{Event: &spoorv1.IngestEvent_Progress{Progress: p}})
		}
		switch m.GetTron().GetCsvPaths()[0] {
		case "bad":
			return nil, ledger.Invalid("bad:2:3", "a number", "x")
		case "endless":
			progress(&spoorv1.Progress{Phase: "scan"})
			<-ctx.Done()
			ended <- ctx.Err()
			return nil, ctx.Err()
		}
		progress(&spoorv1.Progress{Phase: "write", Done: 7})
		w.export(t, accountRows())
		return &spoorv1.IngestResult{Network: "tron", Transfers: 13}, nil
	}
	c := serve(t, cfg, server.LocalTrust())
	request := func(path string) *spoorv1.IngestRequest {
		return &spoorv1.IngestRequest{Source: &spoorv1.IngestRequest_Tron{Tron: &spoorv1.TronCsv{CsvPaths: []string{path}}}}
	}
	s, err := c.Ingest(t.Context(), request("good"))
	if err != nil {
		t.Fatal(err)
	}
	if first, err := s.Recv(); err != nil || first.GetProgress().GetDone() != 7 {
		t.Errorf("first %v, %v", first, err)
	}
	end, err := last(t, s, nil)
	r := end.GetResult()
	if err != nil || r.GetTransfers() != 13 || len(r.GetDigest()) != 64 || r.GetAsOf().GetNetwork() != "tron" || r.GetCoverage().GetState() != "UNKNOWN" {
		t.Errorf("result %v, %v", r, err)
	}
	s, err = c.Ingest(t.Context(), request("bad"))
	_, err = last(t, s, err)
	refusal{invalid, wrong, "bad:2:3", "a number"}.check(t, "a bad file", err)
	ctx, cancel := context.WithCancel(t.Context())
	if s, err = c.Ingest(ctx, request("endless")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the work ended with %v", err)
	}
	s, err = c.Ingest(t.Context(), &spoorv1.IngestRequest{})
	_, err = last(t, s, err)
	if status.Code(err) != invalid || !strings.Contains(err.Error(), "source") {
		t.Errorf("no source: %v", err)
	}
	none := local(t, w)
	s, err = none.Ingest(t.Context(), request("good"))
	_, err = last(t, s, err)
	if status.Code(err) != codes.Unimplemented {
		t.Errorf("a server that takes in nothing: %v", err)
	}
}
