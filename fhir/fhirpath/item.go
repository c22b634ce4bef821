package fhirpath

import (
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Kind is a type of the System namespace (FHIRPath N1, Types and Reflection).
type Kind uint8

// The System types. NoKind is that of what has no System value: complex FHIR types, and primitives without a value.
const (
	NoKind Kind = iota
	Boolean
	String
	Integer
	DecimalKind
	DateKind
	DateTimeKind
	TimeKind
	QuantityKind
	typeInfoKind
)

var kindNames = [...]string{"", "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity", "ClassInfo"}

// String returns the name in the System namespace: "Boolean".
func (k Kind) String() string { return kindNames[k] }

// Quantity is a System.Quantity: a number with a UCUM unit, or with a calendar unit in the singular ("year") where Calendar is set.
type Quantity struct {
	Value    fhir.Decimal
	Unit     string
	Calendar bool
	// element is set for a FHIR Quantity, whose UCUM year and month stand for the calendar's as well (R4 fhirpath.html, the conversion of
	// time-valued quantities).
	element bool
}

// date is a System.Date in an Item's box, which tells it from a DateTime.
type date struct{ fhir.DateTime }

// Item is one member of a collection: an element of a resource with its FHIR type, or a value of a System type that was computed. It is a
// small value that refers to the tree and copies nothing of it.
type Item struct {
	typ  *definition.Type
	node fhir.Node
	sib  fhir.Node // the object under "_name" of a primitive
	box  any       // the System value: bool string int64 fhir.Decimal date fhir.DateTime fhir.Time Quantity reflected
}

// ElementItem returns the element at node of type t as an Item. sibling is the object that stands under "_" and the name of a primitive; the
// zero Node where there is none. t may be nil where the type is not known.
func ElementItem(node, sibling fhir.Node, t *definition.Type) Item {
	return Item{typ: t, node: node, sib: sibling}
}

// ResourceItem returns a resource as an Item, with the type that its resourceType names in reg.
func ResourceItem(reg *definition.Registry, r fhir.Resource) Item {
	return resourceItem(reg, r.Node)
}

func resourceItem(reg *definition.Registry, n fhir.Node) Item {
	t, _ := reg.Resource(n.Get("resourceType").Text())
	return Item{typ: t, node: n}
}

// BooleanItem returns a System.Boolean.
func BooleanItem(b bool) Item { return Item{box: b} }

// StringItem returns a System.String.
func StringItem(s string) Item { return Item{box: s} }

// IntegerItem returns a System.Integer.
func IntegerItem(i int64) Item { return Item{box: i} }

// DecimalItem returns a System.Decimal.
func DecimalItem(d fhir.Decimal) Item { return Item{box: d} }

// QuantityItem returns a System.Quantity.
func QuantityItem(q Quantity) Item { return Item{box: q} }

// DateItem returns a System.Date; d has no time.
func DateItem(d fhir.DateTime) Item { return Item{box: date{d}} }

// DateTimeItem returns a System.DateTime.
func DateTimeItem(d fhir.DateTime) Item { return Item{box: d} }

// TimeItem returns a System.Time.
func TimeItem(t fhir.Time) Item { return Item{box: t} }

// Node returns the element's place in the tree: the zero Node for System values and for primitives that have extensions only.
func (it Item) Node() fhir.Node { return it.node }

// Sibling returns the object under "_name" that holds a primitive's id and extensions.
func (it Item) Sibling() fhir.Node { return it.sib }

// Definition returns the FHIR type of an element; nil for System values and where the type is not known.
func (it Item) Definition() *definition.Type { return it.typ }

// Type returns the name of the FHIR type, "CodeableConcept", "code", "Patient.contact", and of a System type with its namespace,
// "System.Boolean". It is "" where the definitions do not know the element.
func (it Item) Type() string {
	if info, ok := it.box.(reflected); ok {
		return "System." + info.kind()
	}
	if it.box != nil {
		return "System." + it.Kind().String()
	}
	if it.typ == nil {
		return ""
	}
	return it.typ.Name
}

// IsSystem reports whether the item is a computed value of a System type rather than an element.
func (it Item) IsSystem() bool { return it.box != nil }

// Kind returns the System type of the item's value, that of a primitive element included; NoKind where it has none.
func (it Item) Kind() Kind { return it.value().kind }

// HasValue reports whether the item is a primitive, or a System value, that has a value and not extensions alone.
func (it Item) HasValue() bool {
	if it.box != nil {
		return true
	}
	switch it.node.Kind() {
	case fhir.String, fhir.Number, fhir.Bool:
		return true
	}
	return false
}

// Text returns a primitive's characters as they stand in the tree, which does not allocate unless there are escapes, the text of a System
// value as toString() gives it, and of what type() answers the type's name, "FHIR.date". It is "" for complex elements.
func (it Item) Text() string {
	if it.box == nil {
		return it.node.Text()
	}
	if info, ok := it.box.(reflected); ok {
		return info.String()
	}
	s, _ := it.value().text()
	return s
}

// there reports whether it is an item at all: the zero Item is none.
func (it *Item) there() bool { return it.box != nil || it.node.Valid() || it.sib.Valid() }

// value is a System value in a form that can be computed with and that does not allocate.
type value struct {
	kind Kind
	b    bool   // Boolean; for a Quantity: Calendar
	i    int64  // Integer; for a Quantity: 1 where it is an element
	s    string // String; for a Quantity: Unit
	d    fhir.Decimal
	t    fhir.DateTime // Date, DateTime; Time in its Time
}

// value returns the System value of the item: what was boxed, what a primitive element converts to implicitly, and a FHIR Quantity as a
// System.Quantity. kind is NoKind where there is none.
func (it Item) value() value {
	switch v := it.box.(type) {
	case nil:
		return it.elementValue()
	case bool:
		return value{kind: Boolean, b: v}
	case string:
		return value{kind: String, s: v}
	case int64:
		return value{kind: Integer, i: v}
	case fhir.Decimal:
		return value{kind: DecimalKind, d: v}
	case date:
		return value{kind: DateKind, t: v.DateTime}
	case fhir.DateTime:
		return value{kind: DateTimeKind, t: v}
	case fhir.Time:
		return value{kind: TimeKind, t: fhir.DateTime{Time: v}}
	case Quantity:
		return v.value()
	}
	return value{kind: typeInfoKind}
}

// systemKind returns the System type that a FHIR type converts to implicitly (R4 fhirpath.html, Using FHIR types in expressions).
func systemKind(t *definition.Type) Kind {
	if t == nil {
		return NoKind
	}
	if t.Kind != definition.KindPrimitive {
		if t.Name == "Quantity" || t.Base != nil && t.Base.Name == "Quantity" {
			return QuantityKind
		}
		return NoKind
	}
	switch t.Name {
	case "boolean":
		return Boolean
	case "integer", "unsignedInt", "positiveInt":
		return Integer
	case "decimal":
		return DecimalKind
	case "date":
		return DateKind
	case "dateTime", "instant":
		return DateTimeKind
	case "time":
		return TimeKind
	}
	return String
}

func (it Item) elementValue() value {
	k := systemKind(it.typ)
	switch it.node.Kind() {
	case fhir.Bool:
		return value{kind: Boolean, b: it.node.Text() == "true"}
	case fhir.Number:
		return numberValue(it.node.Text(), k)
	case fhir.Object:
		if k == QuantityKind {
			return quantityValue(it.node)
		}
		return value{}
	case fhir.String:
	default:
		return value{}
	}
	s := it.node.Text()
	switch k {
	case DateKind:
		if t, err := fhir.ParseDate(s); err == nil {
			return value{kind: DateKind, t: t}
		}
	case DateTimeKind:
		if t, err := fhir.ParsePartial(s); err == nil {
			return value{kind: DateTimeKind, t: t}
		}
	case TimeKind:
		if t, err := fhir.ParsePartialTime(s); err == nil {
			return value{kind: TimeKind, t: fhir.DateTime{Time: t}}
		}
	case String, NoKind:
		return value{kind: String, s: s}
	}
	// A text that is none of its type's values has no System value; $validate says why.
	return value{}
}

// numberValue reads a JSON number: an Integer where its type is one or is not known and it has no fraction.
func numberValue(s string, k Kind) value {
	if k != DecimalKind {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return value{kind: Integer, i: i}
		}
	}
	d, err := fhir.ParseDecimal(s)
	if err != nil {
		return value{}
	}
	return value{kind: DecimalKind, d: d}
}

