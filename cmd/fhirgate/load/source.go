package load

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"
)

// source is a stream of one or more JSON documents.
type source struct {
	// name is shown in messages: a path, with the member's name after a colon for archives.
	name string
	scan *scanner
	// again opens the stream once more; nil where that is not possible.
	again opener
	// documents counts the documents read.
	documents int
}

// sequence reports whether the source is known to hold more than one document: what is in it is then counted by lines, and resources
// are sent together.
func (src *source) sequence() bool { return src.scan.lines || src.documents > 0 }

// stdinName is the argument that stands for standard input.
const stdinName = "-"

// file is one input: a path and its size in bytes, and when it was changed; standard input has none.
type file struct {
	path     string
	size     int64
	modified time.Time
	// content is what is read in place of the path's file; nil for a file.
	content []byte
}

// name returns how the file is called in messages.
func (f file) name() string {
	if f.path == stdinName {
		return "standard input"
	}
	return f.path
}

// changed reports whether the file is not what it was when it was found.
func (f file) changed() bool {
	if f.modified.IsZero() {
		return false
	}
	info, err := os.Stat(f.path)
	return err != nil || info.Size() != f.size || !info.ModTime().Equal(f.modified)
}

// findFiles turns arguments into the files they stand for: a folder into the files in and below it that the loader reads, a pattern into
// what it matches, "-" into standard input. The files that other files refer to by identifier in the way of Synthea's exports
// (hospitalInformation, practitionerInformation) are returned in the first list, all others in the second; both sorted within an argument.
func findFiles(args []string) (first, rest []file, err error) {
	var found []file
	for _, arg := range args {
		if arg == stdinName {
			found = append(found, file{path: arg})
			continue
		}
		names := []string{arg}
		if _, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) {
			if names, err = filepath.Glob(arg); err != nil || len(names) == 0 {
				return nil, nil, fmt.Errorf("%s: no such file or folder", arg)
			}
			if !strings.HasPrefix(filepath.Base(arg), ".") {
				names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(filepath.Base(n), ".") })
			}
		}
		n := len(found)
		for _, name := range names {
			if found, err = appendFiles(found, name); err != nil {
				return nil, nil, err
			}
		}
		if len(found) == n {
			return nil, nil, fmt.Errorf("%s: no file in it ends in %s", arg, strings.Join(readable, ", "))
		}
	}
	for _, f := range found {
		switch base := filepath.Base(f.path); {
		case strings.HasPrefix(base, "hospitalInformation"), strings.HasPrefix(base, "practitionerInformation"):
			first = append(first, f)
		default:
			rest = append(rest, f)
		}
	}
	return first, rest, nil
}

// appendFiles appends the file name, or the readable files in and below the folder name.
func appendFiles(found []file, name string) ([]file, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return append(found, file{path: name, size: info.Size(), modified: info.ModTime()}), nil
	}
	err = filepath.WalkDir(name, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && p != name && extraFolder(p) {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !wanted(p) {
			return err
		}
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		if info.Mode().IsRegular() {
			found = append(found, file{path: p, size: info.Size(), modified: info.ModTime()})
		}
		return nil
	})
	return found, err
}

// readable lists the endings of the files that are taken from folders and archives.
var readable = []string{".json", ".ndjson", ".jsonl", ".gz", ".tgz", ".tar", ".zip"}

// wanted reports whether a file found in a folder or archive is to be read: by its ending, and not hidden.
func wanted(name string) bool {
	base := strings.ToLower(path.Base(filepath.ToSlash(name)))
	if strings.HasPrefix(base, ".") {
		return false
	}
	return slices.ContainsFunc(readable, func(ending string) bool { return strings.HasSuffix(base, ending) })
}

// opening finds the sources in files and calls each with every one of them. Bytes read for the first time are added to read.
type opening struct {
	stdin io.Reader
	read  *atomic.Int64
	each  func(*source) error
}

