package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// targeted reports whether a router can send a filter to the shards that own what it asks for, under the shard key {_id: "hashed"}: it asks for
// _id by equality, or for one of several.
func targeted(filter bson.Raw) bool {
	elements, _ := filter.Elements()
	for _, e := range elements {
		switch {
		case e.Key() == "_id":
			if d, ok := e.Value().DocumentOK(); ok {
				if in, err := d.LookupErr("$in"); err == nil {
					values, _ := in.Array().Values()
					return len(values) > 0
				}
				_, err := d.LookupErr("$eq")
				return err == nil
			}
			return true
		case e.Key() == "$and":
			list, _ := e.Value().Array().Values()
			for _, c := range list {
				if d, ok := c.DocumentOK(); ok && targeted(d) {
					return true
				}
			}
		}
	}
	return false
}

func TestTargetedFilters(t *testing.T) {
	for _, c := range []struct {
		filter bson.D
		want   bool
	}{
		{bson.D{{Key: "_id", Value: "a"}}, true},
		{bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{"a", "b"}}}}}, true},
		{bson.D{{Key: "$and", Value: bson.A{bson.D{{Key: "x", Value: 1}}, bson.D{{Key: "_id", Value: "a"}}}}}, true},
		{bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: "a"}}}}, false},
		{bson.D{{Key: "$or", Value: bson.A{bson.D{{Key: "_id", Value: "a"}}, bson.D{{Key: "x", Value: 1}}}}}, false},
		{bson.D{{Key: "index.terms", Value: "*"}}, false},
		{bson.D{}, false},
	} {
		raw, err := bson.Marshal(c.filter)
		if err != nil {
			t.Fatal(err)
		}
		if got := targeted(raw); got != c.want {
			t.Errorf("%v: %v", c.filter, got)
		}
	}
}

// recorder keeps the commands that a store sends, by name.
type recorder struct {
	mu   sync.Mutex
	sent []bson.Raw
}

func (r *recorder) started(_ context.Context, e *event.CommandStartedEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, append(bson.Raw(nil), e.Command...))
}

// take returns what was sent since the last time.
func (r *recorder) take() []bson.Raw {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.sent
	r.sent = nil
	return out
}

var time2000 = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func name(cmd bson.Raw) string {
	elements, _ := cmd.Elements()
	return elements[0].Key()
}

func collection(cmd bson.Raw) string {
	elements, _ := cmd.Elements()
	s, _ := elements[0].Value().StringValueOK()
	return s
}

func inTransaction(cmd bson.Raw) bool {
	_, err := cmd.LookupErr("autocommit")
	return err == nil
}

// filters returns the filters of a command that is a read or a write by a condition.
func filters(cmd bson.Raw) (out []bson.Raw) {
	each := func(array, filter string) {
		values, _ := cmd.Lookup(array).Array().Values()
		for _, v := range values {
			out = append(out, v.Document().Lookup(filter).Document())
		}
	}
	switch name(cmd) {
	case "find":
		out = append(out, cmd.Lookup("filter").Document())
	case "findAndModify":
		out = append(out, cmd.Lookup("query").Document())
	case "update":
		each("updates", "q")
	case "delete":
		each("deletes", "q")
	case "aggregate":
		out = append(out, cmd.Lookup("pipeline", "0", "$match").Document())
	}
	return out
}

