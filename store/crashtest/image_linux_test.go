//go:build linux

package crashtest

import (
	"bytes"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const page = 4096

// image is the content of a sparse file: pages that are not all zero.
type image struct {
	size  int64
	pages map[int64][]byte
}

// readImage reads a file without its holes.
func readImage(name string) (*image, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	im := &image{size: info.Size(), pages: map[int64][]byte{}}
	for at := int64(0); ; {
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return im, nil
		}
		if err != nil {
			return nil, err
		}
		if at, err = unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE); err != nil {
			return nil, err
		}
		for p := data / page * page; p < at; p += page {
			b := make([]byte, page)
			n, err := f.ReadAt(b, p)
			if n == 0 && err != nil {
				return im, nil // cut while it was read
			}
			if bytes.Count(b[:n], []byte{0}) < n {
				im.pages[p] = b
			}
		}
	}
}

func (im *image) write(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	for p, b := range im.pages {
		if p < im.size {
			_, werr := f.WriteAt(b[:min(page, im.size-p)], p)
			err = errors.Join(err, werr)
		}
	}
	return errors.Join(err, f.Truncate(im.size), f.Close())
}
