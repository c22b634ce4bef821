package load

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// maxText is the greatest length of a string that decides what a document is: a type, an id, a URL.
const maxText = 4096

// document is one JSON document of a source, with what decides how it is sent.
type document struct {
	// place names the document for messages: its file, and in a sequence its line.
	place string
	// line and end are the lines on which it begins and ends.
	line, end int
	// resourceType, id and kind are the document's members resourceType, id and type.
	resourceType, id, kind string
	entries                []entry
	targets                targets
	body                   *body
	// sum is the hash of the document's bytes.
	sum [sha256.Size]byte
}

// entry is what is known of one entry of a Bundle: the resource's type, or that of the URL that its request names, and the method.
type entry struct {
	resourceType, method string
}

// next reads the next document of src; io.EOF after the last. A *syntaxError leaves the scanner where the fault is.
func (src *source) next() (*document, error) {
	s := src.scan
	c, err := s.peek()
	if err != nil {
		return nil, err
	}
	d := &document{place: src.name, line: s.line()}
	if src.sequence() {
		d.place = fmt.Sprintf("%s, line %d", src.name, d.line)
	}
	if c == '<' {
		return nil, s.fail("this is XML; only JSON can be loaded")
	}
	if c != '{' {
		return nil, s.fail("expected a JSON object")
	}
	sp := &spool{again: src.again, start: s.consumed(), sum: sha256.New()}
	s.startRecord(sp)
	if err = d.scan(s); err == nil {
		err = s.stopRecord()
	}
	if err == nil {
		d.body, err = sp.body()
	}
	if err != nil {
		s.record = nil
		sp.discard()
		return nil, err
	}
	sp.sum.Sum(d.sum[:0])
	src.documents++
	d.end = s.line()
	return d, nil
}

// scan reads past the document and takes from it what decides how it is sent.
func (d *document) scan(s *scanner) error {
	return s.object(func(name string) (err error) {
		switch name {
		case "resourceType":
			d.resourceType, err = s.text(maxText)
		case "id":
			d.id, err = s.text(maxText)
		case "type":
			d.kind, err = s.text(maxText)
		case "entry":
			if c, err := s.next(); err != nil || c != '[' {
				return s.skip()
			}
			return s.array(func() error { return d.entry(s) })
		default:
			return s.skip()
		}
		return err
	})
}

// entry reads past one entry of a Bundle.
func (d *document) entry(s *scanner) error {
	if c, err := s.next(); err != nil || c != '{' {
		return s.skip()
	}
	var fullURL, id, url, canonical string
	var e entry
	err := s.object(func(name string) (err error) {
		switch name {
		case "fullUrl":
			fullURL, err = s.text(maxText)
			fullURL = unescaped(fullURL)
			return err
		case "resource":
			return members(s, func(name string) (err error) {
				switch name {
				case "resourceType":
					e.resourceType, err = s.text(maxText)
				case "id":
					id, err = s.text(maxText)
				case "url":
					canonical, err = s.text(maxText)
					canonical = unescaped(canonical)
				default:
					err = s.skip()
				}
				return err
			})
		case "request":
			return members(s, func(name string) (err error) {
				switch name {
				case "method":
					e.method, err = s.text(maxText)
				case "url":
					url, err = s.text(maxText)
				default:
					err = s.skip()
				}
				return err
			})
		}
		return s.skip()
	})
	if err != nil {
		return err
	}
	if e.resourceType == "" {
		e.resourceType, _, _ = strings.Cut(url, "/")
		e.resourceType, _, _ = strings.Cut(e.resourceType, "?")
	}
	d.entries = append(d.entries, e)
	if d.kind != "transaction" && d.kind != "batch" {
		switch {
		case strings.HasPrefix(fullURL, "urn:"):
			d.targets.add(fullURL, e.resourceType, id)
		case isAbsolute(fullURL) && e.resourceType != "":
			d.targets.addAbsolute(fullURL, e.resourceType, id, canonical)
		}
	}
	return nil
}

// unescaped returns the characters of a JSON string that the scanner returned as it is written: some writers escape the slashes of URLs.
func unescaped(written string) string {
	if strings.IndexByte(written, '\\') < 0 {
		return written
	}
	var text string
	if json.Unmarshal([]byte(`"`+written+`"`), &text) != nil {
		return written
	}
	return text
}

// members is scanner.object for a value that should be an object, and skips any other.
func members(s *scanner, member func(name string) error) error {
	if c, err := s.next(); err != nil || c != '{' {
		return s.skip()
	}
	return s.object(member)
}

// eachEntry opens the document again and calls f with the bytes of each entry in order; f may keep them.
func (d *document) eachEntry(limit int, f func(i int, raw []byte) error) error {
	r, err := d.body.reader()
	if err != nil {
		return err
	}
	defer r.Close()
	s := newScanner(r)
	if _, err := s.peek(); err != nil {
		return err
	}
	i := 0
	return s.object(func(name string) error {
		if c, err := s.next(); err != nil || name != "entry" || c != '[' {
			return s.skip()
		}
		return s.array(func() error {
			raw, err := s.raw(nil, limit)
			if err == errTooLong {
				return fmt.Errorf("Bundle.entry[%d]: %w", i, err)
			}
			if err != nil {
				return err
			}
			i++
			return f(i-1, raw)
		})
	})
}

// more reports whether another document follows in the source.
func (src *source) more() bool {
	_, err := src.scan.peek()
	return err != io.EOF
}
