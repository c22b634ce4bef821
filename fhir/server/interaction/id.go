package interaction

import (
	crand "crypto/rand"
	"math/rand/v2"
	"sync"
	"time"
)

// idAlphabet is base 32 in the order of its bytes, without the letters that are mistaken for digits, so that ids sort as their numbers do.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// ids makes logical ids for resources whose id the server chooses: 20 characters, of which the first ten are the milliseconds since 1970
// and the last ten are random. Ids of one process only grow, so that inserts into an engine's indexes are side by side; the steps between
// two ids of one millisecond are random, so that knowing one id does not give the next.
type ids struct {
	mu     sync.Mutex
	random *rand.ChaCha8
	milli  uint64
	low    uint64 // 50 bits
}

func newIDs() *ids {
	var seed [32]byte
	crand.Read(seed[:]) // it does not fail: the program ends where the system has no randomness
	return &ids{random: rand.NewChaCha8(seed)}
}

// next returns an id that is greater than all before it.
func (g *ids) next() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := uint64(time.Now().UnixMilli()); now > g.milli {
		g.milli, g.low = now, g.random.Uint64()&(1<<49-1)
	} else if g.low += 1 + g.random.Uint64()&(1<<30-1); g.low >= 1<<50 {
		g.milli, g.low = g.milli+1, g.random.Uint64()&(1<<49-1)
	}
	var b [20]byte
	high, low := g.milli, g.low
	for i := 9; i >= 0; i-- {
		b[i], b[i+10] = idAlphabet[high&31], idAlphabet[low&31]
		high, low = high>>5, low>>5
	}
	return string(b[:])
}
