package fetch_test

import (
	"testing"

	"github.com/spoortrace/spoor/fetch"
	"github.com/spoortrace/spoor/tracer"
)

// TestCoinsEqual: traces of random payments over an index that was fetched for
// them equal those over the whole chain.
func TestCoinsEqual(t *testing.T) {
	w := coins(t, 40_000)
	a := w.esplora(t, nil)
	p := open(t, t.TempDir(), fetch.Options{}, a.source(t, "one"))
	edges := 0
	for i, id := range draw(w.ids[:len(w.ids)/4], 100) {
		ref := tracer.Ref{Text: id.String(), Chain: w.chain, Tx: id}
		policy := []string{"dirty-first", "fifo", "haircut"}[i%3]
		req, err := request(t.Context(), untagged{w.snap}, ref, policy)
		if err != nil {
			t.Fatal(err)
		}
		want, err := tracer.Run(t.Context(), untagged{w.snap}, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, out, err := p.pursue(t.Context(), ref, policy, fetch.Budget{})
		if err != nil {
			t.Fatalf("payment %d %s: %v", i, id, err)
		}
		if len(out.Coins)+len(out.Accounts)+len(out.Disputes) > 0 {
			t.Fatalf("payment %d %s: not all could be had: %+v", i, id, out)
		}
		same(t, ref.Text+" under "+policy, got, want)
		edges += len(got.Hops)
	}
	t.Logf("100 payments, %d edges, %d requests: %d per 1,000 edges", edges, a.requests.Load(), 1000*a.requests.Load()/int64(edges))
}
