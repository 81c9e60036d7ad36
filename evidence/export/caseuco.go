package export

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/spoortrace/spoor/evidence"
)

// caseUCO writes CASE/UCO 1.4 JSON-LD. The ontology has no class for
// cryptocurrency: a wallet is a DigitalAccount, a transfer an
// ObservableRelationship with a facet of our own namespace, the custody log
// InvestigativeActions, and what they rest on a ProvenanceRecord.
func caseUCO(d *evidence.Dossier) ([]byte, error) {
	g := &graph{d: d, ids: map[string]string{}, issuers: map[string]string{}, holdings: map[string][]evidence.Holding{}}
	g.investigation()
	g.entities()
	for _, h := range d.Holdings {
		at := holderOf(h)
		g.holdings[at] = append(g.holdings[at], h)
	}
	for _, n := range walletsOf(d) {
		g.wallet(n)
	}
	for _, h := range d.Holdings { // an account at a service is in no transfer
		if g.ids[holderOf(h)] == "" {
			g.wallet(holderOf(h))
		}
	}
	g.transfers()
	g.custody()
	return encoded(object{
		"@context": object{
			"kb": "http://example.org/kb/", "spoor": "http://example.org/ontology/spoor/",
			"uco-core": "https://ontology.unifiedcyberontology.org/uco/core/", "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
			"uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/", "uco-identity": "https://ontology.unifiedcyberontology.org/uco/identity/",
			"case-investigation": "https://ontology.caseontology.org/case/investigation/", "xsd": "http://www.w3.org/2001/XMLSchema#",
		},
		"@graph": g.nodes,
	})
}

// walletsOf are those of the ledger, in its order.
func walletsOf(d *evidence.Dossier) []string {
	seen, all := map[string]bool{}, []string{}
	for _, r := range d.Ledger {
		for _, a := range []string{r.From, r.To} {
			if a != "" && !seen[r.Network+":"+a] {
				seen[r.Network+":"+a] = true
				all = append(all, r.Network+":"+a)
			}
		}
	}
	return all
}

type graph struct {
	d     *evidence.Dossier
	nodes []object
	ids   map[string]string // of a wallet, by NETWORK:ADDRESS
	// issuers are the entities' ids by NETWORK:ADDRESS.
	issuers  map[string]string
	holdings map[string][]evidence.Holding // by NETWORK:ADDRESS, or the account at a service
}

func (g *graph) id(kind, name string) string {
	return "kb:" + kind + "-" + uuid(ownSpace, g.d.Cover.Case+" "+kind+" "+name)
}

// holderOf names the wallet, or the account at a service, of a holding.
func holderOf(h evidence.Holding) string {
	if h.Address == "" {
		return h.Account
	}
	return h.Network + ":" + h.Address
}

func ref(id string) object { return object{"@id": id} }

func dateTime(text string) object { return object{"@type": "xsd:dateTime", "@value": text} }

func (g *graph) add(o object) { g.nodes = append(g.nodes, o) }

func (g *graph) investigation() {
	g.add(object{
		"@id": g.id("investigation", ""), "@type": "case-investigation:Investigation", "uco-core:name": Plain(g.d.Cover.Number + " " + g.d.Cover.Title),
		"uco-core:description": Plain(g.d.Cover.Demonstration), "case-investigation:focus": "cryptocurrency fraud", "case-investigation:investigationForm": "case",
	})
}

// entities are those that labels attribute addresses to.
func (g *graph) entities() {
	for _, e := range g.d.Entities {
		id := g.id("organization", e.ID)
		g.add(object{"@id": id, "@type": "uco-identity:Organization", "uco-core:name": Plain(e.Name), "uco-core:description": Plain("category " + e.Category)})
		for _, a := range e.Addresses {
			g.issuers[a] = id
		}
	}
}

