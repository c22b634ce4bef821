package mongodb

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// The members of a stored document. Those of the index are in index.go.
const (
	fieldID       = "_id"      // current: the logical id; superseded: see versionID
	fieldVersion  = "version"  // int64
	fieldUpdated  = "updated"  // int64, microseconds since 1970 in UTC
	fieldMethod   = "method"   // the HTTP method that made the version
	fieldDeleted  = "deleted"  // true for a deletion; absent otherwise
	fieldRevived  = "revived"  // true for a version that follows a deletion; absent otherwise
	fieldResource = "resource" // the FHIR resource as a document
	fieldJSON     = "json"     // the resource as text, where the document does not render to it byte for byte
)

// maxDocument is the size up to which a document is sent: MongoDB's limit of 16 MiB less what its own bookkeeping may add.
const maxDocument = 16<<20 - 16<<10

// versionID is the _id of a superseded version. The mark comes before every byte of an id, so that versions are ordered as their resources
// are, and those of one resource are one range, oldest first.
func versionID(id string, version int64) string { return fmt.Sprintf("%s#%010d", id, version) }

// resourceID returns the logical id in a versionID.
func resourceID(versionID string) string {
	id, _, _ := strings.Cut(versionID, "#")
	return id
}

// appendRecord appends the members of a version but for _id and the index to a document under construction. It returns the further documents
// of a body that does not fit in it.
func (l *limits) appendRecord(dst []byte, rec storage.Record) ([]byte, []any, error) {
	dst = bsoncore.AppendInt64Element(dst, fieldVersion, rec.Version)
	dst = bsoncore.AppendInt64Element(dst, fieldUpdated, rec.Updated.UnixMicro())
	dst = bsoncore.AppendStringElement(dst, fieldMethod, rec.Method)
	if rec.Deleted {
		return bsoncore.AppendBooleanElement(dst, fieldDeleted, true), nil, nil
	}
	if rec.Revived {
		dst = bsoncore.AppendBooleanElement(dst, fieldRevived, true)
	}
	tree, err := fhir.Parse(rec.Body, fhir.Limits{})
	if err != nil { // what is no JSON is kept as it is
		if len(rec.Body) > l.body {
			return l.appendPacked(dst, rec, nil)
		}
		return bsoncore.AppendBinaryElement(dst, fieldJSON, bson.TypeBinaryGeneric, rec.Body), nil, nil
	}
	mark := len(dst)
	dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, fieldResource)
	start := len(dst)
	dst, ok := appendBSON(dst, tree.Root(), 1)
	if ok && len(dst)-start > l.body {
		return l.appendPacked(dst[:mark:mark], rec, dst[start:])
	}
	same := ok && bytes.Equal(appendJSON(make([]byte, 0, len(rec.Body)), dst[start:]), rec.Body)
	switch {
	case !ok && len(rec.Body) > l.body:
		return l.appendPacked(dst[:mark], rec, nil)
	case !ok:
		dst = bsoncore.AppendStringElement(dst[:mark], fieldJSON, string(rec.Body))
	case !same && len(rec.Body) > l.body:
		return l.appendPacked(dst[:mark:mark], rec, dst[start:])
	case !same:
		dst = bsoncore.AppendStringElement(dst, fieldJSON, string(rec.Body))
	}
	return dst, nil, nil
}

// record is a version as its own document tells it. Where its body is packed it has parts, and none yet.
type record struct {
	storage.Record
	parts, size int
}

// decodeRecord reads a version of a resource of type typ from its document, current or superseded.
func decodeRecord(typ string, raw bson.Raw) (record, error) {
	rec := record{Record: storage.Record{Key: fhir.Key{Type: typ}}}
	var doc, text bsoncore.Value
	for rest := body(raw); ; {
		name, v, tail, ok := nextElement(rest)
		if !ok {
			break
		}
		rest = tail
		switch name {
		case fieldID:
			s, _ := v.StringValueOK()
			rec.Key.ID = resourceID(s)
		case fieldVersion:
			rec.Version, _ = v.Int64OK()
		case fieldUpdated:
			us, _ := v.Int64OK()
			rec.Updated = time.UnixMicro(us).UTC()
		case fieldMethod:
			rec.Method, _ = v.StringValueOK()
		case fieldDeleted:
			rec.Deleted, _ = v.BooleanOK()
		case fieldRevived:
			rec.Revived, _ = v.BooleanOK()
		case fieldResource:
			doc = v
		case fieldJSON:
			text = v
		case fieldPacked:
			d, _ := v.DocumentOK()
			rec.parts = intOf(d, memberParts)
			rec.size = intOf(d, memberSize)
		}
	}
	switch {
	case rec.Version == 0:
		return rec, fmt.Errorf("mongodb: a document of %s has no version", typ)
	case rec.parts > 0:
	case text.Type == bsoncore.TypeString:
		rec.Body = []byte(text.StringValue())
	case text.Type == bsoncore.TypeBinary:
		_, b := text.Binary()
		rec.Body = append([]byte{}, b...)
	case doc.Type == bsoncore.TypeEmbeddedDocument:
		rec.Body = appendJSON(make([]byte, 0, len(doc.Data)), doc.Data)
	case !rec.Deleted:
		return rec, fmt.Errorf("mongodb: a document of %s has no resource", typ)
	}
	return rec, nil
}

// intOf returns an integer member; 0 where there is none.
func intOf(doc bsoncore.Document, name string) int {
	n, _ := doc.Lookup(name).AsInt64OK()
	return int(n)
}
