package interaction

import (
	"log/slog"
	"sync"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/validation"
)

// Options set what the interactions do where R4 leaves a choice.
type Options struct {
	// Level is how strictly writes are validated.
	Level validation.Level
	// Shared says that other processes serve the same store: their SearchParameters are in force here too when the responses to their writes are sent.
	Shared bool
	// ReferentialIntegrity refuses references to local resources that do not exist (--referential-integrity).
	ReferentialIntegrity bool
	// MultipleDelete lets a conditional delete with several matches delete them all (--conditional-delete=multiple).
	MultipleDelete bool
	// MaxBundleEntries bounds batches and transactions; 0 means 10,000.
	MaxBundleEntries int
	// MaxPage bounds _count; 0 means 1,000. DefaultPage is the page without _count; 0 means 20.
	MaxPage, DefaultPage int
	// PageBytes bounds the bodies of a page of a search or history, which ends early where they pass it, with one match at least; 0 means 16 MiB.
	PageBytes int64
	// Logger is told of stored SearchParameters that can't be served; nil for nowhere.
	Logger *slog.Logger
	// poll and retry replace the pauses of the background work in tests.
	poll, retry time.Duration
	// maxChanged replaces the constant in tests.
	maxChanged int
	// patch replaces Service.readPatch in tests.
	patch func(document fhir.Resource) (Patch, error)
	// await replaces awaitFor in tests.
	await time.Duration
	// MaxDeletes bounds what one conditional delete may delete; 0 means 1,000.
	MaxDeletes int
}

// Action says what a write did.
type Action uint8

// The actions.
const (
	Created Action = iota + 1
	Updated
	Unchanged // the content was identical (or a conditional create found a match): no version was made
	Deleted
)

// Result is the outcome of a write: what was done, and the version that is current.
type Result struct {
	Action Action
	// Record is the version that is current after the write. A Delete of what never existed has Version 0.
	Record storage.Record
	// Issues are warnings that did not prevent the write.
	Issues []fhir.Issue
	// generation is that of the search parameters which the entries of Record were made with.
	generation uint64
}

// Conditions are the preconditions of a request (R4 http, 3.1.0.4.2 and 3.1.0.7.3, and RFC 9110 section 13).
type Conditions struct {
	// IfMatch are the versions of which one must be current; nil for no condition. AnyMatch is If-Match: *.
	IfMatch  []int64
	AnyMatch bool
	// NoneMatch is If-None-Match: *: nothing must be current. IfNoneMatch are the versions of which a read must find none.
	NoneMatch   bool
	IfNoneMatch []int64
	// ModifiedSince and ModifiedBefore are the moments that the If-Modified-Since of a read may mean, the second excluded; zero for no condition.
	ModifiedSince, ModifiedBefore time.Time
	// NoneExist is the condition of a conditional create, as a query; "" for none.
	NoneExist string
}

// SearchRequest asks for a page of a search.
type SearchRequest struct {
	// Base is the server's base URL without a trailing slash, as this client sees it; links and fullUrls start with it.
	Base string
	// Types are the resource types of the path; empty for a whole-system search, which _type may narrow.
	Types []string
	// Compartment is set for GET [base]/Patient/1/Observation; Types is then the type behind it, or empty for "*".
	Compartment fhir.Key
	// Path is what links repeat behind Base: "Observation", "Patient/1/Observation" or "".
	Path string
	// Parameters are those of the URL and of a POST _search form behind them. Posted says that some came in a form.
	Parameters []search.Pair
	Posted     bool
	// Shown are the parameters that links repeat, where they are not those of the search: an operation's. Nil for those of the search.
	Shown []search.Pair
	// Lenient ignores and reports unknown parameters (Prefer: handling=lenient).
	Lenient bool
	// Explain adds how the search ran to the response (_explain=true sets it too).
	Explain bool
	// Whole is set where the client reads all pages: what is a match on one of them is not included on another.
	Whole bool
	// Apart allows Bundle.Parts.
	Apart bool
}

// HistoryRequest asks for a page of a history.
type HistoryRequest struct {
	Base string
	// Key is set for an instance's history; Type alone for a type's; both empty for the system's.
	Key  fhir.Key
	Type string
	// Parameters are _since, _at, _count and the cursor. Lenient ignores others.
	Parameters []search.Pair
	Lenient    bool
	// Apart allows Bundle.Parts.
	Apart bool
}

// Bundle is a rendered Bundle.
type Bundle struct {
	// Body is its JSON; nil where Parts are, one behind the other: those of a long page that was asked for with Apart.
	Body  []byte
	Parts [][]byte
	// Updated is the greatest lastUpdated in it; zero where there is none.
	Updated time.Time
	// buffer is what Body was written into; nil for none that is used again.
	buffer *[]byte
}

// Release gives the memory of Body back, for another Bundle. Body must not be used after it, nor Release called twice. Who does not call it
// leaves the memory to the garbage collector.
func (b Bundle) Release() {
	if b.buffer == nil || cap(b.Body) > maxBuffer {
		return
	}
	*b.buffer = b.Body[:0]
	buffers.Put(b.buffer)
}

// buffers are those of Bundles that were released, as *[]byte; maxBuffer is the length past which one is not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const maxBuffer = 1 << 20

// BundleRequest asks for a batch or transaction.
type BundleRequest struct {
	Base string
	// Bundle is the parsed request.
	Bundle fhir.Resource
	// Return is the client's preference for the entries' responses: "minimal" (also ""), "representation" or "OperationOutcome".
	Return string
	// Lenient is Prefer: handling=lenient, for all entries.
	Lenient bool
}
