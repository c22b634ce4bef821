package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
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
	over     int // how many rounds have ended
	// elects is set where the server may answer 503 at any time, because its database elects a primary.
	elects bool

	total, cut, kept int
}

// begin starts a round. The clock may have been set back meanwhile: what is verified begins some seconds before.
func (l *ledger) begin(round int) {
	l.round, l.since, l.acked, l.attempts, l.dying = round, time.Now().Add(-5*time.Second), nil, make(map[string]*attempt), false
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

// end ends the round: workers send nothing more.
func (l *ledger) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = l.round + 1
}

// ended reports whether the round has ended.
func (l *ledger) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over > l.round
}

// read makes a request that is no write, and makes it again where the database elects.
func (l *ledger) read(t *testing.T, url string) (*reply, error) {
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		r, err := send(t.Context(), "GET", url, "")
		if err != nil || r.status != 503 || !l.elects || time.Now().After(end) {
			return r, err
		}
	}
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

// history reads every version since an instant, oldest first for each key, and fails on a version that is there twice.
func (l *ledger) history(t *testing.T, p *process, since time.Time) map[string]map[int64]string {
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
		r, err := l.read(t, next)
		if err != nil || r.status != 200 {
			t.Fatal(r, err)
		}
		if err := json.Unmarshal(r.body, &page); err != nil {
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
	found := l.history(t, p, l.since)
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
				r, err := l.read(t, url)
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
	found := l.history(t, p, time.Time{})
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
