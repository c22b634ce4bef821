package mongodb_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// TestWritesDoNotWaitForATransactionThatNobodyEnds holds resources as a gateway does that is killed in a transaction.
func TestWritesDoNotWaitForATransactionThatNobodyEnds(t *testing.T) {
	uri := mongotest.URI(t)
	s, ctx := openURI(t, uri), t.Context()
	write := func(id string, expect int64) error {
		return s.Update(ctx, func(tx storage.Tx) error {
			k := fhir.Key{Type: "Basic", ID: id}
			return tx.Put(ctx, storage.Record{Key: k, Version: expect + 1, Updated: tx.Now(), Method: "PUT", Body: []byte(`{"resourceType":"Basic","id":"` + id + `"}`)}, expect)
		})
	}
	if err := write("there", 0); err != nil {
		t.Fatal(err)
	}
	cs, err := connstring.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(ctx)
	session, err := client.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(ctx)
	if err := session.StartTransaction(); err != nil {
		t.Fatal(err)
	}
	held, basics := mongo.NewSessionContext(ctx, session), client.Database(cs.Database).Collection("Basic")
	for _, id := range []string{"there", "fresh"} {
		if _, err := basics.UpdateOne(held, bson.D{{Key: "_id", Value: id}}, bson.D{{Key: "$set", Value: bson.D{{Key: "held", Value: true}}}}, options.UpdateOne().SetUpsert(true)); err != nil {
			t.Fatal(err)
		}
	}
	undo := mongodb.GiveUpAfter(s, 300*time.Millisecond)
	for id, expect := range map[string]int64{"there": 1, "fresh": 0} {
		var e *fhir.Error
		if err := write(id, expect); !errors.As(err, &e) || e.Kind != fhir.KindUnavailable {
			t.Errorf("a write of %s that another transaction holds: %v", id, err)
		}
	}
	undo()
	if err := session.AbortTransaction(ctx); err != nil {
		t.Fatal(err)
	}
	for id, expect := range map[string]int64{"there": 1, "fresh": 0} {
		err := write(id, expect)
		if errors.Is(err, storage.ErrConflict) {
			err = write(id, expect+1) // the write that was given up may have been stored when the lock ended
		}
		if err != nil {
			t.Errorf("a write of %s after the other transaction: %v", id, err)
		}
	}
}

// TestALockOfAGatewayThatIsGoneIsEnded leaves a transaction open as a gateway does that is killed: its connections are closed, and the server is not
// told.
func TestALockOfAGatewayThatIsGoneIsEnded(t *testing.T) {
	endsLocks(t, mongotest.URI(t))
}

// A user who may read and write the database, and nothing else, may end what is left of the same user's other gateways.
func TestALockIsEndedByAUserWhoMayOnlyReadAndWrite(t *testing.T) {
	c := mongotest.StartSecured(t, "root", "right")
	with := func(user string) string {
		return strings.Replace(c.URI("fhir"), "mongodb://", "mongodb://"+user+":right@", 1) + "&authSource=admin"
	}
	root, err := mongo.Connect(options.Client().ApplyURI(with("root")))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Disconnect(t.Context())
	if err := root.Database("admin").RunCommand(t.Context(), bson.D{{Key: "createUser", Value: "gate"}, {Key: "pwd", Value: "right"},
		{Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: "readWrite"}, {Key: "db", Value: "fhir"}}}}}).Err(); err != nil {
		t.Fatal(err)
	}
	endsLocks(t, with("gate"))
}

func endsLocks(t *testing.T, uri string) {
	s, ctx := openURI(t, uri), t.Context()
	if err := put(ctx, s, "there", 0); err != nil {
		t.Fatal(err)
	}
	cs, err := connstring.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	for id, expect := range map[string]int64{"there": 1, "fresh": 0} {
		gone, err := mongo.Connect(options.Client().ApplyURI(uri).SetAppName("fhirgate"))
		if err != nil {
			t.Fatal(err)
		}
		session, err := gone.StartSession()
		if err != nil {
			t.Fatal(err)
		}
		if err := session.StartTransaction(); err != nil {
			t.Fatal(err)
		}
		if _, err := gone.Database(cs.Database).Collection("Basic").UpdateOne(mongo.NewSessionContext(ctx, session), bson.D{{Key: "_id", Value: id}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "held", Value: true}}}}, options.UpdateOne().SetUpsert(true)); err != nil {
			t.Fatal(err)
		}
		if err := gone.Disconnect(ctx); err != nil {
			t.Fatal(err)
		}
		if err := put(ctx, s, id, expect); err != nil {
			t.Errorf("a write of %s that the transaction of a gateway holds which is gone: %v", id, err)
		}
	}
}
