package interaction

import (
	"context"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/terminology"
	"github.com/fhirgate/fhirgate/storage"
)

// terminologyOf returns the terminology of a view, which must not write while it is in use.
func (s *Service) terminologyOf(ctx context.Context, r storage.Reader) *terminology.Snapshot {
	return s.terminology.At(ctx, terminologySource{r})
}

// terminologySource is a view as terminology reads it.
type terminologySource struct{ reader storage.Reader }

// Find implements terminology.Source.
func (t terminologySource) Find(ctx context.Context, q search.Query) ([]search.Row, error) {
	return t.reader.Find(ctx, q)
}

// Current implements terminology.Source.
func (t terminologySource) Current(ctx context.Context, key fhir.Key) (terminology.Version, error) {
	rec, err := current(ctx, t.reader, key)
	if err != nil || !exists(rec) {
		return terminology.Version{}, err
	}
	return terminology.Version{Key: rec.Key, Version: rec.Version, Updated: rec.Updated.UnixMicro()}, nil
}

// Read implements terminology.Source.
func (t terminologySource) Read(ctx context.Context, key fhir.Key) (fhir.Resource, error) {
	rec, err := t.reader.Get(ctx, key)
	if err != nil {
		return fhir.Resource{}, err
	}
	return fhir.ParseResource(rec.Body, fhir.Limits{})
}

// Unsaved implements terminology.Source: a version of after the view's moment is one that the Update around it has written.
func (t terminologySource) Unsaved(v terminology.Version) bool {
	return v.Updated > t.reader.Moment().UnixMicro()
}
