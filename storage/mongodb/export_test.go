package mongodb

import (
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
