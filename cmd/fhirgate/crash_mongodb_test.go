package main

import (
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

var mongodbRounds = flag.Int("crash.mongodb.rounds", 5, "how often the crash tests on MongoDB kill the server, and MongoDB's primary")

func mongodbSeed(t *testing.T) (seed uint64, rounds int) {
	seed = *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	rounds = *mongodbRounds
	if testing.Short() {
		rounds = min(rounds, 1)
	}
	t.Logf("go test ./cmd/fhirgate -run '^%s$' -crash.seed=%d -crash.mongodb.rounds=%d", t.Name(), seed, rounds)
	return seed, rounds
}

// TestCrashOnMongoDB is TestCrash with the data in MongoDB: the gateway is killed.
func TestCrashOnMongoDB(t *testing.T) {
	uri := mongotest.URIOfKilled(t)
	seed, rounds := mongodbSeed(t)
	crash(t, seed, rounds, func() { mongotest.AwaitDisconnected(t, uri, "fhirgate") }, "", inMongoDB(uri)...)
}

// TestCrashOfMongoDBsPrimary kills the primary of a set of three under mixed writes, and holds what the same gateway then answers against what
// it had acknowledged.
func TestCrashOfMongoDBsPrimary(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute; runs without -short")
	}
	c := mongotest.Start(t, 3)
	seed, rounds := mongodbSeed(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	p := startServer(t, "", "--mongodb", c.URI("fhir"))
	// A machine that stands still for seconds makes the set elect by itself, at any time.
	l := &ledger{stored: make(map[string][]string), elects: true}
	for round := range rounds {
		l.begin(round)
		var workers sync.WaitGroup
		for w := range crashWorkers {
			cw := &crashWorker{ledger: l, base: p.base, number: w, rng: rand.New(rand.NewPCG(seed, uint64(round*crashWorkers+w+2)))}
			workers.Go(func() { cw.run(t.Context(), t) })
		}
		l.await(rng.IntN(500), time.Now().Add(2*time.Second))
		l.killing()
		lost := c.Elected(t)
		c.Kill(lost)
		if err := c.AwaitPrimary(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond) // writes go on
		// Requests end by themselves: what one that is cut off had sent to the database could still be stored while it is verified.
		l.end()
		workers.Wait()
		if err := c.Restart(lost); err != nil {
			t.Fatal(err)
		}
		awaitReadyz(t, p)
		l.verify(t, p)
		if t.Failed() {
			t.Fatalf("after round %d", round)
		}
	}
	l.verifyAll(t, p)
	t.Logf("%d rounds, %d writes acknowledged, %d requests cut off of which %d had been stored", rounds, l.total, l.cut, l.kept)
}
