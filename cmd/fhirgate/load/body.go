package load

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// heldBody is how much of a body is held in memory before it is read again from its source, or spooled where the source can't be.
const heldBody = 8 << 20

// opener opens a source from its beginning; it may be called any number of times, from several goroutines.
type opener func() (io.ReadCloser, error)

// body is what a request sends. It can be opened many times, so that a request can be tried again. The zero body is empty.
type body struct {
	held []byte
	open opener
	size int64
	temp string
	// reading counts the readers of held that are not closed: a transport may read on after the response came.
	reading atomic.Int32
}

// heldReader reads a body that is held in memory.
type heldReader struct {
	*bytes.Reader
	closed func()
}

// Close implements io.Closer.
func (r heldReader) Close() error {
	r.closed()
	return nil
}

// reader returns a stream of the body's bytes from the first on.
func (b *body) reader() (io.ReadCloser, error) {
	if b.open == nil {
		b.reading.Add(1)
		return heldReader{bytes.NewReader(b.held), sync.OnceFunc(func() { b.reading.Add(-1) })}, nil
	}
	return b.open()
}

// heldBuffers keeps the memory of bodies that were removed for the next ones.
var heldBuffers = sync.Pool{New: func() any { return new([]byte) }}

// remove frees what the body holds. The body can't be opened afterwards.
func (b *body) remove() {
	if b.held != nil && b.reading.Load() == 0 {
		held := b.held[:0]
		b.held = nil
		heldBuffers.Put(&held)
	}
	if b.temp != "" {
		_ = os.Remove(b.temp)
		b.temp = ""
	}
}

// spool is a Writer that collects one document's bytes and makes them a body.
type spool struct {
	// again opens the stream that the bytes come from, start says where in it the document begins; nil where it can't be opened again.
	again opener
	start int64

	held []byte
	n    int64
	file *os.File
	sum  hash.Hash
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	s.sum.Write(p)
	if s.n <= heldBody {
		if s.held == nil {
			s.held = *heldBuffers.Get().(*[]byte)
		}
		s.held = append(s.held, p...)
		return len(p), nil
	}
	if s.again != nil {
		s.held = nil
		return len(p), nil
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "fhirgate-load-*")
		if err != nil {
			return 0, err
		}
		s.file = f
		if _, err := f.Write(s.held); err != nil {
			return 0, err
		}
		s.held = nil
	}
	return s.file.Write(p)
}

// discard frees what was collected; it is called where no body is made of it.
func (s *spool) discard() {
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
	}
}

// body returns what was collected. The spool must not be used afterwards.
func (s *spool) body() (*body, error) {
	switch {
	case s.file != nil:
		name := s.file.Name()
		if err := s.file.Close(); err != nil {
			return nil, err
		}
		return &body{size: s.n, temp: name, open: func() (io.ReadCloser, error) { return os.Open(name) }}, nil
	case s.n <= heldBody:
		return &body{size: s.n, held: s.held}, nil
	}
	again, start, n := s.again, s.start, s.n
	want := s.sum.Sum(nil)
	return &body{size: n, open: func() (io.ReadCloser, error) {
		r, err := again()
		if err != nil {
			return nil, err
		}
		if sk, ok := r.(io.Seeker); ok {
			_, err = sk.Seek(start, io.SeekStart)
		} else {
			_, err = io.CopyN(io.Discard, r, start)
		}
		if err != nil {
			_ = r.Close()
			return nil, err
		}
		return &unchanged{ReadCloser: r, left: n, sum: sha256.New(), want: want}, nil
	}}, nil
}

// unchanged reads some bytes of a file again. Where they are not what they were, it fails before it has given the last of them, so that a server
// does not have all of them.
type unchanged struct {
	io.ReadCloser
	left int64
	sum  hash.Hash
	want []byte
	// changed is set when it has failed for that.
	changed atomic.Bool
}

// errChanged is of a file whose content is not what it was when it was read before.
var errChanged = errors.New("the file has changed since it was read")

// Read implements io.Reader.
func (u *unchanged) Read(p []byte) (int, error) {
	switch {
	case u.changed.Load():
		return 0, errChanged
	case u.left == 0:
		return 0, io.EOF
	}
	n, err := u.ReadCloser.Read(p[:min(int64(len(p)), u.left)])
	u.sum.Write(p[:n])
	u.left -= int64(n)
	switch {
	case u.left > 0 && err == io.EOF, u.left == 0 && !bytes.Equal(u.sum.Sum(nil), u.want):
		u.changed.Store(true)
		return 0, errChanged
	case u.left == 0:
		return n, nil
	}
	return n, err
}

// limited reads from one Reader and closes another.
type limited struct {
	io.Reader
	io.Closer
}
