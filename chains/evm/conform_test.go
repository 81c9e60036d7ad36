package evm

import (
	"testing"

	"github.com/spoortrace/spoor/internal/gethtest"
	"github.com/spoortrace/spoor/store/memkv"
	"github.com/spoortrace/spoor/store/sourcetest"
)

// TestConform holds a node to what store.Source promises.
func TestConform(t *testing.T) {
	n := start(t, gethtest.Options{})
	contracts := play(t, n, func(uint64) {})
	sourcetest.Conform(t, must[*Node](t)(dial(t, n.URL, NodeOptions{Contracts: contracts})), memkv.New(), sourcetest.Span{})
}
