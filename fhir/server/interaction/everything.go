package interaction

import (
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// The record of a compartment (http://hl7.org/fhir/R4/patient-operation-everything.html): "all resources in this patient compartment, and any
// resource referenced from those, including binaries and attachments".

// EverythingRequest asks for the record of a compartment.
type EverythingRequest struct {
	// Base is the server's base URL without a trailing slash, as this client sees it.
	Base string
	// Key is the compartment's resource.
	Key fhir.Key
	// Types are the resource types that are returned, whether they are in the compartment or referred to from there; empty for all.
	Types []string
	// Since leaves out what was last updated before it; zero for nothing.
	Since time.Time
	// Start and End are dates (YYYY, YYYY-MM or YYYY-MM-DD) between which care was provided; "" for no bound. Members of the compartment whose date
	// of care lies outside are left out, with what only they refer to. What has no date of care is returned.
	Start, End string
	// Count is how many members of the compartment a page has; 0 for everything in one response.
	Count int
	// Cursor is that of a link to a further page; "" for the first.
	Cursor string
	// Shown are the parameters that links repeat.
	Shown []search.Pair
}

// everythingAtOnce is how many members of the compartment are read at once where all are returned.
const everythingAtOnce = 200

// everything is one call of Everything.
type everything struct {
	service *Service
	ask     EverythingRequest
	request SearchRequest
	search  searching
	// sent are the resources beside the compartment's members that have been written.
	sent map[versionKey]bool
}

// Everything returns the record of a compartment as a searchset: its members as matches, and what they refer to as includes, each once. Where
// Count is set it is a page, whose entries may be fewer than Count, none even, where Types or Since leave members out. Without Count a long record is
// streamed: memory is bounded by a chunk, all of it shows one moment, and what is deleted meanwhile is left out.
func (s *Service) Everything(ctx context.Context, q EverythingRequest) (OperationResponse, error) {
	ctx = s.withBase(ctx, q.Base)
	e := everything{service: s, ask: q, sent: map[versionKey]bool{}, request: SearchRequest{
		Base: q.Base, Compartment: q.Key, Path: q.Key.String() + "/$everything", Whole: true, Shown: q.Shown,
		Parameters: []search.Pair{{Name: "_include", Value: "*"}}}}
	if e.request.Shown == nil {
		e.request.Shown = []search.Pair{}
	}
	if q.Cursor != "" {
		e.request.Parameters = append(e.request.Parameters, search.Pair{Name: cursorParameter, Value: q.Cursor})
	}
	var first pageRead
	err := s.reading(ctx, func(r storage.Reader) (err error) {
		if e.search, err = s.parseSearch(ctx, r, e.request); err == nil {
			err = e.narrow(ctx, r)
		}
		if err == nil {
			first, err = s.pageOf(ctx, r, &e.search)
		}
		return err
	})
	if err != nil {
		return OperationResponse{}, failure("everything", q.Key, err)
	}
	if q.Count > 0 {
		first.matches, first.included, first.plan = e.returned(first.matches), e.returned(first.included), nil
		b, err := s.renderSearch(e.request, &e.search, &first)
		return OperationResponse{Body: b.Body}, err
	}
	if !first.found.after {
		w := &collected{}
		err := e.write(ctx, w, first)
		return OperationResponse{Body: w.body}, err
	}
	values := ctx
	return OperationResponse{Stream: func(ctx context.Context, w io.Writer) error { return e.write(carrying{ctx, values}, w, first) }}, nil
}

// narrow bounds the search of the compartment by the dates of care. All its members are read, whatever is returned: any may refer to what is.
func (e *everything) narrow(ctx context.Context, r storage.Reader) error {
	p := &e.search
	p.mentioned, p.count = true, e.ask.Count
	if p.count == 0 {
		p.count = everythingAtOnce
	}
	p.count = min(p.count, e.service.opt.MaxPage)
	if e.filtered() {
		p.total = search.TotalNone
	}
	for i := range p.finding {
		q := &p.finding[i]
		cared, err := e.caredFor(ctx, r, q.Types[0])
		if err != nil {
			return err
		}
		if cared != nil {
			q.Where = search.And{q.Where, cared}
		}
	}
	return nil
}

// filtered reports whether members of the compartment are read that may not be returned.
func (e *everything) filtered() bool { return len(e.ask.Types) > 0 || !e.ask.Since.IsZero() }

// careDates are the search parameters that tell when care was provided, of which a type's first counts.
var careDates = []string{"authoredon", "date", "occurrence", "effective", "effective-time", "started", "onset-date", "period", "whenhandedover", "whenprepared",
	"collected", "authored", "authored-on", "created", "sent", "datewritten", "datetime", "identified", "start-date", "recorded", "entered-date", "issued", "event-date"}

// caredFor returns the condition that care was provided between Start and End; nil where there is no bound, or the type tells of no care.
func (e *everything) caredFor(ctx context.Context, r storage.Reader, typ string) (search.Expr, error) {
	if e.ask.Start == "" && e.ask.End == "" {
		return nil, nil
	}
	code := ""
	for _, c := range careDates {
		if p, ok := e.service.parameters.Lookup(typ, c); ok && p.Type == "date" {
			code = c
			break
		}
	}
	if code == "" {
		return nil, nil
	}
	var within []search.Pair
	if e.ask.Start != "" {
		within = append(within, search.Pair{Name: code, Value: "ge" + e.ask.Start})
	}
	if e.ask.End != "" {
		within = append(within, search.Pair{Name: code, Value: "le" + e.ask.End})
	}
	either := search.Or{}
	for _, pairs := range [][]search.Pair{within, {{Name: code + ":missing", Value: "true"}}} {
		req, _, err := e.service.parse(ctx, &lookedUp{reader: r}, []string{typ}, pairs, false, search.ParseOptions{Now: e.search.place.moment})
		if err != nil {
			return nil, err
		}
		either = append(either, req.Where)
	}
	return either, nil
}

// returned takes out of records what the request does not ask for.
func (e *everything) returned(records []storage.Record) []storage.Record {
	return slices.DeleteFunc(records, func(rec storage.Record) bool {
		return len(e.ask.Types) > 0 && !slices.Contains(e.ask.Types, rec.Key.Type) || rec.Updated.Before(e.ask.Since)
	})
}

// write writes the whole record, beginning with the first chunk.
func (e *everything) write(ctx context.Context, w io.Writer, chunk pageRead) error {
	s, p := e.service, &e.search
	url := e.request.Base + "/" + e.request.Path
	if p.links != "" {
		url += "?" + p.links
	}
	a := newBundleWriter("searchset", s.ids.next(), p.place.moment, p.place.total, []link{{"self", url}}, int(bytesOf(chunk.matches)+bytesOf(chunk.included)))
	for {
		matches, included := e.returned(chunk.matches), e.returned(chunk.included)
		for i := range matches {
			a.match(e.request.Base, &matches[i], "", matches[i].Body, "match")
		}
		for i := range included {
			rec := &included[i]
			if v := (versionKey{rec.Key, rec.Version}); !e.sent[v] {
				e.sent[v] = true
				a.match(e.request.Base, rec, "", rec.Body, "include")
			}
		}
		if !chunk.found.after || len(chunk.found.rows) == 0 {
			break
		}
		if _, err := w.Write(a.dst); err != nil {
			return err
		}
		a.dst = a.dst[:0]
		p.place.position, p.later = chunk.found.rows[len(chunk.found.rows)-1].Position, true
		var err error
		if chunk, err = e.next(ctx); err != nil {
			return failure("everything", e.ask.Key, err)
		}
	}
	said := slices.CompactFunc(p.issues, func(a, b fhir.Issue) bool { return a.ID == b.ID && a.Text == b.Text }) // each chunk may say the same
	if issues := slices.Concat(said, s.incomplete(p.finding, p.includes)); len(issues) > 0 {
		a.outcome(fhir.AppendOutcome(nil, issues))
	}
	_, err := w.Write(a.done().Body)
	return err
}

// next reads the chunk that e.search asks for, in the time that a search may take.
func (e *everything) next(ctx context.Context) (chunk pageRead, err error) {
	if t := e.service.served.Load().SearchTime; t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t)
		defer cancel()
	}
	err = e.service.reading(ctx, func(r storage.Reader) (err error) {
		chunk, err = e.service.pageOf(ctx, r, &e.search)
		return err
	})
	return chunk, err
}

