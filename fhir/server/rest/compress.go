package rest

import (
	"errors"
	"net/http"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// gzipHeader is the value of Content-Encoding.
var gzipHeader = []string{"gzip"}

// compressors are writers of gzip that are used again.
var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// compressed writes the body with gzip, in pieces, and reports whether all was written. Entity tags are weak, so that they are right for both
// forms.
func (x *exchange) compressed(status int, parts [][]byte) (whole bool) {
	head := x.w.Header()
	head["Content-Encoding"] = gzipHeader
	x.w.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		x.w.WriteHeaderNow()
		return true
	}
	z := compressors.Get().(*gzip.Writer)
	z.Reset(x.w)
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	err := x.send(z, parts, size)
	if err = errors.Join(err, z.Close()); err != nil {
		return false // and what was being sent is not used again
	}
	compressors.Put(z)
	return true
}

// acceptsGzip reports whether Accept-Encoding takes gzip (RFC 9110 section 12.5.3).
func acceptsGzip(header []string) bool {
	star := 0
	for _, line := range header {
		for line != "" {
			var item string
			item, line = cut(line, ',')
			m := parseMediaType(item)
			switch m.name {
			case "gzip", "x-gzip":
				return m.q > 0
			case "*":
				star = m.q
			}
		}
	}
	return star > 0
}
