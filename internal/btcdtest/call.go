package btcdtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Call asks the node and decodes its answer into result, which may be nil.
func (n *Node) Call(ctx context.Context, method string, result any, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "1.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth(User, Pass)
	req.Header.Set("Content-Type", "application/json")
	resp, err := n.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	switch err := json.Unmarshal(text, &answer); {
	case err != nil:
		return fmt.Errorf("btcdtest: %s: HTTP %d: %s", method, resp.StatusCode, text)
	case answer.Error != nil:
		return fmt.Errorf("btcdtest: %s: %d: %s", method, answer.Error.Code, answer.Error.Message)
	case result == nil:
		return nil
	}
	return json.Unmarshal(answer.Result, result)
}

// Mine mines blocks on the node's tip and returns their hashes, as printed.
func (n *Node) Mine(ctx context.Context, blocks int) ([]string, error) {
	var hashes []string
	err := n.Call(ctx, "generate", &hashes, blocks)
	return hashes, err
}

// Tip returns height and hash of the node's best block.
func (n *Node) Tip(ctx context.Context) (height uint64, hash string, err error) {
	var best struct {
		Height uint64
		Hash   string
	}
	err = n.Call(ctx, "getbestblock", &best)
	return best.Height, best.Hash, err
}

// Connect makes two nodes peers.
func (n *Node) Connect(ctx context.Context, other *Node) error {
	return n.Call(ctx, "node", nil, "connect", other.Peer, "temp")
}

// Disconnect parts two nodes that Connect made peers, and waits until neither has
// a peer left: what is sent afterwards stays where it is sent. Nodes that were
// connected twice may have two connections, of which each call ends one.
func (n *Node) Disconnect(ctx context.Context, other *Node) error {
	if err := n.Call(ctx, "node", nil, "disconnect", other.Peer); err != nil {
		return err
	}
	for _, one := range []*Node{n, other} {
		for peers := 1; peers > 0; {
			if err := one.Call(ctx, "getconnectioncount", &peers); err != nil {
				return err
			}
			if peers > 0 {
				_ = n.Call(ctx, "node", nil, "disconnect", other.Peer) // an error: that connection is ending already
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("btcdtest: %d peers left: %w", peers, ctx.Err())
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}

// Agree waits until both nodes have the same tip, or the context ends.
func (n *Node) Agree(ctx context.Context, other *Node) error {
	for {
		_, a, err := n.Tip(ctx)
		if err != nil {
			return err
		}
		_, b, err := other.Tip(ctx)
		if err != nil {
			return err
		}
		if a == b {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("btcdtest: tips %s and %s: %w", a, b, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
