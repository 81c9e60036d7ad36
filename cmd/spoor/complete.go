package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/spoortrace/spoor/labels"
	"github.com/spoortrace/spoor/ledger"
	"github.com/spoortrace/spoor/tracer"
)

// complete tells the shells' completion (spoor completion bash|zsh|fish) what the
// values of flags may be. Flags of one name take the same values everywhere; what
// is not known here is completed as a file.
func (a *app) complete(cmd *cobra.Command) {
	set := func(f *pflag.Flag) {
		if values := a.valuesOf(f.Name); values != nil {
			err := cmd.RegisterFlagCompletionFunc(f.Name, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
				return values(cmd), cobra.ShellCompDirectiveNoFileComp
			})
			if err != nil {
				panic(err) // a flag of a command that it does not have: a mistake of this program
			}
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(set)
	cmd.PersistentFlags().VisitAll(set)
	if cmd.CommandPath() == "spoor index export" {
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.networks(cmd), cobra.ShellCompDirectiveNoFileComp
		}
	}
	for _, sub := range cmd.Commands() {
		a.complete(sub)
	}
}

// valuesOf lists what a flag may be; nil: anything.
func (a *app) valuesOf(flag string) func(*cobra.Command) []string {
	switch flag {
	case "output":
		return formatsOf
	case "policy", "utxo-policy", "account-policy":
		return func(*cobra.Command) []string { return policyNames() }
	case "network":
		return a.networks
	case "category":
		return func(*cobra.Command) []string { return categoryNames() }
	case "sheet":
		return func(*cobra.Command) []string { return []string{"hops", "terminals", "conservation"} }
	}
	return nil
}

func policyNames() (names []string) {
	for _, p := range tracer.Policies() {
		names = append(names, p.Name)
	}
	return names
}

func categoryNames() (names []string) {
	for _, c := range labels.Categories() {
		names = append(names, c.ID)
	}
	return names
}

// networks are those in the data directory; all that have a name where an ingest
// makes one, or there is no directory. Nothing is opened for it.
func (a *app) networks(cmd *cobra.Command) (names []string) {
	entries, err := os.ReadDir(filepath.Join(first(a.dataDir, defaultData), "networks"))
	makes := cmd.HasParent() && cmd.Parent().Name() == "ingest"
	if err == nil && len(entries) > 0 && !makes {
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	for _, c := range ledger.Networks() {
		names = append(names, string(c))
	}
	slices.Sort(names)
	return names
}
