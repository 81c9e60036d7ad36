package labels

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spoortrace/spoor/ledger"
)

// read takes in a text as a file whose format is found out.
func read(t testing.TB, name, text string, opt Options) ([]ledger.Tag, Source, error) {
	t.Helper()
	if err := opt.check(); err != nil {
		return nil, Source{}, err
	}
	src, err := sourceOf(t.Context(), name, strings.NewReader(text), opt)
	if err != nil {
		return nil, src, err
	}
	var all []ledger.Tag
	for tag, err := range src.Tags {
		if err != nil {
			return nil, src, err
		}
		all = append(all, tag)
	}
	if src.Actors != nil {
		for _, err := range src.Actors {
			if err != nil {
				return nil, src, err
			}
		}
	}
	return all, src, nil
}

// line words a tag for comparison: network:address|label|category|source|confidence.
func line(tag ledger.Tag) string {
	address := tag.Address.Qualified()
	if tag.Chain.Family() == ledger.FamilyEVM {
		address = strings.ToLower(address)
	}
	return strings.Join([]string{address, tag.Label, tag.Category, tag.Source, string(rune('0'+tag.Confidence/10)) + string(rune('0'+tag.Confidence%10))}, "|")
}

const (
	evm  = "0x7f367cc41522ce07553e823bf3be79a889debe1b"
	omni = "16iWn2J1McqjToYLHSsAyS6En3QA8YQ91H"
)

// sdn is a file in the form of OFAC's sdn_advanced.xml, with three parties.
const sdn = `<?xml version="1.0" encoding="utf-8"?>
<Sanctions xmlns="http://www.un.org/sanctions/1.0">
  <ReferenceValueSets><FeatureTypeValues>
    <FeatureType ID="8" FeatureTypeGroupID="1">Birthdate</FeatureType>
    <FeatureType ID="344" FeatureTypeGroupID="1">Digital Currency Address - XBT</FeatureType>
    <FeatureType ID="887" FeatureTypeGroupID="1">Digital Currency Address - USDT</FeatureType>
    <FeatureType ID="444" FeatureTypeGroupID="1">Digital Currency Address - XMR</FeatureType>
  </FeatureTypeValues></ReferenceValueSets>
  <DistinctParties>
    <DistinctParty FixedRef="36"><Profile ID="36"><Identity ID="1"><Alias Primary="true"><DocumentedName>
      <DocumentedNamePart><NamePartValue>AEROCARIBBEAN &amp; CO</NamePartValue></DocumentedNamePart></DocumentedName></Alias></Identity></Profile></DistinctParty>
    <DistinctParty FixedRef="25308"><Profile ID="25307">
      <Identity ID="2">
        <Alias Primary="false"><DocumentedName><DocumentedNamePart><NamePartValue>ALSO KNOWN AS</NamePartValue></DocumentedNamePart></DocumentedName></Alias>
        <Alias Primary="true">
          <DocumentedName><DocumentedNamePart><NamePartValue>GHORBANIYAN</NamePartValue></DocumentedNamePart><DocumentedNamePart><NamePartValue>Mohammad</NamePartValue></DocumentedNamePart></DocumentedName>
          <DocumentedName><DocumentedNamePart><NamePartValue>IN ANOTHER SCRIPT</NamePartValue></DocumentedNamePart></DocumentedName>
        </Alias>
      </Identity>
      <Feature ID="1" FeatureTypeID="8"><FeatureVersion><VersionDetail>1987</VersionDetail></FeatureVersion></Feature>
      <Feature ID="2" FeatureTypeID="344"><FeatureVersion><Comment/><VersionDetail DetailTypeID="1432">` + locky + `</VersionDetail></FeatureVersion></Feature>
      <Feature ID="3" FeatureTypeID="887"><FeatureVersion><VersionDetail>` + evm + `</VersionDetail></FeatureVersion></Feature>
      <Feature ID="4" FeatureTypeID="887"><FeatureVersion><VersionDetail>` + trx + `</VersionDetail></FeatureVersion></Feature>
      <Feature ID="5" FeatureTypeID="887"><FeatureVersion><VersionDetail>` + omni + `</VersionDetail></FeatureVersion></Feature>
      <Feature ID="6" FeatureTypeID="887"><FeatureVersion><VersionDetail>TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRt</VersionDetail></FeatureVersion></Feature>
      <Feature ID="7" FeatureTypeID="444"><FeatureVersion><VersionDetail>44something</VersionDetail></FeatureVersion></Feature>
    </Profile></DistinctParty>
  </DistinctParties>
  <SanctionsEntries>
    <SanctionsEntry ID="9" ProfileID="36" ListID="1550"><EntryEvent><Date><Year>1986</Year><Month>12</Month><Day>10</Day></Date></EntryEvent></SanctionsEntry>
    <SanctionsEntry ID="10" ProfileID="25307" ListID="1550">
      <EntryEvent ID="10" EntryEventTypeID="1"><Comment/><Date CalendarTypeID="1"><Year>2018</Year><Month>11</Month><Day>28</Day></Date></EntryEvent>
      <SanctionsMeasure SanctionsTypeID="1"><Comment>CYBER2</Comment></SanctionsMeasure>
      <SanctionsMeasure SanctionsTypeID="2"><Comment/></SanctionsMeasure>
    </SanctionsEntry>
  </SanctionsEntries>
</Sanctions>
`

