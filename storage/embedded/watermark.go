package embedded

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A log that has lost its end looks to Pebble like one that was never longer. So the instant of the newest durable commit is written to a file
// of its own after each, without a sync: where the machine failed it may tell of an earlier commit, but never of one that was not durable.

// watermarkName is the file: the instant in microseconds, and a checksum of it.
const watermarkName = "WATERMARK"

const watermarkSize = 12

// watermark is the open file.
type watermark struct {
	mu     sync.Mutex
	file   vfs.File // nil where it can't be written
	micros int64
}

// readWatermark returns the instant that the file tells of; 0 where there is none.
func readWatermark(fs vfs.FS, dir string) int64 {
	f, err := fs.Open(filepath.Join(dir, watermarkName))
	if err != nil {
		return 0
	}
	defer f.Close()
	b := make([]byte, watermarkSize)
	if _, err := io.ReadFull(f, b); err != nil || binary.BigEndian.Uint32(b[8:]) != crc32.ChecksumIEEE(b[:8]) {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

// openWatermark opens the file for writing. A file that can't be made, as on a full disk, is done without.
func openWatermark(fs vfs.FS, dir string, micros int64) *watermark {
	path := filepath.Join(dir, watermarkName)
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return &watermark{}
	}
	w := &watermark{file: f}
	w.durable(micros)
	return w
}

// durable notes the instant of a commit that is durable.
func (w *watermark) durable(micros int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil || micros <= w.micros {
		return
	}
	w.micros = micros
	b := binary.BigEndian.AppendUint64(make([]byte, 0, watermarkSize), uint64(micros))
	_, _ = w.file.WriteAt(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)), 0)
}

// close closes the file.
func (w *watermark) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return f.Close()
}

// lost are the commits that the log has lost: those after since, up to until at least.
type lost struct{ since, until time.Time }
