package badgerkv

import "encoding/binary"

// A row's key is uvarint(len(partition)+1), partition, 0x01, sort: partitions of
// one length lie together, none is a prefix of another, and the key that has
// 0x02 for 0x01 sorts after every row of the partition and is never a row
// itself, so that a reverse scan can start there. A first byte of zero marks the
// engine's own rows.
const (
	ownRows   = 0x00
	separator = 0x01
	above     = 0x02
	epochRow  = 'e'
)

func rowKey(partition, sort []byte) []byte {
	k := make([]byte, 0, binary.MaxVarintLen64+len(partition)+1+len(sort))
	return append(endPartition(k, partition, separator), sort...)
}

func endPartition(k, partition []byte, end byte) []byte {
	k = binary.AppendUvarint(k, uint64(len(partition))+1)
	k = append(k, partition...)
	return append(k, end)
}

// epochKey is where the epoch of a pointer's last writer is kept.
func epochKey(pointer []byte) []byte { return append([]byte{ownRows, epochRow}, pointer...) }

// isEpoch knows a row that only publications write.
func isEpoch(key []byte) bool { return len(key) > 2 && key[0] == ownRows && key[1] == epochRow }
