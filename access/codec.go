package access

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// entry is one line of the key log: a tenant as it is from then on, a key that
// was made, or the id of one that was revoked.
type entry struct {
	Time   time.Time    `json:"time"`
	By     string       `json:"by"`
	Tenant *tenantEntry `json:"tenant,omitempty"`
	Key    *keyEntry    `json:"key,omitempty"`
	Revoke string       `json:"revoke,omitempty"`
}

type tenantEntry struct {
	Name       string   `json:"name"`
	Rate       uint32   `json:"rate,omitempty"`
	Burst      uint32   `json:"burst,omitempty"`
	Concurrent uint32   `json:"concurrent,omitempty"`
	Sandbox    bool     `json:"sandbox,omitempty"`
	Webhooks   []string `json:"webhook_hosts,omitempty"`
}

type keyEntry struct {
	ID          string     `json:"id"`
	Tenant      string     `json:"tenant"`
	Name        string     `json:"name"`
	Role        Role       `json:"role"`
	Expires     *time.Time `json:"expires,omitempty"`
	Certificate bool       `json:"certificate,omitempty"`
	Proof       string     `json:"sha256"`
}

func tenantOf(e *tenantEntry) Tenant {
	return Tenant{Name: e.Name, Rate: e.Rate, Burst: e.Burst, Concurrent: e.Concurrent, Sandbox: e.Sandbox, WebhookHosts: e.Webhooks}
}

func entryOf(t Tenant) *tenantEntry {
	return &tenantEntry{t.Name, t.Rate, t.Burst, t.Concurrent, t.Sandbox, t.WebhookHosts}
}

func entryOfKey(k Key) *keyEntry {
	e := &keyEntry{ID: k.ID, Tenant: k.Tenant, Name: k.Name, Role: k.Role, Certificate: k.Certificate, Proof: hex.EncodeToString(k.proof[:])}
	if !k.Expires.IsZero() {
		e.Expires = &k.Expires
	}
	return e
}

// keyOf refuses what NewKey cannot have written.
func keyOf(e *keyEntry, created time.Time) (Key, error) {
	k := Key{ID: e.ID, Tenant: e.Tenant, Name: e.Name, Role: e.Role, Created: created, Certificate: e.Certificate}
	if e.Expires != nil {
		k.Expires = *e.Expires
	}
	if len(k.ID) != idText || !isHex(k.ID) {
		return k, ledger.Invalid("id", "16 hex digits", e.ID)
	}
	n, err := hex.Decode(k.proof[:], []byte(e.Proof)[:min(len(e.Proof), secretText)])
	if err != nil || n != len(k.proof) || !isHex(e.Proof) || len(e.Proof) != secretText {
		return k, ledger.Invalid("sha256", "64 hex digits", strconv.Itoa(len(e.Proof))+" characters")
	}
	return k, k.valid(created)
}

// decode takes exactly one JSON value with no field that is not known.
func decode(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

// formatHead writes a mark as "BYTES LINES CHAIN".
func formatHead(m mark) []byte {
	return fmt.Appendf(nil, "%d %d %x\n", m.Bytes, m.Lines, m.Chain)
}

func parseHead(text []byte) (m mark, err error) {
	fields := strings.Split(strings.TrimSuffix(string(text), "\n"), " ")
	if len(fields) != 3 || len(fields[2]) != chainText {
		return m, ledger.ErrCorrupt
	}
	if m.Bytes, err = strconv.ParseInt(fields[0], 10, 64); err == nil {
		m.Lines, err = strconv.ParseUint(fields[1], 10, 64)
	}
	if err == nil {
		_, err = hex.Decode(m.Chain[:], []byte(fields[2]))
	}
	if err != nil || !bytes.Equal(formatHead(m), text) {
		return m, ledger.ErrCorrupt
	}
	return m, nil
}

// readHead reads the mark of the key log; without a file nothing was acknowledged.
func readHead(name string) (h head, err error) {
	h.name = name
	h.text, err = os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return h, nil
	}
	if err == nil {
		h.mark, err = parseHead(h.text)
	}
	if err != nil {
		return h, fmt.Errorf("access: keys.head: %w", err)
	}
	return h, nil
}
