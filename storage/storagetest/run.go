package storagetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Option adds to what Run does.
type Option func(*suite)

// WithReopen tells how a store is closed and opened again on the same data; what was acknowledged must be there then.
func WithReopen(reopen func(t *testing.T, s storage.Store) storage.Store) Option {
	return func(su *suite) { su.reopen = reopen }
}

// WithQueries sets how many random queries are compared with the oracle; 10,000 where it is not given, a tenth under -short.
func WithQueries(n int) Option { return func(su *suite) { su.queries = n } }

// suite is one run of the conformance suite.
type suite struct {
	open    func(t *testing.T) storage.Store
	reopen  func(t *testing.T, s storage.Store) storage.Store
	queries int
}

// Run runs the conformance suite. open returns an empty store, which the suite closes; it is called for every test.
func Run(t *testing.T, open func(t *testing.T) storage.Store, opts ...Option) {
	su := &suite{open: open, queries: 10_000}
	if testing.Short() {
		su.queries = 1_000
	}
	for _, o := range opts {
		o(su)
	}
	for _, c := range []struct {
		name string
		f    func(*testing.T, *bench)
	}{
		{"GetTellsNeverFromDeleted", getTellsNeverFromDeleted},
		{"VersionsAreAllReadable", versionsAreAllReadable},
		{"GetManyKeepsTheOrderOfKeys", getManyKeepsTheOrderOfKeys},
		{"PutWantsTheExpectedVersion", putWantsTheExpectedVersion},
		{"PutRefusesDefects", putRefusesDefects},
		{"DeletedResourcesComeBack", deletedResourcesComeBack},
		{"UpdateIsAllOrNothing", updateIsAllOrNothing},
		{"UpdateReadsItsOwnWrites", updateReadsItsOwnWrites},
		{"NothingIsVisibleBeforeCommit", nothingIsVisibleBeforeCommit},
		{"ViewIsOneMoment", viewIsOneMoment},
		{"MomentsOrderVersions", momentsOrderVersions},
		{"ReindexReplacesEntriesOfTheCurrentVersionOnly", reindexReplacesEntries},
		{"EntriesOfSupersededVersionsFindNothing", supersededEntriesFindNothing},
		{"PartsWithARangeAreFoundByTheirCode", partsWithARange},
		{"ErasedResourcesNeverExisted", erasedResourcesNeverExisted},
		{"EraseRefusesWhatIsPut", eraseRefusesWhatIsPut},
		{"MetaIsKept", metaIsKept},
		{"MarkedStatesAreShownAgain", markedStatesAreShownAgain},
		{"BuildingEnds", buildingEnds},
		{"HistoryOfAResource", historyOfAResource},
		{"HistoryOfTypesPages", historyOfTypesPages},
		{"CountsFollowWrites", countsFollowWrites},
		{"AnyBytesAreKept", anyBytesAreKept},
		{"CancelledContextsEnd", cancelledContextsEnd},
		{"ClosedStoresFail", closedStoresFail},
		{"ConcurrentUpdatesOfOneResource", concurrentUpdatesOfOneResource},
		{"ConcurrentConditionalCreatesMakeOne", concurrentConditionalCreates},
		{"ConcurrentTransfersAreIsolated", concurrentTransfers},
		{"ManyResourcesPageByPage", manyResourcesPageByPage},
		{"TypesPageByPage", typesPageByPage},
		{"ChainsPageByPage", chainsPageByPage},
		{"UpdateMayHoldManyResources", updateMayHoldManyResources},
		{"SearchScripts", searchScripts},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			b := &bench{t: t, s: Checked(s), ctx: context.Background()}
			c.f(t, b)
			if err := s.Close(); err != nil && !b.closed {
				t.Errorf("Close: %v", err)
			}
		})
	}
	if su.reopen != nil {
		t.Run("ReopenedStoresHaveEverything", su.reopenedStoresHaveEverything)
	}
	t.Run("ImportedStoresHaveEverything", su.importedStoresHaveEverything)
	t.Run("Random", su.random)
}

// bench is a store under test with what every test does.
type bench struct {
	t      *testing.T
	s      storage.Store
	ctx    context.Context
	closed bool
}

// key is a resource of the first type of the world.
func key(id string) fhir.Key { return fhir.Key{Type: types()[0], ID: id} }

// body is a body that tells versions apart.
func body(k fhir.Key, version int64) []byte {
	return fmt.Appendf(nil, `{"resourceType":%q,"id":%q,"meta":{"versionId":"%d"}}`, k.Type, k.ID, version)
}

// update runs f and fails the test on an error.
func (b *bench) update(f func(tx storage.Tx) error) {
	b.t.Helper()
	if err := b.s.Update(b.ctx, f); err != nil {
		b.t.Fatalf("Update: %v", err)
	}
}

// view runs f and fails the test on an error.
func (b *bench) view(f func(r storage.Reader) error) {
	b.t.Helper()
	if err := b.s.View(b.ctx, f); err != nil {
		b.t.Fatalf("View: %v", err)
	}
}

// put makes a version in an Update of its own and returns it.
func (b *bench) put(k fhir.Key, expect int64, entries ...search.Entry) (rec storage.Record) {
	b.t.Helper()
	b.update(func(tx storage.Tx) error {
		rec = record(tx, k, expect, entries...)
		return tx.Put(b.ctx, rec, expect)
	})
	rec.Entries = nil
	return rec
}

// record is the version after expect.
func record(tx storage.Tx, k fhir.Key, expect int64, entries ...search.Entry) storage.Record {
	method := "PUT"
	if expect == 0 {
		method = "POST"
	}
	return storage.Record{Key: k, Version: expect + 1, Updated: tx.Now(), Method: method, Body: body(k, expect+1), Entries: entries}
}

// remove makes a deletion in an Update of its own.
func (b *bench) remove(k fhir.Key, expect int64) (rec storage.Record) {
	b.t.Helper()
	b.update(func(tx storage.Tx) error {
		rec = storage.Record{Key: k, Version: expect + 1, Updated: tx.Now(), Method: "DELETE", Deleted: true}
		return tx.Put(b.ctx, rec, expect)
	})
	return rec
}

// token is an entry.
func token(param, code string) search.Entry { return search.Entry{Param: param, Code: code} }

// has is the condition that finds a token.
func has(param, code string) search.Expr {
	return search.Some{Param: param, Where: []search.Comparison{{Field: search.Code, Op: search.Eq, Value: code}}}
}

// find returns the ids of what a condition finds.
func find(ctx context.Context, t *testing.T, r storage.Reader, where search.Expr) []string {
	t.Helper()
	rows, err := r.Find(ctx, search.Query{Types: []string{types()[0]}, Where: where})
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	out := []string{}
	for _, row := range rows {
		out = append(out, row.Key.ID)
	}
	return out
}

// same fails the test where two values differ.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(0)); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

// is fails the test where err is not target.
func is(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%s: error %v, want %v", what, err, target)
	}
}

// patience is how long is waited for what comes in a moment on a machine with nothing else to do.
const patience = 5 * time.Minute

// tick is the resolution of instants.
const tick = time.Microsecond
