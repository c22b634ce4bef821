package load

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// maxEntry bounds one entry of a Bundle that is taken apart, and one resource of a sequence that is sent in a batch.
const maxEntry = 64 << 20

// transactionEntries is how many entries a collection may have to be sent as one transaction. It must be held in memory, too.
const transactionEntries = 1000

// collect splits a Bundle that is not sent as it is (collection, searchset, history) and calls send with requests for its entries. Faults of
// single entries are given to fault, and those that it lets pass are left out.
func (l *loader) collect(d *document, send func(*job) error) error {
	if d.targets.urns() && len(d.entries) <= transactionEntries && d.body.open == nil {
		// A transaction writes each resource once; a collection that has one twice goes in batches.
		if err := l.collectAs(d, "transaction", send); err != errTwice {
			return err
		}
	}
	return l.collectAs(d, "batch", send)
}

// errTwice says that a collection has a resource twice.
var errTwice = errors.New("a resource appears twice in the Bundle")

// collectAs is collect with requests of one kind. A transaction is sent at the end, so that nothing has been sent where it returns errTwice.
func (l *loader) collectAs(d *document, kind string, send func(*job) error) error {
	c := collector{l: l, d: d, send: send, b: &batch{kind: kind}, seen: make(map[fhir.Key]struct{})}
	if kind == "transaction" {
		c.b.targets = &d.targets
	}
	err := d.eachEntry(maxEntry, func(i int, raw []byte) error {
		if err := c.entry(i, raw); err != nil {
			var f *fhir.Error
			if errors.As(err, &f) {
				return l.fault(entryPlace(i).in(d.place), err)
			}
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.tally.deletions.Add(c.deletions)
	l.tally.superseded.Add(c.superseded)
	if kind == "transaction" {
		if c.b, err = l.admitAll(c.b, d.place); err != nil {
			return err
		}
	}
	if len(c.b.ends) > 0 {
		return send(c.b.job(d.place))
	}
	return nil
}

// collector turns the entries of one Bundle into batches.
type collector struct {
	l    *loader
	d    *document
	send func(*job) error
	b    *batch
	// seen holds the keys met in a history, whose first entry of a key is the newest version, and those put in a transaction.
	seen map[fhir.Key]struct{}
	// deletions counts the resources that a history says are deleted, superseded its older versions.
	deletions, superseded int64
}

// entry adds one entry's resource to the batch. An *fhir.Error concerns this entry alone.
func (c *collector) entry(i int, raw []byte) error {
	t, err := fhir.Parse(raw, fhir.Limits{})
	if err != nil {
		return err
	}
	e := t.Root()
	if e.Get("search").Get("mode").Text() == "outcome" {
		return nil
	}
	if c.d.kind == "history" && !c.newest(e) {
		return nil
	}
	if !e.Get("resource").Valid() {
		return nil
	}
	r, err := fhir.AsResource(e.Get("resource"))
	if err != nil {
		return err
	}
	fullURL := e.Get("fullUrl").Text()
	if c.b.kind == "transaction" {
		if key := r.Key(); key.ID != "" && c.d.kind != "history" {
			if _, ok := c.seen[key]; ok {
				return errTwice
			}
			c.seen[key] = struct{}{}
		}
	}
	if !c.d.targets.empty() {
		if r, err = c.d.targets.resolve(r, fullURL, c.b.kind == "transaction"); err != nil {
			return err
		}
	}
	if c.b.kind == "transaction" {
		c.b.add(entryPlace(i), fullURL, r, r.Raw())
		return nil
	}
	at, ok, err := c.l.admit(entryPlace(i), c.d.place, sha256.Sum256(raw), r.ID() != "")
	if err != nil || !ok {
		return err
	}
	c.b.add(at, "", r, r.Raw())
	if c.b.full() {
		b := c.b
		c.b = &batch{kind: b.kind}
		return c.send(b.job(c.d.place))
	}
	return nil
}

// newest reports whether the entry of a history is the newest version of its resource and not a deletion.
func (c *collector) newest(e fhir.Node) bool {
	key := fhir.Key{Type: e.Get("resource").Get("resourceType").Text(), ID: e.Get("resource").Get("id").Text()}
	if key.ID == "" {
		url := e.Get("request").Get("url").Text()
		if url == "" {
			url = e.Get("fullUrl").Text()
		}
		url, _, _ = strings.Cut(url, "/_history")
		parts := strings.Split(url, "/")
		if len(parts) < 2 {
			return true
		}
		key = fhir.Key{Type: parts[len(parts)-2], ID: parts[len(parts)-1]}
	}
	// The bytes of the entry are not kept for the sake of its key.
	key = fhir.Key{Type: strings.Clone(key.Type), ID: strings.Clone(key.ID)}
	if _, ok := c.seen[key]; ok {
		c.superseded++
		return false
	}
	c.seen[key] = struct{}{}
	if e.Get("request").Get("method").Text() == http.MethodDelete {
		c.deletions++
		return false
	}
	return true
}

// resolve returns the resource with references to fullUrls of its Bundle made relative, and with an id where its own fullUrl gives one. In a
// transaction those that are urn: are left to the server. References to a urn: are the values of elements reference, url, uri, valueUri and
// valueUrl; references to an absolute URL are those of reference, and of url where it is not a canonical URL (Attachment.url).
func (t *targets) resolve(r fhir.Resource, fullURL string, transaction bool) (fhir.Resource, error) {
	var edits []fhir.Edit
	if r.ID() == "" && !transaction {
		if _, id, ok := t.find(fullURL); ok {
			_, end := r.Get("resourceType").Span()
			edits = append(edits, fhir.Edit{Start: end, End: end, Text: fhir.AppendString([]byte(`,"id":`), id)})
		}
	}
	edits = t.edits(r.Node, transaction, edits)
	if len(edits) == 0 {
		return r, nil
	}
	slices.SortFunc(edits, func(a, b fhir.Edit) int { return cmp.Compare(a.Start, b.Start) })
	return fhir.ParseResource(r.Splice(edits), fhir.Limits{})
}

// edits appends the replacements for the references in and below n.
func (t *targets) edits(n fhir.Node, transaction bool, edits []fhir.Edit) []fhir.Edit {
	for c := range n.Children() {
		switch c.Kind() {
		case fhir.Object, fhir.Array:
			edits = t.edits(c, transaction, edits)
		case fhir.String:
			if !t.refers(c.Name(), c.Text(), transaction) {
				continue
			}
			if typ, id, ok := t.find(c.Text()); ok {
				start, end := c.Span()
				edits = append(edits, fhir.Edit{Start: start, End: end, Text: fhir.AppendString(nil, typ+"/"+id)})
			}
		}
	}
	return edits
}

// refers reports whether an element's value can be a reference to a fullUrl that is to be made relative.
func (t *targets) refers(element, value string, transaction bool) bool {
	switch element {
	case "reference", "url", "uri", "valueUri", "valueUrl":
		if strings.HasPrefix(value, "urn:") {
			return !transaction
		}
	}
	return isAbsolute(value) && (element == "reference" || element == "url" && !t.canonical(value))
}

// split returns a transaction that the server refused as a batch, with its references made relative here.
func (b *batch) split() (*batch, error) {
	out := &batch{kind: "batch"}
	for i := range b.ends {
		t, err := fhir.Parse(b.item(i), fhir.Limits{})
		if err != nil {
			return nil, err
		}
		r, err := fhir.AsResource(t.Root().Get("resource"))
		if err != nil {
			return nil, err
		}
		if r, err = b.targets.resolve(r, t.Root().Get("fullUrl").Text(), false); err != nil {
			return nil, err
		}
		out.add(b.places[i], "", r, r.Raw())
	}
	return out, nil
}
