package store

import (
	"errors"
	"fmt"
	"iter"
	"os"
)

// shuffle moves encoded rows from the parts of a load that write them to the
// buckets that read them. A part hands over all its buckets at once; a bucket
// reads what every part wrote for it, in the order of the parts. What exceeds
// the budget lies in a file without a name, which ends with the process.
type shuffle struct {
	dir    string
	budget *int64 // bytes that may still be held in memory, shared
	parts  []sheaf
}

// fresh returns empty buckets with room for what a part may need: as much as the
// last one did, or size bytes in all.
func (s *shuffle) fresh(n, size int) []encoder {
	buckets := make([]encoder, n)
	var last []int64
	if len(s.parts) > 0 {
		last = s.parts[len(s.parts)-1].ends
	}
	for i := range buckets {
		room := size / n
		if len(last) == n {
			room = int(last[i])
			if i > 0 {
				room -= int(last[i-1])
			}
		}
		buckets[i].b = make([]byte, 0, room+room/8)
	}
	return buckets
}

// sheaf is one part: its buckets in memory, or where each ends in a file.
type sheaf struct {
	rows [][]byte
	file *os.File
	ends []int64
}

// add takes the next part's buckets; they are the shuffle's from then on.
func (s *shuffle) add(buckets []encoder) error {
	part := sheaf{ends: make([]int64, len(buckets))}
	var size int64
	for i, b := range buckets {
		size += int64(len(b.b))
		part.ends[i] = size
	}
	if size <= *s.budget {
		*s.budget -= size
		part.rows = make([][]byte, len(buckets))
		for i, b := range buckets {
			part.rows[i] = b.b
		}
		s.parts = append(s.parts, part)
		return nil
	}
	f, err := os.CreateTemp(s.dir, "shuffle-")
	if err != nil {
		return fmt.Errorf("store: load: %w", err)
	}
	part.file = f
	s.parts = append(s.parts, part)
	err = os.Remove(f.Name())
	for _, b := range buckets {
		if err == nil {
			_, err = f.Write(b.b)
		}
	}
	if err != nil {
		return fmt.Errorf("store: load: %w", err)
	}
	return nil
}

// read yields the rows of a bucket by part; they are valid until close.
func (s *shuffle) read(bucket int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for i := range s.parts {
			rows, err := s.parts[i].bucket(bucket)
			if !yield(rows, err) || err != nil {
				return
			}
		}
	}
}

func (p *sheaf) bucket(i int) ([]byte, error) {
	if p.file == nil {
		return p.rows[i], nil
	}
	var from int64
	if i > 0 {
		from = p.ends[i-1]
	}
	rows := make([]byte, p.ends[i]-from)
	if _, err := p.file.ReadAt(rows, from); err != nil {
		return nil, fmt.Errorf("store: load: %w", err)
	}
	return rows, nil
}

// close gives back the memory and the files.
func (s *shuffle) close() error {
	var err error
	for _, p := range s.parts {
		switch {
		case p.file != nil:
			err = errors.Join(err, p.file.Close())
		case len(p.ends) > 0:
			*s.budget += p.ends[len(p.ends)-1]
		}
	}
	s.parts = nil
	return err
}
