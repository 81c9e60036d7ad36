package bitcoin

import (
	"encoding/hex"

	"github.com/spoortrace/spoor/ledger"
)

// checkpoint returns the hash of a block that everybody knows. A chain with true
// links and little work could be made from genesis on; with the checkpoints it
// takes the work of the blocks after the last one.
//
// Source: chaincfg of btcd, which has more of them; the last ones of each
// difficulty level are enough.
func (n Network) checkpoint(height uint64) (ledger.Hash, bool) {
	for _, c := range checkpoints(n.Chain) {
		if c.height == height {
			var hash ledger.Hash
			_, err := hex.Decode(hash[:], []byte(c.hash))
			return hash, err == nil
		}
	}
	return ledger.Hash{}, false
}

type checkpoint struct {
	height uint64
	hash   string
}

func checkpoints(chain ledger.Chain) []checkpoint {
	switch chain {
	case "bitcoin":
		return []checkpoint{
			{11_111, "0000000069e244f73d78e8fd29ba2fd2ed618bd6fa2ee92559f542fdb26e7c1d"},
			{105_000, "00000000000291ce28027faea320c8d2b054b2e0fe44a773f3eefb151d6bdc97"},
			{210_000, "000000000000048b95347e83192f69cf0366076336c639f9b7228e9ba171342e"},
			{300_255, "0000000000000000162804527c6e9b9f0563a280525f9d08c12041def0a0f3b2"},
			{400_000, "000000000000000004ec466ce4732fe6f1ed1cddc2ed4b328fff5224276e3f6f"},
			{520_000, "0000000000000000000d26984c0229c9f6962dc74db0a6d525f2f1640396f69c"},
			{623_950, "0000000000000000000f2adce67e49b0b6bdeb9de8b7c3d7e93b21e7fc1e819d"},
			{724_466, "000000000000000000052d314a259755ca65944e68df6b12a067ea8f1f5a7091"},
			{810_000, "000000000000000000028028ca82b6aa81ce789e4eb9e0321b74c3cbaf405dd1"},
		}
	case "bitcoin-testnet":
		return []checkpoint{
			{546, "000000002a936ca763904c3c35fce2f3556c559c0214345d31b1bcebf76acb70"},
			{1_000_007, "00000000001ccb893d8a1f25b70ad173ce955e5f50124261bbbc50379a612ddf"},
			{2_344_474, "0000000000000004877fa2d36316398528de4f347df2f8a96f76613a298ce060"},
		}
	}
	return nil
}
