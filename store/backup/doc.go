// Package backup keeps a data directory in one file, and makes a directory of it
// again. It knows files and engines, not what is in them.
//
// The file is a line "spoor backup 1", then pieces of at most 64 MiB:
//
//	KIND SIZE SHA256 NAME\n    and SIZE bytes
//
// KIND is file or rows; NAME is a path below the data directory with slashes.
// Pieces of one name follow each other. Those of rows hold whole rows: partition,
// sort key and value, each behind its length (uvarint). The last line is
//
//	end PIECES SHA256\n        of every byte before it
//
// so that no byte of the file can change, go or come unseen.
//
// It holds what the data directory holds in the clear, secrets too: whoever
// writes one sees to its mode (0600) and to where it is kept.
package backup
