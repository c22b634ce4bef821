package fhir

import (
	"strconv"
	"time"
)

// Resource is a Node that is known to be an object with a resourceType of a resource type's form. It may be a document's root or any
// subtree, as a Bundle's entry is.
type Resource struct{ Node }

// ParseResource parses src as Parse does and checks that it is a resource. Whether the type exists is for the definitions to say.
func ParseResource(src []byte, lim Limits) (Resource, error) {
	t, err := Parse(src, lim)
	if err != nil {
		return Resource{}, err
	}
	return AsResource(t.Root())
}

// AsResource checks that n is a resource: an *Error of KindInvalid with the issue id resource-type says why it is not.
func AsResource(n Node) (Resource, error) {
	if n.Kind() != Object {
		return Resource{}, NewError(KindInvalid, IssueStructure, IDResourceType, "a resource must be a JSON object")
	}
	rt := n.Get("resourceType")
	switch {
	case !rt.Valid():
		return Resource{}, NewError(KindInvalid, IssueStructure, IDResourceType, "resourceType is missing; it must name the type of the resource, such as \"Patient\"")
	case rt.Kind() != String || !ValidTypeName(rt.Text()):
		return Resource{}, NewError(KindInvalid, IssueStructure, IDResourceType, "resourceType must be the name of a resource type, such as \"Patient\"")
	}
	return Resource{n}, nil
}

// Type returns the resourceType.
func (r Resource) Type() string { return r.Get("resourceType").Text() }

// ID returns the logical id as written; "" where there is none.
func (r Resource) ID() string {
	if id := r.Get("id"); id.Kind() == String {
		return id.Text()
	}
	return ""
}

// Key returns the resource's type and id.
func (r Resource) Key() Key { return Key{r.Type(), r.ID()} }

// WithoutID returns the resource minified without its member id.
func (r Resource) WithoutID() (Resource, error) {
	dst := make([]byte, 0, len(r.Raw()))
	dst = append(dst, '{')
	for c := range r.Children() {
		if c.Name() == "id" {
			continue
		}
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = c.appendMember(dst)
	}
	return ParseResource(append(dst, '}'), Limits{})
}

// FormatInstant renders t in UTC with microseconds, "2026-11-23T09:30:00.123456Z", the form of every meta.lastUpdated.
func FormatInstant(t time.Time) string { return t.UTC().Format(instantLayout) }

const instantLayout = "2006-01-02T15:04:05.000000Z"

// Stamp returns the resource minified with its id, meta.versionId and meta.lastUpdated set to what is given; all else, the order of
// elements included, stays as it was written. An id or meta that is not there is put after resourceType and after id. It is what engines
// store and clients read (R4 resource, Resource.meta).
func (r Resource) Stamp(id string, version int64, updated time.Time) []byte {
	dst := make([]byte, 0, len(r.Raw())+160)
	dst = append(dst, '{')
	hasID, hasMeta := r.Get("id").Valid(), r.Get("meta").Kind() == Object
	comma := func() {
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
	}
	putMeta := func() {
		comma()
		dst = append(dst, `"meta":`...)
		dst = appendMeta(dst, r.Get("meta"), version, updated)
	}
	putID := func() {
		comma()
		dst = append(dst, `"id":`...)
		dst = AppendString(dst, id)
		if !hasMeta {
			putMeta()
		}
	}
	for c := range r.Children() {
		switch c.Name() {
		case "id":
			putID()
		case "meta":
			if hasMeta {
				putMeta()
			}
		default:
			comma()
			dst = c.appendMember(dst)
			if c.Name() == "resourceType" && !hasID {
				putID()
			}
		}
	}
	return append(dst, '}')
}

// appendMeta appends meta with versionId and lastUpdated in front and everything else of it behind.
func appendMeta(dst []byte, meta Node, version int64, updated time.Time) []byte {
	dst = append(dst, `{"versionId":"`...)
	dst = strconv.AppendInt(dst, version, 10)
	dst = append(dst, `","lastUpdated":"`...)
	dst = updated.UTC().AppendFormat(dst, instantLayout)
	dst = append(dst, '"')
	for c := range meta.Children() {
		if n := c.Name(); n == "versionId" || n == "lastUpdated" {
			continue
		}
		dst = append(dst, ',')
		dst = c.appendMember(dst)
	}
	return append(dst, '}')
}

// appendMember appends the member's name, as it is spelled, and its value.
func (n Node) appendMember(dst []byte) []byte {
	dst = append(dst, '"')
	dst = append(dst, n.RawName()...)
	dst = append(dst, '"', ':')
	return n.AppendJSON(dst)
}

// Edit replaces the bytes from Start to End (offsets in a Tree's bytes, as Node.Span gives them) by Text, which must be JSON.
type Edit struct {
	Start, End int
	Text       []byte
}

// Splice returns n's raw bytes with the edits made. Edits must be in document order, lie inside of n and not overlap.
func (n Node) Splice(edits []Edit) []byte {
	start, end := n.Span()
	grow := 0
	for _, e := range edits {
		grow += len(e.Text)
	}
	dst := make([]byte, 0, end-start+grow)
	for _, e := range edits {
		dst = append(dst, n.t.src[start:e.Start]...)
		dst = append(dst, e.Text...)
		start = e.End
	}
	return append(dst, n.t.src[start:end]...)
}

// AppendEdited appends n without white space between tokens, as AppendJSON does, with the edits made. Edits are as Splice's, and replace
// whole values.
func (n Node) AppendEdited(dst []byte, edits []Edit) []byte {
	start, end := n.Span()
	copyTo := func(stop int) {
		if n.t.spaced {
			dst = appendMinified(dst, n.t.src[start:stop])
		} else {
			dst = append(dst, n.t.src[start:stop]...)
		}
	}
	for _, e := range edits {
		copyTo(e.Start)
		dst = append(dst, e.Text...)
		start = e.End
	}
	copyTo(end)
	return dst
}
