package load

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// unit is the smallest part of a load whose outcome is known by itself: a document that is sent as it is, or one resource of a batch that is
// made here. It is named by its content alone, so that a file that is mended between two runs is told apart from before, and one that is moved is
// not. The same content in several places is one unit, whose outcomes are counted.
type unit [12]byte

// unitOf returns the unit of the content with a hash.
func unitOf(sum [sha256.Size]byte) unit { return unit(sum[:]) }

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
	// torn is set where the earlier run was killed in a line.
	torn bool
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
	wherever, here := journalName(server, files)
	j := &journal{path: filepath.Join(folder, wherever+here)}
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if !resume {
		_, err := os.Stat(j.path)
		j.unfinished = err == nil
		flags |= os.O_TRUNC
	} else if err := j.readMoved(folder, wherever); errors.Is(err, fs.ErrNotExist) {
		return nil, errNothingToResume
	} else if err != nil {
		return nil, fmt.Errorf("--resume: %w", err)
	}
	err := os.MkdirAll(folder, 0o700)
	if err == nil {
		j.file, err = os.OpenFile(j.path, flags, 0o600)
	}
	if err == nil && j.torn {
		_, err = j.file.WriteString("\n")
	}
	if err != nil && resume {
		return nil, fmt.Errorf("--resume: %w", err)
	}
	j.err = err
	return j, nil
}

// journalName returns the name of the journal of a load: what it has wherever the files are, and what it has where they are.
func journalName(server string, files []string) (wherever, here string) {
	names, paths := []string{server}, []string{}
	for _, f := range files {
		paths = append(paths, absolute(f))
		names = append(names, filepath.Base(absolute(f)))
	}
	hash := func(of []string) string {
		sum := sha256.Sum256([]byte(strings.Join(of, "\n")))
		return base64.RawURLEncoding.EncodeToString(sum[:12])
	}
	return "load-" + hash(names) + ".", hash(paths)
}

// readMoved is read, where need be of the newest journal of files of the same names that were elsewhere, which becomes the one of this load.
func (j *journal) readMoved(folder, wherever string) error {
	err := j.read()
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	others, globErr := fs.Glob(os.DirFS(folder), wherever+"*")
	if globErr != nil {
		return err
	}
	var newest fs.FileInfo
	for _, name := range others {
		if info, err := os.Stat(filepath.Join(folder, name)); err == nil && (newest == nil || info.ModTime().After(newest.ModTime())) {
			newest = info
		}
	}
	if newest == nil {
		return err
	}
	if err := os.Rename(filepath.Join(folder, newest.Name()), j.path); err != nil {
		return err
	}
	return j.read()
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

// read takes in what an earlier run wrote.
func (j *journal) read() error {
	f, err := os.Open(j.path)
	if err != nil {
		return err
	}
	defer f.Close()
	j.earlier, j.torn, err = readOutcomes(f)
	return err
}

// lineSize is the length of a line: a mark, a unit and a line feed.
const lineSize = 1 + 16 + 1

// readOutcomes reads the lines of a journal. Lines that are none are skipped: a kill may have cut one off, and a disk may have lost what is in it.
// torn reports whether the last one has no end, which then is to be given one before another is written.
func readOutcomes(r io.Reader) (units map[unit]*outcomes, torn bool, err error) {
	units = make(map[unit]*outcomes)
	in := bufio.NewReaderSize(r, 64<<10)
	for long := false; ; {
		line, err := in.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull && err != io.EOF {
			return nil, false, err
		}
		whole := err != bufio.ErrBufferFull && !long
		long = err == bufio.ErrBufferFull
		if whole {
			count(units, bytes.TrimSuffix(line, []byte("\n")))
		}
		if err == io.EOF {
			return units, !whole || len(line) > 0, nil
		}
	}
}

// count counts what a line says, without its line feed.
func count(units map[unit]*outcomes, line []byte) {
	var u unit
	if len(line) != lineSize-1 {
		return
	}
	if n, err := base64.RawURLEncoding.Decode(u[:], line[1:]); err != nil || n != len(u) {
		return
	}
	o := units[u]
	if o == nil {
		o = &outcomes{}
		units[u] = o
	}
	o.add(line[0])
}

// add counts what a mark says.
func (o *outcomes) add(mark byte) {
	switch mark {
	case markBegun:
		o.unknown++
		return
	case markDone:
		o.done++
	case markPart:
		o.part++
	case markRefused:
	default:
		return
	}
	o.unknown = max(0, o.unknown-1)
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
	lines := make([]byte, 0, lineSize*len(units))
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
