package mongodb

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/fhirgate/fhirgate/fhir"
)

// supersededSuffix marks the collection of superseded versions: Observation_history beside Observation.
const supersededSuffix = "_history"

// current returns the collection of current versions of a resource type.
func (s *Store) current(typ string) *mongo.Collection { return s.db.Collection(typ) }

// superseded returns the collection of superseded versions of a resource type.
func (s *Store) superseded(typ string) *mongo.Collection {
	return s.db.Collection(typ + supersededSuffix)
}

// collections knows which resource types have their collections and indexes. A type's are made before its first resource is put, outside of
// the transaction; those found at start get missing indexes in the background.
type collections struct {
	mu     sync.Mutex
	known  map[string]*collection
	making map[string]*sync.Mutex
	// begun are the types whose collections are being made.
	begun  map[string]bool
	listed time.Time // when known was last read from the server
	// further are the types whose further documents this process has made the collection of.
	further map[string]bool
	// bare are the types whose collections an import made, without indexes; finishing is held while those are made.
	bare      map[string]bool
	finishing sync.Mutex
}

// collection is what is known of one resource type.
type collection struct {
	// made is when this process made the collections; zero where they were there.
	made time.Time
	// orders are the names of the indexes that order by a parameter: read without the lock, so replaced and never changed; wanted are those
	// that are being made.
	orders, wanted map[string]bool
	// building is set while the indexes that every type has are under construction.
	building bool
}

// listAge is how old the list of types may be that histories and counts of the whole system go by: another gateway may have made one.
const listAge = time.Second

// maxOrders bounds the indexes of a type that are made because an order was asked for; MongoDB has 64 at most.
const maxOrders = 32

// list reads which types have collections.
func (c *collections) list(ctx context.Context, s *Store) error {
	at := time.Now()
	names, err := s.db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		return err
	}
	for _, name := range []string{metaCollection, spilledCollection} {
		if slices.Contains(names, name) {
			continue
		}
		if err := s.db.CreateCollection(ctx, name); err != nil && !code(err, codeNamespaceExists) {
			return err
		}
	}
	if _, _, err := s.spills.current(ctx, s, 0); err != nil {
		return err
	}
	if !slices.Contains(names, guardCollection) {
		if err := s.makeGuards(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known, c.making, c.begun = map[string]*collection{}, map[string]*sync.Mutex{}, map[string]bool{}
	}
	c.listed = at
	for _, n := range names {
		if fhir.ValidTypeName(n) && c.known[n] == nil && slices.Contains(names, n+supersededSuffix) {
			c.known[n] = &collection{orders: fixedOrders(n), wanted: map[string]bool{}, building: true}
		}
	}
	return nil
}

// fixedOrders are the orders that every collection of a type has.
func fixedOrders(typ string) map[string]bool {
	out := map[string]bool{indexOrder(lastUpdated): true}
	for _, last := range pairLasts(typ) {
		out[indexOrder(last)] = true
	}
	return out
}

// build makes the missing indexes of the collections that were found, one type after the other.
func (c *collections) build(ctx context.Context, s *Store) {
	for _, typ := range c.underConstruction() {
		wait := time.Second
		for {
			err := makeIndexes(ctx, s, typ)
			if err == nil {
				err = c.readOrders(ctx, s, typ)
			}
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return // the store closes; what is missing is made at the next start
			}
			s.log.Error("indexes could not be made; trying again", "type", typ, "reason", err.Error())
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, time.Minute)
		}
		c.mu.Lock()
		c.known[typ].building = false
		c.mu.Unlock()
	}
}

// readOrders takes over the orders that were asked for before.
func (c *collections) readOrders(ctx context.Context, s *Store, typ string) error {
	specs, err := s.current(typ).Indexes().ListSpecifications(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	orders := maps.Clone(c.known[typ].orders)
	for _, spec := range specs {
		if strings.HasPrefix(spec.Name, orderPrefix) {
			orders[spec.Name] = true
		}
	}
	c.known[typ].orders = orders
	return nil
}

// Building returns the resource types whose indexes are still under construction, sorted.
func (s *Store) Building() []string { return s.collections.underConstruction() }

func (c *collections) underConstruction() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for t, k := range c.known {
		if k.building {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}

// types returns the resource types that have collections, sorted.
func (c *collections) types(ctx context.Context, s *Store) ([]string, error) {
	c.mu.Lock()
	fresh := time.Since(c.listed) < listAge
	c.mu.Unlock()
	if !fresh {
		if err := c.list(context.WithoutCancel(ctx), s); err != nil {
			return nil, wrap("types", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]string, 0, len(c.known))
	for t := range c.known {
		out = append(out, t)
	}
	slices.Sort(out)
	return out, nil
}

// orders returns the names of the orders that a type has indexes for. The map must not be changed.
func (c *collections) orders(typ string) map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.known[typ]; k != nil {
		return k.orders
	}
	return nil
}

// wantOrder makes an index for an order that was asked for and has none, in the background.
func (c *collections) wantOrder(s *Store, typ, param string) {
	name := indexOrder(param)
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.known[typ]
	if k == nil || k.orders[name] || k.wanted[name] || len(k.wanted) >= maxOrders || s.closed.Load() {
		return
	}
	k.wanted[name] = true
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		_, err := s.current(typ).Indexes().CreateOne(s.run, orderIndex(param))
		c.mu.Lock()
		defer c.mu.Unlock()
		if err != nil {
			delete(k.wanted, name)
			s.log.Warn("an index could not be made", "type", typ, "index", name, "reason", err.Error())
			return
		}
		orders := maps.Clone(k.orders)
		orders[name] = true
		k.orders = orders
	}()
}

// ensure makes the collections and indexes of typ where this process has not seen them. Another gateway doing the same is not a conflict.
func (c *collections) ensure(ctx context.Context, s *Store, typ string) error {
	c.mu.Lock()
	if c.known[typ] != nil {
		c.mu.Unlock()
		return nil
	}
	m := c.making[typ]
	if m == nil {
		m = new(sync.Mutex)
		c.making[typ] = m
	}
	c.mu.Unlock()
	m.Lock()
	defer m.Unlock()
	c.mu.Lock()
	known := c.known[typ] != nil
	if !known {
		c.begun[typ] = true
	}
	c.mu.Unlock()
	if known {
		return nil
	}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.begun, typ)
	}()
	// Not in ctx's session: index builds can't be part of a transaction.
	if err := makeIndexes(context.WithoutCancel(ctx), s, typ); err != nil {
		return wrap("make indexes", err)
	}
	c.mu.Lock()
	c.known[typ] = &collection{made: time.Now(), orders: fixedOrders(typ), wanted: map[string]bool{}}
	c.mu.Unlock()
	return nil
}

// madeSince reports whether this process made the collections of a type after an instant, or is about to: the server has them before it says so.
func (c *collections) madeSince(typ string, t time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.known[typ]
	return c.begun[typ] || k != nil && k.made.After(t)
}

// makeIndexes makes both collections of a type and the indexes they lack.
func makeIndexes(ctx context.Context, s *Store, typ string) error {
	if _, err := s.superseded(typ).Indexes().CreateMany(ctx, []mongo.IndexModel{
		{Keys: bson.D{{Key: fieldUpdated, Value: -1}, {Key: fieldID, Value: 1}}},
	}); err != nil {
		return err
	}
	_, err := s.current(typ).Indexes().CreateMany(ctx, indexes(typ))
	return err
}
