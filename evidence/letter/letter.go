package letter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/evidence"
)

// The kinds of letters.
const (
	IssuerFreeze     = "issuer_freeze"
	ExchangeFreeze   = "exchange_freeze"
	MutualAssistance = "mutual_assistance" // annex, one per country
	WarrantSchedule  = "warrant_schedule"
)

// Kinds lists them.
func Kinds() []string {
	return []string{IssuerFreeze, ExchangeFreeze, MutualAssistance, WarrantSchedule}
}

// Options are what a letter says besides the dossier.
type Options struct {
	Contacts Contacts
	Agency   Agency
	// Templates are the user's own, by KIND or KIND.LANG (text/template with the
	// data of Data); nil: the built-in ones.
	Templates map[string]string
	// Address limits the letters to the holding of one NETWORK:ADDRESS. Of a
	// deposit address before a service's wallet, it is what came through it.
	// Annex and schedule, which list everything, are left out.
	Address string
	Package string // SHA-256 of the package that goes with the letters; empty: a blank, since a package cannot hold its own
}

// group is a letter before it is written.
type group struct {
	kind, to string
	contact  Contact
	holdings []held
}

// held is a holding with who can stop it, and the rows that brought it, or all of
// those that are asked for.
type held struct {
	evidence.Holding
	by    string
	rows  []*evidence.Row
	part  bool // only what came through one deposit address
	whole bool // the address itself is to be stopped, even where it is a service's own wallet
}

// Write writes one letter to each addressee, in the order of urgency of what is
// asked for, then an annex for each other country, then the schedule of all that
// can be seized.
func Write(d *evidence.Dossier, o Options) ([]evidence.Request, error) {
	if err := checkTemplates(o.Templates); err != nil {
		return nil, err
	}
	book, left := newBook(d), budget{mostBytes, mostTurns}
	requests := []evidence.Request{}
	for i, g := range groups(book, o) {
		r := evidence.Request{ID: "R-" + strconv.Itoa(i+1), Kind: g.kind, To: g.to}
		r.Letter = "letters/" + r.ID + ".txt"
		for _, h := range g.holdings {
			r.Holdings = append(r.Holdings, h.ID)
		}
		var err error
		if r.Text, err = left.compose(book.data(o, g), o.Templates, append(slices.Clone(g.contact.Languages), o.Agency.Language)); err != nil {
			return nil, err
		}
		requests = append(requests, r)
	}
	return requests, nil
}

func groups(b *book, o Options) []*group {
	var letters, annexes []*group
	schedule := &group{kind: WarrantSchedule, to: "the competent court"}
	for _, one := range b.Holdings {
		h, asked := b.asked(one, o.Address)
		if !asked || one.FreezableBy == "DONE" || one.FreezableBy == "NONE" {
			continue
		}
		kind, to, contact := b.addressee(o.Contacts, one)
		switch h.by, h.whole = to, kind == IssuerFreeze; {
		case to == "" && one.FreezableBy == "VASP":
			h.by = b.entities[one.Entity].Name + ", who is not written to"
		case to == "":
			h.by = "whoever has the key"
		}
		schedule.holdings = append(schedule.holdings, h)
		if kind == "" {
			continue
		}
		letters = put(letters, group{kind: kind, to: to, contact: contact}, h)
		if contact.Country != "" && o.Agency.Country != "" && contact.Country != o.Agency.Country {
			annexes = put(annexes, b.annex(o.Contacts, contact.Country), h)
		}
	}
	if o.Address != "" {
		return letters
	}
	letters = append(letters, annexes...)
	if len(schedule.holdings) > 0 {
		letters = append(letters, schedule)
	}
	return letters
}

// put adds a holding to the letter of its kind and addressee, or begins one.
func put(all []*group, g group, h held) []*group {
	i := slices.IndexFunc(all, func(one *group) bool { return one.kind == g.kind && one.to == g.to })
	if i < 0 {
		i, all = len(all), append(all, &g)
	}
	all[i].holdings = append(all[i].holdings, h)
	return all
}

func (b *book) annex(all Contacts, country string) group {
	for _, c := range all.Contacts {
		if c.Class == "authority" && c.Country == country {
			return group{kind: MutualAssistance, to: c.Entity, contact: c}
		}
	}
	return group{kind: MutualAssistance, to: "the competent authority of " + country}
}

// addressee is who can stop a holding, and by which kind of letter; nobody is
// written to about money that only a key moves, or that is stopped already.
func (b *book) addressee(all Contacts, h evidence.Holding) (kind, to string, c Contact) {
	service := b.entities[h.Entity]
	switch {
	case h.FreezableBy == "ISSUER", h.FreezableBy == "VASP" && accomplice(service.Category) && b.issued(h.Asset):
		symbol := b.assets[h.Asset].Symbol
		if c, ok := all.find(symbol, "issuer"); ok {
			return IssuerFreeze, c.Entity, c
		}
		if c, ok := issuers().find(symbol, "issuer"); ok {
			if own, ok := all.find(c.Entity, "issuer"); ok {
				c = own
			}
			return IssuerFreeze, c.Entity, c
		}
		return IssuerFreeze, "the issuer of " + symbol, Contact{}
	case h.FreezableBy != "VASP" || accomplice(service.Category):
		return "", "", Contact{}
	case service.Name == "":
		return ExchangeFreeze, "the service that holds " + h.Network + ":" + h.Address, Contact{}
	}
	if c, ok := all.find(service.Name, "exchange", "custodian"); ok {
		return ExchangeFreeze, c.Entity, c
	}
	return ExchangeFreeze, service.Name, Contact{}
}

// issued says that an asset is a token that the program knows by its contract,
// so that its issuer is known.
func (b *book) issued(asset string) bool {
	return b.assets[asset].Known && !strings.HasSuffix(asset, ":native")
}

// accomplice says that a letter to a service would warn the wrong people
// (judgment, by the category of its label).
func accomplice(category string) bool {
	first, _, _ := strings.Cut(category, ".")
	return slices.Contains([]string{"darknet_market", "fraud_shop", "guarantee_marketplace", "laundering_service"}, first)
}
