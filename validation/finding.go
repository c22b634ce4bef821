package validation

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// maxIssues bounds the issues of one resource: a person reads fewer, and hostile input could make millions.
const maxIssues = 100

// finding is an issue before its expression is made: the value at fault, or a child of it that is missing, unknown or stands twice.
type finding struct {
	node  fhir.Node
	child string
	code  fhir.IssueType
	id    fhir.IssueID
	text  string
}

// position is the index of the value at fault in document order; of the parent where it is missing.
func (f *finding) position() int {
	if c := f.node.Get(f.child); f.child != "" && c.Valid() {
		return c.Index()
	}
	return f.node.Index()
}

// walker is the work on one resource. Its phases share what the first of them, the elements' phase, has learnt.
type walker struct {
	v    *Validator
	root fhir.Resource
	// typ is root's type, and path what expressions start with: the type's name, or nothing where root is an element.
	typ      *definition.Type
	path     string
	findings []finding
	more     bool            // findings were left out
	standIns []fhir.Edit     // in document order; see standin.go
	nested   []nested        // resources inside of root, in document order
	apart    []fhir.Resource // those of nested that google/fhir must read by themselves, in document order
	weight   int             // bytes of all objects and arrays, each counted with what is inside
	// contained are the ids of contained resources, by the list that has them.
	contained map[fhir.Node]map[string]bool
	envelope  bool // what a Bundle carries is left out; see envelope.go
}

// nested is a resource inside of another, with its type.
type nested struct {
	r fhir.Resource
	t *definition.Type
}

// add notes a fault of severity error.
func (w *walker) add(n fhir.Node, child string, code fhir.IssueType, id fhir.IssueID, text string) {
	if w.full() {
		w.more = true
		return
	}
	w.findings = append(w.findings, finding{n, child, code, id, text})
}

// maxMessages bounds the messages of one library that are looked at. A walk finds what a library would say many times over, so that more come
// only of input that is made for it.
const maxMessages = 2 * maxIssues

// first returns as many messages of a library as are looked at. Where there are more and nothing else is wrong, the resource is refused: what
// the others say is not known.
func first[T any](w *walker, messages []T) []T {
	if len(messages) <= maxMessages {
		return messages
	}
	if len(w.findings) == 0 {
		w.add(w.root.Node, "", fhir.IssueTooCostly, fhir.IDLibraryCost, "the resource has more faults than the server looks at")
	}
	w.more = true
	return messages[:maxMessages]
}

// full reports whether no more faults are taken.
func (w *walker) full() bool { return len(w.findings) >= maxIssues }

// known reports whether a fault is noted for the value already, for the child of it that is named, or for an unknown member that it stands
// in. A library's message about it would say it again, in worse words.
func (w *walker) known(n fhir.Node, child string) bool {
	for i := range w.findings {
		if f := &w.findings[i]; (f.node == n || f.node == partner(n)) && (f.child == child || child == "" || f.child == "") {
			return true
		}
	}
	for ; n.Valid() && n != w.root.Node; n = n.Parent() {
		for i := range w.findings {
			if f := &w.findings[i]; f.child != "" && f.child == n.Name() && f.node == n.Parent() {
				return true
			}
		}
	}
	return false
}

// partner returns the "_name" beside a member, or the member beside a "_name".
func partner(n fhir.Node) fhir.Node {
	if name, sibling := strings.CutPrefix(n.Name(), "_"); sibling {
		return n.Parent().Get(name)
	} else if name != "" {
		return n.Parent().Get("_" + name)
	}
	return fhir.Node{}
}

// found reports whether a fault of the id is noted for the value or a child of it.
func (w *walker) found(n fhir.Node, id fhir.IssueID) bool {
	return slices.ContainsFunc(w.findings, func(f finding) bool { return f.node == n && f.id == id })
}

