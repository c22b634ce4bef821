package operation

import (
	"context"
	"strconv"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/patch"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage"
)

// Differ reads what is compared, all at one moment; *interaction.Service is one.
type Differ interface {
	Walker
	Snapshotter
}

// Diff returns $diff: what differs between two versions of a resource, or between two resources of one type, as the FHIRPath Patch
// (http://hl7.org/fhir/R4/fhirpatch.html) that makes the second of the first. On a resource it takes fromVersion and toVersion: the version before the
// current one and the current one where they are not given. On the system it takes from and to, references to resources or versions.
func Diff(s Differ, reg *definition.Registry) interaction.Operation {
	versions := []input{{name: "fromVersion", typ: "id"}, {name: "toVersion", typ: "id"}}
	references := []input{{name: "from", typ: "uri", required: true}, {name: "to", typ: "uri", required: true}}
	return interaction.Operation{
		Name:          "diff",
		Definition:    "urn:fhirgate:operation:diff",
		Documentation: "Returns the FHIRPath Patch between two versions of a resource (fromVersion, toVersion), or between two resources (from, to).",
		System:        true,
		Instance:      true,
		Get:           true,
		Post:          true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			var from, to storage.Record
			err := s.Snapshot(ctx, func(ctx context.Context) (err error) {
				if q.Key.ID == "" {
					from, to, err = diffedResources(ctx, s, q, references)
				} else {
					from, to, err = diffedVersions(ctx, s, q, versions)
				}
				return err
			})
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			a, err := fhir.ParseResource(from.Body, fhir.Limits{})
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			b, err := fhir.ParseResource(to.Body, fhir.Limits{})
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			body, err := patch.Diff(reg, a, b, patch.Limits{})
			return interaction.OperationResponse{Body: body}, err
		},
	}
}

// diffedVersions reads the versions of a resource that are compared.
func diffedVersions(ctx context.Context, s Differ, q *interaction.Request, parameters []input) (from, to storage.Record, err error) {
	args, err := argumentsOf(q, parameters)
	if err != nil {
		return from, to, err
	}
	if version := args.get("toVersion").value; version != "" {
		to, err = s.VRead(ctx, q.Key, version)
	} else {
		to, err = s.Read(ctx, q.Key)
	}
	if err != nil {
		return from, to, err
	}
	version := args.get("fromVersion").value
	if version == "" {
		if to.Version == 1 {
			return from, to, errParameter(fhir.IssueNotFound, "the resource has no version before the first; give fromVersion and toVersion", fhir.Node{})
		}
		version = strconv.FormatInt(to.Version-1, 10)
	}
	from, err = s.VRead(ctx, q.Key, version)
	return from, to, err
}

// diffedResources reads the two resources that are compared.
func diffedResources(ctx context.Context, s Differ, q *interaction.Request, parameters []input) (from, to storage.Record, err error) {
	args, err := argumentsOf(q, parameters)
	if err != nil {
		return from, to, err
	}
	if from, err = referred(ctx, s, q.Base, args.get("from")); err != nil {
		return from, to, err
	}
	if to, err = referred(ctx, s, q.Base, args.get("to")); err != nil {
		return from, to, err
	}
	if from.Key.Type != to.Key.Type {
		return from, to, errParameter(fhir.IssueValue, "from and to are of one resource type", args.get("to").node)
	}
	return from, to, nil
}

// referred reads what a parameter refers to: a resource of this server, or a version of one.
func referred(ctx context.Context, s Differ, base string, a argument) (storage.Record, error) {
	key, version, ok := s.Local(base, a.value)
	if !ok {
		return storage.Record{}, errParameter(fhir.IssueValue, a.name+" is a reference to a resource of this server, for example Patient/1 or Patient/1/_history/2", a.node)
	}
	if version != "" {
		return s.VRead(ctx, key, version)
	}
	return s.Read(ctx, key)
}
