package load

import (
	"io"
	"sync/atomic"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// BenchmarkRead is what reading costs before anything is sent: the corpus' bundles are unpacked, scanned and held as bodies.
func BenchmarkRead(b *testing.B) {
	_, files, err := findFiles([]string{corpustest.Path(b, "synthea")})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var size int64
	for b.Loop() {
		size = 0
		var read atomic.Int64
		o := opening{read: &read, each: func(src *source) error {
			for {
				d, err := src.next()
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
				size += d.body.size
				d.body.remove()
			}
		}}
		for _, f := range files {
			if err := o.file(f); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.SetBytes(size)
}