// quantityValue reads a FHIR Quantity. One with a comparator stands for a range and has no single value (R4 fhirpath.html).
func quantityValue(n fhir.Node) value {
	num := n.Get("value")
	if num.Kind() != fhir.Number || n.Get("comparator").Valid() {
		return value{}
	}
	d, err := fhir.ParseDecimal(num.Text())
	if err != nil {
		return value{}
	}
	unit := n.Get("code")
	if !unit.Valid() {
		unit = n.Get("unit")
	}
	s := unit.Text()
	if s == "" {
		s = "1"
	}
	return value{kind: QuantityKind, d: d, s: s, i: 1}
}

// value is the reverse of value.quantity.
func (q Quantity) value() value {
	v := value{kind: QuantityKind, d: q.Value, s: q.Unit, b: q.Calendar}
	if q.element {
		v.i = 1
	}
	return v
}

// item boxes a value.
func (v value) item() Item {
	switch v.kind {
	case Boolean:
		return Item{box: v.b}
	case String:
		return Item{box: v.s}
	case Integer:
		return Item{box: v.i}
	case DecimalKind:
		return Item{box: v.d}
	case DateKind:
		return Item{box: date{v.t}}
	case DateTimeKind:
		return Item{box: v.t}
	case TimeKind:
		return Item{box: v.t.Time}
	case QuantityKind:
		return Item{box: Quantity{v.d, v.s, v.b, v.i == 1}}
	}
	return Item{}
}

// decimal returns an Integer or a Decimal as a Decimal.
func (v value) decimal() (fhir.Decimal, bool) {
	switch v.kind {
	case Integer:
		return fhir.FromInt(v.i), true
	case DecimalKind:
		return v.d, true
	}
	return fhir.Decimal{}, false
}

// text returns the value as toString() does.
func (v value) text() (string, bool) {
	switch v.kind {
	case Boolean:
		return strconv.FormatBool(v.b), true
	case String:
		return v.s, true
	case Integer:
		return strconv.FormatInt(v.i, 10), true
	case DecimalKind:
		return v.d.Plain(), true
	case DateKind, DateTimeKind:
		return v.t.String(), true
	case TimeKind:
		return v.t.Time.String(), true
	case QuantityKind:
		if v.b {
			unit := v.s
			if v.d.Cmp(fhir.FromInt(1)) != 0 {
				unit += "s"
			}
			return v.d.Plain() + " " + unit, true
		}
		return v.d.Plain() + " '" + v.s + "'", true
	}
	return "", false
}

// The external constants that R4 defines (fhirpath.html, Environment variables).
const (
	ucumSystem  = "http://unitsofmeasure.org"
	sctSystem   = "http://snomed.info/sct"
	loincSystem = "http://loinc.org"
)
