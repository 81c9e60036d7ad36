package server

import (
	"encoding/json"
	"strconv"
	"strings"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// kytTransferBody registers a transfer.
type kytTransferBody struct {
	Network           string    `json:"network"`
	Asset             string    `json:"asset"`
	AssetID           string    `json:"assetId"`
	TransferReference string    `json:"transferReference"`
	Direction         string    `json:"direction"`
	TransferTimestamp string    `json:"transferTimestamp"`
	AssetAmount       kytNumber `json:"assetAmount"`
	OutputAddress     string    `json:"outputAddress"`
}

// kytTransfer is a registered transfer. What is not known yet is null.
type kytTransfer struct {
	UpdatedAt         *string         `json:"updatedAt"`
	Asset             string          `json:"asset"`
	AssetID           *string         `json:"assetId"`
	Network           string          `json:"network"`
	TransferReference string          `json:"transferReference"`
	Tx                *string         `json:"tx"`
	Idx               json.RawMessage `json:"idx"`
	USDAmount         json.RawMessage `json:"usdAmount"`
	AssetAmount       json.RawMessage `json:"assetAmount"`
	Timestamp         *string         `json:"timestamp"`
	OutputAddress     *string         `json:"outputAddress"`
	ExternalID        string          `json:"externalId"`
}

// kytAttemptBody registers a withdrawal attempt.
type kytAttemptBody struct {
	Network           string    `json:"network"`
	Asset             string    `json:"asset"`
	AssetID           string    `json:"assetId"`
	Address           string    `json:"address"`
	AttemptIdentifier string    `json:"attemptIdentifier"`
	AssetAmount       kytNumber `json:"assetAmount"`
	AttemptTimestamp  string    `json:"attemptTimestamp"`
}

// kytAttempt is a registered withdrawal attempt.
type kytAttempt struct {
	Asset             string          `json:"asset"`
	AssetID           *string         `json:"assetId"`
	Network           string          `json:"network"`
	Address           string          `json:"address"`
	AttemptIdentifier string          `json:"attemptIdentifier"`
	AssetAmount       json.RawMessage `json:"assetAmount"`
	USDAmount         json.RawMessage `json:"usdAmount"`
	UpdatedAt         *string         `json:"updatedAt"`
	ExternalID        string          `json:"externalId"`
}

// kytAlerts are the alerts of a transfer or an attempt.
type kytAlerts struct {
	Alerts []kytAlert `json:"alerts"`
}

type kytAlert struct {
	AlertLevel   string          `json:"alertLevel"`
	Category     *string         `json:"category"`
	CategoryID   *int32          `json:"categoryId"`
	Service      *string         `json:"service"`
	ExternalID   string          `json:"externalId"`
	AlertAmount  json.RawMessage `json:"alertAmount"`
	ExposureType *string         `json:"exposureType"`
}

// kytExposures name who is directly on the other side; nulls: nobody who is labelled.
type kytExposures struct {
	Direct kytDirect `json:"direct"`
}

type kytDirect struct {
	Name       *string `json:"name"`
	Category   *string `json:"category"`
	CategoryID *int32  `json:"categoryId"`
}

func (c *kytCall) registerTransfer() (any, error) {
	var body kytTransferBody
	if err := c.read(&body); err != nil {
		return nil, err
	}
	at, err := kytTime("transferTimestamp", body.TransferTimestamp)
	if err != nil {
		return nil, err
	}
	t, err := c.screening.RegisterTransfer(c.ctx, &spoorv1.RegisterTransferRequest{
		UserId: c.holes[0], Network: ourNetwork(body.Network), Asset: ourAsset(body.Asset, body.AssetID), TransferReference: body.TransferReference,
		Direction: strings.ToUpper(body.Direction), TransferTimestamp: at, AssetAmount: body.AssetAmount.decimal(), OutputAddress: body.OutputAddress,
	}, c.headers())
	if err != nil {
		return nil, err
	}
	return transferOf(t), nil
}

func (c *kytCall) registerAttempt() (any, error) {
	var body kytAttemptBody
	if err := c.read(&body); err != nil {
		return nil, err
	}
	at, err := kytTime("attemptTimestamp", body.AttemptTimestamp)
	if err != nil {
		return nil, err
	}
	t, err := c.screening.RegisterWithdrawalAttempt(c.ctx, &spoorv1.RegisterWithdrawalAttemptRequest{
		UserId: c.holes[0], Network: ourNetwork(body.Network), Asset: ourAsset(body.Asset, body.AssetID), Address: body.Address,
		AttemptIdentifier: body.AttemptIdentifier, AssetAmount: body.AssetAmount.decimal(), AttemptTimestamp: at,
	}, c.headers())
	if err != nil {
		return nil, err
	}
	return attemptOf(t), nil
}

// kinds of registered transfers, as RegisteredTransfer.kind says them.
const (
	kindTransfer = "TRANSFER"
	kindAttempt  = "WITHDRAWAL_ATTEMPT"
)

// registered reads the transfer or attempt that the path names.
func (c *kytCall) registered(kind string) (*spoorv1.RegisteredTransfer, error) {
	t, err := c.screening.GetTransfer(c.ctx, &spoorv1.GetTransferRequest{ExternalId: c.holes[0]}, c.headers())
	if err != nil {
		return nil, err
	}
	if t.GetKind() != kind {
		return nil, notFound(strings.ReplaceAll(strings.ToLower(kind), "_", " "), c.holes[0])
	}
	return t, nil
}

// show reads the transfer or attempt and puts it in a form.
func show[F any](c *kytCall, kind string, form func(*spoorv1.RegisteredTransfer) F) (any, error) {
	t, err := c.registered(kind)
	if err != nil {
		return nil, err
	}
	return form(t), nil
}

func (c *kytCall) transfer() (any, error)          { return show(c, kindTransfer, transferOf) }
func (c *kytCall) transferAlerts() (any, error)    { return show(c, kindTransfer, alertsOf) }
func (c *kytCall) transferExposures() (any, error) { return show(c, kindTransfer, exposuresOf) }
func (c *kytCall) attempt() (any, error)           { return show(c, kindAttempt, attemptOf) }
func (c *kytCall) attemptAlerts() (any, error)     { return show(c, kindAttempt, alertsOf) }
func (c *kytCall) attemptExposures() (any, error)  { return show(c, kindAttempt, exposuresOf) }

func transferOf(t *spoorv1.RegisteredTransfer) kytTransfer {
	m := kytTransfer{
		UpdatedAt: stampText(t.GetUpdated()), Asset: symbolOf(t.GetAsset()), AssetID: word(t.GetAsset().GetContract()), Network: theirNetwork(t.GetNetwork()),
		TransferReference: t.GetTransferReference(), ExternalID: t.GetExternalId(),
		Idx: number(""), USDAmount: number(""), AssetAmount: number(""),
	}
	if t.GetUpdated() == nil { // pending: KYT says nothing of the transfer before it has seen it
		return m
	}
	m.Tx, m.OutputAddress, m.Timestamp = word(t.GetTx()), word(t.GetOutputAddress()), momentText(t.GetTransferTimestamp())
	m.AssetAmount = coinsNumber(t.GetAssetAmount(), t.GetAsset())
	if _, index, ok := strings.Cut(t.GetTransferReference(), ":"); ok {
		if _, err := strconv.ParseUint(index, 10, 32); err == nil {
			m.Idx = number(index)
		}
	}
	return m
}

// symbolOf is the asset's symbol, or its contract where it has none.
func symbolOf(a *spoorv1.Asset) string {
	if a.GetSymbol() == "" {
		return a.GetContract()
	}
	return a.GetSymbol()
}

func attemptOf(t *spoorv1.RegisteredTransfer) kytAttempt {
	return kytAttempt{
		Asset: symbolOf(t.GetAsset()), AssetID: word(t.GetAsset().GetContract()), Network: theirNetwork(t.GetNetwork()), Address: t.GetOutputAddress(),
		AttemptIdentifier: t.GetTransferReference(), AssetAmount: coinsNumber(t.GetAssetAmount(), t.GetAsset()), USDAmount: number(""),
		UpdatedAt: momentText(t.GetUpdated()), ExternalID: t.GetExternalId(),
	}
}

func alertsOf(t *spoorv1.RegisteredTransfer) kytAlerts {
	m := kytAlerts{Alerts: []kytAlert{}}
	for _, a := range t.GetAlerts() {
		alert := kytAlert{
			AlertLevel: a.GetLevel(), Category: theirCategory(a.GetTrigger().GetCategory()), ExternalID: a.GetId(), AlertAmount: number(a.GetExposure().GetUsd()),
			ExposureType: word(a.GetTrigger().GetExposureType()),
		}
		if e := a.GetExposure(); e != nil {
			alert.CategoryID, alert.Service = &e.CategoryId, serviceOf(e)
			if alert.ExposureType == nil {
				alert.ExposureType = word(e.GetExposureType())
			}
		}
		m.Alerts = append(m.Alerts, alert)
	}
	return m
}

// serviceOf names the labelled entity that most of an exposure leads to.
func serviceOf(e *spoorv1.Exposure) *string {
	if len(e.GetPaths()) == 0 {
		return nil
	}
	return word(e.GetPaths()[0].GetLabel().GetLabel())
}

// exposuresOf takes the first direct exposure on the transfer's own side, which
// is the largest. An address that is labelled itself is as direct as can be.
func exposuresOf(t *spoorv1.RegisteredTransfer) (m kytExposures) {
	for _, e := range t.GetScreening().GetExposures() {
		direct := e.GetRiskType() == "OWNERSHIP" || e.GetExposureType() == "DIRECT"
		if direct && (e.GetDirection() == "" || t.GetDirection() == "" || e.GetDirection() == t.GetDirection()) {
			return kytExposures{kytDirect{Name: serviceOf(e), Category: theirCategory(e.GetCategory()), CategoryID: &e.CategoryId}}
		}
	}
	return m
}
