package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/spoortrace/spoor/access"
	"github.com/spoortrace/spoor/cases"
	"github.com/spoortrace/spoor/entities"
	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/screening"
	"github.com/spoortrace/spoor/server"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/badgerkv"
)

// owner is this process while it owns a data directory: the open store and
// label log, the services on them, and their listeners. Other commands reach
// it by the socket file.
type owner struct {
	dir    string
	store  *store.Store
	labels *labels.Log
	// entities is the index of clusters, built from the store.
	entities *entities.Set
	// screening is what exchanges registered.
	screening *screening.Store
	// cases are criminal cases with their custody logs.
	cases *cases.Store

	keys   *access.Store
	audit  *access.Audit // nil as long as there is no key
	server *server.Server
	pipe   *bufconn.Listener
	serves errgroup.Group
	intake *intake
	// fetcher asks services for what traces lack; hangUp closes its connections.
	fetcher *fetch.Fetcher
	hangUp  func()

	follows errgroup.Group
	log     *slog.Logger
}

// socketName is the file in the data directory at which its owner listens.
const socketName = "spoor.sock"

// maxSocketPath keeps clear of the 104 to 108 bytes that systems allow.
const maxSocketPath = 100

func socketPath(dir string) string { return filepath.Join(dir, socketName) }

// smallIndex is the size in bytes up to which an index is opened with little
// memory, so that a command on it starts at once. Ingesting 112 MB of blocks
// into a fresh one took 34 s so and 32 s with large buffers.
const smallIndex = 256 << 20

// engine opens the engine of one generation. Another engine is another case here.
func engine(dir string) (store.KV, error) {
	size, err := bytesIn(dir)
	if err != nil {
		return nil, err
	}
	if size <= smallIndex {
		return badgerkv.New(badgerkv.Small())(dir)
	}
	return badgerkv.New(badgerkv.Options{})(dir)
}

// openOwner takes the data directory; ledger.ErrBusy when another process has it.
func openOwner(dir string, config Config, log *slog.Logger) (*owner, error) {
	limits := config.Serve
	if config.SortMegabytes < 0 {
		return nil, ledger.Invalid("sort_megabytes", "0 or more", strconv.Itoa(config.SortMegabytes))
	}
	bridges, err := config.bridges()
	if err != nil {
		return nil, err
	}
	worth, err := config.priceTable()
	if err != nil {
		return nil, err
	}
	hooks, err := config.webhooks()
	if err != nil {
		return nil, err
	}
	mails, err := config.mails()
	if err != nil {
		return nil, err
	}
	commands, err := config.commands()
	if err != nil {
		return nil, err
	}
	free, err := minFree(dir)
	if err != nil {
		return nil, err
	}
	st, err := store.Open(dir, engine, store.Options{MinFree: free})
	if err != nil {
		return nil, err
	}
	tags, err := labels.Open(filepath.Join(dir, "labels"))
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	keys, audit, err := openAccess(filepath.Join(dir, accessName), limits.AuditMegabytes, log)
	if err != nil {
		return nil, errors.Join(err, tags.Close(), st.Close())
	}
	clusters, err := entities.Open(filepath.Join(dir, "clusters"), engine)
	if err != nil {
		return nil, errors.Join(err, tags.Close(), st.Close())
	}
	kept, err := openScreening(filepath.Join(dir, "screening"))
	if err != nil {
		return nil, errors.Join(err, clusters.Close(), tags.Close(), st.Close())
	}
	files, broken := cases.Open(dir, cases.Options{Now: time.Now})
	if broken != nil {
		log.Warn("cases cannot be opened; everything else works", "error", broken)
	}
	o := &owner{dir: dir, store: st, labels: tags, entities: clusters, screening: kept, cases: files, keys: keys, audit: audit, pipe: bufconn.Listen(1 << 20), log: log}
	if n := tags.Cut(); n > 0 {
		log.Warn("label log: cut off a batch that was never finished", "bytes", n)
	}
	o.intake = &intake{store: st, labels: tags, log: log, now: time.Now, bridges: bridges, follows: server.NewFollows(time.Now), memory: int64(config.SortMegabytes) << 20}
	if o.fetcher, o.hangUp, err = config.fetcher(dir, st, bridges); err != nil {
		return nil, errors.Join(err, o.closeCases(), kept.Close(), o.closeAccess(), clusters.Close(), tags.Close(), st.Close())
	}
	o.server, err = server.New(server.Config{
		Fetch: o.fetcher, FetchLimits: config.Fetch.limits(), FetchEvery: time.Duration(config.Fetch.AgainSeconds) * time.Second,
		Store: st, Labels: tags, Entities: clusters, Screening: kept, Cases: files, CasesError: broken, Software: "spoor " + version(), Program: ownHash, Keys: keys, Audit: audit, Ingest: o.intake.ingest, Backup: o.backup, Follows: o.intake.follows, Prices: worth, Log: log, Webhooks: hooks, Mails: mails, Commands: commands,
		MaxTraces: limits.MaxTraces, MaxEvents: limits.MaxEvents, TraceBytes: int64(limits.TraceMegabytes) << 20, KeepTraces: limits.KeepTraces, Rate: float64(limits.Rate),
	})
	if err != nil {
		return nil, errors.Join(err, o.closeCases(), kept.Close(), o.closeAccess(), tags.Close(), st.Close())
	}
	o.serve(o.pipe, server.LocalTrust())
	o.listenSocket(dir)
	return o, nil
}

