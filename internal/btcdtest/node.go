package btcdtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Build compiles btcd into dir and returns the program's path. Its packages are
// in the build cache after the first time.
func Build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "btcd.exe")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/btcsuite/btcd").CombinedOutput() //nolint:gosec // the test's own path
	if err != nil {
		return "", fmt.Errorf("btcdtest: go build: %w\n%s", err, out)
	}
	return program, nil
}

// Options of a node. Program and Dir must be given.
type Options struct {
	Program string // as Build returns it
	Dir     string // for data, logs and certificate; kept by Restart
	Mining  string // address that mined coins pay; empty: a node that cannot mine
	TLS     bool   // btcd shakes hands anew for every call, 6 ms each time
	Args    []string
}

// User and Pass are the credentials of every node.
const (
	User = "spoor"
	Pass = "only-for-tests"
)

// Node is a running btcd.
type Node struct {
	URL  string // of its RPC server, without credentials
	Peer string // HOST:PORT where other nodes connect
	Cert string // path of its certificate, which is its own authority; with TLS

	rpc string // HOST:PORT

	o      Options
	cmd    *exec.Cmd
	output bytes.Buffer
	done   chan error
	http   *http.Client
}

// Start runs a node and returns when it answers.
func Start(ctx context.Context, o Options) (*Node, error) {
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	n := &Node{
		URL: "http://" + ports[0], Peer: ports[1], Cert: filepath.Join(o.Dir, "rpc.cert"), rpc: ports[0], o: o,
		http: &http.Client{Timeout: 30 * time.Second},
	}
	if o.TLS {
		n.URL = "https://" + ports[0]
	}
	return n, n.run(ctx)
}

// freePorts returns addresses of loopback that nobody listens on.
func freePorts(ctx context.Context, count int) ([]string, error) {
	var all []string
	for range count {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all, nil
}

func (n *Node) run(ctx context.Context) error {
	config := filepath.Join(n.o.Dir, "btcd.conf")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		return err
	}
	args := []string{
		"--simnet", "--configfile=" + config, "--datadir=" + filepath.Join(n.o.Dir, "data"), "--logdir=" + filepath.Join(n.o.Dir, "logs"),
		"--rpccert=" + n.Cert, "--rpckey=" + filepath.Join(n.o.Dir, "rpc.key"), "--rpcuser=" + User, "--rpcpass=" + Pass,
		"--rpclisten=" + n.rpc, "--listen=" + n.Peer, "--nodnsseed", "--nobanning", "--nostalldetect", "--trickleinterval=10ms",
	}
	if !n.o.TLS {
		args = append(args, "--notls")
	}
	if n.o.Mining != "" {
		args = append(args, "--miningaddr="+n.o.Mining)
	}
	// Its life is the node's, not that of the context of Start.
	n.cmd = exec.Command(n.o.Program, append(args, n.o.Args...)...) //nolint:gosec,noctx // the program that Build made; Close ends it
	n.output.Reset()
	n.cmd.Stdout, n.cmd.Stderr = &n.output, &n.output
	dieWithParent(n.cmd)
	if err := n.cmd.Start(); err != nil {
		return err
	}
	n.done = make(chan error, 1)
	go func() { n.done <- n.cmd.Wait() }()
	if err := n.ready(ctx); err != nil {
		return errors.Join(err, n.Close())
	}
	return nil
}

// ready waits for the first answer, at most 30 seconds.
func (n *Node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := n.trust()
		if err == nil {
			err = n.Call(ctx, "getblockcount", nil)
		}
		if err == nil {
			return nil
		}
		select {
		case ended := <-n.done:
			n.done <- ended
			return fmt.Errorf("btcdtest: the node ended: %w\n%s", ended, n.output.Bytes())
		case <-ctx.Done():
			return fmt.Errorf("btcdtest: no answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// trust makes the node's certificate, which it writes as it starts, the only authority.
func (n *Node) trust() error {
	if !n.o.TLS {
		return nil
	}
	pem, err := os.ReadFile(n.Cert)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return errors.New("btcdtest: no certificate yet")
	}
	n.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return nil
}

// Close ends the node and waits for it.
func (n *Node) Close() error {
	n.http.CloseIdleConnections()
	if err := n.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-n.done:
		n.done <- err
	case <-time.After(20 * time.Second):
		return n.cmd.Process.Kill()
	}
	return nil
}

// Restart ends the node and runs it again on its data, at the same addresses.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.Close(); err != nil {
		return err
	}
	return n.run(ctx)
}
