package labels

// concepts maps GraphSense's concept taxonomy (93 ids, version 0.1.0 of
// 2023-01-27 as graphsense-lib carries it) onto our categories. It serves the
// fields category, abuse and concepts of a TagPack, which draw on the same
// taxonomy. "" says nothing about risk by itself: where a thing was mentioned,
// what an address is for, a kind of owner.
//
// Judgment, where the taxonomy is wider than a category: market and shop are
// darknet and clear web alike, so they are unnamed_service, and darknet_market
// only where dark_web stands beside them; hacking, exploits and breaches are
// tagged on the addresses that hold what was taken, so stolen_funds; extremism is
// no financing of terror, so illicit_actor_org; black_list is the issuer's freeze
// (usdt_blacklist), gov_black_list a sanction; miner is mining.
var concepts = map[string]string{
	// behaviour: abuse
	"abuse": "illicit_actor_org", "sexual_abuse": "illicit_actor_org", "child_sexual_abuse": "child_abuse_material", "violence": "illicit_actor_org",
	"human_trafficking": "human_trafficking", "murder": "illicit_actor_org", "torture": "illicit_actor_org", "scam": "scam",
	"financial_crime": "illicit_actor_org", "investment_fraud": "scam.investment", "ponzi_scheme": "scam.investment", "pyramid_scheme": "scam.investment",
	"money_laundering": "laundering_service", "extortion": "illicit_actor_org", "sextortion": "extortion.sextortion", "phishing": "scam.phishing",
	"hacking": "stolen_funds", "service_hack": "stolen_funds", "account_hack": "stolen_funds", "exploit": "stolen_funds", "data_breach": "fraud_shop",
	"social_engineering": "scam", "malware": "malware", "drugs": "illicit_actor_org", "weapons": "illicit_actor_org", "payment_card_fraud": "fraud_shop",
	"ransomware": "ransomware", "sanction": "sanctioned_entity", "counterfeit": "fraud_shop", "extremism": "illicit_actor_org",
	"terrorism": "terrorist_financing", "terrorism_financing": "terrorist_financing", "perpetrator": "illicit_actor_org",
	"black_list": "issuer_frozen", "gov_black_list": "sanctioned_entity",
	// behaviour: gray and white
	"mixing": "mixing", "coinjoin": "mixing", "gray_usage": "", "white_usage": "", "white_list": "", "gov_white_list": "", "deployer": "", "funder": "",
	"cold_wallet": "", "hot_wallet": "", "warm_wallet": "", "deposit_wallet": "",
	// entity: service
	"exchange": "exchange", "wallet_service": "hosted_wallet", "escrow_wallet": "hosted_wallet", "ico_wallet": "unnamed_service",
	"filesharing": "unnamed_service", "index": "unnamed_service", "market": "unnamed_service", "messaging_service": "unnamed_service",
	"mixing_service": "mixing", "mining_service": "mining_pool", "gambling": "gambling", "search_engine": "unnamed_service", "shop": "unnamed_service",
	"faucet": "unnamed_service", "payment_processor": "merchant_services", "atm": "atm", "hosting": "unnamed_service", "vpn": "unnamed_service",
	"nameservice": "smart_contract", "defi": "smart_contract", "defi_token": "token_smart_contract", "defi_lending": "lending",
	"defi_dex": "decentralized_exchange", "defi_dex_pair": "decentralized_exchange", "defi_derivative": "smart_contract", "defi_bridge": "bridge",
	"defi_dao": "smart_contract", "defi_staking": "smart_contract", "defi_custody": "hosted_wallet", "service": "unnamed_service",
	// entity: others
	"miner": "mining", "organization": "", "user": "", "victim": "", "donation": "", "item": "", "collectible": "smart_contract",
	// roots and sources
	"concept": "", "unknown": "", "behaviour": "", "entity": "", "source": "", "mention": "", "website_mention": "", "forum_mention": "", "dark_web": "",
}

// confidences is GraphSense's scale.
var confidences = map[string]int{
	"override": 100, "ownership": 100, "ledger_immanent": 100, "manual_transaction": 90, "service_api": 70, "forensic_investigation": 70,
	"authority_data": 60, "trusted_provider": 50, "service_data": 50, "forensic": 50, "untrusted_transaction": 40, "web_crawl": 20,
	"heuristic": 10, "unknown": 5,
}

// categorise returns our category of a tag's concepts: the one of the highest
// level, the first of equals, "" when none of them says anything. A stop of a
// trace at an exchange must not hide that the address held stolen money.
func categorise(ids []string) string {
	var best Category
	dark := false
	for _, id := range ids {
		dark = dark || id == "dark_web"
	}
	for _, id := range ids {
		ours := concepts[id]
		if dark && (id == "market" || id == "shop") {
			ours = "darknet_market"
		}
		if c, ok := CategoryOf(ours); ok && (best.ID == "" || c.Level > best.Level) {
			best = c
		}
	}
	return best.ID
}
