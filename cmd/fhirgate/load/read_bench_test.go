package load

import (
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// BenchmarkRead is what reading costs before anything is sent: the corpus' bundles are unpacked, scanned and held as bodies.
func BenchmarkRead(b *testing.B) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "corpus", "synthea")
	if _, err := os.Stat(dir); err != nil {
		b.Skipf("the corpus is absent: %v", err)
	}
	_, files, err := findFiles([]string{dir})
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
