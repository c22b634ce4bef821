package load

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/fhirgate/fhirgate/fhir"
)

// read reads the files and hands the workers what is in them.
func (l *loader) read(ctx context.Context, inputs []*input) error {
	o := opening{stdin: l.o.Stdin, read: &l.tally.read, each: func(src *source) error { return l.source(ctx, src) }}
	for _, in := range inputs {
		l.current = in
		err := o.file(in.file)
		l.tally.files.Add(1)
		if err == nil {
			in.read.Store(true)
		}
		if errors.Is(err, errStopped) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			l.cutOff(err)
			if err := l.fault(in.name(), err); err != nil {
				return err
			}
		}
	}
	return nil
}

// cutOff notes where the file that is read ends too early.
func (l *loader) cutOff(err error) {
	var syntax *syntaxError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &syntax) && syntax.cutOff {
		l.current.cutOff.Store(true)
	}
}

// source reads the documents of one source.
func (l *loader) source(ctx context.Context, src *source) error {
	g := &group{l: l, source: src.name, send: func(j *job) error { return l.send(ctx, j) }, b: &batch{kind: "batch"}}
	g.fault = func(place string, err error) error {
		if l.o.Stop { // what stands before the fault is sent before the run ends
			if err := g.flush(); err != nil {
				return err
			}
		}
		return l.fault(place, err)
	}
	faulty := false
	for {
		d, err := src.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			faulty = true
			l.cutOff(err)
			broken := src.scan.err != nil && src.scan.err != io.EOF
			if err := g.fault(src.name, err); err != nil {
				return err
			}
			if broken || !src.scan.lines {
				break
			}
			src.scan.discardLine()
			continue
		}
		if err := l.document(ctx, src, d, g); err != nil {
			return err
		}
		// A first document of one line with another on the next one is NDJSON, whatever the file's name.
		if src.documents == 1 && d.end == d.line && src.more() && src.scan.line() > d.line {
			src.scan.lines = true
		}
	}
	if src.documents == 0 && !src.scan.lines && !faulty {
		if err := l.fault(src.name, errors.New("there is no JSON in it")); err != nil {
			return err
		}
	}
	l.documents += src.documents
	return g.flush()
}

// document sends what one document holds.
func (l *loader) document(ctx context.Context, src *source, d *document, g *group) error {
	send := func(j *job) error { return l.send(ctx, j) }
	switch {
	case d.resourceType == "" && knownFile(src.name):
		d.body.remove()
		return nil
	case d.resourceType == "":
		d.body.remove()
		return g.fault(d.place, errors.New("it is not a FHIR resource: it has no resourceType"))
	case d.resourceType == "SearchParameter" && d.body.open == nil:
		return l.setAside(src, d)
	case d.resourceType != "Bundle":
		if src.sequence() && (src.documents > 1 || src.more()) && d.body.open == nil {
			return g.add(d)
		}
		return send(jobOf(d))
	}
	switch d.kind {
	case "transaction", "batch", "document", "message":
		return send(jobOf(d))
	case "collection", "searchset", "history":
		defer d.body.remove()
		err := l.collect(d, send)
		if err == nil || errors.Is(err, errStopped) || ctx.Err() != nil {
			return err
		}
		return l.fault(d.place, err)
	case "batch-response", "transaction-response":
		d.body.remove()
		return g.fault(d.place, fmt.Errorf("a Bundle of type %s is the response to a request, not content to load", d.kind))
	}
	d.body.remove()
	return g.fault(d.place, fmt.Errorf("cannot load a Bundle of type %q", d.kind))
}

// group collects the resources of a sequence into batches.
type group struct {
	l      *loader
	source string
	send   func(*job) error
	fault  func(place string, err error) error
	b      *batch
}

// add adds a resource that is held in memory.
func (g *group) add(d *document) error {
	r, err := fhir.ParseResource(d.body.held, fhir.Limits{})
	if err != nil {
		return g.fault(d.place, err)
	}
	at, ok, err := g.l.admit(place{line: d.line}, g.source, d.sum, r.ID() != "")
	if ok {
		g.b.add(at, "", r, r.Raw())
	}
	d.body.remove()
	if err == nil && g.b.full() {
		return g.flush()
	}
	return err
}

// flush sends what was collected.
func (g *group) flush() error {
	if len(g.b.ends) == 0 {
		return nil
	}
	b := g.b
	g.b = &batch{kind: "batch"}
	return g.send(b.job(g.source))
}

// admit counts a resource that is to be sent in a batch, and returns its place with what the journal needs. It reports false where the resource
// is not to be sent, because of what an earlier run made of it.
func (l *loader) admit(at place, source string, sum [sha256.Size]byte, repeatable bool) (place, bool, error) {
	at.input, at.unit = l.current, unitOf(sum)
	l.current.waiting.Add(1)
	ok, err := l.again(l.journal.take(at.unit), l.current, at.in(source), 1, repeatable)
	return at, ok, err
}

// again decides by what an earlier run made of n resources whether they are sent, and counts them where they are not.
func (l *loader) again(b before, in *input, place string, n int64, repeatable bool) (bool, error) {
	switch {
	case b == loadedBefore:
		in.waiting.Add(-n)
		in.loaded.Add(n)
		l.tally.before.Add(n)
		return false, nil
	case b == notBefore || repeatable:
		return true, nil
	case b == partlyBefore:
		return false, l.failed(place, errors.New("the earlier run loaded some entries of this batch; sending it again would store them twice: load the others by themselves"), in, n)
	}
	l.tally.unanswered.Add(1)
	return false, l.failed(place, errors.New("the earlier run was not told whether this was stored; look on the server, and load it by itself if it is not there"), in, n)
}

// admitAll is admit for a transaction that was collected, and returns what is to be sent of it.
func (l *loader) admitAll(b *batch, source string) (*batch, error) {
	var which []int
	for i := range b.places {
		at, ok, err := l.admit(b.places[i], source, sha256.Sum256(b.item(i)), b.entries[i].repeatable())
		if err != nil {
			return nil, err
		}
		if b.places[i] = at; ok {
			which = append(which, i)
		}
	}
	if len(which) == len(b.places) {
		return b, nil
	}
	return b.pick(which), nil
}

// send hands a job to a worker; errStopped where the run is to end. A document that is sent as it is and was loaded before is not sent.
func (l *loader) send(ctx context.Context, j *job) error {
	if j.items == nil {
		j.input = l.current
		j.input.waiting.Add(j.count())
		if ok, err := l.again(l.journal.take(j.unit), j.input, j.place, j.count(), j.safe); err != nil || !ok {
			j.body.remove()
			return err
		}
	}
	select {
	case <-l.stop:
		j.body.remove()
		return errStopped
	default:
	}
	select {
	case l.jobs <- j:
		return nil
	case <-l.stop:
		j.body.remove()
		return errStopped
	case <-ctx.Done():
		j.body.remove()
		return ctx.Err()
	}
}
