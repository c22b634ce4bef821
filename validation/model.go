package validation

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"

	"github.com/fhirgate/fhirgate/fhir"
)

// The model's phase reads a resource into the typed model of google/fhir, strictly: primitives, cardinality, choices, required codes and the
// types that references name. This file is the only one that knows google/fhir.

// model reads resources with google/fhir.
type model struct {
	unmarshaller *jsonformat.Unmarshaller // safe for concurrent use: it is configuration alone
	buffers      sync.Pool                // *[]byte
}

func newModel() (*model, error) {
	u, err := jsonformat.NewUnmarshaller("UTC", fhirversion.R4)
	if err != nil {
		return nil, fmt.Errorf("validation: google/fhir: %w", err)
	}
	return &model{unmarshaller: u, buffers: sync.Pool{New: func() any { return new([]byte) }}}, nil
}

// complaint is one of google/fhir's errors. Its diagnostics hold values and are read for the name of an unknown member alone.
type complaint struct {
	path    string
	details string
	quoted  string
}

// reporter collects the complaints of google/fhir's second pass.
type reporter struct{ found []complaint }

// ReportValidationError notes err, up to one more than are looked at.
func (r *reporter) ReportValidationError(_ string, err error) error {
	if len(r.found) <= maxMessages {
		r.found = appendComplaints(r.found, err)
	}
	return nil
}

// ReportValidationWarning drops err: google/fhir has no warnings that R4 would call faults.
func (r *reporter) ReportValidationWarning(string, error) error { return nil }

// read returns what google/fhir says of the resource; err where it can't say.
func (m *model) read(r fhir.Resource, standIns []fhir.Edit) (found []complaint, err error) {
	buf := m.buffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= 1<<20 {
			m.buffers.Put(buf)
		}
		if p := recover(); p != nil {
			err = fmt.Errorf("google/fhir: %v", p)
		}
	}()
	*buf = r.AppendEdited((*buf)[:0], standIns)
	var rep reporter
	if _, err := m.unmarshaller.UnmarshalWithErrorReporter(*buf, &rep); err != nil {
		rep.found = appendComplaints(rep.found, err)
		if len(rep.found) == 0 {
			return nil, err
		}
	}
	return rep.found, nil
}

// appendComplaints reads an UnmarshalError or a list of them. Their package is internal to google/fhir, their fields are not.
func appendComplaints(dst []complaint, err error) []complaint {
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			if e, ok := v.Index(i).Interface().(error); ok {
				dst = appendComplaints(dst, e)
			}
		}
		return dst
	}
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return dst
	}
	field := func(name string) string {
		if f := v.Elem().FieldByName(name); f.Kind() == reflect.String {
			return f.String()
		}
		return ""
	}
	c := complaint{path: field("Path"), details: field("Details")}
	if c.details == "" {
		return dst
	}
	if s, err := strconv.Unquote(field("Diagnostics")); err == nil && (c.details == "unknown field" || strings.HasPrefix(c.details, "cannot accept multiple")) {
		c.quoted = s
	}
	return append(dst, c)
}

// model runs the phase on the root with all that is inside, and on the resources that must be read apart.
func (w *walker) model() {
	w.modelOf(w.root)
	for _, r := range w.apart {
		w.modelOf(r)
	}
}

func (w *walker) modelOf(r fhir.Resource) {
	found, err := w.v.model.read(r, w.editsOf(r))
	if err != nil {
		// What the elements' phase has refused may well be more than the library can take.
		if len(w.findings) == 0 {
			w.add(r.Node, "", fhir.IssueException, fhir.IDModelUnreadable, "the resource could not be read into the R4 model")
		}
		return
	}
	// google/fhir walks maps, in any order.
	slices.SortFunc(found, func(a, b complaint) int {
		return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.details, b.details), strings.Compare(a.quoted, b.quoted))
	})
	for _, c := range first(w, found) {
		w.complaint(r, c)
	}
}

