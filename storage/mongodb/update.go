package mongodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// retryFor is how long an Update is tried again after conflicts and elections before it says so.
	retryFor = 30 * time.Second
	// transactionLifetime is what MongoDB gives a transaction by default; past it the server aborts it.
	transactionLifetime = 60 * time.Second
	// slowTransaction is how long a transaction lives whose end by the server is held to be that of its lifetime.
	slowTransaction = 3 * time.Second
	// conflictTries bounds how often an Update is tried again that found another version than it expected.
	conflictTries = 10
	// smallTransaction is up to how many bytes of resources and entries a transaction fits in any cache that no other fills.
	smallTransaction = 512 << 10
	// fullTries is how often an Update is tried that finds the cache full while no other of this process does.
	fullTries = 3
)

// tx is the unit of work of one try of an Update. It begins as a view: what is put is kept, and written when the function has returned, by
// one insert where it is one new resource and by a transaction where it is more. Where more is asked of it than resources by their keys it goes on
// in a transaction, once it has made sure that there, what it has read is the same.
type tx struct {
	reader
	now     time.Time
	puts    map[fhir.Key]*put // what this Update has put, sent or not
	pending []*put            // not sent yet, in order
	reindex []reindexing
	erased  map[fhir.Key]bool
	metas   map[string][]byte
	guards  map[string]bool
	// seen are the documents that were read outside of a transaction; nil for those that were not there.
	seen        map[fhir.Key]bson.Raw
	transaction bool
	// ends are the ends of the contexts that commands of the transaction were sent with.
	ends []<-chan struct{}
}

var (
	// errSuperseded means that the version an Update expected, or has read, is not current.
	errSuperseded = errors.New("another version is current")
	// errStale means that the instant of an Update is not after what others have stored since.
	errStale = errors.New("the instant of the update has passed")
	// errOvertaken means that a moment was given out which is not before the instant of an Update.
	errOvertaken = errors.New("a moment after the update's instant was given out")
)

// Update implements storage.Store. Transactions have snapshot reads and majority writes and are tried again as the driver's documentation
// says: the whole of it on TransientTransactionError and on a duplicate key (another Update made the resource first), the commit alone on
// UnknownTransactionCommitResult. Where the connection is lost in a commit and no server answers in time, or ctx ends in it, the error is
// storage.Unknown.
func (s *Store) Update(ctx context.Context, f func(storage.Tx) error) error {
	if err := cmp.Or(ctx.Err(), s.serving(ctx)); err != nil {
		return err
	}
	begun, slow, full := time.Now(), 0, 0
	var conflicted, looked time.Time // when the first conflict was, and when what it may be with was looked for
	overtaken := false
	for try := 0; ; try++ {
		start := time.Now()
		err, own, size := s.try(ctx, f, overtaken)
		if err == nil || storage.IsUnknown(err) {
			return err
		}
		// The server ends transactions that live too long, and then does not know them. Elections do that too, but not twice to a slow one.
		slowly := code(err, codeNoSuchTransaction) && time.Since(start) > slowTransaction
		if slowly {
			slow++
		}
		// What fills the cache may be the transactions of others, which end: those of this process that were rolled back for it are tried again one by
		// one. Once the cache was full, a conflict is taken for another word for it.
		filled := cacheFull(err) || full > 0 && code(err, codeWriteConflict)
		switch {
		case filled && full == 0:
			select {
			case s.filling <- struct{}{}:
				defer func() { <-s.filling }()
			case <-time.After(retryFor):
				return crowded(err)
			case <-ctx.Done():
				return ctx.Err()
			}
			begun = time.Now()
			fallthrough
		case filled:
			full++
		}
		if size <= smallTransaction && slow <= 1 && (full > fullTries || filled && time.Since(begun) > retryFor) {
			return crowded(err)
		}
		if slow > 1 || full > fullTries || filled && time.Since(begun) > retryFor || time.Since(start) > transactionLifetime && label(err, "TransientTransactionError") {
			return transactionLimit(err)
		}
		if noServer(err) || errors.Is(err, errMissed) { // which has waited for one
			return unavailable("update", err)
		}
		overtaken = overtaken || errors.Is(err, errOvertaken)
		superseded := errors.Is(err, errSuperseded) || errors.Is(err, errStale) || errors.Is(err, errOvertaken) || code(err, codeDuplicateKey)
		if !superseded && !filled && !label(err, "TransientTransactionError") || ctx.Err() != nil {
			if own {
				return err
			}
			return wrap("update", err)
		}
		if code(err, codeWriteConflict) && !filled {
			if conflicted.IsZero() {
				conflicted, looked = time.Now(), time.Now().Add(abandonedAfter-lookEach)
			}
			if time.Since(looked) > lookEach {
				s.endAbandoned(ctx)
				looked = time.Now()
			}
			if time.Since(conflicted) > s.limits.locked {
				return locked("update", err)
			}
		}
		if time.Since(begun) > retryFor && !slowly || superseded && try >= conflictTries { // the next try tells what a slow one ended by
			if !superseded && !filled && !code(err, codeWriteConflict) {
				return unavailable("update", err)
			}
			return fmt.Errorf("mongodb: %w after %d tries: %w", storage.ErrConflict, try+1, err)
		}
		backoff := min(time.Millisecond<<min(try, 8), 200*time.Millisecond)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(backoff/2 + rand.N(backoff)):
		}
	}
}

