package badgerkv

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/proto"
)

// checkTables checks the tables that a MANIFEST names: their indexes always, and
// every block when all of them have no more than a number of bytes. It returns
// the newest version of any row in them, and the bytes of every level.
//
// Badger's own check of a table ends the process on some damage, in goroutines of
// its own, hence this one.
func checkTables(dir string, tables map[uint64]badger.TableManifest, verifyUpTo int64) (newest uint64, sizes []int64, err error) {
	total := int64(0)
	sizes = make([]int64, levels)
	for id, t := range tables {
		info, err := os.Stat(table.NewFilename(id, dir))
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil, corrupt("table %s is missing", table.IDToFilename(id))
		}
		if err != nil {
			return 0, nil, err
		}
		total += info.Size()
		sizes[t.Level] += info.Size()
	}
	for id, t := range tables {
		version, err := checkTable(table.NewFilename(id, dir), t.Compression, total <= verifyUpTo)
		if err != nil {
			return 0, nil, err
		}
		newest = max(newest, version)
	}
	return newest, sizes, nil
}

// checkTable checks one file: blocks, index, length of the index, checksum of the
// index, length of the checksum.
func checkTable(name string, compression options.CompressionType, blocks bool) (newest uint64, err error) {
	defer guard(&err)
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	index, start, err := readIndex(f)
	if err == nil && blocks {
		err = checkBlocks(f, index, start, compression)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = corrupt("table %s is cut", filepath.Base(name))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	return index.MaxVersion(), nil
}

// readIndex returns the checked index and where it starts.
func readIndex(f *os.File) (*fb.TableIndex, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	sum, end, err := readBefore(f, info.Size())
	if err != nil {
		return nil, 0, err
	}
	index, start, err := readBefore(f, end)
	if err != nil {
		return nil, 0, err
	}
	if len(index) == 0 || !sumMatches(index, sum) {
		return nil, 0, corrupt("table %s: checksum of its index", filepath.Base(f.Name()))
	}
	return fb.GetRootAsTableIndex(index, 0), start, nil
}

// readBefore reads a part of a file that is followed, at end, by its length in
// four bytes, and returns where the part starts.
func readBefore(f *os.File, end int64) (part []byte, start int64, err error) {
	var size [4]byte
	if end < 4 {
		return nil, 0, io.ErrUnexpectedEOF
	}
	if _, err := f.ReadAt(size[:], end-4); err != nil {
		return nil, 0, err
	}
	start = end - 4 - int64(binary.BigEndian.Uint32(size[:]))
	if start < 0 {
		return nil, 0, io.ErrUnexpectedEOF
	}
	part = make([]byte, end-4-start)
	_, err = f.ReadAt(part, start)
	return part, start, err
}

func sumMatches(data, sum []byte) bool {
	var want pb.Checksum
	return proto.Unmarshal(sum, &want) == nil && y.VerifyChecksum(data, &want) == nil
}

func checkBlocks(f *os.File, index *fb.TableIndex, end int64, compression options.CompressionType) error {
	var at fb.BlockOffset
	for i := range index.OffsetsLength() {
		if !index.Offsets(&at, i) || int64(at.Offset())+int64(at.Len()) > end {
			return corrupt("table %s: block %d lies outside", filepath.Base(f.Name()), i)
		}
		block := make([]byte, at.Len())
		if _, err := f.ReadAt(block, int64(at.Offset())); err != nil {
			return err
		}
		if !blockIsSound(block, compression) {
			return corrupt("table %s: checksum of block %d", filepath.Base(f.Name()), i)
		}
	}
	return nil
}

// blockIsSound checks a block: entries, their offsets and number, checksum of
// all that, length of the checksum.
func blockIsSound(block []byte, compression options.CompressionType) bool {
	if compression == options.Snappy {
		plain, err := snappy.Decode(nil, block)
		if err != nil {
			return false
		}
		block = plain
	}
	end := len(block) - 4
	if end < 0 {
		return false
	}
	start := end - int(binary.BigEndian.Uint32(block[end:]))
	return start >= 4 && sumMatches(block[:start], block[start:end])
}
