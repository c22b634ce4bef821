package operation

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// label is one of the three sets of a Meta that clients label resources with (R4 resource, 2.26.3.3 Meta, http://hl7.org/fhir/R4/resource.html#Meta).
type label struct {
	member, param string
	coded         bool
}

// labels are in the order in which R4 has them in Meta.
var labels = []label{{"profile", "_profile", false}, {"security", "_security", true}, {"tag", "_tag", true}}

// identity returns what two labels have in common that are the same: system and code of a Coding, the whole URL of a profile.
func (l *label) identity(n fhir.Node) string {
	if !l.coded {
		return n.Text()
	}
	return n.Get("system").Text() + "|" + n.Get("code").Text()
}

// MetaAdd returns $meta-add (http://hl7.org/fhir/R4/resource-operation-meta-add.html): it adds profiles, tags and security labels to a resource.
func MetaAdd(s Patcher, reg *definition.Registry) interaction.Operation {
	return metaChange(s, reg, "meta-add", "Adds profiles, tags and security labels to a resource; a label that is there stays as it is.", false)
}

// MetaDelete returns $meta-delete (http://hl7.org/fhir/R4/resource-operation-meta-delete.html): it removes profiles, tags and security labels from a
// resource.
func MetaDelete(s Patcher, reg *definition.Registry) interaction.Operation {
	return metaChange(s, reg, "meta-delete", "Removes profiles, tags and security labels from a resource; one that is not there is no error.", true)
}

// metaChange returns the operation that adds or removes labels. What changes a resource makes a version of it: see DECISIONS.md.
func metaChange(s Patcher, reg *definition.Registry, name, documentation string, remove bool) interaction.Operation {
	canonical := canonicalOf(reg, name)
	parameters := parametersOf(reg, canonical)
	return interaction.Operation{
		Name:          name,
		Definition:    canonical,
		Documentation: documentation,
		Instance:      true,
		Post:          true,
		Writes:        true,
		IfMatch:       true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			args, err := argumentsOf(q, parameters())
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			meta := args.get("meta").complex("Meta")
			res, err := s.Patch(ctx, q.Key, func(current fhir.Resource) ([]byte, error) { return relabelled(current, meta, remove), nil }, q.Conditions)
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			return metaOf(res.Record)
		},
	}
}

// relabelled returns a resource with the labels of given added or removed. All else stays as it is written.
func relabelled(current fhir.Resource, given fhir.Node, remove bool) []byte {
	meta := current.Get("meta")
	w := &fhir.JSONWriter{}
	w.Open('{')
	for c := range meta.Children() {
		if i := labelOf(c.Name()); i < 0 {
			w.Name(c.Name())
			w.Bytes = c.AppendJSON(w.Bytes)
		}
	}
	for i := range labels {
		relabel(w, &labels[i], meta, given, remove)
	}
	w.Close('}')
	if meta.Valid() {
		start, end := meta.Span()
		return current.Splice([]fhir.Edit{{Start: start, End: end, Text: w.Bytes}})
	}
	_, end := current.Get("resourceType").Span()
	return current.Splice([]fhir.Edit{{Start: end, End: end, Text: append([]byte(`,"meta":`), w.Bytes...)}})
}

// labelOf returns the index in labels of a member of Meta, or of the extensions beside one; -1 for others.
func labelOf(member string) int {
	for i := range labels {
		if member == labels[i].member || member == "_"+labels[i].member {
			return i
		}
	}
	return -1
}

// relabel writes one of the sets of a Meta, with the extensions of a profile's items beside them.
func relabel(w *fhir.JSONWriter, l *label, meta, given fhir.Node, remove bool) {
	named := map[string]bool{}
	for n := range given.Get(l.member).Children() {
		named[l.identity(n)] = true
	}
	var items, beside [][]byte
	has := map[string]bool{}
	extended := false
	keep := func(n, extension fhir.Node) {
		items = append(items, n.AppendJSON(nil))
		if extension.Kind() == fhir.Object {
			extended = true
			beside = append(beside, extension.AppendJSON(nil))
		} else {
			beside = append(beside, []byte("null"))
		}
	}
	extension := meta.Get("_" + l.member).First()
	for n := range meta.Get(l.member).Children() {
		id := l.identity(n)
		if has[id] = true; !remove || !named[id] || n.Kind() == fhir.Null {
			keep(n, extension)
		}
		extension = extension.Next()
	}
	if !remove {
		extension = given.Get("_" + l.member).First()
		for n := range given.Get(l.member).Children() {
			if id := l.identity(n); !has[id] {
				has[id] = true
				keep(n, extension)
			}
			extension = extension.Next()
		}
	}
	write := func(name string, list [][]byte) {
		w.Name(name)
		w.Open('[')
		for _, item := range list {
			w.Bytes = append(fhir.AppendSeparator(w.Bytes), item...)
		}
		w.Close(']')
	}
	if len(items) > 0 {
		write(l.member, items)
	}
	if extended {
		write("_"+l.member, beside)
	}
}
