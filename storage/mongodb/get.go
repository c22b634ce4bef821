package mongodb

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// reader reads one snapshot: that of a session of its own (View, and Update until it needs more), or of a transaction.
type reader struct {
	s      *Store
	sess   *mongo.Session
	moment time.Time
	// begun is when the session was; started is set when it has read, and so has its moment.
	begun   time.Time
	started bool
	// pinned is set when the moment was asked for.
	pinned bool
	// lost is why nothing more can be read: the moment could not be had, or no server was there in time. What is asked after that would wait again.
	lost error
	// marked is set where the session reads at the time of a mark.
	marked bool
	// tx is set inside an Update, whose puts come before what the server holds.
	tx *tx
	// holders tells of types whether their resources hold others, as far as that was asked (within.go).
	holders map[string]bool
	// told is set while a query is explained.
	told *told
	// sending is told of each find, in benchmarks.
	sending func(typ string, f bson.D, opts *options.FindOptionsBuilder)
}

// View implements storage.Store by a snapshot session: all reads see the majority-committed state of one cluster time, which includes
// every write that was acknowledged before. A snapshot older than the server keeps (five minutes by default) ends with KindUnavailable.
func (s *Store) View(ctx context.Context, f func(storage.Reader) error) error {
	if err := cmp.Or(ctx.Err(), s.serving(ctx)); err != nil {
		return err
	}
	r := &reader{s: s, moment: s.tick()}
	if err := r.begin(); err != nil {
		return wrap("view", err)
	}
	defer r.end(ctx)
	return f(r)
}

// begin starts a snapshot session.
func (r *reader) begin() error {
	sess, err := r.s.client.StartSession(options.Session().SetSnapshot(true))
	r.sess, r.begun, r.started = sess, time.Now(), false
	return err
}

func (r *reader) end(ctx context.Context) {
	if r.sess != nil {
		r.sess.EndSession(context.WithoutCancel(ctx))
	}
}

// session returns ctx with the reader's session, without which a read would see another moment.
func (r *reader) session(ctx context.Context) context.Context {
	if r.tx != nil && r.tx.transaction {
		r.tx.sends(ctx)
	}
	return mongo.NewSessionContext(ctx, r.sess)
}

// snapshotFor bounds how long the first read of a view is tried again: the server has no snapshot of a collection that was made at the time until
// that is on the disks of a majority.
const snapshotFor = 30 * time.Second

// read runs one command of the reader. Where a collection was made at the time, the server has no snapshot of it: a view that has read nothing
// takes a later moment, and one that has finds nothing in a collection that was made after it began.
func (r *reader) read(ctx context.Context, typ, op string, f func(context.Context) error) error {
	if r.lost != nil {
		return r.lost
	}
	first := time.Now()
	for try := 0; ; try++ {
		err := f(r.session(ctx))
		if err == nil || errors.Is(err, mongo.ErrNoDocuments) {
			r.started = true
			return err
		}
		if noServer(err) && (r.tx == nil || !r.tx.transaction) {
			r.s.miss()
			r.lost = unavailable(op, err)
			return r.lost
		}
		if r.marked {
			return forgotten(op, err)
		}
		if !code(err, codeSnapshotUnavailable) || r.tx != nil && r.tx.transaction {
			return wrap(op, err)
		}
		switch {
		case !r.started && time.Since(first) < snapshotFor && ctx.Err() == nil:
			r.end(ctx)
			time.Sleep(time.Duration(min(try+1, 50)) * time.Millisecond)
			if err := r.begin(); err != nil {
				return wrap(op, err)
			}
		case r.started && typ != "" && (r.s.collections.madeSince(typ, r.begun) || r.madeElsewhere(ctx, typ)):
			return nil
		default:
			return unavailable(op, err)
		}
	}
}

// madeElsewhere reports whether another gateway made the collections of a type after this view began: nothing in them is as old as the view.
func (r *reader) madeElsewhere(ctx context.Context, typ string) bool {
	old := bson.D{{Key: fieldUpdated, Value: bson.D{{Key: "$lte", Value: r.moment.UnixMicro()}}}}
	for _, c := range []*mongo.Collection{r.s.current(typ), r.s.superseded(typ)} {
		if err := c.FindOne(ctx, old, options.FindOne().SetProjection(bson.D{{Key: fieldID, Value: 1}})).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
			return false
		}
	}
	return true
}

// Now is Moment: a View puts nothing.
func (r *reader) Now() time.Time { return r.Moment() }

// Moment implements storage.Reader. Asked before anything is read, it makes the view begin, and is exact within this process: see clock.go, and mark.go for
// what holds between processes.
func (r *reader) Moment() time.Time {
	if r.tx == nil && !r.started && !r.pinned {
		r.pinned = true
		if err := r.pin(); err != nil { // what a later read would begin is not of the moment
			if r.lost = err; noServer(err) || errors.Is(err, errMissed) {
				r.lost = unavailable("moment", err)
			}
		}
	}
	return r.moment
}

// pin makes the view begin, and takes its moment. It waits for a server as long as any operation does, and begins again meanwhile where one that
// began to answer is lost, or has no snapshot yet (see snapshotFor). Others have their turn between its tries. An error that is not of a server which
// is lost is returned at once.
func (r *reader) pin() error {
	first := time.Now()
	end := first.Add(r.s.timeout)
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		var err error
		r.moment, err = r.s.pin(func() error { return r.first(end) })
		switch {
		case err == nil || noServer(err) || errors.Is(err, errMissed):
			return err
		case code(err, codeSnapshotUnavailable): // of a server that answers
			if time.Since(first) > snapshotFor {
				return err
			}
			end = time.Now().Add(r.s.timeout)
		case time.Now().After(end): // which is the time of this read, and not that of the request
			r.s.miss()
			return errMissed
		case fhir.KindOf(err) != fhir.KindUnavailable && !errors.Is(err, context.DeadlineExceeded): // of a connection that is being made
			return err
		}
		time.Sleep(wait)
		r.end(context.Background())
		if err := r.begin(); err != nil {
			return err
		}
	}
}

