package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/spoortrace/spoor/ledger"
)

// Options say where a node is and how to ask it. Only URL is needed.
type Options struct {
	// URL is http(s)://[USER:PASSWORD@]HOST[:PORT][/PATH].
	URL string
	// Cookie is the file in which Bitcoin Core keeps USER:PASSWORD. It is read
	// again when the node refuses what it said before: Core writes it at each start.
	Cookie string
	// Headers are sent with every request: "Name: value", or "Name: @FILE" to take
	// the value from a file that others cannot read.
	Headers []string
	// Parameters are added to the query of every request that Ask sends: "name:
	// value" or "name: @FILE".
	Parameters []string
	// Proxy is a URL with scheme http, https or socks5 that everything goes through;
	// empty: nothing does, whatever the environment says.
	Proxy string
	// CA is a PEM file with the certificates to trust; empty: the system's.
	CA string
	// Timeout is how long to wait for an answer to begin, and for each further
	// 64 KiB of it; 0: 30 s.
	Timeout time.Duration
	// Rate is the greatest number of calls per second, each one of a batch
	// counted; 0: no limit.
	Rate float64
	// Retries is how often a fault that may pass is tried again; 0: 4, below 0: never.
	Retries int
	// MaxBody bounds an answer in bytes, unpacked; 0: 256 MiB, more than twice the
	// traces of a full Ethereum block, which are the largest answers asked for.
	MaxBody int64
}

// Client asks one node. It is safe for concurrent use.
type Client struct {
	url     *url.URL // without user and password
	http    *http.Client
	o       Options
	headers http.Header
	query   url.Values // of Parameters
	limit   *rate.Limiter
	ids     atomic.Uint64
	single  atomic.Bool // the node takes no batches

	mu             sync.Mutex
	user, password string

	wait   func(d time.Duration) <-chan time.Time
	jitter func() float64 // in [0, 1)
}

const (
	defaultTimeout = 30 * time.Second
	defaultRetries = 4
	defaultMaxBody = 256 << 20
)

// Dial checks the options. It does not connect.
func Dial(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, ledger.Invalid("node", "a URL such as http://127.0.0.1:8332", redacted(o.URL))
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Retries == 0 {
		o.Retries = defaultRetries
	}
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	c := &Client{o: o, wait: time.After, jitter: rand.Float64, limit: rate.NewLimiter(rate.Inf, 1)}
	if o.Rate > 0 {
		c.limit = rate.NewLimiter(rate.Limit(o.Rate), max(1, int(o.Rate)))
	}
	c.user = u.User.Username()
	c.password, _ = u.User.Password()
	u.User = nil
	c.url = u
	if c.headers, err = readHeaders(o.Headers); err != nil {
		return nil, err
	}
	if c.query, err = readParameters(o.Parameters); err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16, TLSHandshakeTimeout: o.Timeout}
	if o.Proxy != "" {
		through, err := url.Parse(o.Proxy)
		if err != nil || through.Host == "" || through.Scheme != "http" && through.Scheme != "https" && through.Scheme != "socks5" {
			return nil, ledger.Invalid("proxy", "a URL such as socks5://127.0.0.1:9050", redacted(o.Proxy))
		}
		transport.Proxy = http.ProxyURL(through)
	}
	if o.CA != "" {
		if transport.TLSClientConfig, err = trusting(o.CA); err != nil {
			return nil, err
		}
	}
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if o.Cookie != "" {
		if _, err := c.readCookie(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Close gives idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// String prints scheme and host: a path may hold a key.
func (c *Client) String() string { return c.url.Scheme + "://" + c.url.Host }

// redacted is what may be said of a URL that does not parse.
func redacted(s string) string {
	if strings.ContainsAny(s, "@?") || strings.Count(s, "/") > 2 {
		return "one that is not shown: it may hold a key"
	}
	return s
}

func trusting(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		return nil, ledger.Invalid("ca", "a readable PEM file of certificates", file)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

func readHeaders(lines []string) (http.Header, error) {
	headers := http.Header{}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || value == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return nil, ledger.Invalid("header", "Name: value, or Name: @FILE", "a line that is not shown: it may be a key")
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			var err error
			if value, err = readSecret(file); err != nil {
				return nil, err
			}
		}
		headers.Set(name, value)
	}
	return headers, nil
}

// readParameters reads lines as headers have them; names of parameters keep their case.
func readParameters(lines []string) (url.Values, error) {
	query := url.Values{}
	for _, line := range lines {
		one, err := readHeaders([]string{line})
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(line, ":")
		query.Set(strings.TrimSpace(name), one.Get(strings.TrimSpace(name)))
	}
	return query, nil
}

// readSecret reads a key from a file that others cannot read.
func readSecret(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", ledger.Invalid("header", "a readable file after @", file)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", ledger.Invalid("header", "a file that others cannot read (chmod 600)", file+" with mode "+info.Mode().Perm().String())
	}
	text, err := os.ReadFile(file)
	value := strings.TrimSpace(string(text))
	if err != nil || value == "" || strings.ContainsAny(value, "\r\n") {
		return "", ledger.Invalid("header", "a file with one line after @", file)
	}
	return value, nil
}

// readCookie reports whether the cookie is another than before.
func (c *Client) readCookie() (bool, error) {
	text, err := os.ReadFile(c.o.Cookie)
	user, password, ok := strings.Cut(strings.TrimSpace(string(text)), ":")
	if err != nil || !ok {
		return false, ledger.Invalid("cookie", "the .cookie file of a running Bitcoin Core", c.o.Cookie)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.user != user || c.password != password
	c.user, c.password = user, password
	return changed, nil
}
