package export

import (
	"bytes"

	"go.yaml.in/yaml/v3"

	"github.com/spoortrace/spoor/evidence"
)

// pack is a GraphSense TagPack.
type pack struct {
	Title       string `yaml:"title"`
	Creator     string `yaml:"creator"`
	Description string `yaml:"description"`
	IsPublic    bool   `yaml:"is_public"`
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

// tagPack labels the payees of the victims' payments: addresses to which money
// was paid that the case is about. What it says is an event, not who controls
// the address.
func tagPack(d *evidence.Dossier) ([]byte, error) {
	at := cutOff(d)[:10]
	p := pack{
		Title: Plain("Findings of case " + d.Cover.Number), Creator: Plain(d.Cover.Authority), Description: Plain(d.Cover.Title + ". " + d.Cover.Demonstration),
		LastMod: at, Source: Plain("evidence package of case " + d.Cover.Case), Confidence: "forensic_investigation", Tags: []tag{},
	}
	seen := map[string]bool{}
	for _, x := range d.Payments {
		if x.To == "" || seen[x.Network+x.To] {
			continue
		}
		seen[x.Network+x.To] = true
		context, err := encoded(object{"case": d.Cover.Case, "payment": x.Payment, "tx": x.Tx, "demonstration": d.Cover.Demonstration != ""})
		if err != nil {
			return nil, err
		}
		p.Tags = append(p.Tags, tag{
			Address: x.To, Network: ticker(x.Network), Currency: ticker(x.Network), Label: Plain("payee in case " + d.Cover.Number),
			Context: string(bytes.Join(bytes.Fields(context), []byte(" "))), Type: "event",
		})
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
