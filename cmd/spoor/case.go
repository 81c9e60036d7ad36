package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/spoortrace/spoor/cmd/spoor/internal/render"
	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

func (a *app) caseCommand() *cobra.Command {
	cmd := group("case", "Keep criminal cases, and make their evidence packages",
		a.caseNewCommand(), a.caseAddCommand(), a.caseShowCommand(), a.caseListCommand(), a.caseHoldingsCommand(), a.casePackageCommand(),
		a.caseNoteCommand(), a.caseExhibitCommand(), a.caseMemberCommand(), a.casePolicyCommand(), a.caseAllocationCommand(), a.caseLabelCommand(),
		a.caseReturnCommand(), a.caseRequestsCommand(), a.caseRequestCommand(), a.caseAnswerCommand(), a.caseVictimsCommand(), a.caseVictimCommand(), a.caseWithdrawCommand(), a.caseSeizureCommand(), a.caseCustodyCommand(), a.caseExportCommand(), a.caseImportCommand(), a.caseReceiptCommand(), a.caseEraseCommand())
	cmd.Long = `Keep criminal cases, and make their evidence packages.

A case is its custody log: whatever is done to it, every reading too, is an entry that cannot be changed later. Names of victims, notes and exhibits are
encrypted under the key of the case. CASE is its id or its number.`
	return cmd
}

// caseName is what a service calls the case that a user names.
func caseName(text string) string { return "cases/" + strings.TrimPrefix(text, "cases/") }

// onCase connects, changes a case and prints it.
func (a *app) onCase(cmd *cobra.Command, do func(l *link) (*spoorv1.Case, error)) error {
	return asked(a, cmd, do, render.Case, render.CaseCSV)
}

