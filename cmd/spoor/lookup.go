package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) txCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "tx REF",
		Short: "Show what the index holds of a transaction",
		Long:  "Show what the index holds of a transaction, with labels.\n\n" + refHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			t, err := l.traces.LookupTransaction(cmd.Context(), &spoorv1.LookupTransactionRequest{Ref: args[0]})
			if err = errors.Join(err, l.close()); err != nil {
				return err
			}
			return print(a, t, render.Transaction, render.TransactionCSV)
		},
	}
}

func (a *app) addressCommand() *cobra.Command {
	var events int
	cmd := &cobra.Command{
		Use:   "address NETWORK:ADDRESS",
		Short: "Show what the index and the label log hold of an address",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if events < 0 {
				return ledger.Invalid("--events", "0 or more", fmt.Sprint(events))
			}
			l, err := a.connect(cmd.Context(), false)
			if err != nil {
				return err
			}
			info, more, err := addressBy(cmd.Context(), l, args[0], events)
			if err = errors.Join(err, l.close()); err != nil {
				return err
			}
			if err := print(a, info, render.Address, render.AddressCSV); err != nil {
				return err
			}
			if more {
				fmt.Fprintf(a.errOut, "spoor: address: printed the latest %d transfers, more are held\nhint: --events 0 prints all\n", events)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&events, "events", 100, "how many transfers to print, the latest first; 0: all")
	return cmd
}

// pageSize is the most that a page may hold.
const pageSize = 1000

// addressBy reads pages until it has as many events as are wanted; 0 wants all.
func addressBy(ctx context.Context, l *link, address string, events int) (info *spoorv1.AddressInfo, more bool, err error) {
	token := ""
	for {
		size := pageSize
		if events > 0 {
			size = min(size, events-len(info.GetEvents()))
		}
		page, err := l.traces.LookupAddress(ctx, &spoorv1.LookupAddressRequest{Address: address, PageSize: int32(size), PageToken: token})
		if err != nil {
			return nil, false, err
		}
		token = page.GetNextPageToken()
		page.NextPageToken = "" // it is of use to this connection alone
		if info == nil {
			info = page
		} else {
			info.Events = append(info.Events, page.GetEvents()...)
		}
		if token == "" || events > 0 && len(info.GetEvents()) >= events {
			return info, token != "", nil
		}
	}
}

// qualified splits NETWORK:ADDRESS.
func qualified(field, s string) (network, address string, err error) {
	network, address, ok := strings.Cut(s, ":")
	if !ok || address == "" {
		return "", "", ledger.Invalid(field, "NETWORK:ADDRESS", s)
	}
	return network, address, nil
}