// A sharded cluster can't be had here, so this holds what it asks of the commands: writes and reads by key go to the shards that own the
// documents, upserts and unique indexes are on the shard key, and transactions make no collections and no indexes.
func TestCommandsAreLegalUnderTheShardKey(t *testing.T) {
	var rec recorder
	s, err := mongodb.OpenMonitored(t.Context(), mongodb.Options{URI: mongotest.URI(t), Timeout: patience}, &event.CommandMonitor{Started: rec.started})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	mongodb.SmallDocuments(s)
	ctx := t.Context()
	key := func(id string) fhir.Key { return fhir.Key{Type: "Basic", ID: id} }
	var many []search.Entry
	for i := range 10 {
		many = append(many, tok("code", "", fmt.Sprint("c", i)))
	}
	view := func(f func(r storage.Reader) error) error { return s.View(ctx, f) }
	for _, c := range []struct {
		name string
		run  func() error
		// scattered are the reads that go to all shards, by the index or field they ask for.
		scattered string
	}{
		{"create", func() error { return put(ctx, s, "a", 0, tok("code", "", "x")) }, ""},
		{"create of a large one", func() error { return put(ctx, s, "large", 0, many...) }, ""},
		{"update", func() error { return put(ctx, s, "a", 1, tok("code", "", "y")) }, ""},
		{"update of a large one", func() error { return put(ctx, s, "large", 1, many[:8]...) }, ""},
		{"update after a read", func() error {
			return s.Update(ctx, func(tx storage.Tx) error {
				if _, err := tx.Get(ctx, key("a")); err != nil {
					return err
				}
				return putIn(ctx, tx, "a", 2)
			})
		}, ""},
		{"delete", func() error {
			return s.Update(ctx, func(tx storage.Tx) error {
				return tx.Put(ctx, storage.Record{Key: key("large"), Version: 3, Updated: tx.Now(), Method: "DELETE", Deleted: true}, 2)
			})
		}, ""},
		{"conditional create", func() error {
			return s.Update(ctx, func(tx storage.Tx) error {
				if err := tx.Guard(ctx, "Basic?code=z"); err != nil {
					return err
				}
				if _, err := tx.Find(ctx, search.Query{Types: []string{"Basic"}, Where: eq("status", "", "z"), Limit: 2}); err != nil {
					return err
				}
				return putIn(ctx, tx, "z", 0, tok("status", "", "z"))
			})
		}, "index.terms"},
		{"transaction of two types, one of them new", func() error {
			return s.Update(ctx, func(tx storage.Tx) error {
				if err := tx.Guard(ctx, "g"); err != nil {
					return err
				}
				if err := putIn(ctx, tx, "t", 0); err != nil {
					return err
				}
				return tx.Put(ctx, storage.Record{Key: fhir.Key{Type: "Flag", ID: "f"}, Version: 1, Updated: tx.Now(), Method: "PUT",
					Body: []byte(`{"resourceType":"Flag","id":"f"}`)}, 0)
			})
		}, ""},
		{"reindex", func() error {
			return s.Update(ctx, func(tx storage.Tx) error { return tx.Reindex(ctx, key("a"), 3, many) })
		}, ""},
		{"meta", func() error {
			return s.Update(ctx, func(tx storage.Tx) error { return tx.SetMeta(ctx, "m", []byte("x")) })
		}, ""},
		{"import", func() error {
			return s.Import(ctx, []storage.Version{{Current: true, Record: storage.Record{Key: key("i"), Version: 2, Method: "PUT", Body: []byte(`{"resourceType":"Basic","id":"i"}`), Entries: many}},
				{Record: storage.Record{Key: key("i"), Version: 1, Method: "PUT", Body: []byte(`{"resourceType":"Basic","id":"i"}`)}}})
		}, ""},
		{"import again", func() error {
			return s.Import(ctx, []storage.Version{{Current: true, Record: storage.Record{Key: key("i"), Version: 2, Method: "PUT", Body: []byte(`{"resourceType":"Basic","id":"i"}`)}}})
		}, ""},
		{"read", func() error {
			return view(func(r storage.Reader) error { _, err := r.Get(ctx, key("a")); return err })
		}, ""},
		{"read of several", func() error {
			return view(func(r storage.Reader) error { _, err := r.GetMany(ctx, []fhir.Key{key("a"), key("z")}); return err })
		}, ""},
		{"read of a version", func() error {
			return view(func(r storage.Reader) error { _, err := r.GetVersion(ctx, key("a"), 1); return err })
		}, ""},
		{"history of a resource", func() error {
			return view(func(r storage.Reader) error {
				recs, err := r.History(ctx, storage.HistoryQuery{Key: key("a")})
				if len(recs) != 3 {
					err = errors.Join(err, fmt.Errorf("%d versions", len(recs)))
				}
				return err
			})
		}, ""},
		{"search by id", func() error {
			return view(func(r storage.Reader) error {
				_, err := r.Find(ctx, search.Query{Types: []string{"Basic"}, Where: search.KeyIn{IDs: []string{"a", "z"}}, Limit: 10})
				return err
			})
		}, ""},
		{"search", func() error {
			return view(func(r storage.Reader) error {
				_, err := r.Find(ctx, search.Query{Types: []string{"Basic"}, Where: eq("status", "", "z"), Limit: 10})
				return err
			})
		}, "index.terms"},
		{"search of large ones", func() error {
			return view(func(r storage.Reader) error {
				_, err := r.Find(ctx, search.Query{Types: []string{"Basic"}, Where: eq("code", "", "c1"), Limit: 10})
				return err
			})
		}, "index.terms"},
		{"history of a type", func() error {
			return view(func(r storage.Reader) error {
				_, err := r.History(ctx, storage.HistoryQuery{Types: []string{"Basic"}, Since: time2000, Limit: 10})
				return err
			})
		}, "updated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec.take()
			if err := c.run(); err != nil {
				t.Fatal(err)
			}
			for _, cmd := range rec.take() {
				what := name(cmd)
				if inTransaction(cmd) {
					switch what {
					case "find", "aggregate", "insert", "update", "delete", "findAndModify", "commitTransaction", "abortTransaction", "getMore":
					default:
						t.Errorf("%s in a transaction", what)
					}
				}
				if what == "createIndexes" {
					list, _ := cmd.Lookup("indexes").Array().Values()
					for _, v := range list {
						if unique, ok := v.Document().Lookup("unique").BooleanOK(); ok && unique {
							t.Errorf("a unique index that is not on the shard key: %v", v)
						}
					}
				}
				for _, f := range filters(cmd) {
					write := what == "update" || what == "delete" || what == "findAndModify"
					switch {
					case targeted(f) || strings.HasPrefix(collection(cmd), "fhirgate_"): // those are not sharded
					case write:
						t.Errorf("%s goes to all shards: %v", what, f)
					case c.scattered == "" || !strings.Contains(f.String(), c.scattered):
						t.Errorf("%s of %s goes to all shards: %v", what, collection(cmd), f)
					}
				}
			}
		})
	}
}