// issues returns what was found in document order, each with its expression.
func (w *walker) issues() []fhir.Issue {
	if len(w.findings) == 0 {
		return nil
	}
	slices.SortStableFunc(w.findings, func(a, b finding) int { return cmp.Compare(a.position(), b.position()) })
	out := make([]fhir.Issue, 0, len(w.findings)+1)
	for _, f := range w.findings {
		out = append(out, fhir.Issue{Severity: fhir.SeverityError, Code: f.code, ID: f.id, Text: f.text, Expression: w.expression(f.node, f.child)})
	}
	if w.more {
		out = append(out, fhir.Issue{Severity: fhir.SeverityInformation, Code: fhir.IssueTooCostly, ID: fhir.IDIssuesTruncated,
			Text: "there are more faults; only the first " + strconv.Itoa(maxIssues) + " are listed"})
	}
	return out
}

// expression returns the FHIRPath of the child of n, or of n itself, from the root of the walk: "Observation.value.ofType(Quantity).code",
// with the index of each item of an array. A primitive's sibling stands under the primitive's name. What no definition knows is left out from
// there on.
func (w *walker) expression(n fhir.Node, child string) string {
	var path []fhir.Node
	for ; n.Valid() && n != w.root.Node; n = n.Parent() {
		path = append(path, n)
	}
	t := w.typ
	var b strings.Builder
	b.WriteString(w.path)
	for i := len(path) - 1; i >= 0; i-- {
		n := path[i]
		if p := n.Parent(); p.Kind() == fhir.Array {
			k := 0
			for c := p.First(); c != n; c = c.Next() {
				k++
			}
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(k))
			b.WriteByte(']')
			if rt, ok := nestedType(w.v.reg, n); ok && t != nil && t.Is("Resource") {
				t = rt
			}
			continue
		}
		if t == nil {
			return b.String()
		}
		name := strings.TrimPrefix(n.Name(), "_")
		e, ref := t.JSONChild(name)
		if e == nil {
			if n.Name() == "resourceType" {
				b.WriteString(".resourceType")
			}
			return b.String()
		}
		b.WriteByte('.')
		b.WriteString(e.Name)
		if e.Choice {
			b.WriteString(".ofType(")
			b.WriteString(ref.Type.Name)
			b.WriteByte(')')
		}
		t = ref.Type
		if rt, ok := nestedType(w.v.reg, n); ok && t.Is("Resource") {
			t = rt
		}
	}
	if child != "" {
		b.WriteByte('.')
		b.WriteString(child)
	}
	return b.String()
}

// elementOf returns the element that n is a value or the array of, and its type; nil for the root, and where no definition knows n.
func (w *walker) elementOf(n fhir.Node) (*definition.Element, *definition.Type) {
	if n == w.root.Node {
		return nil, w.typ
	}
	p := n.Parent()
	e, t := w.elementOf(p)
	if p.Kind() == fhir.Object && t != nil {
		var ref *definition.TypeRef
		if e, ref = t.JSONChild(strings.TrimPrefix(n.Name(), "_")); e == nil {
			return nil, nil
		}
		t = ref.Type
	}
	if rt, ok := nestedType(w.v.reg, n); ok && t != nil && t.Kind == definition.KindResource {
		t = rt
	}
	return e, t
}

// nestedType returns the type that an object's resourceType names.
func nestedType(reg *definition.Registry, n fhir.Node) (*definition.Type, bool) {
	rt := n.Get("resourceType")
	if rt.Kind() != fhir.String {
		return nil, false
	}
	return reg.Resource(rt.Text())
}

// maxWeight is how many bytes the objects and arrays of a resource may have together, each counted with what is inside, for a byte of the
// resource. Records have 4 to 8.
const maxWeight = 32

// affordable notes, and reports false for, resources that are nested so deep in proportion to their size that google/fhir, which copies each object out of the one
// around it, would cost far more than they do to send.
func (w *walker) affordable() bool {
	if size := len(w.root.Raw()); w.weight > maxWeight*size+1<<20 {
		w.add(w.root.Node, "", fhir.IssueTooCostly, fhir.IDNestingCost, "the resource is nested too deeply for its size")
		return false
	}
	return true
}
