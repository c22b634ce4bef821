package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir"
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

// GiveUpAfter makes Updates of a store that is not in use give up what others hold after d, and returns what undoes it.
func GiveUpAfter(s *Store, d time.Duration) (undo func()) {
	before := s.limits.locked
	s.limits.locked = d
	return func() { s.limits.locked = before }
}

// AskForCommits makes a store that is not in use ask for a commit whose result is unknown for d.
func AskForCommits(s *Store, d time.Duration) { s.limits.commit = d }

// IndexNames returns the names of the indexes of a type.
func IndexNames(s *Store, typ string) ([]string, error) {
	specs, err := s.current(typ).Indexes().ListSpecifications(context.Background())
	var out []string
	for _, spec := range specs {
		out = append(out, spec.Name)
	}
	return out, err
}

// SmallDocuments makes resources of a few entries and bytes large ones, of which chains and conditions name few.
func SmallDocuments(s *Store) {
	s.limits = limits{body: 200, part: 100, entries: 4, size: 1 << 20, joints: 4, furtherEntries: 2, furtherSize: 1 << 20, far: 3, locked: theLimits.locked, commit: theLimits.commit}
}

// FurtherEntries returns how many documents of entries a type has.
func FurtherEntries(s *Store, typ string) (int64, error) {
	return s.further(typ).CountDocuments(context.Background(), bson.D{{Key: fieldOf, Value: bson.D{{Key: "$exists", Value: true}}}})
}

// OwnDocument returns the document of a resource's current version.
func OwnDocument(s *Store, key fhir.Key) (bson.Raw, error) {
	return s.current(key.Type).FindOne(context.Background(), bson.D{{Key: fieldID, Value: key.ID}}).Raw()
}

// Forget makes the store forget how frequent terms are.
func Forget(s *Store) {
	s.frequencies.mu.Lock()
	defer s.frequencies.mu.Unlock()
	clear(s.frequencies.known)
}

// OpenMonitored is Open with a monitor of the commands that are sent.
func OpenMonitored(ctx context.Context, opt Options, m *event.CommandMonitor) (*Store, error) {
	return open(ctx, opt, options.Client().SetMonitor(m))
}

// MarkAgain reads a mark and writes it again; false where it is none.
func MarkAgain(mark storage.Mark) (storage.Mark, bool) {
	at, moment, ok := readMark(mark)
	return markOf(at, moment), ok
}

// SetClock gives a store that is not in use another clock of its machine.
func SetClock(s *Store, wall func() time.Time) { s.wall = wall }
