package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spoortrace/spoor/ledger"
)

// Grade is how far a proof goes, with the reason in one sentence.
type Grade struct {
	Grade ledger.Grade
	Why   string
}

func proven(why string) Grade { return Grade{ledger.GradeProven, why} }

func attested(why string) Grade { return Grade{ledger.GradeAttested, why} }

// Encode writes a proof in its one form.
func Encode[P Bitcoin | Ethereum | Tron](p P) ([]byte, error) { return json.Marshal(p) }

// Decode reads what Encode wrote, and refuses every other spelling of it: unknown fields, other spaces, escapes or order.
func Decode[P Bitcoin | Ethereum | Tron](b []byte) (P, error) {
	var p P
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, ledger.Invalid("proof", "a proof as JSON", err.Error())
	}
	if _, err := d.Token(); err != io.EOF {
		return p, ledger.Invalid("proof", "one proof and nothing after it", fmt.Sprintf("%d bytes", len(b)))
	}
	if again, err := json.Marshal(p); err != nil || !bytes.Equal(again, b) {
		return p, ledger.Invalid("proof", "a proof in its one form, as it was written", fmt.Sprintf("%d bytes that read as a form of %d", len(b), len(again)))
	}
	return p, nil
}

// unhex reads lower-case hex.
func unhex(field, s string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil || hex.EncodeToString(b) != s {
		return nil, ledger.Invalid(field, "lower-case hex", s)
	}
	return b, nil
}

// unhash reads 32 bytes of hex.
func unhash(field, s string) ([32]byte, error) {
	b, err := unhex(field, s)
	if err != nil {
		return [32]byte{}, err
	}
	if len(b) != 32 {
		return [32]byte{}, ledger.Invalid(field, "32 bytes", s)
	}
	return [32]byte(b), nil
}

func unhexAll(field string, all []string) ([][]byte, error) {
	list := make([][]byte, len(all))
	for i, s := range all {
		b, err := unhex(fmt.Sprintf("%s %d", field, i), s)
		if err != nil {
			return nil, err
		}
		list[i] = b
	}
	return list, nil
}

func hexAll(list [][]byte) []string {
	var all []string
	for _, b := range list {
		all = append(all, hex.EncodeToString(b))
	}
	return all
}

// same refuses a stated hash that is not the computed one.
func same(field, stated string, computed [32]byte) error {
	if want := hex.EncodeToString(computed[:]); stated != want {
		return ledger.Invalid(field, want, stated)
	}
	return nil
}
