package main

// finding is one thing that does not hold. None stops the search for others.
type finding struct{ Check, Subject, Want, Got string }

// pack is a package as it was read: its files below data/, and the bag's own.
type pack struct {
	name      string // the top folder
	zipSHA256 string // hex
	files     map[string][]byte
	tags      map[string][]byte
}

// grades counts the ledger's rows. Failed are those whose grade is more than what their proof shows, or none.
type grades struct{ Proven, Attested, Inferred, Failed int }
