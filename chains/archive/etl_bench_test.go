package archive_test

import (
	"context"
	"testing"

	"github.com/spoortrace/spoor/chains/archive"
)

// BenchmarkReadEtl reads two whole mainnet blocks: 298 transactions with their
// receipts, 681 logs, 291 token transfers.
func BenchmarkReadEtl(b *testing.B) {
	files := etlFiles("17173049-transactions.csv.gz", "17173049-blocks.csv.gz", "17173049-logs.csv.gz", "17173049-token_transfers.csv.gz")
	rows := 0
	for b.Loop() {
		s, err := archive.ReadEtl(context.Background(), archive.EtlOptions{Chain: "ethereum", Paths: files})
		if err != nil {
			b.Fatal(err)
		}
		for _, n := range s.Report().Rows {
			rows += n
		}
		for _, err := range s.Blocks() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
