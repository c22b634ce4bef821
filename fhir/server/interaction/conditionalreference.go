package interaction

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// resolveReferences returns r with its conditional references, "Patient?identifier=x|y", replaced by what they find. R4 has them in transactions (http,
// 3.1.0.11.1, Conditional References); outside of them they would be stored as text that refers to nothing, so that single writes and the
// entries of a batch resolve them too. Each must find exactly one resource, in a view from before the write: finding none is
// KindUnprocessable, finding several KindPrecondition.
func (s *Service) resolveReferences(ctx context.Context, r fhir.Resource) (fhir.Resource, error) {
	var conditions map[string]*condition
	found := mentions(s.registry, r, nil, "")
	n := 0
	for _, m := range found {
		if m.kind != mentionCondition {
			continue
		}
		found[n], n = m, n+1
		if conditions[m.rest] != nil {
			continue
		}
		typ, query := cutQuery(m.rest)
		cond, err := s.parseCondition(ctx, typ, query)
		if err != nil {
			return r, wholly(whereNone(err, m.node.Path()))
		}
		if conditions == nil {
			conditions = make(map[string]*condition)
		}
		conditions[m.rest] = cond
	}
	if n == 0 {
		return r, nil
	}
	v := resolved{conditions: make(map[string]fhir.Key, len(conditions))}
	err := s.clients.View(ctx, func(reader storage.Reader) error {
		for _, m := range found[:n] {
			keys, err := conditions[m.rest].find(ctx, reader, 2, nil)
			if err != nil {
				return err
			}
			if len(keys) != 1 {
				return errConditionalReference(len(keys), m.node.Path())
			}
			v.conditions[m.rest] = keys[0]
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	return v.rewrite(r, found[:n])
}

// prepareResolved is resolveReferences, and then prepare.
func (s *Service) prepareResolved(ctx context.Context, typ string, r fhir.Resource) (*draft, error) {
	if err := s.checkType(typ, r); err != nil {
		return nil, err
	}
	r, err := s.resolveReferences(ctx, r)
	if err != nil {
		return nil, join(err, s.checkContent(r))
	}
	return s.prepare(typ, r)
}

// refuseConditionalReferences refuses a resource with conditional references, which the write that made it does not resolve.
func (s *Service) refuseConditionalReferences(r fhir.Resource) error {
	for _, m := range mentions(s.registry, r, nil, "") {
		if m.kind == mentionCondition {
			return &fhir.Error{Kind: fhir.KindUnprocessable, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueNotSupported, ID: fhir.IDConditionalReference,
				Text: "a patch makes no conditional references; refer to the resource by its type and id", Expression: m.node.Path()}}}
		}
	}
	return nil
}
