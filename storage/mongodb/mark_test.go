package mongodb_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
	"github.com/fhirgate/fhirgate/storage/storagetest"
)

// shown is what tests of marks read of a view.
type shown struct {
	Moment  time.Time
	Rows    []search.Row
	Count   int64
	Current storage.Record
	History []storage.Record
}

// show reads r. Basic/b is read by its key.
func show(t *testing.T, r storage.Reader) (out shown, err error) {
	t.Helper()
	q := search.Query{Types: []string{"Basic"}, Where: eq("code", "", "x")}
	out.Moment = r.Moment()
	if out.Rows, err = r.Find(t.Context(), q); err != nil {
		return out, err
	}
	if out.Count, err = r.Count(t.Context(), q); err != nil {
		return out, err
	}
	if out.Current, err = r.Get(t.Context(), fhir.Key{Type: "Basic", ID: "b"}); err != nil {
		return out, err
	}
	out.History, err = r.History(t.Context(), storage.HistoryQuery{Types: q.Types})
	return out, err
}

// marked returns what s shows, and the mark of it.
func marked(t *testing.T, s storage.Store) (out shown, mark storage.Mark) {
	t.Helper()
	if err := s.View(t.Context(), func(r storage.Reader) (err error) {
		out, err = show(t, r)
		mark = r.Mark()
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out, mark
}

func TestStateOfAMarkIsShownAgain(t *testing.T) {
	uri := mongotest.URI(t)
	stores := []storage.Store{storagetest.Checked(openURI(t, uri)), storagetest.Checked(openURI(t, uri))}
	ctx := t.Context()
	for _, id := range []string{"a", "b", "c"} {
		if err := put(ctx, stores[0], id, 0, search.Entry{Param: "code", Code: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	// An update through the first store gets its instant before the second makes a view, and is committed after it.
	var want shown
	var mark storage.Mark
	if err := stores[0].Update(ctx, func(tx storage.Tx) error {
		if m := tx.Mark(); m != "" {
			t.Errorf("a Tx has the mark %q", m)
		}
		if err := putIn(ctx, tx, "b", 1, search.Entry{Param: "code", Code: "y"}); err != nil {
			return err
		}
		want, mark = marked(t, stores[1])
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(want.Rows) != 3 || want.Count != 3 || want.Current.Version != 1 || len(want.History) != 3 {
		t.Fatalf("the view shows %+v", want)
	}
	if mark == "" || len(mark) > 16 {
		t.Fatalf("the mark is %q", mark)
	}
	if err := put(ctx, stores[1], "d", 0, search.Entry{Param: "code", Code: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := stores[1].Update(ctx, func(tx storage.Tx) error {
		return tx.Put(ctx, storage.Record{Key: fhir.Key{Type: "Basic", ID: "c"}, Version: 2, Updated: tx.Now(), Method: "DELETE", Deleted: true}, 1)
	}); err != nil {
		t.Fatal(err)
	}
	if latest, other := marked(t, stores[0]); latest.Count != 2 || latest.Current.Version != 2 || other == mark {
		t.Errorf("afterwards a view shows %+v, mark %q", latest, other)
	}
	for i, s := range append(stores, storagetest.Checked(openURI(t, uri))) {
		if err := s.ViewAt(ctx, mark, func(r storage.Reader) error {
			got, err := show(t, r)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("store %d shows another state (-before +again):\n%s", i, d)
			}
			if m := r.Mark(); m != mark {
				t.Errorf("store %d names the state %q, it was %q", i, m, mark)
			}
			return err
		}); err != nil {
			t.Errorf("store %d: %v", i, err)
		}
	}
}

func TestMarksThatWereMadeUp(t *testing.T) {
	s := open(t)
	if err := put(t.Context(), s, "b", 0, search.Entry{Param: "code", Code: "x"}); err != nil {
		t.Fatal(err)
	}
	_, mark := marked(t, s)
	_, n := binary.Uvarint([]byte(mark[4:])) // the increment
	for what, forged := range map[string]storage.Mark{
		"none":            "",
		"short":           mark[:3],
		"cut off":         mark[:len(mark)-1],
		"longer":          mark + "x",
		"text":            "not a mark at all",
		"of no time":      "\x00\x00\x00\x00" + mark[4:],
		"of the past":     "\x00\x00\x00\x01" + mark[4:],
		"of the future":   "\xff\xff\xff\xff" + mark[4:],
		"of no increment": mark[:4] + "\x00" + mark[4+n:],
		"an overflow":     mark[:4] + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	} {
		if err := s.ViewAt(t.Context(), forged, func(r storage.Reader) error {
			_, err := show(t, r)
			return err
		}); !errors.Is(err, storage.ErrForgotten) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestStateThatIsNotKeptIsForgotten(t *testing.T) {
	c := mongotest.Start(t, 1)
	s := openURI(t, c.URI("fhir"))
	if err := put(t.Context(), s, "b", 0, search.Entry{Param: "code", Code: "x"}); err != nil {
		t.Fatal(err)
	}
	_, mark := marked(t, s)
	// Not before: the server writes by itself, too, and would forget the state while it is read for the first time.
	if err := c.SetParameter("minSnapshotHistoryWindowInSeconds", 0); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(patience)
	for i := 0; ; i++ {
		if err := put(t.Context(), s, fmt.Sprint("more", i), 0); err != nil {
			t.Fatal(err)
		}
		err := s.ViewAt(t.Context(), mark, func(r storage.Reader) error {
			_, err := show(t, r)
			return err
		})
		if errors.Is(err, storage.ErrForgotten) {
			return
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("the state is not forgotten: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// FuzzMark opens marks of any bytes, which a client that had forged a seal could send.
func FuzzMark(f *testing.F) {
	f.Add("")
	f.Add("\x69\x00\x00\x01\x02\x04")
	f.Add("\x69\x00\x00\x01\xff\xff\xff\xff\x0f\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")
	f.Fuzz(func(t *testing.T, text string) {
		if again, ok := mongodb.MarkAgain(storage.Mark(text)); ok && string(again) != text {
			t.Errorf("%q becomes %q", text, again)
		}
	})
}
