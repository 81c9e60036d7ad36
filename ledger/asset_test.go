package ledger

import "testing"

func TestKnownStablecoins(t *testing.T) {
	for _, c := range []struct {
		chain            Chain
		contract, symbol string
	}{
		{"tron", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "USDT"},
		{"ethereum", "0xdAC17F958D2ee523a2206206994597C13D831ec7", "USDT"},
		{"ethereum", "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USDC"},
	} {
		contract, err := ParseAddress(c.chain, c.contract)
		if err != nil {
			t.Fatal(err)
		}
		info := InfoOf(TokenAsset(contract))
		if !info.Known || info.Symbol != c.symbol || info.Decimals != 6 || info.Dust != NewAmount(1_000_000) {
			t.Errorf("InfoOf(%s) = %+v, want %s with 6 decimals and a dust of 1", c.contract, info, c.symbol)
		}
		if asset, ok := AssetBySymbol(c.chain, c.symbol); !ok || asset != info.Asset {
			t.Errorf("AssetBySymbol(%s, %s) = %s, %t", c.chain, c.symbol, asset, ok)
		}
	}
	fake, err := ParseAddress("tron", "TFczxzPhnThNSqr5by8tvxsdCFRRz6cPNq")
	if err != nil {
		t.Fatal(err)
	}
	if info := InfoOf(TokenAsset(fake)); info.Known || info.Symbol != "" {
		t.Errorf("a fake token is known as %+v", info)
	}
}