// file reads one file, or standard input.
func (o *opening) file(in file) error {
	if in.path == stdinName {
		return o.stream(in.name(), counted{o.stdin, o.read}, nil, nil)
	}
	if in.content != nil {
		again := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(in.content)), nil }
		return o.stream(in.path, counted{bytes.NewReader(in.content), o.read}, again, nil)
	}
	again := func() (io.ReadCloser, error) { return os.Open(in.path) }
	h, err := os.Open(in.path)
	if err != nil {
		return err
	}
	defer h.Close()
	return o.stream(in.path, counted{h, o.read}, again, h)
}

// counted adds what is read through it to a counter.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// tarMagicAt is where a tar archive names its format.
const tarMagicAt = 257

// stream finds out by its first bytes what r is, and reads it as that. h is r's file where r is a plain file.
func (o *opening) stream(name string, r io.Reader, again opener, h *os.File) error {
	br := bufio.NewReaderSize(r, scanBuffer)
	head, err := br.Peek(tarMagicAt + 5)
	if err != nil && err != io.EOF {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return o.gzip(name, br, again)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return o.zip(name, br, h)
	case len(head) == tarMagicAt+5 && string(head[tarMagicAt:]) == "ustar":
		return o.tar(name, br)
	}
	s := newScanner(br)
	ext := path.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz"))
	s.lines = ext == ".ndjson" || ext == ".jsonl"
	return o.each(&source{name: name, scan: s, again: again})
}

// gzip reads a gzip stream, and what is in it as stream does.
func (o *opening) gzip(name string, r io.Reader, again opener) error {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("cannot read this gzip file: %w", err)
	}
	defer zr.Close()
	var unzipAgain opener
	if again != nil {
		unzipAgain = func() (io.ReadCloser, error) {
			r, err := again()
			if err != nil {
				return nil, err
			}
			zr, err := gzip.NewReader(bufio.NewReaderSize(r, scanBuffer))
			if err != nil {
				_ = r.Close()
				return nil, err
			}
			return limited{zr, r}, nil
		}
	}
	return o.stream(name, zr, unzipAgain, nil)
}

// zip reads the members of a zip archive. The directory of an archive is at its end: one that does not come from a plain file is
// written to a temporary file.
func (o *opening) zip(name string, r io.Reader, h *os.File) error {
	var whole io.ReaderAt
	var size int64
	if h != nil {
		info, err := h.Stat()
		if err != nil {
			return err
		}
		whole, size = h, info.Size()
	} else {
		t, err := os.CreateTemp("", "fhirgate-load-*")
		if err != nil {
			return err
		}
		defer os.Remove(t.Name())
		defer t.Close()
		if size, err = io.Copy(t, r); err != nil {
			return fmt.Errorf("cannot read this zip archive: %w", err)
		}
		whole = t
	}
	zr, err := zip.NewReader(whole, size)
	if err != nil {
		return fmt.Errorf("cannot read this zip archive: %w", err)
	}
	for _, m := range zr.File {
		if m.FileInfo().IsDir() || !wanted(m.Name) || packageExtra(m.Name) {
			continue
		}
		if err := o.member(name, m); err != nil {
			return err
		}
		if h != nil {
			o.read.Add(int64(m.CompressedSize64))
		}
	}
	return nil
}

// member reads one member of a zip archive.
func (o *opening) member(name string, m *zip.File) error {
	r, err := m.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	defer r.Close()
	return o.stream(name+":"+m.Name, r, m.Open, nil)
}

// tar reads the members of a tar archive, in its order; none of them can be opened again.
func (o *opening) tar(name string, r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read this tar archive: %w", err)
		}
		if h.Typeflag != tar.TypeReg || !wanted(h.Name) || packageExtra(h.Name) {
			continue
		}
		if err := o.stream(name+":"+h.Name, tr, nil, nil); err != nil {
			return err
		}
	}
}