func (a *app) caseNewCommand() *cobra.Command {
	m := &spoorv1.CreateCaseRequest{UtxoPolicy: &spoorv1.CasePolicy{}, AccountPolicy: &spoorv1.CasePolicy{}}
	cmd := &cobra.Command{
		Use: "new --number N --title T --authority A --policy-reason R", Short: "Open a case", Args: cobra.NoArgs,
		Example: `  spoor case new --number 12/2026 --title "Pig butchering, spring" --authority "Public Prosecutor, Zurich" --policy-reason "order of 3 May 2026"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m.AccountPolicy.Reason = m.GetUtxoPolicy().GetReason()
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) { return l.cases.CreateCase(cmd.Context(), m) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&m.Number, "number", "", "the case as the authority counts it")
	f.StringVar(&m.Title, "title", "", "what it is called; it is not encrypted: name no victim")
	f.StringVar(&m.Authority, "authority", "", "whose case it is")
	policyFlags(cmd, m.GetUtxoPolicy(), m.GetAccountPolicy())
	f.StringVar(&m.Allocation, "allocation", "traced", "how restitution is shared among victims: traced or pro-rata")
	return cmd
}

func policyFlags(cmd *cobra.Command, utxo, account *spoorv1.CasePolicy) {
	f := cmd.Flags()
	f.StringVar(&utxo.Policy, "utxo-policy", "fifo", "accounting rule on UTXO networks")
	f.StringVar(&account.Policy, "account-policy", "libr", "accounting rule in accounts")
	f.StringVar(&utxo.Reason, "policy-reason", "", "why these are the rules of the case, in law")
}

func (a *app) caseShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show CASE", Short: "Show a case", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) {
				return l.cases.GetCase(cmd.Context(), &spoorv1.GetCaseRequest{Name: caseName(args[0])})
			})
		},
	}
}

func (a *app) caseListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List your cases", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return asked(a, cmd, func(l *link) (*spoorv1.ListCasesResponse, error) { return allCases(cmd.Context(), l) }, render.Cases, render.CasesCSV)
		},
	}
}

func allCases(ctx context.Context, l *link) (*spoorv1.ListCasesResponse, error) {
	all := &spoorv1.ListCasesResponse{}
	return all, pages(func(token string) (string, error) {
		page, err := l.cases.ListCases(ctx, &spoorv1.ListCasesRequest{PageToken: token, PageSize: pageSize})
		all.Cases = append(all.Cases, page.GetCases()...)
		return page.GetNextPageToken(), err
	})
}

func (a *app) caseHoldingsCommand() *cobra.Command {
	m := &spoorv1.GetHoldingsRequest{}
	f := &spoorv1.FollowHoldingsRequest{}
	var follow bool
	cmd := &cobra.Command{
		Use: "holdings CASE", Short: "Show where the money of a case is now, and who can stop it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Name, f.Name = caseName(args[0]), caseName(args[0])
			switch {
			case follow && (m.GetAsOf() != "" || a.output == "csv"):
				return &usageError{errors.New("--follow: want no --as-of beside it, and -o table or json")}
			case !follow && f.GetBoards() != 0:
				return &usageError{errors.New("--boards: want --follow beside it")}
			case follow:
				return a.followHoldings(cmd.Context(), f)
			}
			return asked(a, cmd, func(l *link) (*spoorv1.Holdings, error) { return l.cases.GetHoldings(cmd.Context(), m) }, render.Holdings, render.HoldingsCSV)
		},
	}
	cmd.Flags().StringVar(&m.AsOf, "as-of", "", "data cut-off: a height, a time, or NETWORK=HEIGHT,NETWORK=HEIGHT (default: the tip)")
	cmd.Flags().BoolVar(&follow, "follow", false, "print the board again whenever blocks change it, until SIGINT")
	cmd.Flags().Int32Var(&f.Boards, "boards", 0, "with --follow: end after so many boards (default: never)")
	return cmd
}

// followHoldings prints every board as it comes; with -o json, one a line.
func (a *app) followHoldings(ctx context.Context, m *spoorv1.FollowHoldingsRequest) error {
	l, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	stream, err := l.cases.FollowHoldings(ctx, m)
	for err == nil {
		var board *spoorv1.Holdings
		if board, err = stream.Recv(); err == nil {
			err = print(a, board, render.Holdings, render.HoldingsCSV)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, l.close())
}

func (a *app) caseNoteCommand() *cobra.Command {
	add := &cobra.Command{
		Use: "add CASE TEXT", Short: "Add a note", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) {
				return l.cases.AddNote(cmd.Context(), &spoorv1.AddNoteRequest{Name: caseName(args[0]), Text: args[1]})
			})
		},
	}
	list := &cobra.Command{
		Use: "list CASE", Short: "Read the notes", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asked(a, cmd, func(l *link) (*spoorv1.ListNotesResponse, error) {
				return l.cases.ListNotes(cmd.Context(), &spoorv1.ListNotesRequest{Name: caseName(args[0])})
			}, render.Notes, render.NotesCSV)
		},
	}
	return group("note", "Add and read notes", add, list)
}

func (a *app) caseExhibitCommand() *cobra.Command {
	m := &spoorv1.AddExhibitRequest{}
	add := &cobra.Command{
		Use: "add CASE FILE", Short: "Keep a file", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			m.Name, m.FileName = caseName(args[0]), filepath.Base(args[1])
			if m.Content, err = os.ReadFile(args[1]); err != nil {
				return &usageError{err}
			}
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) { return l.cases.AddExhibit(cmd.Context(), m) })
		},
	}
	add.Flags().StringVar(&m.Description, "description", "", "what it is; encrypted")
	var out string
	get := &cobra.Command{
		Use: "get CASE SHA256 --out FILE", Short: "Read a file back", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return &usageError{errors.New("--out: want a file to write to")}
			}
			return a.writeExhibit(cmd.Context(), &spoorv1.GetExhibitRequest{Name: caseName(args[0]), Sha256: args[1]}, out)
		},
	}
	get.Flags().StringVar(&out, "out", "", "`FILE` to write; it must not exist")
	return group("exhibit", "Keep files of a case, and read them back", add, get)
}

func (a *app) writeExhibit(ctx context.Context, m *spoorv1.GetExhibitRequest, out string) error {
	l, err := a.connect(ctx, false)
	if err != nil {
		return err
	}
	x, err := l.cases.GetExhibit(ctx, m)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return &usageError{err}
	}
	_, err = f.Write(x.GetContent())
	return errors.Join(err, f.Close())
}

func (a *app) caseMemberCommand() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use: "member CASE NAME --role R", Short: "Give a colleague a role in a case, or take it", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, ok := spoorv1.CaseRole_value["CASE_ROLE_"+strings.ToUpper(role)]
			if !ok && role != "none" {
				return ledger.Invalid("--role", "owner, investigator, viewer or none", role)
			}
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) {
				return l.cases.SetMember(cmd.Context(), &spoorv1.SetMemberRequest{Name: caseName(args[0]), Member: args[1], Role: spoorv1.CaseRole(n)})
			})
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "owner, investigator, viewer or none")
	return cmd
}

func (a *app) casePolicyCommand() *cobra.Command {
	m := &spoorv1.SetPolicyRequest{UtxoPolicy: &spoorv1.CasePolicy{}, AccountPolicy: &spoorv1.CasePolicy{}}
	cmd := &cobra.Command{
		Use: "policy CASE --utxo-policy P --account-policy P --policy-reason R", Short: "Fix other accounting rules; results so far keep theirs", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Name, m.AccountPolicy.Reason = caseName(args[0]), m.GetUtxoPolicy().GetReason()
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) { return l.cases.SetPolicy(cmd.Context(), m) })
		},
	}
	policyFlags(cmd, m.GetUtxoPolicy(), m.GetAccountPolicy())
	return cmd
}

func (a *app) caseAllocationCommand() *cobra.Command {
	m := &spoorv1.SetAllocationRequest{}
	cmd := &cobra.Command{
		Use: "allocation CASE traced|pro-rata --reason R", Short: "Fix how restitution is shared among victims", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Name, m.Allocation = caseName(args[0]), args[1]
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) { return l.cases.SetAllocation(cmd.Context(), m) })
		},
	}
	cmd.Flags().StringVar(&m.Reason, "reason", "", "why, in law")
	return cmd
}

func (a *app) caseLabelCommand() *cobra.Command {
	label := &spoorv1.CaseLabel{}
	cmd := &cobra.Command{
		Use: "label CASE NETWORK:ADDRESS LABEL --source S", Short: "Label an address for one case alone", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			label.Address, label.Label = args[1], args[2]
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) {
				return l.cases.AddCaseLabel(cmd.Context(), &spoorv1.AddCaseLabelRequest{Name: caseName(args[0]), Label: label})
			})
		},
	}
	cmd.Flags().StringVar(&label.Category, "category", "", "what kind of owner, such as exchange")
	cmd.Flags().StringVar(&label.Source, "source", "", "how it is known")
	return cmd
}

func (a *app) caseVictimsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "victims CASE", Short: "Read the names of the victims", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asked(a, cmd, func(l *link) (*spoorv1.ListVictimsResponse, error) {
				return l.cases.ListVictims(cmd.Context(), &spoorv1.ListVictimsRequest{Name: caseName(args[0])})
			}, render.Victims, render.VictimsCSV)
		},
	}
}

func (a *app) caseWithdrawCommand() *cobra.Command {
	m := &spoorv1.WithdrawPaymentRequest{}
	cmd := &cobra.Command{
		Use: "withdraw CASE PAYMENT --reason R", Short: "Take a payment out; it stays in the log", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Name, m.Payment = caseName(args[0]), args[1]
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) { return l.cases.WithdrawPayment(cmd.Context(), m) })
		},
	}
	cmd.Flags().StringVar(&m.Reason, "reason", "", "why")
	return cmd
}

func (a *app) caseSeizureCommand() *cobra.Command {
	z := &spoorv1.Seizure{}
	var at string
	cmd := &cobra.Command{
		Use: "seizure CASE NETWORK:ADDRESS --asset A --amount BASE --authority A --at TIME", Short: "Record that money was taken", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := flagTime("--at", at)
			if err != nil {
				return err
			}
			z.Address, z.ExecuteTime, z.Amount = args[1], t, strings.TrimSuffix(z.GetAmount(), "u")
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) {
				return l.cases.RecordSeizure(cmd.Context(), &spoorv1.RecordSeizureRequest{Name: caseName(args[0]), Seizure: z})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&z.Asset, "asset", "", "NETWORK:native or NETWORK:CONTRACT")
	f.StringVar(&z.Amount, "amount", "", "base units (a u behind them is fine)")
	f.StringVar(&z.Tx, "tx", "", "transaction that took it")
	f.StringVar(&z.Authority, "authority", "", "who ordered it")
	f.StringVar(&at, "at", "", "when it was executed")
	return cmd
}

func (a *app) caseCustodyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "custody CASE", Short: "Read the custody log, with the checkpoint to keep elsewhere", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asked(a, cmd, func(l *link) (*spoorv1.ListCustodyResponse, error) {
				return custody(cmd.Context(), l, caseName(args[0]))
			}, render.Custody, render.CustodyCSV)
		},
	}
}

// custody reads the whole log as it was when it began: each reading adds an entry.
func custody(ctx context.Context, l *link, name string) (*spoorv1.ListCustodyResponse, error) {
	all, err := l.cases.ListCustody(ctx, &spoorv1.ListCustodyRequest{Name: name})
	if err != nil {
		return nil, err
	}
	for next := uint64(len(all.GetEntries())) + 1; next <= all.GetSize(); next = uint64(len(all.GetEntries())) + 1 {
		more, err := l.cases.ListCustody(ctx, &spoorv1.ListCustodyRequest{Name: name, From: next})
		if err != nil {
			return nil, err
		}
		for _, e := range more.GetEntries() {
			if e.GetNumber() <= all.GetSize() {
				all.Entries = append(all.Entries, e)
			}
		}
	}
	return all, nil
}

func (a *app) caseEraseCommand() *cobra.Command {
	m := &spoorv1.EraseCaseRequest{}
	var sure bool
	cmd := &cobra.Command{
		Use: "erase CASE --reason R --yes", Short: "Destroy the key of a case: personal data cannot be read again by anybody", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !sure {
				return &usageError{fmt.Errorf("nothing brings the personal data of %s back; say --yes", args[0])}
			}
			m.Name = caseName(args[0])
			return a.onCase(cmd, func(l *link) (*spoorv1.Case, error) { return l.cases.EraseCase(cmd.Context(), m) })
		},
	}
	cmd.Flags().StringVar(&m.Reason, "reason", "", "why")
	cmd.Flags().BoolVar(&sure, "yes", false, "it is meant")
	return cmd
}
