package export

import (
	"bytes"
	"encoding/json"

	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/evidence"
)

// pack is a GraphSense TagPack.
type pack struct {
	Title       string `yaml:"title"`
	Creator     string `yaml:"creator"`
	Description string `yaml:"description"`
	LastMod     string `yaml:"lastmod"`
	Source      string `yaml:"source"`
	Confidence  string `yaml:"confidence"`
	Tags        []tag  `yaml:"tags"`
}

type tag struct {
	Address  string `yaml:"address"`
	Network  string `yaml:"network"`
	Currency string `yaml:"currency"`
	Label    string `yaml:"label"`
	Context  string `yaml:"context"`
	Type     string `yaml:"tag_type"`
}

// tagPack labels the payees of the victims' payments, and where traced money
// came to. What it says is an event, not who controls the address.
func tagPack(d *evidence.Dossier) ([]byte, error) {
	p := pack{
		Title: Plain("Findings of case " + d.Cover.Number), Creator: Plain(d.Cover.Authority), Description: Plain(d.Cover.Title + ". " + d.Cover.Demonstration),
		LastMod: cutOff(d)[:10], Source: Plain("evidence package of case " + d.Cover.Case), Confidence: "forensic_investigation", Tags: []tag{},
	}
	seen := map[string]bool{}
	add := func(network, address, label string, context object) error {
		label = Plain(label + " case " + d.Cover.Number)
		key := network + " " + address + " " + label
		if address == "" || seen[key] {
			return nil
		}
		seen[key] = true
		context["case"] = d.Cover.Case
		context["demonstration"] = d.Cover.Demonstration != ""
		text, err := json.Marshal(context)
		p.Tags = append(p.Tags, tag{Address: shown(address), Network: ticker(network), Currency: ticker(network), Label: label, Context: string(text), Type: "event"})
		return err
	}
	for _, x := range d.Payments {
		if err := add(x.Network, x.To, "payee in", object{"payment": x.Payment, "tx": x.Tx}); err != nil {
			return nil, err
		}
	}
	for _, h := range d.Holdings {
		what := "received money traced in"
		if h.Held {
			what = "holds money traced in"
		}
		if err := add(h.Network, h.Address, what, object{"holding": h.ID, "asset": h.Asset, "traced": h.Traced, "holder": h.Holder}); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(p); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// ticker is what TagPacks call a network; others by their own name.
func ticker(network string) string {
	switch network {
	case "bitcoin":
		return "BTC"
	case "ethereum":
		return "ETH"
	case "tron":
		return "TRX"
	}
	return network
}
