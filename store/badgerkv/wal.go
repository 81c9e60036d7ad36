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

// span is what a log holds: the numbers of its first and last whole transaction,
// zero when there is none, and whether one of them publishes.
type span struct {
	name        string
	first, last uint64
	publishes   bool
}

// checkLogs looks for gaps between logs: Badger reads each one up to its first
// damaged entry and then goes on with the next, so that rows would be missing
// below the newest ones. Newest is the newest transaction in the tables: what a
// gap lost is no loss when a table has it, since logs are flushed in order.
//
// Everything before a publication is durable when it is written. So a gap with a
// publication behind it is damage, and refused. Without one it is what a power
// cut leaves of rows that nobody publishes, and checkLogs returns the logs
// behind it, which must go: once publications follow, they would look like damage.
func checkLogs(dir string, names []string, newest uint64) (leftover []string, err error) {
	known, some, gap := uint64(0), false, false
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		log := readLog(name, raw)
		switch {
		case log.first == 0:
			// Badger empties a flushed log before it removes it.
			known, some = max(known, newest), true
			continue
		case some && log.first > max(known, newest)+1:
			gap = true
		}
		if gap && log.publishes {
			return nil, corrupt("log %s begins with transaction %d and publishes it; what comes before ends with %d", name, log.first, max(known, newest))
		}
		if gap {
			leftover = append(leftover, name)
			continue
		}
		known, some = log.last, true
	}
	return leftover, nil
}

// readLog reads the whole transactions that a log begins with.
func readLog(name string, raw []byte) span {
	s := span{name: name}
	if len(raw) < logHeader {
		return s
	}
	publishes := false
	for rest := raw[logHeader:]; ; {
		e, size := readEntry(rest)
		if size == 0 {
			return s
		}
		rest = rest[size:]
		publishes = publishes || isEpoch(e.key)
		if e.meta&lastOfTxn == 0 {
			continue
		}
		number, err := strconv.ParseUint(string(e.value), 10, 64)
		if err != nil || s.last != 0 && number != s.last+1 {
			return s
		}
		if s.last = number; s.first == 0 {
			s.first = number
		}
		s.publishes = s.publishes || publishes
		publishes = false
	}
}

type entry struct {
	meta       byte
	key, value []byte
}

// readEntry reads the entry that a log continues with; size is zero when it is
// not whole.
func readEntry(raw []byte) (e entry, size int) {
	if len(raw) < 2 {
		return e, 0
	}
	var fields [3]uint64 // key size, value size, expiry
	at := 2
	for i := range fields {
		v, n := binary.Uvarint(raw[at:])
		if n <= 0 {
			return e, 0
		}
		fields[i], at = v, at+n
	}
	left := uint64(len(raw) - at)
	if fields[0] == 0 || fields[0] > left || fields[1] > left-fields[0] || left-fields[0]-fields[1] < 4 {
		return e, 0
	}
	value, end := at+int(fields[0]), at+int(fields[0]+fields[1])
	if castagnoli(raw[:end]) != binary.BigEndian.Uint32(raw[end:]) {
		return e, 0
	}
	return entry{raw[0], raw[at:value], raw[value:end]}, end + 4
}
