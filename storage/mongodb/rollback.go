package mongodb

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// sends notes the context of a command of the transaction.
func (t *tx) sends(ctx context.Context) {
	if done := ctx.Done(); done != nil && !slices.Contains(t.ends, done) {
		t.ends = append(t.ends, done)
	}
}

// unanswered reports whether the server may have a command of the transaction, which failed with err, that it has not answered.
func (t *tx) unanswered(err error) bool {
	return mongo.IsNetworkError(err) || mongo.IsTimeout(err) || slices.ContainsFunc(t.ends, func(done <-chan struct{}) bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
}

// rollBack ends the transaction, which failed with err. A command that was given up may still wait for a busy server to read it, which would begin a
// transaction that nobody ends: it holds what it has touched for a minute or more. So the session goes on by a write of nothing: the server ends what
// the session had open, and refuses what comes later of a transaction before.
func (t *tx) rollBack(ctx context.Context, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.s.limits.commit)
	defer cancel()
	_ = t.sess.AbortTransaction(ctx) // what it fails to end, endAbandoned does
	if t.unanswered(err) && !noServer(err) {
		none := bson.D{{Key: fieldID, Value: ""}}
		meta := t.s.db.Collection(metaCollection, options.Collection().SetWriteConcern(writeconcern.W1()))
		_, _ = meta.UpdateOne(mongo.NewSessionContext(ctx, t.sess), none, bson.D{{Key: "$set", Value: none}})
	}
}
