package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// A store has an id of its own, by which its backups are told from those of another store. A backup and what is restored from it have the
// store's id; a copy that is made version by version has its own.

// identify reads the id of the store, and gives it one where it has none: it is fresh, or from a release that gave none. A store that can't be
// written, or is only looked at, is left without.
func (s *Store) identify() error {
	v, closer, err := s.db.Get([]byte{tableIdentity})
	if err == nil {
		s.id = hex.EncodeToString(v)
		return closer.Close()
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return s.unreadable(err)
	}
	if s.opt.bare || s.whole() != nil || s.space(stageRoom) != nil {
		return nil
	}
	var id [16]byte
	rand.Read(id[:])
	if err := s.db.Set([]byte{tableIdentity}, id[:], pebble.Sync); err != nil {
		return fmt.Errorf("the data folder %s can't be written: %w", s.dir, err)
	}
	s.id = hex.EncodeToString(id[:])
	return nil
}

// noStore is the error of a folder that must have a store and has none.
type noStore struct{ dir string }

func (e noStore) Error() string {
	return fmt.Sprintf("there is no store in the data folder %s: name the folder that a server has used; where it is on a disk of its own, mount that first", e.dir)
}

// ErrNoStore means that the data folder has no store, and Options.Existing forbids to make one.
var ErrNoStore = errors.New("embedded: the data folder has no store")

func (noStore) Is(target error) bool { return target == ErrNoStore }

// sameStore refuses a folder of backups that has those of another store: each would remove the other's.
func sameStore(id, target string, before []BackupInfo) error {
	if id == "" {
		return errors.New("the store has no id, by which its backups are told from those of another store: start its server again, with space on its disk, " +
			"or where no server uses it, run the backup again")
	}
	for _, b := range before {
		if b.Store != "" && b.Store != id {
			return fmt.Errorf("the backups in %s are of another store: %s is of the store %s, this one is %s. Choose another folder for the backups of this one; "+
				"a store that was restored from them belongs here, so if you expected that, look whether --data is the right folder and its disk is mounted",
				target, b.Name, b.Store, id)
		}
	}
	return nil
}
