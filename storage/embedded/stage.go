package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// stagePrefix begins the names of the folders that Stage makes.
const stagePrefix = "backup-"

// stageRoom is how much space Stage wants for what it copies beside the log: the manifest and its own folders.
const stageRoom = 16 << 20

// Stage freezes the store as it is, while reads and writes go on: in a new folder below the data folder, which is a store of its own and
// holds everything that was acknowledged before the call. Tables are hard links where the file system has them, so it costs little time; as
// long as the folder is there, its tables keep their space on the disk. release removes it; so does the next Open.
func (s *Store) Stage(ctx context.Context) (dir string, release func() error, err error) {
	if err := s.enter(ctx); err != nil {
		return "", nil, err
	}
	defer s.leave()
	if err := s.whole(); err != nil {
		return "", nil, err
	}
	u, err := s.opt.FS.GetDiskUsage(s.dir)
	if err != nil {
		u = vfs.DiskUsage{AvailBytes: math.MaxInt64}
	}
	if need := s.db.Metrics().WAL.PhysicalSize + stageRoom; u.AvailBytes < need {
		return "", nil, fmt.Errorf("the disk of the data folder %s is too full to take a backup: make %d MB free on it", s.dir, need>>20+1)
	}
	var name [8]byte
	rand.Read(name[:])
	dir = filepath.Join(s.dir, stagePrefix+hex.EncodeToString(name[:]))
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		_ = s.opt.FS.RemoveAll(dir)
		return "", nil, s.failed(fmt.Errorf("the store could not be frozen for a backup: %w", reason(err)))
	}
	return dir, func() error { return s.opt.FS.RemoveAll(dir) }, nil
}

// removeStages removes what an earlier process was taking backups from.
func removeStages(fs vfs.FS, dir string) error {
	files, err := fs.List(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f, stagePrefix) {
			if err := fs.RemoveAll(filepath.Join(dir, f)); err != nil {
				return err
			}
		}
	}
	return nil
}

// staged reports whether a file is in a folder that Stage makes: it may fail where the disk is full.
func staged(path string) bool {
	return strings.HasPrefix(filepath.Base(filepath.Dir(path)), stagePrefix)
}
