package interaction

import (
	"fmt"
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
)

// The rule for what may be written where. A request of its own and an entry of a Bundle are held to it alike, and so is a Binary.

// checkWritable checks that the body r may be written by a create or update of key, as far as its type and id say it. A create ignores the body's id.
// The body of an update carries the id of the URL (R4 http, 3.1.0.6 update); that of a conditional update, whose key has no id, may carry one.
func (s *Service) checkWritable(code Code, key fhir.Key, r fhir.Resource) error {
	if err := s.checkType(key.Type, r); err != nil || code != CodeUpdate {
		return err
	}
	if key.ID != "" && !fhir.ValidID(key.ID) {
		return errInvalidID()
	}
	id, err := bodyID(r)
	switch {
	case key.ID == "":
		return err
	case !r.Get("id").Valid():
		return errBodyID(fhir.IDIDMissing, key.Type, "the body of an update carries the id of the URL")
	case err != nil || id != key.ID:
		return errBodyID(fhir.IDIDMismatch, key.Type, "the body's id is not the URL's")
	}
	return nil
}

// bodyID returns the id that a resource carries, and "" if it carries none.
func bodyID(r fhir.Resource) (string, error) {
	id := r.Get("id")
	if !id.Valid() {
		return "", nil
	}
	if id.Kind() != fhir.String || !fhir.ValidID(id.Text()) {
		return "", errInvalidID()
	}
	return id.Text(), nil
}

func errBodyID(rule fhir.IssueID, typ, text string) error {
	return &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueInvalid, ID: rule, Text: text, Expression: typ + ".id"}}}
}

// checkType checks the type of the path and that the body is of it.
func (s *Service) checkType(typ string, r fhir.Resource) error {
	if err := s.knownType(typ); err != nil {
		return err
	}
	if got := r.Type(); got != typ {
		return fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDResourceType,
			fmt.Sprintf("the URL is for %s, but the body's resourceType is %s", typ, named(got)))
	}
	return nil
}

// named returns a type's name for a message; text that cannot be a name is not repeated.
func named(typ string) string {
	if fhir.ValidTypeName(typ) {
		return typ
	}
	return "not a name"
}

// knownType refuses a type that R4 does not have.
func (s *Service) knownType(typ string) error {
	if _, ok := s.registry.Resource(typ); ok {
		return nil
	}
	text := "this is not a resource type of R4" + fhir.DidYouMean(typ, slices.Values(s.registry.ResourceTypes()))
	return fhir.NewError(fhir.KindNotFound, fhir.IssueNotSupported, fhir.IDUnknownType, text)
}
