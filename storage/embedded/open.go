package embedded

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/redact"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// format is the version of the key layout. Open refuses a store of another one.
const format = 4

// Options configure Open. The zero value is right for a server.
type Options struct {
	// FS is the file system; nil for the operating system's.
	FS vfs.FS
	// Cache is the size of the block cache in bytes; 0 for an eighth of the machine's memory, within 32 MB and 512 MB. It is taken as it is
	// used.
	Cache int64
	// Reserve is how many bytes must be free on the disk for a write to be accepted; 0 for an eighth of the disk, 256 MB at most. It is what
	// flushes and compactions of accepted writes live on.
	Reserve uint64
	// Log gets what goes wrong in the background; nil for nobody.
	Log *slog.Logger
	// Clock is the clock; nil for time.Now.
	Clock func() time.Time
	// Existing refuses a folder without a store, in which Open else makes one: the error is ErrNoStore.
	Existing bool

	compact time.Duration // for tests: in place of compactAfter
	// bare opens a store that is only looked at: nothing is compacted.
	bare bool
	// restoring opens a folder that a restore fills. It is the restore's lock of the folder, which Close leaves held.
	restoring *pebble.Lock
	exit      func(int) // for tests: in place of os.Exit
}

// Store is the engine. It implements storage.Store.
type Store struct {
	db    *pebble.DB
	dir   string
	id    string // "" where it has none yet
	opt   Options
	dict  *dictionary
	cache countCache
	tune  tuning
	lock  *pebble.Lock

	compactor compactor
	short     *shortage
	damage    damage
	watermark *watermark
	lost      *lost // what the log had lost when the store was opened; nil for nothing

	writer chan struct{} // holds one token while nobody writes
	last   int64         // instant of the newest applied commit; the writer's

	mu     sync.Mutex
	now    *moment // the newest durable moment
	broken error   // the log failed: nothing can be written until the store is opened again
	closed bool
	calls  sync.WaitGroup
}

var _ storage.Store = (*Store)(nil)

// moment is a snapshot after a durable commit, shared by the Views that began on it.
type moment struct {
	snap   *pebble.Snapshot
	micros int64
	refs   int
	known  known
}

// Open opens the store in dir, and makes it where there is none. The folder may be missing or empty; a folder that holds something else, is
// in use by another process, can't be written or was written by a later release gives an error that names the folder and the remedy.
func Open(dir string, opt Options) (*Store, error) {
	fs := opt.FS
	if fs == nil {
		fs = vfs.Default
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.exit == nil {
		opt.exit = os.Exit
	}
	if err := checkFolder(fs, dir, opt); err != nil {
		return nil, err
	}
	lock := opt.restoring
	if lock == nil {
		var err error
		if lock, err = lockFolder(fs, dir); err != nil {
			return nil, err
		}
	}
	s := &Store{dir: dir, opt: opt, lock: lock, tune: tuned, writer: make(chan struct{}, 1), short: newShortage()}
	s.opt.FS = fullFS{fs, s.short}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.unlock())
	}
	s.opened()
	s.writer <- struct{}{}
	if !opt.bare {
		s.startCompactor(opt.compact)
	}
	return s, nil
}

// lockFolder takes the lock of a data folder, which one process holds at a time.
func lockFolder(fs vfs.FS, dir string) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, fs)
	if err == nil {
		return lock, nil
	}
	var file *os.PathError
	switch {
	case errors.As(err, &file) && errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("the data folder %s can't be written: give this user write access to it, or choose another folder", dir)
	case file != nil: // the file could not be made, so nobody was asked for the lock
		return nil, fmt.Errorf("the data folder %s can't be written: %w", dir, file.Err)
	}
	return nil, inUse{dir}
}

// unlock gives the lock of the folder back, where the store took it.
func (s *Store) unlock() error {
	if s.opt.restoring != nil {
		return nil
	}
	return s.lock.Close()
}

// folderLock is the file by which a process holds a data folder.
const folderLock = "LOCK"

// ErrInUse means that another process uses the data folder.
var ErrInUse = errors.New("embedded: the data folder is in use")

// inUse is ErrInUse in words.
type inUse struct{ dir string }