// editsOf returns the stand-ins within r, with an empty object for each resource inside that is read apart.
func (w *walker) editsOf(r fhir.Resource) []fhir.Edit {
	if len(w.apart) == 0 {
		return w.standIns
	}
	start, end := r.Span()
	rest := w.standIns[sort.Search(len(w.standIns), func(i int) bool { return w.standIns[i].Start >= start }):]
	inside := w.apart[sort.Search(len(w.apart), func(i int) bool { from, _ := w.apart[i].Span(); return from > start }):]
	var edits []fhir.Edit
	done := start // up to here all is edited
	take := func(e fhir.Edit) {
		if e.Start >= done {
			edits = append(edits, e)
			done = e.End
		}
	}
	for _, a := range inside {
		from, to := a.Span()
		if from >= end {
			break
		}
		for len(rest) > 0 && rest[0].Start < from {
			take(rest[0])
			rest = rest[1:]
		}
		take(fhir.Edit{Start: from, End: to, Text: emptyObject})
	}
	for _, e := range rest {
		if e.Start >= end {
			break
		}
		take(e)
	}
	return edits
}

// complaint notes one of google/fhir's errors, unless it says what is known or is tolerated.
func (w *walker) complaint(r fhir.Resource, c complaint) {
	n := locate(r.Node, c.path)
	child := ""
	if name, ok := strings.CutPrefix(c.details, "missing required field "); ok {
		child, _ = strconv.Unquote(name)
	} else if elementName(c.quoted) {
		child = c.quoted
	}
	if w.known(n, child) || strings.HasPrefix(c.details, "cannot accept multiple") && w.found(n, fhir.IDElementChoice) {
		return
	}
	code, id := fhir.IssueValue, fhir.IDModelValue
	switch {
	case strings.HasPrefix(c.details, "missing required field"):
		code, id = fhir.IssueRequired, fhir.IDModelRequired
	case c.details == "unknown field":
		code, id = fhir.IssueStructure, fhir.IDModelUnknown
	case c.details == "code type mismatch":
		code, id = fhir.IssueCodeInvalid, fhir.IDModelCode
	case strings.HasPrefix(c.details, "invalid reference"):
		id = fhir.IDModelReference
	case strings.HasPrefix(c.details, "array length"), strings.HasPrefix(c.details, "expected array"), c.details == "invalid JSON":
		code, id = fhir.IssueStructure, fhir.IDModelStructure
	}
	if w.tolerated(id, n, child) {
		return
	}
	// Details hold no values: google/fhir keeps those in its diagnostics.
	w.add(n, child, code, id, "the R4 model of google/fhir does not accept the value: "+c.details)
}

// locate returns the node of a path of google/fhir's from root, or the deepest one that it leads to. Its first pass writes JSON names with the resource
// type between ("Bundle.entry[0].resource.Patient.name[0]"); its second one writes proto names ("Observation.value.quantity.code").
func locate(root fhir.Node, path string) fhir.Node {
	n := root
	steps := strings.Split(path, ".")
	for i := 0; i < len(steps); i++ {
		name, indices, _ := strings.Cut(steps[i], "[")
		next := n.Get(name)
		switch rt := n.Get("resourceType"); {
		case next.Valid():
		case rt.Kind() == fhir.String && strings.EqualFold(rt.Text(), name):
			continue
		case n.Kind() == fhir.Object && i+1 < len(steps):
			// A choice: its member is the name with the type.
			typ, more, _ := strings.Cut(steps[i+1], "[")
			if next = n.Get(name + strings.ToUpper(typ[:min(1, len(typ))]) + typ[min(1, len(typ)):]); next.Valid() {
				indices = more
				i++
			}
		case n.Kind() == fhir.String || n.Kind() == fhir.Number || n.Kind() == fhir.Bool:
			// Within a primitive: the member is in its sibling.
			next = n.Parent().Get("_" + n.Name()).Get(name)
		}
		if !next.Valid() {
			return n
		}
		n = next
		for index := range strings.SplitSeq(indices, "[") {
			k, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			if err != nil || n.Kind() != fhir.Array {
				break
			}
			n = n.At(k)
		}
		if !n.Valid() {
			return root
		}
	}
	return n
}