func TestOFAC(t *testing.T) {
	got, src, err := read(t, "sdn_advanced.xml", sdn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, tag := range got {
		lines = append(lines, line(tag))
		if !strings.Contains(tag.Context, `"listed":"2018-11-28","programs":["CYBER2"]`) || tag.LastMod != 1543363200000 || tag.Definer {
			t.Errorf("context and date: got %+v", tag)
		}
	}
	rest := "|GHORBANIYAN Mohammad|sanctioned_entity|https://sanctionssearch.ofac.treas.gov/Details.aspx?id=25308|60"
	want := []string{"bitcoin:" + locky + rest, "ethereum:" + evm + "" + rest, "tron:" + trx + rest, "bitcoin:" + omni + rest}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if r := src.Report; src.Format != "ofac" || r.Refused != 1 || r.Skipped["XMR"] != 1 || !strings.Contains(r.Refusals[0], "sdn_advanced.xml:25") {
		t.Errorf("got %s, %+v, want 1 bad checksum at line 25 and 1 of XMR", src.Format, r)
	}
}

func TestOpenSanctions(t *testing.T) {
	got, src, err := read(t, "entities.ftm.json", `{"id":"w1","caption":"`+locky+`","schema":"CryptoWallet","properties":{"publicKey":["`+locky+`"],"currency":["XBT"],"holder":["NK-1"],"topics":["sanction"]},"datasets":["us_ofac_sdn"],"first_seen":"2023-04-20T09:57:58"}
{"id":"NK-1","caption":"Lazarus Group","schema":"Organization","properties":{"topics":["crime.theft"]},"datasets":["us_ofac_sdn"]}

{"id":"w2","caption":"x","schema":"CryptoWallet","properties":{"publicKey":["`+trx+`"],"currency":["USDT"],"holder":[{"id":"N","caption":"Nested Holder","schema":"Person","properties":{"topics":["crime.terror"]}}]},"datasets":["il_mod_crypto"]}
{"id":"w3","caption":"`+evm+`","schema":"CryptoWallet","properties":{"publicKey":["`+evm+`"]},"datasets":["ransomwhere"]}
{"id":"w4","caption":"m","schema":"CryptoWallet","properties":{"publicKey":["4x"],"currency":["XMR"]},"datasets":["d"]}`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bitcoin:" + locky + "|Lazarus Group|sanctioned_entity|https://www.opensanctions.org/entities/w1|60",
		"tron:" + trx + "|Nested Holder|terrorist_financing|https://www.opensanctions.org/entities/w2|50",
		"ethereum:" + evm + "|wallet of ransomwhere||https://www.opensanctions.org/entities/w3|50",
	}
	var lines []string
	for _, tag := range got {
		lines = append(lines, line(tag))
	}
	if diff := cmp.Diff(want, lines); diff != "" || src.Report.Skipped["XMR"] != 1 || got[0].LastMod != 1681984678000 {
		t.Error(diff, src.Report, got[0].LastMod)
	}
}

func TestSTIX(t *testing.T) {
	got, src, err := read(t, "bundle.json", `{"type":"bundle","id":"bundle--1","objects":[
{"type":"cryptocurrency-wallet","id":"cryptocurrency-wallet--1","value":"`+locky+`"},
{"type":"cryptocurrency-wallet","id":"cryptocurrency-wallet--2","address":"`+trx+`","labels":["Scam"],"x":{"deep":[1,[2]]}},
{"type":"cryptocurrency-wallet","id":"cryptocurrency-wallet--3","value":"`+evm+`","revoked":true},
{"type":"observed-data","id":"observed-data--1","object_refs":["cryptocurrency-wallet--1"]},
{"type":"malware","id":"malware--1","name":"Locky","malware_types":["ransomware"]},
{"type":"threat-actor","id":"threat-actor--1","name":"Evil Corp"},
{"type":"identity","id":"identity--1","name":"A Vendor"},
{"type":"relationship","id":"relationship--1","relationship_type":"related-to","source_ref":"observed-data--1","target_ref":"malware--1"},
{"type":"relationship","id":"relationship--2","relationship_type":"uses","source_ref":"threat-actor--1","target_ref":"malware--1"},
{"type":"indicator","id":"indicator--1","name":"bad wallets","created_by_ref":"identity--1","confidence":85,"valid_from":"2021-01-01T00:00:00Z","valid_until":"2022-01-01T00:00:00Z",
 "indicator_types":["malicious-activity"],"pattern":"[cryptocurrency-wallet:value = '`+omni+`' OR cryptocurrency-wallet:address='`+evm+`']"}
],"spec_version":"2.1"}`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bitcoin:" + locky + "|Locky|ransomware|cryptocurrency-wallet--1|05",
		"tron:" + trx + "|wallet in cryptocurrency-wallet--2|scam|cryptocurrency-wallet--2|05",
		"bitcoin:" + omni + "|bad wallets|illicit_actor_org|indicator--1|85",
		"ethereum:" + evm + "|bad wallets|illicit_actor_org|indicator--1|85",
	}
	var lines []string
	for _, tag := range got {
		lines = append(lines, line(tag))
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Fatal(diff)
	}
	if got[2].ValidFrom != 1609459200000 || got[2].ValidTo != 1640995200000 || got[2].Creator != "A Vendor" || src.Report.Skipped["REVOKED"] != 1 {
		t.Errorf("got %+v, %+v", got[2], src.Report)
	}
}

// TestRealExcerpts reads pieces of published lists (testdata/PROVENANCE.md).
func TestRealExcerpts(t *testing.T) {
	tests := []struct {
		file, format string
		opt          Options
		tags         int
		first        string
	}{
		{
			"etherscan-labels.json", "etherscan",
			Options{},
			6,
			"ethereum:0x22ff777ef6fe0690f1f74c6758126909653ad56a|Balancer: MLN/ETH 90/10 #2|decentralized_exchange|https://github.com/brianleect/etherscan-labels|20",
		},
		{
			"forta-malicious.csv", "forta",
			Options{},
			5,
			"ethereum:0x80d7bb18521acbef32d7906502ebe94928690e93|Fake_Phishing1772|scam.phishing|etherscan-phish-hack-list|20",
		},
		{
			"forta-phishing.csv", "forta",
			Options{Confidence: 40},
			5,
			"ethereum:0x000000000532b45f47779fce440748893b257865|Fake_Phishing3901|scam.phishing|https://github.com/forta-network/labelled-datasets|40",
		},
		{
			"forta-contracts.csv", "forta",
			Options{},
			5,
			"ethereum:0x04ae3226c80e8c04d35e6e56089345bdd06da6de|Multichain Exploiter 10|stolen_funds|Luabase ethereum.tags table|20",
		},
		{
			"ofac-usdt.txt", "list",
			Options{Network: "USDT", Label: "OFAC SDN", Category: "3", Source: "OFAC", Confidence: 60},
			26,
			"ethereum:0x175d44451403edf28469df03a9280c1197adb92c|OFAC SDN|sanctioned_entity|OFAC|60",
		},
		{
			"ofac-trx.json", "list",
			Options{Label: "OFAC SDN"},
			6,
			"tron:TBHTJqAy4DhHhmT3dNceJYNRz4SdLofLre|OFAC SDN||ofac-trx.json|05",
		},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", test.file))
			if err != nil {
				t.Fatal(err)
			}
			got, src, err := read(t, test.file, string(text), test.opt)
			if err != nil || len(got) != test.tags || src.Format != test.format || src.Report.Refused != 0 || line(got[0]) != test.first {
				t.Fatalf("got %d tags of %s, %v, %+v, first\n%v\nwant %d of %s, first\n%s", len(got), src.Format, err, src.Report, got, test.tags, test.format, test.first)
			}
		})
	}
}

