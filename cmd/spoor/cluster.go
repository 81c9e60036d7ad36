package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) clusterCommand() *cobra.Command {
	q := &spoorv1.GetClusterRequest{}
	members := 20
	cmd := &cobra.Command{
		Use:   "cluster NETWORK:ADDRESS",
		Short: "Show who shares an owner with an address, and why",
		Long: `Show who shares an owner with an address, and why.

On Bitcoin T0 joins the inputs of one transaction, unless it may be a CoinJoin; T1 adds change outputs, by three rules that agree. On
account networks T0 joins accounts that the same keys sign for, and contracts with their makers; T2 adds what owners do: deposit
addresses, funders, energy, collectors of scams. A tier is never mixed with another silently: the answer names the one that it rests
on, with its measured error rate.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if members < 0 {
				return ledger.Invalid("--members", "0 or more", "less")
			}
			q.Address = args[0]
			l, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			c, err := l.traces.GetCluster(cmd.Context(), q)
			list := &spoorv1.ListClusterMembersResponse{}
			if err == nil && members > 0 {
				list, err = l.traces.ListClusterMembers(cmd.Context(), &spoorv1.ListClusterMembersRequest{
					Address: q.GetAddress(), Tier: q.GetTier(), AsOf: q.GetAsOf(), PageSize: int32(min(members, pageSize)),
				})
			}
			if err = errors.Join(err, l.close()); err != nil {
				return err
			}
			return render.Cluster(a.out, a.output, c, list.GetAddresses(), a.style)
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.AsOf, "as-of", "", "`HEIGHT|TIME` of the data cut-off (default the tip)")
	f.StringVar(&q.Tier, "tier", "", "T0, T1 or T2 (default T0)")
	f.StringVar(&q.Why, "why", "", "`ADDRESS` whose way into the cluster is to be shown")
	f.IntVar(&members, "members", members, "how many addresses to print, at most 1,000; 0: none")
	return cmd
}
