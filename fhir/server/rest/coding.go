package rest

import (
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// coding is a content coding (RFC 9110 section 8.4.1) in which bodies are read and responses are written.
type coding struct {
	names  []string // in Content-Encoding and Accept-Encoding; the first is the one that responses state
	header []string
	// packers are writers for reuse.
	packers sync.Pool
	// unpack calls read with what packed holds. An error before read is called says that packed is not in the coding.
	unpack func(packed io.Reader, read func(io.Reader) error) error
}

// packer writes a body in a coding.
type packer interface {
	io.WriteCloser
	Reset(io.Writer)
}

// pooled is a packer with what it writes to, so that it can let go of a response without being made ready for the next one, which costs as much as
// packing some kilobytes.
type pooled struct {
	packer
	to forward
}

// forward writes to what is set at the moment.
type forward struct{ w io.Writer }

// Write implements io.Writer.
func (f *forward) Write(b []byte) (int, error) { return f.w.Write(b) }

// maxWindow is the memory that a body in zstd may ask for, as RFC 9659 has it for this coding.
const maxWindow = 8 << 20

// codings are the content codings that are served. Where a client prefers several equally, the first of these is used.
var codings = [...]*coding{zstdCoding(), gzipCoding()}

// gzipCoding is gzip (RFC 1952).
func gzipCoding() *coding {
	c := &coding{names: []string{"gzip", "x-gzip"}, header: []string{"gzip"}}
	c.packers.New = func() any {
		w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		if err != nil {
			panic(err) // the level is a constant
		}
		return &pooled{packer: w}
	}
	unpackers := sync.Pool{New: func() any { return new(gzip.Reader) }}
	c.unpack = func(packed io.Reader, read func(io.Reader) error) error {
		z := unpackers.Get().(*gzip.Reader)
		defer unpackers.Put(z)
		if err := z.Reset(packed); err != nil {
			return errBody(err, "the body is not in the gzip format")
		}
		return read(z)
	}
	return c
}

// zstdCoding is Zstandard (RFC 8878, RFC 9659).
func zstdCoding() *coding {
	c := &coding{names: []string{"zstd"}, header: []string{"zstd"}}
	c.packers.New = func() any {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		if err != nil {
			panic(err) // the options are constants
		}
		return &pooled{packer: w}
	}
	unpackers := sync.Pool{New: func() any {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			panic(err) // the options are constants
		}
		return z
	}}
	c.unpack = func(packed io.Reader, read func(io.Reader) error) error {
		z := unpackers.Get().(*zstd.Decoder)
		defer unpackers.Put(z)
		defer z.Reset(nil) // it lets go of the body; without one there is no error
		if err := z.Reset(packed); err != nil {
			return errBody(err, "the body is not in the zstd format")
		}
		return read(windowed{z})
	}
	return c
}

// windowed reads a body in zstd. It tells a client whose frame asks for more memory than maxWindow what the limit is.
type windowed struct{ z io.Reader }

// Read implements io.Reader.
func (w windowed) Read(p []byte) (int, error) {
	n, err := w.z.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) {
		err = errBody(err, "a body in zstd may have a window of 8 MB at most; pack it with a smaller one")
	}
	return n, err
}

// codingNamed returns the coding of a Content-Encoding in lower case; nil for one that is not served.
func codingNamed(name string) *coding {
	for _, c := range codings {
		for _, n := range c.names {
			if n == name {
				return c
			}
		}
	}
	return nil
}

// quality returns what Accept-Encoding says of the coding (RFC 9110 section 12.5.3), in thousandths; 0 where it is not accepted.
func (c *coding) quality(header []string) int {
	star := 0
	for _, line := range header {
		for line != "" {
			var item string
			item, line = cut(line, ',')
			m := parseMediaType(item)
			if m.name == "*" {
				star = m.q
			}
			for _, n := range c.names {
				if m.name == n {
					return m.q
				}
			}
		}
	}
	return star
}

// coding returns the coding for a response of size bytes, which may be negative where it is not known; nil where it is written as it is.
func (x *exchange) coding(size int) (best *coding) {
	if above := x.h.cfg.CompressAbove; above < 0 || size >= 0 && size < above {
		return nil
	}
	header := x.r.Header["Accept-Encoding"]
	if len(header) == 0 {
		return nil
	}
	most := 0
	for _, c := range codings {
		if q := c.quality(header); q > most {
			best, most = c, q
		}
	}
	return best
}

// packed calls write with a writer that packs in the coding, into w, what is written. A packer whose write failed is not used again: it may still
// be read by what sends it.
func (c *coding) packed(w io.Writer, write func(io.Writer) error) error {
	z := c.packers.Get().(*pooled)
	z.to.w = w
	z.Reset(&z.to)
	if err := write(z.packer); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	z.to.w = nil
	c.packers.Put(z)
	return nil
}