// TestFoundForms are forms that published files have and that the documents of
// their formats do not name.
func TestFoundForms(t *testing.T) {
	tests := []struct {
		name, file, text, want string
		refused                int
	}{
		{
			"sum row of a table first", "a.json", `{"":{"name":"Sum of 4 Accounts","labels":["dex"]},"genesis":{"name":"","labels":["x"]},"` + evm + `":{"name":"A","labels":["dex"]}}`,
			"ethereum:" + evm + "|A|decentralized_exchange|https://github.com/brianleect/etherscan-labels|20", 2,
		},
		{
			"text for a list", "e.jsonl", `{"id":"w","schema":"CryptoWallet","caption":"W","properties":{"publicKey":"` + trx + `","religion":"x"}}`,
			"tron:" + trx + "|W||https://www.opensanctions.org/entities/w|50", 0,
		},
		{"holder of a wallet", "b.json", `{"type":"bundle","objects":[{"type":"cryptocurrency-wallet","id":"cryptocurrency-wallet--1","value":"` + locky + `","holder_ref":"identity--1"},
			{"type":"identity","id":"identity--1","name":"Some Exchange"}]}`, "bitcoin:" + locky + "|Some Exchange||cryptocurrency-wallet--1|05", 0},
		{
			"custom type", "b.json", `{"type":"bundle","objects":[{"type":"x-opencti-cryptocurrency-wallet","id":"w","value":"` + locky + `","labels":["scam"]}]}`,
			"bitcoin:" + locky + "|wallet in w|scam|w|05", 0,
		},
		{
			"custom type in a pattern", "b.json", `{"type":"bundle","objects":[{"type":"indicator","id":"i","name":"N","pattern":"[x-cryptocurrency-wallet:value = '` + locky + `']"}]}`,
			"bitcoin:" + locky + "|N||i|05", 0,
		},
		{
			"TRON address under Bitcoin in a pack", "p.yaml", "title: a\ncreator: b\nconfidence: forensic\nsource: s\ncurrency: BTC\ntags:\n- {address: " + trx + ", label: L}\n",
			"tron:" + trx + "|L||s|50", 0,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, src, err := read(t, test.file, test.text, Options{})
			if err != nil || len(got) != 1 || line(got[0]) != test.want || src.Report.Refused != test.refused {
				t.Errorf("got %v, %v, %+v, want %s and %d refused", got, err, src.Report, test.want, test.refused)
			}
		})
	}
}

