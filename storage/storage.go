package storage

import (
	"context"
	"errors"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// The errors of engines. Anything else an engine returns is opaque and means that it failed; where the engine can't be reached or has no
// space the error is a *fhir.Error of KindUnavailable or KindFull.
var (
	// ErrNotFound means that the resource, version or value never existed.
	ErrNotFound = errors.New("storage: not found")
	// ErrDeleted means that the current version is a deletion. Get returns it together with the deletion's Record.
	ErrDeleted = errors.New("storage: deleted")
	// ErrConflict means that an Update lost against another; nothing of it is stored. Update has tried again by itself before it says so.
	ErrConflict = errors.New("storage: conflict")
	// ErrForgotten means that a state can't be shown again: it is no longer kept, or the mark was not made by this store.
	ErrForgotten = errors.New("storage: the marked state is no longer kept")
)

// Record is one version of one resource.
type Record struct {
	Key     fhir.Key
	Version int64 // 1, 2, 3 ... without gaps
	// Updated is meta.lastUpdated, in UTC to the microsecond.
	Updated time.Time
	// Deleted marks a deletion; Body and Entries are empty.
	Deleted bool
	// Revived marks the version that brings a resource back after its deletion (Bundle.entry.response.status in histories).
	Revived bool
	// Method is the HTTP method that made the version: POST, PUT, PATCH or DELETE (Bundle.entry.request.method in histories).
	Method string
	// Body is the JSON that clients read: minified, id and meta stamped.
	Body []byte
	// Entries are what the version is found by. They are given to Put and Reindex; readers do not return them.
	Entries []search.Entry
}

// Version is a version of a resource as Import takes it.
type Version struct {
	Record
	// Current marks the newest version of the resource; it may be a deletion.
	Current bool
}

// HistoryQuery asks for versions. Results are ordered by Updated, newest first, then Key, then Version, newest first.
type HistoryQuery struct {
	// Key asks for one resource; zero for all of Types.
	Key fhir.Key
	// Types are the resource types, sorted; empty (with a zero Key) for the whole system.
	Types []string
	// Since leaves out versions with Updated before it; zero for none.
	Since time.Time
	// Until leaves out versions with Updated after it; zero for none. Paging passes the moment of the first page.
	Until time.Time
	// After continues behind a version; nil starts at the newest.
	After *HistoryPosition
	// Limit is the greatest number of records; 0 for no limit.
	Limit int
}

// Mark names the state that a view showed. It is opaque, some ten bytes long, and has no data of the store in it. "" names none.
type Mark string

// HistoryPosition is a place in a history's order.
type HistoryPosition struct {
	Updated time.Time
	Key     fhir.Key
	Version int64
}

// Reader reads one consistent moment of the store. It is valid only inside the function it was given to and is used by one goroutine at a
// time. Records it returns may share memory with the engine's caches: they are read-only, and valid after the function returns.
type Reader interface {
	// Moment is the instant of this view: every version visible has Updated at or before it, every later one after it.
	Moment() time.Time
	// Now is the instant of what this Reader puts: Moment in a View; in an Update it is after Moment and the same at every call, and records
	// put must carry it.
	Now() time.Time
	// Mark names the state of this view once Moment or a read has returned. It is "" before, in a Tx, and where the state can't be shown again.
	Mark() Mark

	// Get returns the current version. ErrNotFound; ErrDeleted together with the deletion's Record.
	Get(ctx context.Context, key fhir.Key) (Record, error)
	// GetVersion returns a version, deletions included (Record.Deleted, no error). ErrNotFound.
	GetVersion(ctx context.Context, key fhir.Key, version int64) (Record, error)
	// GetMany returns the current versions of keys, in their order; a Record with Version 0 stands for one that is deleted or never existed.
	GetMany(ctx context.Context, keys []fhir.Key) ([]Record, error)

	// Find returns the rows of q in its order: exactly the current, not deleted resources that search.Match accepts.
	Find(ctx context.Context, q search.Query) ([]search.Row, error)
	// Explain runs q as Find does and says how.
	Explain(ctx context.Context, q search.Query) ([]search.Row, search.Plan, error)
	// Count returns how many rows q has; Sort, After, Reverse and Limit do not matter.
	Count(ctx context.Context, q search.Query) (int64, error)
	// ExplainCount counts as Count does, from counters where they hold the result, and says how. Plan.Returned is the count.
	ExplainCount(ctx context.Context, q search.Query) (int64, search.Plan, error)
	// CountCheap returns the result of Count where a counter knows it without reading rows; ok is false where it does not.
	CountCheap(ctx context.Context, q search.Query) (n int64, ok bool, err error)
	// Estimate returns about how many rows q has, at the cost of a few lookups.
	Estimate(ctx context.Context, q search.Query) (int64, error)

	// History returns versions, deletions included.
	History(ctx context.Context, q HistoryQuery) ([]Record, error)
	// Counts returns the number of current resources of each type that has any.
	Counts(ctx context.Context) (map[string]int64, error)

	// Meta returns a named value that the server keeps for itself (keys, progress of background work). ErrNotFound.
	Meta(ctx context.Context, name string) ([]byte, error)
	// Metas returns all named values.
	Metas(ctx context.Context) (map[string][]byte, error)
}

// Tx is a Reader that also writes. It reads its own writes (Find and Count included). Nothing is visible to others before Update returns
// nil, and then all of it is, durably.
type Tx interface {
	Reader

	// Put stores rec as the new current version and replaces all entries of the version before. expect is the version that must be current
	// at commit, 0 where the resource must never have existed; rec.Version must be expect+1. Where another Update got there first, the
	// Update is tried again or ends with ErrConflict. Each key is put at most once in an Update.
	Put(ctx context.Context, rec Record, expect int64) error
	// Reindex replaces the entries of the current version of key, if that is still version; otherwise it does nothing.
	Reindex(ctx context.Context, key fhir.Key, version int64, entries []search.Entry) error
	// Erase removes resources with all of their versions, deletions included, and all entries, as if they had never existed: reads of this Update and of
	// all Views that begin after it, histories, counts and instants tell nothing of them, and a key may be put again as version 1 by a later Update. It
	// returns how many versions there were; keys that never existed have none. A key that is put in the same Update cannot be erased, and the
	// other way round. What the engine still keeps of the bytes, and for how long, is in its documentation. States that were marked before may show
	// them as long as they are kept.
	Erase(ctx context.Context, keys []fhir.Key) (versions int64, err error)
	// Guard makes this Update conflict with every concurrent one that guards one of the same names: conditional writes guard their condition, so
	// that two of them can't both find nothing and create. Many names cost about as much as one.
	Guard(ctx context.Context, names ...string) error
	// SetMeta stores a named value; nil removes it.
	SetMeta(ctx context.Context, name string, value []byte) error
}

// Store is an engine. All methods may be called at the same time.
type Store interface {
	// View runs f on one moment of the store, which includes everything that was acknowledged before View was called.
	View(ctx context.Context, f func(Reader) error) error
	// ViewAt is View on the state of mark: the same versions, entries and Moment, whatever was committed since. The error is ErrForgotten, maybe
	// wrapped, where that state is not kept; it comes from ViewAt itself, or from any read inside f, which then must be given up. A mark that
	// was made up is ErrForgotten, or shows a state that the store once had or an empty one; "" is always ErrForgotten. A store keeps the states
	// of its views as long as it can without cost, and promises no time. All Stores on one database know each other's marks, and those of the
	// time before they were opened.
	ViewAt(ctx context.Context, mark Mark, f func(Reader) error) error
	// Update runs f and commits what it put. When Update returns nil, all of it is durable; when it returns an error, nothing of it is
	// stored, unless IsUnknown says that the error leaves it open: then all of it is stored, or nothing. f may run more than once (after a conflict) and must have no effects but through its Tx. An error from f is returned as it is.
	Update(ctx context.Context, f func(Tx) error) error
	// Import stores versions of another store as they are, with their numbers, instants and methods, so that a database can be moved from one
	// engine to another. They come in any order, over any number of calls; each version is given once, and each resource has one that is
	// current. What a call returned nil for is durable. Histories and reads are complete when all of it has been imported. Entries may be left
	// out; searches then find resources when they have been indexed again. A call that fails may have stored some of its versions: an import
	// that was interrupted begins again with an empty store. While a store is imported into, nothing else uses it.
	Import(ctx context.Context, versions []Version) error
	// Building returns the resource types whose indexes are still under construction while the store serves, sorted; searches of them may be
	// slow.
	Building() []string
	// Ready returns nil when the store can serve, or says what it waits for.
	Ready(ctx context.Context) error
	// Close waits for running calls and releases the store. Calls after it fail.
	Close() error
}
