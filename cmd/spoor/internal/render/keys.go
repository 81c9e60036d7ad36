package render

import (
	"io"
	"strconv"
	"strings"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func keyGrid(keys []*spoorv1.Key, s Style) *grid {
	g := &grid{}
	g.add("id", "tenant", "role", "name", "made", "expires", "")
	for _, k := range keys {
		expires, state := "never", ""
		if k.GetExpires() != nil {
			expires = s.when(k.GetExpires())
		}
		if k.GetCertificate() {
			state = "certificate"
		}
		if k.GetRevoked() != nil {
			state = strings.TrimSpace(state + " revoked " + s.when(k.GetRevoked()))
		}
		g.add(Clean(k.GetId()), Clean(k.GetTenant()), roleWord(k.GetRole()), Clean(k.GetName()), s.when(k.GetCreated()), expires, state)
	}
	return g
}

func roleWord(r spoorv1.Role) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_"))
}

// NewKey prints a key that was made, with its secret.
func NewKey(w io.Writer, r *spoorv1.CreateKeyResponse, s Style) error {
	p := &paper{w: w}
	p.print(keyGrid([]*spoorv1.Key{r.GetKey()}, s))
	if r.GetToken() != "" {
		p.line("")
		p.line("%s", Clean(r.GetToken()))
		p.line("")
		p.line("Keep it: it is shown this once. Clients send it as \"authorization: Bearer KEY\" or \"x-api-key: KEY\".")
	}
	return p.err
}

// NewKeyCSV writes the key that was made, with its secret.
func NewKeyCSV(w io.Writer, r *spoorv1.CreateKeyResponse) error {
	k := r.GetKey()
	s := &records{header: []string{"id", "tenant", "role", "name", "created", "expires", "token"}}
	s.add(k.GetId(), k.GetTenant(), roleWord(k.GetRole()), k.GetName(), utc(k.GetCreated()), utc(k.GetExpires()), r.GetToken())
	return s.write(w)
}

// Keys prints keys and the tenants that they are of.
func Keys(w io.Writer, r *spoorv1.ListKeysResponse, s Style) error {
	p := &paper{w: w}
	if len(r.GetKeys())+len(r.GetTenants()) == 0 {
		p.line("No key. Whoever reaches the listener of spoor serve has its --role.")
		return p.err
	}
	p.line("%s of %s", plural(int64(len(r.GetKeys())), "key", "keys"), plural(int64(len(r.GetTenants())), "tenant", "tenants"))
	p.print(keyGrid(r.GetKeys(), s))
	p.line("")
	g := &grid{right: []bool{false, true, true, true}}
	g.add("tenant", "a second", "at once", "at a time", "webhook hosts", "")
	for _, t := range r.GetTenants() {
		state := ""
		if t.GetSandbox() {
			state = "sandbox"
		}
		g.add(Clean(t.GetName()), orDefault(t.GetRate()), orDefault(t.GetBurst()), orDefault(t.GetConcurrent()), Clean(strings.Join(t.GetWebhookHosts(), " ")), state)
	}
	p.print(g)
	return p.err
}

func orDefault(n uint32) string {
	if n == 0 {
		return "default"
	}
	return number(int64(n))
}

// KeysCSV writes one row a key.
func KeysCSV(w io.Writer, r *spoorv1.ListKeysResponse) error {
	s := &records{header: []string{"id", "tenant", "role", "name", "created", "expires", "revoked", "certificate"}}
	for _, k := range r.GetKeys() {
		s.add(k.GetId(), k.GetTenant(), roleWord(k.GetRole()), k.GetName(), utc(k.GetCreated()), utc(k.GetExpires()), utc(k.GetRevoked()), strconv.FormatBool(k.GetCertificate()))
	}
	return s.write(w)
}

// RevokedKey prints a key that was revoked.
func RevokedKey(w io.Writer, k *spoorv1.Key, s Style) error {
	p := &paper{w: w}
	p.print(keyGrid([]*spoorv1.Key{k}, s))
	return p.err
}

// RevokedKeyCSV writes it as a row.
func RevokedKeyCSV(w io.Writer, k *spoorv1.Key) error {
	return KeysCSV(w, &spoorv1.ListKeysResponse{Keys: []*spoorv1.Key{k}})
}
