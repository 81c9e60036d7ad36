package server

import "sync"

// memory is shared by the traces that run. While all of them together hold too
// much, one that holds more than its even share is refused: small ones go on,
// and what a refused one held is free for the others. The first to have come goes
// on, too, for as long as it fits alone, so that somebody always comes to an end.
type memory struct {
	most int64 // bytes

	mu     sync.Mutex
	shares map[*share]int64
	joined int
}

func newMemory(most int64) *memory { return &memory{most: most, shares: map[*share]int64{}} }

// share is what one trace holds. A trace is several replays, one after the other.
type share struct {
	of         *memory
	number     int
	done, last int64 // bytes of the replays before, and of the one under way
}

// join adds a trace; leave must be called.
func (m *memory) join() *share {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.joined++
	s := &share{of: m, number: m.joined}
	m.shares[s] = 0
	return s
}

func (s *share) leave() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	delete(s.of.shares, s)
}

// grow notes what the replay under way holds, or refuses the trace.
func (s *share) grow(bytes int64) error {
	if bytes < s.last { // the next replay
		s.done += s.last
	}
	s.last = bytes
	m := s.of
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shares[s] = s.done + bytes
	var all int64
	first := true
	for other, held := range m.shares {
		all += held
		first = first && s.number <= other.number
	}
	even := m.most / int64(len(m.shares))
	if all <= m.most || m.shares[s] <= even || first && m.shares[s] <= m.most {
		return nil
	}
	const mib = 1 << 20
	return exhausted("this trace holds some %d MiB, its share of the memory for traces is %d MiB", m.shares[s]/mib, even/mib)
}
