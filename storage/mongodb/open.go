package mongodb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
	"golang.org/x/sync/semaphore"

	"github.com/fhirgate/fhirgate/storage"
)

// Options set how the engine reaches MongoDB.
type Options struct {
	// URI is a connection string; its path names the database, "fhir" where it has none.
	URI string
	// MaxPool is the greatest number of connections a server; 0 means 100. It is overridden by maxPoolSize in the URI.
	MaxPool uint64
	// Timeout bounds how long one operation waits for a server that can take it, for a connection to one and for its signs of life; 0 means 5 s.
	// It is overridden by serverSelectionTimeoutMS and connectTimeoutMS in the URI. A server that stands still is given up after heartbeatFrequencyMS
	// (5 s) and connectTimeoutMS: what it was asked then fails, or is asked of another.
	Timeout time.Duration
	// Logger gets a line for each state of the connection; nil discards them.
	Logger *slog.Logger
}

// defaultDatabase is the database where the URI names none.
const defaultDatabase = "fhir"

// application is the name of this program to the server, where the URI has no appName.
const application = "fhirgate"

// heartbeat is how often a server is looked at that says nothing by itself.
const heartbeat = 5 * time.Second

// minVersion is the oldest major version of the server that has what the engine needs.
const minVersion = 6

// Store is the engine. It implements storage.Store.
type Store struct {
	client *mongo.Client
	db     *mongo.Database
	// tls and certified tell whether the connection string asks for TLS, and names a certificate of the client.
	tls, certified bool
	log            *slog.Logger
	// app is the name that the server knows this program by.
	app string

	// last is the greatest instant given out or read, pinned the last moment, in microseconds; commits hold gate. See clock.go.
	last, pinned atomic.Int64
	wall         func() time.Time // the clock of this machine
	gate         sync.RWMutex
	turns        *semaphore.Weighted // of pins and of the Updates that go ahead of them
	// missing is how long after began it was that no server answered in time; 0 for never.
	missing atomic.Int64
	began   time.Time
	// timeout is how long one operation waits for a server.
	timeout time.Duration

	ready  atomic.Pointer[readiness]
	opened chan struct{} // closed when the server has been reached and accepted, and the collections are there
	// answered is closed when the server has been reached and accepted.
	answered chan struct{}
	run      context.Context
	cancel   context.CancelFunc
	work     sync.WaitGroup
	closed   atomic.Bool
	// importing is set while collections lack their indexes because of an import.
	importing atomic.Bool

	// filling is held by the Update that is tried again because it found the server's cache full.
	filling chan struct{}

	collections collections
	frequencies frequencies
	spills      spills
	limits      limits
}

// readiness is what Ready returns; a nil err is ready. A fatal err will not heal by itself.
type readiness struct {
	err   error
	fatal bool
}

var _ storage.Store = (*Store)(nil)

var (
	errConnecting = errors.New("mongodb: connecting")
	errClosed     = errors.New("mongodb: the store is closed")
)

// Open connects to MongoDB. It returns an error at once for a connection string that can't be used, and within a few seconds for a server
// that answers but can't serve: wrong credentials, a standalone server, a version before 6.0. A server that does not respond is not an error:
// the Store is returned, Ready says what it waits for, and it goes on trying.
func Open(ctx context.Context, opt Options) (*Store, error) { return open(ctx, opt, options.Client()) }

