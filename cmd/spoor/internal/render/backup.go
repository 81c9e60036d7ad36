package render

import (
	"io"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// Backup prints what a backup holds, or what was made of one.
func Backup(w io.Writer, r *spoorv1.BackupIndexResult, _ Style) error {
	p := &paper{w: w}
	p.line("%s: a backup of %s", Clean(r.GetPath()), plural(r.GetSizeBytes(), "byte", "bytes"))
	if r.GetSha256() != "" {
		p.line("SHA-256 %s", r.GetSha256())
		if r.GetIndexOnly() {
			p.line("It holds networks, labels (private ones, too) and what services answered; no case and no key.")
		} else {
			p.line("It holds every secret of the data directory: keep it as you keep that.")
		}
	}
	for _, n := range r.GetNetworks() {
		p.line("  %s: up to %s, block %s, digest %s", Clean(n.GetNetwork()), count(n.GetHeight()), Clean(n.GetBlock()), Clean(n.GetDigest()))
	}
	return p.err
}

// BackupCSV writes one row a network.
func BackupCSV(w io.Writer, r *spoorv1.BackupIndexResult) error {
	s := &records{header: []string{"path", "size_bytes", "sha256", "network", "height", "block", "digest"}}
	for _, n := range r.GetNetworks() {
		s.add(r.GetPath(), count(r.GetSizeBytes()), r.GetSha256(), n.GetNetwork(), count(n.GetHeight()), n.GetBlock(), n.GetDigest())
	}
	return s.write(w)
}
