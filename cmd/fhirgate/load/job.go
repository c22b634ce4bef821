package load

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// job is one request to be sent, with what has to be known to try it again and to count it.
type job struct {
	method string
	// path is relative to the server's base; "" for the base itself.
	path string
	body *body
	// place names the job's origin for messages.
	place string
	// entries are the resources that the job stands for: one, or those of a Bundle in its order.
	entries []entry
	// bundle is set where the response is a Bundle with one entry a resource.
	bundle bool
	// safe is set where sending the job twice does what sending it once does.
	safe bool
	// items holds the entries of a batch made here, so that some of them can be sent again; nil for any other job.
	items *batch
	// input and unit are those of a document that is sent as it is; the entries of items have their own.
	input *input
	unit  unit
}

// count returns how many resources the job stands for.
func (j *job) count() int64 { return int64(max(1, len(j.entries))) }

// entryPlace names the i-th entry of the job for messages.
func (j *job) entryPlace(i int) string {
	switch {
	case j.items != nil:
		return j.items.places[i].in(j.place)
	case j.bundle:
		return entryPlace(i).in(j.place)
	}
	return j.place
}

// place says where in a source an entry of a batch stands.
type place struct {
	// line is the line of a resource in a sequence; 0 where the entry is one of a Bundle, whose index is then entry; negative where the
	// resource is alone in its source.
	line, entry int
	// source is the entry's own source in a batch of several.
	source string
	// input and unit are the entry's for the journal.
	input *input
	unit  unit
}

func entryPlace(i int) place { return place{entry: i} }

// in names the place within a source.
func (p place) in(source string) string {
	if p.source != "" {
		source = p.source
	}
	if p.line < 0 {
		return source
	}
	if p.line > 0 {
		return fmt.Sprintf("%s, line %d", source, p.line)
	}
	return fmt.Sprintf("%s, Bundle.entry[%d]", source, p.entry)
}

// jobOf returns the request for a Bundle that is sent as it is, or for a resource alone.
func jobOf(d *document) *job {
	u := unitOf(d.sum)
	if d.resourceType == "Bundle" && (d.kind == "transaction" || d.kind == "batch") {
		return &job{method: http.MethodPost, body: d.body, place: d.place, entries: d.entries, bundle: true, safe: repeatable(d.entries), unit: u}
	}
	j := &job{method: http.MethodPost, path: "/" + url.PathEscape(d.resourceType), body: d.body, place: d.place,
		entries: []entry{{d.resourceType, http.MethodPost}}, unit: u}
	if d.id != "" {
		j.method, j.safe = http.MethodPut, true
		j.path += "/" + url.PathEscape(d.id)
		j.entries[0].method = http.MethodPut
	}
	return j
}

// repeatable reports whether a Bundle with these entries may be sent twice.
func repeatable(entries []entry) bool {
	for _, e := range entries {
		if !e.repeatable() {
			return false
		}
	}
	return true
}

// repeatable reports whether the entry may be sent twice.
func (e entry) repeatable() bool {
	return e.method != http.MethodPost && e.method != http.MethodPatch && e.method != ""
}

// Entries a batch made here has at most, and bytes at which it is sent.
const (
	batchEntries = 200
	batchBytes   = 2 << 20
)

// batch collects entries for a Bundle that is made here.
type batch struct {
	kind    string
	buf     []byte
	ends    []int
	entries []entry
	places  []place
	// targets makes a transaction's references relative where it is split; nil where it has none among its entries.
	targets *targets
}

// add appends an entry. fullURL may be "". The resource's bytes go in as they are.
func (b *batch) add(at place, fullURL string, r fhir.Resource, raw []byte) {
	method, target := http.MethodPost, r.Type()
	if id := r.ID(); id != "" {
		method, target = http.MethodPut, r.Type()+"/"+id
	}
	b.buf = append(b.buf, '{')
	if fullURL != "" {
		b.buf = append(b.buf, `"fullUrl":`...)
		b.buf = fhir.AppendString(b.buf, fullURL)
		b.buf = append(b.buf, ',')
	}
	b.buf = append(b.buf, `"resource":`...)
	b.buf = append(b.buf, raw...)
	b.buf = append(b.buf, `,"request":{"method":"`...)
	b.buf = append(b.buf, method...)
	b.buf = append(b.buf, `","url":`...)
	b.buf = fhir.AppendString(b.buf, target)
	b.buf = append(b.buf, '}', '}')
	b.ends = append(b.ends, len(b.buf))
	// The type is a part of the resource's buffer, which is used again.
	b.entries = append(b.entries, entry{strings.Clone(r.Type()), method})
	b.places = append(b.places, at)
}

// full reports whether the batch is to be sent before another entry is added.
func (b *batch) full() bool { return len(b.ends) >= batchEntries || len(b.buf) >= batchBytes }

// item returns the bytes of the i-th entry.
func (b *batch) item(i int) []byte {
	start := 0
	if i > 0 {
		start = b.ends[i-1]
	}
	return b.buf[start:b.ends[i]]
}

// pick returns a batch of some of the entries.
func (b *batch) pick(which []int) *batch {
	out := &batch{kind: b.kind, targets: b.targets}
	for _, i := range which {
		out.buf = append(out.buf, b.item(i)...)
		out.ends = append(out.ends, len(out.buf))
		out.entries = append(out.entries, b.entries[i])
		out.places = append(out.places, b.places[i])
	}
	return out
}

// job returns the request that sends the batch.
func (b *batch) job(source string) *job {
	head := []byte(`{"resourceType":"Bundle","type":"` + b.kind + `","entry":[`)
	parts := make([][]byte, 0, 2*len(b.ends)+1)
	size := len(head) + 2
	parts = append(parts, head)
	for i := range b.ends {
		if i > 0 {
			parts = append(parts, []byte{','})
			size++
		}
		it := b.item(i)
		parts = append(parts, it)
		size += len(it)
	}
	parts = append(parts, []byte("]}"))
	open := func() (io.ReadCloser, error) {
		rs := make([]io.Reader, len(parts))
		for i, p := range parts {
			rs[i] = bytes.NewReader(p)
		}
		return io.NopCloser(io.MultiReader(rs...)), nil
	}
	return &job{method: http.MethodPost, body: &body{open: open, size: int64(size)}, place: source, entries: b.entries,
		bundle: true, safe: repeatable(b.entries), items: b}
}
