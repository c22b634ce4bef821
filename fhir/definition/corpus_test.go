package definition

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// TestEveryMemberOfTheOfficialExamplesIsKnown walks each official example, nested resources, extensions and the siblings of primitives
// included, and finds every member through JSONChild.
func TestEveryMemberOfTheOfficialExamplesIsKnown(t *testing.T) {
	files := corpustest.Files(t, "r4-examples/*.json")
	w := walker{t: t, types: map[string]bool{}}
	for _, file := range files {
		src := corpustest.Read(t, file)
		res, err := fhir.ParseResource(src, fhir.Limits{})
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		w.file = filepath.Base(file)
		w.resource(res.Node)
	}
	t.Logf("%d files, %d members, %d types", len(files), w.members, len(w.types))
	if len(w.types) < 300 {
		t.Errorf("the examples reached %d types only; the walk stops too early", len(w.types))
	}
}

type walker struct {
	t       *testing.T
	file    string
	members int
	types   map[string]bool
}

func (w *walker) fail(n fhir.Node, text string) {
	w.t.Errorf("%s: %s (%s): %s", w.file, n.Path(), n.Name(), text)
}

func (w *walker) resource(n fhir.Node) {
	typ, ok := R4().Resource(n.Get("resourceType").Text())
	if !ok {
		w.fail(n, "no concrete resource type")
		return
	}
	w.object(n, typ)
}

func (w *walker) object(n fhir.Node, typ *Type) {
	w.types[typ.Name] = true
	if n.Kind() != fhir.Object {
		w.fail(n, "is no object, but "+typ.Name)
		return
	}
	for c := range n.Children() {
		w.members++
		if c.Name() == "resourceType" && typ.Kind == KindResource {
			continue
		}
		name, sibling := strings.CutPrefix(c.Name(), "_")
		e, ref := typ.JSONChild(name)
		if e == nil {
			w.fail(c, "no member of "+typ.Name)
			continue
		}
		if (c.Kind() == fhir.Array) != (e.Max != 1) {
			w.fail(c, "an array where there should be none, or the other way round")
			continue
		}
		if c.Kind() != fhir.Array {
			w.value(c, ref.Type, sibling)
			continue
		}
		for item := range c.Children() {
			w.value(item, ref.Type, sibling)
		}
	}
}

func (w *walker) value(n fhir.Node, typ *Type, sibling bool) {
	switch {
	case typ.Name == "Resource":
		w.resource(n)
	case typ.Kind != KindPrimitive:
		w.object(n, typ)
	case sibling:
		if n.Kind() != fhir.Null {
			w.object(n, typ)
		}
	default:
		w.types[typ.Name] = true
		if n.Kind() == fhir.Object || n.Kind() == fhir.Array {
			w.fail(n, "is no primitive, but "+typ.Name)
		}
	}
}