func (g *graph) wallet(qualified string) {
	id := g.id("digital-account", qualified)
	g.ids[qualified] = id
	account := object{"@id": g.id("account-facet", qualified), "@type": "uco-observable:AccountFacet", "uco-observable:accountIdentifier": shown(bare(qualified))}
	if issuer := g.issuers[qualified]; issuer != "" {
		account["uco-observable:accountIssuer"] = ref(issuer)
	}
	facets := []object{account, {"@id": g.id("digital-account-facet", qualified), "@type": "uco-observable:DigitalAccountFacet", "uco-observable:displayName": shown(qualified)}}
	for _, h := range g.holdings[qualified] {
		facets = append(facets, object{
			"@id": g.id("holding-facet", h.ID), "@type": []string{"uco-core:Facet", "spoor:HoldingFacet"}, "spoor:holding": h.ID, "spoor:asset": h.Asset,
			"spoor:traced": h.Traced, "spoor:balance": h.BalanceNow, "spoor:holder": h.Holder, "spoor:freezableBy": h.FreezableBy,
		})
	}
	g.add(object{"@id": id, "@type": "uco-observable:DigitalAccount", "uco-core:hasFacet": facets})
}

func (g *graph) transfers() {
	for _, r := range g.d.Ledger {
		from, to := g.ids[r.Network+":"+r.From], g.ids[r.Network+":"+r.To]
		if from == "" { // a mint: from the token itself
			from = to
		}
		if to == "" {
			to = from
		}
		when := dateTime(when(r.Time))
		g.add(object{
			"@id": g.id("observable-relationship", r.ID), "@type": "uco-observable:ObservableRelationship", "uco-core:source": ref(from), "uco-core:target": ref(to),
			"uco-core:kindOfRelationship": "Transferred_To", "uco-core:isDirectional": true, "uco-core:hasFacet": []object{{
				"@id": g.id("transfer-facet", r.ID), "@type": []string{"uco-core:Facet", "spoor:TransferFacet"},
				"spoor:row": r.ID, "spoor:network": r.Network, "spoor:transaction": r.Tx, "spoor:index": r.Index, "spoor:block": r.Block, "spoor:time": when,
				"spoor:asset": r.Asset, "spoor:amount": r.Amount, "spoor:traced": r.Traced, "spoor:class": r.Class, "spoor:grade": r.Grade, "spoor:ends": r.Ends,
			}},
		})
	}
}

// custody writes the trace as an action that made the ledger, and the entries
// of the custody log as actions, each with who did it.
func (g *graph) custody() {
	record := g.id("provenance-record", "ledger")
	objects := []object{}
	for _, a := range walletsOf(g.d) {
		objects = append(objects, ref(g.ids[a]))
	}
	if len(objects) == 0 {
		return
	}
	g.add(object{
		"@id": record, "@type": "case-investigation:ProvenanceRecord", "case-investigation:exhibitNumber": Plain(g.d.Cover.Number),
		"uco-core:description": "ledger.json and record.json of the package", "uco-core:object": objects,
	})
	g.add(object{
		"@id": g.id("investigative-action", "trace"), "@type": "case-investigation:InvestigativeAction", "uco-core:name": "trace",
		"uco-core:description": Plain("traced as of " + cutOff(g.d) + " by " + g.d.Cover.Software + "; " + strconv.FormatUint(g.d.Custody.Size, 10) + " entries of the custody log"),
		"uco-action:endTime":   dateTime(cutOff(g.d)), "uco-action:result": []object{ref(record)},
	})
	performers := map[string]bool{}
	for _, e := range g.d.Custody.Entries {
		g.entry(e, performers)
	}
}

// entry writes an entry of the custody log. What it says stands in custody.json;
// one that this program cannot read has its number alone.
func (g *graph) entry(e evidence.CustodyEntry, performers map[string]bool) {
	number := strconv.FormatUint(e.Number, 10)
	action := object{"@id": g.id("investigative-action", number), "@type": "case-investigation:InvestigativeAction", "uco-core:description": "entry " + number + " of custody.json"}
	g.add(action)
	var body struct {
		Time time.Time `json:"time"`
		By   string    `json:"by"`
		Kind string    `json:"kind"`
	}
	if err := json.Unmarshal(e.Body, &body); err != nil {
		action["uco-core:name"] = "not readable"
		return
	}
	performer := g.id("identity", body.By)
	action["uco-core:name"] = Plain(body.Kind)
	action["uco-action:startTime"], action["uco-action:performer"] = dateTime(when(body.Time)), ref(performer)
	if !performers[performer] {
		performers[performer] = true
		g.add(object{"@id": performer, "@type": "uco-identity:Identity", "uco-core:name": Plain(body.By)})
	}
}
