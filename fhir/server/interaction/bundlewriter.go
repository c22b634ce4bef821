package interaction

import (
	"net/http"
	"strconv"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// link is one Bundle.link.
type link struct{ relation, url string }

// bundleWriter writes a Bundle of type searchset, history, batch-response or transaction-response piece by piece (R4 bundle).
type bundleWriter struct {
	dst     []byte
	buffer  *[]byte // of dst
	entries int
	updated time.Time
	// apart leaves resources where they are: dst then has what is between them, and cuts tell where each belongs.
	apart bool
	cuts  []cut
}

// cut is a place in what a Bundle has between its resources, and the resource there.
type cut struct {
	at   int
	body []byte
}

// apartFrom is the length from which a page that may be written in pieces is not copied together: for so much a client that reads slowly would hold
// twice.
const apartFrom = 1 << 20

// newPage starts the Bundle of a page whose bodies have so many bytes; apart allows to leave these where they are.
func newPage(kind, id string, moment time.Time, total int64, links []link, entries int, bytes int64, apart bool) *bundleWriter {
	size := 1024 + 200*entries
	apart = apart && bytes >= apartFrom
	if !apart {
		size += int(bytes)
	}
	a := newBundleWriter(kind, id, moment, total, links, size)
	a.apart = apart
	return a
}

// newBundleWriter starts a Bundle; total is left out where it is negative. size is about how long it will be.
func newBundleWriter(kind, id string, moment time.Time, total int64, links []link, size int) *bundleWriter {
	a := &bundleWriter{buffer: buffers.Get().(*[]byte)}
	if a.dst = (*a.buffer)[:0]; cap(a.dst) < size+512 {
		a.dst = make([]byte, 0, size+512)
	}
	a.dst = append(a.dst, `{"resourceType":"Bundle","id":"`...)
	a.dst = append(a.dst, id...)
	a.dst = append(a.dst, `","meta":{"lastUpdated":"`...)
	a.dst = append(a.dst, fhir.FormatInstant(moment)...)
	a.dst = append(a.dst, `"},"type":"`...)
	a.dst = append(a.dst, kind...)
	a.dst = append(a.dst, '"')
	if total >= 0 {
		a.dst = append(a.dst, `,"total":`...)
		a.dst = strconv.AppendInt(a.dst, total, 10)
	}
	for i, l := range links {
		if i == 0 {
			a.dst = append(a.dst, `,"link":[`...)
		} else {
			a.dst = append(a.dst, ',')
		}
		a.dst = append(a.dst, `{"relation":"`...)
		a.dst = append(a.dst, l.relation...)
		a.dst = append(a.dst, `","url":`...)
		a.dst = fhir.AppendString(a.dst, l.url)
		a.dst = append(a.dst, '}')
	}
	if len(links) > 0 {
		a.dst = append(a.dst, ']')
	}
	return a
}

// open starts an entry; close ends it.
func (a *bundleWriter) open() {
	if a.entries == 0 {
		a.dst = append(a.dst, `,"entry":[{`...)
	} else {
		a.dst = append(a.dst, `,{`...)
	}
	a.entries++
}

func (a *bundleWriter) close() { a.dst = append(a.dst, '}') }

// fullURL writes the entry's first member.
func (a *bundleWriter) fullURL(base string, key fhir.Key) {
	a.dst = append(a.dst, `"fullUrl":`...)
	a.dst = fhir.AppendString(a.dst, base)
	a.dst = append(a.dst[:len(a.dst)-1], '/')
	a.dst = append(a.dst, key.Type...)
	a.dst = append(a.dst, '/')
	a.dst = append(a.dst, key.ID...)
	a.dst = append(a.dst, '"')
}

// comma separates a member from the one before it, if there is one.
func (a *bundleWriter) comma() {
	if a.dst[len(a.dst)-1] != '{' {
		a.dst = append(a.dst, ',')
	}
}

// body writes a member whose value is the JSON of a resource.
func (a *bundleWriter) body(name string, body []byte) {
	a.comma()
	a.dst = append(a.dst, '"')
	a.dst = append(a.dst, name...)
	a.dst = append(a.dst, `":`...)
	if a.apart {
		a.cuts = append(a.cuts, cut{len(a.dst), body})
		return
	}
	a.dst = append(a.dst, body...)
}

// see notes a version that the Bundle tells of.
func (a *bundleWriter) see(updated time.Time) {
	if updated.After(a.updated) {
		a.updated = updated
	}
}

// match writes a search's entry: of a record, or of the resource with an id that it contains.
func (a *bundleWriter) match(base string, rec *storage.Record, contained string, body []byte, mode string) {
	a.open()
	a.fullURL(base, rec.Key)
	if contained != "" {
		fragment := fhir.AppendString(nil, "#"+contained)
		a.dst = append(a.dst[:len(a.dst)-1], fragment[1:]...)
	}
	a.body("resource", body)
	a.dst = append(a.dst, `,"search":{"mode":"`...)
	a.dst = append(a.dst, mode...)
	a.dst = append(a.dst, `"}`...)
	a.close()
	a.see(rec.Updated)
}

// outcome writes a search's entry that holds an OperationOutcome about the search itself.
func (a *bundleWriter) outcome(body []byte) {
	a.open()
	a.body("resource", body)
	a.dst = append(a.dst, `,"search":{"mode":"outcome"}`...)
	a.close()
}

// historyOutcome writes a history's entry that holds an OperationOutcome about the history at path itself. Like every entry of a history it has a request and
// a response, but no resource, because it is not about a version.
func (a *bundleWriter) historyOutcome(path string, outcome []byte) {
	a.open()
	a.dst = append(a.dst, `"request":{"method":"GET","url":`...)
	a.dst = fhir.AppendString(a.dst, path)
	a.dst = append(a.dst, `},"response":{"status":"`...)
	a.dst = appendStatus(a.dst, http.StatusOK)
	a.dst = append(a.dst, `","outcome":`...)
	a.dst = append(a.dst, outcome...)
	a.dst = append(a.dst, '}')
	a.close()
}

// version writes a history's entry (R4 http, 3.1.0.15 history).
func (a *bundleWriter) version(base string, rec storage.Record) {
	a.open()
	a.fullURL(base, rec.Key)
	if !rec.Deleted {
		a.body("resource", rec.Body)
	}
	a.dst = append(a.dst, `,"request":{"method":"`...)
	a.dst = append(a.dst, rec.Method...)
	a.dst = append(a.dst, `","url":"`...)
	a.dst = append(a.dst, rec.Key.Type...)
	if rec.Method != http.MethodPost {
		a.dst = append(a.dst, '/')
		a.dst = append(a.dst, rec.Key.ID...)
	}
	a.dst = append(a.dst, `"},"response":{"status":"`...)
	switch {
	case rec.Deleted:
		a.dst = appendStatus(a.dst, http.StatusNoContent)
	case rec.Version == 1, rec.Revived:
		a.dst = appendStatus(a.dst, http.StatusCreated)
	default:
		a.dst = appendStatus(a.dst, http.StatusOK)
	}
	a.dst = append(a.dst, '"')
	a.dst = appendVersionMembers(a.dst, rec)
	a.dst = append(a.dst, '}')
	a.close()
	a.see(rec.Updated)
}

// appendVersionMembers appends etag and lastModified of a response.
func appendVersionMembers(dst []byte, rec storage.Record) []byte {
	dst = append(dst, `,"etag":"W/\"`...)
	dst = strconv.AppendInt(dst, rec.Version, 10)
	dst = append(dst, `\"","lastModified":"`...)
	dst = append(dst, fhir.FormatInstant(rec.Updated)...)
	return append(dst, '"')
}

// appendStatus appends code and text, "201 Created".
func appendStatus(dst []byte, status int) []byte {
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	return append(dst, http.StatusText(status)...)
}

// done ends the Bundle.
func (a *bundleWriter) done() Bundle {
	if a.entries > 0 {
		a.dst = append(a.dst, ']')
	}
	a.dst = append(a.dst, '}')
	if !a.apart {
		return Bundle{Body: a.dst, Updated: a.updated, buffer: a.buffer}
	}
	parts, from := make([][]byte, 0, 2*len(a.cuts)+1), 0
	for _, c := range a.cuts {
		parts, from = append(parts, a.dst[from:c.at], c.body), c.at
	}
	return Bundle{Parts: append(parts, a.dst[from:]), Updated: a.updated}
}
