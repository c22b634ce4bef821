package load

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Failure is one request, entry or document that was not loaded.
type Failure struct {
	// Place names the file, and the line or entry in it.
	Place string
	// Reason is the server's status and OperationOutcome, or what is wrong with the file.
	Reason string
}

// Error implements error.
func (f *Failure) Error() string { return f.Place + ": " + f.Reason }

// Fault counts failures of the same reason.
type Fault struct {
	Reason string
	Count  int
	// Places are where it was met, at most maxListed of them.
	Places []string
}

// Summary is what a run did.
type Summary struct {
	Files     int
	Resources int
	// ByType counts the resources written by their type; Created, Updated and Deleted by what the server said it did.
	ByType                    map[string]int
	Created, Updated, Deleted int
	// Failed counts what was not loaded, Faults the same by reason.
	Failed int
	Faults []Fault
	// Before counts the resources that an earlier run loaded, Deletions those that a history says are deleted, and Superseded the versions of a
	// history that are not the newest; none of them was sent.
	Before, Deletions, Superseded int
	// Unanswered counts what this run or an earlier one sent and must not send twice, and of which it is not known whether it is stored: requests,
	// and resources of batches made here. Resume does not send them again.
	Unanswered int
	Elapsed    time.Duration
	// Sample is set where the embedded sample was loaded.
	Sample bool
	// ByFile says which files went in, where not all did, and Journal why no other run can go on from this one.
	ByFile  Files
	Journal error
}

// tally collects the results of workers and readers. It may be used by several goroutines.
type tally struct {
	read      atomic.Int64 // bytes of the inputs read
	resources atomic.Int64
	failed    atomic.Int64
	files     atomic.Int64

	before, deletions, superseded, unanswered atomic.Int64

	mu     sync.Mutex
	sum    Summary
	faults map[string]*Fault
}

// maxFaults bounds the reasons that are told apart; the rest is counted as one.
const maxFaults = 1000

func newTally() *tally {
	return &tally{sum: Summary{ByType: make(map[string]int)}, faults: make(map[string]*Fault)}
}

// loaded counts a resource that the server accepted with this status. What a Bundle only reads is not loaded.
func (t *tally) loaded(e entry, status int) {
	if e.method == http.MethodGet || e.method == http.MethodHead {
		return
	}
	t.resources.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Resources++
	t.sum.ByType[e.resourceType]++
	switch {
	case status == http.StatusCreated:
		t.sum.Created++
	case e.method == http.MethodDelete:
		t.sum.Deleted++
	case e.method == http.MethodPut || e.method == http.MethodPatch:
		t.sum.Updated++
	}
}

// fail counts what could not be loaded.
func (t *tally) fail(place, reason string) {
	t.failed.Add(1)
	key := sameReason(reason)
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.faults[key]
	if f == nil {
		if len(t.faults) >= maxFaults {
			key = "other"
		}
		if f = t.faults[key]; f == nil {
			f = &Fault{Reason: key}
			t.faults[key] = f
		}
	}
	f.Count++
	if len(f.Places) < maxListed {
		f.Places = append(f.Places, place)
	}
}

// summary returns what was counted.
func (t *tally) summary(elapsed time.Duration) *Summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sum
	s.ByType = maps.Clone(s.ByType)
	s.Files = int(t.files.Load())
	s.Failed = int(t.failed.Load())
	s.Before, s.Deletions, s.Superseded = int(t.before.Load()), int(t.deletions.Load()), int(t.superseded.Load())
	s.Unanswered = int(t.unanswered.Load())
	s.Elapsed = elapsed
	for _, f := range t.faults {
		s.Faults = append(s.Faults, *f)
	}
	slices.SortFunc(s.Faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Reason, b.Reason))
	})
	return &s
}

// Write prints the summary for a person.
func (s *Summary) Write(w io.Writer) {
	var b strings.Builder
	seconds := max(s.Elapsed.Seconds(), 0.001)
	from := plural(s.Files, "file")
	if s.Sample {
		from = "the sample"
	}
	fmt.Fprintf(&b, "%s loaded from %s in %.1f s (%s a second)\n", plural(s.Resources, "resource"), from, seconds,
		grouped(int64(float64(s.Resources)/seconds)))
	for _, c := range []struct {
		n    int
		what string
	}{
		{s.Before, "loaded by the earlier run and skipped"},
		{s.Deletions, "deleted according to a history Bundle and not loaded"},
		{s.Superseded, "older versions in a history Bundle, not loaded: the newest is"},
	} {
		if c.n > 0 {
			fmt.Fprintf(&b, "%s %s\n", grouped(int64(c.n)), c.what)
		}
	}
	if s.Resources > 0 {
		var did []string
		for _, c := range []struct {
			n    int
			what string
		}{{s.Created, "created"}, {s.Updated, "updated"}, {s.Deleted, "deleted"}, {s.Resources - s.Created - s.Updated - s.Deleted, "accepted otherwise"}} {
			if c.n > 0 {
				did = append(did, grouped(int64(c.n))+" "+c.what)
			}
		}
		fmt.Fprintf(&b, "%s\n\nBy type\n", strings.Join(did, ", "))
		types := slices.SortedFunc(maps.Keys(s.ByType), func(x, y string) int {
			return cmp.Or(cmp.Compare(s.ByType[y], s.ByType[x]), strings.Compare(x, y))
		})
		for _, name := range types {
			fmt.Fprintf(&b, "%10s  %s\n", grouped(int64(s.ByType[name])), cmp.Or(name, "(no type)"))
		}
	}
	if s.Failed > 0 {
		fmt.Fprintf(&b, "\nNot loaded: %s, by error\n", grouped(int64(s.Failed)))
		for i, f := range s.Faults {
			if i == 20 {
				fmt.Fprintf(&b, "%10s  more kinds of error\n", grouped(int64(len(s.Faults)-i)))
				break
			}
			fmt.Fprintf(&b, "%10s  %s\n", grouped(int64(f.Count)), f.Reason)
			for _, p := range f.Places {
				fmt.Fprintf(&b, "%10s  at %s\n", "", p)
			}
			if more := f.Count - len(f.Places); more > 0 {
				fmt.Fprintf(&b, "%10s  and %s more\n", "", grouped(int64(more)))
			}
		}
	}
	if n := len(s.ByFile.Whole) + len(s.ByFile.Partly) + len(s.ByFile.Not); n > 1 {
		s.ByFile.write(&b)
	}
	s.ByFile.writeFaulty(&b)
	switch n := len(s.ByFile.Whole) + len(s.ByFile.Partly) + len(s.ByFile.Not); {
	case n > 0 && s.Journal == nil:
		b.WriteString("\nRun the same command with --resume to load what is missing, and nothing twice.\n")
		if s.Unanswered > 0 {
			fmt.Fprintf(&b, "It does not send again what may be stored already: %s, named above.\n", plural(s.Unanswered, "request"))
		}
	case n > 0:
		fmt.Fprintf(&b, "\n--resume is not possible: what was loaded could not be recorded (%v).\n", s.Journal)
	}
	_, _ = io.WriteString(w, b.String())
}

// grouped returns n with its digits in groups of three.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural returns n and the noun in its number.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(int64(n)) + " " + noun
}
