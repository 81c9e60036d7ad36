// Package service sends an adapter's requests to an API over HTTP: within its
// rate, again where what came may pass by waiting, and never with a key in what
// is recorded or said.
package service

import (
	"context"
	"time"

	"github.com/spoortrace/spoor/chains/internal/rpc"
	"github.com/spoortrace/spoor/ledger/ask"
)

// Options say where an API is and how to ask it. Only URL is needed.
type Options struct {
	URL        string   // below which the adapter's paths are
	Headers    []string // "Name: value" or "Name: @FILE", of every request
	Parameters []string // "name: value" or "name: @FILE", in every query
	Proxy      string   // http, https or socks5; empty: none
	CA         string   // PEM file with the certificates to trust; empty: the system's
	Timeout    time.Duration
	Rate       float64 // requests per second; 0: no limit
	Retries    int     // of what may pass by waiting; 0: 4, below 0: none
}

// maxBody bounds an answer: ten thousand rows of the largest lists are a tenth of it.
const maxBody = 64 << 20

// Client asks one API. It is safe for concurrent use.
type Client struct{ rpc *rpc.Client }

// Dial checks the options. It does not connect.
func Dial(o Options) (*Client, error) {
	c, err := rpc.Dial(rpc.Options{
		URL: o.URL, Headers: o.Headers, Parameters: o.Parameters, Proxy: o.Proxy, CA: o.CA,
		Timeout: o.Timeout, Rate: o.Rate, Retries: o.Retries, MaxBody: maxBody,
	})
	if err != nil {
		return nil, err
	}
	return &Client{c}, nil
}

// Ask sends a request and has its answer read; see fetch.Transport.
func (c *Client) Ask(ctx context.Context, subject string, r ask.Request, read func(status int, body []byte) error) error {
	return c.rpc.Ask(ctx, subject, r.Path, r.Body, read)
}

// String prints scheme and host: a path may hold a key.
func (c *Client) String() string { return c.rpc.String() }

// Close gives idle connections back.
func (c *Client) Close() { c.rpc.Close() }
