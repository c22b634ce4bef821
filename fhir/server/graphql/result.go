package graphql

import (
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
)

// object is an object of the result. Fields keep the order in which they came.
type object struct {
	fields []*field
}

// field is a field of an object: one value, or a list.
type field struct {
	name   string
	list   bool
	single bool // by @singleton: a second value is an error
	values []value
}

// value is a value of the result: an object, a node of a resource, or JSON that was made.
type value struct {
	object *object
	node   fhir.Node
	json   []byte
}

func textValue(s string) value { return value{json: fhir.AppendString(nil, s)} }
func intValue(i int) value     { return value{json: strconv.AppendInt(nil, int64(i), 10)} }

// field returns the field of a name, which is added where there is none.
func (o *object) field(name string) *field {
	for _, f := range o.fields {
		if f.name == name {
			return f
		}
	}
	f := &field{name: name}
	o.fields = append(o.fields, f)
	return f
}

// append appends the object as JSON. Fields without a value are left out.
func (o *object) append(dst []byte) []byte {
	dst = append(dst, '{')
	for _, f := range o.fields {
		if len(f.values) == 0 {
			continue
		}
		dst = fhir.AppendName(dst, f.name)
		if !f.list || f.single {
			dst = f.values[0].append(dst)
			continue
		}
		dst = append(dst, '[')
		for i := range f.values {
			dst = f.values[i].append(fhir.AppendSeparator(dst))
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func (v value) append(dst []byte) []byte {
	switch {
	case v.object != nil:
		return v.object.append(dst)
	case v.node.Valid():
		return v.node.AppendJSON(dst)
	}
	return append(dst, v.json...)
}
