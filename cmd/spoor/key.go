package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make, list and revoke API keys, and read the log of their calls",
		Long: `Make, list and revoke API keys, and read the log of their calls.

A key belongs to a tenant, whose data is apart from that of others and whose rate it shares with the tenant's other keys. As soon as there is a
key, spoor serve lets nobody in without one. Clients send it as "authorization: Bearer KEY" or "x-api-key: KEY"; this command line reads it from
SPOOR_KEY, or from a file with --key-file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return needsCommand(cmd) },
	}
	cmd.AddCommand(a.keyNewCommand(), a.keyListCommand(), a.keyRevokeCommand(), a.keyAuditCommand())
	return cmd
}

// keyFlags are those of spoor key new.
type keyFlags struct {
	request                    spoorv1.CreateKeyRequest
	tenant                     spoorv1.Tenant
	role, expires, certificate string
}

func (a *app) keyNewCommand() *cobra.Command {
	k := &keyFlags{}
	cmd := &cobra.Command{
		Use:   "new --tenant TENANT --role ROLE --name NAME",
		Short: "Make a key and print its secret, once",
		Long: `Make a key and print its secret, which is kept nowhere, or enter a client certificate in place of a secret.

The tenant is made if there is none of that name; --rate and what follows change its settings, for all of its keys. A server that was started
before there was any key has to be started again to require them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.newKey(cmd, k) },
	}
	f := cmd.Flags()
	f.StringVar(&k.request.Tenant, "tenant", "", "whose key it is: a-z, 0-9, - and _")
	f.StringVar(&k.role, "role", "", "what it may do: reader (look-ups), investigator (traces and single labels, too), screener (screening, too) or admin (everything)")
	f.StringVar(&k.request.Name, "name", "", "`WORDS` to know it by")
	f.StringVar(&k.expires, "expires", "", "how long it is in force, such as 90d or 12h (default for good)")
	f.StringVar(&k.certificate, "certificate", "", "PEM `FILE` of the client certificate to enter")
	f.Uint32Var(&k.tenant.Rate, "rate", 0, "requests per second of the tenant (default 1000)")
	f.Uint32Var(&k.tenant.Burst, "burst", 0, "requests of the tenant at once (default twice the rate)")
	f.Uint32Var(&k.tenant.Concurrent, "concurrent", 0, "calls of the tenant at a time (default 128)")
	f.BoolVar(&k.tenant.Sandbox, "sandbox", false, "the tenant only tries things out")
	f.StringSliceVar(&k.tenant.WebhookHosts, "webhook-host", nil, "`HOST` or HOST:PORT that the tenant's alerts may be sent to; may be repeated")
	return cmd
}

func (a *app) newKey(cmd *cobra.Command, k *keyFlags) error {
	r, err := keyRole(k.role)
	if err != nil {
		return err
	}
	k.request.Role = r
	if k.expires != "" {
		d, err := days(k.expires)
		if err != nil {
			return err
		}
		k.request.Expires = timestamppb.New(time.Now().Add(d))
	}
	if k.certificate != "" {
		text, err := os.ReadFile(k.certificate)
		if err != nil {
			return &usageError{fmt.Errorf("--certificate: %w", err)}
		}
		k.request.CertificatePem = string(text)
	}
	l, err := a.connect(cmd.Context(), true)
	if err != nil {
		return err
	}
	made, err := k.make(cmd, l)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	return print(a, made, render.NewKey, render.NewKeyCSV)
}

// make settles the tenant first, so that its key is never in force without its limits.
func (k *keyFlags) make(cmd *cobra.Command, l *link) (*spoorv1.CreateKeyResponse, error) {
	if err := k.settle(cmd, l.admin); err != nil {
		return nil, err
	}
	return l.admin.CreateKey(cmd.Context(), &k.request)
}

// settle changes what the flags name of the tenant's settings, and leaves the rest.
func (k *keyFlags) settle(cmd *cobra.Command, admin spoorv1.AdminServiceClient) error {
	named := cmd.Flags().Changed
	if !named("rate") && !named("burst") && !named("concurrent") && !named("sandbox") && !named("webhook-host") {
		return nil
	}
	t := &spoorv1.Tenant{Name: k.request.GetTenant()}
	known, err := admin.ListKeys(cmd.Context(), &spoorv1.ListKeysRequest{Tenant: t.GetName()})
	if err != nil {
		return err
	}
	if len(known.GetTenants()) == 1 && t.GetName() != "" {
		t = known.GetTenants()[0]
	}
	if named("rate") {
		t.Rate = k.tenant.GetRate()
	}
	if named("burst") {
		t.Burst = k.tenant.GetBurst()
	}
	if named("concurrent") {
		t.Concurrent = k.tenant.GetConcurrent()
	}
	if named("sandbox") {
		t.Sandbox = k.tenant.GetSandbox()
	}
	if named("webhook-host") {
		t.WebhookHosts = k.tenant.GetWebhookHosts()
	}
	_, err = admin.UpdateTenant(cmd.Context(), &spoorv1.UpdateTenantRequest{Tenant: t})
	return err
}

func keyRole(name string) (spoorv1.Role, error) {
	r := spoorv1.Role(spoorv1.Role_value["ROLE_"+strings.ToUpper(name)])
	if r == spoorv1.Role_ROLE_UNSPECIFIED {
		return r, ledger.Invalid("--role", "reader, investigator, screener or admin", name)
	}
	return r, nil
}

// days reads a duration; 90d are ninety times 24 hours.
func days(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if number, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(number, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d <= 0 {
		return 0, ledger.Invalid("--expires", "a duration such as 90d or 12h", text)
	}
	return d, nil
}

func (a *app) keyListCommand() *cobra.Command {
	req := &spoorv1.ListKeysRequest{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List keys, the expired and revoked ones too, and tenants",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := withAdmin(cmd.Context(), a, func(ctx context.Context, c spoorv1.AdminServiceClient) (*spoorv1.ListKeysResponse, error) {
				return c.ListKeys(ctx, req)
			})
			if err != nil {
				return err
			}
			return print(a, list, render.Keys, render.KeysCSV)
		},
	}
	cmd.Flags().StringVar(&req.Tenant, "tenant", "", "whose keys (default all)")
	return cmd
}

func (a *app) keyRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End a key for good",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := withAdmin(cmd.Context(), a, func(ctx context.Context, c spoorv1.AdminServiceClient) (*spoorv1.Key, error) {
				return c.RevokeKey(ctx, &spoorv1.RevokeKeyRequest{Id: args[0]})
			})
			if err != nil {
				return err
			}
			return print(a, k, render.RevokedKey, render.RevokedKeyCSV)
		},
	}
}

// withAdmin makes one call and ends the connection.
func withAdmin[M any](ctx context.Context, a *app, call func(context.Context, spoorv1.AdminServiceClient) (M, error)) (M, error) {
	l, err := a.connect(ctx, true)
	if err != nil {
		var none M
		return none, err
	}
	m, err := call(ctx, l.admin)
	return m, errors.Join(err, l.close())
}
