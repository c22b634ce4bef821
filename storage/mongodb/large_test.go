package mongodb_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
	"github.com/fhirgate/fhirgate/storage/storagetest"
)

// The whole suite holds where nearly every resource is a large one, whose body and entries stand in further documents.
func TestConformanceOfLargeResources(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as TestConformance; runs without -short")
	}
	small := func(t *testing.T, uri string) *mongodb.Store {
		s := openURI(t, uri)
		mongodb.SmallDocuments(s)
		return s
	}
	storagetest.Run(t, func(t *testing.T) storage.Store { return small(t, mongotest.URI(t)) },
		storagetest.WithQueries(300),
		storagetest.WithReopen(func(t *testing.T, s storage.Store) storage.Store {
			uri := uris[s]
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return small(t, uri)
		}))
}

// A body that neither fits in a document nor can be compressed to fit in one comes back byte for byte.
func TestABodyOfFortyMegabytes(t *testing.T) {
	s := open(t)
	rng := rand.New(rand.NewPCG(1, 2))
	body := append(make([]byte, 0, 40<<20), `{"resourceType":"Basic","id":"a","code":{"text":"large"},"text":"`...)
	for len(body) < 40<<20 {
		body = append(body, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-"[rng.IntN(64)])
	}
	body = append(body, `"}`...)
	key := fhir.Key{Type: "Basic", ID: "a"}
	if err := s.Update(t.Context(), func(tx storage.Tx) error {
		return tx.Put(t.Context(), storage.Record{Key: key, Version: 1, Updated: tx.Now(), Method: "PUT", Body: body}, 0)
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.View(t.Context(), func(r storage.Reader) error {
		recs, err := r.GetMany(t.Context(), []fhir.Key{key})
		if err == nil && !bytes.Equal(recs[0].Body, body) {
			t.Error("the body comes back as other bytes")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	doc, err := mongodb.OwnDocument(s, key)
	if err != nil {
		t.Fatal(err)
	}
	if code := doc.Lookup("resource", "code", "text").StringValue(); code != "large" {
		t.Errorf("the small members can't be queried: %q", code)
	}
	if left := doc.Lookup("packed", "left", "0").StringValue(); left != "text" {
		t.Errorf("left out is %q", left)
	}
}

// group returns a Group of members, as a client sends it, and its entries.
func group(t testing.TB, id, code string, from, to int) (body []byte, entries []search.Entry) {
	t.Helper()
	b := fmt.Appendf(nil, `{"resourceType":"Group","id":%q,"type":"person","actual":true,"code":{"coding":[{"system":"http://x","code":%q}]},"member":[`, id, code)
	for i := from; i < to; i++ {
		if i > from {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"entity":{"reference":"Patient/%s","display":"Member %d"},"inactive":false}`, member(i), i)
	}
	b = append(b, "]}"...)
	r, err := fhir.ParseResource(b, fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	entries, err = search.NewParameters(definition.R4(), search.Options{}).Extract(r)
	if err != nil {
		t.Fatal(err)
	}
	return b, entries
}

func member(i int) string { return fmt.Sprintf("m%07d-0c33-4f0a-9f05-5c1b4a1d2e3f", i) }

func TestGroupOfAHundredThousandMembers(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	uri := mongotest.URI(t)
	a, b := openURI(t, uri), openURI(t, uri)
	ctx := context.Background()
	bodies := map[int64][]byte{}
	store := func(version int64, from, to int, also ...func(storage.Tx) error) {
		t.Helper()
		body, entries := group(t, "g", "big", from, to)
		bodies[version] = body
		if err := a.Update(ctx, func(tx storage.Tx) error {
			for _, f := range also {
				if err := f(tx); err != nil {
					return err
				}
			}
			return tx.Put(ctx, storage.Record{Key: fhir.Key{Type: "Group", ID: "g"}, Version: version, Updated: tx.Now(), Method: "PUT", Body: body, Entries: entries}, version-1)
		}); err != nil {
			t.Fatal(err)
		}
	}
	is := func(i int) search.Expr { return to("member", "Patient", member(i)) }
	find := func(where search.Expr, want ...string) {
		t.Helper()
		for name, s := range map[string]storage.Store{"the gateway that stored it": a, "another gateway": b} {
			if err := s.View(ctx, func(r storage.Reader) error {
				rows, err := r.Find(ctx, search.Query{Types: []string{"Group"}, Where: where})
				if err != nil {
					return err
				}
				var got []string
				for _, row := range rows {
					got = append(got, row.Key.ID)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s finds %v, want %v", name, got, want)
				}
				count, err := r.Count(ctx, search.Query{Types: []string{"Group"}, Where: where})
				if count != int64(len(want)) {
					t.Errorf("%s counts %d, want %v", name, count, want)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Another gateway has searched before there is any large resource.
	find(is(0))
	patient := func(i int, gender string) func(storage.Tx) error {
		return func(tx storage.Tx) error {
			id := member(i)
			return tx.Put(ctx, storage.Record{Key: fhir.Key{Type: "Patient", ID: id}, Version: 1, Updated: tx.Now(), Method: "PUT",
				Body: fmt.Appendf(nil, `{"resourceType":"Patient","id":%q}`, id), Entries: []search.Entry{tok("gender", "", gender)}}, 0)
		}
	}
	small := func(tx storage.Tx) error {
		body, entries := group(t, "small", "little", n-1, n+2)
		return tx.Put(ctx, storage.Record{Key: fhir.Key{Type: "Group", ID: "small"}, Version: 1, Updated: tx.Now(), Method: "PUT", Body: body, Entries: entries}, 0)
	}
	store(1, 0, n, patient(7, "female"), patient(n+1, "male"), small)

	read := func(version int64) {
		t.Helper()
		if err := b.View(ctx, func(r storage.Reader) error {
			rec, err := r.Get(ctx, fhir.Key{Type: "Group", ID: "g"})
			if err != nil {
				return err
			}
			if rec.Version != version || !bytes.Equal(rec.Body, bodies[version]) {
				t.Errorf("version %d comes back as %d bytes of version %d", version, len(rec.Body), rec.Version)
			}
			recs, err := r.History(ctx, storage.HistoryQuery{Key: rec.Key})
			if len(recs) != int(version) {
				t.Errorf("%d versions in the history", len(recs))
			}
			for _, rec := range recs {
				if !bytes.Equal(rec.Body, bodies[rec.Version]) {
					t.Errorf("the history has other bytes for version %d", rec.Version)
				}
				one, err := r.GetVersion(ctx, rec.Key, rec.Version)
				if err != nil {
					return err
				}
				if !bytes.Equal(one.Body, rec.Body) {
					t.Errorf("version %d comes back as other bytes", rec.Version)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if docs, err := mongodb.FurtherEntries(a, "Group"); err != nil || docs < int64(n/2000) {
		t.Errorf("%d documents of entries, %v", docs, err)
	}
	read(1)
	find(is(0), "g")
	find(is(n-1), "g", "small")
	find(is(n), "small")
	find(is(n + 5))
	find(search.Not{Expr: is(0)}, "small")
	find(search.And{is(7), is(n - 1), eq("code", "", "big")}, "g")
	find(search.And{is(7), search.Not{Expr: is(n - 1)}})
	find(search.Or{is(n), is(3)}, "g", "small")
	find(search.Or{is(n + 1), eq("code", "", "big")}, "g", "small")
	find(search.Some{Param: "member"}, "g", "small")
	find(search.Refers{Param: "member", Target: "Patient", Where: eq("gender", "", "female")}, "g")
	find(search.Refers{Param: "member", Target: "Patient", Where: eq("gender", "", "male")}, "small")
	if err := b.View(ctx, func(r storage.Reader) error {
		rows, err := r.Find(ctx, search.Query{Types: []string{"Patient"}, Where: search.Referred{Source: "Group", Param: "member", Where: eq("code", "", "big")}})
		if len(rows) != 1 || rows[0].Key.ID != member(7) {
			t.Errorf("%d patients are members", len(rows))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}

	// A version that is smaller takes the entries of the one before away; reindexing brings them back in part.
	store(2, n-10, n)
	read(2)
	find(is(0))
	find(is(n-1), "g", "small")
	store(3, 0, n/2)
	read(3)
	find(is(0), "g")
	find(is(n-1), "small")
	_, entries := group(t, "g", "big", 10, 4010)
	if err := a.Update(ctx, func(tx storage.Tx) error { return tx.Reindex(ctx, fhir.Key{Type: "Group", ID: "g"}, 3, entries) }); err != nil {
		t.Fatal(err)
	}
	find(is(0))
	find(is(4009), "g")
	find(is(n/2 - 1))
	if err := a.Update(ctx, func(tx storage.Tx) error {
		return tx.Put(ctx, storage.Record{Key: fhir.Key{Type: "Group", ID: "g"}, Version: 4, Updated: tx.Now(), Method: "DELETE", Deleted: true}, 3)
	}); err != nil {
		t.Fatal(err)
	}
	find(is(4009))
	find(search.Not{Expr: is(4009)}, "small")
	if left, err := mongodb.FurtherEntries(a, "Group"); err != nil || left != 0 {
		t.Errorf("%d documents of entries are left, %v", left, err)
	}
}
