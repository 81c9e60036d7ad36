package render

import (
	"io"
	"strconv"
	"strings"

	"github.com/spoortrace/spoor/ledger"
	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Status prints what the index holds.
func Status(w io.Writer, r *spoorv1.IndexStatusResponse, s Style) error {
	p := &paper{w: w}
	if len(r.GetNetworks()) == 0 {
		p.line("The index holds nothing.")
	}
	for _, n := range r.GetNetworks() {
		p.line("%s", Clean(n.GetAsOf().GetNetwork()))
		g := &grid{}
		g.add("as of", strings.TrimPrefix(s.asOf(n.GetAsOf()), Clean(n.GetAsOf().GetNetwork())+": "))
		g.add("coverage", strings.TrimPrefix(coverage(n.GetCoverage()), Clean(n.GetAsOf().GetNetwork())+": "))
		if n.FoldedHeight != nil {
			g.add("blocks", number(n.GetBlocks())+", final to height "+number(int64(n.GetFoldedHeight())))
		}
		if f := n.GetFollow(); f != nil {
			g.add("followed", followed(f))
		}
		g.add("transactions", number(n.GetTransactions()))
		g.add("in, outflows", number(n.GetEvents()))
		g.add("addresses", number(n.GetAddresses()))
		g.add("on disk", size(n.GetDiskBytes())+", format "+strconv.Itoa(int(n.GetFormat())))
		g.add("digest", Clean(n.GetDigest()))
		for _, f := range n.GetFiles() {
			g.add("file", Clean(f.GetName())+", "+size(f.GetSizeBytes())+", sha256 "+Clean(f.GetSha256()))
		}
		p.print(g)
	}
	p.line("label log: entry %d, %s in force", r.GetLabelSequence(), plural(r.GetLabels(), "label", "labels"))
	return p.err
}

// size prints a size in whole units of 1000, cut to a tenth.
func size(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB"}
	tenths, u := n*10, 0
	for tenths >= 10_000 && u < len(units)-1 {
		tenths, u = tenths/1000, u+1
	}
	if u == 0 {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	return strconv.FormatInt(tenths/10, 10) + "." + strconv.FormatInt(tenths%10, 10) + " " + units[u]
}

// followed says how far a network is followed, and what is wrong.
func followed(f *spoorv1.FollowStatus) string {
	text := "from " + Clean(f.GetNode()) + ", whose head is " + number(int64(f.GetHeadHeight())) + ", " + plural(int64(f.GetLagBlocks()), "block", "blocks") + " ahead"
	if f.GetTrouble() != "" {
		text += "; " + Clean(f.GetTrouble())
	}
	return text
}

// StatusCSV writes one row a network.
func StatusCSV(w io.Writer, r *spoorv1.IndexStatusResponse) error {
	s := &records{header: []string{"network", "height", "time", "block_hash", "coverage", "blocks", "folded_height", "transactions", "events", "addresses", "format", "disk_bytes", "digest"}}
	for _, n := range r.GetNetworks() {
		a := n.GetAsOf()
		s.add(a.GetNetwork(), heightCell(a.Height), utc(a.GetTime()), a.GetBlockHash(), n.GetCoverage().GetState(), count(n.GetBlocks()), heightCell(n.FoldedHeight),
			count(n.GetTransactions()), count(n.GetEvents()), count(n.GetAddresses()), strconv.Itoa(int(n.GetFormat())), count(n.GetDiskBytes()), n.GetDigest())
	}
	return s.write(w)
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// Verification prints whether the index agrees with itself.
func Verification(w io.Writer, r *spoorv1.VerifyIndexResult) error {
	p := &paper{w: w}
	for _, n := range r.GetNetworks() {
		verdict := "holds"
		if !n.GetOk() {
			verdict = "DOES NOT HOLD"
		}
		p.line("%s: %s, %s read, digest %s", Clean(n.GetNetwork()), verdict, plural(n.GetRows(), "transaction", "transactions"), Clean(n.GetDigest()))
		for _, problem := range n.GetProblems() {
			p.line("  %s", Clean(problem))
		}
	}
	if len(r.GetNetworks()) == 0 {
		p.line("The index holds nothing.")
	}
	return p.err
}

// VerificationCSV writes one row a network and problem.
func VerificationCSV(w io.Writer, r *spoorv1.VerifyIndexResult) error {
	s := &records{header: []string{"network", "ok", "transactions", "digest", "problem"}}
	for _, n := range r.GetNetworks() {
		for _, problem := range append(n.GetProblems(), "")[:max(1, len(n.GetProblems()))] {
			s.add(n.GetNetwork(), strconv.FormatBool(n.GetOk()), count(n.GetRows()), n.GetDigest(), problem)
		}
	}
	return s.write(w)
}

// Ingest prints what came in.
func Ingest(w io.Writer, r *spoorv1.IngestResult, s Style) error {
	p := &paper{w: w}
	things, moves := "file", "transfer"
	node := r.GetAsOf().GetHeight() > 0 && r.GetTransfers() == 0 // exports have no height
	if ledger.Chain(r.GetNetwork()).Family() != ledger.FamilyTRON || node {
		things = "block"
	}
	if ledger.Chain(r.GetNetwork()).UTXO() {
		moves = "output"
	}
	took := plural(r.GetBlocks(), things, things+"s") + ", " + plural(r.GetTransactions(), "transaction", "transactions")
	if r.GetTransfers() > 0 || r.GetTransactions() == 0 { // a node's are not counted
		took += ", " + plural(r.GetTransfers(), moves, moves+"s")
	}
	p.line("%s: took in %s; %s there already", Clean(r.GetNetwork()), took, plural(r.GetDuplicates(), things+" was", things+"s were"))
	if r.GetLabels() > 0 {
		p.line("  labels    %s that the export carried", number(r.GetLabels()))
	}
	p.line("  as of     %s", s.asOf(r.GetAsOf()))
	p.line("  coverage  %s", coverage(r.GetCoverage()))
	p.line("  digest    %s", Clean(r.GetDigest()))
	for _, warning := range r.GetWarnings() {
		p.line("  left out  %s", Clean(warning))
	}
	return p.err
}

// IngestCSV writes one row.
func IngestCSV(w io.Writer, r *spoorv1.IngestResult) error {
	s := &records{header: []string{"network", "blocks", "transactions", "transfers", "duplicates", "labels", "digest", "warnings"}}
	s.add(r.GetNetwork(), count(r.GetBlocks()), count(r.GetTransactions()), count(r.GetTransfers()), count(r.GetDuplicates()), count(r.GetLabels()), r.GetDigest(), strings.Join(r.GetWarnings(), "; "))
	return s.write(w)
}
