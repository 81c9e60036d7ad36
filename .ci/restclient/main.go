// A client that go-swagger generates from the OpenAPI file asks a running server
// what the command line answers too: both must say the same. See .ci/rest.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"restclient/client"
	"restclient/client/admin_service"
	"restclient/client/label_service"
	"restclient/client/screening_service"
	"restclient/client/trace_service"
	"restclient/models"
	"slices"
	"strings"
	"time"

	httptransport "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
)

const (
	payment = "tron:4d5f37b606d8dad9a0554efd6becb005ef9a53def9d68f636e01f63f86d12c4c"
	wallet  = "tron:TVXy9j3MHePgN3ydyr3D8NojB5RLD3AcRs"
)

// try holds what each step needs; a step that fails panics with what was wrong.
type try struct {
	api         *client.Spoor
	spoor, data string
	done        int
}

func main() {
	address, spoor, data := os.Args[1], os.Args[2], os.Args[3]
	t := &try{api: client.New(httptransport.New(address, "/", []string{"http"}), strfmt.Default), spoor: spoor, data: data}
	for _, step := range []func(){t.index, t.transaction, t.screening, t.trace, t.labels, t.watches, t.transfers, t.cluster, t.refusals} {
		step()
	}
	fmt.Printf("the generated client and the command line agree: %d answers compared\n", t.done)
}

func (t *try) index() {
	got, err := t.api.AdminService.AdminServiceIndexStatus(admin_service.NewAdminServiceIndexStatusParams(), nil)
	must(err)
	t.same("index status", got.Payload, "index", "status")
}

func (t *try) transaction() {
	got, err := t.api.TraceService.TraceServiceLookupTransaction(trace_service.NewTraceServiceLookupTransactionParams().WithRef(text(payment)), nil)
	must(err)
	t.same("transaction", got.Payload, "tx", payment)
}

func (t *try) screening() {
	got, err := t.api.ScreeningService.ScreeningServiceScreenAddress(screening_service.NewScreeningServiceScreenAddressParams().WithAddress(text(wallet)), nil)
	must(err)
	t.within("screening", "screening", got.Payload, "screen", wallet)
}

