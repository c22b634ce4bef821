package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/mongodb"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

func put(ctx context.Context, s storage.Store, id string, expect int64, entries ...search.Entry) error {
	return s.Update(ctx, func(tx storage.Tx) error { return putIn(ctx, tx, id, expect, entries...) })
}

func putIn(ctx context.Context, tx storage.Tx, id string, expect int64, entries ...search.Entry) error {
	k := fhir.Key{Type: "Basic", ID: id}
	return tx.Put(ctx, storage.Record{Key: k, Version: expect + 1, Updated: tx.Now(), Method: "PUT", Entries: entries,
		Body: fmt.Appendf(nil, `{"resourceType":"Basic","id":%q,"meta":{"versionId":"%d"}}`, id, expect+1)}, expect)
}

// Writers store pairs of resources, each in one Update, while the primary of a set of three is lost: what was acknowledged is there, no pair is
// half, and writers see unavailable at most.
func TestPrimaryIsLostUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute; runs without -short")
	}
	c := mongotest.Start(t, 3)
	s := openURI(t, c.URI("fhir")+"&serverSelectionTimeoutMS=1000") // less than an election takes
	// A machine that stands still for seconds makes the set elect by itself, at any time.
	served := func(f func() error) error {
		for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
			if err := f(); fhir.KindOf(err) != fhir.KindUnavailable || time.Now().After(end) {
				return err
			}
		}
	}
	if err := served(func() error { return put(t.Context(), s, "first", 0) }); err != nil && !errors.Is(err, storage.ErrConflict) {
		t.Fatal(err)
	}
	lose := map[string]func(i int){
		"killed": func(i int) { c.Kill(i) },
		"stepped down": func(i int) {
			if err := c.StepDown(i, 5); err != nil {
				t.Logf("step down: %v", err)
			}
		},
	}
	for name, f := range lose {
		t.Run(name, func(t *testing.T) {
			var acknowledged sync.Map // id -> version
			var n, refused atomic.Int64
			stop := make(chan struct{})
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						default:
						}
						id := fmt.Sprintf("%s-%d-%d", strings.ReplaceAll(name, " ", "-"), w, i)
						ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
						err := s.Update(ctx, func(tx storage.Tx) error {
							for _, half := range []string{"a", "b"} {
								if err := putIn(ctx, tx, id+half, 0); err != nil {
									return err
								}
							}
							return nil
						})
						cancel()
						switch {
						case err == nil:
							acknowledged.Store(id, true)
							n.Add(1)
						case fhir.KindOf(err) == fhir.KindUnavailable:
							refused.Add(1)
							time.Sleep(100 * time.Millisecond)
						default:
							t.Errorf("an error that is no 503: %v", err)
							return
						}
					}
				}()
			}
			time.Sleep(time.Second)
			primary := c.Elected(t)
			f(primary)
			before := n.Load()
			if err := c.AwaitPrimary(); err != nil {
				t.Error(err)
			}
			for end := time.Now().Add(patience); n.Load() < before+20 && time.Now().Before(end); {
				time.Sleep(50 * time.Millisecond)
			}
			close(stop)
			wg.Wait()
			if n.Load() < before+20 {
				t.Fatalf("the store did not recover: %d writes before, %d after", before, n.Load()-before)
			}
			t.Logf("%d acknowledged (%d before), %d answered with unavailable", n.Load(), before, refused.Load())
			if err := served(func() error {
				return s.View(t.Context(), func(r storage.Reader) error {
					var err error
					acknowledged.Range(func(id, _ any) bool {
						for _, half := range []string{"a", "b"} {
							if _, err = r.Get(t.Context(), fhir.Key{Type: "Basic", ID: id.(string) + half}); err != nil {
								err = fmt.Errorf("acknowledged %s%s: %w", id, half, err)
								return false
							}
						}
						return true
					})
					if err != nil {
						return err
					}
					rows, err := r.Find(t.Context(), search.Query{Types: []string{"Basic"}})
					if err != nil {
						return err
					}
					halves := map[string]int{}
					for _, row := range rows {
						if row.Key.ID != "first" {
							halves[row.Key.ID[:len(row.Key.ID)-1]]++
						}
					}
					for id, n := range halves {
						if n != 2 {
							t.Errorf("half of the transaction %s is stored", id)
						}
					}
					return nil
				})
			}); err != nil {
				t.Error(err)
			}
			if name == "killed" {
				if err := c.Restart(primary); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestServerThatAppearsLater(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	uri := "mongodb://someone:s3cret@" + addr + "/fhir?replicaSet=rs0&serverSelectionTimeoutMS=300"
	s, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer s.Close()
	time.Sleep(700 * time.Millisecond)
	if err := s.Ready(t.Context()); err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") {
		t.Errorf("Ready: %v", err)
	}
	for what, err := range map[string]error{
		"Update": put(t.Context(), s, "a", 0),
		"View":   s.View(t.Context(), func(storage.Reader) error { return nil }),
	} {
		if fhir.KindOf(err) != fhir.KindUnavailable {
			t.Errorf("%s: %v, want unavailable", what, err)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s tells the password", what)
		}
	}
}

