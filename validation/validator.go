package validation

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Level says which phases run.
type Level uint8

// The levels. Site schemas and the narrative's phase run at each of them.
const (
	// Off runs neither the elements' phase nor shape and model.
	Off Level = iota
	// Base runs what every write must pass: elements, shape and model.
	Base
)

// ParseLevel reads a level as the command line has it: "off" or "base".
func ParseLevel(s string) (Level, error) {
	switch s {
	case "off":
		return Off, nil
	case "base":
		return Base, nil
	}
	return Base, fmt.Errorf("validation level %q: want off or base", s)
}

// String returns the level as the command line has it.
func (l Level) String() string {
	if l == Off {
		return "off"
	}
	return "base"
}

// Options configure a Validator.
type Options struct {
	// SchemaDir is the folder of the site's JSON Schemas, one file a resource type: Patient.json or Patient.schema.json. "" for none.
	SchemaDir string
}

// usualEdits is the number of stand-ins up to which the space for them is kept for the next resource.
const usualEdits = 4096

const (
	// largeSize is the size in bytes from which resources share largeRoom in the libraries, where they take some forty times their size for a while.
	largeSize = 1 << 20
	largeRoom = 32 << 20
)

// Validator checks resources. It is safe for concurrent use.
type Validator struct {
	reg    *definition.Registry
	dir    string
	types  sync.Map // *definition.Type -> *elements
	codes  sync.Map // canonical of a value set -> *codeSet
	shapes shapes
	model  *model
	forms  forms
	edits  sync.Pool // *[]fhir.Edit
	// large lets resources of largeSize and more into the libraries: one that is larger than largeRoom goes alone.
	large *semaphore.Weighted
	site  atomic.Pointer[siteSchemas]
}

// New returns a Validator over reg. It reads the site's schemas, and fails with the name of the file that is broken or names no resource
// type. Everything else is compiled when a resource first needs it.
func New(reg *definition.Registry, opt Options) (*Validator, error) {
	m, err := newModel()
	if err != nil {
		return nil, err
	}
	v := &Validator{reg: reg, dir: opt.SchemaDir, model: m, shapes: shapes{reg: reg}, large: semaphore.NewWeighted(largeRoom)}
	if err := v.Reload(); err != nil {
		return nil, err
	}
	return v, nil
}

// Validate returns every fault of r at the level, in document order; none where r may be stored. r may be a subtree, as a Bundle's entry is.
// Expressions start at r. No text holds a value of r. At most maxIssues are returned, with one more that says so.
func (v *Validator) Validate(r fhir.Resource, level Level) []fhir.Issue {
	t, ok := v.reg.Resource(r.Type())
	if !ok {
		return []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueNotSupported, ID: fhir.IDUnknownType,
			Text: v.unknownType(r.Type()), Expression: "resourceType"}}
	}
	w := walker{v: v, root: r, typ: t, path: t.Name}
	if edits, ok := v.edits.Get().(*[]fhir.Edit); ok {
		w.standIns = (*edits)[:0]
	}
	defer func() {
		if edits := w.standIns; cap(edits) <= usualEdits {
			v.edits.Put(&edits)
		}
	}()
	if level == Off {
		w.narratives()
	} else {
		w.resource(r, t)
		if w.affordable() && !w.full() {
			w.libraries(r, t)
		}
	}
	w.site()
	return w.issues()
}

// libraries runs the phases of the libraries, unless they have found nothing in the resource's form before.
func (w *walker) libraries(r fhir.Resource, t *definition.Type) {
	form, ok := formKey{}, false
	if len(w.findings) == 0 {
		if form, ok = w.v.forms.key(r, w.standIns); ok && w.v.forms.known(form) {
			return
		}
	}
	if size := int64(len(r.Raw())); size >= largeSize {
		size = min(size, largeRoom)
		// It fails only with its context.
		_ = w.v.large.Acquire(context.Background(), size)
		defer w.v.large.Release(size)
	}
	w.shape(r, t)
	w.model()
	if ok && len(w.findings) == 0 {
		w.v.forms.remember(form)
	}
}

// ValidateMany validates each of rs, spread over the processors, and returns their issues in the order of rs.
func (v *Validator) ValidateMany(rs []fhir.Resource, level Level) [][]fhir.Issue {
	out := make([][]fhir.Issue, len(rs))
	workers := min(runtime.GOMAXPROCS(0), len(rs))
	if workers < 2 {
		for i, r := range rs {
			out[i] = v.Validate(r, level)
		}
		return out
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(rs); i = int(next.Add(1)) - 1 {
				out[i] = v.Validate(rs[i], level)
			}
		})
	}
	wg.Wait()
	return out
}
