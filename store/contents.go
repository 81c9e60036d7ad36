package store

import (
	"crypto/sha256"
	"errors"

	"github.com/spoortrace/spoor/ledger"
)

// Contents is what a generation was built from besides blocks.
type Contents struct {
	// Export makes the network a set of imported files: heights are Unix
	// milliseconds, coverage is what the claims say, and it only changes by Rebuild.
	Export bool
	// Fetched says that the set is what services answered, of single transactions
	// and accounts, and not files.
	Fetched bool
	// Heights says that its heights are the chain's, and not milliseconds.
	Heights bool
	Claims  []ledger.Claim
	Files   []File             // the files of the set, each of them kept
	Assets  []ledger.AssetInfo // what the set says of its tokens: symbol and decimals
}

// File is an imported file that the network keeps.
type File struct {
	Name   string // as it was given
	SHA256 ledger.Hash
	Size   uint64
}

func (c *Contents) encode() []byte {
	var e encoder
	e.bool(c.Export)
	e.uint(uint64(len(c.Claims)))
	for _, v := range c.Claims {
		e.address(v.Account)
		e.uint(v.Range.From)
		e.uint(v.Range.To)
	}
	e.uint(uint64(len(c.Files)))
	for _, f := range c.Files {
		e.string(f.Name)
		e.raw(f.SHA256[:])
		e.uint(f.Size)
	}
	e.uint(uint64(len(c.Assets)))
	for _, a := range c.Assets {
		e.address(a.Asset.Contract)
		e.string(a.Asset.TokenID)
		e.string(a.Symbol)
		e.uint(uint64(a.Decimals))
	}
	if c.Fetched {
		c.encodeFetched(&e)
	}
	return e.b
}

// encodeFetched adds what only sets of answers have, so that the row of any other
// set is as it always was.
func (c *Contents) encodeFetched(e *encoder) {
	e.bool(c.Heights)
	for _, v := range c.Claims {
		e.bool(v.Asset.Chain != "")
		e.address(v.Asset.Contract)
		e.string(v.Asset.TokenID)
		e.raw(v.Tx[:])
	}
}

func (c *Contents) decodeFetched(chain ledger.Chain, in *decoder) {
	c.Fetched, c.Heights = true, in.bool()
	for i := range c.Claims {
		v := &c.Claims[i]
		if in.bool() {
			v.Asset.Chain = chain
		}
		v.Asset.Contract, v.Asset.TokenID, v.Tx = in.address(chain), in.string(), in.hash()
	}
}

func decodeContents(c ledger.Chain, value []byte) (*Contents, error) {
	in := decoder{b: value}
	v := &Contents{Export: in.bool()}
	v.Claims = makeOf[ledger.Claim](&in)
	for i := range v.Claims {
		v.Claims[i] = ledger.Claim{Account: in.address(c), Range: ledger.Range{From: in.uint(), To: in.uint()}}
	}
	v.Files = makeOf[File](&in)
	for i := range v.Files {
		v.Files[i] = File{in.string(), in.hash(), in.uint()}
	}
	v.Assets = makeOf[ledger.AssetInfo](&in)
	for i := range v.Assets {
		info := ledger.InfoOf(ledger.Asset{Chain: c, Contract: in.address(c), TokenID: in.string()})
		info.Symbol, info.Decimals = in.string(), int(in.uint())
		v.Assets[i] = info
	}
	if len(in.b) > 0 {
		v.decodeFetched(c, &in)
	}
	return v, in.end("contents")
}

// loadContents reads the row that the head names by its hash.
func loadContents(r rows, h *head) (*Contents, error) {
	if h.meta == (ledger.Hash{}) {
		return &Contents{}, nil
	}
	value, err := r.row(metaKey())
	if errors.Is(err, ErrAbsent) {
		return nil, corrupt("the row of claims and files is missing")
	}
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(value) != h.meta {
		return nil, corrupt("the row of claims and files is not the one that the head names")
	}
	return decodeContents(h.chain, value)
}