func (t *try) trace() {
	request := &models.TraceRequest{Refs: []string{payment}, AllPolicies: true}
	started, err := t.api.TraceService.TraceServiceStartTrace(trace_service.NewTraceServiceStartTraceParams().WithRequest(request), nil)
	must(err)
	id := strings.TrimPrefix(started.Payload.Name, "traces/")
	for range 100 {
		got, err := t.api.TraceService.TraceServiceGetTrace(trace_service.NewTraceServiceGetTraceParams().WithTrace(id), nil)
		must(err)
		if got.Payload.State == "DONE" {
			got.Payload.Name = "" // the command line names no job
			t.same("trace", got.Payload, "trace", payment, "--all-policies")
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	panic("the trace does not end")
}

func (t *try) labels() {
	label := &models.V1Label{Address: strings.TrimPrefix(wallet, "tron:"), Network: "tron", Label: "generated client", Category: "scam.romance", Source: "a try", Confidence: 60}
	added, err := t.api.LabelService.LabelServiceAddLabel(label_service.NewLabelServiceAddLabelParams().WithLabel(label), nil)
	must(err)
	list := label_service.NewLabelServiceListLabelsParams().WithAddress(text(wallet))
	got, err := t.api.LabelService.LabelServiceListLabels(list, nil)
	must(err)
	t.same("labels", got.Payload, "labels", "show", wallet)
	retract := label_service.NewLabelServiceRetractLabelParams().WithID(added.Payload.ID).WithBody(&models.RetractLabelBody{Reason: "a try"})
	_, err = t.api.LabelService.LabelServiceRetractLabel(retract, nil)
	must(err)
	after, err := t.api.LabelService.LabelServiceListLabels(list, nil)
	must(err)
	for _, l := range after.Payload.Labels {
		if retracted := l.RetractedSequence != "" && l.RetractedSequence != "0"; retracted != (l.ID == added.Payload.ID) {
			panic(fmt.Sprintf("after the retraction of %s: %+v", added.Payload.ID, l))
		}
	}
}

func (t *try) watches() {
	made, err := t.api.ScreeningService.ScreeningServiceAddWatch(screening_service.NewScreeningServiceAddWatchParams().WithBody(&models.AddWatchRequest{Address: wallet, Note: "a try"}), nil)
	must(err)
	got, err := t.api.ScreeningService.ScreeningServiceListWatches(screening_service.NewScreeningServiceListWatchesParams(), nil)
	must(err)
	t.same("watches", got.Payload, "watch", "list")
	_, err = t.api.ScreeningService.ScreeningServiceRemoveWatch(screening_service.NewScreeningServiceRemoveWatchParams().WithID(made.Payload.ID), nil)
	must(err)
}

func (t *try) transfers() {
	body := &models.RegisterTransferBody{Network: "tron", Asset: "USDT", TransferReference: strings.TrimPrefix(payment, "tron:") + ":0", Direction: "RECEIVED"}
	made, err := t.api.ScreeningService.ScreeningServiceRegisterTransfer(screening_service.NewScreeningServiceRegisterTransferParams().WithUserID("user-1").WithBody(body), nil)
	must(err)
	got, err := t.api.ScreeningService.ScreeningServiceGetTransfer(screening_service.NewScreeningServiceGetTransferParams().WithExternalID(made.Payload.ExternalID), nil)
	must(err)
	if got.Payload.ExternalID != made.Payload.ExternalID || got.Payload.TransferReference != body.TransferReference {
		panic(fmt.Sprintf("registered %+v, got %+v", made.Payload, got.Payload))
	}
	t.done++
}

func (t *try) cluster() {
	got, err := t.api.TraceService.TraceServiceGetCluster(trace_service.NewTraceServiceGetClusterParams().WithAddress(text(wallet)), nil)
	must(err)
	t.same("cluster", got.Payload, "cluster", wallet)
}

// refusals are typed errors, with the reason among the details.
func (t *try) refusals() {
	_, err := t.api.TraceService.TraceServiceLookupTransaction(trace_service.NewTraceServiceLookupTransactionParams().WithRef(text("tron:no hash")), nil)
	var refused *trace_service.TraceServiceLookupTransactionDefault
	if !errors.As(err, &refused) || refused.Code() != 400 || refused.Payload.Code != 3 || !strings.Contains(refused.Payload.Message, "transaction hash") && !strings.Contains(refused.Payload.Message, "ref") {
		panic(fmt.Sprintf("a refusal: %v", err))
	}
	t.done++
}

func (t *try) same(what string, got any, args ...string) { t.within("", what, got, args...) }

// within compares an answer with what the command line prints (under a key),
// leaving out what is empty and how long ago the tip was.
func (t *try) within(key, what string, got any, args ...string) {
	text, err := json.Marshal(got)
	must(err)
	args = append(args, "--data", t.data, "-o", "json")
	cmd := exec.Command(t.spoor, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 4) { // 4: done, but partial
		panic(fmt.Sprintf("%s: %v: %s", strings.Join(args, " "), err, errs.String()))
	}
	rest, cli := plain(text), plain(out.Bytes())
	if lines, ok := cli.(map[string]any); ok && key != "" {
		cli = lines[key]
	}
	if diff := difference(what, rest, cli); diff != "" {
		panic(diff)
	}
	t.done++
}

// difference names the first place where two answers differ.
func difference(at string, rest, cli any) string {
	a, isMap := rest.(map[string]any)
	b, both := cli.(map[string]any)
	if isMap && both {
		for _, k := range slices.Sorted(maps.Keys(b)) {
			if diff := difference(at+"."+k, a[k], b[k]); diff != "" {
				return diff
			}
		}
		for _, k := range slices.Sorted(maps.Keys(a)) {
			if diff := difference(at+"."+k, a[k], b[k]); diff != "" {
				return diff
			}
		}
		return ""
	}
	c, isList := rest.([]any)
	d, both := cli.([]any)
	if isList && both && len(c) == len(d) {
		for i := range c {
			if diff := difference(fmt.Sprintf("%s[%d]", at, i), c[i], d[i]); diff != "" {
				return diff
			}
		}
		return ""
	}
	if reflect.DeepEqual(rest, cli) {
		return ""
	}
	return fmt.Sprintf("%s: the generated client has %v, the command line %v", at, rest, cli)
}

func plain(text []byte) any {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		panic(fmt.Sprintf("%v: %.300s", err, text))
	}
	v, _ = full(v)
	return v
}

// full drops what is empty: generated types write some of it, the command line all.
func full(v any) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e, ok := full(e); ok && k != "lag" {
				v[k] = e
			} else {
				delete(v, k)
			}
		}
		return v, len(v) > 0
	case []any:
		for i := range v {
			v[i], _ = full(v[i])
		}
		return v, len(v) > 0
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return at.UTC().Format(time.RFC3339Nano), !at.Equal(time.Unix(0, 0)) && at.Year() > 1
		}
		return v, v != ""
	case float64:
		return v, v != 0
	case bool:
		return v, v
	}
	return v, v != nil
}

func text(s string) *string { return &s }

func must(err error) {
	if err != nil {
		panic(err)
	}
}
