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
	crash(t, seed, rounds, freshData(t))
}

// crash kills a server that is started with the given arguments, round after round.
func crash(t *testing.T, seed uint64, rounds int, data string, args ...string) {
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

// gone stands for the mark of a deletion.
const gone = "deleted"

// version is one version of a resource that a request made, or would have made.
type version struct {
	key    string
	number int64
	mark   string
}

// attempt is one request: how many versions with its mark there must be if it was carried out.
type attempt struct {
	size  int
	acked bool
	// deletes is the key that a DELETE without a mark would have deleted.
	deletes string
}

// ledger is what the server was asked and what it acknowledged.
type ledger struct {
	mu sync.Mutex
	// stored are the marks of the versions of each key that earlier rounds have verified.
	stored map[string][]string
	// acked and attempts are of the current round.
	round    int
	since    time.Time
	acked    []version
	attempts map[string]*attempt
	dying    bool

	total, cut, kept int
}

// begin starts a round.
func (l *ledger) begin(round int) {
	l.round, l.since, l.acked, l.attempts, l.dying = round, time.Now().Add(-time.Second), nil, make(map[string]*attempt), false
}

// await returns when so many writes have been acknowledged, or at the deadline.
func (l *ledger) await(writes int, deadline time.Time) {
	for time.Now().Before(deadline) {
		l.mu.Lock()
		n := len(l.acked)
		l.mu.Unlock()
		if n >= writes {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// killing notes that requests may fail from here on.
func (l *ledger) killing() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dying = true
}

// try notes that a request is about to be sent.
func (l *ledger) try(mark string, a attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts[mark] = &a
}

// ack notes that a request was answered with these versions.
func (l *ledger) ack(mark string, versions ...version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts[mark].acked = true
	l.acked = append(l.acked, versions...)
}

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

// run writes until the server is gone.
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
	for {
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
			if !dying {
				t.Errorf("worker %d: %v", w.number, err)
			}
			return
		}
	}
}

// ownKey returns the k-th of the worker's own resources, key one of them.
func (w *crashWorker) ownKey(k int) string { return fmt.Sprintf("Patient/crash-%d-%d", w.number, k) }

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

// history reads every version since an instant, oldest first for each key, and fails on a version that is there twice.
func history(t *testing.T, p *process, since time.Time) map[string]map[int64]string {
	t.Helper()
	found := make(map[string]map[int64]string)
	next := p.base + "/_history?_count=1000"
	if !since.IsZero() {
		next += "&_since=" + since.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	for next != "" {
		var page struct {
			Link  []struct{ Relation, URL string }
			Entry []struct {
				Resource struct {
					ResourceType, ID string
					Meta             struct{ VersionID string }
					Identifier       []struct{ Value string }
				}
				Request  struct{ Method, URL string }
				Response struct{ Etag string }
			}
		}
		if err := json.Unmarshal(must(t, 200, "GET", next, "").body, &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entry {
			v := version{mark: gone}
			if e.Request.Method == "DELETE" {
				v.key = e.Request.URL
			} else {
				v.key, v.mark = e.Resource.ResourceType+"/"+e.Resource.ID, e.Resource.Identifier[0].Value
			}
			_, _ = fmt.Sscanf(e.Response.Etag, `W/"%d"`, &v.number)
			if found[v.key] == nil {
				found[v.key] = make(map[int64]string)
			}
			if was, ok := found[v.key][v.number]; ok {
				t.Errorf("%s has version %d twice: %s and %s", v.key, v.number, was, v.mark)
			}
			found[v.key][v.number] = v.mark
		}
		next = ""
		for _, l := range page.Link {
			if l.Relation == "next" {
				next = l.URL
			}
		}
	}
	return found
}

// verify holds the server to the round that was just cut off.
func (l *ledger) verify(t *testing.T, p *process) {
	t.Helper()
	found := history(t, p, l.since)
	marks := make(map[string]int)
	deletions := make(map[string]int)
	for key, versions := range found {
		known := int64(len(l.stored[key]))
		fresh := make([]string, 0, len(versions))
		for n := range versions {
			switch {
			case n <= 0:
				t.Errorf("%s has a version %d", key, n)
			case n <= known:
				if l.stored[key][n-1] != versions[n] {
					t.Errorf("%s version %d was %s and is %s", key, n, l.stored[key][n-1], versions[n])
				}
			default:
				fresh = append(fresh, "")
			}
		}
		for i := range fresh {
			mark, ok := versions[known+int64(i)+1]
			if !ok {
				t.Errorf("%s has no version %d, but later ones", key, known+int64(i)+1)
			}
			fresh[i] = mark
			if mark == gone {
				deletions[key]++
			} else {
				marks[mark]++
			}
		}
		l.stored[key] = append(l.stored[key], fresh...)
	}
	for _, v := range l.acked {
		if v.key == "" || v.number == 0 {
			t.Errorf("the answer to %s names no version", v.mark)
			continue
		}
		if s := l.stored[v.key]; int64(len(s)) < v.number || s[v.number-1] != v.mark {
			t.Errorf("%s version %d was acknowledged for %s and is lost", v.key, v.number, v.mark)
		}
	}
	asked := make(map[string]int)
	for mark, a := range l.attempts {
		if a.deletes != "" {
			asked[a.deletes]++
			continue
		}
		n := marks[mark]
		if n != 0 && n != a.size {
			t.Errorf("of the request %s %d of %d writes are there", mark, n, a.size)
		}
		if !a.acked {
			l.cut++
			if n > 0 {
				l.kept++
			}
		} else if n == 0 && a.size > 0 {
			t.Errorf("the request %s was acknowledged and is not there", mark)
		}
	}
	for mark := range marks {
		if l.attempts[mark] == nil {
			t.Errorf("nobody asked for %s in this round", mark)
		}
	}
	for key, n := range deletions {
		if n > asked[key] {
			t.Errorf("%s was deleted %d times, asked for were %d", key, n, asked[key])
		}
	}
	l.total += len(l.acked)
	l.readBack(t, p, found)
}

// readBack reads the acknowledged versions of the round, and the current version of every resource that it touched.
func (l *ledger) readBack(t *testing.T, p *process, touched map[string]map[int64]string) {
	var readers sync.WaitGroup
	work := make(chan version, 64)
	for range 4 {
		readers.Go(func() {
			for v := range work {
				url := p.base + "/" + v.key
				if v.number > 0 {
					url += fmt.Sprintf("/_history/%d", v.number)
				}
				r, err := send(t.Context(), "GET", url, "")
				switch {
				case err != nil:
					t.Error(err)
				case v.mark == gone && r.status != 410, v.mark != gone && (r.status != 200 || !strings.Contains(string(r.body), `"`+v.mark+`"`)):
					t.Errorf("GET %s: %d, want %s", url, r.status, v.mark)
				}
			}
		})
	}
	for _, v := range l.acked {
		work <- v
	}
	for key := range touched {
		work <- version{key: key, mark: l.stored[key][len(l.stored[key])-1]}
	}
	close(work)
	readers.Wait()
}

// verifyAll holds the server to all rounds.
func (l *ledger) verifyAll(t *testing.T, p *process) {
	t.Helper()
	found := history(t, p, time.Time{})
	for key, marks := range l.stored {
		for i, mark := range marks {
			if got := found[key][int64(i)+1]; got != mark {
				t.Errorf("%s version %d was %s and is %q", key, i+1, mark, got)
			}
		}
		if len(found[key]) != len(marks) {
			t.Errorf("%s has %d versions, verified were %d", key, len(found[key]), len(marks))
		}
	}
	for key := range found {
		if l.stored[key] == nil {
			t.Errorf("%s was not there before", key)
		}
	}
}
