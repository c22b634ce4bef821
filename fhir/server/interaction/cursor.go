package interaction

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// cursorParameter is the URL parameter that carries a cursor in the links of a Bundle.
	cursorParameter = "_cursor"
	// cursorLifetime is how long the links of a page work.
	cursorLifetime = 24 * time.Hour
	// cursorKeyName names the key in the store's Meta; all gateways on one store share it.
	cursorKeyName = "cursor-key"
)

// cursor is a position in a search or history: what a link to another page carries. It is sealed: a client can neither read nor make one.
type cursor struct {
	// made is when the link was made.
	made time.Time
	// moment is that of the first page, to which all pages belong.
	moment time.Time
	// mark names the state that the first page showed; "" where the engine keeps none.
	mark storage.Mark
	// total is the first page's, -1 where it had none.
	total int64
	// back walks towards the beginning.
	back bool
	// position is the row to start behind; without a key it is the beginning, or the end where the cursor goes back.
	position search.Position
	// version and updated complete position.Key to a place in a history.
	version int64
	updated time.Time
	// query are the parameters of a search that was posted; fresh makes the cursor the search itself, which is run again, and no place in it.
	query string
	fresh bool
}

// place returns the position to start behind; nil for the beginning or end.
func (c *cursor) place() *search.Position {
	if c.position.Key == (fhir.Key{}) {
		return nil
	}
	return &c.position
}

// sealer seals cursors with AES-256-GCM. It is safe for concurrent use.
type sealer struct{ aead cipher.AEAD }

// openSealer makes the sealer of the store's key, and the key where the store has none. Two gateways that start at the same time agree on
// one key: the Update that comes second finds it.
func openSealer(ctx context.Context, store storage.Store) (*sealer, error) {
	var key []byte
	err := store.View(ctx, func(r storage.Reader) (err error) {
		key, err = r.Meta(ctx, cursorKeyName)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		fresh := make([]byte, 32)
		rand.Read(fresh) // it does not fail: the program ends where the system has no randomness
		err = store.Update(ctx, func(tx storage.Tx) error {
			if err := tx.Guard(ctx, cursorKeyName); err != nil {
				return err
			}
			found, err := tx.Meta(ctx, cursorKeyName)
			if errors.Is(err, storage.ErrNotFound) {
				key = fresh
				return tx.SetMeta(ctx, cursorKeyName, fresh)
			}
			key = found
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &sealer{aead}, nil
}

// seal returns the text of a cursor that only opens together with the same binding: what the pages are pages of.
func (s *sealer) seal(c cursor, binding string) string {
	nonce := make([]byte, s.aead.NonceSize(), 256)
	rand.Read(nonce)
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, c.append(nil), []byte(binding)))
}

// open returns the cursor of a text. One that was not sealed here, belongs to something else or is older than cursorLifetime is an error of
// KindInvalid with the issue id bad-cursor.
func (s *sealer) open(text, binding string) (cursor, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return cursor{}, errCursor("is not one of this server's, or is cut off")
	}
	n := s.aead.NonceSize()
	plain, err := s.aead.Open(nil, raw[:n], raw[n:], []byte(binding))
	if err != nil {
		return cursor{}, errCursor("is not one of this server's, or belongs to another search")
	}
	c, ok := readCursor(plain)
	if !ok {
		return cursor{}, errCursor("was made by another release")
	}
	if time.Since(c.made) > cursorLifetime {
		return cursor{}, errCursor("has expired; search again from the first page")
	}
	return c, nil
}

func errCursor(what string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueValue, fhir.IDBadCursor, "the page link's "+cursorParameter+" "+what)
}

// The first byte of a cursor's plain text tells whether it has a mark.
const (
	cursorVersion = 2
	cursorMarked  = 3
)

func (c *cursor) append(dst []byte) []byte {
	if c.mark == "" {
		dst = append(dst, cursorVersion)
	} else {
		dst = append(dst, cursorMarked)
	}
	dst = binary.AppendVarint(dst, c.made.UnixMicro())
	dst = binary.AppendVarint(dst, c.moment.UnixMicro())
	dst = binary.AppendVarint(dst, c.total)
	dst = binary.AppendVarint(dst, c.version)
	dst = binary.AppendVarint(dst, c.updated.UnixMicro())
	flag := func(set bool) {
		if set {
			dst = append(dst, 1)
		} else {
			dst = append(dst, 0)
		}
	}
	flag(c.back)
	flag(c.fresh)
	text := func(s string) {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	text(deflated(c.query))
	if c.mark != "" {
		text(string(c.mark))
	}
	text(c.position.Key.Type)
	text(c.position.Key.ID)
	for _, k := range c.position.Sort {
		flag(k.Missing)
		text(k.Value)
	}
	return dst
}

// readCursor reads what append wrote; false where it can't be that.
func readCursor(b []byte) (c cursor, ok bool) {
	if len(b) == 0 || b[0] != cursorVersion && b[0] != cursorMarked {
		return c, false
	}
	marked := b[0] == cursorMarked
	b, ok = b[1:], true
	number := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			b, ok = nil, false
			return 0
		}
		b = b[n:]
		return v
	}
	flag := func() bool {
		if len(b) == 0 {
			ok = false
			return false
		}
		f := b[0] == 1
		b = b[1:]
		return f
	}
	text := func() string {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			b, ok = nil, false
			return ""
		}
		s := string(b[size : size+int(n)])
		b = b[size+int(n):]
		return s
	}
	c.made = time.UnixMicro(number()).UTC()
	c.moment = time.UnixMicro(number()).UTC()
	c.total = number()
	c.version = number()
	c.updated = time.UnixMicro(number()).UTC()
	c.back = flag()
	c.fresh = flag()
	query, whole := inflated(text())
	c.query, ok = query, ok && whole
	if marked {
		c.mark = storage.Mark(text())
	}
	c.position.Key.Type = text()
	c.position.Key.ID = text()
	for ok && len(b) > 0 {
		missing := flag()
		c.position.Sort = append(c.position.Sort, search.SortKey{Value: text(), Missing: missing})
	}
	return c, ok
}
