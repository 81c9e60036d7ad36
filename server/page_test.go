package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// walk reads all pages and calls between after each but the last.
func (c *client) walk(t *testing.T, address string, size int32, between func()) (events []*spoorv1.AddressEvent, asOf []uint32) {
	t.Helper()
	m := &spoorv1.LookupAddressRequest{Address: address, PageSize: size}
	for {
		page := c.address(t, m)
		events, asOf = append(events, page.GetEvents()...), append(asOf, page.GetAsOf().GetHeight())
		if m.PageToken = page.GetNextPageToken(); m.GetPageToken() == "" {
			return events, asOf
		}
		if len(page.GetEvents()) != int(size) {
			t.Fatalf("a page of %d in the middle", len(page.GetEvents()))
		}
		between()
	}
}

// TestPages: pages of any size add up to the list, over assets too, and stay
// as of the first page while blocks arrive.
func TestPages(t *testing.T) {
	w := newWorld(t)
	c := local(t, w)
	victim := named("tron", "victim").Qualified()
	whole := eventsOf("tron", c.address(t, &spoorv1.LookupAddressRequest{Address: victim}).GetEvents())
	for size := int32(1); size < 8; size++ {
		events, _ := c.walk(t, victim, size, func() {})
		if text := eventsOf("tron", events); text != whole {
			t.Errorf("pages of %d: %s, want %s", size, text, whole)
		}
	}
	long := local(t, longWorld(t, 150))
	page := long.address(t, &spoorv1.LookupAddressRequest{Address: named("tron", "m").Qualified()})
	if len(page.GetEvents()) != 100 || page.GetNextPageToken() == "" {
		t.Errorf("the page of no size has %d events, next %q", len(page.GetEvents()), page.GetNextPageToken())
	}
	miner := named("bitcoin", "miner").Qualified()
	want := eventsOf("bitcoin", c.address(t, &spoorv1.LookupAddressRequest{Address: miner}).GetEvents())
	tip, n := coinBlocks()[5], 0
	events, heights := c.walk(t, miner, 1, func() {
		n++
		tip = block(tip, tip.Ref.Height+1, coins0+int64(60+n)*minute, spending(fmt.Sprint("new ", n), nil, coin{"miner", 50}))
		w.append(t, tip)
	})
	if text := eventsOf("bitcoin", events); text != want || n == 0 || slices.Max(heights) != 5 {
		t.Errorf("while %d blocks came: %s as of %v, want %s", n, text, heights, want)
	}
}

// TestPageTokens: one text for every token that does not fit, whatever is wrong with it.
func TestPageTokens(t *testing.T) {
	w := newWorld(t)
	c := local(t, w)
	other := local(t, w)
	victim, miner := named("tron", "victim").Qualified(), named("bitcoin", "miner").Qualified()
	token := c.address(t, &spoorv1.LookupAddressRequest{Address: victim, PageSize: 1}).GetNextPageToken()
	coins := c.address(t, &spoorv1.LookupAddressRequest{Address: miner, PageSize: 1}).GetNextPageToken()
	ask := func(c *client, address, token string) error {
		_, err := c.LookupAddress(t.Context(), &spoorv1.LookupAddressRequest{Address: address, PageToken: token})
		return err
	}
	if err := ask(c, victim, token); err != nil {
		t.Fatal(err)
	}
	text := "the next_page_token of this query's page before"
	check := func(name string, err error) {
		refusal{invalid, wrong, "page_token", text}.check(t, name, err)
	}
	for i := range token {
		altered := []byte(token)
		altered[i] ^= 1
		check(fmt.Sprint("altered at ", i), ask(c, victim, string(altered)))
		check(fmt.Sprint("cut at ", i), ask(c, victim, token[:max(i, 1)]))
	}
	check("of another address", ask(c, victim, coins))
	check("of another server", ask(other, victim, token))
	_, err := c.ListLabels(t.Context(), &spoorv1.ListLabelsRequest{Address: victim, PageToken: token})
	check("of another query", err)
	_, err = c.ListLabelSets(t.Context(), &spoorv1.ListLabelSetsRequest{PageToken: token})
	check("of another query", err)
	err = ask(c, victim, strings.Repeat("a", 1025))
	refusal{invalid, wrong, "page_token", "1024"}.check(t, "endless", err)

	five := block(coinBlocks()[4], 5, coins0+51*minute, spending("other r5", nil, coin{"miner", 50}))
	w.append(t, five, block(five, 6, coins0+60*minute, spending("other r6", nil, coin{"miner", 50})))
	check("of blocks that were replaced", ask(c, miner, coins))
	w.export(t, append([]row{{tx: "earlier", from: "victim", to: "m", amount: 5, second: -60}}, accountRows()...))
	check("of an export that was added to", ask(c, victim, token))
}
