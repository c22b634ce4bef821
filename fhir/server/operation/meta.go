package operation

import (
	"context"
	"fmt"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage"
)

// Walker reads resources, versions of them, and goes through those that a search finds; *interaction.Service is one.
type Walker interface {
	Read(ctx context.Context, key fhir.Key) (storage.Record, error)
	VRead(ctx context.Context, key fhir.Key, version string) (storage.Record, error)
	Walk(ctx context.Context, q interaction.Walk, f func(storage.Record) (more bool, err error)) error
}

// Patcher changes resources; *interaction.Service is one.
type Patcher interface {
	Patch(ctx context.Context, key fhir.Key, p interaction.Patch, c interaction.Conditions) (interaction.Result, error)
}

// maxLabels bounds the profiles, tags and security labels that $meta lists for a type or the system.
const maxLabels = 10_000

// Meta returns $meta (http://hl7.org/fhir/R4/resource-operation-meta.html): the meta of a resource or of one of its versions, and for a type or the
// system the profiles, tags and security labels that are in use.
func Meta(s Walker, reg *definition.Registry) interaction.Operation {
	return interaction.Operation{
		Name:          "meta",
		Definition:    canonicalOf(reg, "meta"),
		Documentation: "Returns the meta of a resource or version, or the profiles, tags and security labels that a type or the whole system uses.",
		System:        true,
		Type:          true,
		Instance:      true,
		Version:       true,
		Get:           true,
		Post:          true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			if _, err := argumentsOf(q, nil); err != nil {
				return interaction.OperationResponse{}, err
			}
			if q.Key.ID == "" {
				return labelsInUse(ctx, s, q.Key.Type)
			}
			var rec storage.Record
			var err error
			if q.Version != "" {
				rec, err = s.VRead(ctx, q.Key, q.Version)
			} else {
				rec, err = s.Read(ctx, q.Key)
			}
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			return metaOf(rec)
		},
	}
}

// metaOf returns the meta of a version as the operations return it.
func metaOf(rec storage.Record) (interaction.OperationResponse, error) {
	r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
	if err != nil {
		return interaction.OperationResponse{}, err
	}
	dst := []byte(`{"resourceType":"Parameters","parameter":[{"name":"return","valueMeta":`)
	return interaction.OperationResponse{Body: append(r.Get("meta").AppendJSON(dst), `}]}`...)}, nil
}

// labelsInUse returns the labels of all resources of a type, or of all types.
func labelsInUse(ctx context.Context, s Walker, typ string) (interaction.OperationResponse, error) {
	walk := interaction.Walk{}
	if typ != "" {
		walk.Types = []string{typ}
	}
	labelled := search.Or{}
	for _, l := range labels {
		labelled = append(labelled, search.Some{Param: l.param})
	}
	walk.Where = labelled
	used := make(map[string][]byte) // by member and identity
	order := make(map[string][]string, len(labels))
	err := s.Walk(ctx, walk, func(rec storage.Record) (bool, error) {
		r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
		if err != nil {
			return false, err
		}
		meta := r.Get("meta")
		for _, l := range labels {
			for n := range meta.Get(l.member).Children() {
				id := l.member + " " + l.identity(n)
				if _, known := used[id]; known || n.Kind() == fhir.Null {
					continue
				}
				if len(used) == maxLabels {
					return false, fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDOperationCost, fmt.Sprintf("more than %d labels are in use; ask for those of a type", maxLabels))
				}
				used[id] = n.AppendJSON(nil)
				order[l.member] = append(order[l.member], id)
			}
		}
		return true, nil
	})
	if err != nil {
		return interaction.OperationResponse{}, err
	}
	w := &fhir.JSONWriter{Bytes: []byte(`{"resourceType":"Parameters","parameter":[{"name":"return","valueMeta":`)}
	w.Open('{')
	for _, l := range labels {
		if len(order[l.member]) == 0 {
			continue
		}
		slices.Sort(order[l.member])
		w.Name(l.member)
		w.Open('[')
		for _, id := range order[l.member] {
			w.Bytes = append(fhir.AppendSeparator(w.Bytes), used[id]...)
		}
		w.Close(']')
	}
	w.Close('}')
	return interaction.OperationResponse{Body: append(w.Bytes, `}]}`...)}, nil
}
