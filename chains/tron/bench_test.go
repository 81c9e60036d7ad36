package tron

import "testing"

// BenchmarkBlock reads, proves and builds the real block, over loopback.
func BenchmarkBlock(b *testing.B) {
	n := dial(b, newServer(b, 0))
	for b.Loop() {
		if _, err := n.Block(b.Context(), realHeight); err != nil {
			b.Fatal(err)
		}
	}
}