// open is Open with further options of the driver.
func open(ctx context.Context, opt Options, with *options.ClientOptions) (*Store, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.MaxPool == 0 {
		opt.MaxPool = 100
	}
	if opt.Timeout == 0 {
		opt.Timeout = 5 * time.Second
	}
	cs, err := readURI(opt.URI)
	if err != nil {
		return nil, err
	}
	name := cs.Database
	if name == "" {
		name = defaultDatabase
	}
	client, err := mongo.Connect(with.
		SetMaxPoolSize(opt.MaxPool).
		SetServerSelectionTimeout(opt.Timeout).
		SetConnectTimeout(opt.Timeout).
		SetHeartbeatInterval(heartbeat).
		SetAppName(application).
		ApplyURI(opt.URI).
		// What the contract promises needs these, whatever the URI says.
		SetReadConcern(readconcern.Majority()).
		SetWriteConcern(writeconcern.Majority()).
		SetReadPreference(readpref.Primary()).
		SetRetryWrites(true).
		SetRetryReads(true))
	if err != nil {
		return nil, fmt.Errorf("mongodb: %s", redact(err.Error(), opt.URI))
	}
	run, cancel := context.WithCancel(context.Background())
	s := &Store{client: client, db: client.Database(name), log: opt.Logger, opened: make(chan struct{}), filling: make(chan struct{}, 1), answered: make(chan struct{}), run: run, cancel: cancel, limits: theLimits, began: time.Now(), wall: time.Now, turns: semaphore.NewWeighted(pins), app: cmp.Or(cs.AppName, application), timeout: cmp.Or(cs.ServerSelectionTimeout, opt.Timeout), tls: cs.SSL, certified: cs.SSLClientCertificateKeyFileSet || cs.SSLCertificateFileSet}
	s.ready.Store(&readiness{err: errConnecting})
	begun := time.Now()
	s.work.Add(1)
	go s.connect(run, opt.URI)
	wait := time.NewTimer(opt.Timeout)
	defer wait.Stop()
	for waiting := true; waiting; {
		select {
		case <-s.opened:
			waiting = false
		case <-wait.C:
			select {
			case <-s.answered: // and makes collections, which a busy server takes its time for
				wait.Reset(time.Second)
				waiting = time.Since(begun) < collectionsFor
			default:
				waiting = false
			}
		case <-ctx.Done():
			s.Close()
			return nil, ctx.Err()
		}
	}
	if r := s.ready.Load(); r.fatal {
		s.Close()
		return nil, r.err
	}
	return s, nil
}

// collectionsFor is how long Open waits for a server that has answered.
const collectionsFor = time.Minute

// connect reaches the server, checks that it can serve, and then opens the collections; it goes on trying until run ends or the fault is
// one that will not heal.
func (s *Store) connect(run context.Context, uri string) {
	defer s.work.Done()
	var once, accepted sync.Once
	done := func() { once.Do(func() { close(s.opened) }) }
	defer done()
	wait := 250 * time.Millisecond
	for {
		err := s.check(run, uri)
		if err == nil {
			accepted.Do(func() { close(s.answered) })
			if err = s.collections.list(run, s); err == nil {
				err = s.catchUp(run)
			}
		}
		if run.Err() != nil {
			return
		}
		if err == nil {
			break
		}
		fatal := errors.As(err, new(*unfitError))
		err = errors.New(redact(err.Error(), uri))
		s.ready.Store(&readiness{err: err, fatal: fatal})
		if fatal {
			s.log.Error("MongoDB can't be used", "reason", err.Error())
			return
		}
		s.log.Warn("MongoDB can't be reached; trying again", "reason", err.Error(), "wait", wait)
		select {
		case <-run.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
	s.ready.Store(&readiness{})
	s.log.Info("MongoDB is connected", "database", s.db.Name())
	done()
	s.collections.build(run, s)
}

// unfitError is a fault of the server that waiting does not heal.
type unfitError struct{ text string }

func (e *unfitError) Error() string { return "mongodb: " + e.text }

// check asks the server what it is.
func (s *Store) check(ctx context.Context, uri string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	admin := s.client.Database("admin")
	var hello hello
	if err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		if code(err, 18) || strings.Contains(err.Error(), "auth error") {
			return &unfitError{"the server refused the user name or password"}
		}
		return s.noAnswer(ctx, err, uri)
	}
	if err := hello.fit(); err != nil {
		return err
	}
	var build struct {
		Version      string  `bson:"version"`
		VersionArray []int32 `bson:"versionArray"`
	}
	if err := admin.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&build); err != nil {
		return fmt.Errorf("mongodb: %w", err)
	}
	if len(build.VersionArray) > 0 && build.VersionArray[0] < minVersion {
		return &unfitError{fmt.Sprintf("the server is version %s; %d.0 or later is needed", build.Version, minVersion)}
	}
	if err := s.db.RunCommand(ctx, bson.D{{Key: "listCollections", Value: 1}, {Key: "nameOnly", Value: true}, {Key: "cursor", Value: bson.D{{Key: "batchSize", Value: 1}}}}).Err(); err != nil {
		if code(err, 13) || code(err, 18) {
			return &unfitError{"the user may not read the database " + s.db.Name()}
		}
		return fmt.Errorf("mongodb: %w", err)
	}
	return nil
}

