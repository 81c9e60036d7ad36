package labels

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spoortrace/spoor/ledger"
)

// walkEtherscan is the walk of etherscan-labels' combinedAllLabels.json: one
// object, address -> {name, labels}. The network is the folder's (NetworkOf) or
// the one given; ethereum without both. A tag says the name, or where there is
// none the labels; the category that explorerWords has for the labels; web_crawl
// (20) as its confidence. Some of its files have a table's sum row, whose address
// is empty; it is refused and counted as any address that does not parse.
func walkEtherscan(ctx context.Context, in *input, take func(ledger.Tag) error) error {
	return eachMember(ctx, in, func(address string, d *json.Decoder) error {
		place := fmt.Sprintf("%s: byte %d", in.name, d.InputOffset())
		var one struct {
			Name   string   `json:"name"`
			Labels []string `json:"labels"`
		}
		if err := decodeValue(d, &one); err != nil {
			return err
		}
		t := explorerTag(one.Name, one.Labels)
		t.Source = "https://github.com/brianleect/etherscan-labels"
		return in.give(claim{place: place, network: orElse(in.opt.Network, "ethereum"), address: address, tag: t, confidence: confidences["web_crawl"]}, take)
	})
}

// explorerTag words what an explorer says of an address.
func explorerTag(name string, labels []string) ledger.Tag {
	return ledger.Tag{
		Label: clip(orElse(strings.TrimSpace(name), strings.Join(labels, ", "))), Category: strongest(labels, explorerWords),
	}
}

// explorerWords maps Etherscan's labels onto categories. Only words of which the
// kind of owner is certain are here. An exchange's own word (binance) also
// stands on its tokens and on wallets of its staff, so that it says nothing.
// "blocked" is what Etherscan hides for any reason, and says nothing either.
var explorerWords = map[string]string{
	"phish-hack": "scam.phishing", "heist": "stolen_funds", "exploit": "stolen_funds", "scam": "scam", "ponzi": "scam.investment",
	"ofac-sanctions-lists": "sanctioned_entity", "ofac-sanctioned": "sanctioned_entity", "tornado-cash": "protocol_privacy", "typhoon-cash": "protocol_privacy",
	"mixer": "mixing", "exchange": "exchange", "dex": "decentralized_exchange", "gambling": "gambling", "bridge": "bridge", "mining": "mining_pool",
	"aave": "lending", "compound": "lending", "cream-finance": "lending", "uniswap": "decentralized_exchange", "sushiswap": "decentralized_exchange",
	"balancer": "decentralized_exchange", "bancor": "decentralized_exchange", "curve-fi": "decentralized_exchange", "kyberswap": "decentralized_exchange",
	"1inch": "decentralized_exchange", "0x-protocol": "decentralized_exchange", "hop-protocol": "bridge", "across-protocol": "bridge", "multichain": "bridge",
	"wormhole": "bridge", "synapse": "bridge", "celer-network": "bridge", "smart-contract": "smart_contract", "factory-contract": "smart_contract",
	"proxy-contract": "smart_contract", "logic-contract": "smart_contract", "old-contract": "smart_contract", "bridged-token": "token_smart_contract",
	"stablecoin": "token_smart_contract", "security-token": "token_smart_contract", "spam-token": "scam",
}

// forta describes one of the three tables of Forta's labelled-datasets by its columns.
type forta struct {
	address, label string // columns
	words          string // column whose words explorerWords knows
	source         string // column; "": Forta
	word           string // of every row: the table is a list of such addresses
}

// fortaTables are told apart by their first column.
var fortaTables = map[string]forta{
	"banned_address":   {address: "banned_address", label: "wallet_tag", words: "data_source", source: "data_source"},
	"address":          {address: "address", label: "etherscan_tag", words: "etherscan_labels", word: "phish-hack"},
	"contract_address": {address: "contract_address", label: "contract_tag", words: "contract_creator_etherscan_label", source: "source", word: "exploit"},
}

const fortaSource = "https://github.com/forta-network/labelled-datasets"

// walkForta is the walk of Forta's tables. A row without a tag is labelled by
// its words. data_source names a list ("etherscan-phish-hack-list"), whose word
// is in its name. A contract's row tells of its creator, who wrote a contract
// that is malicious, so that the word holds for the contract.
func walkForta(_ context.Context, in *input, take func(ledger.Tag) error) error {
	records := csv.NewReader(in.text)
	header, err := records.Read()
	if err != nil {
		return in.csvSyntax(err)
	}
	table, ok := fortaTables[header[0]]
	if !ok {
		return ledger.Invalid(in.name+":1:1", "a table of Forta's: banned_address, address or contract_address first", clip(header[0]))
	}
	if slices.Index(header, table.label) < 0 {
		return ledger.Invalid(in.name+":1", "a column "+table.label, clip(strings.Join(header, ",")))
	}
	for {
		in.text.next()
		row, err := records.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return in.csvSyntax(err)
		}
		line, _ := records.FieldPos(0)
		c := table.claim(header, row)
		c.place, c.network = fmt.Sprintf("%s:%d", in.name, line), orElse(in.opt.Network, "ethereum")
		if err := in.give(c, take); err != nil {
			return err
		}
	}
}

// claim words a row.
func (f forta) claim(header, row []string) claim {
	cell := func(column string) string {
		if at := slices.Index(header, column); at >= 0 && column != "" {
			return strings.TrimSpace(row[at])
		}
		return ""
	}
	word := strings.TrimSuffix(strings.TrimPrefix(cell(f.words), "etherscan-"), "-list")
	if explorerWords[word] == "" {
		word = f.word
	}
	t := explorerTag(cell(f.label), []string{word})
	t.Source, t.Creator = clip(orElse(cell(f.source), fortaSource)), "Forta"
	return claim{address: cell(f.address), tag: t, confidence: confidences["web_crawl"]}
}

// csvSyntax tells a file that is no table from a disk that fails.
func (in *input) csvSyntax(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.As(err, &parse):
		return ledger.Invalid(fmt.Sprintf("%s:%d:%d", in.name, parse.Line, parse.Column), "a CSV row like the header's", parse.Err.Error())
	case errors.Is(err, io.EOF):
		return ledger.Invalid(in.name, "a header", "an empty file")
	case errors.Is(err, ledger.ErrInvalid):
		return err
	}
	return fmt.Errorf("%s: %w", in.name, err)
}
