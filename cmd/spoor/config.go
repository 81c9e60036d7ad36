package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/prices"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
	"github.com/spoortrace/spoor/server"
)

// Config is the YAML file that --config or SPOOR_CONFIG names. An unknown key
// is an error. Flags and the environment go before it.
type Config struct {
	// Data is the data directory; empty: ./spoor-data.
	Data string `yaml:"data"`
	// Server is HOST:PORT of a server to ask instead of opening the data directory.
	Server string `yaml:"server"`
	// CA is a PEM file with the certificates to trust a server by; empty: the system's.
	CA string `yaml:"ca"`
	// KeyFile is the file with the API key for that server.
	KeyFile string `yaml:"key_file"`
	// Output is table, json or csv; empty: table.
	Output string `yaml:"output"`
	// Timezone is printed beside UTC in tables, such as Asia/Bangkok; empty: UTC alone.
	Timezone string `yaml:"timezone"`
	// Bridges are files of bridges to know besides the bundled ones, in the form of chains/evm/bridges.yaml.
	Bridges []string `yaml:"bridges"`
	// Prices are CSV files asset,time,usd,source that annotate amounts with dollars.
	Prices []string `yaml:"prices"`
	// SortMegabytes is how much of the rows of a large ingest is sorted in memory; the rest waits in files. 0: 256.
	SortMegabytes int `yaml:"sort_megabytes"`
	// Sources are services that trace --fetch asks, those of a network in the order in which they stand; none: public ones that need no key.
	Sources []SourceConfig `yaml:"sources"`
	// Fetch is for trace --fetch.
	Fetch FetchConfig `yaml:"fetch"`
	// Follow are the nodes that spoor serve reads, one entry a network.
	Follow []NodeConfig `yaml:"follow"`
	// Serve is for spoor serve.
	Serve ServeConfig `yaml:"serve"`
}

// ServeConfig says how spoor serve listens, and its limits.
type ServeConfig struct {
	// Listen is HOST:PORT; empty: 127.0.0.1:9090.
	Listen string `yaml:"listen"`
	// Webhooks are told of alerts.
	Webhooks []WebhookConfig `yaml:"webhooks"`
	// Mail and Exec are told of those of watches that ask for it; to no other address is anything ever sent.
	Mail []MailConfig `yaml:"mail"`
	Exec []ExecConfig `yaml:"exec"`
	// REST is HOST:PORT where the same is answered as JSON over HTTP; empty: nowhere.
	REST string `yaml:"rest"`
	// TLSCert and TLSKey are PEM files; empty: plaintext, which is for this machine only.
	TLSCert string `yaml:"tls_cert"`
	TLSKey  string `yaml:"tls_key"`
	// Metrics is HOST:PORT where Prometheus is answered over HTTP, at /metrics; empty: nowhere.
	Metrics string `yaml:"metrics"`
	// Role is what whoever reaches the listener may do while there are no keys: reader, investigator, screener or admin; empty: investigator.
	Role string `yaml:"role"`
	// MaxTraces is how many traces may run at a time; 0: 8.
	MaxTraces int `yaml:"max_traces"`
	// MaxEvents is how many events one trace may replay on one network; 0: 1,000,000.
	MaxEvents int `yaml:"max_events"`
	// TraceMegabytes is the memory of the traces that run, together; 0: 2048.
	TraceMegabytes int `yaml:"trace_megabytes"`
	// KeepTraces is how many finished traces are kept for GetTrace; 0: 256.
	KeepTraces int `yaml:"keep_traces"`
	// Rate is requests per second and client; 0: 200.
	Rate int `yaml:"rate"`
	// AuditMegabytes is how large a file of the audit log grows before it goes on in another; 0: 64.
	AuditMegabytes int `yaml:"audit_megabytes"`
}

// WebhookConfig is an address that a tenant's alerts are sent to.
type WebhookConfig struct {
	// Tenant whose alerts they are; empty: local, which is who uses no key.
	Tenant string `yaml:"tenant"`
	// URL is http(s)://HOST/PATH; http for this machine only.
	URL string `yaml:"url"`
	// Secret is the file that holds what signs them, which others must not be able to read.
	Secret string `yaml:"secret"`
}

// MailConfig is a mailbox that a tenant's alerts are sent to, of watches that ask for it.
type MailConfig struct {
	// Tenant whose alerts they are; empty: local, which is who uses no key.
	Tenant string `yaml:"tenant"`
	// Server is HOST:PORT; it must offer STARTTLS, but for one of this machine.
	Server string `yaml:"server"`
	// From is the sender's address.
	From string `yaml:"from"`
	// To are the receivers' addresses.
	To []string `yaml:"to"`
	// User is for AUTH PLAIN; empty: none.
	User string `yaml:"user"`
	// Password is the file that holds the user's, which others must not be able to read.
	Password string `yaml:"password"`
	// CA is a PEM file with the certificates to trust the server by; empty: the system's.
	CA string `yaml:"ca"`
}

// ExecConfig is a program that is run for a tenant's alerts, of watches that ask for it.
type ExecConfig struct {
	// Tenant whose alerts they are; empty: local, which is who uses no key.
	Tenant string `yaml:"tenant"`
	// Command is the program and its arguments; the event comes as JSON on its standard input.
	Command []string `yaml:"command"`
}

