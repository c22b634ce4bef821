package load

import (
	"context"
	"regexp"
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
)

// parameters collects the SearchParameters of all files. A server indexes what it holds for each that it is given; in one transaction it can do
// so once for all of them. They are sent after everything else, so that nothing waits for the index.
type parameters struct {
	full []*batch
	b    *batch
	seen map[fhir.Key]bool
}

// setAside keeps a SearchParameter for the end of the run.
func (l *loader) setAside(src *source, d *document) error {
	r, err := fhir.ParseResource(d.body.held, fhir.Limits{})
	if err != nil {
		d.body.remove()
		return l.fault(d.place, err)
	}
	at := place{line: -1, source: src.name}
	if src.sequence() && (src.documents > 1 || src.more()) {
		at.line = d.line
	}
	at, ok, err := l.admit(at, src.name, d.sum, r.ID() != "")
	if ok {
		p := &l.parameters
		if p.b != nil && (p.b.full() || r.ID() != "" && p.seen[r.Key()]) { // a transaction writes each resource once
			p.full, p.b = append(p.full, p.b), nil
		}
		if p.b == nil {
			p.b, p.seen = &batch{kind: "transaction"}, make(map[fhir.Key]bool)
		}
		p.b.add(at, "", r, r.Raw())
		p.seen[fhir.Key{Type: r.Type(), ID: string([]byte(r.ID()))}] = true
	}
	d.body.remove()
	return err
}

// sendParameters sends the SearchParameters that were set aside, one transaction after the other.
func (l *loader) sendParameters(ctx context.Context) {
	p := l.parameters
	l.parameters = parameters{}
	if p.b != nil {
		p.full = append(p.full, p.b)
	}
	for _, b := range p.full {
		if l.stopped() {
			return
		}
		l.work(ctx, b.job("SearchParameters"))
	}
}

// entryOf matches the entry of a Bundle that an issue names.
var entryOf = regexp.MustCompile(`^Bundle\.entry\[(\d+)\]`)

// refused returns which entries of a transaction of n the issues of its refusal name, with the reason for each.
func (a *response) refused(n int) map[int]string {
	out := make(map[int]string)
	for i := range a.issues {
		is := &a.issues[i]
		if is.Severity != "error" && is.Severity != "fatal" {
			continue
		}
		for _, where := range append(is.Expression, is.Location...) {
			if m := entryOf.FindStringSubmatch(where); m != nil {
				if at, err := strconv.Atoi(m[1]); err == nil && at < n && out[at] == "" {
					out[at] = strconv.Itoa(a.status) + " " + is.String()
				}
			}
		}
	}
	return out
}
