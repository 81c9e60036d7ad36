package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/spoortrace/spoor/chains/archive"
	"github.com/spoortrace/spoor/internal/publicapi"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// serveEsplora serves the bundled Bitcoin blocks as Esplora does, on loopback, and
// writes settings whose only source it is: esplora SETTINGS.
func serveEsplora(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: esplora SETTINGS")
	}
	name := filepath.Join(ts.Getenv("DEMO"), "bitcoin", "blk00000.dat.gz")
	file, err := os.Open(name)
	ts.Check(err)
	ts.Defer(func() { _ = file.Close() })
	text, err := gzip.NewReader(file)
	ts.Check(err)
	raw, err := io.ReadAll(text)
	ts.Check(err)
	blocks, err := publicapi.ReadBlocks(raw, 0)
	ts.Check(err)
	ctx := context.Background()
	files, err := archive.Open(ctx, archive.Options{Chain: "bitcoin", Blocks: []string{name}})
	ts.Check(err)
	s, err := store.Open(ts.MkAbs("served"), memkv.New(), store.Options{})
	ts.Check(err)
	n, err := s.Create(ctx, "bitcoin")
	ts.Check(err)
	ts.Check(n.Append(ctx, files.All(ctx), store.AppendOptions{ReorgBound: new(uint64)}))
	snap, err := n.Snapshot(^uint64(0))
	ts.Check(err)
	server := httptest.NewServer(publicapi.Esplora(snap, blocks, "bitcoin"))
	ts.Defer(func() {
		server.Close()
		_, _ = snap.Close(), s.Close()
	})
	settings := fmt.Sprintf("sources:\n  - {network: bitcoin, api: esplora, name: test, url: %q, rate: 1000}\n", server.URL)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(settings), 0o600))
}
