package main

import (
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/chains/bitcoin/blockbook"
	"github.com/spoortrace/spoor/chains/bitcoin/esplora"
	"github.com/spoortrace/spoor/chains/evm"
	"github.com/spoortrace/spoor/chains/evm/etherscan"
	"github.com/spoortrace/spoor/chains/evm/ethnode"
	"github.com/spoortrace/spoor/chains/service"
	"github.com/spoortrace/spoor/chains/tron/trongrid"
	"github.com/spoortrace/spoor/chains/tron/tronscan"
	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/ledger/ask"
	"github.com/spoortrace/spoor/store"
	"github.com/spoortrace/spoor/store/memkv"
)

// SourceConfig is a service that trace --fetch asks.
type SourceConfig struct {
	// Name is what the source is called in logs and answers; empty: the URL's host.
	Name string `yaml:"name"`
	// Network is what it tells of, such as bitcoin, ethereum or tron.
	Network string `yaml:"network"`
	// API is what it speaks: blockbook, esplora, etherscan, node, trongrid or tronscan.
	API string `yaml:"api"`
	// URL is what the API's paths are below.
	URL string `yaml:"url"`
	// Headers go with every request, "Name: value" or "Name: @FILE".
	Headers []string `yaml:"headers"`
	// Parameters are added to every query, "name: value" or "name: @FILE".
	Parameters []string `yaml:"parameters"`
	// Proxy is a URL with scheme http, https or socks5; empty: none.
	Proxy string `yaml:"proxy"`
	// CA is a PEM file with the certificates to trust it by; empty: the system's.
	CA string `yaml:"ca"`
	// Rate is the greatest number of requests per second; 0: 5.
	Rate float64 `yaml:"rate"`
	// Parallel is how many requests are under way at a time; 0: 8.
	Parallel int `yaml:"parallel"`
}

// FetchConfig is for trace --fetch.
type FetchConfig struct {
	// Compare is how many of a hundred questions are put to a second source, too; absent: 2.
	Compare *int `yaml:"compare"`
	// MaxHistory is how many transfers an account may have to be read whole; 0: 20,000.
	MaxHistory int `yaml:"max_history"`
	// FreshMinutes is how old a cut-off may be to be gone on with; 0: 60.
	FreshMinutes int `yaml:"fresh_minutes"`
	// AgainSeconds is how often a trace that is followed asks again; 0: 60.
	AgainSeconds int `yaml:"again_seconds"`
	// MaxRequests is what one trace may ask at most; 0: 10,000.
	MaxRequests int64 `yaml:"max_requests"`
	// MaxMegabytes is what one trace may read at most; 0: 1024.
	MaxMegabytes int64 `yaml:"max_megabytes"`
	// MaxMinutes is how long one trace may ask at most; 0: 60.
	MaxMinutes int64 `yaml:"max_minutes"`
}

// politeRate is how often a public service is asked in a second where the
// settings do not say.
const politeRate = 5

// publicSources are asked where the settings name none: services that answer
// without a key.
func publicSources() []SourceConfig {
	return []SourceConfig{
		{Network: "bitcoin", API: "esplora", URL: "https://mempool.space/api"},
		{Network: "bitcoin", API: "esplora", URL: "https://blockstream.info/api"},
		{Network: "tron", API: "trongrid", URL: "https://api.trongrid.io"},
	}
}

// service is the adapter of an API. Another API is another case here.
func (s *SourceConfig) service(c ledger.Chain, bridges *evm.Bridges) (ask.Service, error) {
	switch s.API {
	case "blockbook":
		return blockbook.New(c)
	case "esplora":
		return esplora.New(c)
	case "etherscan":
		return etherscan.New(c, bridges.Notices)
	case "node":
		return ethnode.New(c)
	case "trongrid":
		return trongrid.New(c)
	case "tronscan":
		return tronscan.New(c)
	}
	return nil, ledger.Invalid("sources.api", "blockbook, esplora, etherscan, node, trongrid or tronscan", s.API)
}

// source makes what is asked of the settings. It does not connect.
func (s *SourceConfig) source(bridges *evm.Bridges) (fetch.Source, func(), error) {
	c, err := ledger.ParseChain(s.Network)
	if err != nil {
		return fetch.Source{}, nil, err
	}
	adapter, err := s.service(c, bridges)
	if err != nil {
		return fetch.Source{}, nil, err
	}
	rate := s.Rate
	if rate == 0 {
		rate = politeRate
	}
	client, err := service.Dial(service.Options{URL: s.URL, Headers: s.Headers, Parameters: s.Parameters, Proxy: s.Proxy, CA: s.CA, Rate: rate})
	if err != nil {
		return fetch.Source{}, nil, err
	}
	name := s.Name
	if u, err := url.Parse(s.URL); name == "" && err == nil {
		name = u.Host
	}
	return fetch.Source{Name: name, Service: adapter, Transport: client, Parallel: s.Parallel}, client.Close, nil
}

// fetcher makes what asks the sources of the settings, or the public ones.
func (c *Config) fetcher(dir string, st *store.Store, registries [][]byte) (*fetch.Fetcher, func(), error) {
	bridges, err := evm.NewBridges(append([][]byte{evm.BundledBridges()}, registries...)...)
	if err != nil {
		return nil, nil, err
	}
	configs := c.Sources
	if len(configs) == 0 {
		configs = publicSources()
	}
	var all []fetch.Source
	var ends []func()
	end := func() {
		for _, e := range ends {
			e()
		}
	}
	for i := range configs {
		one, stop, err := configs[i].source(bridges)
		if err != nil {
			end()
			return nil, nil, err
		}
		all, ends = append(all, one), append(ends, stop)
	}
	o := fetch.Options{Scratch: memkv.New(), MaxHistory: c.Fetch.MaxHistory, Fresh: time.Duration(c.Fetch.FreshMinutes) * time.Minute}
	if c.Fetch.Compare != nil {
		if o.Compare = *c.Fetch.Compare; o.Compare < 0 || o.Compare > 100 {
			end()
			return nil, nil, ledger.Invalid("fetch.compare", "0 to 100", strconv.Itoa(o.Compare))
		}
		if o.Compare == 0 {
			o.Compare = -1
		}
	}
	f, err := fetch.Open(dir, st, all, o)
	if err != nil {
		end()
	}
	return f, end, err
}

// limits are what one trace may ask for.
func (f *FetchConfig) limits() fetch.Budget {
	b := fetch.Budget{Requests: f.MaxRequests, Bytes: f.MaxMegabytes << 20, Time: time.Duration(f.MaxMinutes) * time.Minute}
	if b.Requests == 0 {
		b.Requests = 10_000
	}
	if b.Bytes == 0 {
		b.Bytes = 1 << 30
	}
	if b.Time == 0 {
		b.Time = time.Hour
	}
	return b
}

// sayWhoLearns tells, before anything was ever asked from this data directory, who
// will learn of what is asked.
func (a *app) sayWhoLearns() {
	if asked, err := filepath.Glob(filepath.Join(a.dataDir, fetch.Folder, "*")); a.serverAddr != "" || err != nil || len(asked) > 0 {
		return
	}
	configs := a.config.Sources
	if len(configs) == 0 {
		configs = publicSources()
	}
	var hosts []string
	for _, s := range configs {
		if u, err := url.Parse(s.URL); err == nil && !slices.Contains(hosts, u.Host) {
			hosts = append(hosts, u.Host)
		}
	}
	a.log.Warn("a trace or watch with --fetch asks " + strings.Join(hosts, ", ") + ": they learn which transactions and addresses it touches, and from where; " +
		"sources of your own, or a proxy for each, go into the settings")
}