// first reads what is least, once, so that the server makes the snapshot.
func (r *reader) first(end time.Time) error {
	ctx, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	err := r.s.db.Collection(metaCollection).FindOne(r.session(ctx), bson.D{{Key: fieldID, Value: ""}}).Err()
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return wrap("moment", err)
	}
	r.started = true
	return nil
}

// noIndex leaves the index out of what a read returns.
var noIndex = bson.D{{Key: fieldIndex, Value: 0}}

// Get implements storage.Reader.
func (r *reader) Get(ctx context.Context, key fhir.Key) (storage.Record, error) {
	recs, err := r.load(ctx, key.Type, []string{key.ID})
	if err != nil {
		return storage.Record{}, err
	}
	rec, ok := recs[key.ID]
	switch {
	case !ok:
		return storage.Record{}, storage.ErrNotFound
	case rec.Deleted:
		return rec, storage.ErrDeleted
	}
	return rec, nil
}

// GetMany implements storage.Reader with one query a resource type.
func (r *reader) GetMany(ctx context.Context, keys []fhir.Key) ([]storage.Record, error) {
	byType := map[string][]string{}
	for _, k := range keys {
		byType[k.Type] = append(byType[k.Type], k.ID)
	}
	found := make(map[string]map[string]storage.Record, len(byType))
	for typ, ids := range byType {
		recs, err := r.load(ctx, typ, ids)
		if err != nil {
			return nil, err
		}
		found[typ] = recs
	}
	out := make([]storage.Record, len(keys))
	for i, k := range keys {
		if rec := found[k.Type][k.ID]; !rec.Deleted {
			out[i] = rec
		}
	}
	return out, nil
}

// loadChunk bounds the ids of one query.
const loadChunk = 1000

// load returns the current versions of ids, deletions included, by id; those that never existed are absent.
func (r *reader) load(ctx context.Context, typ string, ids []string) (map[string]storage.Record, error) {
	out := make(map[string]storage.Record, len(ids))
	var packed []record
	var ask []string
	for _, id := range ids {
		if r.tx != nil {
			if p, ok := r.tx.puts[fhir.Key{Type: typ, ID: id}]; ok {
				rec := p.rec
				rec.Entries = nil
				out[id] = rec
				continue
			}
		}
		ask = append(ask, id)
	}
	for len(ask) > 0 {
		n := min(len(ask), loadChunk)
		var filter bson.D
		if n == 1 {
			filter = bson.D{{Key: fieldID, Value: ask[0]}}
		} else {
			filter = bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ask[:n]}}}}
		}
		err := r.query(ctx, typ, filter, nil, options.Find().SetProjection(noIndex), func(raw bson.Raw) error {
			rec, err := decodeRecord(typ, raw)
			if err != nil {
				return err
			}
			r.s.saw(rec.Updated)
			out[rec.Key.ID] = rec.Record
			if rec.parts > 0 {
				packed = append(packed, rec)
			}
			if r.tx != nil {
				r.tx.seen[rec.Key] = append(bson.Raw(nil), raw...)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if r.tx != nil && !r.tx.transaction {
			for _, id := range ask[:n] {
				if _, ok := out[id]; !ok {
					r.tx.seen[fhir.Key{Type: typ, ID: id}] = nil
				}
			}
		}
		ask = ask[n:]
	}
	if err := r.unpack(ctx, packed); err != nil {
		return nil, err
	}
	for _, rec := range packed {
		out[rec.Key.ID] = rec.Record
	}
	return out, nil
}

// GetVersion implements storage.Reader.
func (r *reader) GetVersion(ctx context.Context, key fhir.Key, version int64) (storage.Record, error) {
	rec, err := r.Get(ctx, key)
	if err != nil && !errors.Is(err, storage.ErrDeleted) {
		return storage.Record{}, err
	}
	if rec.Version == version {
		return rec, nil
	}
	if version < 1 || version > rec.Version {
		return storage.Record{}, storage.ErrNotFound
	}
	if r.tx != nil {
		if p, ok := r.tx.puts[key]; ok && p.expect == version { // not yet among the superseded
			if p.before == nil {
				if err := r.tx.before(ctx, key.Type, []*put{p}); err != nil {
					return storage.Record{}, err
				}
			}
			return r.decoded(ctx, key.Type, p.before)
		}
	}
	var raw bson.Raw
	err = r.read(ctx, key.Type, "get version", func(ctx context.Context) (err error) {
		raw, err = r.s.superseded(key.Type).FindOne(ctx, bson.D{{Key: fieldID, Value: versionID(key.ID, version)}}).Raw()
		return err
	})
	if errors.Is(err, mongo.ErrNoDocuments) || err == nil && raw == nil {
		return storage.Record{}, storage.ErrNotFound
	}
	if err != nil {
		return storage.Record{}, err
	}
	return r.decoded(ctx, key.Type, raw)
}

// decoded reads a version of a resource from its document, with its body.
func (r *reader) decoded(ctx context.Context, typ string, raw bson.Raw) (storage.Record, error) {
	rec, err := decodeRecord(typ, raw)
	if err != nil {
		return storage.Record{}, err
	}
	list := []record{rec}
	err = r.unpack(ctx, list)
	return list[0].Record, err
}
