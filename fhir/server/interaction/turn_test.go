package interaction

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/storage"
)

// setTurn makes it the turn of a gateway that is not there.
func setTurn(t *testing.T, store storage.Store, until time.Time) {
	t.Helper()
	raw, err := json.Marshal(turn{"another", until, 7, 9})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Update(t.Context(), func(tx storage.Tx) error {
		if err := tx.Guard(t.Context(), turnName); err != nil {
			return err
		}
		return tx.SetMeta(t.Context(), turnName, raw)
	}); err != nil {
		t.Fatal(err)
	}
}

var together20 = Options{Shared: true, poll: 20 * time.Millisecond, retry: time.Millisecond}

func TestOneGatewayIndexesAndTheNextTakesOver(t *testing.T) {
	store := openStore(t)
	s := openOn(t, store, together20)
	r := withEyes(t, "old", "blue")
	if _, err := s.Update(t.Context(), r.Key(), r, Conditions{}); err != nil {
		t.Fatal(err)
	}
	setTurn(t, store, time.Now().Add(time.Hour))
	put(t, s, "%s", eyeColor)
	await(t, "the progress of the gateway that indexes is shown", func() bool {
		jobs := s.Reindexing()
		return len(jobs) == 1 && jobs[0].Done == 7 && jobs[0].Total == 9
	})
	if n := entriesLeft(t, s, "Patient", "eye-color"); n != 0 {
		t.Error("the gateway indexes in the turn of another")
	}
	setTurn(t, store, time.Now().Add(-time.Hour)) // it has ended without a word
	indexed(t, s)
	if n := entriesLeft(t, s, "Patient", "eye-color"); n != 1 {
		t.Errorf("%d of 1 are indexed", n)
	}
	await(t, "the turn is given away", func() bool {
		var now turn
		if err := store.View(t.Context(), func(r storage.Reader) (err error) { now, err = turnOf(t.Context(), r); return err }); err != nil {
			t.Fatal(err)
		}
		return now == turn{}
	})
}

func TestWhatAnotherGatewayHasIndexedIsStruckOff(t *testing.T) {
	store := openStore(t)
	s := openOn(t, store, together20)
	setTurn(t, store, time.Now().Add(time.Hour))
	put(t, s, "%s", eyeColor)
	if len(s.Reindexing()) != 1 {
		t.Fatal("nothing is to be indexed")
	}
	if err := store.Update(t.Context(), func(tx storage.Tx) error {
		if err := tx.Guard(t.Context(), reindexName); err != nil {
			return err
		}
		return storeJobs(t.Context(), tx, nil)
	}); err != nil {
		t.Fatal(err)
	}
	indexed(t, s)
}

func TestGatewayThatLosesItsTurnLeavesTheRest(t *testing.T) {
	store := openStore(t)
	a, b := newTurns(&Service{own: store, opt: together20}), newTurns(&Service{own: store, opt: together20})
	if err := a.take(t.Context(), 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := b.take(t.Context(), 0, 0); err != errNotOurTurn {
		t.Errorf("the turn of another is taken: %v", err)
	}
	a.taken = a.taken.Add(-turnLasts)
	if err := a.keep(t.Context(), 1, 2); err != nil {
		t.Error(err)
	}
	setTurn(t, store, time.Now().Add(time.Hour))
	if err := a.keep(t.Context(), 1, 2); err != nil {
		t.Errorf("asked again though it was just kept: %v", err)
	}
	a.taken = a.taken.Add(-turnLasts)
	if err := a.keep(t.Context(), 1, 2); err != errNotOurTurn {
		t.Errorf("a lost turn is kept: %v", err)
	}
	a.pass(t.Context())
	if err := b.take(t.Context(), 0, 0); err != errNotOurTurn {
		t.Errorf("a gateway gives away what is not its own: %v", err)
	}
}
