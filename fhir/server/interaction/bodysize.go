package interaction

import (
	"sync/atomic"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// defaultPageBytes is Options.PageBytes where that is 0.
	defaultPageBytes = 16 << 20
	// pagesAtMost bounds, in pages, what can't be divided into pages: what one match includes, and the reads of one batch or transaction.
	pagesAtMost = 4
	// unknownSize is what a body of a type is taken for before one has been read.
	unknownSize = defaultPageBytes / 4
)

// bodySizes remembers about how long the bodies of each resource type are, so that what is read at once fits into a page. It is safe for
// concurrent use.
type bodySizes map[string]*atomic.Int64

// newBodySizes returns the sizes of types, and of the type "", which means histories of all types.
func newBodySizes(types []string) bodySizes {
	b := bodySizes{"": new(atomic.Int64)}
	for _, t := range types {
		b[t] = new(atomic.Int64)
	}
	return b
}

// see notes the length of a body. A longer one counts at once, shorter ones little by little.
func (b bodySizes) see(typ string, length int) {
	size, n := b[typ], int64(max(length, 1))
	if size == nil {
		return
	}
	if before := size.Load(); n < before {
		n = before - (before-n+7)/8
	}
	size.Store(n)
}

// of returns about how long a body of the type is.
func (b bodySizes) of(typ string) int64 {
	if size := b[typ]; size != nil && size.Load() > 0 {
		return size.Load()
	}
	return unknownSize
}

// atOnce returns how many of the keys to read at once where there is room for so many bytes: one at least.
func (b bodySizes) atOnce(keys []fhir.Key, room int64) int {
	for i := range keys {
		if room -= b.of(keys[i].Type); room < 0 && i > 0 {
			return i
		}
	}
	return len(keys)
}

// bytesOf returns the length of all bodies.
func bytesOf(records []storage.Record) (n int64) {
	for i := range records {
		n += int64(len(records[i].Body))
	}
	return n
}
