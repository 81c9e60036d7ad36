package cases

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spoortrace/spoor/ledger"
)

// Opening is the first entry.
type Opening struct {
	Number     string     `json:"number"`
	Title      string     `json:"title"`
	Authority  string     `json:"authority"`
	Tenant     string     `json:"tenant"`
	Policy     Policies   `json:"policy"`
	Allocation Allocation `json:"allocation"`
}

// Member gives a name a role, or takes it: None.
type Member struct {
	Name string `json:"name"`
	Role Role   `json:"role"` // None: no longer a member
}

// None is the role of who is no longer a member.
const None Role = "none"

// Withdrawal takes a payment out, with the reason; it stays in the log.
type Withdrawal struct {
	Payment string `json:"payment"`
	Reason  string `json:"reason"`
}

// PolicyChange fixes other policies. Results so far keep those they were made with.
type PolicyChange struct {
	Policy Policies `json:"policy"`
}

// AllocationChange fixes another allocation, with the reason in law.
type AllocationChange struct {
	Allocation Allocation `json:"allocation"`
	Reason     string     `json:"reason"`
}

// Read records that somebody saw something.
type Read struct {
	What string `json:"what"` // case, victims, exhibit SHA256 ...
}

type paymentsAdded struct {
	Victims  []Victim  `json:"victims,omitempty"` // those that are new
	Payments []Payment `json:"payments"`
}

type victimChanged struct {
	Victim Victim `json:"victim"`
}

type erased struct {
	Reason string `json:"reason"`
}

type recovered struct {
	Entries uint64 `json:"entries"`
}

func (*Opening) kind() Kind          { return KindOpened }
func (*Member) kind() Kind           { return KindMember }
func (*paymentsAdded) kind() Kind    { return KindPaymentsAdded }
func (*victimChanged) kind() Kind    { return KindVictimChanged }
func (*Withdrawal) kind() Kind       { return KindPaymentWithdrawn }
func (*Note) kind() Kind             { return KindNote }
func (*Exhibit) kind() Kind          { return KindExhibit }
func (*PolicyChange) kind() Kind     { return KindPolicyChanged }
func (*AllocationChange) kind() Kind { return KindAllocationChanged }
func (*Label) kind() Kind            { return KindLabel }
func (*Read) kind() Kind             { return KindRead }
func (*Trace) kind() Kind            { return KindTraced }
func (*Package) kind() Kind          { return KindPackage }
func (*Request) kind() Kind          { return KindRequestSent }
func (*Answer) kind() Kind           { return KindRequestAnswered }
func (*Return) kind() Kind           { return KindReturnImported }
func (*Seizure) kind() Kind          { return KindSeizure }
func (*erased) kind() Kind           { return KindErased }
func (h *Handover) kind() Kind       { return h.Direction }
func (*recovered) kind() Kind        { return KindRecovered }

func (*Opening) needs() Role          { return Owner }
func (*Member) needs() Role           { return Owner }
func (*paymentsAdded) needs() Role    { return Investigator }
func (*victimChanged) needs() Role    { return Investigator }
func (*Withdrawal) needs() Role       { return Investigator }
func (*Note) needs() Role             { return Investigator }
func (*Exhibit) needs() Role          { return Investigator }
func (*PolicyChange) needs() Role     { return Owner }
func (*AllocationChange) needs() Role { return Owner }
func (*Label) needs() Role            { return Investigator }
func (*Read) needs() Role             { return Viewer }
func (*Trace) needs() Role            { return Investigator }
func (*Package) needs() Role          { return Investigator }
func (*Request) needs() Role          { return Investigator }
func (*Answer) needs() Role           { return Investigator }
func (*Return) needs() Role           { return Investigator }
func (*Seizure) needs() Role          { return Investigator }
func (*erased) needs() Role           { return Owner }
func (*Handover) needs() Role         { return Owner }
func (*recovered) needs() Role        { return Viewer }

