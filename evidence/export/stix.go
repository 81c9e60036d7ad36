package export

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spoortrace/spoor/evidence"
)

// The published extensions for wallets and transactions (stix2extensions of the
// threat intelligence community), and ours, which has amounts as exact texts.
const (
	walletExtension      = "extension-definition--be78509e-6958-51b1-8b26-d17ee0eba2d7"
	transactionExtension = "extension-definition--151d042d-4dcf-5e44-843f-1024440318e5"
)

type object map[string]any

// stixBundle collects objects by id.
type stixBundle struct {
	d       *evidence.Dossier
	at      string // the data cut-off: a package has no clock
	author  string
	exact   string // id of our extension
	objects map[string]object
}

// stix writes a STIX 2.1 bundle: wallets, transactions, who they belong to, and
// one grouping of all.
func stix(d *evidence.Dossier) ([]byte, error) {
	b := &stixBundle{d: d, at: cutOff(d), objects: map[string]object{}}
	b.author = "identity--" + uuid(ownSpace, "author "+d.Cover.Authority)
	b.exact = "extension-definition--" + uuid(ownSpace, "exact amounts")
	b.add(object{"type": "identity", "id": b.author, "name": Plain(d.Cover.Authority), "identity_class": "organization"})
	b.add(object{
		"type": "extension-definition", "id": b.exact, "created_by_ref": b.author, "name": "exact amounts", "version": "1.0", "extension_types": []string{"property-extension"},
		"description": "Amounts of a transaction as decimal texts of base units.",
		"schema":      "amounts: list of {row, asset, from, to, amount, traced}, all strings; amounts are base units of the asset",
	})
	for _, e := range d.Entities {
		b.add(object{"type": "identity", "id": b.entity(e.Name), "created_by_ref": b.author, "name": Plain(e.Name), "identity_class": "organization", "description": Plain("category " + e.Category)})
	}
	wallets := addresses(d)
	for _, id := range slices.Sorted(maps.Keys(wallets)) {
		b.wallet(id, wallets[id])
	}
	b.transactions()
	b.grouping()
	list := []object{}
	for _, id := range slices.Sorted(maps.Keys(b.objects)) {
		list = append(list, b.objects[id])
	}
	return encoded(object{"type": "bundle", "id": "bundle--" + uuid(ownSpace, d.Cover.Case+" "+b.at), "objects": list})
}

// cutOff is the latest time of the data cut-off.
func cutOff(d *evidence.Dossier) string {
	var last time.Time
	for _, b := range d.Cover.AsOf {
		if b.Time.After(last) {
			last = b.Time
		}
	}
	return last.UTC().Format("2006-01-02T15:04:05.000Z")
}

func (b *stixBundle) add(o object) {
	o["spec_version"] = "2.1"
	if o["extensions"] == nil { // an SDO
		o["created"], o["modified"] = b.at, b.at
	}
	b.objects[o["id"].(string)] = o
}

func (b *stixBundle) entity(name string) string {
	return "identity--" + uuid(ownSpace, "entity "+name)
}

// addresses are those of the ledger, by NETWORK:ADDRESS, with the entity that
// each is attributed to.
func addresses(d *evidence.Dossier) map[string]string {
	all := map[string]string{}
	for _, r := range d.Ledger {
		for _, a := range []string{r.From, r.To} {
			if a != "" {
				all[r.Network+":"+a] = ""
			}
		}
	}
	for _, e := range d.Entities {
		for _, a := range e.Addresses {
			if _, ok := all[a]; ok {
				all[a] = e.Name
			}
		}
	}
	return all
}

func (b *stixBundle) walletID(value string) string {
	return "cryptocurrency-wallet--" + uuid(stixSpace, `{"value":`+canonical(value)+`}`)
}

// canonical is a text as the ids of observables are made of it (RFC 8785).
func canonical(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a builder takes everything
	return strings.TrimSpace(b.String())
}

func (b *stixBundle) wallet(qualified, entity string) {
	value := bare(qualified)
	o := object{"type": "cryptocurrency-wallet", "id": b.walletID(value), "value": value, "extensions": object{walletExtension: object{"extension_type": "new-sco"}}}
	if entity != "" {
		o["holder_ref"] = b.entity(entity)
	}
	b.add(o)
}

func bare(qualified string) string {
	for i := range len(qualified) {
		if qualified[i] == ':' {
			return qualified[i+1:]
		}
	}
	return qualified
}

// transactions writes one object per transaction and asset.
func (b *stixBundle) transactions() {
	units := unitsOf(b.d.Cover.Assets)
	for _, r := range b.d.Ledger {
		symbol := Plain(units.symbol(r.Asset))
		id := "cryptocurrency-transaction--" + uuid(stixSpace, `{"symbol":`+canonical(symbol)+`,"value":`+canonical(r.Tx)+`}`)
		o := b.objects[id]
		if o == nil {
			o = object{
				"type": "cryptocurrency-transaction", "id": id, "symbol": symbol, "value": r.Tx, "execution_time": r.Time.UTC().Format(time.RFC3339),
				"input": []object{}, "output": []object{},
				"extensions": object{transactionExtension: object{"extension_type": "new-sco"}, b.exact: object{"extension_type": "property-extension", "amounts": []object{}}},
			}
			b.add(o)
		}
		coins := units.whole(r.Asset, r.Amount)
		if r.From != "" {
			o["input"] = append(o["input"].([]object), b.part(r.From, coins))
		}
		if r.To != "" {
			o["output"] = append(o["output"].([]object), b.part(r.To, coins))
		}
		exact := o["extensions"].(object)[b.exact].(object)
		exact["amounts"] = append(exact["amounts"].([]object), object{"row": r.ID, "asset": r.Asset, "from": r.From, "to": r.To, "amount": r.Amount, "traced": r.Traced})
	}
	for _, o := range b.objects { // a mint has no input, a burn no output
		for _, side := range []string{"input", "output"} {
			if list, ok := o[side].([]object); ok && len(list) == 0 {
				delete(o, side)
			}
		}
	}
}

// part is one side of a transfer. Its amount is the extension's number, with
// every digit, and absent where it is not known how many units make a coin.
func (b *stixBundle) part(address, coins string) object {
	o := object{"address_ref": b.walletID(address)}
	if coins != "" {
		o["amount"] = json.Number(coins)
	}
	return o
}

func (b *stixBundle) grouping() {
	refs := slices.Sorted(maps.Keys(b.objects))
	b.add(object{
		"type": "grouping", "id": "grouping--" + uuid(ownSpace, "case "+b.d.Cover.Case), "created_by_ref": b.author, "name": Plain("Case " + b.d.Cover.Number),
		"description": Plain(b.d.Cover.Title + "; " + strconv.Itoa(len(b.d.Ledger)) + " transfers. " + b.d.Cover.Demonstration), "context": "suspicious-activity", "object_refs": refs,
	})
}
