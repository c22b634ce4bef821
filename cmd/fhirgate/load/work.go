package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
)

// work sends one job and counts what became of it. Entries of a batch that the server had no room for are retried; a transaction that was made
// here and refused is split.
func (l *loader) work(ctx context.Context, j *job) {
	if ctx.Err() != nil {
		return
	}
	l.journal.mark(markBegun, j.begun()...)
	for try := 0; ; try++ {
		a, err := l.client.send(ctx, l.sending, j)
		if l.sending.Err() != nil {
			l.unclear(j, errors.New("interrupted before the response came"))
			return
		}
		if err != nil {
			l.unsent(ctx, j, err)
			return
		}
		if !a.ok() && j.items != nil && j.items.kind == "transaction" && a.refusal() {
			l.journal.mark(markRefused, j.begun()...)
			if l.split(ctx, j, a) {
				return
			}
		}
		later := l.count(j, a, try < l.client.retries && ctx.Err() == nil)
		if len(later) == 0 {
			return
		}
		j = j.items.pick(later).job(j.place)
		wait := backoff(try)
		l.waiting(fmt.Sprintf("the server put off %s of a batch", plural(len(later), "entry")), wait)
		if l.client.pause(ctx, wait) != nil {
			l.journal.mark(markRefused, j.begun()...)
			return
		}
	}
}

// unsent counts a job to which no response came. What the server was sent nothing of is not stored; of anything else it is not known.
func (l *loader) unsent(ctx context.Context, j *job, err error) {
	var unsent *unsentError
	canceled := errors.Is(err, context.Canceled) // in the pause after a response that says that nothing is stored
	if !canceled && !errors.As(err, &unsent) && !neverSent(err) {
		l.unclear(j, unreachable(l.o.Server, err))
		return
	}
	l.journal.mark(markRefused, j.begun()...)
	if ctx.Err() != nil && canceled {
		return
	}
	l.eachFailed(j, unreachable(l.o.Server, err))
	if neverSent(err) {
		l.end()
	}
}

// unclear counts a job of which it is not known whether it was carried out. What must not be sent twice keeps its mark of what was begun, by which
// no other run sends it.
func (l *loader) unclear(j *job, err error) {
	if n := len(j.begun()); n > 0 {
		l.tally.unanswered.Add(int64(n))
		err = mayBeStored(err.Error())
	}
	l.eachFailed(j, err)
}

// mayBeStored is the reason of what may be stored all the same.
func mayBeStored(reason string) error { return errors.New(reason + "; it may be stored all the same") }

// eachFailed counts each part of a job that fails by itself as failed.
func (l *loader) eachFailed(j *job, err error) {
	l.each(j, func(place string, in *input, n int64) { _ = l.failed(place, err, in, n) })
}

// neverSent reports whether an error is of a server that did not take the connection.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &op) && op.Op == "dial"
}

// split carries on with a transaction that was made here and that the server refused as a whole: without the entries that the refusal names
// where none refers to another, and as a batch otherwise. It reports false where that is of no use.
func (l *loader) split(ctx context.Context, j *job, a *response) bool {
	b := j.items
	if b.targets != nil {
		nb, err := b.split()
		if err != nil {
			return false
		}
		l.work(ctx, nb.job(j.place))
		return true
	}
	wrong := a.refused(len(b.places))
	if len(wrong) == 0 {
		if len(b.places) == 1 {
			return false
		}
		nb := b.pick(all(len(b.places)))
		nb.kind = "batch"
		l.work(ctx, nb.job(j.place))
		return true
	}
	var rest []int
	for i := range b.places {
		if reason, ok := wrong[i]; ok {
			_ = l.failed(j.entryPlace(i), errors.New(reason), b.places[i].input, 1)
		} else {
			rest = append(rest, i)
		}
	}
	if len(rest) > 0 {
		l.work(ctx, b.pick(rest).job(j.place))
	}
	return true
}

// all returns the numbers below n.
func all(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// each calls f for each part of a job that fails by itself: its entries, where they come from several inputs, or the whole.
func (l *loader) each(j *job, f func(place string, in *input, n int64)) {
	if j.items == nil {
		f(j.place, j.input, j.count())
		return
	}
	in := j.items.places[0].input
	for i := range j.items.places {
		if j.items.places[i].source != "" || j.items.places[i].input != in {
			f(j.entryPlace(i), j.items.places[i].input, 1)
			continue
		}
		if i == 0 {
			f(j.place, in, int64(len(j.items.places)))
		}
	}
}

// begun returns the units of a job that must not be sent twice.
func (j *job) begun() []unit {
	if j.items == nil {
		if j.safe {
			return nil
		}
		return []unit{j.unit}
	}
	var out []unit
	for i := range j.items.places {
		if !j.items.entries[i].repeatable() {
			out = append(out, j.items.places[i].unit)
		}
	}
	return out
}

// count tells the tally what became of each resource of a job. With retry it returns those that are to be sent again.
func (l *loader) count(j *job, a *response, retry bool) (later []int) {
	switch {
	case a.unknown():
		l.unclear(j, errors.New(a.reason()))
	case !a.ok():
		l.journal.mark(markRefused, j.begun()...)
		l.eachFailed(j, errors.New(a.reason()))
	case !j.bundle:
		l.tally.loaded(j.entries[0], a.status)
		l.stored(j.input, 1)
		l.journal.mark(markDone, j.unit)
	case len(a.entries) != len(j.entries):
		l.unclear(j, fmt.Errorf("%d: the response has %d entries for %d requests", a.status, len(a.entries), len(j.entries)))
	default:
		return l.countEntries(j, a, retry)
	}
	return nil
}

// countEntries is count for a Bundle that the server carried out.
func (l *loader) countEntries(j *job, a *response, retry bool) (later []int) {
	var done, refused []unit
	failed, unclear := 0, 0
	for i := range a.entries {
		e := &a.entries[i]
		in := j.input
		if j.items != nil {
			in = j.items.places[i].input
		}
		switch {
		case e.ok() || e.status == http.StatusNotModified:
			l.tally.loaded(j.entries[i], e.status)
			l.stored(in, 1)
			if j.items != nil {
				done = append(done, j.items.places[i].unit)
			}
		case retry && j.items != nil && (e.status == http.StatusTooManyRequests || e.status == http.StatusServiceUnavailable) && (j.entries[i].repeatable() || !e.unknown()):
			later = append(later, i)
		default:
			failed++
			err := errors.New(e.reason())
			switch {
			case j.entries[i].repeatable():
			case e.unknown():
				unclear++
				err = mayBeStored(e.reason())
			case j.items != nil:
				refused = append(refused, j.items.places[i].unit)
			}
			_ = l.failed(j.entryPlace(i), err, in, 1)
		}
	}
	l.tally.unanswered.Add(int64(unclear))
	switch {
	case j.items != nil:
		l.journal.mark(markDone, done...)
		l.journal.mark(markRefused, refused...)
	case failed == 0:
		if len(a.entries) == 0 {
			l.stored(j.input, 1)
		}
		l.journal.mark(markDone, j.unit)
	case failed == len(a.entries) && unclear > 0: // it keeps its mark of what was begun
	case failed == len(a.entries):
		l.journal.mark(markRefused, j.begun()...)
	default:
		l.journal.mark(markPart, j.begun()...)
	}
	return later
}

// stored counts n resources of an input that the server stored.
func (l *loader) stored(in *input, n int64) {
	in.waiting.Add(-n)
	in.loaded.Add(n)
}