func (v *victimChanged) check(c *Case) error {
	if c.Erased {
		return errErased
	}
	known := false
	for _, o := range c.Victims {
		known = known || o.Pseudonym == v.Victim.Pseudonym
		if o.Pseudonym != v.Victim.Pseudonym && o.Match == v.Victim.Match {
			return ledger.Invalid("full_name", "the name of no other victim", "that of "+o.Pseudonym)
		}
	}
	if !known {
		return fmt.Errorf("victim %q: %w", v.Victim.Pseudonym, ledger.ErrNotFound)
	}
	return nil
}

func (v *victimChanged) apply(c *Case, _ Entry) {
	c.Victims = slices.Clone(c.Victims)
	for i := range c.Victims {
		if c.Victims[i].Pseudonym == v.Victim.Pseudonym {
			c.Victims[i] = v.Victim
		}
	}
}

func (o *Opening) check(*Case) error {
	if err := texts("title", o.Title, "authority", o.Authority, "tenant", o.Tenant); err != nil {
		return err
	}
	if err := o.Policy.check(); err != nil {
		return err
	}
	return o.Allocation.check()
}

func (o *Opening) apply(c *Case, e Entry) {
	c.Opening, c.OpenedAt, c.OpenedBy, c.opened, c.Policy, c.Allocation = *o, e.Time, e.By, e.Request, o.Policy, o.Allocation
	c.Members = []Member{{e.By, Owner}}
}

func (p Policies) check() error {
	return texts("policy.utxo.name", p.UTXO.Name, "policy.utxo.reason", p.UTXO.Reason, "policy.account.name", p.Account.Name, "policy.account.reason", p.Account.Reason)
}

func (a Allocation) check() error {
	if a != Traced && a != ProRata {
		return ledger.Invalid("allocation", "traced or pro-rata", string(a))
	}
	return nil
}

// check keeps an owner in every case.
func (m *Member) check(c *Case) error {
	if err := texts("member.name", m.Name); err != nil {
		return err
	}
	if m.Role.rank() < 0 && m.Role != None {
		return ledger.Invalid("member.role", "owner, investigator, viewer or none", string(m.Role))
	}
	owners := func(o Member) bool { return o.Role == Owner && o.Name != m.Name }
	if m.Role != Owner && !slices.ContainsFunc(c.Members, owners) {
		return fmt.Errorf("%w: %q is the only owner", ledger.ErrPrecondition, m.Name)
	}
	if _, ok := c.member(m.Name); m.Role == None && !ok {
		return fmt.Errorf("%w: %q is no member", ledger.ErrPrecondition, m.Name)
	}
	return nil
}

func (m *Member) apply(c *Case, _ Entry) {
	c.Members = slices.DeleteFunc(slices.Clone(c.Members), func(o Member) bool { return o.Name == m.Name })
	if m.Role != None {
		c.Members = append(c.Members, *m)
	}
}

// check wants pseudonyms and ids to go on where they ended.
func (p *paymentsAdded) check(c *Case) error {
	if c.Erased {
		return errErased
	}
	if len(p.Payments) == 0 {
		return ledger.Invalid("payments", "at least one", "none")
	}
	for i, v := range p.Victims {
		if want := fmt.Sprintf("V-%d", len(c.Victims)+i+1); v.Pseudonym != want {
			return ledger.Invalid("victim", want, v.Pseudonym)
		}
	}
	known := map[string]bool{}
	for _, v := range append(slices.Clone(c.Victims), p.Victims...) {
		known[v.Pseudonym] = true
	}
	claimed := map[string]string{}
	for _, old := range c.Payments {
		if key := old.claim(); key != "" && old.Withdrawn == "" {
			claimed[key] = old.ID
		}
	}
	for i, n := range p.Payments {
		if want := fmt.Sprintf("P-%d", len(c.Payments)+i+1); n.ID != want || n.Withdrawn != "" {
			return ledger.Invalid("payment", want, n.ID)
		}
		if !known[n.Victim] {
			return ledger.Invalid(n.ID+".victim", "a victim of the case", n.Victim)
		}
		if n.Status != Suspected && n.Status != Confirmed {
			return ledger.Invalid(n.ID+".status", "suspected or confirmed", string(n.Status))
		}
		if key := n.claim(); key != "" {
			if first, twice := claimed[key]; twice {
				return fmt.Errorf("%w: %s is claimed by %s and by %s", ledger.ErrPrecondition, key, first, n.ID)
			}
			claimed[key] = n.ID
		}
	}
	return nil
}

