package search

// Field names one of the values of an Entry. Each is a string whose bytes are ordered as the values are, so that an engine compares,
// sorts and scans without knowing what it holds.
type Field uint8

// The fields of an Entry.
const (
	System Field = iota + 1 // token, quantity: system URI, "" where the element has none
	Code                    // token: code as it compares; quantity: unit code
	Folded                  // string: normalized for comparison
	Exact                   // string: as written
	Lo                      // number, date, quantity: inclusive lower bound, order-preserving
	Hi                      // number, date, quantity: exclusive upper bound, order-preserving
	Type                    // reference: resource type of the target
	ID                      // reference: logical id of the target
	URI                     // uri, and references that are no local "Type/id"
)

// Entry is one indexed value of one parameter of one resource. Which fields are set follows from the parameter's type:
//
//	token      System, Code
//	string     Folded, Exact
//	number     Lo, Hi
//	date       Lo, Hi
//	quantity   System, Code, Lo, Hi
//	reference  Type, ID (a local target) or URI (anything else)
//	uri        URI
//	composite  Parts, one for each component in order
//
// What a modifier needs beyond that is an entry of its own under a derived name: "code:text" holds strings, "subject:identifier" and
// "identifier:of-type" tokens, "value-quantity:ucum" quantities in canonical units. "subject:present" holds nothing:
// there is a value, and it has no entry. Engines treat derived names as any other.
//
// A resource has a set of entries: order and duplicates mean nothing.
type Entry struct {
	Param  string
	System string
	Code   string
	Folded string
	Exact  string
	Lo, Hi string
	Type   string
	ID     string
	URI    string
	Parts  []Entry // their Param is empty
	// Inner has the entries of a resource that the resource holds, which has Type and ID; nil for every other entry (see Within).
	Inner *Inner
}

// Inner are the entries of a held resource. Hardly any entry has them, so that it costs the others a pointer.
type Inner struct{ Entries []Entry }

// Field returns the value of f; "" where it is not set.
func (e *Entry) Field(f Field) string {
	switch f {
	case System:
		return e.System
	case Code:
		return e.Code
	case Folded:
		return e.Folded
	case Exact:
		return e.Exact
	case Lo:
		return e.Lo
	case Hi:
		return e.Hi
	case Type:
		return e.Type
	case ID:
		return e.ID
	case URI:
		return e.URI
	}
	return ""
}

// part returns the entry that a Comparison with Part p looks at: e itself for 0, its p-th part otherwise; nil past the parts.
func (e *Entry) part(p int) *Entry {
	if p == 0 {
		return e
	}
	if p > len(e.Parts) {
		return nil
	}
	return &e.Parts[p-1]
}
