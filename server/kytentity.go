package server

import (
	"encoding/json"
	"math/big"
	"strings"

	"github.com/spoortrace/spoor/labels"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// kytEntity is an address in the form of address screening. Its risk is null
// where there is no score: unknown is not low.
type kytEntity struct {
	Address                string              `json:"address"`
	Risk                   *string             `json:"risk"`
	RiskReason             *string             `json:"riskReason"`
	AddressType            string              `json:"addressType"`
	Cluster                *kytCluster         `json:"cluster"`
	AddressIdentifications []kytIdentification `json:"addressIdentifications"`
	Exposures              []kytExposure       `json:"exposures"`
	Triggers               []kytTrigger        `json:"triggers"`
	Status                 string              `json:"status"`
}

type kytCluster struct {
	Name     *string `json:"name"`
	Category *string `json:"category"`
}

type kytIdentification struct {
	Name        string  `json:"name"`
	Address     string  `json:"address"`
	Category    *string `json:"category"`
	Description string  `json:"description"`
	URL         *string `json:"url"`
}

type kytExposure struct {
	Category     *string         `json:"category"`
	CategoryID   int32           `json:"categoryId"`
	Value        json.RawMessage `json:"value"`
	ExposureType string          `json:"exposureType"`
	Direction    string          `json:"direction"`
}

type kytTrigger struct {
	Category      *string         `json:"category"`
	Percentage    json.RawMessage `json:"percentage"`
	Message       string          `json:"message"`
	RuleTriggered kytRule         `json:"ruleTriggered"`
}

type kytRule struct {
	Risk         string          `json:"risk"`
	MinThreshold json.RawMessage `json:"minThreshold"`
	MaxThreshold json.RawMessage `json:"maxThreshold"`
	Direction    *string         `json:"direction"`
	ExposureType *string         `json:"exposureType"`
}

// kytCategory is one category, by KYT's number and words. Those that KYT does
// not have are numbered from 10001; kinds of a category are not told apart.
type kytCategory struct {
	CategoryID   int     `json:"categoryId"`
	CategoryName *string `json:"categoryName"`
}

// categories lists what an exposure may be of. It is the same for everybody.
func (c *kytCall) categories() (any, error) {
	all := []kytCategory{}
	for _, category := range labels.Categories() {
		if !strings.Contains(category.ID, ".") {
			all = append(all, kytCategory{category.KYT, theirCategory(category.ID)})
		}
	}
	return struct {
		Categories []kytCategory `json:"categories"`
	}{all}, nil
}

// registerEntity takes an address that is well formed. Nothing is kept of it:
// any address can be asked for.
func (c *kytCall) registerEntity() (any, error) {
	var body struct {
		Address string `json:"address"`
	}
	if err := c.read(&body); err != nil {
		return nil, err
	}
	if _, err := c.screen(body.Address); err != nil {
		return nil, err
	}
	return struct {
		Address string `json:"address"`
	}{body.Address}, nil
}

func (c *kytCall) entity() (any, error) {
	s, err := c.screen(c.holes[0])
	if err != nil {
		return nil, err
	}
	return entityOf(c.holes[0], s), nil
}

func (c *kytCall) screen(address string) (*spoorv1.Screening, error) {
	network, err := networkOf(address)
	if err != nil {
		return nil, err
	}
	return c.screening.ScreenAddress(c.ctx, &spoorv1.ScreenAddressRequest{Address: network + ":" + address}, c.headers())
}

func entityOf(address string, s *spoorv1.Screening) kytEntity {
	m := kytEntity{
		Address: address, RiskReason: word(s.GetRiskReason()), AddressType: "PRIVATE_WALLET", Status: "COMPLETE",
		AddressIdentifications: []kytIdentification{}, Exposures: exposureSums(s.GetExposures()), Triggers: []kytTrigger{},
	}
	if s.RiskScore != nil {
		m.Risk = word(titled(s.GetRisk()))
	}
	if s.GetCoverage().GetState() != "COMPLETE" || len(s.GetLimits()) > 0 {
		m.Status = "PARTIAL"
	}
	for _, l := range s.GetAddressIdentifications() {
		m.AddressIdentifications = append(m.AddressIdentifications, identificationOf(address, l))
	}
	if labels := s.GetAddressIdentifications(); len(labels) > 0 {
		m.Cluster = &kytCluster{Name: word(labels[0].GetLabel()), Category: theirCategory(labels[0].GetCategory())}
	}
	for _, t := range s.GetTriggers() {
		m.Triggers = append(m.Triggers, kytTrigger{
			Category: theirCategory(t.GetCategory()), Percentage: number(""), Message: t.GetMessage(),
			RuleTriggered: kytRule{
				Risk: titled(t.GetRisk()), MinThreshold: number(""), MaxThreshold: number(""),
				Direction: word(strings.ToLower(t.GetDirection())), ExposureType: word(strings.ToLower(t.GetExposureType())),
			},
		})
	}
	return m
}

func identificationOf(address string, l *spoorv1.Label) kytIdentification {
	m := kytIdentification{Name: l.GetLabel(), Address: l.GetAddress(), Category: theirCategory(l.GetCategory()), Description: l.GetSource()}
	if m.Address == "" {
		m.Address = address
	}
	if strings.HasPrefix(l.GetSource(), "https://") || strings.HasPrefix(l.GetSource(), "http://") {
		m.URL = word(l.GetSource())
	}
	return m
}

// titled is a level as address screening writes it: Severe.
func titled(level string) string {
	if level == "" {
		return ""
	}
	return level[:1] + strings.ToLower(level[1:])
}

// exposureSums adds up the dollars of all assets by category, kind and
// direction: clients take the first entry of a category. One asset without a
// price makes the sum unknown, and null.
func exposureSums(exposures []*spoorv1.Exposure) []kytExposure {
	type side struct{ category, kind, direction string }
	sums := map[side]*big.Rat{}
	all, at := []kytExposure{}, map[side]int{}
	for _, e := range exposures {
		if e.GetRiskType() == "OWNERSHIP" {
			continue // said by addressIdentifications
		}
		category := theirCategory(e.GetCategory())
		key := side{e.GetCategory(), strings.ToLower(e.GetExposureType()), strings.ToLower(e.GetDirection())}
		if category != nil {
			key.category = *category
		}
		if _, known := at[key]; !known {
			at[key], sums[key] = len(all), new(big.Rat)
			all = append(all, kytExposure{Category: category, CategoryID: e.GetCategoryId(), ExposureType: key.kind, Direction: key.direction})
		}
		usd, ok := new(big.Rat).SetString(e.GetUsd())
		if !ok {
			sums[key] = nil
		}
		if sums[key] != nil {
			sums[key].Add(sums[key], usd)
		}
	}
	for key, i := range at {
		all[i].Value = number("")
		if sums[key] != nil {
			all[i].Value = number(sums[key].FloatString(2))
		}
	}
	return all
}