// try runs f once and commits. ahead makes moments wait until f has run. own tells that the error is f's, and size about how many bytes it put.
func (s *Store) try(ctx context.Context, f func(storage.Tx) error, ahead bool) (err error, own bool, size int) {
	release := func() {}
	if ahead {
		if release, err = s.ahead(ctx); err != nil {
			return err, true, 0
		}
		release = sync.OnceFunc(release)
		defer release()
	}
	t := &tx{puts: map[fhir.Key]*put{}, guards: map[string]bool{}, metas: map[string][]byte{}, seen: map[fhir.Key]bson.Raw{}}
	t.reader = reader{s: s, moment: s.tick(), tx: t}
	t.now = s.tick()
	defer func() {
		if t.transaction && err != nil {
			t.rollBack(ctx, err)
		}
		t.end(ctx)
	}()
	if err := t.begin(); err != nil {
		return err, false, t.size()
	}
	if err := f(t); err != nil {
		return err, true, t.size()
	}
	unlock, err := s.committing(t.now)
	if err != nil {
		return err, false, t.size()
	}
	defer unlock()
	release()
	if err = t.write(ctx); noServer(err) {
		s.miss()
	}
	return err, false, t.size()
}

// size returns about how many bytes of resources and entries were put.
func (t *tx) size() (n int) {
	for _, p := range t.puts {
		n += len(p.rec.Body)
		n += sizeOf(p.rec.Entries)
	}
	return n
}

// sizeOf returns about how many bytes entries take in a document.
func sizeOf(entries []search.Entry) (n int) {
	for i := range entries {
		e := &entries[i]
		n += 50 + len(e.System) + len(e.Code) + len(e.Folded) + len(e.Exact) + len(e.URI) + sizeOf(e.Parts)
		if e.Inner != nil {
			n += sizeOf(e.Inner.Entries)
		}
	}
	return n
}

// write commits.
func (t *tx) write(ctx context.Context) error {
	if !t.transaction {
		if len(t.metas) == 0 && len(t.reindex) == 0 {
			switch {
			case len(t.pending) == 0:
				return nil
			case len(t.pending) == 1 && t.pending[0].expect == 0:
				st, err := t.s.limits.currentDocument(t.pending[0].rec)
				if err != nil {
					return err
				}
				if len(st.more) == 0 {
					return t.insert(ctx, t.pending[0].rec.Key.Type, st.doc)
				}
			}
		}
		t.end(ctx)
		if err := t.startTransaction(); err != nil {
			return err
		}
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	if err := t.sendMetas(ctx); err != nil {
		return err
	}
	return t.commit(ctx)
}

// insert stores one resource outside of a transaction. Where a transaction has stored the same one and does not end, the server would wait as
// long as that lives: the time of the command bounds it. An insert that is given up may be done all the same.
func (t *tx) insert(ctx context.Context, typ string, doc any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, 2*t.s.limits.locked)
	defer cancel()
	defer t.s.whileWaiting(within)()
	_, err := t.s.current(typ).InsertOne(within, doc)
	if insertUnknown(err) {
		return storage.Unknown("insert", err)
	}
	return err
}

