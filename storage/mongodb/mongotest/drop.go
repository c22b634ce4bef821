package mongotest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
)

const (
	// lookAfter is how long the drop of a database takes before what holds it is looked for, again and again.
	lookAfter = 2 * time.Second
	// idleFor is how long a transaction that a drop waits for has been asked nothing when it is taken for one that nobody ends, because the connection
	// of its client is closed; of one whose client may go on it is three times as long.
	idleFor = 10 * time.Second
)

// drop drops the database of a connection string, which no client uses any more. Where a transaction holds it that nobody ends, left names that, and
// the transaction is ended. Where anything else holds it, the error comes after patience, and names all that the server does.
func drop(uri, name string, idleFor time.Duration) (left, err error) {
	c, err := mongo.Connect(options.Client().ApplyURI(uri).SetAppName("mongotest"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer c.Disconnect(context.WithoutCancel(ctx))
	dropped := make(chan error, 1)
	go func() { dropped <- c.Database(name).Drop(ctx) }()
	told := map[string]bool{}
	for {
		select {
		case err := <-dropped:
			if err != nil {
				looking, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
				defer cancel()
				all, _ := operations(looking, c)
				err = fmt.Errorf("the database %s can't be dropped: %w; the server does:\n%s", name, err, texts(all))
			}
			return left, err
		case <-time.After(lookAfter):
		}
		all, err := operations(ctx, c)
		if err != nil {
			continue // the drop tells what is wrong
		}
		open := map[int64]bool{}
		for _, o := range all {
			if o.Type != transaction {
				open[o.Connection] = true
			}
		}
		for _, o := range all {
			idle := time.Duration(o.Transaction.Inactive) * time.Microsecond
			if o.Type != transaction || told[string(o.Session.ID.Data)] || idle < idleFor || open[o.Connection] && idle < 3*idleFor {
				continue
			}
			told[string(o.Session.ID.Data)] = true
			left = errors.Join(left, fmt.Errorf("a test has left a transaction, which holds the drop of %s: %s", name, o.text))
			if !open[o.Connection] {
				_ = c.Database("admin").RunCommand(ctx, bson.D{{Key: "killSessions", Value: bson.A{bson.D{{Key: "id", Value: o.Session.ID}}}}}).Err()
			}
		}
	}
}

// transaction is the type of an operation that is a transaction which does nothing.
const transaction = "idleSession"

// operation is what a server does, a transaction that it keeps open, or a connection that does nothing.
type operation struct {
	Type       string `bson:"type"`
	Active     bool   `bson:"active"`
	Connection int64  `bson:"connectionId"`
	Session    struct {
		ID bson.Binary `bson:"id"`
	} `bson:"lsid"`
	Transaction struct {
		Inactive int64 `bson:"timeInactiveMicros"`
	} `bson:"transaction"`
	text string
}

// operations returns what the server does for clients.
func operations(ctx context.Context, c *mongo.Client) ([]operation, error) {
	admin := c.Database("admin", options.Database().SetReadConcern(readconcern.Local()))
	cursor, err := admin.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$currentOp", Value: bson.D{{Key: "allUsers", Value: true}, {Key: "idleConnections", Value: true}, {Key: "idleSessions", Value: true}}}},
		{{Key: "$match", Value: bson.D{{Key: "client", Value: bson.D{{Key: "$exists", Value: true}}}}}},
	})
	if err != nil {
		return nil, err
	}
	var out []operation
	for cursor.Next(ctx) {
		var o operation
		if err := cursor.Decode(&o); err != nil {
			return nil, errors.Join(err, cursor.Close(ctx))
		}
		o.text = cursor.Current.String()
		out = append(out, o)
	}
	return out, errors.Join(cursor.Err(), cursor.Close(ctx))
}

// texts describes what is under way, a line each.
func texts(all []operation) string {
	var lines []string
	for _, o := range all {
		if o.Active || o.Type == transaction {
			lines = append(lines, o.text)
		}
	}
	return strings.Join(lines, "\n")
}
