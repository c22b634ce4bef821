package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/redact"

	"github.com/fhirgate/fhirgate/fhir"
)

// A table whose bytes are not what was written is found by a block's checksum. What reads such a block fails; all else is read as before. Nothing
// is written from then on: an Update might have to read what is damaged, and compactions, which do, fail and leave more and more layers. Pebble
// waits before it begins one again.

// damage is what was found to be damaged.
type damage struct {
	mu     sync.Mutex
	opened bool // while it is not, what is damaged is told by Open's error
	found  []damagedFile
}

// damagedFile is a file, and what lies between its first and last keys.
type damagedFile struct{ name, holds string }

// tell tells the log, without keys, which hold ids.
func (f damagedFile) tell(log *slog.Logger) {
	log.Error("a file of the data folder is damaged; what it holds can't be read, and nothing is written any more: restore a backup, "+
		"or run `fhirgate check` with the server stopped to see what is touched", "file", f.name, "holds", f.holds)
}

// corrupted notes a damaged file, and tells the log of it once.
func (s *Store) corrupted(info pebble.DataCorruptionInfo) {
	s.damage.mu.Lock()
	f := damagedFile{filepath.Base(info.Path), s.holds(info.Bounds.Start, info.Bounds.End.Key, s.damage.opened)}
	known := slices.ContainsFunc(s.damage.found, func(d damagedFile) bool { return d.name == f.name })
	if !known {
		s.damage.found = append(s.damage.found, f)
	}
	tell := !known && s.damage.opened
	s.damage.mu.Unlock()
	if tell {
		f.tell(s.opt.Log)
	}
}

// opened tells the log of what was found while the store was opened all the same.
func (s *Store) opened() {
	s.damage.mu.Lock()
	s.damage.opened = true
	found := slices.Clone(s.damage.found)
	s.damage.mu.Unlock()
	for _, f := range found {
		f.tell(s.opt.Log)
	}
}

// damagedFiles returns the names of the files that were found to be damaged.
func (s *Store) damagedFiles() []string {
	s.damage.mu.Lock()
	defer s.damage.mu.Unlock()
	var names []string
	for _, f := range s.damage.found {
		names = append(names, f.name)
	}
	return names
}

// whole returns nil while nothing was found to be damaged, else the error that writes get.
func (s *Store) whole() error {
	files := s.damagedFiles()
	if len(files) == 0 {
		return nil
	}
	e := fhir.NewError(fhir.KindUnavailable, fhir.IssueException, fhir.IDStorageDamaged,
		"a file of the data folder is damaged; what is not in it is read, nothing is written until the operator restores a backup")
	e.Err = fmt.Errorf("damaged: %s", strings.Join(files, ", "))
	return e
}

// failed makes an error of a damaged file one that clients and the log may read; any other is returned as it is.
func (s *Store) failed(err error) error {
	if err == nil || !pebble.IsCorruptionError(err) && !errors.Is(err, errDamaged) {
		return err
	}
	e := fhir.NewError(fhir.KindInternal, fhir.IssueException, fhir.IDStorageDamaged,
		"a file of the data folder is damaged, and this can't be read; the operator must restore a backup")
	if e.Err = errors.New(scrub(err)); pebble.ExtractDataCorruptionInfo(err) == nil {
		s.opt.Log.Error("a row of the store is damaged; restore a backup, or run `fhirgate check` with the server stopped", "error", e.Err.Error())
	}
	return e
}

// scrub returns the first line of an error's text, without what may be data.
func scrub(err error) string {
	text, _, _ := strings.Cut(redact.Sprint(err).Redact().StripMarkers(), "\n")
	return text
}

// scrubbed is an error whose text is without what may be data.
type scrubbed struct{ err error }

func (e scrubbed) Error() string { return scrub(e.err) }

// Unwrap returns the cause, whose text is not for people or logs.
func (e scrubbed) Unwrap() error { return e.err }

// holds names what lies between two keys: tables, where the store is open types too, no ids.
func (s *Store) holds(start, end []byte, opened bool) string {
	if len(start) == 0 || len(end) == 0 {
		return "unknown"
	}
	var out []string
	for _, t := range [...]struct {
		table byte
		name  string
	}{
		{tableFormat, "format"}, {tableName, "dictionary"}, {tableShape, "dictionary"}, {tableClock, "clock"}, {tableMeta, "the server's own values"},
		{tableCount, "counters"}, {tableIdentity, "the store's id"}, {tableDocument, "resources"}, {tableEntries, "what resources are found by"}, {tableOld, "earlier versions"},
		{tableHistory, "order of versions"}, {tableIndex, "search index"}, {tableSample, "samples of the search index"},
		{tableSparse, "samples of the search index"},
	} {
		if t.table < start[0] || t.table > end[0] || slices.Contains(out, t.name) {
			continue
		}
		if opened {
			if types := s.typesBetween(t.table, start, end); len(types) > 0 {
				t.name += " of " + strings.Join(types, ", ")
			}
		}
		out = append(out, t.name)
	}
	return strings.Join(out, "; ")
}

// typesBetween returns the types that rows of a table between two keys may be of; none where they are of all, or it is not known.
func (s *Store) typesBetween(table byte, start, end []byte) (out []string) {
	if table < tableDocument {
		return nil
	}
	first, last := uint32(0), uint32(maxNumber)
	if start[0] == table && len(start) > numberSize {
		first = number(start[1:])
	}
	if end[0] == table && len(end) > numberSize {
		last = number(end[1:])
	}
	all := s.dict.all()
	if int(last)-int(first) >= len(all) {
		return nil
	}
	for n := first; n <= last && int(n) < len(all); n++ {
		if typ := all[n].typ; typ != "" && !slices.Contains(out, typ) {
			out = append(out, typ)
		}
	}
	slices.Sort(out)
	return out
}
