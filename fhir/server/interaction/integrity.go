package interaction

import (
	"context"
	"fmt"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// checkReferences checks that each reference of r to a resource of this server, "Type/id" or a URL below one of its bases, points to a resource that exists, r itself included. It is called after
// the writes of tx, and holds until tx commits. Without Options.ReferentialIntegrity it checks nothing.
func (s *Service) checkReferences(ctx context.Context, tx storage.Tx, r fhir.Resource) error {
	if !s.opt.ReferentialIntegrity {
		return nil
	}
	if err := s.guardTargets(ctx, tx, s.targets(r, nil), nil); err != nil {
		return err
	}
	return s.referencesLead(ctx, tx, r)
}

// targets returns the resources of this server that r refers to, but for those in written.
func (s *Service) targets(r fhir.Resource, written map[fhir.Key]bool) (keys []fhir.Key) {
	if isBundle(r.Node) {
		return nil
	}
	s.localReferences(r.Node, func(_ fhir.Node, key fhir.Key) {
		if !written[key] {
			keys = append(keys, key)
		}
	})
	return keys
}

// targetSlots is how many writes that refer to one resource go on at the same time without a conflict.
const targetSlots = 16

// guardTargets makes tx, which refers to some resources and deletes others, conflict with every concurrent Update that deletes one of the first
// or refers to one of the second. Each resource has slots, of which a write that refers to it guards one, another at each try, and a delete all.
func (s *Service) guardTargets(ctx context.Context, tx storage.Tx, referred, deleted []fhir.Key) error {
	var names []string
	name := func(key fhir.Key, slot uint32) { names = append(names, fmt.Sprintf("target %s %d", key, slot)) }
	slot := s.slot.Add(1) % targetSlots
	for _, key := range referred {
		name(key, slot)
	}
	for _, key := range deleted {
		for i := range uint32(targetSlots) {
			name(key, i)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return tx.Guard(ctx, slices.Compact(names)...)
}

// referencesLead checks the references of r as tx sees them.
func (s *Service) referencesLead(ctx context.Context, tx storage.Reader, r fhir.Resource) error {
	if isBundle(r.Node) {
		return nil
	}
	var keys []fhir.Key
	var nodes []fhir.Node
	s.localReferences(r.Node, func(n fhir.Node, key fhir.Key) {
		keys, nodes = append(keys, key), append(nodes, n)
	})
	found, err := tx.GetMany(ctx, keys)
	if err != nil {
		return err
	}
	var issues []fhir.Issue
	for i := range found {
		if found[i].Version == 0 {
			issues = append(issues, fhir.Issue{Severity: fhir.SeverityError, Code: fhir.IssueNotFound, ID: fhir.IDMissingReference,
				Text: "the reference points to a resource that does not exist here", Expression: nodes[i].Path()})
		}
	}
	if len(issues) > 0 {
		return &fhir.Error{Kind: fhir.KindUnprocessable, Issues: issues}
	}
	return nil
}

// localReferences calls f for each Reference.reference below n that refers to a resource of this server.
func (s *Service) localReferences(n fhir.Node, f func(fhir.Node, fhir.Key)) {
	for c := range n.Children() {
		switch {
		case isBundle(c): // its references name its own entries
		case c.Kind() == fhir.Object || c.Kind() == fhir.Array:
			s.localReferences(c, f)
		case c.Kind() == fhir.String && c.Name() == "reference":
			if key, ok := s.localKey(c.Text()); ok {
				f(c, key)
			}
		}
	}
}

// localKey reads a reference to a resource of this server: "Type/id" or "Type/id/_history/version", relative or below one of the server's bases.
func (s *Service) localKey(reference string) (fhir.Key, bool) {
	key, ok := s.parameters.Local(reference)
	if _, known := s.registry.Resource(key.Type); !ok || !known {
		return fhir.Key{}, false
	}
	return key, true
}

// checkReferrers checks that no resource has a reference to one of keys, which tx has deleted, in an element that a search parameter reads. It
// holds until tx commits. Without Options.ReferentialIntegrity it checks nothing.
func (s *Service) checkReferrers(ctx context.Context, tx storage.Tx, keys ...fhir.Key) error {
	if !s.opt.ReferentialIntegrity {
		return nil
	}
	if err := s.guardTargets(ctx, tx, nil, keys); err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.noReferrers(ctx, tx, key); err != nil {
			return err
		}
	}
	return nil
}

// noReferrers checks that no resource refers to key, as tx sees it.
func (s *Service) noReferrers(ctx context.Context, tx storage.Reader, key fhir.Key) error {
	if err := s.referencesIndexed(key.Type); err != nil {
		return err
	}
	for _, typ := range s.registry.ResourceTypes() {
		var where search.Or
		for _, p := range s.parameters.Of(typ) {
			if p.Type == "reference" && p.PointsTo(key.Type) {
				where = append(where, pointsTo(p.Code, key))
			}
		}
		if len(where) == 0 {
			continue
		}
		rows, err := tx.Find(ctx, search.Query{Types: []string{typ}, Where: where, Limit: 1})
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			return fhir.NewError(fhir.KindConflict, fhir.IssueConflict, fhir.IDReferenced, "cannot delete: a resource of type "+typ+" still refers to this one")
		}
	}
	return nil
}

// pointsTo is the condition that a reference parameter points to key.
func pointsTo(param string, key fhir.Key) search.Some {
	return search.Some{Param: param, Where: []search.Comparison{{Field: search.Type, Op: search.Eq, Value: key.Type}, {Field: search.ID, Op: search.Eq, Value: key.ID}}}
}
