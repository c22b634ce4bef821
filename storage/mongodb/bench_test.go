package mongodb_test

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// benchSize also measures searches over a larger population; benchURI keeps the populations between runs in databases of a server.
var (
	benchSize = flag.Int("mongodb.size", 0, "benchmark Find over so many resources too")
	benchURI  = flag.String("mongodb.bench", "", "URI of the server that keeps the populations of the benchmarks, without a database")
)

// raw returns a client of the server of a store's URI and the name of its database.
func raw(b *testing.B, uri string) (*mongo.Client, *mongo.Database) {
	c, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Disconnect(context.Background()) })
	name := uri[strings.LastIndex(uri, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	return c, c.Database(name)
}

// BenchmarkLoad stores 200 resources an Update, and beside it the same documents in the same collections with the same indexes by insertMany.
// The budget is twice its time.
func BenchmarkLoad(b *testing.B) {
	const n = 200
	uri := mongotest.URI(b)
	s := openURI(b, uri)
	p := newPopulation(1_000_000)
	p.Put(b, s, 0, n) // makes the collections
	b.Run("update", func(b *testing.B) {
		at := n
		for b.Loop() {
			p.Put(b, s, at, at+n)
			at += n
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "resources/s")
	})
	b.Run("insertMany", func(b *testing.B) {
		ctx := context.Background()
		_, db := raw(b, uri)
		types := []string{"Patient", "Encounter", "Observation"}
		for _, typ := range types { // the same indexes, under another name
			specs, err := db.Collection(typ).Indexes().List(ctx)
			if err != nil {
				b.Fatal(err)
			}
			var all []bson.M
			if err := specs.All(ctx, &all); err != nil {
				b.Fatal(err)
			}
			var models bson.A
			for _, m := range all {
				if m["name"] != "_id_" {
					delete(m, "v")
					models = append(models, m)
				}
			}
			if err := db.RunCommand(ctx, bson.D{{Key: "createIndexes", Value: "raw" + typ}, {Key: "indexes", Value: models}}).Err(); err != nil {
				b.Fatal(err)
			}
		}
		at := 0
		for b.Loop() {
			b.StopTimer()
			byType := map[string][]any{}
			count := 0
			for _, typ := range types {
				cur, err := db.Collection(typ).Find(ctx, bson.D{}, options.Find().SetLimit(map[string]int64{"Patient": 2, "Encounter": 18, "Observation": 180}[typ]))
				if err != nil {
					b.Fatal(err)
				}
				for cur.Next(ctx) {
					d := bson.D{{Key: "_id", Value: fmt.Sprint(count, "-", at)}}
					elements, _ := cur.Current.Elements()
					for _, e := range elements {
						if e.Key() != "_id" {
							d = append(d, bson.E{Key: e.Key(), Value: e.Value()})
						}
					}
					one, err := bson.Marshal(d)
					if err != nil {
						b.Fatal(err)
					}
					byType[typ] = append(byType[typ], bson.Raw(one))
					count++
				}
				cur.Close(ctx)
			}
			at++
			b.StartTimer()
			for _, typ := range types {
				if _, err := db.Collection("raw"+typ).InsertMany(ctx, byType[typ]); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "resources/s")
	})
}

// BenchmarkPut stores single resources: created, and updated.
func BenchmarkPut(b *testing.B) {
	s := open(b)
	p := newPopulation(1_000_000)
	ctx := context.Background()
	one := func(b *testing.B, i int, expect int64) {
		rec := p.Record(i)
		err := s.Update(ctx, func(tx storage.Tx) error {
			r := rec
			r.Version, r.Updated = expect+1, tx.Now()
			if expect > 0 {
				if _, err := tx.Get(ctx, r.Key); err != nil {
					return err
				}
			}
			return tx.Put(ctx, r, expect)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	p.Put(b, s, 0, 100)
	at := 1000
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			one(b, at, 0)
			at++
		}
	})
	b.Run("update", func(b *testing.B) {
		for b.Loop() {
			one(b, 50, updates)
			updates++
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if err := s.View(ctx, func(r storage.Reader) error { _, err := r.Get(ctx, p.Record(51).Key); return err }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

var updates int64 = 1

// populated returns a store with n resources and its URI.
func populated(b *testing.B, n int) (*mongodb.Store, *population, string) {
	p := newPopulation(n)
	uri := mongotest.URI(b)
	if *benchURI != "" {
		base, query, _ := strings.Cut(*benchURI, "?")
		uri = fmt.Sprintf("%s/fhirgate_bench_%d?%s", strings.TrimRight(base, "/"), n, query)
	}
	s := openURI(b, uri)
	var counts map[string]int64
	if err := s.View(context.Background(), func(r storage.Reader) (err error) { counts, err = r.Counts(context.Background()); return err }); err != nil {
		b.Fatal(err)
	}
	if counts["Patient"] == 0 {
		p.Fill(b, s)
	}
	return s, p, uri
}

// BenchmarkFind measures the common shapes, each beside the finds that it sends, sent through the driver alone. The budget is 1.3 times.
//
// At 10,000 and 200,000 resources, on two cores shared with mongod, in ms: token 0.26/0.25 and 0.29/0.25, identifier 0.24/0.21 and 0.19/0.18, date
// from 0.60/0.52 and 0.73/0.61, code and date range 0.72/0.61 and 0.84/0.82, code and value 0.64/0.54 and 0.68/0.58, patient and code 0.30/0.24 and
// 0.27/0.23, patient newest first 0.76/0.68 and 0.81/0.68, newest first of a code 0.82/0.70 and 0.79/0.75, OR of 50 tokens 0.67/0.55 and 0.77/0.63,
// chain to gender 1.10/0.91 and 3.16/2.82, _has by code 1.88/1.71 and 4.60/3.99, all 0.28/0.24 and 0.29/0.24. The keys and documents examined are
// the same at both sizes but for chains and _has, whose far sides grow.
func BenchmarkFind(b *testing.B) {
	sizes := []int{10_000}
	if *benchSize > 0 {
		sizes = append(sizes, *benchSize)
	}
	ctx := context.Background()
	for _, n := range sizes {
		s, p, _ := populated(b, n)
		for _, sh := range shapes(p) {
			name := fmt.Sprintf("%s/%d", strings.ReplaceAll(sh.name, " ", "_"), n)
			b.Run(name+"/store", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := s.View(ctx, func(r storage.Reader) error { _, err := r.Find(ctx, sh.query); return err }); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(name+"/fresh", func(b *testing.B) { // as what nobody has asked for lately
				b.ReportAllocs()
				for b.Loop() {
					mongodb.Forget(s)
					if err := s.View(ctx, func(r storage.Reader) error { _, err := r.Find(ctx, sh.query); return err }); err != nil {
						b.Fatal(err)
					}
				}
			})
			var finds []mongodb.Sent
			var plan search.Plan
			if err := s.View(ctx, func(r storage.Reader) (err error) {
				finds, err = mongodb.SentBy(r, func() (err error) { _, plan, err = r.Explain(ctx, sh.query); return err })
				return err
			}); err != nil {
				b.Fatal(err)
			}
			b.Run(name+"/driver", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					for _, f := range finds {
						cur, err := f.Collection.Find(ctx, f.Filter, f.Options)
						if err != nil {
							b.Fatal(err)
						}
						for cur.Next(ctx) {
							if _, err := cur.Current.LookupErr("_id"); err != nil {
								b.Fatal(err)
							}
						}
						cur.Close(ctx)
					}
				}
				b.ReportMetric(float64(plan.Examined), "keys")
				b.ReportMetric(float64(plan.Fetched), "documents")
				b.ReportMetric(float64(len(finds)), "finds")
			})
		}
	}
}
