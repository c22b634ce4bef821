package mongodb

import (
	"bytes"
	"math"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/fhirgate/fhirgate/fhir"
)

// A resource is stored as a BSON document with its members in their order, so that people can query it: strings as strings, integers as
// int64, other numbers as Decimal128, which keeps trailing zeros. Most resources come back from that byte for byte. What does not (an
// escape like \u00e9, an exponent, more than 34 digits, nesting past what MongoDB stores) is kept as text beside the document, and read
// from there; appendBSON is told by comparing what appendJSON makes of its result.

// maxNesting is the depth up to which a resource is stored as a document: MongoDB refuses documents nested deeper than 100, and the
// resource is one level deep in its own.
const maxNesting = 95

// appendBSON appends the object n as a BSON document. ok is false where it is nested too deep or a member name can't be a BSON key (it
// holds NUL); dst is then of no use.
func appendBSON(dst []byte, n fhir.Node, depth int) (_ []byte, ok bool) {
	if depth > maxNesting {
		return dst, false
	}
	at, dst := bsoncore.AppendDocumentStart(dst)
	for c := range n.Children() {
		name := c.Name()
		if bytes.IndexByte([]byte(name), 0) >= 0 {
			return dst, false
		}
		if dst, ok = appendValue(dst, name, c, depth); !ok {
			return dst, false
		}
	}
	dst, err := bsoncore.AppendDocumentEnd(dst, at)
	return dst, err == nil
}

// appendValue appends the member or item c under the key name.
func appendValue(dst []byte, name string, c fhir.Node, depth int) (_ []byte, ok bool) {
	switch c.Kind() {
	case fhir.Object:
		dst = bsoncore.AppendHeader(dst, bsoncore.TypeEmbeddedDocument, name)
		return appendBSON(dst, c, depth+1)
	case fhir.Array:
		if depth+1 > maxNesting {
			return dst, false
		}
		var at int32
		at, dst = bsoncore.AppendArrayElementStart(dst, name)
		i := 0
		for item := range c.Children() {
			if dst, ok = appendValue(dst, strconv.Itoa(i), item, depth+1); !ok {
				return dst, false
			}
			i++
		}
		dst, err := bsoncore.AppendArrayEnd(dst, at)
		return dst, err == nil
	case fhir.String:
		return bsoncore.AppendStringElement(dst, name, c.Text()), true
	case fhir.Bool:
		return bsoncore.AppendBooleanElement(dst, name, c.Text() == "true"), true
	case fhir.Number:
		return appendNumber(dst, name, c.Text()), true
	}
	return bsoncore.AppendNullElement(dst, name), true
}

// appendNumber appends a JSON number: an integer as int64, any other that Decimal128 holds as that, the rest as a double, which is for
// queries only.
func appendNumber(dst []byte, name, text string) []byte {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return bsoncore.AppendInt64Element(dst, name, i)
	}
	if d, err := bson.ParseDecimal128(text); err == nil {
		h, l := d.GetBytes()
		return bsoncore.AppendDecimal128Element(dst, name, h, l)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && math.IsInf(f, 0) {
		f = math.Copysign(math.MaxFloat64, f)
	}
	return bsoncore.AppendDoubleElement(dst, name, f)
}

// appendJSON appends the JSON of a BSON document that appendBSON made.
func appendJSON(dst []byte, doc bsoncore.Document) []byte {
	dst = append(dst, '{')
	for rest := body(doc); ; {
		name, v, tail, ok := nextElement(rest)
		if !ok {
			return append(dst, '}')
		}
		rest = tail
		dst = appendJSONValue(fhir.AppendName(dst, name), v)
	}
}

func appendJSONValue(dst []byte, v bsoncore.Value) []byte {
	switch v.Type {
	case bsoncore.TypeEmbeddedDocument:
		return appendJSON(dst, v.Data)
	case bsoncore.TypeArray:
		dst = append(dst, '[')
		for rest := body(v.Data); ; {
			_, item, tail, ok := nextElement(rest)
			if !ok {
				return append(dst, ']')
			}
			rest = tail
			dst = appendJSONValue(fhir.AppendSeparator(dst), item)
		}
	case bsoncore.TypeString:
		return fhir.AppendString(dst, v.StringValue())
	case bsoncore.TypeBoolean:
		return strconv.AppendBool(dst, v.Boolean())
	case bsoncore.TypeInt64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case bsoncore.TypeInt32:
		return strconv.AppendInt(dst, int64(v.Int32()), 10)
	case bsoncore.TypeDecimal128:
		h, l := v.Decimal128()
		return append(dst, bson.NewDecimal128(h, l).String()...)
	case bsoncore.TypeDouble:
		return strconv.AppendFloat(dst, v.Double(), 'g', -1, 64)
	}
	return append(dst, "null"...)
}

// body returns a document's elements without its length and closing zero.
func body(doc []byte) []byte {
	if len(doc) < 5 {
		return nil
	}
	return doc[4 : len(doc)-1]
}

// nextElement reads the element that b starts with.
func nextElement(b []byte) (name string, v bsoncore.Value, rest []byte, ok bool) {
	e, rest, ok := bsoncore.ReadElement(b)
	if !ok {
		return "", v, nil, false
	}
	return e.Key(), e.Value(), rest, true
}
