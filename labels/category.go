package labels

import "strconv"

// Level is the risk that a category carries by default.
type Level uint8

// The levels, as in api.md: LOW 0-30, MEDIUM 31-70, HIGH 71-90, SEVERE 91-100.
const (
	LevelNone Level = iota
	LevelLow
	LevelMedium
	LevelHigh
	LevelSevere
)

// String prints NONE, LOW, MEDIUM, HIGH or SEVERE.
func (l Level) String() string { return [...]string{"NONE", "LOW", "MEDIUM", "HIGH", "SEVERE"}[l] }

// Category is what kind of owner a tag asserts.
type Category struct {
	ID    string // ours: the Chainalysis name in snake_case, a dot before a kind of it
	KYT   int    // Chainalysis KYT's numeric id; ours from 10001 where it has none
	Level Level
}

// categories is the one list of what a tag's Category may be, in the order of risk reports.
var categories = []Category{
	{"sanctioned_entity", 3, LevelSevere},
	{"sanctioned_jurisdiction", 25, LevelHigh},
	{"terrorist_financing", 23, LevelSevere},
	{"child_abuse_material", 1, LevelSevere},
	{"human_trafficking", 10001, LevelSevere},
	{"scam", 18, LevelHigh},
	{"scam.pig_butchering", 18, LevelHigh},
	{"scam.romance", 18, LevelHigh},
	{"scam.investment", 18, LevelHigh},
	{"scam.phishing", 18, LevelHigh},
	{"scam.recovery", 18, LevelHigh},
	{"guarantee_marketplace", 10002, LevelSevere},
	{"laundering_service", 10003, LevelHigh},
	{"stolen_funds", 6, LevelHigh},
	{"ransomware", 12, LevelSevere},
	{"extortion.sextortion", 29, LevelHigh},
	{"darknet_market", 2, LevelSevere},
	{"fraud_shop", 28, LevelHigh},
	{"illicit_actor_org", 29, LevelHigh},
	{"malware", 35, LevelHigh},
	{"special_measures", 34, LevelHigh},
	{"mixing", 13, LevelHigh},
	{"protocol_privacy", 33, LevelMedium},
	{"issuer_frozen", 10004, LevelHigh},
	{"seized_funds", 39, LevelMedium},
	{"no_kyc_exchange", 4, LevelMedium},
	{"instant_exchange", 47, LevelMedium},
	{"p2p_exchange", 19, LevelMedium},
	{"atm", 24, LevelMedium},
	{"gambling", 16, LevelMedium},
	{"exchange", 21, LevelLow},
	{"decentralized_exchange", 27, LevelLow},
	{"bridge", 37, LevelLow},
	{"lending", 26, LevelLow},
	{"merchant_services", 17, LevelLow},
	{"hosted_wallet", 11, LevelLow},
	{"mining", 22, LevelLow},
	{"mining_pool", 7, LevelLow},
	{"smart_contract", 32, LevelNone},
	{"token_smart_contract", 31, LevelNone},
	{"unnamed_service", 41, LevelNone},
	{"none", 20, LevelNone},
}

// retired are KYT ids that customers' lists still carry and we have no category
// of our own for. Names are those of KYT's clients (9 other, 10 ethereum
// contract, 14 ico, 15 erc20 token, 30 infrastructure as a service, 36 online
// pharmacy, 38 NFT platform, 42 stolen bitcoins, 43 stolen ether, 999 custom
// address). No public client names 45 and 46: they map to none, and the label
// that comes with them is kept.
var retired = map[int]string{
	9: "none", 10: "smart_contract", 14: "unnamed_service", 15: "token_smart_contract", 30: "merchant_services", 36: "fraud_shop",
	38: "smart_contract", 42: "stolen_funds", 43: "stolen_funds", 45: "none", 46: "none", 999: "none",
}

// Categories returns all categories, in the table's order.
func Categories() []Category { return append([]Category(nil), categories...) }

// CategoryOf returns the category of an id, and false for an id that is none.
func CategoryOf(id string) (Category, bool) {
	for _, c := range categories {
		if c.ID == id {
			return c, true
		}
	}
	return Category{}, false
}

// ParseCategory reads our id, or a numeric id of Chainalysis KYT: the first
// category that carries it ("18" is scam, "29" illicit_actor_org).
func ParseCategory(s string) (Category, bool) {
	if c, ok := CategoryOf(s); ok {
		return c, true
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return Category{}, false
	}
	if id, ok := retired[n]; ok {
		return CategoryOf(id)
	}
	if n == 29 { // sextortion is a kind of it
		return CategoryOf("illicit_actor_org")
	}
	for _, c := range categories {
		if c.KYT == n {
			return c, true
		}
	}
	return Category{}, false
}
