package mongodb

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
)

// A gateway that is killed leaves its transactions open, and the server keeps what they have written until their lifetime of 60 s is over. Who meets
// such a lock ends the transaction: it is idle, and the connection that it last came by is closed. Were its gateway alive, it would run it again.

const (
	// abandonedAfter is how long a transaction is idle before it is looked at, and a write waits before it looks.
	abandonedAfter = time.Second
	// lookEach is how often a write looks that still waits.
	lookEach = 2 * time.Second
)

// endAbandoned ends the transactions of gateways that are gone, as far as this user may see and end them. A router of a sharded cluster keeps the
// connections to its shards, so there the lifetime of transactions is what ends them.
func (s *Store) endAbandoned(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	admin := s.client.Database("admin", options.Database().SetReadConcern(readconcern.Local())) // the only one that there is for it
	cur, err := admin.Aggregate(ctx, mongo.Pipeline{{{Key: "$currentOp", Value: bson.D{{Key: "idleConnections", Value: true}, {Key: "idleSessions", Value: true}}}}})
	if err != nil {
		s.log.Debug("transactions can't be listed", "reason", err.Error())
		return
	}
	var ops []struct {
		Type       string `bson:"type"`
		App        string `bson:"appName"`
		Connection int64  `bson:"connectionId"`
		Session    struct {
			ID bson.Binary `bson:"id"`
		} `bson:"lsid"`
		Transaction struct {
			Inactive int64 `bson:"timeInactiveMicros"`
		} `bson:"transaction"`
	}
	if err := cur.All(ctx, &ops); err != nil {
		s.log.Debug("transactions can't be listed", "reason", err.Error())
		return
	}
	open := map[int64]bool{}
	for _, op := range ops {
		if op.Type != "idleSession" {
			open[op.Connection] = true
		}
	}
	var gone bson.A
	for _, op := range ops {
		if op.Type == "idleSession" && op.App == s.app && !open[op.Connection] && op.Connection != 0 && time.Duration(op.Transaction.Inactive)*time.Microsecond > abandonedAfter {
			gone = append(gone, bson.D{{Key: "id", Value: op.Session.ID}})
		}
	}
	if len(gone) == 0 {
		return
	}
	if err := admin.RunCommand(ctx, bson.D{{Key: "killSessions", Value: gone}}).Err(); err != nil {
		s.log.Debug("transactions can't be ended", "reason", err.Error())
		return
	}
	s.log.Info("transactions of a gateway that is gone were ended", "number", len(gone))
}

// whileWaiting looks for abandoned transactions now and then until the write that waits for one has ended.
func (s *Store) whileWaiting(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for wait := abandonedAfter; ; wait = lookEach {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
				s.endAbandoned(ctx)
			}
		}
	}()
	return cancel
}
