package server

import (
	"sync"

	spoorv1 "github.com/spoortrace/spoor/proto/spoor/v1"
)

// answers keeps the screenings asked for of late, at most n. Those that nobody
// asked for while half of n others came in are forgotten.
type answers struct {
	half int

	mu         sync.Mutex
	young, old map[string]*spoorv1.Screening
}

func newAnswers(n int) *answers {
	return &answers{half: max(n/2, 1), young: map[string]*spoorv1.Screening{}}
}

func (c *answers) get(key string) *spoorv1.Screening {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.young[key]; m != nil {
		return m
	}
	m := c.old[key]
	if m != nil {
		c.add(key, m)
	}
	return m
}

func (c *answers) put(key string, m *spoorv1.Screening) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(key, m)
}

// add puts an answer among the young; the caller holds mu.
func (c *answers) add(key string, m *spoorv1.Screening) {
	if len(c.young) >= c.half {
		c.old, c.young = c.young, map[string]*spoorv1.Screening{}
	}
	c.young[key] = m
}