// carrying is a context with the values of another: a stream is written after the request was performed, within what its edge allows, and reads with
// what the request was performed with.
type carrying struct {
	context.Context
	values context.Context
}

// Value implements context.Context.
func (c carrying) Value(key any) any {
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

// mentionedIn returns what a record refers to by a literal reference or by the URL of an attachment, whether or not a search parameter follows it.
func (in *includer) mentionedIn(ctx context.Context, from *neighbourhood) (keys []fhir.Key, versions []versionKey, err error) {
	own := in.service.names(baseIn(ctx))
	for i := range from.records {
		r, err := from.resource(i)
		if err != nil {
			return nil, nil, err
		}
		for n := range literals(r.Node) {
			text, _ := own.cut(n.Text())
			name, version, versioned := strings.Cut(withoutFragment(text), "/_history/")
			key, ok := splitRelative(name)
			if !ok {
				continue
			}
			if _, ok := in.service.registry.Resource(key.Type); !ok || n.Name() == "url" && !isAttached(in.service.registry, n) {
				continue
			}
			if !versioned {
				keys = in.add(keys, key)
			} else if n, ok := parseVersion(version); ok && !in.shows(versionKey{key, n}) {
				versions = append(versions, versionKey{key, n})
			}
		}
	}
	return keys, versions, nil
}

// literals yields the members "reference" and "url" below n that are strings.
func literals(n fhir.Node) iter.Seq[fhir.Node] {
	return func(yield func(fhir.Node) bool) { eachLiteral(n, yield) }
}

func eachLiteral(n fhir.Node, yield func(fhir.Node) bool) bool {
	for c := n.First(); c.Valid(); c = c.Next() {
		switch c.Kind() {
		case fhir.Object, fhir.Array:
			if !eachLiteral(c, yield) {
				return false
			}
		case fhir.String:
			if name := c.Name(); (name == "reference" || name == "url") && !yield(c) {
				return false
			}
		}
	}
	return true
}

// collected is what was written, in memory.
type collected struct {
	body []byte
	most int64 // 0 for no bound
}

// errLong says that more was written than is collected.
var errLong = fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDTooMuchRead, "the response is too long to be written in one piece; ask for pages with _count, or for JSON without _pretty by a request of its own")

// Write implements io.Writer.
func (c *collected) Write(p []byte) (int, error) {
	if c.most > 0 && int64(len(c.body)+len(p)) > c.most {
		return 0, errLong
	}
	c.body = append(c.body, p...)
	return len(p), nil
}

// collect returns the resource that an operation writes piece by piece. One that is longer than what a response may hold in memory is refused.
func (s *Service) collect(ctx context.Context, o *OperationResponse) ([]byte, error) {
	w := &collected{most: pagesAtMost * s.opt.PageBytes}
	err := o.Stream(ctx, w)
	return w.body, err
}
