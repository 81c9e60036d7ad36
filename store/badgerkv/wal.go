package badgerkv

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
)

// The layout of a log (.mem): a header, then entries
//
//	meta (1 byte), user meta (1), key size, value size, expiry (uvarints), key, value, CRC-32C
//
// the last entry of a transaction is marked and has its number as the value.
// Transactions are numbered one by one, through all logs.
const (
	logHeader = 20
	lastOfTxn = 1 << 7
)

// checkLogs refuses logs with a gap between them: Badger reads each one up to its
// first damaged entry and then goes on with the next, so that rows would be
// missing below the newest ones. Newest is the newest transaction in the tables.
func checkLogs(dir string, names []string, newest uint64) error {
	last, emptied := uint64(0), false
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		from, to := transactions(raw)
		switch {
		case from == 0:
			// Badger empties a flushed log before it removes it.
			emptied = emptied || last == 0
			continue
		case last != 0 && from != last+1:
			return corrupt("log %s begins with transaction %d, the one before ends with %d", name, from, last)
		case last == 0 && emptied && from > newest+1:
			return corrupt("log %s begins with transaction %d, the tables end with %d", name, from, newest)
		}
		last = to
	}
	return nil
}

// transactions returns the first and last number of the whole transactions that
// a log begins with, zero when there is none.
func transactions(raw []byte) (first, last uint64) {
	if len(raw) < logHeader {
		return 0, 0
	}
	rest := raw[logHeader:]
	for {
		meta, value, size := entry(rest)
		if size == 0 {
			return first, last
		}
		rest = rest[size:]
		if meta&lastOfTxn == 0 {
			continue
		}
		number, err := strconv.ParseUint(string(value), 10, 64)
		if err != nil || last != 0 && number != last+1 {
			return first, last
		}
		if last = number; first == 0 {
			first = number
		}
	}
}

// entry reads the entry that a log continues with; size is zero when it is not whole.
func entry(raw []byte) (meta byte, value []byte, size int) {
	if len(raw) < 2 {
		return 0, nil, 0
	}
	var fields [3]uint64 // key size, value size, expiry
	at := 2
	for i := range fields {
		v, n := binary.Uvarint(raw[at:])
		if n <= 0 {
			return 0, nil, 0
		}
		fields[i], at = v, at+n
	}
	left := uint64(len(raw) - at)
	if fields[0] == 0 || fields[0] > left || fields[1] > left-fields[0] || left-fields[0]-fields[1] < 4 {
		return 0, nil, 0
	}
	end := at + int(fields[0]+fields[1])
	if castagnoli(raw[:end]) != binary.BigEndian.Uint32(raw[end:]) {
		return 0, nil, 0
	}
	return raw[0], raw[at+int(fields[0]) : end], end + 4
}
