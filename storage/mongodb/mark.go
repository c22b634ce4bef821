package mongodb

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/storage"
)

// A mark is the cluster time of a snapshot and the moment of the view that read it. The server reads at that time again as long as it keeps
// it (minSnapshotHistoryWindowInSeconds, five minutes by default), on whatever member, for whatever gateway, through whatever router; not past a
// change of the collections or indexes that are read.

// Mark names the snapshot once its session has read.
func (r *reader) Mark() storage.Mark {
	if r.tx != nil || r.sess == nil {
		return ""
	}
	at := r.sess.SnapshotTime()
	if at.T == 0 {
		return ""
	}
	return markOf(at, r.moment)
}

func markOf(at bson.Timestamp, moment time.Time) storage.Mark {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 16), at.T)
	b = binary.AppendUvarint(b, uint64(at.I))
	b = binary.AppendVarint(b, moment.UnixMicro()-1_000_000*int64(at.T)) // short, because the clocks are nearly the same
	return storage.Mark(b)
}

// readMark returns what markOf wrote; false where it can't be that.
func readMark(mark storage.Mark) (at bson.Timestamp, moment time.Time, ok bool) {
	b := []byte(mark)
	if len(b) < 4 {
		return at, moment, false
	}
	at.T, b = binary.BigEndian.Uint32(b), b[4:]
	i, n := binary.Uvarint(b)
	if n <= 0 || i > 1<<32-1 {
		return at, moment, false
	}
	at.I, b = uint32(i), b[n:]
	ahead, n := binary.Varint(b)
	moment = time.UnixMicro(1_000_000*int64(at.T) + ahead).UTC()
	return at, moment, n > 0 && at.T > 0 && at.I > 0 && markOf(at, moment) == mark // a second's first cluster time has the increment 1
}

// ViewAt runs f in a snapshot session at the cluster time of the mark.
func (s *Store) ViewAt(ctx context.Context, mark storage.Mark, f func(storage.Reader) error) error {
	if err := cmp.Or(ctx.Err(), s.serving(ctx)); err != nil {
		return err
	}
	at, moment, ok := readMark(mark)
	if !ok {
		return storage.ErrForgotten
	}
	sess, err := s.client.StartSession(options.Session().SetSnapshot(true).SetSnapshotTime(at))
	if err != nil {
		return wrap("view", err)
	}
	r := &reader{s: s, sess: sess, moment: moment, begun: time.Now(), pinned: true, marked: true}
	defer r.end(ctx)
	return f(r)
}

// forgotten returns ErrForgotten where err is the server's word that it does not read at the time of a mark: it keeps it no longer, what is
// read was made later, or it has never been that late.
func forgotten(op string, err error) error {
	for _, c := range []int{codeSnapshotTooOld, codeSnapshotUnavailable, codeInvalidOptions} {
		if code(err, c) {
			return fmt.Errorf("mongodb: %s: %w: %w", op, storage.ErrForgotten, err)
		}
	}
	return wrap(op, err)
}
