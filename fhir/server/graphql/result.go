package graphql

import (
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
)

// object is an object of the result. Fields keep the order in which they came.
type object struct {
	fields []*field
	byName map[string]*field // of an object with many fields, as @flatten and @slice make them; nil for the others
}

// manyFields is the number of fields from which on an object finds them by a map.
const manyFields = 16

// field is a field of an object: one value, or a list.
type field struct {
	name   string
	list   bool
	single bool // by @singleton: a second value is an error
	values []value
}

// value is a value of the result: an object, or JSON. It does not refer to what was read, so that a page is free once its values are in the result.
type value struct {
	object *object
	json   []byte
}

func textValue(s string) value { return value{json: fhir.AppendString(nil, s)} }
func intValue(i int) value     { return value{json: strconv.AppendInt(nil, int64(i), 10)} }

// field returns the field of a name, which is added where there is none.
func (o *object) field(name string) *field {
	if f := o.byName[name]; f != nil {
		return f
	}
	if o.byName == nil {
		for _, f := range o.fields {
			if f.name == name {
				return f
			}
		}
	}
	f := &field{name: name}
	o.fields = append(o.fields, f)
	if len(o.fields) == manyFields {
		o.byName = make(map[string]*field, 2*manyFields)
		for _, f := range o.fields {
			o.byName[f.name] = f
		}
	} else if o.byName != nil {
		o.byName[name] = f
	}
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
	if v.object != nil {
		return v.object.append(dst)
	}
	return append(dst, v.json...)
}

// put adds one value to a field.
func (x *executor) put(g group, out *object, list bool, suffix string, v value) error {
	if x.values++; x.values > x.s.lim.Values {
		return tooCostly("the result has too many values")
	}
	if err := x.write(len(v.json)); err != nil {
		return err
	}
	f := out.field(g.key + suffix)
	f.single = f.single || g.Directives.ForName("singleton") != nil
	f.list = f.list || list
	if len(f.values) == 0 {
		if err := x.write(len(f.name)); err != nil {
			return err
		}
	} else if f.single || !f.list {
		return bad(g.Position, fhir.IDGraphQLSingleton, "the field "+g.key+" has several values")
	}
	f.values = append(f.values, v)
	return nil
}

// putNode adds the value of a node to a field.
func (x *executor) putNode(g group, out *object, list bool, suffix string, n fhir.Node) error {
	size := len(n.Raw())
	if x.written+size > x.s.lim.Bytes {
		return tooCostly("the result is too large")
	}
	if size > cap(x.room)-len(x.room) {
		x.room = make([]byte, 0, max(size, min(x.written, roomAtMost), roomAtLeast))
	}
	from := len(x.room)
	x.room = n.AppendJSON(x.room)
	return x.put(g, out, list, suffix, value{json: x.room[from:len(x.room):len(x.room)]})
}

// The values of nodes are copied into rooms of these sizes, a larger one into a room of its own.
const (
	roomAtLeast = 512
	roomAtMost  = 64 << 10
)

// punctuation is what stands around a value: quotes of a name, a colon, a comma, brackets.
const punctuation = 4

// write counts the bytes of a name or a value in the result.
func (x *executor) write(n int) error {
	if x.written += n + punctuation; x.written > x.s.lim.Bytes {
		return tooCostly("the result is too large")
	}
	return nil
}