// secretFile reads a file that others must not be able to read.
func secretFile(field, name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, ledger.Invalid(field, "a readable file", name)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, ledger.Invalid(field, "a file that others cannot read (chmod 600)", fmt.Sprintf("%s with mode %04o", name, info.Mode().Perm()))
	}
	text, err := os.ReadFile(name)
	return bytes.TrimSpace(text), err
}

// mails reads the passwords.
func (c *Config) mails() ([]server.Mail, error) {
	var all []server.Mail
	for _, m := range c.Serve.Mail {
		if _, _, err := net.SplitHostPort(m.Server); err != nil {
			return nil, ledger.Invalid("serve.mail.server", "HOST:PORT", m.Server)
		}
		for _, a := range append([]string{m.From}, m.To...) {
			if _, err := mail.ParseAddress(a); err != nil || strings.ContainsAny(a, "<> ") {
				return nil, ledger.Invalid("serve.mail", "addresses such as ann@agency.example in from and to", a)
			}
		}
		if len(m.To) == 0 {
			return nil, ledger.Invalid("serve.mail.to", "one address or more", "none")
		}
		one := server.Mail{Tenant: first(m.Tenant, server.LocalTenant), Server: m.Server, From: m.From, To: m.To, User: m.User}
		if m.User != "" {
			password, err := secretFile("serve.mail.password", m.Password)
			if err != nil {
				return nil, err
			}
			one.Password = string(password)
		}
		var err error
		if one.Roots, err = trusted(m.CA); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (c *Config) commands() ([]server.Command, error) {
	var all []server.Command
	for _, x := range c.Serve.Exec {
		if len(x.Command) == 0 || !filepath.IsAbs(x.Command[0]) {
			return nil, ledger.Invalid("serve.exec.command", "a program by its whole path, and its arguments", strings.Join(x.Command, " "))
		}
		all = append(all, server.Command{Tenant: first(x.Tenant, server.LocalTenant), Args: x.Command})
	}
	return all, nil
}

// webhooks reads the secrets.
func (c *Config) webhooks() ([]server.Webhook, error) {
	var all []server.Webhook
	for _, w := range c.Serve.Webhooks {
		u, err := url.Parse(w.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
			return nil, ledger.Invalid("serve.webhooks.url", "https://HOST/PATH, or http:// of this machine", w.URL)
		}
		secret, err := secretFile("serve.webhooks.secret", w.Secret)
		if err != nil {
			return nil, err
		}
		if len(secret) < 16 {
			return nil, ledger.Invalid("serve.webhooks.secret", "16 characters or more in the file", w.Secret)
		}
		all = append(all, server.Webhook{Tenant: first(w.Tenant, server.LocalTenant), URL: w.URL, Secret: secret})
	}
	return all, nil
}

// NodeConfig is a network that spoor serve follows, and the nodes that it reads.
type NodeConfig struct {
	// Network is its name, such as bitcoin, ethereum, evm-1337 or tron.
	Network string `yaml:"network"`
	// URLs are its nodes; the next one is asked when one fails.
	URLs []string `yaml:"urls"`
	// Cookie is the .cookie file of Bitcoin Core.
	Cookie string `yaml:"cookie"`
	// Headers go with every request, "Name: value" or "Name: @FILE".
	Headers []string `yaml:"headers"`
	// CA is a PEM file with the certificates to trust the nodes by; empty: the system's.
	CA string `yaml:"ca"`
	// From is the first height of an empty index; absent: 0.
	From *uint64 `yaml:"from"`
	// ReorgBound is the number of blocks below the tip that may be replaced; absent: the network's own.
	ReorgBound *uint64 `yaml:"reorg_bound"`
	// KeepRaw keeps raw blocks: proofs need them.
	KeepRaw bool `yaml:"keep_raw"`
	// Parallel is how many blocks are fetched at a time; 0: 4.
	Parallel uint32 `yaml:"parallel"`
	// Rate is the greatest number of requests per second; 0: no limit.
	Rate uint32 `yaml:"rate"`
}

// request is what AdminService.Ingest would be asked for the same.
func (n *NodeConfig) request() *spoorv1.Node {
	return &spoorv1.Node{
		Network: n.Network, Urls: n.URLs, CookiePath: n.Cookie, Headers: n.Headers, CaPath: n.CA, FromHeight: n.From, Follow: true,
		KeepRaw: n.KeepRaw, Parallel: n.Parallel, Rate: n.Rate, ReorgBound: n.ReorgBound,
	}
}

// bridges reads the registries that the file of settings names.
func (c *Config) bridges() ([][]byte, error) {
	var all [][]byte
	for _, name := range c.Bridges {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, ledger.Invalid("bridges", "a readable file", name)
		}
		all = append(all, text)
	}
	return all, nil
}

// priceTable reads the files of prices.
func (c *Config) priceTable() (*prices.Table, error) {
	t := &prices.Table{}
	for _, name := range c.Prices {
		f, err := os.Open(name)
		if err != nil {
			return nil, ledger.Invalid("prices", "a readable file", name)
		}
		err = errors.Join(t.Read(name, f), f.Close())
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// readConfig reads the file of settings; no name, no settings.
func readConfig(name string) (Config, error) {
	var c Config
	if name == "" {
		return c, nil
	}
	raw, err := os.ReadFile(name) //nolint:gosec // the user names the file
	if err != nil {
		return c, &usageError{fmt.Errorf("config: %w", err)}
	}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, ledger.Invalid("config "+name, "the keys of the example", err.Error())
	}
	return c, nil
}
