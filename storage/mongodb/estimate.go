package mongodb

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// How many resources conditions find: counted up to a limit, and remembered.

// frequencies remembers about how many resources terms find, so that a plan need not ask each time. What it says may be old: plans only get
// slower by that.
type frequencies struct {
	mu    sync.Mutex
	known map[string]frequency
}

type frequency struct {
	n  int
	at time.Time
}

// How long a frequency is remembered, and how many are.
const (
	frequencyAge   = time.Minute
	maxFrequencies = 50_000
)

// frequency returns about how many resources have one of terms, up to limit, which is the same for a term at each time.
func (r *reader) frequency(ctx context.Context, typ string, terms []string, limit int) (int, error) {
	return r.remembered(frequencyKey(typ, terms), func() (int, error) {
		return r.countUpTo(ctx, typ, in(pathTerms, terms), indexTerms, limit)
	})
}

// frequencyKey is what the frequency of terms is remembered by.
func frequencyKey(typ string, terms []string) string {
	if len(terms) == 1 {
		return typ + "\x00" + terms[0]
	}
	h := sha256.New()
	for _, t := range terms {
		h.Write(strconv.AppendInt(nil, int64(len(t)), 10))
		h.Write([]byte("\x00" + t))
	}
	return typ + "\x00\x00" + string(h.Sum(nil))
}

// remembered returns what count returned within the last frequencyAge.
func (r *reader) remembered(key string, count func() (int, error)) (int, error) {
	if n, ok := r.recall(key); ok {
		return n, nil
	}
	n, err := count()
	if err != nil {
		return 0, err
	}
	r.remember(key, n)
	return n, nil
}

// countAccess returns about how many resources an index finds, up to limit.
func (r *reader) countAccess(ctx context.Context, typ string, one access, limit int) (int, error) {
	key, err := filterKey(typ, one.filter, limit)
	if err != nil {
		return 0, err
	}
	return r.remembered(key, func() (int, error) {
		n, err := r.countUpTo(ctx, typ, one.filter, one.index, limit)
		if err == nil && r.told != nil {
			err = r.told.probe(ctx, r, plan{typ: typ, index: one.index}, one.filter, limit, n)
		}
		return n, err
	})
}

// filterKey is what the frequency of a filter, counted up to a limit, is remembered by.
func filterKey(typ string, f bson.D, limit int) (string, error) {
	raw, err := bson.Marshal(f)
	sum := sha256.Sum256(raw)
	return fmt.Sprint(typ, "\x00", limit, "\x00") + string(sum[:]), err
}

// remembers reports whether a frequency is known.
func (r *reader) remembers(key string) bool {
	_, ok := r.recall(key)
	return ok
}

// recall returns a frequency, or what else was remembered; false where it is not known.
func (r *reader) recall(key string) (int, bool) {
	f := &r.s.frequencies
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.known[key]
	return known.n, ok && time.Since(known.at) < frequencyAge
}

// remembersTerms reports whether it is known how many resources each of the terms finds that the query asks for.
func (pl *planner) remembersTerms() bool {
	for _, c := range pl.terms {
		if !pl.r.remembers(frequencyKey(pl.typ, c.values)) {
			return false
		}
	}
	return true
}

// remember keeps a frequency.
func (r *reader) remember(key string, n int) {
	f := &r.s.frequencies
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil || len(f.known) >= maxFrequencies {
		f.known = map[string]frequency{}
	}
	f.known[key] = frequency{n, time.Now()}
}