// TestTickersOfOFAC: every network that the list names is ours or is counted.
func TestTickersOfOFAC(t *testing.T) {
	var types, features string
	for i, ticker := range []string{"BSC", "ARB", "ETH", "ETC", "SOL", "LTC", "TOMORROW"} {
		types += fmt.Sprintf(`<FeatureType ID="%d">Digital Currency Address - %s</FeatureType>`, i, ticker)
		features += fmt.Sprintf(`<Feature FeatureTypeID="%d"><VersionDetail>%s</VersionDetail></Feature>`, i, evm)
	}
	got, src, err := read(t, "x.xml", `<Sanctions>`+types+`<DistinctParty FixedRef="1">`+features+`</DistinctParty></Sanctions>`, Options{})
	var chains []string
	for _, tag := range got {
		chains = append(chains, string(tag.Chain))
	}
	want := map[string]int{"ETC": 1, "SOL": 1, "LTC": 1, "TOMORROW": 1}
	if diff := cmp.Diff([]string{"bnb", "arbitrum", "ethereum"}, chains) + cmp.Diff(want, src.Report.Skipped); diff != "" || err != nil || src.Report.Refused != 0 {
		t.Errorf("got %v, %+v: %s", err, src.Report, diff)
	}
}

// TestPartiesWithoutProfile: two parties that have none are not one.
func TestPartiesWithoutProfile(t *testing.T) {
	text := `<Sanctions><FeatureType ID="1">Digital Currency Address - XBT</FeatureType><DistinctParties>`
	for _, one := range []struct{ id, address string }{{"7", locky}, {"8", omni}} {
		text += `<DistinctParty FixedRef="` + one.id + `"><Feature FeatureTypeID="1"><VersionDetail>` + one.address + `</VersionDetail></Feature></DistinctParty>`
	}
	got, _, err := read(t, "x.xml", text+`</DistinctParties></Sanctions>`, Options{})
	if err != nil || len(got) != 2 || got[0].Label != "OFAC party 7" || got[1].Label != "OFAC party 8" {
		t.Errorf("got %+v, %v, want two parties", got, err)
	}
}

