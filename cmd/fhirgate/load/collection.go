package load

import (
	"cmp"
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

// collect takes a Bundle apart that is not sent as it is (collection, searchset, history) and calls send with requests for its entries.
// Faults of single entries are given to fault, and those that it lets pass are left out.
func collect(d *document, send func(*job) error, fault func(place string, err error) error) error {
	if !d.targets.empty() && len(d.entries) <= transactionEntries && d.body.open == nil {
		// A transaction writes each resource once; a collection that has one twice goes in batches.
		if err := collectAs(d, "transaction", send, fault); err != errTwice {
			return err
		}
	}
	return collectAs(d, "batch", send, fault)
}

// errTwice says that a collection has a resource twice.
var errTwice = errors.New("a resource stands twice in the Bundle")

// collectAs is collect with requests of one kind. A transaction is sent at the end, so that nothing has been sent where it returns errTwice.
func collectAs(d *document, kind string, send func(*job) error, fault func(place string, err error) error) error {
	c := collector{d: d, send: send, b: &batch{kind: kind}, seen: make(map[fhir.Key]struct{})}
	err := d.eachEntry(maxEntry, func(i int, raw []byte) error {
		if err := c.entry(i, raw); err != nil {
			var f *fhir.Error
			if errors.As(err, &f) {
				return fault(entryPlace(i).in(d.place), err)
			}
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(c.b.ends) > 0 {
		return send(c.b.job(d.place))
	}
	return nil
}

// collector turns the entries of one Bundle into batches.
type collector struct {
	d    *document
	send func(*job) error
	b    *batch
	// seen holds the keys met in a history, whose first entry of a key is the newest version, and those put in a transaction.
	seen map[fhir.Key]struct{}
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
		c.b.add(entryPlace(i), fullURL, r, r.Raw())
		return nil
	}
	if !c.d.targets.empty() {
		if r, err = c.d.targets.resolve(r, fullURL); err != nil {
			return err
		}
	}
	c.b.add(entryPlace(i), "", r, r.Raw())
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
		return false
	}
	c.seen[key] = struct{}{}
	return e.Get("request").Get("method").Text() != http.MethodDelete
}

// resolve returns the resource with references to urn: fullUrls of its Bundle made relative, and with an id where its own fullUrl gives one.
// References are what stands under the names reference, url, uri, valueUri and valueUrl.
func (t *targets) resolve(r fhir.Resource, fullURL string) (fhir.Resource, error) {
	var edits []fhir.Edit
	if r.ID() == "" {
		if _, id, ok := t.find(fullURL); ok {
			_, end := r.Get("resourceType").Span()
			edits = append(edits, fhir.Edit{Start: end, End: end, Text: fhir.AppendString([]byte(`,"id":`), id)})
		}
	}
	edits = t.edits(r.Node, edits)
	if len(edits) == 0 {
		return r, nil
	}
	slices.SortFunc(edits, func(a, b fhir.Edit) int { return cmp.Compare(a.Start, b.Start) })
	return fhir.ParseResource(r.Splice(edits), fhir.Limits{})
}

// edits appends the replacements for the references in and below n.
func (t *targets) edits(n fhir.Node, edits []fhir.Edit) []fhir.Edit {
	for c := range n.Children() {
		switch c.Kind() {
		case fhir.Object, fhir.Array:
			edits = t.edits(c, edits)
		case fhir.String:
			switch c.Name() {
			case "reference", "url", "uri", "valueUri", "valueUrl":
				if !strings.HasPrefix(c.Text(), "urn:") {
					continue
				}
				if typ, id, ok := t.find(c.Text()); ok {
					start, end := c.Span()
					edits = append(edits, fhir.Edit{Start: start, End: end, Text: fhir.AppendString(nil, typ+"/"+id)})
				}
			}
		}
	}
	return edits
}