func TestStoreRecoversWhenTheOnlyMemberComesBack(t *testing.T) {
	c := mongotest.Start(t, 1)
	c.Kill(0)
	s, err := mongodb.Open(t.Context(), mongodb.Options{URI: c.URI("fhir") + "&serverSelectionTimeoutMS=500", Timeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Ready(t.Context()); err == nil {
		t.Error("ready without a server")
	}
	if err := c.Restart(0); err != nil {
		t.Fatal(err)
	}
	c.Elected(t)
	for end := time.Now().Add(patience); s.Ready(t.Context()) != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not ready: %v", s.Ready(t.Context()))
		}
	}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := put(t.Context(), s, "a", 0)
		if err == nil {
			break
		}
		if fhir.KindOf(err) != fhir.KindUnavailable || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func TestStandaloneIsRefusedWithTheCommands(t *testing.T) {
	_, err := mongodb.Open(t.Context(), mongodb.Options{URI: mongotest.Standalone(t), Timeout: patience})
	if err == nil {
		t.Fatal("a standalone server is accepted")
	}
	for _, want := range []string{"--replSet rs0", "rs.initiate()"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestConnectionStringsThatCannotBeUsed(t *testing.T) {
	for _, uri := range []string{"", "http://a:s3cret@b", "mongodb://a:s3cret@", "mongodb://a:s3cret@b/?replicaSet", "mongodb://a:s3cret@b/?tls=maybe",
		"mongodb://a:s3cret@b/?tlsCAFile=/nonexistent", "mongodb://a:s3cret@b:port/"} {
		s, err := mongodb.Open(t.Context(), mongodb.Options{URI: uri, Timeout: 200 * time.Millisecond})
		if err == nil {
			s.Close()
			t.Errorf("%q is accepted", uri)
		} else if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q", err)
		}
	}
}

func TestASearchValueLargerThanADocumentIsTooLarge(t *testing.T) {
	s := open(t)
	value := strings.Repeat("x", 17<<20)
	if err := put(t.Context(), s, "a", 0, str("name", value)); fhir.KindOf(err) != fhir.KindTooLarge {
		t.Errorf("%v", err)
	}
}

func TestUpdateThatOutlivesATransaction(t *testing.T) {
	c := mongotest.Start(t, 1)
	if err := c.SetParameter("transactionLifetimeLimitSeconds", 1); err != nil {
		t.Fatal(err)
	}
	s := openURI(t, c.URI("fhir"))
	err := s.Update(t.Context(), func(tx storage.Tx) error {
		if err := tx.Guard(t.Context(), "g"); err != nil {
			return err
		}
		if err := putIn(t.Context(), tx, "a", 0); err != nil {
			return err
		}
		time.Sleep(4 * time.Second) // longer than an election is taken to last
		c.AwaitNoTransaction(t)
		return nil
	})
	if fhir.KindOf(err) != fhir.KindTooLarge || !strings.Contains(err.Error(), "nothing of it is stored") {
		t.Errorf("Update: %v", err)
	}
	if err := s.View(t.Context(), func(r storage.Reader) error {
		if _, err := r.Get(t.Context(), fhir.Key{Type: "Basic", ID: "a"}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Get: %v", err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestWrongCredentialsAreOneLineWithoutThePassword(t *testing.T) {
	c := mongotest.StartSecured(t, "gate", "right")
	with := func(user string) string {
		return strings.Replace(c.URI("fhir"), "mongodb://", "mongodb://"+user+"@", 1) + "&authSource=admin"
	}
	_, err := mongodb.Open(t.Context(), mongodb.Options{URI: with("gate:s3cret"), Timeout: patience})
	if err == nil || !strings.Contains(err.Error(), "refused the user name or password") || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := mongodb.Open(t.Context(), mongodb.Options{URI: c.URI("fhir"), Timeout: patience}); err == nil || !strings.Contains(err.Error(), "may not read") {
		t.Errorf("no user: %v", err)
	}
	s := openURI(t, with("gate:right"))
	if err := put(t.Context(), s, "a", 0); err != nil {
		t.Error(err)
	}
}

func TestViewThatOutlivesItsSnapshotIsUnavailable(t *testing.T) {
	c := mongotest.Start(t, 1)
	if err := c.SetParameter("minSnapshotHistoryWindowInSeconds", 0); err != nil {
		t.Fatal(err)
	}
	s := openURI(t, c.URI("fhir"))
	if err := put(t.Context(), s, "a", 0); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(patience)
	err := s.View(t.Context(), func(r storage.Reader) error {
		for i := 0; time.Now().Before(end); i++ {
			if _, err := r.Get(t.Context(), fhir.Key{Type: "Basic", ID: "a"}); err != nil {
				return err
			}
			if err := put(t.Context(), s, fmt.Sprint("b", i), 0); err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	})
	if fhir.KindOf(err) != fhir.KindUnavailable {
		t.Errorf("%v", err)
	}
}
