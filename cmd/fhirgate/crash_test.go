package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	crashRounds = flag.Int("crash.rounds", 20, "how often TestCrash kills the server")
	crashSeed   = flag.Uint64("crash.seed", 0, "seed of TestCrash; 0 takes one from the clock")
)

// crashSystem is the system of the identifiers that the crash test marks its writes with. No two requests have the same mark.
const crashSystem = "urn:fhirgate:crash"

// TestCrash kills a real server with SIGKILL at a random moment under mixed writes, starts it again, and holds what it then answers against
// what it had acknowledged: every acknowledged write is there at its version; nothing is there that was not asked for, and nothing twice; of
// a transaction everything is there or nothing; versions of a resource are 1, 2, 3 without a gap.
func TestCrash(t *testing.T) {
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("go test ./cmd/fhirgate -run '^TestCrash$' -crash.seed=%d -crash.rounds=%d", seed, *crashRounds)
	rounds := *crashRounds
	if testing.Short() {
		rounds = min(rounds, 3)
	}
	crash(t, seed, rounds, func() {}, freshData(t))
}

// crash kills a server that is started with the given arguments, round after round. dead returns when nothing that it did is still under way.
func crash(t *testing.T, seed uint64, rounds int, dead func(), data string, args ...string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	l := &ledger{stored: make(map[string][]string)}
	for round := range rounds {
		p := startServer(t, data, args...)
		if round > 0 {
			l.verify(t, p)
			if t.Failed() {
				t.Fatalf("after round %d", round)
			}
		}
		l.begin(round)
		ctx, cancel := context.WithCancel(t.Context())
		var workers sync.WaitGroup
		for w := range crashWorkers {
			cw := &crashWorker{ledger: l, base: p.base, number: w, rng: rand.New(rand.NewPCG(seed, uint64(round*crashWorkers+w+2)))}
			workers.Go(func() { cw.run(ctx, t) })
		}
		l.await(rng.IntN(1500), time.Now().Add(2*time.Second))
		l.killing()
		p.kill()
		dead()
		workers.Wait()
		cancel()
		client.CloseIdleConnections()
	}
	p := startServer(t, data, args...)
	l.verify(t, p)
	l.verifyAll(t, p)
	t.Logf("%d rounds, %d writes acknowledged, %d requests cut off of which %d had been stored", rounds, l.total, l.cut, l.kept)
}

const (
	crashWorkers = 8
	// crashKeys is how many resources each worker updates again and again.
	crashKeys = 4
	// crashConditions is how many conditions the workers' conditional creates contend for in a round.
	crashConditions = 40
)

// crashWorker is one client.
type crashWorker struct {
	*ledger
	base   string
	number int
	rng    *rand.Rand
	count  int
	// current is the newest version of each of the worker's own resources, which nobody else writes; negative where it is a deletion.
	current map[string]int64
}

// own notes that the next version of one of the worker's resources was acknowledged.
func (w *crashWorker) own(key string, number int64, mark string) error {
	if want := max(w.current[key], -w.current[key]) + 1; number != want {
		return fmt.Errorf("%s got version %d after %d", key, number, want-1)
	}
	w.current[key] = number
	if mark == gone {
		w.current[key] = -number
	}
	return nil
}

// run writes until the server is gone, or the round ends.
func (w *crashWorker) run(ctx context.Context, t *testing.T) {
	w.current = make(map[string]int64)
	w.mu.Lock()
	for k := range crashKeys {
		key := w.ownKey(k)
		if marks := w.stored[key]; len(marks) > 0 {
			w.current[key] = int64(len(marks))
			if marks[len(marks)-1] == gone {
				w.current[key] = -w.current[key]
			}
		}
	}
	w.mu.Unlock()
	for !w.ended() {
		w.count++
		mark := fmt.Sprintf("r%d-w%d-%d", w.round, w.number, w.count)
		var err error
		switch n := w.rng.IntN(100); {
		case n < 40:
			err = w.update(ctx, mark)
		case n < 55:
			err = w.create(ctx, mark)
		case n < 62:
			err = w.remove(ctx, mark)
		case n < 90:
			err = w.transaction(ctx, mark)
		default:
			err = w.conditional(ctx, mark)
		}
		if err != nil {
			w.mu.Lock()
			dying := w.dying
			w.mu.Unlock()
			if !dying && !(w.elects && strings.HasPrefix(err.Error(), "status 503")) {
				t.Errorf("worker %d: %v", w.number, err)
			}
			return
		}
	}
}

// ownKey returns the k-th of the worker's own resources, key one of them.
func (w *crashWorker) ownKey(k int) string { return fmt.Sprintf("Patient/crash-%d-%d", w.number, k) }

// key returns one of the worker's own resources.
func (w *crashWorker) key() string { return w.ownKey(w.rng.IntN(crashKeys)) }