func (e inUse) Error() string {
	return fmt.Sprintf("the data folder %s is in use by another process: stop that process, or choose another folder", e.dir)
}

func (inUse) Is(target error) bool { return target == ErrInUse }

// checkFolder makes dir where it is missing and refuses a folder that holds anything but a store.
func checkFolder(fs vfs.FS, dir string, opt Options) error {
	if st, err := fs.Stat(dir); err == nil && !st.IsDir() {
		return fmt.Errorf("%s is a file: the data folder must be a folder", dir)
	}
	if _, err := fs.Stat(dir); opt.Existing && errors.Is(err, os.ErrNotExist) {
		return noStore{dir}
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the data folder %s can't be made: %w", dir, reason(err))
	}
	files, err := fs.List(dir)
	if err != nil {
		return fmt.Errorf("the data folder %s can't be read: %w", dir, reason(err))
	}
	if opt.restoring == nil && slices.Contains(files, restoring) {
		return fmt.Errorf("a restore into the folder %s did not end: run `fhirgate restore` again", dir)
	}
	strange := ""
	for _, f := range files {
		switch {
		case strings.HasPrefix(f, "marker."):
			return nil
		case f != folderLock:
			strange = f
		}
	}
	if opt.Existing {
		return noStore{dir}
	}
	if strange != "" {
		return fmt.Errorf("the folder %s holds other files (%s) and no store: choose an empty folder", dir, strange)
	}
	return nil
}

// reason strips an error of the path that its message names already.
func reason(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// open opens the database under the lock.
func (s *Store) open() error {
	if err := removeStages(s.opt.FS, s.dir); err != nil {
		return fmt.Errorf("the data folder %s can't be written: %w", s.dir, reason(err))
	}
	db, err := pebble.Open(s.dir, s.pebbleOptions())
	if err != nil {
		if pebble.IsCorruptionError(err) {
			return s.unreadable(err)
		}
		if errors.Is(err, pebble.ErrDBDoesNotExist) {
			return noStore{s.dir}
		}
		if errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("the data folder %s can't be written: give this user write access to it, or choose another folder", s.dir)
		}
		if isFull(err) {
			return fmt.Errorf("the disk of the data folder %s is full: make space on it", s.dir)
		}
		return fmt.Errorf("the data folder %s can't be opened: %w", s.dir, scrubbed{err})
	}
	s.db = db
	if err := s.start(); err != nil {
		db.Close()
		return err
	}
	return nil
}

// unreadable is the fault of a folder whose files can't be read.
func (s *Store) unreadable(err error) error {
	if pebble.IsCorruptionError(err) {
		what := strings.Join(s.damagedFiles(), ", ")
		return fmt.Errorf("the data folder %s is damaged (%s): restore a backup into another folder with `fhirgate restore`", s.dir, cmp.Or(what, scrub(err)))
	}
	return fmt.Errorf("the data folder %s can't be read: %w", s.dir, scrubbed{err})
}

// start checks the format, reads the dictionary and takes the first moment.
func (s *Store) start() error {
	v, closer, err := s.db.Get([]byte{tableFormat})
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		if err := s.db.Set([]byte{tableFormat}, binary.AppendUvarint(nil, format), pebble.Sync); err != nil {
			return fmt.Errorf("the data folder %s can't be written: %w", s.dir, err)
		}
	case err != nil:
		return s.unreadable(err)
	default:
		f, _ := binary.Uvarint(v)
		closer.Close()
		if f < format {
			return fmt.Errorf("the data folder %s was written by an earlier release (format %d, this one reads %d): load its resources into another folder", s.dir, f, format)
		}
		if f > format {
			return fmt.Errorf("the data folder %s was written by a later release (format %d, this one reads %d): run that release, or choose another folder", s.dir, f, format)
		}
	}
	if s.dict, err = loadDictionary(s.db); err != nil {
		return s.unreadable(err)
	}
	if v, closer, err = s.db.Get([]byte{tableClock}); err == nil {
		if len(v) == 8 {
			s.last = int64(binary.BigEndian.Uint64(v))
		}
		closer.Close()
	} else if !errors.Is(err, pebble.ErrNotFound) {
		return s.unreadable(err)
	}
	if mark := readWatermark(s.opt.FS, s.dir); mark > s.last {
		s.lost = &lost{time.UnixMicro(s.last).UTC(), time.UnixMicro(mark).UTC()}
		s.opt.Log.Error("the log of the data folder ends early: what was written last is missing, though it was acknowledged; restore a backup, or go on without it",
			"missing after", s.lost.since, "missing until", s.lost.until)
		s.last = mark // instants that were given are not given again
	}
	s.watermark = openWatermark(s.opt.FS, s.dir, s.last)
	if err := s.identify(); err != nil {
		return err
	}
	s.now = &moment{snap: s.db.NewSnapshot(), micros: s.last, refs: 1}
	return nil
}

