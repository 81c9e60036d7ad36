package access

import (
	"net"
	"regexp"
	"strconv"

	"github.com/spoortrace/spoor/ledger"
)

// Tenant is one customer of this server: whose data is apart from others', and
// whose share of the process is limited.
type Tenant struct {
	Name string // 1 to 64 of a-z, 0-9, "-" and "_"
	// Rate is requests, or messages of a stream of questions, per second; 0: DefaultRate.
	Rate uint32
	// Burst is how many may come at once; 0: twice the rate.
	Burst uint32
	// Concurrent is how many calls and streams may run at a time; 0: DefaultConcurrent.
	Concurrent uint32
	// Sandbox tenants only try things out: fixed addresses answer each level.
	Sandbox bool
	// WebhookHosts are the hosts, HOST or HOST:PORT, that alerts may be sent to.
	WebhookHosts []string
}

// The limits of a tenant that states none.
const (
	DefaultRate       = 1000
	DefaultConcurrent = 128
)

// Greatest limits that a tenant may have.
const (
	maxRate    = 1_000_000
	maxWebhook = 32
)

func (t *Tenant) rate() int       { return orDefault(t.Rate, DefaultRate) }
func (t *Tenant) burst() int      { return orDefault(t.Burst, 2*t.rate()) }
func (t *Tenant) concurrent() int { return orDefault(t.Concurrent, DefaultConcurrent) }

func orDefault(n uint32, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return int(n)
}

// LocalTenant is whoever works without a key; no key may name it.
const LocalTenant = "local"

func validName(name string) error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`).MatchString(name) {
		return ledger.Invalid("tenant", "1 to 64 of a-z, 0-9, - and _, a letter or digit first", name)
	}
	if name == LocalTenant {
		return ledger.Invalid("tenant", "another name than that of those without a key", name)
	}
	return nil
}

func (t *Tenant) valid() error {
	if err := validName(t.Name); err != nil {
		return err
	}
	limits := []struct {
		field string
		value uint32
	}{{"rate", t.Rate}, {"burst", t.Burst}, {"concurrent", t.Concurrent}}
	for _, l := range limits {
		if l.value > maxRate {
			return ledger.Invalid(l.field, "at most "+strconv.Itoa(maxRate), strconv.FormatUint(uint64(l.value), 10))
		}
	}
	if len(t.WebhookHosts) > maxWebhook {
		return ledger.Invalid("webhook_hosts", "at most "+strconv.Itoa(maxWebhook), strconv.Itoa(len(t.WebhookHosts)))
	}
	for _, host := range t.WebhookHosts {
		if !validHost(host) {
			return ledger.Invalid("webhook_hosts", "HOST or HOST:PORT", host)
		}
	}
	return nil
}

func validHost(host string) bool {
	if name, port, err := net.SplitHostPort(host); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
		host = name
	}
	return net.ParseIP(host) != nil || regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`).MatchString(host)
}
