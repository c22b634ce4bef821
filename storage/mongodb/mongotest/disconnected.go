package mongotest

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// AwaitDisconnected waits until the server at uri has no connection of a client with the application name, but for those that only watch the
// server. A client that was killed may have sent commands that a busy server has yet to read: they take effect until the server has seen its
// connections end. A transaction that it left open takes none.
func AwaitDisconnected(t testing.TB, uri, application string) {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(uri).SetAppName("mongotest"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Disconnect(context.WithoutCancel(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	operations := mongo.Pipeline{
		{{Key: "$currentOp", Value: bson.D{{Key: "allUsers", Value: true}, {Key: "idleConnections", Value: true}, {Key: "idleSessions", Value: false}}}},
		{{Key: "$match", Value: bson.D{{Key: "appName", Value: application}, {Key: "command.hello", Value: nil}, {Key: "command.isMaster", Value: nil}}}},
		{{Key: "$count", Value: "connections"}},
	}
	for {
		cursor, err := c.Database("admin").Aggregate(ctx, operations)
		if err != nil {
			t.Fatalf("the server's connections: %v", err)
		}
		connected := cursor.Next(ctx)
		if err := cursor.Close(ctx); err != nil {
			t.Fatal(err)
		}
		if !connected {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
