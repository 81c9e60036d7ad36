package replay

// The parts of a package that are recomputed; every other field of the files is passed over here.

type payment struct {
	Label    int    `json:"label"`
	Payment  string `json:"payment"`
	Victim   string `json:"victim"`
	Network  string `json:"network"`
	Tx       string `json:"tx"`
	Index    string `json:"index"`
	Place    place  `json:"place"`
	Asset    string `json:"asset"`
	Amount   amount `json:"amount"`
	Collided amount `json:"collided"`
}

type share struct {
	Label  int    `json:"label"`
	Amount amount `json:"amount"`
}

type terminal struct {
	Network  string  `json:"network"`
	Address  string  `json:"address"`
	Asset    string  `json:"asset"`
	Traced   amount  `json:"traced"`
	Shares   []share `json:"shares"`
	Reason   string  `json:"reason"`
	Bucket   string  `json:"bucket"`
	Place    place   `json:"place"`
	Coin     bool    `json:"coin"`
	Rests    bool    `json:"rests"`
	ClosedAt *place  `json:"closed_at"`
}

type sheetRow struct {
	Label        int    `json:"label"`
	Seeded       amount `json:"seeded"`
	Collided     amount `json:"collided"`
	ConvertedIn  amount `json:"converted_in"`
	Resting      amount `json:"resting"`
	Stopped      amount `json:"stopped"`
	Burnt        amount `json:"burnt"`
	Fees         amount `json:"fees"`
	ConvertedOut amount `json:"converted_out"`
	Pruned       amount `json:"pruned"`
	Pending      amount `json:"pending"`
}

type result struct {
	UTXO      string     `json:"utxo"`
	Account   string     `json:"account"`
	Terminals []terminal `json:"terminals"`
	Sheets    []struct {
		Asset     string     `json:"asset"`
		Conserves bool       `json:"conserves"`
		Rows      []sheetRow `json:"rows"`
	} `json:"sheets"`
	Hops   int    `json:"hops"`
	Digest string `json:"digest"`
}

// ledgerRow is what the arithmetic says of a row.
type ledgerRow struct {
	ID      string  `json:"id"`
	Network string  `json:"network"`
	Tx      string  `json:"tx"`
	Index   string  `json:"index"`
	Place   place   `json:"place"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	Asset   string  `json:"asset"`
	Amount  amount  `json:"amount"`
	Traced  amount  `json:"traced"`
	Shares  []share `json:"shares"`
}

type holding struct {
	ID          string  `json:"id"`
	Network     string  `json:"network"`
	Address     string  `json:"address"`
	Asset       string  `json:"asset"`
	FreezableBy string  `json:"freezable_by"`
	Traced      amount  `json:"traced"`
	Low         amount  `json:"low"`
	High        amount  `json:"high"`
	Shares      []share `json:"shares"`
	Under       []struct {
		Traced amount `json:"traced"`
	} `json:"under"`
	Victims []struct {
		Victim string `json:"victim"`
		Amount amount `json:"amount"`
	} `json:"victims"`
	Held        bool    `json:"held"`
	BalanceNow  *amount `json:"balance_now"`
	Unexplained amount  `json:"unexplained"`
	Missing     amount  `json:"missing"`
	Recoverable amount  `json:"recoverable"`
}

type award struct {
	Victim    string `json:"victim"`
	Asset     string `json:"asset"`
	Lost      amount `json:"lost"`
	Traced    amount `json:"traced"`
	Allocated amount `json:"allocated"`
}

// dossier is what section 3 to 5 of docs/package.md are about.
type dossier struct {
	payments []payment
	ledger   []ledgerRow
	record   record
	results  []result
	holdings []holding
	awards   []award
	method   struct {
		Allocation string `json:"allocation"`
	}
}

func readDossier(p *pack) (*dossier, error) {
	d := &dossier{}
	for _, f := range []struct {
		path string
		into any
	}{
		{"payments.json", &d.payments},
		{"ledger.json", &d.ledger},
		{"record.json", &d.record},
		{"results.json", &d.results},
		{"holdings.json", &d.holdings},
		{"restitution.json", &d.awards},
		{"method.json", &d.method},
	} {
		if err := readPart(p, f.path, f.into); err != nil {
			return nil, err
		}
	}
	return d, nil
}