const actorPack = `title: Actors
creator: Me
lastmod: 2022-11-29
actors:
- id: binance
  uri: https://binance.com
  label: Binance
  aliases: [bnc]
  jurisdictions: [KY, MT]
  categories: [exchange]
  context: '{"refs": []}'
- {id: hydra, uri: https://example.org, label: Hydra, categories: [market, dark_web], lastmod: 2023-01-01}
`

// TestActorPack: a tag's actor resolves to who the pack says it is.
func TestActorPack(t *testing.T) {
	l, dir := open(t, t.TempDir()), t.TempDir()
	path := filepath.Join(dir, "actors.yaml")
	if err := os.WriteFile(path, []byte(actorPack), 0o600); err != nil {
		t.Fatal(err)
	}
	done, err := l.ImportFile(t.Context(), path, Options{}, 1)
	if err != nil || done.Actors != 2 || done.Format != "actorpack" {
		t.Fatalf("got %+v, %v, want 2 actors", done, err)
	}
	v, _ := l.View(0)
	got, ok, err := v.Actor(t.Context(), "binance")
	want := Actor{ID: "binance", Label: "Binance", URI: "https://binance.com", Categories: []string{"exchange"}, Jurisdictions: []string{"KY", "MT"}, Aliases: []string{"bnc"}, Context: `{"refs": []}`, Pack: "Actors", LastMod: 1669680000000}
	if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil || got.Category() != "exchange" {
		t.Error(diff, ok, err)
	}
	if got, _, _ := v.Actor(t.Context(), "hydra"); got.Category() != "darknet_market" || got.LastMod != 1672531200000 {
		t.Errorf("got %+v, want a darknet market of 2023", got)
	}
}

// TestStatedWrongly: an address under another network's name is that of its
// checksum, where it has one; nothing else is guessed.
func TestStatedWrongly(t *testing.T) {
	got, src, err := read(t, "xbt.txt", trx+"\n"+evm+"\n"+trx[:33]+"t\n", Options{Label: "L", Network: "XBT"})
	if err != nil || len(got) != 1 || got[0].Address != parse(t, "tron", trx) || got[0].Chain != "tron" || src.Report.Refused != 2 {
		t.Errorf("got %+v, %v, %+v, want the TRON address alone", got, err, src.Report)
	}
}

// TestConflict: three vendors say three things of one wallet (the shape of a
// real case). All are kept with source, confidence and time, in every order of
// import, and a retraction takes one of them.
func TestConflict(t *testing.T) {
	const wallet = "TAzsQ9Gx8eqFNFSKbeXrbi45CuVPHzA8wr"
	packs := []string{
		"title: Binance reserve wallets\ncreator: GraphSense Core Team\nconfidence: service_data\ncategory: exchange\nsource: https://www.binance.com\nactor: binance\ntags:\n- address: '" + wallet + "'\n  currency: TRX\n  label: binance reserve wallets USDT\n",
		"title: B\ncreator: B\nconfidence: web_crawl\nabuse: scam\nsource: b\ntags:\n- {address: " + wallet + ", currency: TRX, label: scam collector}\n",
		"title: C\ncreator: C\nconfidence: forensic\ncategory: payment_processor\nsource: c\ntags:\n- {address: " + wallet + ", currency: TRX, label: Pay X}\n",
	}
	want := []string{"binance reserve wallets USDT exchange 50", "scam collector scam 20", "Pay X merchant_services 50"}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		l := open(t, t.TempDir())
		for _, i := range order {
			src, err := sourceOf(t.Context(), "p.yaml", strings.NewReader(packs[i]), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Import(t.Context(), src, 1); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.Retract(2, "mistaken", 2); err != nil {
			t.Fatal(err)
		}
		for sequence, gone := range map[uint64]int{3: -1, 4: order[1]} {
			v, _ := l.View(sequence)
			tags, err := v.Tags(t.Context(), parse(t, "tron", wallet))
			var got, expected []string
			for _, tag := range tags {
				got = append(got, fmt.Sprint(tag.Label, " ", tag.Category, " ", tag.Confidence))
			}
			for _, i := range order {
				if i != gone {
					expected = append(expected, want[i])
				}
			}
			if diff := cmp.Diff(expected, got); diff != "" || err != nil {
				t.Errorf("order %v at %d: %v %s", order, sequence, err, diff)
			}
		}
	}
}