// upgrade goes on in a transaction. What was read before is read again: where it has changed, this try is over.
func (t *tx) upgrade(ctx context.Context) error {
	if t.transaction {
		return nil
	}
	t.end(ctx)
	if err := t.startTransaction(); err != nil {
		return wrap("begin", err)
	}
	byType := map[string][]string{}
	for key := range t.seen {
		byType[key.Type] = append(byType[key.Type], key.ID)
	}
	for typ, ids := range byType {
		there := map[string]int64{}
		for chunk := range slices.Chunk(ids, loadChunk) {
			err := t.query(ctx, typ, bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: chunk}}}}, nil,
				options.Find().SetProjection(bson.D{{Key: fieldVersion, Value: 1}}), func(raw bson.Raw) error {
					id, _ := raw.Lookup(fieldID).StringValueOK()
					there[id], _ = raw.Lookup(fieldVersion).AsInt64OK()
					return nil
				})
			if err != nil {
				return err
			}
		}
		for _, id := range ids {
			var version int64
			if raw := t.seen[fhir.Key{Type: typ, ID: id}]; raw != nil {
				version, _ = raw.Lookup(fieldVersion).AsInt64OK()
			}
			if version != there[id] {
				return errSuperseded
			}
		}
	}
	return nil
}

// startTransaction makes the reader's session one with a transaction.
func (t *tx) startTransaction() error {
	sess, err := t.s.client.StartSession()
	if err != nil {
		return err
	}
	t.sess, t.begun, t.started, t.transaction = sess, time.Now(), false, true
	return sess.StartTransaction(options.Transaction().SetReadConcern(readconcern.Snapshot()).SetWriteConcern(writeconcern.Majority()).SetReadPreference(readpref.Primary()))
}

// commit commits the transaction. A commit whose result is unknown is retried; the server performs it once. Where no server could be sent it, it
// was not performed, and no server commits it by itself.
func (t *tx) commit(ctx context.Context) error {
	begun, sent := time.Now(), false
	if err := ctx.Err(); err != nil {
		return err
	}
	for {
		err := t.sess.CommitTransaction(ctx)
		sent = sent || !noServer(err) && !poolCleared(err)
		over := ctx.Err() != nil
		switch {
		case err == nil || !over && !commitUnknown(err):
			return err
		case !over && !code(err, codeMaxTimeExpired) && time.Since(begun) <= t.s.limits.commit:
		case sent:
			return storage.Unknown("commit", err)
		case over:
			return ctx.Err()
		default:
			return unavailable("commit", err)
		}
	}
}

// supersedes checks that before is the version that p follows, in number and in time.
func (t *tx) supersedes(p *put, before bson.Raw) error {
	version, _ := before.Lookup(fieldVersion).AsInt64OK()
	updated, _ := before.Lookup(fieldUpdated).AsInt64OK()
	at := time.UnixMicro(updated)
	t.s.saw(at)
	switch {
	case version != p.expect:
		return errSuperseded
	case !p.rec.Updated.After(at):
		return errStale
	}
	p.before = before
	return nil
}

// send makes the server know what was put, before it is asked for more than resources by their keys.
func (t *tx) send(ctx context.Context) error {
	if err := t.upgrade(ctx); err != nil {
		return err
	}
	if len(t.pending) == 0 && len(t.reindex) == 0 {
		return nil
	}
	return t.flush(ctx)
}

// Now implements storage.Tx.
func (t *tx) Now() time.Time { return t.now }
