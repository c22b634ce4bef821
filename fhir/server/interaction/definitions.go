package interaction

import (
	"cmp"
	"context"
	"errors"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// The definitions of R4 are resources that a client can read and search beside those of the site (package specification). They are not among the
// site's data: a read or vread by id, the history of one resource, a search of one type with a condition, and includes show them; nothing else does,
// and no write.

// definitionsParameter asks a search for the definitions of R4, or leaves them out.
const definitionsParameter = "_definitions"

// definitions says what part the definitions of R4 have in a search.
type definitions struct {
	// value is what the request asks for: "true", "false", or "" where it does not say.
	value string
	// found is set where they are among the matches.
	found bool
}

// read reads the parameter among those of a search.
func (d *definitions) read(pairs []search.Pair) error {
	d.value = ""
	for _, pair := range pairs {
		if pair.Name != definitionsParameter || pair.Value == "" {
			continue
		}
		if d.value != "" {
			return errRepeated(definitionsParameter)
		}
		if pair.Value != "true" && pair.Value != "false" {
			return errParameter(definitionsParameter, "is true or false")
		}
		d.value = pair.Value
	}
	return nil
}

// DefinitionTypes returns the resource types of the definitions that are shown, sorted.
func (s *Service) DefinitionTypes() []string { return s.specification.Types() }

// matched returns what a search looks for matches in, where the site shows r.
func (s *Service) matched(r storage.Reader, p *searching) storage.Reader {
	switch {
	case p.definitions.value == "true":
		return s.specification.Joined(r)
	case p.definitions.found:
		return s.specification.Beside(r)
	}
	return r
}

// named returns what includes and canonicals of a search are looked up in, where the site shows r.
func (s *Service) named(r storage.Reader, p *searching) storage.Reader {
	if p.definitions.value == "false" {
		return r
	}
	return s.specification.Beside(r)
}

// patchable returns the version of a key that a patch changes.
func (s *Service) patchable(ctx context.Context, r storage.Reader, key fhir.Key) (storage.Record, error) {
	rec, err := r.Get(ctx, key)
	if errors.Is(err, storage.ErrNotFound) {
		err = cmp.Or(s.refuseDefinition(key), err)
	}
	return rec, err
}

// refuseDefinition is the error of a patch or deletion of a key of which the site has no resource, where there is a definition: a client that reads it is
// not to believe that it was changed. Nil where there is none.
func (s *Service) refuseDefinition(key fhir.Key) error {
	if !s.specification.Has(key) {
		return nil
	}
	return fhir.NewError(fhir.KindNotAllowed, fhir.IssueNotSupported, fhir.IDDefinitionReadOnly,
		"this is a definition of R4, which the server shows and cannot change; PUT a resource with this id to replace it for this site")
}
