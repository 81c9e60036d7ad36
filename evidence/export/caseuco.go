package export

import (
	"strconv"

	"github.com/spoortrace/spoor/evidence"
)

// caseUCO writes CASE/UCO 1.4 JSON-LD. The ontology has no class for
// cryptocurrency: a wallet is a DigitalAccount, a transfer an
// ObservableRelationship with a facet of our own namespace, the custody log
// InvestigativeActions, and what they rest on a ProvenanceRecord.
func caseUCO(d *evidence.Dossier) ([]byte, error) {
	g := &graph{d: d, ids: map[string]string{}}
	g.investigation()
	for _, n := range sortedAddresses(d) {
		g.wallet(n)
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

func sortedAddresses(d *evidence.Dossier) []string {
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
	ids   map[string]string
}

func (g *graph) id(kind, name string) string {
	return "kb:" + kind + "-" + uuid(ownSpace, g.d.Cover.Case+" "+kind+" "+name)
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

func (g *graph) wallet(qualified string) {
	id := g.id("digital-account", qualified)
	g.ids[qualified] = id
	g.add(object{
		"@id": id, "@type": "uco-observable:DigitalAccount",
		"uco-core:hasFacet": []object{
			{"@id": g.id("account-facet", qualified), "@type": "uco-observable:AccountFacet", "uco-observable:accountIdentifier": bare(qualified)},
			{"@id": g.id("digital-account-facet", qualified), "@type": "uco-observable:DigitalAccountFacet", "uco-observable:displayName": qualified},
		},
	})
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

func (g *graph) custody() {
	record := g.id("provenance-record", "ledger")
	objects := []object{}
	for _, a := range sortedAddresses(g.d) {
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
}
