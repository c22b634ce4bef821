package interaction

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/storage"
)

// Gateways that share a store take turns at indexing: one indexes, the others wait and show how far it is. Where it ends without a word, the
// next begins when its turn is over. Nothing depends on that there is only one: indexing twice costs twice.

const (
	// turnName names, in the store's Meta, whose turn it is.
	turnName = "reindex-turn"
	// turnLasts is how long a turn lasts that is not kept.
	turnLasts = 15 * time.Second
)

// errNotOurTurn says that another gateway indexes.
var errNotOurTurn = errors.New("interaction: another gateway indexes")

// turn is whose turn it is, and how far it has come.
type turn struct {
	Gateway string    `json:"gateway"`
	Until   time.Time `json:"until"`
	Done    int64     `json:"done"`
	Total   int64     `json:"total"`
}

// turns is a gateway's part in the turns. It is for the goroutine that indexes.
type turns struct {
	service *Service
	name    string    // of the gateway
	taken   time.Time // when the turn was last taken or kept; zero where it is not ours
}

func newTurns(s *Service) *turns { return &turns{service: s, name: rand.Text()} }

// turnOf reads whose turn it is. What can't be read is nobody's.
func turnOf(ctx context.Context, r storage.Reader) (t turn, err error) {
	raw, err := r.Meta(ctx, turnName)
	if isNotFound(err) {
		return t, nil
	}
	if json.Unmarshal(raw, &t) != nil {
		t = turn{}
	}
	return t, err
}

// take takes the turn, or keeps it with how far the work is; errNotOurTurn where another gateway has it.
func (t *turns) take(ctx context.Context, done, total int64) error {
	if !t.service.opt.Shared {
		return nil
	}
	err := t.service.own.Update(ctx, func(tx storage.Tx) error {
		if err := tx.Guard(ctx, turnName); err != nil {
			return err
		}
		now, err := turnOf(ctx, tx)
		if err != nil {
			return err
		}
		if now.Gateway != t.name && tx.Now().Before(now.Until) {
			return errNotOurTurn
		}
		raw, err := json.Marshal(turn{t.name, tx.Now().Add(turnLasts), done, total})
		if err != nil {
			return err
		}
		return tx.SetMeta(ctx, turnName, raw)
	})
	t.taken = time.Now()
	if err != nil {
		t.taken = time.Time{}
	}
	return err
}

// keep keeps the turn where a third of it is over.
func (t *turns) keep(ctx context.Context, done, total int64) error {
	if !t.service.opt.Shared || time.Since(t.taken) < turnLasts/3 {
		return nil
	}
	return t.take(ctx, done, total)
}

// pass gives the turn to whoever takes it. Where that fails it ends by itself.
func (t *turns) pass(ctx context.Context) {
	if t.taken.IsZero() {
		return
	}
	t.taken = time.Time{}
	_ = t.service.own.Update(ctx, func(tx storage.Tx) error {
		if err := tx.Guard(ctx, turnName); err != nil {
			return err
		}
		if now, err := turnOf(ctx, tx); err != nil || now.Gateway != t.name {
			return err
		}
		return tx.SetMeta(ctx, turnName, nil)
	})
}

// watch takes over what the gateway whose turn it is has done, and waits a while.
func (c *customParameters) watch(ctx context.Context) error {
	c.mu.Lock()
	before := slices.Clone(c.jobs)
	c.mu.Unlock()
	err := c.service.own.View(ctx, func(r storage.Reader) error {
		stored, err := storedJobs(ctx, r)
		if err != nil {
			return err
		}
		now, err := turnOf(ctx, r)
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.jobs = slices.DeleteFunc(c.jobs, func(j *job) bool { return slices.ContainsFunc(before, j.same) && !slices.ContainsFunc(stored, j.same) })
		c.adopt(stored)
		if len(c.jobs) > 0 {
			for _, j := range together(c.jobs) {
				j.done, j.total = now.Done, now.Total
			}
		}
		return nil
	})
	select {
	case <-ctx.Done():
	case <-time.After(c.service.opt.poll):
	}
	return err
}
