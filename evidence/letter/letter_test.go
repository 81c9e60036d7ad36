package letter_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spoortrace/spoor/evidence"
	"github.com/spoortrace/spoor/evidence/casetest"
	"github.com/spoortrace/spoor/evidence/letter"
	"github.com/spoortrace/spoor/ledger"
)

var update = flag.Bool("update", false, "rewrite testdata")

func options(t *testing.T) letter.Options {
	t.Helper()
	c, err := letter.ReadContacts(contactsFile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := letter.ReadAgency(agencyFile)
	if err != nil {
		t.Fatal(err)
	}
	return letter.Options{Contacts: c, Agency: a}
}

func write(t *testing.T, d *evidence.Dossier, o letter.Options) []evidence.Request {
	t.Helper()
	all, err := letter.Write(d, o)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestGolden writes one letter of each kind.
func TestGolden(t *testing.T) {
	all := write(t, sample(), options(t))
	var kinds []string
	for _, r := range all {
		kinds = append(kinds, r.Kind+" to "+r.To+": "+strings.Join(r.Holdings, " "))
		golden(t, r.Kind, r.Text)
	}
	want := []string{
		"exchange_freeze to Example Exchange Ltd: H-1", "issuer_freeze to Tether: H-2",
		"mutual_assistance to the competent authority of SC: H-1", "warrant_schedule to the competent court: H-1 H-2 H-3",
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("got  %q\nwant %q", kinds, want)
	}
	again := write(t, sample(), options(t))
	for i := range all {
		if all[i].Text != again[i].Text || all[i].ID != again[i].ID {
			t.Errorf("%s differs the second time", all[i].ID)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// TestHotWallet: a service's own wallet is never among the addresses to act on,
// nor is the wallet of a victim who paid straight into it.
func TestHotWallet(t *testing.T) {
	for _, r := range write(t, sample(), options(t)) {
		_, copied, _ := strings.Cut(r.Text, "to copy:")
		if strings.Contains(copied, hot) || strings.Contains(copied, payer) {
			t.Errorf("%s %s asks for a wallet that is not the customer's:\n%s", r.ID, r.Kind, copied)
		}
		if strings.Contains(r.Text, "Canary") || strings.Contains(strings.ToLower(r.Text), "risk") {
			t.Errorf("%s names a victim, or a risk", r.ID)
		}
	}
}

// TestThroughOneDeposit asks for what came through one deposit address only.
func TestThroughOneDeposit(t *testing.T) {
	o := options(t)
	o.Address = "tron:" + dep1
	all := write(t, sample(), o)
	if len(all) != 1 || all[0].Kind != letter.ExchangeFreeze {
		t.Fatalf("got %d letters, want one to the exchange: %+v", len(all), all)
	}
	text := all[0].Text
	for _, want := range []string{"30 USDT (30000000 base units)", dep1, "V-1 (report R/7): 30 USDT", "first 2026-03-01 12:20:00 UTC, last 2026-03-01 12:20:00 UTC", "tx " + hash("3") + ":0"} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
	for _, not := range []string{dep2, "50 USDT", "V-2", payer, hash("4")} {
		if strings.Contains(text, not) {
			t.Errorf("%q is another's, in\n%s", not, text)
		}
	}
	o.Address = "tron:" + payer
	if all := write(t, sample(), o); len(all) != 0 {
		t.Errorf("a victim's own wallet: %+v", all)
	}
	o.Address = "tron:" + mule
	if all := write(t, sample(), o); len(all) != 1 || all[0].To != "Tether" {
		t.Errorf("the mule's address: %+v", all)
	}
}

// TestClasses: a name finds contacts of its own class only; the user's contact of
// an issuer is found by the token's symbol, and by the issuer's name.
func TestClasses(t *testing.T) {
	for _, contact := range []string{"{entity: Tether Ltd, class: issuer, aliases: [USDT], email: a@example.com}", "{entity: tether, class: issuer, email: a@example.com}"} {
		o := options(t)
		var err error
		if o.Contacts, err = letter.ReadContacts("contacts:\n  - " + contact + "\n"); err != nil {
			t.Fatal(err)
		}
		d := sample()
		d.Entities[0].Name = "USDT"
		all := write(t, d, o)
		if all[0].To != "USDT" || strings.Contains(all[0].Text, "a@example.com") {
			t.Errorf("a service that calls itself USDT: to %s\n%s", all[0].To, all[0].Text)
		}
		if all[1].To != o.Contacts.Contacts[0].Entity || !strings.Contains(all[1].Text, "E-mail: a@example.com") {
			t.Errorf("the issuer: to %s\n%s", all[1].To, all[1].Text)
		}
	}
}

// TestLabelledDeposit: an address that a seizure order names is a deposit address
// all the same; another service's is none.
func TestLabelledDeposit(t *testing.T) {
	for category, want := range map[string]bool{"terrorist_financing": true, "scam.romance": true, "seized_funds": true, "exchange": false, "exchange.hot": false} {
		d := sample()
		d.Entities = append(d.Entities, evidence.Entity{ID: "E-2", Name: "Order 1", Category: category, Addresses: []string{"tron:" + dep1}})
		text := write(t, d, options(t))[0].Text
		if got := strings.Contains(text, "through "+dep1+", by its place"); got != want {
			t.Errorf("%s: named as a deposit address is %t, want %t", category, got, want)
		}
		if !want && !strings.Contains(text, "40 without a deposit address that we know") {
			t.Errorf("%s: want 30 and 10 without a deposit address in\n%s", category, text)
		}
	}
}

// TestNobodyIsWarned: a service that lives of crime gets no letter; the issuer of
// the token does, where the program knows the token.
func TestNobodyIsWarned(t *testing.T) {
	for _, category := range []string{"guarantee_marketplace", "darknet_market.drugs", "fraud_shop", "laundering_service"} {
		d := sample()
		d.Entities[0].Category = category
		if all := write(t, d, options(t)); all[0].Kind != letter.IssuerFreeze || !slices.Equal(all[0].Holdings, []string{"H-1", "H-2"}) || strings.Contains(all[0].Text, "law-enforcement") {
			t.Errorf("%s: got %s to %s for %v", category, all[0].Kind, all[0].To, all[0].Holdings)
		} else if _, copied, _ := strings.Cut(all[0].Text, "to copy:"); !strings.Contains(copied, hot) || strings.Contains(copied, dep1) {
			t.Errorf("%s: want the service's wallet to be blocked, not its customers':%s", category, copied)
		}
		d.Cover.Assets[1].Known = false
		for _, r := range write(t, d, options(t)) {
			if r.Kind == letter.WarrantSchedule && !strings.Contains(r.Text, "can be stopped by: Example Exchange, who is not written to") {
				t.Errorf("%s, an unknown token: %s", category, r.Text)
			}
			if r.Kind == letter.ExchangeFreeze || r.Kind == letter.IssuerFreeze && slices.Contains(r.Holdings, "H-1") {
				t.Errorf("%s, an unknown token: %s to %s for %v", category, r.Kind, r.To, r.Holdings)
			}
		}
	}
}

// TestExportsHaveNoBlocks: what was read from a file without blocks names none.
func TestExportsHaveNoBlocks(t *testing.T) {
	d := sample()
	d.Cover.Networks[1].Export = true
	for i := range d.Ledger {
		d.Ledger[i].Block, d.Ledger[i].Place.Height = "", 1_772_366_460_000
	}
	for _, r := range write(t, d, options(t)) {
		if strings.Contains(r.Text, "1772366460000") || strings.Contains(r.Text, "tron block") {
			t.Errorf("%s takes a time for a height:\n%s", r.Kind, r.Text)
		}
	}
}

// TestWithoutFiles: what is not known is a blank, not a guess.
func TestWithoutFiles(t *testing.T) {
	all := write(t, sample(), letter.Options{})
	if len(all) != 3 {
		t.Fatalf("got %d letters, want three, without a country no annex", len(all))
	}
	for _, want := range []string{"[agency]", "[officer]", "[legal basis]", "[portal or e-mail: not in the contacts file]", "To: Example Exchange\n"} {
		if !strings.Contains(all[0].Text, want) {
			t.Errorf("want %q in\n%s", want, all[0].Text)
		}
	}
}

// TestRandom: over random cases every holding that can be stopped is in the
// schedule, each letter's holdings are of one addressee, and what came through
// deposit addresses and what did not add up to the traced amount.
func TestRandom(t *testing.T) {
	template := `{{range .Holdings}}{{.ID}} {{.Base}} {{.Shared}}{{range .Deposits}} {{.Base}}{{end}};{{.Direct}};{{end}}`
	divided := 0
	for seed := range uint64(60) {
		d := casetest.Build(t, seed)
		o := letter.Options{Templates: map[string]string{letter.WarrantSchedule: template}}
		all := write(t, d, o)
		var want, got []string
		for _, h := range d.Holdings {
			if h.FreezableBy != "DONE" && h.FreezableBy != "NONE" {
				want = append(want, h.ID)
			}
		}
		if len(all) > 0 {
			got = all[len(all)-1].Holdings
			divided += checkDivided(t, d, all[len(all)-1].Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: schedule of %v, want %v", seed, got, want)
		}
	}
	if divided == 0 {
		t.Error("no case had money in a service's wallet")
	}
}

func checkDivided(t *testing.T, d *evidence.Dossier, text string) (divided int) {
	t.Helper()
	parts := strings.Split(text, ";")
	for i := 0; i+1 < len(parts); i += 2 {
		fields, direct := strings.Fields(parts[i]), parts[i+1]
		if fields[2] != "true" {
			continue
		}
		divided++
		h := d.Holdings[slices.IndexFunc(d.Holdings, func(h evidence.Holding) bool { return h.ID == fields[0] })]
		decimals := d.Cover.Assets[slices.IndexFunc(d.Cover.Assets, func(a evidence.Asset) bool { return a.Asset == h.Asset })].Decimals
		var sum ledger.Amount
		for _, base := range fields[3:] {
			n, err := ledger.ParseAmount(base)
			if err != nil {
				t.Fatal(err)
			}
			sum = sum.Plus(n)
		}
		if direct != "" {
			n, err := ledger.ParseCoins(direct, decimals)
			if err != nil {
				t.Fatal(err)
			}
			sum = sum.Plus(n)
		}
		if sum.String() != h.Traced {
			t.Errorf("%s: the parts are %s of %s", h.ID, sum, h.Traced)
		}
	}
	return divided
}

// TestHostile: what others wrote neither begins a line, nor hides, nor acts.
func TestHostile(t *testing.T) {
	for seed := range uint64(8) {
		d := casetest.Hostile(t, seed)
		lines := map[int]bool{}
		for i, text := range casetest.HostileTexts() {
			for j := range d.Entities {
				d.Entities[j].Name = text
			}
			for j := range d.Payments {
				d.Personal = append(d.Personal, evidence.Personal{Subject: d.Payments[j].Payment, Field: "report_ref", Value: text + "\nTo: nobody"})
			}
			all := write(t, d, letter.Options{})
			for _, r := range all {
				harmless(t, r)
			}
			if i == 0 || strings.TrimSpace(text) != "" {
				lines[strings.Count(all[len(all)-1].Text, "\n")] = true
			}
		}
		if len(lines) != 1 {
			t.Errorf("seed %d: a text changes how many lines a schedule has: %v", seed, lines)
		}
	}
}

func harmless(t *testing.T, r evidence.Request) {
	t.Helper()
	for _, bad := range []string{"\r", "\x00", "\x1b", "\u202e", "\u2066", "\u2028", "\nTo: nobody"} {
		if strings.Contains(r.Text, bad) {
			t.Errorf("%s %s has %q", r.ID, r.Kind, bad)
		}
	}
}