// marked returns a resource with the mark, now and then a large one.
func (w *crashWorker) marked(resourceType, id, mark, more string) string {
	if id != "" {
		id = `"id":"` + id + `",`
	}
	if w.rng.IntN(20) == 0 {
		more += `,"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">` + strings.Repeat("large ", w.rng.IntN(5000)) + `</div>"}`
	}
	return `{"resourceType":"` + resourceType + `",` + id + `"identifier":[{"system":"` + crashSystem + `","value":"` + mark + `"}]` + more + `}`
}

// expect turns an answer with another status into an error.
func expect(r *reply, err error, statuses ...int) error {
	if err != nil {
		return err
	}
	for _, s := range statuses {
		if r.status == s {
			return nil
		}
	}
	return fmt.Errorf("status %d: %.300s", r.status, r.body)
}

// update writes the next version of one of the worker's own resources.
func (w *crashWorker) update(ctx context.Context, mark string) error {
	key := w.key()
	w.try(mark, attempt{size: 1})
	r, err := send(ctx, "PUT", w.base+"/"+key, w.marked("Patient", strings.TrimPrefix(key, "Patient/"), mark, ""))
	if err := expect(r, err, 200, 201); err != nil {
		return err
	}
	w.ack(mark, version{key, r.version(), mark})
	return w.own(key, r.version(), mark)
}

// create makes a resource whose id the server gives.
func (w *crashWorker) create(ctx context.Context, mark string) error {
	w.try(mark, attempt{size: 1})
	r, err := send(ctx, "POST", w.base+"/Patient", w.marked("Patient", "", mark, ""))
	if err := expect(r, err, 201); err != nil {
		return err
	}
	key, n := located(r.header.Get("Location"))
	w.ack(mark, version{key, n, mark})
	return nil
}

// remove deletes one of the worker's own resources.
func (w *crashWorker) remove(ctx context.Context, mark string) error {
	key := w.key()
	w.try(mark, attempt{deletes: key})
	r, err := send(ctx, "DELETE", w.base+"/"+key, "")
	if err := expect(r, err, 200, 204, 404); err != nil {
		return err
	}
	// Deleting what is not there makes no version.
	if w.current[key] <= 0 {
		w.ack(mark)
		return nil
	}
	w.ack(mark, version{key, w.current[key] + 1, gone})
	return w.own(key, w.current[key]+1, gone)
}

// transaction creates a Patient and Observations that refer to it, and updates one of the worker's own resources with them.
func (w *crashWorker) transaction(ctx context.Context, mark string) error {
	n := 1 + w.rng.IntN(8)
	patient := fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", w.rng.IntN(1e12))
	key := w.key()
	var b strings.Builder
	b.WriteString(`{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"` + patient + `","resource":` + w.marked("Patient", "", mark, "") +
		`,"request":{"method":"POST","url":"Patient"}},{"resource":` + w.marked("Patient", strings.TrimPrefix(key, "Patient/"), mark, "") + `,"request":{"method":"PUT","url":"` + key + `"}}`)
	for range n {
		b.WriteString(`,{"resource":` + w.marked("Observation", "", mark, `,"status":"final","code":{"text":"x"},"subject":{"reference":"`+patient+`"}`) +
			`,"request":{"method":"POST","url":"Observation"}}`)
	}
	b.WriteString("]}")
	w.try(mark, attempt{size: n + 2})
	r, err := send(ctx, "POST", w.base, b.String())
	if err := expect(r, err, 200); err != nil {
		return err
	}
	var answer struct {
		Entry []struct {
			Response struct{ Status, Location, Etag string }
		}
	}
	if err := json.Unmarshal(r.body, &answer); err != nil {
		return err
	}
	var versions []version
	for _, e := range answer.Entry {
		key, number := located(e.Response.Location)
		versions = append(versions, version{key, number, mark})
	}
	if len(versions) != n+2 {
		return fmt.Errorf("%d answers for %d entries", len(versions), n+2)
	}
	w.ack(mark, versions...)
	return w.own(key, versions[1].number, mark)
}

// conditional creates a resource once for each of a few conditions, for which all workers contend.
func (w *crashWorker) conditional(ctx context.Context, mark string) error {
	mark = fmt.Sprintf("r%d-once-%d", w.round, w.rng.IntN(crashConditions))
	w.mu.Lock()
	if w.attempts[mark] == nil {
		w.attempts[mark] = &attempt{size: 1}
	}
	w.mu.Unlock()
	r, err := send(ctx, "POST", w.base+"/Patient", w.marked("Patient", "", mark, ""), "If-None-Exist", "identifier="+crashSystem+"|"+mark)
	if err := expect(r, err, 200, 201); err != nil {
		return err
	}
	key, n := located(r.header.Get("Location"))
	w.ack(mark, version{key, n, mark})
	return nil
}

// located returns key and version of a Location.
func located(url string) (key string, number int64) {
	before, after, _ := strings.Cut(url, "/_history/")
	_, _ = fmt.Sscan(after, &number)
	parts := strings.Split(before, "/")
	if len(parts) < 2 {
		return "", 0
	}
	return strings.Join(parts[len(parts)-2:], "/"), number
}