// hello is what a server says of itself: a member of a set its name, a router of a sharded cluster "isdbgrid".
type hello struct {
	SetName string `bson:"setName"`
	Msg     string `bson:"msg"`
}

// fit returns nil for a server that has transactions.
func (h hello) fit() error {
	if h.SetName != "" || h.Msg == "isdbgrid" {
		return nil
	}
	return &unfitError{"the server is a standalone one, which has no transactions; make it a replica set of one: " +
		"restart it with `mongod --replSet rs0 ...`, then run `mongosh --eval 'rs.initiate()'`"}
}

// noAnswer makes one line of the topology that a failed selection of a server describes.
func (s *Store) noAnswer(ctx context.Context, err error, uri string) error {
	var selection topology.ServerSelectionError
	if !errors.As(err, &selection) {
		return fmt.Errorf("mongodb: no server answers: %w", err)
	}
	var why []string
	for _, server := range selection.Desc.Servers {
		what := "no primary"
		if server.Kind == description.ServerKindRSGhost {
			what = uninitiated(string(server.Addr))
		}
		if server.LastError != nil {
			what = strings.Join(strings.Fields(server.LastError.Error()), " ") + s.advice(server.LastError)
		}
		why = append(why, string(server.Addr)+" ("+what+")")
	}
	if len(why) == 0 {
		why = []string{noMember(ctx, uri)}
	}
	return fmt.Errorf("mongodb: no server answers: %s", strings.Join(why, ", "))
}

// uninitiated says what a member of a set waits for that has no configuration.
func uninitiated(addr string) string {
	return "its replica set was never initiated, or it is starting: run `mongosh --host " + addr + " --eval 'rs.initiate()'` once"
}

// advice says what may be wrong where a server ended the connection in the middle of the handshake, which it does without a word.
func (s *Store) advice(err error) string {
	text := err.Error()
	ended := strings.Contains(text, "EOF") || strings.Contains(text, "reset by peer") || strings.Contains(text, "broken pipe") || strings.Contains(text, "certificate required")
	switch {
	case ended && !s.tls:
		return "; it may want TLS: tls=true in the connection string"
	case ended && !s.certified:
		return "; it may want a client certificate: tlsCertificateKeyFile=FILE in the connection string"
	case strings.Contains(text, "x509: certificate signed by unknown authority"):
		return "; tlsCAFile=FILE in the connection string names the authority that signed it"
	}
	return ""
}

// Ready implements storage.Store: an error while the server can't be reached or refuses to serve. Indexes under construction are reported
// by Building and do not make the store unready.
func (s *Store) Ready(ctx context.Context) error {
	if s.closed.Load() {
		return errClosed
	}
	if r := s.ready.Load(); r.err != nil {
		return r.err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return wrap("ping", s.client.Ping(ctx, readpref.Primary()))
}

// serving is usable for calls that end an import.
func (s *Store) serving(ctx context.Context) error {
	if err := s.usable(); err != nil || !s.importing.Load() {
		return err
	}
	return s.finishImport(ctx)
}

// usable returns nil where calls may go to the server.
func (s *Store) usable() error {
	if s.closed.Load() {
		return errClosed
	}
	if r := s.ready.Load(); r.err != nil {
		return unavailable("open", r.err)
	}
	return nil
}

// Close implements storage.Store.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return errClosed
	}
	s.cancel()
	s.work.Wait()
	var err error
	if s.importing.Load() {
		err = s.finishImport(context.Background())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(err, s.client.Disconnect(ctx))
}
