package mongodb

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/storage"
)

// Sent is one find that a query sent.
type Sent struct {
	Collection *mongo.Collection
	Filter     bson.D
	Options    *options.FindOptionsBuilder
}

// SentBy returns the finds that run sends through r.
func SentBy(r storage.Reader, run func() error) ([]Sent, error) {
	var out []Sent
	in := r.(*reader)
	in.sending = func(typ string, f bson.D, opts *options.FindOptionsBuilder) {
		out = append(out, Sent{in.s.current(typ), f, opts})
	}
	defer func() { in.sending = nil }()
	err := run()
	return out, err
}

// DropIndexes drops all indexes of a type but that of _id.
func DropIndexes(s *Store, typ string) error {
	return s.current(typ).Indexes().DropAll(context.Background())
}

// IndexNames returns the names of the indexes of a type.
func IndexNames(s *Store, typ string) ([]string, error) {
	specs, err := s.current(typ).Indexes().ListSpecifications(context.Background())
	var out []string
	for _, spec := range specs {
		out = append(out, spec.Name)
	}
	return out, err
}