// openScreening opens what exchanges registered, in an engine of its own.
func openScreening(dir string) (*screening.Store, error) {
	kv, err := engine(dir)
	if err != nil {
		return nil, err
	}
	kept, err := screening.Open(context.Background(), kv)
	if err != nil {
		return nil, errors.Join(err, kv.Close())
	}
	return kept, nil
}

// openAccess opens the keys, and the log of what is done with them once there is one.
func openAccess(dir string, megabytes int, log *slog.Logger) (*access.Store, *access.Audit, error) {
	keys, err := access.Open(dir, time.Now)
	if err != nil {
		return nil, nil, err
	}
	if n := keys.Cut(); n > 0 {
		log.Warn("key log: cut off a write that was never finished", "bytes", n)
	}
	if len(keys.Keys()) == 0 {
		return keys, nil, nil
	}
	audit, err := access.OpenAudit(dir, time.Now, int64(megabytes)<<20)
	if err != nil {
		return nil, nil, errors.Join(err, keys.Close())
	}
	if n := audit.Cut(); n > 0 {
		log.Warn("audit log: cut off a write that was never finished", "bytes", n)
	}
	return keys, audit, nil
}

func (o *owner) closeCases() error {
	if o.cases == nil {
		return nil
	}
	return o.cases.Close()
}

func (o *owner) closeAccess() error {
	if o.audit == nil {
		return o.keys.Close()
	}
	return errors.Join(o.audit.Close(), o.keys.Close())
}

// serve answers on a listener until close.
func (o *owner) serve(l net.Listener, trust server.Trust) {
	o.serves.Go(func() error { return o.server.Serve(l, trust) })
}

// listenSocket serves the socket file, which only this user may open. A file
// that a dead owner left is removed: the store's lock says that there is none.
func (o *owner) listenSocket(dir string) {
	path, err := filepath.Abs(socketPath(dir))
	if err == nil && len(path) > maxSocketPath {
		err = ledger.Invalid("data directory", fmt.Sprintf("a path of at most %d bytes for its socket file", maxSocketPath), path)
	}
	if err == nil {
		if err = os.Remove(path); os.IsNotExist(err) {
			err = nil
		}
	}
	var l net.Listener
	if err == nil {
		l, err = net.Listen("unix", path) //nolint:noctx // it returns at once
	}
	if err != nil {
		o.log.Warn("no socket file: other commands must wait until this one ends", "error", err)
		return
	}
	if err := os.Chmod(path, 0o600); err != nil {
		o.log.Warn("socket file", "error", errors.Join(err, l.Close()))
		return
	}
	o.serve(l, server.LocalTrust())
}

// dial connects to the services in this process.
func (o *owner) dial() (*grpc.ClientConn, error) {
	connect := func(ctx context.Context, _ string) (net.Conn, error) { return o.pipe.DialContext(ctx) }
	return grpc.NewClient("passthrough:///inside", append(dialOptions(insecure.NewCredentials()), grpc.WithContextDialer(connect))...)
}

// grace is how long calls of others may go on when the owner ends.
const grace = 10 * time.Second

// close ends the services, then what they work on.
func (o *owner) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	o.server.Stop(ctx)
	defer o.hangUp()
	return errors.Join(o.serves.Wait(), o.fetcher.Close(), o.closeCases(), o.screening.Close(), o.closeAccess(), o.labels.Close(), o.entities.Close(), o.store.Close())
}

// bytesIn adds up the files of a folder; a missing one is empty.
func bytesIn(dir string) (size int64, err error) {
	files, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return 0, err
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			size += info.Size()
		}
	}
	return size, nil
}

// The space that ingest leaves free: more than either engine keeps for work in
// the background, so that the index refuses before its engine has to.
const (
	freeForSmall = 256 << 20
	freeForLarge = 1280 << 20
)

func minFree(dir string) (uint64, error) {
	engines, err := filepath.Glob(filepath.Join(dir, "networks", "*", "gen-*", "*"))
	if err != nil {
		return 0, err
	}
	for _, e := range engines {
		if size, err := bytesIn(e); err == nil && size > smallIndex {
			return freeForLarge, nil
		}
	}
	return freeForSmall, nil
}

// ownHash is the SHA-256 of the running program.
func ownHash() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("the running program: %w", err)
	}
	return fileHash(self)
}