// claim names the transfer that a payment is; empty when that is not known.
func (p Payment) claim() string {
	if p.NeedsCandidates() {
		return ""
	}
	return strings.Join([]string{string(p.Network), p.Tx, p.Index, p.To}, " ")
}

func (p *paymentsAdded) apply(c *Case, e Entry) {
	c.Victims = append(c.Victims, p.Victims...)
	for _, n := range p.Payments {
		n.Added = e.Sequence
		c.Payments = append(c.Payments, n)
	}
}

func (w *Withdrawal) check(c *Case) error {
	at := slices.IndexFunc(c.Payments, func(p Payment) bool { return p.ID == w.Payment })
	if at < 0 || c.Payments[at].Withdrawn != "" {
		return ledger.Invalid("payment", "one of the case that is not withdrawn", w.Payment)
	}
	return texts("reason", w.Reason)
}

func (w *Withdrawal) apply(c *Case, _ Entry) {
	for i := range c.Payments {
		if c.Payments[i].ID == w.Payment {
			c.Payments[i].Withdrawn = w.Reason
		}
	}
}

func (n *Note) check(c *Case) error {
	if c.Erased {
		return errErased
	}
	if len(n.Sealed) == 0 {
		return ledger.Invalid("note", "a text", "")
	}
	return nil
}

func (n *Note) apply(c *Case, e Entry) {
	c.Notes = append(c.Notes, Note{e.Sequence, e.By, e.Time, n.Sealed})
}

func (x *Exhibit) check(c *Case) error {
	if c.Erased {
		return errErased
	}
	if slices.ContainsFunc(c.Exhibits, func(o Exhibit) bool { return o.SHA256 == x.SHA256 }) {
		return fmt.Errorf("%w: the case has the exhibit %s", ledger.ErrPrecondition, x.SHA256)
	}
	return digests("sha256", x.SHA256, "sealed_sha256", x.SealedSHA256)
}

func (x *Exhibit) apply(c *Case, e Entry) {
	x.Sequence = e.Sequence
	c.Exhibits = append(c.Exhibits, *x)
}

func (p *PolicyChange) check(*Case) error      { return p.Policy.check() }
func (p *PolicyChange) apply(c *Case, _ Entry) { c.Policy = p.Policy }

func (a *AllocationChange) check(*Case) error {
	if err := a.Allocation.check(); err != nil {
		return err
	}
	return texts("reason", a.Reason)
}
func (a *AllocationChange) apply(c *Case, _ Entry) { c.Allocation = a.Allocation }

func (l *Label) check(*Case) error {
	if _, err := ledger.ParseQualified(l.Address); err != nil {
		return err
	}
	return texts("label", l.Label, "source", l.Source)
}

func (l *Label) apply(c *Case, e Entry) {
	l.Sequence = e.Sequence
	c.Labels = append(c.Labels, *l)
}

func (r *Read) check(*Case) error      { return texts("what", r.What) }
func (r *Read) apply(c *Case, _ Entry) { c.Reads++ }

// check wants the rules that are in force: a result of others is of another time.
func (t *Trace) check(c *Case) error {
	if t.Policy != c.Policy || t.Allocation != c.Allocation {
		return fmt.Errorf("%w: the trace was made with other rules than the case has", ledger.ErrPrecondition)
	}
	return digests("digest", t.Digest)
}

