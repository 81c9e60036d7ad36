package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spoortrace/spoor/internal/chainlog"
)

// draft is a package in the making, ".package-BASE-REQUEST" in the folder that it
// is for. Its name keeps the request under which it was asked for: where the run
// dies, the next one asks under the same, and gets what was recorded.
type draft struct {
	file    *os.File // locked, which ends with the process
	request string   // 32 hex digits
}

const draftPrefix = ".package-"

// newDraft begins a package under a request of its own.
func newDraft(dir, base string) (*draft, error) {
	var drawn [16]byte
	if _, err := rand.Read(drawn[:]); err != nil {
		return nil, err
	}
	request := hex.EncodeToString(drawn[:])
	file, err := chainlog.Lock(filepath.Join(dir, draftPrefix+base+"-"+request))
	if err != nil {
		return nil, err
	}
	return &draft{file, request}, chainlog.SyncDir(dir)
}

// deadDrafts takes over, emptied, what runs that are no more had begun. The error
// is ledger.ErrBusy where one is alive.
func deadDrafts(dir, base string) (all []*draft, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		request, ok := strings.CutPrefix(e.Name(), draftPrefix+base+"-")
		if raw, err := hex.DecodeString(request); !ok || err != nil || len(raw) != 16 {
			continue
		}
		d, err := takeOver(filepath.Join(dir, e.Name()), request)
		if err != nil {
			return all, err
		}
		if d != nil {
			all = append(all, d)
		}
	}
	return all, nil
}

// takeOver locks a draft; none where its run ended meanwhile. Where that is still
// at it the error is ledger.ErrBusy: two packages would be one too many.
func takeOver(name, request string) (*draft, error) {
	file, err := chainlog.Lock(name)
	if err != nil {
		return nil, err
	}
	mine, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	there, err := os.Stat(name)
	if err != nil || !os.SameFile(mine, there) {
		return nil, file.Close() // it was moved into its place before we had the lock
	}
	return &draft{file, request}, file.Truncate(0)
}
