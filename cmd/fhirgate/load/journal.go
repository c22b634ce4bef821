package load

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// unit is the smallest part of a load whose outcome is known by itself: a document that is sent as it is, or one resource of a batch that is
// made here. It is named by what it is and where it comes from, so that a file that is mended between two runs is told apart from before.
type unit [12]byte

// unitOf returns the unit of some bytes of a source.
func unitOf(source string, sum [sha256.Size]byte) unit {
	h := sha256.New()
	h.Write([]byte(source))
	h.Write(sum[:])
	return unit(h.Sum(nil)[:len(unit{})])
}

// What a line of the journal says of a unit.
const (
	markBegun   = '+' // it is sent, and sending it twice would store it twice
	markDone    = '=' // all of it is stored
	markRefused = '-' // nothing of it is stored
	markPart    = '!' // some entries of a batch are stored, and sending it twice would store them twice
)

// before is what an earlier run made of a unit.
type before int

const (
	notBefore before = iota
	loadedBefore
	partlyBefore
	// unknownBefore is of a run that was not told: no response came, or one that leaves it open.
	unknownBefore
)

// journal is a file that says what became of each unit, so that another run can go on after one that ended early. It names no resource and no
// file. The zero journal keeps nothing. It may be used by several goroutines; take belongs to the reading one.
type journal struct {
	path string
	// unfinished is set where an earlier run left something to resume, and this one begins anew.
	unfinished bool

	mu   sync.Mutex
	file *os.File
	err  error

	earlier map[unit]*outcomes
}

// outcomes counts what the lines of the journal say of one unit, which a source may have more than once.
type outcomes struct{ done, part, unknown int }

// errNothingToResume is returned where --resume finds no journal.
var errNothingToResume = errors.New("there is nothing to resume: no load of these files to this server ended early on this machine; run the command without --resume")

// openJournal opens the journal of a load of files to a server. Without resume it begins empty.
func openJournal(folder, server string, files []string, resume bool) (*journal, error) {
	if folder == "" {
		if resume {
			return nil, errors.New("--resume needs a folder for what was loaded, but this user has no cache folder: set HOME or XDG_CACHE_HOME")
		}
		return &journal{}, nil
	}
	var name strings.Builder
	name.WriteString(server)
	for _, f := range files {
		name.WriteString("\n" + absolute(f))
	}
	sum := sha256.Sum256([]byte(name.String()))
	j := &journal{path: filepath.Join(folder, "load-"+base64.RawURLEncoding.EncodeToString(sum[:12]))}
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if !resume {
		_, err := os.Stat(j.path)
		j.unfinished = err == nil
		flags |= os.O_TRUNC
	} else if err := j.read(); errors.Is(err, fs.ErrNotExist) {
		return nil, errNothingToResume
	} else if err != nil {
		return nil, fmt.Errorf("--resume: %w", err)
	}
	err := os.MkdirAll(folder, 0o700)
	if err == nil {
		j.file, err = os.OpenFile(j.path, flags, 0o600)
	}
	if err != nil && resume {
		return nil, fmt.Errorf("--resume: %w", err)
	}
	j.err = err
	return j, nil
}

// absolute returns the absolute path of a file, and "-" as it is.
func absolute(name string) string {
	if name == stdinName {
		return name
	}
	if abs, err := filepath.Abs(name); err == nil {
		return abs
	}
	return name
}

// read takes in what an earlier run wrote. A line that was cut off by a kill counts as not written.
func (j *journal) read() error {
	content, err := os.ReadFile(j.path)
	if err != nil {
		return err
	}
	j.earlier = make(map[unit]*outcomes)
	for line := range bytes.Lines(content) {
		var u unit
		n, err := base64.RawURLEncoding.Decode(u[:], bytes.TrimSuffix(line[1:], []byte("\n")))
		if err != nil || n != len(u) || line[len(line)-1] != '\n' {
			continue
		}
		o := j.earlier[u]
		if o == nil {
			o = &outcomes{}
			j.earlier[u] = o
		}
		switch line[0] {
		case markBegun:
			o.unknown++
		case markDone:
			o.done++
			o.unknown = max(0, o.unknown-1)
		case markPart:
			o.part++
			o.unknown = max(0, o.unknown-1)
		case markRefused:
			o.unknown = max(0, o.unknown-1)
		}
	}
	return nil
}

// take returns what an earlier run made of a unit. It is called once for each unit of this run.
func (j *journal) take(u unit) before {
	o := j.earlier[u]
	switch {
	case o == nil:
		return notBefore
	case o.done > 0:
		o.done--
		return loadedBefore
	case o.part > 0:
		o.part--
		return partlyBefore
	case o.unknown > 0:
		o.unknown--
		return unknownBefore
	}
	return notBefore
}

// mark notes the same of some units, in one write.
func (j *journal) mark(mark byte, units ...unit) {
	if j.file == nil || len(units) == 0 {
		return
	}
	lines := make([]byte, 0, 18*len(units))
	for _, u := range units {
		lines = append(base64.RawURLEncoding.AppendEncode(append(lines, mark), u[:]), '\n')
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Write(lines); err != nil && j.err == nil {
		j.err = err
	}
}

// close ends the journal, and removes it where nothing is left to resume. The error says why no other run can go on from it.
func (j *journal) close(finished bool) error {
	if j.file != nil {
		_ = j.file.Close()
		if finished {
			_ = os.Remove(j.path)
		}
	}
	if j.err == nil && j.path == "" {
		return errors.New("this user has no cache folder")
	}
	return j.err
}