func (t *Trace) apply(c *Case, e Entry) {
	t.Sequence = e.Sequence
	c.Traces = append(c.Traces, *t)
}

func (p *Package) check(*Case) error {
	if err := texts("redaction", p.Redaction); err != nil {
		return err
	}
	return digests("sha256", p.SHA256)
}

func (p *Package) apply(c *Case, e Entry) {
	p.Sequence, p.Request = e.Sequence, e.Request
	c.Packages = append(c.Packages, *p)
}

func (r *Request) check(c *Case) error {
	if want := fmt.Sprintf("R-%d", len(c.Requests)+1); r.ID != want && r.ID != "" {
		return ledger.Invalid("request", want, r.ID)
	}
	if len(r.Accounts) == 0 || len(r.Answers) > 0 || r.Sent.IsZero() {
		return ledger.Invalid("request", "accounts, a time, and no answer yet", r.ID)
	}
	if err := texts("to", r.To); err != nil {
		return err
	}
	return digests("letter", r.Letter)
}

func (r *Request) apply(c *Case, _ Entry) {
	r.ID = fmt.Sprintf("R-%d", len(c.Requests)+1)
	c.Requests = append(c.Requests, *r)
}

func (a *Answer) check(c *Case) error {
	if !slices.ContainsFunc(c.Requests, func(r Request) bool { return r.ID == a.Request }) {
		return ledger.Invalid("request", "one of the case", a.Request)
	}
	if a.Held != "" {
		if _, err := ledger.ParseAmount(a.Held); err != nil {
			return err
		}
		if err := texts("asset", a.Asset); err != nil {
			return err
		}
	}
	if a.Document != "" {
		if err := digests("document", a.Document); err != nil {
			return err
		}
	}
	return texts("answer", a.Text)
}

func (a *Answer) apply(c *Case, e Entry) {
	if a.Time.IsZero() {
		a.Time = e.Time
	}
	for i, r := range c.Requests {
		if r.ID == a.Request {
			c.Requests[i].Answers = append(slices.Clone(r.Answers), *a)
		}
	}
}

func (s *Seizure) check(*Case) error {
	if _, err := ledger.ParseAmount(s.Amount); err != nil {
		return err
	}
	if s.Executed.IsZero() {
		return ledger.Invalid("executed", "a time", "")
	}
	return texts("address", s.Address, "asset", s.Asset, "authority", s.Authority)
}

func (s *Seizure) apply(c *Case, e Entry) {
	s.Sequence = e.Sequence
	c.Seizures = append(c.Seizures, *s)
}

func (x *erased) check(c *Case) error {
	if c.Erased {
		return errErased
	}
	return texts("reason", x.Reason)
}
func (x *erased) apply(c *Case, _ Entry) { c.Erased = true }

func (r *recovered) check(*Case) error      { return nil }
func (r *recovered) apply(c *Case, _ Entry) { c.Recovered += r.Entries }

// errErased: what would have to be sealed has no key any more.
var errErased = fmt.Errorf("%w: the personal data of the case was erased", ledger.ErrPrecondition)

// texts wants each of name, value, name, value ... to be there and short.
func texts(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if strings.TrimSpace(pairs[i+1]) == "" || len(pairs[i+1]) > 10_000 {
			return ledger.Invalid(pairs[i], "1 to 10,000 bytes of text", fmt.Sprintf("%d bytes", len(pairs[i+1]))) // which may be a name
		}
	}
	return nil
}

// digests wants each of name, value ... to be a SHA-256 in lower-case hex.
func digests(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		raw, err := hex.DecodeString(pairs[i+1])
		if err != nil || len(raw) != 32 || hex.EncodeToString(raw) != pairs[i+1] {
			return ledger.Invalid(pairs[i], "64 hex digits of a SHA-256", pairs[i+1])
		}
	}
	return nil
}

// stamp is the time as it is kept, so that what is answered equals what is read again.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