// pebbleOptions are the settings that the measurements in DECISIONS.md were made with.
func (s *Store) pebbleOptions() *pebble.Options {
	size := s.opt.Cache
	if size == 0 {
		size = min(max(memory()/8, 32<<20), 512<<20)
	}
	o := &pebble.Options{
		FS:                          s.opt.FS,
		CacheSize:                   size,
		FormatMajorVersion:          pebble.FormatNewest,
		Lock:                        s.lock,
		MemTableSize:                memTable(s.opt.FS, s.dir),
		MemTableStopWritesThreshold: 3,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               128 << 20,
		MaxOpenFiles:                1000,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		DisableAutomaticCompactions: s.opt.bare,
		ErrorIfNotExists:            s.opt.Existing,
		Logger:                      logger{s.opt.Log, s.opt.exit},
		EventListener:               s.listener(),
	}
	o.ApplyCompressionSettings(compression)
	for i := range o.Levels {
		o.Levels[i].BlockSize = 16 << 10
		o.Levels[i].IndexBlockSize = 64 << 10
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// memTable is the size of a memory table: 8 MB, less on a small disk, where each of the up to five logs is allocated with a tenth more.
func memTable(fs vfs.FS, dir string) uint64 {
	const most, least = 8 << 20, 1 << 20
	u, err := fs.GetDiskUsage(dir)
	if err != nil || u.TotalBytes == 0 {
		return most
	}
	return min(most, max(least, u.TotalBytes/64))
}

// compression is light where data is rewritten soon and strong at the bottom, where most of it lies.
func compression() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced }

// logger gives Pebble's errors to the log, without what may be data: keys hold ids. Pebble does not go on after a fatal one: the process ends,
// and the next start recovers from the log.
type logger struct {
	log  *slog.Logger
	exit func(int)
}

// Infof drops Pebble's chatter.
func (l logger) Infof(string, ...any) {}

// Errorf logs.
func (l logger) Errorf(format string, args ...any) {
	l.log.Error("storage: " + redact.Sprintf(format, args...).Redact().StripMarkers())
}

// Fatalf logs and ends the process.
func (l logger) Fatalf(format string, args ...any) {
	l.log.Error("the store can't go on, and the server ends; start it again, and restore a backup where it ends again", "error",
		redact.Sprintf(format, args...).Redact().StripMarkers())
	l.exit(1)
}

// errClosed is what calls after Close get.
var errClosed = errors.New("embedded: the store is closed")

// enter counts a call in; leave must follow.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

// Ready returns nil when writes and reads are served.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	return cmp.Or(broken, s.whole(), s.space(0))
}

// Building is empty: what the store opens has all its indexes.
func (s *Store) Building() []string { return nil }

// Close waits for running calls and closes the files.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errClosed
	}
	s.closed = true
	s.mu.Unlock()
	close(s.short.stop)
	if !s.opt.bare {
		s.compactor.close()
	}
	s.calls.Wait()
	err := s.now.snap.Close()
	return errors.Join(err, s.db.Close(), s.watermark.close(), s.unlock())
}

// memory returns the machine's memory in bytes; a modest guess where it is not told.
func memory() int64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 1 << 30
	}
	var kb int64
	if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kb); err != nil {
		return 1 << 30
	}
	return kb << 10
}

// errFull is what writes get while the disk is full.
func errFull(dir string) error {
	e := fhir.NewError(fhir.KindFull, fhir.IssueNoStore, fhir.IDStorageFull, "the disk of the data folder is full; reads are served, writes are not until there is space")
	e.Err = fmt.Errorf("no space for %s", filepath.Clean(dir))
	return e
}
